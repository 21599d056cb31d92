package docker

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/edge/executor/script"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"golang.org/x/sys/unix"
)

// host is one attempt of one job: a container that is started anew for each step, its services and their network.
type host struct {
	x      *Executor
	engine *client.Client
	order  program.Order

	folder   *executor.Folder
	project  string // the workspace in the container
	id       string // of the job's container
	imageID  string
	shell    string // path in the container
	user     string
	network  string
	made     []string // containers
	suffix   string
	isClosed bool
}

// open makes all that the steps need. What is made is noted at once, so that Close finds it whatever fails.
func (h *host) open(ctx context.Context, out program.Output) error {
	h.suffix = script.Nonce()[:8]
	h.project = projectPath(h.order.Project)
	image, err := h.image(ctx, *h.order.Image, out)
	if err != nil {
		return err
	}
	h.imageID, h.user = image.ID, h.order.Image.User
	if h.user == "" && image.Config != nil {
		h.user = image.Config.User
	}
	say(out, "Using docker image %s for %s ...", image.ID, h.order.Image.Name)
	if h.folder, err = h.x.folders.Claim(ctx, h.order, out); err != nil {
		return err
	}
	if h.foreignUser() {
		if err := openUp(h.folder.Workspace); err != nil {
			return err
		}
	}
	if err := h.services(ctx, out); err != nil {
		return err
	}
	if err := h.create(ctx); err != nil {
		return err
	}
	h.shell, err = h.findShell(ctx)
	return err
}

// projectPath is where the project lies in containers: /builds/<group>/<project>.
func projectPath(project string) string {
	clean := path.Clean("/" + project)
	if clean == "/" {
		clean = "/project"
	}
	return "/builds" + clean
}

func (h *host) private() string { return h.project + ".tmp" }

// create makes the job's container. Its command is our bootstrap, which the image's entrypoint is given as the runner gives it.
func (h *host) create(ctx context.Context) error {
	i := h.order.Image
	r, err := h.engine.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name: h.name("job"), Platform: parsePlatform(i.Platform),
		Config: &container.Config{
			Image: h.imageID, User: i.User, Entrypoint: i.Entrypoint, Cmd: []string{"sh", "-c", bootstrap(h.private())},
			Env: h.order.Env, WorkingDir: h.project, Labels: h.labels(), AttachStdout: true, AttachStderr: true,
		},
		HostConfig:       &container.HostConfig{Mounts: h.mounts(true), NetworkMode: container.NetworkMode(h.network), LogConfig: container.LogConfig{Type: "none"}},
		NetworkingConfig: &network.NetworkingConfig{},
	})
	if err != nil {
		f := fault.At(executor.CodeContainer, i.Place, "the container of %s cannot be made: %v", i.Name, err)
		if strings.Contains(err.Error(), "bind source path") {
			f = fault.At(executor.CodeRemoteHost, i.Place, "the engine does not see the job's folder %s: %v", h.folder.Path, err)
		}
		return f
	}
	h.id = r.ID
	h.made = append(h.made, r.ID)
	return nil
}

// mounts bring the workspace in, and for the job also its private folder and the objects that its git reads.
func (h *host) mounts(job bool) []mount.Mount {
	m := []mount.Mount{{Type: mount.TypeBind, Source: h.folder.Workspace, Target: h.project}}
	if !job {
		return m
	}
	m = append(m, mount.Mount{Type: mount.TypeBind, Source: h.folder.Private, Target: h.private()})
	for _, dir := range withAlternates(h.x.c.Source.Objects()) {
		m = append(m, mount.Mount{Type: mount.TypeBind, Source: dir, Target: dir, ReadOnly: true})
	}
	return m
}

