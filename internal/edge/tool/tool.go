// Package tool finds the tools of this machine that workflows ask for with actions/setup-go, -node, -python and -java:
// it looks where people and version managers put them, runs what it finds to learn its version, and picks the newest
// that fits. It installs nothing and downloads nothing; where nothing fits it says what is there.
package tool

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Finder looks on one machine, or with Probe in one container. The zero value knows no folder.
type Finder struct {
	// Env is the environment that the job's steps see, NAME=value: PATH, HOME, and what version managers set.
	Env []string
	// Tools is the tool cache (RUNNER_TOOL_CACHE): <tool>/<version>/<arch>, complete where <arch>.complete is beside it.
	Tools string
	// Links is a folder of ours for links to a tool that lies among others (/usr/bin): put on PATH, that folder would
	// bring the others along. "" puts the folder itself on PATH.
	Links string
	// Root is put before well-known absolute folders, for tests; "" is this machine.
	Root string
	// Probe, where set, runs a shell script in the job's container and gives its standard output; then only the
	// container is looked at.
	Probe func(ctx context.Context, script string) (string, error)
}

// Found is one tool.
type Found struct {
	Version *semver.Version
	Text    string // the version as the tool writes it
	Exe     string // its program
	Bin     string // the folder of its programs
	Home    string // GOROOT, JAVA_HOME, the prefix
	How     string // for a person: PATH, the tool cache, …

	guess bool // Version is what the folder's name says
}

// Find finds the newest version that fits. Values are the version, the folder to put on PATH, the tool's home and its
// program; Text says where it was found. The error wraps a *program.Error of kind UnmetPrerequisites where none fits.
func (x *Finder) Find(ctx context.Context, f program.Find) (program.Outcome, error) {
	kind := kindOf(f.Tool)
	w, err := kind.wanted(f.Version)
	if err != nil {
		return program.Outcome{}, unmet(err)
	}
	if x.Probe == nil && f.Arch != "" && archOf(f.Arch) != archOf(runtime.GOARCH) {
		return program.Outcome{}, unmet(fault.New(CodeArch, "%s for %s is asked for, and this machine is %s", kind.title, f.Arch, archOf(runtime.GOARCH)))
	}
	var all []Found
	if x.Probe != nil {
		all, err = x.inside(ctx, kind)
	} else {
		all, err = x.here(ctx, kind, w)
	}
	if err != nil {
		return program.Outcome{}, err
	}
	best := w.best(all)
	if best == nil {
		return program.Outcome{}, unmet(kind.missing(f.Version, w, all, x.Probe != nil))
	}
	bin := best.Bin
	if x.Probe == nil {
		if bin, err = x.linked(kind, *best); err != nil {
			return program.Outcome{}, err
		}
	}
	return program.Outcome{Text: best.How, Values: []string{best.Text, bin, best.Home, best.Exe}}, nil
}

func unmet(err error) error { return &program.Error{Failure: program.UnmetPrerequisites, Err: err} }

// missing says what is there instead, and how to get what is not.
func (k kind) missing(asked string, w wanted, all []Found, container bool) error {
	where, hint := "on this machine", k.hint(w, len(all) > 0)
	if container {
		where, hint = "in the job's container", "use an image that has it"
	}
	if asked == "" {
		asked = "any version"
	}
	var have []string
	seen := map[string]bool{}
	for _, f := range all {
		if at := f.Text + " in " + f.Home; !seen[at] {
			seen[at] = true
			have = append(have, at)
		}
	}
	there := "none was found"
	if len(have) > 0 {
		there = "there is " + strings.Join(have, ", ")
	}
	return fault.New(CodeMissing, "no %s that fits %q is %s; %s", k.title, asked, where, there).WithHint("%s", hint)
}

// shared are folders where programs of many tools lie together.
var shared = []string{"/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin", "/snap/bin", "/opt/homebrew/bin"}

// linked is the folder to put on PATH: that of the tool, or one with links to its programs alone.
func (x *Finder) linked(k kind, f Found) (string, error) {
	together := filepath.Base(f.Bin) == "shims" || f.Bin == filepath.Join(x.get("HOME"), ".local/bin")
	for _, s := range shared {
		together = together || f.Bin == x.Root+s
	}
	complete := true
	for _, n := range k.always {
		if _, err := os.Stat(filepath.Join(f.Bin, n)); err != nil {
			complete = false
		}
	}
	if x.Links == "" || !together && complete {
		return f.Bin, nil
	}
	dir := filepath.Join(x.Links, k.name, f.Text, tag(f.Exe))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make links to %s: %w", k.title, err)
	}
	for _, name := range k.programs(f.Version) {
		target := filepath.Join(f.Bin, name)
		if _, err := os.Stat(target); err != nil {
			if !contains(k.always, name) {
				continue
			}
			target = f.Exe
		}
		if now, err := os.Readlink(filepath.Join(dir, name)); err == nil && now == target {
			continue
		}
		temp := filepath.Join(dir, fmt.Sprintf(".%s.%s", name, rand.Text())) // jobs link side by side
		if err := os.Symlink(target, temp); err != nil {
			return "", fmt.Errorf("make links to %s: %w", k.title, err)
		}
		if err := os.Rename(temp, filepath.Join(dir, name)); err != nil {
			_ = os.Remove(temp)
			return "", fmt.Errorf("make links to %s: %w", k.title, err)
		}
	}
	return dir, nil
}

// get is a variable of the job's environment.
func (x *Finder) get(name string) string {
	for i := len(x.Env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(x.Env[i], name+"="); ok {
			return v
		}
	}
	return ""
}

// archOf brings names of architectures together: as RUNNER_TOOL_CACHE's folders are called.
func archOf(name string) string {
	switch strings.ToLower(name) {
	case "amd64", "x86_64", "x64":
		return "x64"
	case "arm64", "aarch64":
		return "arm64"
	case "386", "i386", "x86", "ia32":
		return "x86"
	}
	return strings.ToLower(name)
}
