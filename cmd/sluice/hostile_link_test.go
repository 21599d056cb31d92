package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A job's artifacts, caches and reports are asked for through links, pipes and paths that leave the workspace. What is
// outside holds the word "stolen"; no later job may find it.
const reaching = `
stages: [a, b]
variables: {GIT_STRATEGY: fetch}
reach:
  stage: a
  script:
    - ln -sfn OUTSIDE out; ln -sfn OUTSIDE/secret.txt file; ln -sfn / root; ln -sfn ../../../../../../../../.. up; ln -sfn loop loop; mkdir -p real/deep; ln -sfn ../real real/deep/back
    - ln -sfn OUTSIDE/secret.txt junit.xml; ln -sfn OUTSIDE/secret.env env; test -p pipe || mkfifo pipe; mkfifo pipe.xml; ln -sfn /dev/zero zero; ln -sfn /dev/zero zero.xml
    - echo fine > real/fine; ln -f real/fine hard
  artifacts:
    when: always
    untracked: true
    paths: [out/, "out/*", "out/secret.txt", file, root/etc/passwd, "root/et*/passwd", up, "up/**", loop, "real/**/*", pipe, zero, ../../outside, /etc/passwd, "%2e%2e/%2e%2e/etc/passwd", "$CI_PROJECT_DIR/../../..", "OUTSIDE/secret.txt", "**/*"]
    reports: {junit: [junit.xml, pipe.xml, zero.xml, "root/etc/*.xml", ../x.xml], dotenv: env, codequality: file, terraform: "/etc/passwd"}
  cache:
    - key: all
      untracked: true
      paths: [out/, "out/*", file, root/etc/passwd, up, pipe, zero, real, ../../outside, "OUTSIDE/secret.txt", /etc/passwd]
    - key: {files: [pipe.txt]}
      paths: [real]
  allow_failure: true
look:
  stage: b
  cache: {key: all, paths: [real], policy: pull}
  script:
    - 'grep -rIs --exclude=.gitlab-ci.yml stolen . && exit 1 || true'
    - 'find . -type f -name "secret*" | grep . && exit 1 || true'
    - 'test "$STOLEN" = "" && test "$(cat real/fine)" = fine'
    - 'test ! -p pipe && test ! -b zero'
`

func TestHostileLinks(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	put(t, "stolen\n", outside, "secret.txt")
	put(t, "STOLEN=stolen\n", outside, "secret.env")
	dir := world(t, "")
	put(t, strings.ReplaceAll(reaching, "OUTSIDE", outside), dir, ".gitlab-ci.yml")
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.txt"), 0o600); err != nil {
		t.Fatal(err)
	}
	link(t, filepath.Join(outside, "secret.txt"), dir, "linked")
	put(t, "a: {script: echo, cache: {key: {files: [linked]}, paths: [x]}}\n", dir, "linked.yml")
	if o := assail(t, dir, assault{args: []string{"run", "-f", "linked.yml"}, exit: []int{exitUsage}}); !strings.Contains(o.err, "linked.yml:1:") {
		t.Errorf("a key of a file outside: %s", o.err)
	}
	before := treeHash(t, outside)
	for range 2 { // the second time with what the first has left in the cache
		o := assail(t, dir, assault{args: []string{"run", "--progress", "plain"}, exit: []int{exitOK}})
		if strings.Contains(o.said(), "stolen\n") || strings.Contains(o.said(), "root:x:") {
			t.Errorf("a file outside was read: %s", clip(o.said()))
		}
	}
	if after := treeHash(t, outside); after != before {
		t.Errorf("what is outside was changed:\n%s", difference(before, after))
	}
	kept := launch(t, dir, assault{args: []string{"run", "logs", "look"}})
	if strings.Contains(kept.out, "secret") && strings.Contains(kept.out, "./") {
		t.Errorf("a file outside came along: %s", kept.out)
	}
}

// Artifacts and caches that meet links where they are restored: the tracked files of the next job's workspace lead out.
func TestHostileRestore(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	put(t, "precious\n", outside, "file")
	dir := world(t, `
-- .gitlab-ci.yml --
stages: [a, b]
make:
  stage: a
  script:
    - rm out one; mkdir -p out/sub; echo evil > out/file; echo evil > out/sub/new; echo evil > one
  artifacts: {paths: [out, one]}
  cache: {key: k, paths: [out, one]}
take:
  stage: b
  needs: [make]
  script: echo
  allow_failure: true
cached:
  stage: b
  needs: []
  cache: {key: k, paths: [out, one]}
  script: echo
  allow_failure: true
`)
	for link, target := range map[string]string{"out": outside, "one": filepath.Join(outside, "file")} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	gitIn(t, dir, "add", "-A")
	gitIn(t, dir, "commit", "-qm", "Link out")
	before := treeHash(t, outside)
	for range 2 {
		assail(t, dir, assault{args: []string{"run"}})
	}
	if after := treeHash(t, outside); after != before {
		t.Errorf("what is outside was changed:\n%s", difference(before, after))
	}
}

