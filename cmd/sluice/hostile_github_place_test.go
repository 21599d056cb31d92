package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// composite is the metadata of an action of these steps.
func composite(steps string) string {
	return "name: x\ndescription: x\nruns:\n  using: composite\n  steps:\n" + steps
}

// theft is a step that must not be taken from outside of the repository.
const theft = "    - {run: echo stolen, shell: bash}\n"

// reaching are workflows that take actions and workflows from where none should be, or without end (S6), with what is
// said. In the repository of every one stand files of hostileActions.
var reachingOut = map[string]struct{ steps, want string }{
	"above the repository":            {"      - uses: ./../outside\n", "outside"},
	"above by a detour":               {"      - uses: ./fine/../../outside\n", "outside"},
	"above with a backslash":          {"      - uses: .\\..\\outside\n", "outside"},
	"an absolute path":                {"      - uses: OUTSIDE\n", "uses"},
	"an absolute path below a dot":    {"      - uses: ./OUTSIDE\n", ""},
	"percent signs":                   {"      - uses: ./%2e%2e/outside\n", "%2e"},
	"a link to a folder outside":      {"      - uses: ./linked\n", "linked"},
	"a folder behind a link":          {"      - uses: ./top/etc\n", "top"},
	"a link that a step made":         {"      - run: ln -s OUTSIDE made\n      - uses: ./made\n", "made"},
	"metadata that is a link":         {"      - uses: ./file\n", "file"},
	"metadata that a step made":       {"      - run: mkdir made; ln -s OUTSIDE/action.yml made/action.yml\n      - uses: ./made\n", "made"},
	"metadata that is a pipe":         {"      - run: mkdir p; mkfifo p/action.yml\n      - uses: ./p\n", "p"},
	"metadata that is a device":       {"      - run: mkdir p; ln -s /dev/zero p/action.yml\n      - uses: ./p\n", "p"},
	"metadata that is a folder":       {"      - run: mkdir -p p/action.yml\n      - uses: ./p\n", "p"},
	"metadata of 5 GB":                {"      - run: mkdir -p p; truncate -s 5G p/action.yml\n      - uses: ./p\n", "p"},
	"metadata of garbage":             {"      - run: mkdir -p p; head -c 100000 /dev/urandom > p/action.yml\n      - uses: ./p\n", "p/action.yml"},
	"metadata that grows":             {"      - uses: ./bomb\n", "bomb/action.yml"},
	"metadata in a circle":            {"      - uses: ./self\n", "deep"},
	"two in a circle":                 {"      - uses: ./ping\n", "deep"},
	"a hundred deep":                  {"      - uses: ./deep0\n", "deep"},
	"no such action":                  {"      - uses: ./nothing\n", "nothing"},
	"an empty path":                   {"      - uses: ./\n", ""},
	"a path that is too long":         {"      - uses: ./" + strings.Repeat("x", 5000) + "\n", ""},
	"a path of many folders":          {"      - uses: ./" + strings.Repeat("x/", 3000) + "\n", ""},
	"an option as a name":             {"      - uses: --upload-pack=touch/x@main\n", ""},
	"a repository with dots":          {"      - uses: ../../outside@main\n", ""},
	"a repository of dots":            {"      - uses: ./../..@main\n", ""},
	"a ref with dots":                 {"      - uses: a/b@../../../outside\n", ""},
	"a ref that is an option":         {"      - uses: a/b@--upload-pack=touch\n", ""},
	"a path out of another":           {"      - uses: a/b/../../../outside@v1\n", ""},
	"a program outside":               {"      - uses: ./program\n", ""},
	"a Dockerfile outside":            {"      - uses: ./docker\n", ""},
	"files outside for a digest":      {"      - run: test -z \"${{ hashFiles('../../**/secret*') }}${{ hashFiles('/etc/passwd') }}${{ hashFiles('linked/**') }}${{ hashFiles('top/etc/passwd') }}\" || echo stolen; exit 1\n", ""},
	"an artifact outside":             {"      - uses: actions/upload-artifact@v4\n        with: {name: '../../x', path: x}\n", "name"},
	"an artifact from above":          {"      - uses: actions/upload-artifact@v4\n        with: {path: '../../../../outside', if-no-files-found: error}\n", ""},
	"an artifact called by a control": {"      - run: touch x\n      - uses: actions/upload-artifact@v4\n        with: {name: \"a\\r\\nb:c\", path: x}\n", "name"},
	"a cache key of commas":           {"      - run: touch x\n      - uses: actions/cache@v4\n        with: {key: \"a,b\", path: x}\n", "commas"},
	"a cache key that is too long":    {"      - run: touch x\n      - uses: actions/cache@v4\n        with: {key: " + strings.Repeat("k", 600) + ", path: x}\n", "512"},
	"a checkout above":                {"      - uses: actions/checkout@v4\n        with: {path: ../../outside}\n", "path"},
	"a download above":                {"      - uses: actions/download-artifact@v4\n        with: {path: ../../../outside}\n", ""},
}

