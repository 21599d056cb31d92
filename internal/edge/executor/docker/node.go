package docker

import (
	"bytes"
	"cmp"
	"context"
	"debug/elf"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Where this machine's node is in containers: beside the place where GitHub's runner has its own.
const (
	nodeThere   = "/__e/node/bin/node"
	nodeLibs    = "/__e/node/lib"
	nodePreload = ".node-path.js"
	nodeWrapper = ".node"
)

// node is this machine's node and what it is linked with. nil is none.
type node struct {
	path, loader string
	libs         []string
	ways         map[string][]string // by the name and the PATH that a step has: how it is started in the container
}

// findNode looks for this machine's node. What cannot be told of it is left out: then it runs where the container has it.
func findNode(name string) *node {
	found, err := exec.LookPath(cmp.Or(name, "node"))
	if err == nil {
		found, err = filepath.EvalSymlinks(found)
	}
	if err != nil {
		return &node{}
	}
	n := &node{path: found}
	f, err := elf.Open(found)
	if err != nil {
		return &node{} // a script that chooses among versions is of no use elsewhere
	}
	defer f.Close()
	interp := f.Section(".interp")
	if interp == nil {
		return n // linked with all it needs
	}
	b, err := interp.Data()
	if err != nil {
		return n
	}
	loader := string(bytes.TrimRight(b, "\x00"))
	out, err := exec.Command(loader, "--list", found).Output() // starts the loader only
	if err != nil {
		return n
	}
	n.loader = loader
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if i := slices.Index(fields, "=>"); i > 0 && len(fields) > i+1 && filepath.IsAbs(fields[i+1]) {
			n.libs = append(n.libs, fields[i+1])
		}
	}
	return n
}

// mounts bring it in, read-only.
func (n *node) mounts() []mount.Mount {
	if n.path == "" {
		return nil
	}
	m := []mount.Mount{{Type: mount.TypeBind, Source: n.path, Target: nodeThere, ReadOnly: true}}
	if n.loader == "" {
		return m
	}
	seen := map[string]bool{}
	for _, lib := range append([]string{n.loader}, n.libs...) {
		real, err := filepath.EvalSymlinks(lib)
		if name := path.Base(lib); err == nil && !seen[name] {
			seen[name] = true
			m = append(m, mount.Mount{Type: mount.TypeBind, Source: real, Target: path.Join(nodeLibs, name), ReadOnly: true})
		}
	}
	return m
}

// withNode is a step's command with a node that runs in the container: its own, else this machine's, with the container's
// libraries or with this machine's.
func (h *host) withNode(ctx context.Context, e program.Exec) ([]string, error) {
	if path.Base(e.Argv[0]) != "node" {
		return e.Argv, nil
	}
	key := e.Argv[0] + "\x00" + string(variable(e.Env, "PATH"))
	if way, ok := h.node.ways[key]; ok {
		return append(slices.Clone(way), e.Argv[1:]...), nil
	}
	tries := [][]string{{e.Argv[0]}}
	if h.node.path != "" {
		tries = append(tries, []string{nodeThere})
	}
	if h.node.loader != "" {
		tries = append(tries, h.loaded())
		if err := h.writeNode(); err != nil {
			return nil, err
		}
	}
	said := ""
	for _, way := range tries {
		ok, text, err := h.runs(ctx, append(slices.Clone(way), "--version"), e.Env)
		if err != nil {
			return nil, err
		}
		if ok {
			if h.node.ways == nil {
				h.node.ways = map[string][]string{}
			}
			h.node.ways[key] = way
			return append(slices.Clone(way), e.Argv[1:]...), nil
		}
		said = cmp.Or(strings.TrimSpace(text), said)
	}
	f := fault.At(executor.CodeNode, h.order.Image.Place, "the image %s has no node that runs, and this machine's does not run in it: %s", h.order.Image.Name, said)
	if h.node.path == "" {
		f = fault.At(executor.CodeNode, h.order.Image.Place, "the image %s has no node, and neither has this machine", h.order.Image.Name)
	}
	return nil, &program.Error{Failure: program.UnmetPrerequisites, Err: f.WithHint("use an image with Node, like node:20")}
}

// loaded starts this machine's node with this machine's libraries. To itself node would then be its loader, so that
// scripts that start another node by process.execPath start something else: the script that is loaded first mends that.
func (h *host) loaded() []string {
	return []string{path.Join(nodeLibs, path.Base(h.node.loader)), "--library-path", nodeLibs, nodeThere, "--require", path.Join(h.private, nodePreload)}
}

func (h *host) writeNode() error {
	wrapper := path.Join(h.private, nodeWrapper)
	if err := h.write(nodePreload, "process.execPath = process.argv[0] = "+jsString(wrapper)+";\n"); err != nil {
		return err
	}
	if err := h.write(nodeWrapper, "#!/bin/sh\nexec "+quoted(h.loaded())+" \"$@\"\n"); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Join(h.folder.Private, nodeWrapper), 0o755); err != nil {
		return executor.Unwritable(err)
	}
	return os.Chmod(filepath.Join(h.folder.Private, nodePreload), 0o644)
}

// jsString is a text that JavaScript reads as it is; paths of containers hold nothing else.
func jsString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// runs says whether a command ends well in the container, and what it printed.
func (h *host) runs(ctx context.Context, argv, env []string) (bool, string, error) {
	r, err := h.engine.ExecCreate(ctx, h.id, client.ExecCreateOptions{Cmd: argv, Env: env, WorkingDir: "/", AttachStdout: true, AttachStderr: true})
	if err != nil {
		return false, "", err
	}
	streams, err := h.engine.ExecAttach(ctx, r.ID, client.ExecAttachOptions{})
	if err != nil {
		return false, err.Error(), nil // where it cannot be started some engines say so here
	}
	var b bytes.Buffer
	_, _ = stdcopy.StdCopy(&b, &b, io.LimitReader(streams.Reader, 64<<10))
	streams.Close()
	got, err := h.engine.ExecInspect(ctx, r.ID, client.ExecInspectOptions{})
	return got.ExitCode == 0, b.String(), err
}
