package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// showing is a pipeline that takes hostile names to every place where a name may stand.
const showing = `
stages: [a, b]
show:
  stage: a
  script:
    - printf '%s\n' "ref=$CI_COMMIT_REF_NAME" "slug=$CI_COMMIT_REF_SLUG" "branch=$CI_COMMIT_BRANCH" "tag=$CI_COMMIT_TAG" "title=$CI_COMMIT_TITLE" "message=$CI_COMMIT_MESSAGE" "author=$CI_COMMIT_AUTHOR"
    - git status --short; git log -1 --format=%s; ls; exit 3
  allow_failure: true
  artifacts: {name: "$CI_COMMIT_REF_NAME", paths: ["*", "$CI_COMMIT_REF_NAME"], exclude: ["$CI_COMMIT_TITLE"], when: always}
  cache: {key: {prefix: "$CI_COMMIT_REF_NAME", files: [.gitlab-ci.yml]}, paths: ["*", "$CI_COMMIT_REF_NAME/*"], when: always}
  environment: {name: "review/$CI_COMMIT_REF_NAME", url: "https://x/$CI_COMMIT_REF_NAME"}
  resource_group: "$CI_COMMIT_REF_NAME"
  rules: [{if: '$CI_COMMIT_REF_NAME =~ /zzz/', when: never}, {exists: ["$CI_COMMIT_REF_NAME"]}, {changes: ["$CI_COMMIT_REF_NAME"]}, {when: always}]
after:
  stage: b
  script: ls
  cache: {key: "$CI_COMMIT_REF_NAME", fallback_keys: ["$CI_COMMIT_TITLE"], paths: [x]}
`

// hostileRefs are names of branches and tags. CANARY stands for a path that must not be made.
var hostileRefs = []string{
	"$(touch${IFS}CANARY)", "`touch${IFS}CANARY`", ";touch${IFS}CANARY;", "|touch${IFS}CANARY", "&touch${IFS}CANARY", "a'touch${IFS}CANARY'",
	`a"$(touch${IFS}CANARY)"`, "--upload-pack=touch${IFS}CANARY", "-otouch", "--exec=touch", "--output=CANARY", "%2e%2e/%2e%2e/x", "a/b/c/d",
	"-", "--", "HEAD", "refs/heads/main", "@{-1}x", "ünï/ćödé", "ref\xff\xfe", "#", "!x", "%s%n", "CON", "x;y", "$CI_COMMIT_SHA", "$$", "${",
	strings.Repeat("n", 240), strings.Repeat("é", 120),
}