func TestHostileGitHubActions(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dir := filepath.Join(base, "repository")
	hostileActions(t, base, dir)
	var b strings.Builder
	b.WriteString("on: push\njobs:\n")
	names := map[string]string{}
	for name, c := range reachingOut {
		id := fmt.Sprintf("j%d", len(names))
		names[id] = name
		fmt.Fprintf(&b, "  %s:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n%s      - run: exit 1\n", id, strings.ReplaceAll(c.steps, "OUTSIDE", filepath.Join(base, "outside")))
	}
	put(t, b.String(), dir, workflowFile)
	before := treeHash(t, filepath.Join(base, "outside"))
	lint := assail(t, dir, assault{args: []string{"lint"}})
	if lint.exit != exitUsage || !strings.Contains(lint.said(), workflowFile+":") {
		t.Errorf("lint: exit code %d: %s", lint.exit, clip(lint.said()))
	}
	for id, name := range names {
		c := reachingOut[name]
		put(t, "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n"+strings.ReplaceAll(c.steps, "OUTSIDE", filepath.Join(base, "outside"))+"      - run: echo the end; exit 1\n", dir, ".github/workflows", id+".yml")
	}
	if err := os.Remove(filepath.Join(dir, workflowFile)); err != nil {
		t.Fatal(err)
	}
	for id, name := range names {
		t.Run(name, func(t *testing.T) {
			o := assail(t, dir, assault{args: []string{"run", "--progress", "plain", "--executor", "shell", "-f", ".github/workflows/" + id + ".yml"}, exit: []int{exitFailed, exitUsage}})
			said := o.said()
			if strings.Contains(said, "▏stolen") || strings.Contains(said, "SECRET") || strings.Contains(said, "root:x:0") {
				t.Errorf("what is outside was taken: %s", clip(said))
			}
			if !strings.Contains(said, reachingOut[name].want) {
				t.Errorf("%q is not said: %s", reachingOut[name].want, clip(said))
			}
			if o.rss > documentLimit && !raceEnabled {
				t.Errorf("it took %d MiB", o.rss>>20)
			}
			t.Logf("%.300s", said[max(0, strings.Index(said, "▏")):])
		})
	}
	if after := treeHash(t, filepath.Join(base, "outside")); after != before {
		t.Errorf("what is outside was changed:\n%s", difference(before, after))
	}
}

// hostileActions is the repository of reachingOut; outside of it, in base, stands what must not be used.
func hostileActions(t *testing.T, base, dir string) {
	t.Helper()
	put(t, composite(theft), base, "outside", "action.yml")
	put(t, "console.log('stolen')\n", base, "outside", "index.js")
	put(t, "SECRET\n", base, "outside", "secret")
	put(t, "on: workflow_call\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: echo stolen}]}}\n", base, "outside.yml")
	put(t, composite("    - {run: echo fine, shell: bash}\n"), dir, "fine", "action.yml")
	put(t, composite("    - uses: ./self\n"), dir, "self", "action.yml")
	put(t, composite("    - uses: ./pong\n"), dir, "ping", "action.yml")
	put(t, composite("    - uses: ./ping\n"), dir, "pong", "action.yml")
	put(t, dotless(aliases())+composite("    - {run: x, shell: bash, env: *z}\n"), dir, "bomb", "action.yml")
	put(t, "name: x\nruns: {using: node20, main: ../../../../../../../../../../nothing/index.js}\n", dir, "program", "action.yml")
	put(t, "name: x\nruns: {using: docker, image: ../../outside/Dockerfile}\n", dir, "docker", "action.yml")
	for i := range 100 {
		put(t, composite(fmt.Sprintf("    - uses: ./deep%d\n", i+1)), dir, fmt.Sprintf("deep%d", i), "action.yml")
	}
	put(t, composite("    - {run: echo bottom, shell: bash}\n"), dir, "deep100", "action.yml")
	link(t, "../outside", dir, "linked")
	link(t, "/", dir, "top")
	link(t, "../../outside/action.yml", dir, "file", "action.yml")
	if err := commitAll(dir, gitEnv(dir)); err != nil {
		t.Fatal(err)
	}
}

