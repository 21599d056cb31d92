package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const twoJobs = "-- .gitlab-ci.yml --\na:\n  script: [git status --short, git log -1 --format=%s, cat file, mkdir -p c, date > c/x]\n  cache: {key: k, paths: [c]}\n  artifacts: {paths: [c]}\nb:\n  needs: [a]\n  script: [cat c/x, echo \"home=$HOME\"]\n-- file --\ncontent\n"

// poor are environments that lack what is usually there. All must run the pipeline.
var poor = map[string][]string{
	"without HOME":                  {"HOME="},
	"with a HOME that is not there": {"HOME=/nonexistent"},
	"without TMPDIR":                {"TMPDIR=/nonexistent"},
	"without USER and SHELL":        {"USER=", "LOGNAME=", "SHELL=", "LANG=", "LC_ALL=", "TERM="},
	"with GIT_DIR":                  {"GIT_DIR=/nonexistent", "GIT_WORK_TREE=/nonexistent", "GIT_INDEX_FILE=/nonexistent"},
	"with all of git's":             {"GIT_OBJECT_DIRECTORY=/nonexistent", "GIT_ALTERNATE_OBJECT_DIRECTORIES=/nonexistent", "GIT_COMMON_DIR=/nonexistent", "GIT_NAMESPACE=x", "GIT_CEILING_DIRECTORIES=/", "GIT_CONFIG=/nonexistent", "GIT_CONFIG_PARAMETERS='core.bare=true'", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.bare", "GIT_CONFIG_VALUE_0=true", "GIT_PREFIX=sub/", "GIT_LITERAL_PATHSPECS=1", "GIT_SHALLOW_FILE=/nonexistent", "GIT_REPLACE_REF_BASE=x", "GIT_QUARANTINE_PATH=/nonexistent", "GIT_DEFAULT_HASH=sha256"},
	"with programs for git":         {"GIT_EXTERNAL_DIFF=touch CANARY", "GIT_SSH_COMMAND=touch CANARY", "GIT_PAGER=touch CANARY", "PAGER=touch CANARY", "GIT_EDITOR=touch CANARY", "GIT_ASKPASS=touch", "GIT_PROXY_COMMAND=touch CANARY", "GIT_TRACE=/dev/null"},
	"with bash's":                   {"BASH_ENV=/nonexistent", "ENV=/nonexistent", "SHELLOPTS=xtrace", "PS4=$(touch CANARY)", "CDPATH=/", "GREP_OPTIONS=-v", "BASH_FUNC_ls%%=() { touch CANARY; }", "POSIXLY_CORRECT=1", "IFS=x"},
	"with ours":                     {"SLUICE_JOB_COOKIE=1/x", "CI=no", "CI_JOB_ID=x", "CI_PROJECT_DIR=/", "GITLAB_CI=x"},
}

func TestHostileEnvironment(t *testing.T) {
	t.Parallel()
	for name, env := range poor {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, bird := world(t, twoJobs), canary(t)
			for i, kv := range env {
				env[i] = inert(kv, bird)
			}
			o := assail(t, dir, assault{args: []string{"run", "--progress", "plain"}, env: env, exit: []int{exitOK}})
			if !strings.Contains(o.said(), "Add the pipeline") || strings.Contains(o.said(), "?? ") {
				t.Errorf("the job's git sees another repository: %s", clip(o.said()))
			}
		})
	}
	t.Run("without PATH", func(t *testing.T) {
		t.Parallel()
		o := assail(t, world(t, twoJobs), assault{args: []string{"run"}, exit: []int{exitOK, exitFailed, exitUsage}, start: func(cmd *exec.Cmd) {
			self, err := exec.LookPath("sluice")
			if err != nil {
				t.Fatal(err)
			}
			cmd.Args[2] = self
			cmd.Env = environment(append(cmd.Env, "PATH="))
		}})
		if o.exit != exitOK && !strings.Contains(o.err, "git") {
			t.Errorf("what is missing is not said: %s", o.err)
		}
	})
}

// limits are those of the system under which the pipeline must run, or say what it lacks; as arguments of ulimit.
func TestHostileLimits(t *testing.T) {
	t.Parallel()
	if raceEnabled {
		t.Skip("the race detector takes address space of its own")
	}
	for limit, exits := range map[string][]int{"-n 64": {exitOK}, "-n 24": {exitOK, exitFailed, exitUsage}, "-v 4000000": {exitOK}, "-f 100": {exitOK, exitFailed}, "-s 128": {exitOK, exitFailed}} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			dir := world(t, "")
			put(t, "a:\n  parallel: 20\n  script: [echo x > file, sleep 0.05]\n  artifacts: {paths: [file]}\n", dir, ".gitlab-ci.yml")
			o := assail(t, dir, assault{args: []string{"run", "--format", "json", "-j", "16"}, exit: exits, start: func(cmd *exec.Cmd) {
				cmd.Args = append([]string{"bash", "-c", "ulimit " + limit + " && exec \"$0\" \"$@\""}, cmd.Args...)
				bash, err := exec.LookPath("bash")
				if err != nil {
					t.Fatal(err)
				}
				cmd.Path = bash
			}})
			if o.exit == exitUsage && o.err == "" {
				t.Error("it ended without a word")
			}
		})
	}
}