// withAlternates adds the object stores that object stores borrow from.
func withAlternates(dirs []string) []string {
	seen := map[string]bool{}
	for n := 0; n < len(dirs) && n < 64; n++ {
		b, _ := os.ReadFile(filepath.Join(dirs[n], "info", "alternates"))
		for line := range strings.Lines(string(b)) {
			if dir := strings.TrimSuffix(line, "\n"); filepath.IsAbs(dir) {
				dirs = append(slices.Clip(dirs), filepath.Clean(dir))
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(dirs), func(dir string) bool {
		info, err := os.Stat(dir)
		twice := seen[dir]
		seen[dir] = true
		return twice || err != nil || !info.IsDir()
	})
}

func (h *host) labels() map[string]string {
	job := h.order.Key
	return map[string]string{labelRun: h.order.Run, labelJob: job, labelOwner: executor.Owner()}
}

// name is a readable name in the engine that no other job has.
func (h *host) name(part string) string {
	key := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, h.order.Key)
	return "sluice-" + key[:min(len(key), 40)] + "-" + h.suffix + "-" + part
}

// findShell looks for a shell in the image, where GitLab's runner looks.
func (h *host) findShell(ctx context.Context) (string, error) {
	h.x.mu.Lock()
	known := h.x.shells[h.imageID]
	h.x.mu.Unlock()
	if known != "" {
		return known, nil
	}
	for _, path := range shells {
		_, err := h.engine.ContainerStatPath(ctx, h.id, client.ContainerStatPathOptions{Path: path})
		if err == nil {
			h.x.mu.Lock()
			h.x.shells[h.imageID] = path
			h.x.mu.Unlock()
			return path, nil
		}
		if gone(err) != nil {
			return "", err
		}
	}
	f := fault.At(executor.CodeNoShell, h.order.Image.Place, "the image %s has no shell: neither bash nor sh", h.order.Image.Name)
	return "", &program.Error{Failure: program.ConfigurationFailed, Err: f}
}

// Paths are the folder on this machine, and where the job sees it.
func (h *host) Paths() program.Paths {
	kind := "sh"
	if strings.HasSuffix(h.shell, "bash") {
		kind = "bash"
	}
	return program.Paths{Workspace: h.folder.Workspace, JobWorkspace: h.project, Private: h.folder.Private, JobPrivate: h.private(), Shell: kind}
}

// Close removes the containers, the network and the folder.
func (h *host) Close(ctx context.Context, keep bool) error {
	if h.isClosed {
		return nil
	}
	h.isClosed = true
	var errs []error
	if h.folder != nil && h.id != "" {
		errs = append(errs, h.reclaim(ctx))
	}
	for _, id := range h.made {
		errs = append(errs, remove(ctx, h.engine, id))
	}
	if h.network != "" {
		_, err := h.engine.NetworkRemove(ctx, h.network, client.NetworkRemoveOptions{})
		errs = append(errs, gone(err))
	}
	if h.folder != nil {
		errs = append(errs, h.folder.Release(keep, !h.foreignUser()))
	}
	return errors.Join(errs...)
}

// remove removes a container with its anonymous volumes, running or not.
func remove(ctx context.Context, engine *client.Client, id string) error {
	_, err := engine.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	return gone(err)
}

// foreignUser says whether the job's user in the container is neither root nor we, and so needs leave to write in our
// folders. (The folder around them keeps other users of this machine out.)
func (h *host) foreignUser() bool {
	user, _, _ := strings.Cut(h.user, ":")
	return user != "" && user != "0" && user != "root" && user != strconv.Itoa(h.x.uid)
}

// openUp lets everyone read and write below a folder; symbolic links stay as they are.
func openUp(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o666
		if d.IsDir() || mode&0o111 != 0 {
			mode |= 0o111
		}
		if mode == info.Mode().Perm() {
			return nil
		}
		return os.Chmod(path, mode)
	})
}

// reclaim makes what containers have written ours, where it is not and we are not root: else it could neither be
// archived nor removed. A container of the same image does it as root.
func (h *host) reclaim(ctx context.Context) error {
	if h.x.uid == 0 || !h.othersFiles() {
		return nil
	}
	owner := strconv.Itoa(h.x.uid) + ":" + strconv.Itoa(os.Getegid())
	r, err := h.engine.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name: h.name("owner-" + script.Nonce()[:4]),
		Config: &container.Config{
			Image: h.imageID, User: "0:0", Entrypoint: []string{"chown"}, Cmd: []string{"-R", "-h", owner, h.project, h.private()},
			Labels: h.labels(), NetworkDisabled: true,
		},
		HostConfig: &container.HostConfig{Mounts: h.mounts(true), LogConfig: container.LogConfig{Type: "none"}},
	})
	if err != nil {
		return err
	}
	h.made = append(h.made, r.ID)
	wait := h.engine.ContainerWait(ctx, r.ID, client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	if _, err := h.engine.ContainerStart(ctx, r.ID, client.ContainerStartOptions{}); err != nil {
		return err
	}
	select {
	case err := <-wait.Error:
		return err
	case <-wait.Result:
		return remove(ctx, h.engine, r.ID)
	}
}

var errFound = errors.New("found")

func (h *host) othersFiles() bool {
	for _, dir := range []string{h.folder.Workspace, h.folder.Private} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			var st unix.Stat_t
			if err != nil || unix.Lstat(path, &st) == nil && int(st.Uid) != h.x.uid {
				return errFound
			}
			return nil
		})
		if err != nil {
			return true
		}
	}
	return false
}