// somewhere is a place in a workflow.
var somewhere = regexp.MustCompile(`(?m)^\.github/workflows/[a-z0-9]+\.yml:\d+:\d+: `)

// calling are workflows that call others where none should be, or without end, with what is said.
var calling = map[string]struct {
	uses, want string
	exit       int
}{
	"above":              {"./../outside.yml", "outside.yml", exitUsage},
	"above by a detour":  {"./.github/workflows/../../../outside.yml", "outside.yml", exitUsage},
	"percent signs":      {"./.github/workflows/%2e%2e/x.yml", "%2e%2e", exitUsage},
	"an absolute path":   {"/etc/passwd", "", exitUsage},
	"a link outside":     {"./.github/workflows/linked.yml", "linked.yml", exitUsage},
	"a link to passwd":   {"./.github/workflows/passwd.yml", "passwd.yml", exitUsage},
	"a pipe":             {"./.github/workflows/pipe.yml", "pipe.yml", exitUsage},
	"a folder":           {"./.github/workflows/folder.yml", "folder.yml", exitUsage},
	"a file of 64 MB":    {"./.github/workflows/large.yml", "large.yml", exitUsage},
	"itself":             {"./.github/workflows/ci.yml", "ci.yml", exitUsage},
	"two in a circle":    {"./.github/workflows/ping.yml", "", exitUsage},
	"a hundred deep":     {"./.github/workflows/deep0.yml", "", exitUsage},
	"not to be called":   {"./.github/workflows/plain.yml", "workflow_call", exitUsage},
	"another repository": {"a/../../outside/.github/workflows/x.yml@main", "", exitUsage},
	"a ref of dots":      {"a/b/.github/workflows/x.yml@../../x", "", exitUsage},
	"what is inside":     {"./.github/workflows/inside.yml", "", exitOK},
}

func TestHostileGitHubCalls(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dir := filepath.Join(base, "repository")
	hostileActions(t, base, dir)
	flows := filepath.Join(dir, ".github/workflows")
	call := func(on, uses string) string { return "on: " + on + "\njobs: {a: {uses: \"" + uses + "\"}}\n" }
	put(t, "on: workflow_call\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: echo inside}]}}\n", flows, "inside.yml")
	put(t, "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: echo plain}]}}\n", flows, "plain.yml")
	put(t, call("workflow_call", "./.github/workflows/pong.yml"), flows, "ping.yml")
	put(t, call("workflow_call", "./.github/workflows/ping.yml"), flows, "pong.yml")
	for i := range 100 {
		put(t, call("workflow_call", fmt.Sprintf("./.github/workflows/deep%d.yml", i+1)), flows, fmt.Sprintf("deep%d.yml", i))
	}
	link(t, "../../../outside.yml", flows, "linked.yml")
	link(t, "/etc/passwd", flows, "passwd.yml")
	pipe(t, flows, "pipe.yml")
	put(t, "", flows, "folder.yml", "x")
	if err := os.Truncate(put(t, "on: workflow_call\n", flows, "large.yml"), 64<<20+1); err != nil {
		t.Fatal(err)
	}
	for name, c := range calling {
		t.Run(name, func(t *testing.T) {
			put(t, call("[push, workflow_call]", c.uses), flows, "ci.yml")
			o := assail(t, dir, assault{args: []string{"run", "-f", workflowFile, "--progress", "plain"}, churn: true, exit: []int{c.exit}})
			if strings.Contains(o.said(), "▏stolen") || strings.Contains(o.said(), "root:x") {
				t.Errorf("what is outside was taken: %s", clip(o.said()))
			}
			if c.exit == exitUsage && !somewhere.MatchString(o.err) {
				t.Errorf("no place is said: %s", clip(o.err))
			}
			if !strings.Contains(o.said(), c.want) {
				t.Errorf("%q is not said: %s", c.want, clip(o.said()))
			}
			t.Logf("%.300s", o.said())
		})
	}
	// And all of them at once, as the repository's own workflows: what is no file has a place, and nothing waits.
	for _, args := range [][]string{{"lint", "--shellcheck=never"}, {"run"}, {"plan"}} {
		o := assail(t, dir, assault{args: args, churn: true, exit: []int{exitUsage, exitOK}})
		if strings.Contains(o.said(), "stolen") || o.rss > documentLimit && !raceEnabled {
			t.Errorf("%v: %d MiB: %s", args, o.rss>>20, clip(o.said()))
		}
	}
}