// TestHostileState plants things in .sluice, as a repository that brings one along would: the command follows no link
// out of it, waits for no pipe and believes no archive.
func TestHostileState(t *testing.T) {
	t.Parallel()
	const pipeline = "a:\n  script: [echo hi, mkdir -p c, echo x > c/x]\n  cache: {key: k, paths: [c]}\n  artifacts: {paths: [c]}\n  resource_group: g\n"
	for name, c := range map[string]struct {
		plant func(t *testing.T, state, outside string)
		exit  []int
	}{
		"a file":           {func(t *testing.T, state, _ string) { put(t, "", state) }, []int{exitUsage, exitFailed}},
		"a link elsewhere": {func(t *testing.T, state, outside string) { link(t, outside, state) }, []int{exitUsage, exitFailed}},
		"a broken link":    {func(t *testing.T, state, outside string) { link(t, outside+"/new", state) }, []int{exitUsage, exitFailed}},
		"links for folders": {func(t *testing.T, state, outside string) {
			for _, sub := range []string{"runs", "cache", "work", "groups"} {
				link(t, outside, state, sub)
			}
		}, []int{exitUsage, exitFailed}},
		"links for files": {func(t *testing.T, state, outside string) {
			for _, file := range []string{"number", ".gitignore", "groups/g"} {
				link(t, filepath.Join(outside, "file"), state, file)
			}
		}, nil},
		"pipes": {func(t *testing.T, state, _ string) {
			for _, file := range []string{"number", "groups/g", "cache/k-protected/meta.json"} {
				pipe(t, state, file)
			}
		}, nil},
		"a cache of links": {func(t *testing.T, state, outside string) {
			for _, key := range []string{"k-protected", "k-non_protected", "k"} {
				put(t, `{"name":"k","files":3,"bytes":9,"form":"tree"}`, state, "cache", key, "meta.json")
				link(t, outside, state, "cache", key, "files")
			}
		}, nil},
		"a cache with links and pipes": {func(t *testing.T, state, outside string) {
			for _, key := range []string{"k-protected", "k-non_protected", "k"} {
				put(t, `{"name":"k","files":3,"bytes":9,"form":"tree"}`, state, "cache", key, "meta.json")
				link(t, outside, state, "cache", key, "files/c/evil")
				link(t, "/etc/passwd", state, "cache", key, "files/passwd")
				pipe(t, state, "cache", key, "files/pipe")
			}
		}, nil},
		"a cache of garbage": {func(t *testing.T, state, _ string) {
			for _, key := range []string{"k-protected", "k-non_protected", "k"} {
				put(t, `{"name":"k","files":3,"bytes":9,"form":"archive"}`, state, "cache", key, "meta.json")
				put(t, string(garbage(1000)), state, "cache", key, "files.tar.zst")
			}
		}, nil},
		"records of garbage": {func(t *testing.T, state, _ string) {
			put(t, string(garbage(1000)), state, "runs/20200101-000000-aaaaaa/run.json")
			put(t, `{"id":"../../..","owner":"1.1.x"}`, state, "runs/20200101-000001-aaaaaa/run.json")
			put(t, `{"id":"20200101-000002-aaaaaa","owner":"-1.0.","status":"running","ref":"\u001b]0;x\u0007"}`, state, "runs/20200101-000002-aaaaaa/run.json")
			put(t, "99999999999999999999999", state, "number")
			pipe(t, state, "runs/20200101-000003-aaaaaa/run.json")
			link(t, "/dev/zero", state, "runs/20200101-000004-aaaaaa/run.json")
		}, []int{exitOK}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, outside := world(t, "-- .gitlab-ci.yml --\n"+pipeline), t.TempDir()
			put(t, "precious\n", outside, "file")
			put(t, "precious\n", outside, "20200101-000000-aaaaaa", "run.json")
			c.plant(t, filepath.Join(dir, ".sluice"), outside)
			before := treeHash(t, outside)
			for _, args := range [][]string{{"run", "--progress", "plain"}, {"run", "list"}, {"run", "logs"}, {"doctor"}, {"clean", "--all"}} {
				exit := c.exit
				if args[0] != "run" || len(args) < 3 {
					exit = nil
				}
				o := assail(t, dir, assault{args: args, exit: exit})
				if o.exit != exitOK && o.err == "" && args[0] != "doctor" {
					t.Errorf("%v: exit code %d without a word", args, o.exit)
				}
				if len(controls(o.said())) > 0 {
					t.Errorf("%v: control characters: %q", args, o.said())
				}
			}
			if after := treeHash(t, outside); after != before {
				t.Errorf("what is outside was changed:\n%s", difference(before, after))
			}
		})
	}
}

func link(t *testing.T, target string, path ...string) {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

func pipe(t *testing.T, path ...string) {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", name, err))
	}
}
