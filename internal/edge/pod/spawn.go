package pod

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// cookieName is the variable by which a pod's processes are known. Its value begins with the folder of the manager.
const cookieName = "SLUICE_POD_COOKIE"

func cookieOf(dir string) string { return dir }

// spawner starts processes from one thread, for as long as the manager lives: a process that is to end with its parent ends
// with the thread that started it.
type spawner struct {
	jobs chan func()
	done chan struct{}
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func()), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *spawner) run() {
	runtime.LockOSThread()
	defer close(s.done)
	for job := range s.jobs {
		job()
	}
}

func (s *spawner) start(cmd *exec.Cmd) error {
	result := make(chan error)
	s.jobs <- func() { result <- cmd.Start() }
	return <-result
}

func (s *spawner) close() {
	close(s.jobs)
	<-s.done
}

// command is what starts a plan: the process itself, or a helper that makes its mounts first. clean is for when it has ended.
func (m *Manager) command(p *plan) (cmd *exec.Cmd, clean func(), err error) {
	if len(p.mounts) == 0 {
		path, err := lookPath(p.argv[0], p.env, p.dir)
		if err != nil {
			return nil, nil, err
		}
		cmd = exec.Command(path)
		cmd.Args, cmd.Env, cmd.Dir = p.argv, p.env, p.dir
		cmd.SysProcAttr = attributes(false)
		return cmd, func() {}, nil
	}
	scrap, err := os.MkdirTemp(filepath.Join(m.c.Dir, "pods"), ".start-")
	if err != nil {
		return nil, nil, fault.New(CodeFolder, "%v", err)
	}
	if err := os.Mkdir(filepath.Join(scrap, "root"), 0o755); err != nil {
		return nil, nil, fault.New(CodeFolder, "%v", err)
	}
	data, err := json.Marshal(childPlan{Argv: p.argv, Dir: p.dir, Mounts: p.mounts, Scrap: scrap})
	if err != nil {
		return nil, nil, err
	}
	if err := os.WriteFile(filepath.Join(scrap, "plan"), data, 0o600); err != nil {
		return nil, nil, fault.New(CodeFolder, "%v", err)
	}
	cmd = exec.Command(m.c.Child[0], append(append([]string{}, m.c.Child[1:]...), "start", scrap)...)
	cmd.Env = p.env
	cmd.SysProcAttr = attributes(true)
	return cmd, func() { _ = os.RemoveAll(scrap) }, nil
}

// canMount tries whether a helper may mount.
func (m *Manager) canMount() bool {
	scrap, err := os.MkdirTemp(filepath.Join(m.c.Dir, "pods"), ".start-")
	if err != nil {
		return false
	}
	defer os.RemoveAll(scrap)
	cmd := exec.Command(m.c.Child[0], append(append([]string{}, m.c.Child[1:]...), "try", scrap)...)
	cmd.SysProcAttr = attributes(true)
	return m.spawn.start(cmd) == nil && cmd.Wait() == nil
}

// lookPath finds a program in the PATH that the process has.
func lookPath(name string, env []string, dir string) (string, error) {
	if strings.Contains(name, "/") {
		if filepath.IsAbs(name) {
			return name, nil
		}
		return filepath.Join(dir, name), nil
	}
	path := ""
	for _, kv := range env { // the last one counts
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
		}
	}
	for _, folder := range filepath.SplitList(path) {
		if !filepath.IsAbs(folder) {
			folder = filepath.Join(dir, folder)
		}
		full := filepath.Join(folder, name)
		if info, err := os.Stat(full); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return full, nil
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}
