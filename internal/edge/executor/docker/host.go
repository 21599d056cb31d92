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
	"github.com/moby/moby/client"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/edge/executor/script"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"golang.org/x/sys/unix"
)

// host is one attempt of one job: its container, its services and their network. The container is started anew for each
// step, or lives as long as the job where the order says so.
type host struct {
	*site
	folder   *executor.Folder
	project  string // the workspace in the container
	private  string // the private folder in the container
	id       string // of the job's container
	imageID  string
	path     string // PATH of the container
	shell    string // path in the container, "" for none
	user     string
	node     *node
	steps    int
	isClosed bool
}

// open makes all that the steps need.
func (h *host) open(ctx context.Context, out program.Output) error {
	c := *h.order.Image
	s, err := newShape(c, true)
	if err != nil {
		return err
	}
	remark(s, c, out)
	h.project = projectPath(h.order.Project)
	h.private = h.project + ".tmp"
	if h.order.Lasting {
		h.project, h.private = "/__w/"+path.Base(h.project)+"/"+path.Base(h.project), "/__w/_temp"
	}
	image, err := h.image(ctx, s.pullable(c), out)
	if err != nil {
		return err
	}
	h.imageID, h.user = image.ID, s.config.User
	if h.user == "" && image.Config != nil {
		h.user = image.Config.User
	}
	say(out, "Using docker image %s for %s ...", image.ID, c.Name)
	if h.folder, err = h.x.folders.Claim(ctx, h.order, out); err != nil {
		return err
	}
	h.ways = []way{{h.folder.Workspace, h.project}, {h.folder.Private, h.private}}
	if h.foreignUser() {
		if err := openUp(h.folder.Workspace); err != nil {
			return err
		}
	}
	if h.order.Lasting {
		return h.openLasting(ctx, s, out)
	}
	if err := h.services(ctx, out); err != nil {
		return err
	}
	// The command is our bootstrap, which the image's entrypoint is given as GitLab's runner gives it.
	s.config.Cmd = []string{"sh", "-c", bootstrap(h.private)}
	s.config.AttachStdout, s.config.AttachStderr = true, true
	if s.host.LogConfig.Type == "" {
		s.host.LogConfig.Type = "none"
	}
	if err := h.create(ctx, s); err != nil {
		return err
	}
	return h.findShell(ctx)
}

// projectPath is where the project lies in containers: /builds/<group>/<project>.
func projectPath(project string) string {
	clean := path.Clean("/" + project)
	if clean == "/" {
		clean = "/project"
	}
	return "/builds" + clean
}

// create makes the job's container.
func (h *host) create(ctx context.Context, s *shape) error {
	i := h.order.Image
	s.config.Image = h.imageID
	s.config.Env = append(slices.Clone(h.order.Env), s.config.Env...)
	s.config.WorkingDir = h.project
	s.host.Mounts = append(h.mounts(true), s.host.Mounts...)
	id, err := h.make(ctx, "job", s)
	if err != nil {
		if f, ok := errors.AsType[*fault.Fault](err); ok {
			f.Place = i.Place
			return f
		}
		f := fault.At(executor.CodeContainer, i.Place, "the container of %s cannot be made: %v", i.Name, err)
		if strings.Contains(err.Error(), "bind source path") && strings.Contains(err.Error(), h.folder.Path) {
			f = fault.At(executor.CodeRemoteHost, i.Place, "the engine does not see the job's folder %s: %v", h.folder.Path, err)
		}
		return f
	}
	h.id = id
	return nil
}

