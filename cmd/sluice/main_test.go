package main

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the golden parts of scripts and the generated pages of docs/")

// TestMain puts the command sluice on the PATH of every test: this binary, which then runs main.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "sandbox" || os.Args[1] == "pod-child") { // a child that evaluates, of a test or of a command in one
		main()
		return
	}
	testscript.Main(m, map[string]func(){"sluice": main, "measured": measured})
}

// gitEnv makes what git does the same on every machine and at every time.
func gitEnv(home string) []string {
	return []string{
		"HOME=" + home, "XDG_CONFIG_HOME=" + filepath.Join(home, ".config"), "XDG_CACHE_HOME=" + filepath.Join(home, ".cache"), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_AUTHOR_DATE=2026-01-05T10:00:00Z",
		"GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org", "GIT_COMMITTER_DATE=2026-01-05T10:00:00Z",
		"TZ=UTC", "LC_ALL=C.UTF-8", "NO_COLOR=1", "TERM=dumb",
		// No engine: what needs one is tested with the executor.
		"DOCKER_HOST=unix:///nonexistent/docker.sock", "DOCKER_CONTEXT=",
	}
}

// commitAll makes dir a repository on main, with an empty first commit and a second with all files.
func commitAll(dir string, env []string) error {
	for _, words := range [][]string{
		{"init", "-q", "-b", "main"},
		{"commit", "-q", "--allow-empty", "-m", "Begin"},
		{"add", "-A"},
		{"commit", "-q", "--allow-empty", "-m", "Add the pipeline"},
	} {
		cmd := exec.Command("git", words...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return errors.New("git " + strings.Join(words, " ") + ": " + string(out))
		}
	}
	return nil
}

// goCache is the build cache of this machine, so that jobs that build need not build the standard library.
var goCache = sync.OnceValue(func() string {
	out, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
})

// TestScripts runs testdata/script: the behaviour of the command line, one file a subject.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, ".home")
			e.Vars = append(e.Vars, gitEnv(home)...)
			e.Vars = append(e.Vars, "HOST_GOCACHE="+goCache(), "GORACE="+os.Getenv("GORACE"))
			return os.Mkdir(home, 0o755)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"repository": scriptRepository,
			"exits":      scriptExits,
		},
	})
}

// scriptRepository: repository [DIR] makes the folder a git repository with everything in it committed.
func scriptRepository(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: repository [DIR]")
	}
	dir := ts.MkAbs(".")
	if len(args) == 1 {
		dir = ts.MkAbs(args[0])
	}
	ts.Check(os.MkdirAll(dir, 0o755))
	ts.Check(commitAll(dir, gitEnv(ts.Getenv("HOME"))))
}

// scriptExits: exits CODE PROGRAM ARG... runs a program that must end with this code.
func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
