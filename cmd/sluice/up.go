package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/sluice-delivery/sluice/internal/edge/pod"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The faults of the local target's commands.
const (
	codeUp      = "SL3130" // the local target cannot be started or reached
	codeCommand = "SL3131" // a container has no command, and no engine is there
	codeDown    = "SL3132" // nothing runs here
)

var upDocs = []fault.Doc{
	{Code: codeUp, Summary: "the local target cannot be started or reached", Text: "`sluice up` keeps its state in .sluice/up at the top of the repository, or of the folder outside one. One runs there at a time; a second call applies its files to the first. It is for one folder of manifests: end it with `sluice down` before starting another."},
	{Code: codeCommand, Summary: "a container has no command, and no container engine is there", Text: "Without an engine the local target runs a container's command as a process of this machine, in the folder of the manifests. What the image would run by its own is not known: say it under command, or start Docker."},
	{Code: codeDown, Summary: "no local target runs here", Text: "`sluice down` ends the `sluice up` of this folder or of one above it."},
}

// upFlags are the flags of `sluice up`.
type upFlags struct {
	namespace  string
	containers string
	recurse    bool
	prometheus string
}

func newUp(s *streams) *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up [DIR]",
		Short: "Run Kubernetes manifests on this machine, without Kubernetes",
		Long: `Run the workloads of a folder of manifests (plain YAML, a kustomization or a Helm chart) on this machine until interrupted:
containers as processes of the folder, or in a Docker engine where one is there; Services as listeners on loopback addresses.
It is for development and single machines. What cannot be honoured is told before anything starts.

While it runs, kubectl works with the kubeconfig that it prints, 'sluice rollout' and 'sluice app' find it by themselves, and
'sluice up' once more applies changed files. Its objects are kept in .sluice/up and go on with the next 'sluice up'.`,
		Args: args(0, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			dir := "."
			if len(given) > 0 {
				dir = given[0]
			}
			ctx, hurry, stop := interruptible(cmd.Context())
			defer stop()
			return s.up(ctx, hurry, f, dir)
		},
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.namespace, "namespace", "n", "default", "the namespace for objects that name none")
	fl.StringVar(&f.containers, "containers", "auto", "run containers in Docker: auto (where an engine answers), always or never")
	fl.BoolVarP(&f.recurse, "recurse", "R", false, "take the manifests of folders in the folder too")
	fl.StringVar(&f.prometheus, "prometheus", os.Getenv("ARGO_ROLLOUTS_PROMETHEUS_ADDRESS"), "the address of metrics that name none")
	_ = cmd.RegisterFlagCompletionFunc("containers", cobra.FixedCompletions([]string{"auto", "always", "never"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func newDown(s *streams) *cobra.Command {
	var wipe bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "End the local target that 'sluice up' runs here",
		Long: `End the 'sluice up' of this folder or of one above it: its Services take no more requests, those in flight end, then its
processes do. Its objects and volumes stay and go on with the next 'sluice up', unless --wipe is given.`,
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return s.down(cmd.Context(), wipe) },
	}
	cmd.Flags().BoolVar(&wipe, "wipe", false, "remove its objects, volumes and logs")
	return cmd
}

// newPodChild is the helper of edge/pod. No person calls it.
func newPodChild() *cobra.Command {
	return &cobra.Command{
		Use: "pod-child TASK ARGUMENT", Short: "Prepare or end the processes of pods for a parent process", Hidden: true, Args: args(2, 2),
		RunE: func(_ *cobra.Command, given []string) error {
			if code := pod.Main(given); code != 0 {
				return &exitError{code: code}
			}
			return nil
		},
	}
}

// upState is the state folder of a local target.
type upState struct {
	dir    string // .sluice/up
	folder string // of the manifests
	repo   string // the top of the repository, or the folder
	path   string // of the folder in it
	lock   *os.File
}

// findUp finds the state folder for a folder of manifests.
func findUp(ctx context.Context, given string) (*upState, error) {
	info, err := os.Stat(given)
	if err != nil || !info.IsDir() {
		return nil, fault.New(codeUp, "there is no folder %s", given).WithHint("give the folder of the manifests")
	}
	var d delivered
	if err := d.folder(ctx, given, ""); err != nil {
		return nil, err
	}
	folder, err := filepath.Abs(given)
	if err != nil {
		return nil, err
	}
	u := &upState{dir: filepath.Join(d.state, "up"), folder: folder, repo: d.repo, path: d.path}
	if err := expect(u.dir, os.ModeDir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(u.dir, 0o700); err != nil {
		return nil, fault.New(codeState, "%v", err)
	}
	return u, nil
}

// take makes this process the one that runs the target; false where another one is.
func (u *upState) take() (bool, error) {
	var err error
	if u.lock, err = os.OpenFile(filepath.Join(u.dir, "lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600); err != nil {
		return false, fault.New(codeState, "%v", err)
	}
	if err := unix.Flock(int(u.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = u.lock.Close()
		return false, nil //nolint:nilerr // another holds it: that is the answer
	}
	if err = u.lock.Truncate(0); err == nil {
		_, err = u.lock.WriteAt(fmt.Appendf(nil, "%d\n%s\n", os.Getpid(), u.folder), 0)
	}
	return true, err
}

// holder is the process that runs the target, and the folder that it runs.
func (u *upState) holder() (pid int, folder string, err error) {
	data, err := os.ReadFile(filepath.Join(u.dir, "lock"))
	if err != nil {
		return 0, "", err
	}
	first, rest, _ := strings.Cut(string(data), "\n")
	if pid, err = strconv.Atoi(first); err != nil || pid <= 1 {
		return 0, "", fault.New(codeUp, "another `sluice up` is starting here").WithHint("try again in a moment")
	}
	return pid, strings.TrimSuffix(rest, "\n"), nil
}

func (u *upState) kubeconfig() string { return filepath.Join(u.dir, "kubeconfig") }

// up runs a folder, or applies it to the target that runs it already.
func (s *streams) up(ctx context.Context, hurry <-chan struct{}, f upFlags, given string) error {
	u, err := findUp(ctx, given)
	if err != nil {
		return err
	}
	engine, err := upEngine(ctx, f.containers)
	if err != nil {
		return err
	}
	files, err := s.readUp(ctx, u, f, engine != nil)
	if err != nil {
		return err
	}
	mine, err := u.take()
	if err != nil {
		return err
	}
	if !mine {
		return s.upAgain(ctx, u, f, files)
	}
	defer u.lock.Close()
	t := &upTarget{s: s, u: u, f: f, engine: engine, hurry: hurry}
	return t.run(ctx, files)
}

// down ends the target that runs here.
func (s *streams) down(ctx context.Context, wipe bool) error {
	dir, running := findState("up")
	if !running {
		if dir = s.idleUp(); dir == "" {
			return fault.New(codeDown, "no local target runs here").WithHint("`sluice up` starts one in its folder or one above it")
		}
	}
	u := &upState{dir: dir}
	mine, err := u.take()
	if err != nil {
		return err
	}
	if !mine {
		if err := s.endUp(ctx, u); err != nil {
			return err
		}
		if mine, err = u.take(); err != nil || !mine {
			return fault.New(codeUp, "another `sluice up` has started meanwhile")
		}
	} else if !wipe {
		_ = u.lock.Close()
		return fault.New(codeDown, "no local target runs here").WithHint("`sluice up` starts one in its folder or one above it")
	}
	defer u.lock.Close()
	if wipe {
		if err := remove(dir); err != nil {
			return fault.New(codeState, "%v", err)
		}
		fmt.Fprintln(s.out, "removed the objects, volumes and logs")
	}
	return nil
}

// idleUp is the state folder of a target that does not run, here or above; "" for none.
func (s *streams) idleUp() string {
	dir, err := os.Getwd()
	for err == nil {
		at := filepath.Join(stateDir(dir), "up")
		if info, err := os.Lstat(at); err == nil && info.IsDir() {
			return at
		}
		above := filepath.Dir(dir)
		if above == dir {
			break
		}
		dir = above
	}
	return ""
}

// endUp asks the process that runs the target to end, and waits for it.
func (s *streams) endUp(ctx context.Context, u *upState) error {
	pid, folder, err := u.holder()
	if err != nil {
		return err
	}
	fmt.Fprintf(s.err, "ending the local target of %s (process %d)\n", folder, pid)
	if err := unix.Kill(pid, unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
		return fault.New(codeUp, "process %d, which runs the local target, cannot be asked to end: %v", pid, err)
	}
	probe := &upState{dir: u.dir}
	for ctx.Err() == nil {
		file, err := os.OpenFile(filepath.Join(probe.dir, "lock"), os.O_RDWR|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil //nolint:nilerr // it is gone with its folder
		}
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		_ = file.Close()
		if err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return context.Cause(ctx)
}