// TestHostileWhere runs in all the kinds of places that git makes, and in some that it does not.
func TestHostileWhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make func(t *testing.T) (dir string, args []string)
		exit []int
		want string
	}{
		"a linked work tree": {func(t *testing.T) (string, []string) {
			dir := world(t, twoJobs)
			tree := filepath.Join(t.TempDir(), "tree")
			gitIn(t, dir, "worktree", "add", "-q", "-b", "topic", tree)
			return tree, nil
		}, []int{exitOK}, "Add the pipeline"},
		"a submodule": {func(t *testing.T) (string, []string) {
			dir := world(t, "-- x --\n")
			gitIn(t, dir, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", world(t, twoJobs), "sub")
			return filepath.Join(dir, "sub"), nil
		}, []int{exitOK}, "Add the pipeline"},
		"a shallow clone": {func(t *testing.T) (string, []string) {
			dir := filepath.Join(t.TempDir(), "clone")
			gitIn(t, t.TempDir(), "clone", "-q", "--depth", "1", "file://"+world(t, twoJobs), dir)
			return dir, nil
		}, []int{exitOK}, "Add the pipeline"},
		"a bare repository": {func(t *testing.T) (string, []string) {
			dir := filepath.Join(t.TempDir(), "bare.git")
			gitIn(t, t.TempDir(), "clone", "-q", "--bare", world(t, twoJobs), dir)
			return dir, nil
		}, []int{exitUsage}, "bare"},
		"the git folder": {func(t *testing.T) (string, []string) {
			return filepath.Join(world(t, twoJobs), ".git"), nil
		}, []int{exitUsage, exitOK}, ""},
		"no repository": {func(t *testing.T) (string, []string) {
			dir := t.TempDir()
			put(t, "a: {script: [cat file, echo Add the pipeline]}\n", dir, ".gitlab-ci.yml")
			put(t, "content\n", dir, "file")
			return dir, nil
		}, []int{exitOK}, "Add the pipeline"},
		"before the first commit": {func(t *testing.T) (string, []string) {
			dir := t.TempDir()
			gitIn(t, dir, "init", "-q")
			put(t, "a: {script: [cat file, echo Add the pipeline]}\n", dir, ".gitlab-ci.yml")
			put(t, "content\n", dir, "file")
			return dir, nil
		}, []int{exitOK}, "Add the pipeline"},
		"a detached HEAD": {func(t *testing.T) (string, []string) {
			dir := world(t, twoJobs)
			gitIn(t, dir, "checkout", "-q", "--detach")
			return dir, nil
		}, []int{exitOK}, "Add the pipeline"},
		"in the middle of a merge": {func(t *testing.T) (string, []string) {
			dir := world(t, twoJobs)
			gitIn(t, dir, "checkout", "-q", "-b", "other")
			gitIn(t, dir, "commit", "-q", "--allow-empty", "-m", "Other")
			put(t, "other\n", dir, "file")
			gitIn(t, dir, "commit", "-qam", "Change")
			gitIn(t, dir, "checkout", "-q", "main")
			put(t, "mine\n", dir, "file")
			gitIn(t, dir, "commit", "-qam", "Add the pipeline")
			merge := exec.CommandContext(t.Context(), "git", "merge", "-q", "other")
			merge.Dir, merge.Env = dir, environment(gitEnv(t.TempDir()))
			_ = merge.Run()
			return dir, nil
		}, []int{exitOK}, "Add the pipeline"},
		"with a lock of git's": {func(t *testing.T) (string, []string) {
			dir := world(t, twoJobs)
			put(t, "", dir, ".git/index.lock")
			put(t, "", dir, ".git/HEAD.lock")
			return dir, nil
		}, []int{exitOK}, "Add the pipeline"},
		"a damaged index": {func(t *testing.T) (string, []string) {
			dir := world(t, twoJobs)
			put(t, string(garbage(500)), dir, ".git/index")
			return dir, nil
		}, []int{exitUsage}, "git cannot read"},
		"a damaged HEAD": {func(t *testing.T) (string, []string) {
			dir := world(t, twoJobs)
			put(t, "garbage\n", dir, ".git/HEAD")
			return dir, nil
		}, []int{exitUsage}, "git"},
		"a .git that names nothing": {func(t *testing.T) (string, []string) {
			dir := t.TempDir()
			put(t, "gitdir: /nonexistent\n", dir, ".git")
			put(t, "a: {script: echo}\n", dir, ".gitlab-ci.yml")
			return dir, nil
		}, []int{exitUsage, exitOK}, ""},
		"below the top": {func(t *testing.T) (string, []string) {
			dir := world(t, twoJobs+"-- deep/er/x --\n")
			return dir, []string{"-C", "deep/er"}
		}, []int{exitOK}, "Add the pipeline"},
		"a folder of an odd name": {func(t *testing.T) (string, []string) {
			dir := filepath.Join(t.TempDir(), "$(touch x) `id`\n'\"\\ %s é\x1b]0;t\a;")
			if err := os.Rename(world(t, twoJobs), dir); err != nil {
				t.Fatal(err)
			}
			return dir, nil
		}, []int{exitOK}, "Add the pipeline"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, args := c.make(t)
			o := assail(t, dir, assault{args: append([]string{"run", "--progress", "plain"}, args...), exit: c.exit})
			if !strings.Contains(o.said(), c.want) {
				t.Errorf("want %q in what is said: %s", c.want, clip(o.said()))
			}
			if c := controls(o.said()); len(c) > 0 {
				t.Errorf("control characters reach the terminal: %q", c)
			}
		})
	}
}

