package shell_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/edge/executor/executortest"
	"github.com/sluice-delivery/sluice/internal/edge/executor/shell"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// env has what keeps bash from looking the user up, as a step has it.
var env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "SHELL=/bin/sh", "USER=me", "LOGNAME=me"}

// TestContract holds the executor to the contract, as GitLab's jobs want it and as GitHub's do, whose steps may leave
// something running for the steps after them.
func TestContract(t *testing.T) {
	t.Run("each step ends all", func(t *testing.T) { contract(t, false) })
	t.Run("the job ends all", func(t *testing.T) { contract(t, true) })
}

func contract(t *testing.T, lasting bool) {
	executortest.Run(t, func(t *testing.T) *executortest.Harness {
		dir := filepath.Join(t.TempDir(), "work")
		x := shell.New(shell.Config{Dir: dir, Source: executortest.Source{}, Grace: 300 * time.Millisecond})
		return &executortest.Harness{
			Executor: x, Shell: "bash", Env: env, Lasting: lasting, Adds: []string{"SLUICE_JOB_COOKIE", "GIT_CEILING_DIRECTORIES"},
			Left: func(t *testing.T) []string {
				if err := x.Close(context.Background()); err != nil {
					t.Error(err)
				}
				left, _ := filepath.Glob(dir + "*")
				return left
			},
		}
	})
}