// hostileFiles are names of files.
var hostileFiles = []string{
	"$(touch CANARY)", "`touch CANARY`", "--upload-pack=touch", "-rf", "new\nline", "cr\rname", "esc\x1b]0;title\a", "csi\x1b[2J", "bad\xff\xfe", " lead", "trail ",
	`"q"`, `'s'`, `\`, ":(top)x", ":!x", "*", "?", "[a", "{a,b}", "~", "%00", "a:b", "CON", "section_start:1:x\rx", strings.Repeat("n", 255),
	"\u202egnp.exe", "\xc2\x9b2J",
}

// controls are the bytes that could steer a terminal: all but line ends and tabs.
func controls(text string) []rune {
	var out []rune
	for _, c := range text {
		if c < 0x20 && c != '\n' && c != '\t' || c >= 0x7f && c <= 0x9f {
			out = append(out, c)
		}
	}
	return out
}

func inert(text, canary string) string {
	return strings.ReplaceAll(text, "CANARY", strings.ReplaceAll(canary, " ", "?"))
}

// TestHostileNames: what a repository is called, whatever its files, branches, tags, messages and people are called,
// nothing of it is carried out and nothing of it reaches the terminal raw.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	dir, bird := world(t, ""), canary(t)
	put(t, showing, dir, ".gitlab-ci.yml")
	for _, name := range hostileFiles {
		name = strings.ReplaceAll(inert(name, bird), "/", "∕") // a name, no path
		if len(name) > 255 {
			name = name[:255]
		}
		put(t, "x", dir, name)
	}
	gitIn(t, dir, "add", "-A")
	message := inert("`touch CANARY` $(touch CANARY) \x1b]52;c;QUFB\a \x1b]0;t\a \u202e \xff\xfe ${PWNED:=x}\n\nbody\x1b[2J\n\rsection_start:1:x\r", bird)
	commit := exec.CommandContext(t.Context(), "git", "commit", "-q", "-F", "-", "--cleanup=verbatim")
	commit.Dir, commit.Stdin = dir, strings.NewReader(message)
	commit.Env = environment(append(gitEnv(t.TempDir()), inert("GIT_AUTHOR_NAME=$(touch CANARY)\x1b]0;t\a\"'`touch CANARY`", bird), "GIT_AUTHOR_EMAIL=$(id)@\x1b[31m"))
	if out, err := commit.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// One checkout after the other: HEAD says which branch it is.
	for i, ref := range hostileRefs {
		ref = inert(ref, strings.TrimPrefix(bird, "/"))
		kind := []string{"refs/heads/", "refs/tags/"}[i%2]
		if check := exec.Command("git", "check-ref-format", kind+ref); check.Run() != nil {
			t.Logf("git itself refuses %q", ref)
			continue
		}
		gitIn(t, dir, "update-ref", kind+ref, "HEAD")
		var given []string
		if kind == "refs/tags/" {
			given = []string{"--tag=" + ref}
		} else {
			gitIn(t, dir, "symbolic-ref", "HEAD", kind+ref)
		}
		if testing.Short() && i%4 != 0 {
			continue
		}
		o := assail(t, dir, assault{args: append([]string{"run", "--progress", "plain"}, given...), exit: []int{exitOK}})
		if c := controls(o.said()); len(c) > 0 {
			t.Errorf("%q: control characters reach the terminal: %q", ref, c)
		}
		if !strings.Contains(ref, "$") && !strings.Contains(o.said(), "ref="+strings.ToValidUTF8(ref, "\ufffd")) && !strings.Contains(ref, "\xff") {
			t.Errorf("%q: the job saw another name:\n%s", ref, clip(o.out))
		}
	}
	o := assail(t, dir, assault{args: []string{"run", "list"}, exit: []int{exitOK}})
	if c := controls(o.said()); len(c) > 0 {
		t.Errorf("run list: control characters reach the terminal: %q", c)
	}
	o = assail(t, dir, assault{args: []string{"run", "--format", "json"}, exit: []int{exitOK}})
	if c := controls(o.out); len(c) > 0 {
		t.Errorf("events hold control characters that are not escaped: %q", c)
	}
	eventsOf(t, []byte(o.out))
}

// Names from the command line that git would not have, and that it would read as options.
func TestHostileFlags(t *testing.T) {
	t.Parallel()
	dir, bird := world(t, "-- .gitlab-ci.yml --\njob:\n  script: echo $CI_COMMIT_REF_NAME\n  rules: [{changes: [x]}, {when: always}]\n"), canary(t)
	for i, value := range append(slices.Clone(hostileRefs), "", " ", "a b", "../../x", "a..b", "x.lock", "a\nb", "a\x1b]0;t\ab", "\x00", strings.Repeat("x", 100_000)) {
		value = inert(value, bird)
		if strings.Contains(value, "\x00") {
			continue // no argument can hold one
		}
		if testing.Short() && i%3 != 0 {
			continue
		}
		for _, args := range [][]string{
			{"lint", "--event=merge_request", "--branch=" + value, "--target=" + value, "--variable=X=" + value},
			{"plan", "--tag=" + value, "--changed-since=" + value},
			{"run", "--dry-run", "--manual=" + value, "--event=" + value, value},
		} {
			o := launch(t, dir, assault{args: args})
			if strings.Contains(o.err, "goroutine ") || !slices.Contains([]int{exitOK, exitUsage}, o.exit) {
				t.Errorf("%.80q: exit code %d: %s", args, o.exit, clip(o.err))
			}
			if c := controls(o.said()); len(c) > 0 {
				t.Errorf("%.80q: control characters reach the terminal: %q in %q", args, c, clip(o.said()))
			}
		}
	}
}

// hostileConfig are settings of a repository by which git starts programs; each touches the canary when it does (S14).
const hostileConfig = `
[core]
	fsmonitor = "touch CANARY; false"
	sshCommand = touch CANARY
	pager = touch CANARY
	editor = touch CANARY
	hooksPath = hooks
	gitProxy = touch CANARY
	askPass = touch CANARY
	alternateRefsCommand = touch CANARY
[diff]
	external = touch CANARY
[diff "evil"]
	textconv = touch CANARY
	command = touch CANARY
[merge "evil"]
	driver = touch CANARY
[filter "evil"]
	clean = touch CANARY
	smudge = touch CANARY
	process = touch CANARY
	required = true
[credential]
	helper = "!touch CANARY"
[gpg]
	program = touch CANARY
[log]
	showSignature = true
[alias]
	status = "!touch CANARY"
	log = "!touch CANARY"
[uploadpack]
	packObjectsHook = touch CANARY
[remote "origin"]
	url = "ext::touch CANARY"
	uploadpack = touch CANARY
[submodule "sub"]
	update = "!touch CANARY"
	url = "ext::touch CANARY"
[status]
	submoduleSummary = true
`

func TestHostileRepositorySettings(t *testing.T) {
	t.Parallel()
	for name, where := range map[string]string{"of the repository": "config", "of its work tree": "config.worktree", "included": "more", "of a submodule": "modules/sub/config"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, bird := world(t, "-- .gitlab-ci.yml --\njob:\n  script: [echo hi > made, ls]\n  artifacts: {untracked: true, paths: [made]}\n  cache: {key: {files_commits: [a.evil]}, untracked: true}\n  rules: [{changes: [a.evil]}, {when: always}]\n-- a.evil --\none\n-- .gitattributes --\n*.evil filter=evil diff=evil merge=evil\n"), canary(t)
			gitDir := filepath.Join(dir, ".git")
			if where == "modules/sub/config" {
				sub := world(t, "-- a.evil --\none\n-- .gitattributes --\n*.evil filter=evil\n")
				gitIn(t, dir, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "--name", "sub", sub, "sub")
				gitIn(t, dir, "commit", "-qm", "Add the submodule")
				put(t, "changed\n", dir, "sub/a.evil")
			}
			script := "#!/bin/sh\ntouch " + bird + "\n"
			hooks, err := filepath.Glob(filepath.Join(gitDir, "hooks/*.sample"))
			if err != nil {
				t.Fatal(err)
			}
			for _, hook := range append(hooks, filepath.Join(gitDir, "hooks/post-checkout.sample"), filepath.Join(gitDir, "hooks/fsmonitor-watchman.sample")) {
				for _, folder := range []string{filepath.Dir(hook), filepath.Join(dir, "hooks")} {
					if err := os.Chmod(put(t, script, folder, strings.TrimSuffix(filepath.Base(hook), ".sample")), 0o755); err != nil {
						t.Fatal(err)
					}
				}
			}
			put(t, "two\n", dir, "a.evil") // git must look at the content to know
			text := inert(hostileConfig, bird)
			base := "[core]\n\trepositoryformatversion = 1\n\tbare = false\n"
			switch where {
			case "config":
				text = base + text
			case "config.worktree":
				put(t, base+"[extensions]\n\tworktreeConfig = true\n", gitDir, "config")
			case "more":
				put(t, base+"[include]\n\tpath = more\n", gitDir, "config")
			default:
				text = base + "\tworktree = ../../../sub\n" + text
			}
			put(t, text, gitDir, where)
			for _, args := range [][]string{{"run", "--progress", "plain"}, {"plan"}, {"lint", "--changed-since", "HEAD"}, {"explain", "job"}, {"clean"}} {
				assail(t, dir, assault{args: args, exit: []int{exitOK}})
			}
			// And so that this can fail: git itself carries the settings out.
			trap := filepath.Join(t.TempDir(), "trap")
			put(t, strings.ReplaceAll(text, bird, trap), gitDir, where)
			status := exec.CommandContext(t.Context(), "git", "-c", "alias.status=", "status")
			status.Dir, status.Env = dir, environment(gitEnv(t.TempDir()))
			_ = status.Run()
			if _, err := os.Stat(trap); err != nil {
				t.Errorf("git itself does not carry out the settings: %v", err)
			}
		})
	}
}