// A hook of git's starts a run with git's own variables around it.
func TestHostileHook(t *testing.T) {
	t.Parallel()
	dir := world(t, twoJobs)
	self, err := exec.LookPath("sluice")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(put(t, "#!/bin/sh\nexec "+self+" run --progress plain\n", dir, ".git/hooks/pre-commit"), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, "changed\n", dir, "file")
	for _, words := range [][]string{{"commit", "-am", "By hook"}, {"commit", "--allow-empty", "-m", "Again", "--", "file"}} {
		cmd := exec.CommandContext(t.Context(), "git", words...)
		cmd.Dir, cmd.Env = dir, environment(gitEnv(t.TempDir()))
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "succeeded") {
			t.Errorf("%q: %v: %s", words, err, out)
		}
	}
	if got := gitIn(t, dir, "status", "--porcelain"); got != "" {
		t.Errorf("the work tree is not clean: %s", got)
	}
}

// TestHostileDisk gives the state folder, then the whole repository, a disk that fills (R8): no job that could not keep
// its work is green, and with room again all is well.
func TestHostileDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: not root, so no small file system can be mounted")
	}
	const filling = "stages: [a, b]\nfill:\n  stage: a\n  script: 'head -c ${SIZE:-20000000} /dev/urandom > big'\n  artifacts: {paths: [big]}\n  cache: {key: k, paths: [big]}\nuse:\n  stage: b\n  script: 'test \"$(wc -c < big)\" = ${SIZE:-20000000}'\ntalk:\n  stage: a\n  script: 'seq ${LINES_OUT:-3000000}'\n"
	for _, where := range []string{".sluice", ""} {
		t.Run("at ."+where, func(t *testing.T) {
			base := t.TempDir()
			dir := filepath.Join(base, "repository")
			mount(t, dir, where == "")
			put(t, filling, dir, ".gitlab-ci.yml")
			if err := commitAll(dir, gitEnv(base)); err != nil {
				t.Fatal(err)
			}
			if where != "" {
				mount(t, filepath.Join(dir, where), true)
			}
			o := assail(t, dir, assault{args: []string{"run", "--format", "json", "-j", "1"}, exit: []int{exitFailed, exitUsage}})
			if !strings.Contains(o.said(), "space") {
				t.Errorf("the disk is full, and it is not said: %s", clip(o.said()))
			}
			for _, job := range []string{"use", "talk"} {
				if strings.Contains(o.out, fmt.Sprintf(`"job":%q,"status":"success"`, job)) {
					t.Errorf("%s is green: %s", job, clip(o.out))
				}
			}
			assail(t, dir, assault{args: []string{"clean", "--caches"}, exit: []int{exitOK}})
			workless(t, dir)
			assail(t, dir, assault{args: []string{"run", "--variable", "SIZE=1000", "--variable", "LINES_OUT=10"}, exit: []int{exitOK}})
		})
	}
}

// A state folder that cannot be written is said to be so, before any job runs.
func TestHostileReadOnly(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: not root, so no read-only file system can be mounted")
	}
	dir := world(t, twoJobs)
	state := filepath.Join(dir, ".sluice")
	if err := os.Mkdir(state, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", state, "tmpfs", syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("SKIPPED: no read-only file system can be mounted: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(state, syscall.MNT_DETACH) })
	o := assail(t, dir, assault{args: []string{"run", "--format", "json"}, exit: []int{exitFailed, exitUsage}})
	if !strings.Contains(o.err, "read-only") || strings.Contains(o.out, `"running"`) {
		t.Errorf("want it said that the folder is read-only, and no job: %s", o.said())
	}
	assail(t, dir, assault{args: []string{"plan"}, exit: []int{exitOK}})
}

// mount makes a folder, with a file system of 8 MB where it is to be small.
func mount(t *testing.T, dir string, small bool) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if !small {
		return
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("SKIPPED: no small file system can be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			_ = syscall.Unmount(dir, syscall.MNT_DETACH)
			t.Errorf("unmount: %v", err)
		}
	})
}