func open(t *testing.T, x *shell.Executor, o program.Order) program.Host {
	t.Helper()
	h, err := x.Open(t.Context(), o, &executortest.Recorder{})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func run(t *testing.T, h program.Host, line string) (int, string) {
	t.Helper()
	r := &executortest.Recorder{}
	exit, err := h.Exec(t.Context(), program.Exec{Lines: []string{line}, Env: env, Quiet: true}, r)
	if err != nil {
		t.Fatal(err)
	}
	return exit, strings.TrimSpace(r.Text(program.Stdout))
}

func pidLives(pid string) bool {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

// TestMain lets this test program also be a run that is killed in the middle of a job.
func TestMain(m *testing.M) {
	if dir := os.Getenv("TEST_CRASHING_RUN"); dir != "" {
		crashingRun(dir)
	}
	os.Exit(m.Run())
}

// crashingRun runs a job with processes of every kind until someone kills us.
func crashingRun(dir string) {
	x := shell.New(shell.Config{Dir: dir, Source: executortest.Source{}})
	h, err := x.Open(context.Background(), program.Order{Key: "job"}, &executortest.Recorder{})
	if err != nil {
		panic(err)
	}
	_, err = h.Exec(context.Background(), program.Exec{Env: env, Lines: []string{
		"sleep 777 & echo $! >../../pid1; setsid sleep 777 >/dev/null 2>&1 & echo $! >../../pid2; echo $$ >../../pid3; touch ../../ready; sleep 777",
	}}, &executortest.Recorder{})
	panic(err)
}

func TestSweepEndsWhatACrashLeft(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "work")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TEST_CRASHING_RUN="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []string
	eventually(t, "the job began", func() bool { _, err := os.Stat(dir + "/ready"); return err == nil })
	for _, name := range []string{"pid1", "pid2", "pid3"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, strings.TrimSpace(string(b)))
	}
	if err := shell.Sweep(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if !pidLives(pid) {
			t.Fatal("a sweep ended a job whose run lives")
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "job", "project", "readme")); err != nil {
		t.Fatal("a sweep removed the workspace of a job whose run lives")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for range 2 { // a second one finds nothing to do
		if err := shell.Sweep(t.Context(), dir, filepath.Join(base, "never")); err != nil {
			t.Fatal(err)
		}
	}
	for _, pid := range pids {
		eventually(t, "process "+pid+" is gone", func() bool { return !pidLives(pid) })
	}
	if _, err := os.Stat(filepath.Join(dir, "job")); err == nil {
		t.Error("the workspace is still there")
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not so: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// It has a process of its own: after a deployment, orphans that nobody claims are left alone, which other tests would see.
func TestDeploymentsMayLeaveADaemon(t *testing.T) {
	if os.Getenv("TEST_DEPLOYMENT") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestDeploymentsMayLeaveADaemon$")
		cmd.Env = append(os.Environ(), "TEST_DEPLOYMENT=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	x := shell.New(shell.Config{Dir: filepath.Join(t.TempDir(), "work"), Source: executortest.Source{}})
	deploy := open(t, x, program.Order{Key: "deploy", Outlive: true})
	_, daemon := run(t, deploy, "setsid sleep 778 >/dev/null 2>&1 & echo $!")
	_, worker := run(t, deploy, "sleep 778 >/dev/null 2>&1 & echo $!")
	_, shown := run(t, deploy, "setsid sleep 778 & echo $!") // holds the output open
	other := open(t, x, program.Order{Key: "other"})
	_, mine := run(t, other, "setsid sleep 778 >/dev/null 2>&1 & echo $!")
	for _, h := range []program.Host{deploy, other} {
		if err := h.Close(t.Context(), false); err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(x.Close(t.Context()), shell.Sweep(t.Context())); err != nil {
		t.Error(err)
	}
	for pid, want := range map[string]bool{daemon: true, shown: true, worker: false, mine: false} {
		if pidLives(pid) != want {
			t.Errorf("process %s lives: %v", pid, !want)
		}
	}
	for _, pid := range []string{daemon, shown} {
		n, _ := strconv.Atoi(pid)
		_ = syscall.Kill(n, syscall.SIGKILL)
	}
}

func TestFoldersAreUsedAgainAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "work")
	x := shell.New(shell.Config{Dir: dir, Source: executortest.Source{}})
	inode := func(h program.Host) uint64 {
		info, err := os.Stat(h.Paths().Workspace)
		if err != nil {
			t.Fatal(err)
		}
		return info.Sys().(*syscall.Stat_t).Ino
	}
	order := program.Order{Key: "a", Project: "group/shop"}
	a := open(t, x, order)
	if want := filepath.Join(dir, "a", "shop"); a.Paths().Workspace != want {
		t.Errorf("the workspace is %s, want %s", a.Paths().Workspace, want)
	}
	first := inode(a)
	_ = a.Close(t.Context(), false)
	order.Key = "b"
	b := open(t, x, order)
	if inode(b) != first {
		t.Error("an untouched workspace was not used again")
	}
	run(t, b, "echo x >x; mkdir -p ro/ro; echo y >ro/ro/y; chmod 500 ro/ro ro")
	_ = b.Close(t.Context(), false)
	order.Key = "c"
	c := open(t, x, order)
	if _, out := run(t, c, "ls -A"); out != "readme" {
		t.Errorf("a changed workspace was used again: %q", out)
	}
	run(t, c, "echo look >look")
	if err := c.Close(t.Context(), true); err != nil {
		t.Error(err)
	}
	again := open(t, x, order)
	if again.Paths().Workspace == c.Paths().Workspace {
		t.Error("a kept workspace was given away")
	}
	// Another run in the same folder at the same time.
	y := shell.New(shell.Config{Dir: dir, Source: executortest.Source{}})
	other := open(t, y, program.Order{Key: "c-2"})
	if strings.HasPrefix(other.Paths().Workspace, dir+"/") {
		t.Error("two runs share a folder")
	}
	if err := errors.Join(other.Close(t.Context(), false), y.Close(t.Context()), again.Close(t.Context(), false), x.Close(t.Context()), shell.Sweep(t.Context(), dir)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(c.Paths().Workspace, "look")); err != nil {
		t.Error("the kept workspace is gone")
	}
	if left, _ := filepath.Glob(dir + "-*"); len(left) > 0 {
		t.Errorf("still there: %q", left)
	}
}

func TestUnwritableFolderIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	x := shell.New(shell.Config{Dir: filepath.Join(file, "work"), Source: executortest.Source{}})
	_, err := x.Open(t.Context(), program.Order{Key: "a"}, &executortest.Recorder{})
	e, ok := errors.AsType[*program.Error](err)
	if !ok || e.Failure != program.SystemFailure || fault.CodeOf(err) != executor.CodeWorkspace {
		t.Errorf("got %v", err)
	}
}

func TestOutputThatCannotBeWrittenEndsTheStep(t *testing.T) {
	x := shell.New(shell.Config{Dir: filepath.Join(t.TempDir(), "work"), Source: executortest.Source{}, Grace: 100 * time.Millisecond})
	defer x.Close(context.Background())
	h := open(t, x, program.Order{Key: "a"})
	_, err := h.Exec(t.Context(), program.Exec{Lines: []string{"trap '' TERM PIPE; while :; do echo x; done"}, Env: env}, full{})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	_ = h.Close(t.Context(), false)
}

type full struct{}

func (full) Write(s program.Stream, _ []byte) error {
	if s == program.Stdout {
		return syscall.ENOSPC
	}
	return nil
}

func TestOtherShells(t *testing.T) {
	x := shell.New(shell.Config{Dir: filepath.Join(t.TempDir(), "work"), Source: executortest.Source{}})
	defer x.Close(context.Background())
	h := open(t, x, program.Order{Key: "a"})
	defer h.Close(context.Background(), false)
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"sh":        {[]string{"echo ${BASH_VERSION:-none}", "false | true; echo went on"}, "none\nwent on\n"},
		"bash":      {[]string{"echo ${BASH_VERSION:+bash}", "[[ a == a ]] && echo yes"}, "bash\nyes\n"},
		"awk -f":    {[]string{"BEGIN { print 1+1 }"}, "2\n"},
		"sh -e {0}": {[]string{"echo a", "false", "echo b"}, "a\n"},
	} {
		r := &executortest.Recorder{}
		if _, err := h.Exec(t.Context(), program.Exec{Shell: name, Lines: c.lines, Env: env}, r); err != nil || r.Text(program.Stdout) != c.want {
			t.Errorf("%s: %v, %s", name, err, r)
		}
	}
	if _, err := h.Exec(t.Context(), program.Exec{Shell: "no-such-shell", Env: env}, &executortest.Recorder{}); fault.CodeOf(err) != executor.CodeProgram {
		t.Errorf("got %v", err)
	}
}

func TestGitOfAnEmptyWorkspaceDoesNotFindTheUsers(t *testing.T) {
	repo := t.TempDir()
	if out, err := exec.Command("git", "-C", repo, "init", "-q").CombinedOutput(); err != nil {
		t.Fatalf("%s", out)
	}
	x := shell.New(shell.Config{Dir: filepath.Join(repo, ".sluice", "work"), Source: executortest.Source{}})
	defer x.Close(context.Background())
	h := open(t, x, program.Order{Key: "a", Checkout: program.Checkout{Strategy: "none"}})
	defer h.Close(context.Background(), false)
	if exit, out := run(t, h, "git rev-parse --git-dir"); exit == 0 {
		t.Errorf("git found %s", out)
	}
	if exit, _ := run(t, h, "git init -q . && git rev-parse --git-dir"); exit != 0 {
		t.Error("git does not find a repository of the job's own")
	}
}

func TestARunInsideAJobLeavesNothing(t *testing.T) {
	x := shell.New(shell.Config{Dir: filepath.Join(t.TempDir(), "work"), Source: executortest.Source{}})
	defer x.Close(context.Background())
	h := open(t, x, program.Order{Key: "a"})
	defer h.Close(context.Background(), false)
	inner := filepath.Join(t.TempDir(), "work")
	_, out := run(t, h, "TEST_CRASHING_RUN="+inner+" "+os.Args[0]+" & until test -e "+inner+"/ready; do sleep 0.01; done; kill -9 $!; cat "+inner+"/pid*")
	for pid := range strings.FieldsSeq(out) {
		if pidLives(pid) {
			t.Errorf("process %s of the inner run is still there", pid)
		}
	}
	if err := shell.Sweep(t.Context(), inner); err != nil {
		t.Error(err)
	}
}