// mounts bring the workspace in, and for the job also its private folder and the objects that its git reads.
func (h *host) mounts(job bool) []mount.Mount {
	m := []mount.Mount{{Type: mount.TypeBind, Source: h.folder.Workspace, Target: h.project}}
	if !job {
		return m
	}
	m = append(m, mount.Mount{Type: mount.TypeBind, Source: h.folder.Private, Target: h.private})
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

// findShell looks for a shell in the image, where GitLab's runner looks.
func (h *host) findShell(ctx context.Context) error {
	h.x.mu.Lock()
	h.shell = h.x.shells[h.imageID]
	h.x.mu.Unlock()
	if h.shell != "" {
		return nil
	}
	for _, path := range shells {
		_, err := h.engine.ContainerStatPath(ctx, h.id, client.ContainerStatPathOptions{Path: path})
		if err == nil {
			h.x.mu.Lock()
			h.x.shells[h.imageID] = path
			h.x.mu.Unlock()
			h.shell = path
			return nil
		}
		if gone(err) != nil {
			return err
		}
	}
	return h.noShell()
}

func (h *host) noShell() error {
	f := fault.At(executor.CodeNoShell, h.order.Image.Place, "the image %s has no shell: neither bash nor sh", h.order.Image.Name)
	return &program.Error{Failure: program.ConfigurationFailed, Err: f}
}

// Paths are the folder on this machine, and where the job sees it.
func (h *host) Paths() program.Paths {
	kind := "sh"
	if strings.HasSuffix(h.shell, "bash") {
		kind = "bash"
	}
	return program.Paths{
		Workspace: h.folder.Workspace, JobWorkspace: h.project, Private: h.folder.Private, JobPrivate: h.private, Shell: kind,
		Container: h.id, Network: h.network, Services: h.beside, Path: h.path, Machine: h.machine,
	}
}

// Close removes the containers, the network and the folder.
func (h *host) Close(ctx context.Context, keep bool) error {
	if h.isClosed {
		return nil
	}
	h.isClosed = true
	var errs []error
	if h.folder != nil && h.id != "" {
		if h.order.Lasting { // what still runs would go on writing
			errs = append(errs, remove(ctx, h.engine, h.id))
		}
		errs = append(errs, h.reclaim(ctx, h.imageID))
	}
	errs = append(errs, h.clear(ctx))
	if h.folder != nil {
		errs = append(errs, h.folder.Release(keep, !h.foreignUser()))
	}
	return errors.Join(errs...)
}

// foreignUser says whether the job's user in the container is neither root nor we, and so needs leave to write in our
// folders. (The folder around them keeps other users of this machine out.)
func (h *host) foreignUser() bool { return isForeign(h.user, h.x.uid) }

func isForeign(user string, uid int) bool {
	user, _, _ = strings.Cut(user, ":")
	return user != "" && user != "0" && user != "root" && user != strconv.Itoa(uid)
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
func (h *host) reclaim(ctx context.Context, image string) error {
	if h.x.uid == 0 || !othersFiles(h.x.uid, h.folder.Workspace, h.folder.Private) {
		return nil
	}
	return h.chown(ctx, image, h.mounts(true), h.project, h.private)
}

// chown gives folders to us, by a container of an image that has chown.
func (t *site) chown(ctx context.Context, image string, mounts []mount.Mount, folders ...string) error {
	owner := strconv.Itoa(t.x.uid) + ":" + strconv.Itoa(os.Getegid())
	r, err := t.engine.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name: t.name("owner-" + script.Nonce()[:4]),
		Config: &container.Config{
			Image: image, User: "0:0", Entrypoint: []string{"chown"}, Cmd: append([]string{"-R", "-h", owner}, folders...),
			Labels: t.labels(), NetworkDisabled: true,
		},
		HostConfig: &container.HostConfig{Mounts: mounts, LogConfig: container.LogConfig{Type: "none"}},
	})
	if err != nil {
		return err
	}
	t.made = append(t.made, r.ID)
	wait := t.engine.ContainerWait(ctx, r.ID, client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	if _, err := t.engine.ContainerStart(ctx, r.ID, client.ContainerStartOptions{}); err != nil {
		return err
	}
	select {
	case err := <-wait.Error:
		return err
	case <-wait.Result:
		return remove(ctx, t.engine, r.ID)
	}
}

var errFound = errors.New("found")

func othersFiles(uid int, dirs ...string) bool {
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			var st unix.Stat_t
			if err != nil || unix.Lstat(path, &st) == nil && int(st.Uid) != uid {
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