// TestHostileGitHubManyFiles: a folder of thousands of workflows ends soon, whatever is asked of it.
func TestHostileGitHubManyFiles(t *testing.T) {
	t.Parallel()
	n := 3000 // each read by three commands
	if testing.Short() || raceEnabled {
		n = 300
	}
	dir := world(t, "")
	for i := range n {
		put(t, fmt.Sprintf("name: w%d\non: push\njobs: {a: {if: false, runs-on: ubuntu-latest, steps: [{uses: ./a%d}]}}\n", i, i), dir, fmt.Sprintf(".github/workflows/w%d.yml", i))
	}
	for _, args := range [][]string{{"lint", "--shellcheck=never"}, {"plan"}, {"run"}} {
		o := assail(t, dir, assault{args: args, limit: 2 * minute})
		t.Logf("%v: %d MiB, %v computed", args, o.rss>>20, o.cpu)
		if o.rss > 8*documentLimit && !raceEnabled {
			t.Errorf("%v took %d MiB", args, o.rss>>20)
		}
	}
}

// TestHostileGitHubPayload gives events that are none.
func TestHostileGitHubPayload(t *testing.T) {
	t.Parallel()
	dir := world(t, "")
	put(t, "on: [push, pull_request, workflow_dispatch, release, issues, repository_dispatch]\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: \"test -s $GITHUB_EVENT_PATH && echo '${{ github.event.number }} ${{ github.ref }}'\"}]}}\n", dir, workflowFile)
	events := t.TempDir()
	pipe(t, events, "pipe")
	for name, text := range map[string]string{
		"empty": "", "words": "not JSON", "list": "[1]", "number": "1e999", "null": "null", "half": `{"a":`, "two": "{}{}", "deep": strings.Repeat(`{"a":`, 1_000_000) + "1" + strings.Repeat("}", 1_000_000),
		"wide": `{"a":[` + strings.Repeat("0,", 2_000_000) + "0]}", "garbage": string(garbage(100_000)), "NUL": "{\"a\":\"\x00\"}", "twice": `{"ref":"a","ref":"refs/heads/main"}`,
		"types": `{"ref":{"a":1},"number":"x","pull_request":[1],"repository":7,"sender":null,"inputs":"x","commits":{"a":1},"release":true,"action":{"x":1},"head_commit":3,"after":[],"before":{}}`,
		"names": `{"ref":"refs/heads/$(touch x)\u001b]0;t\u0007","repository":{"full_name":"../../..","name":"..","owner":{"login":"../x"}},"sender":{"login":"\u001b[2J"},"number":1e308}`,
	} {
		put(t, text, events, name)
	}
	files, err := os.ReadDir(events)
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"/dev/zero", "/dev/null", "/etc", "/nonexistent", "", "\x1b]0;t\a"}
	for _, f := range files {
		paths = append(paths, filepath.Join(events, f.Name()))
	}
	sparse := put(t, "{", t.TempDir(), "sparse")
	if err := os.Truncate(sparse, 5<<30); err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, sparse) {
		for _, event := range []string{"push", "pull_request", "workflow_dispatch"} {
			if oneOf(2, 2) > 1 && event != "push" && filepath.Base(path) != "types" && filepath.Base(path) != "names" {
				continue
			}
			o := assail(t, dir, assault{args: []string{"run", "--progress", "plain", "--event", event, "--event-path=" + path}})
			if o.exit == exitUsage && !strings.Contains(o.err, "event") {
				t.Errorf("%s, %s: why is not said: %s", event, path, clip(o.err))
			}
			if c := controls(o.said()); len(c) > 0 {
				t.Errorf("%s, %s: control characters reach the terminal: %q", event, path, c)
			}
			if o.rss > 2*documentLimit && !raceEnabled {
				t.Errorf("%s, %s took %d MiB", event, path, o.rss>>20)
			}
			t.Logf("%s %s: %d, %d MiB, %v: %.120s", event, filepath.Base(path), o.exit, o.rss>>20, o.cpu, o.said())
		}
	}
}
