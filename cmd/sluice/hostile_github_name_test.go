package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// shapes are texts that would be carried out where they met a shell, a template, a format, a path or an option (S3). Each
// stands alone and inside of others.
var shapes = []string{
	"$(touch CANARY)", "`touch CANARY`", ";touch CANARY;", "|touch CANARY", "&&touch CANARY", "\ntouch CANARY\n", "'$(touch CANARY)'", `"$(touch CANARY)"`, "$((`touch CANARY`))", "<(touch CANARY)",
	">CANARY", "${IFS}$(touch${IFS}CANARY)", "a\";touch CANARY;\"", "a';touch CANARY;'", "\\\";touch CANARY;", "\r\ntouch CANARY\r\n", "{{ touch }}", "${{ github.token }}", "}}${{ 1 }}", "${{ '$(touch CANARY)' }}",
	"--upload-pack=touch CANARY", "--exec=touch", "-otouch", "--output=CANARY", "-", "--", "../../../../../../..CANARY", "CANARY", "/etc/passwd", "..%2f..%2f", "C:\\x", "a/b/c", ".git", ".", "..",
	"::set-env name=X::y", "\n::set-env name=X::y\n", "::add-path::/evil", "##[add-path]/evil", "%0A::add-path::/evil", "::stop-commands::x", "\nEOF\nX=y\n", "ghadelimiter\nX<<a\ny\na",
	"%s%n%x", "%", "\\x41\\u0041", "\x1b]0;t\a", "\x1b[2J", "\u202egnp", "\u0000", "\u2028", "\xc2\x9b2J", "<script>alert(1)</script>", "](javascript:x)", "=cmd|'/c calc'!A1", "*", "?", "[a", "!x", "~", "#", "$$",
	"__proto__", "constructor", "NODE_OPTIONS", "LD_PRELOAD=/x", "null", "true", "0", "1e999", "NaN", " ", "", strings.Repeat("n", 240), strings.Repeat("é", 120), "CON", "a:b", "a,b", "a=b", "{\"a\":1}", "[1]",
}

// hostileTexts are the shapes, alone and in company: more than two hundred.
func hostileTexts(bird string) []string {
	var out []string
	for _, s := range shapes {
		s = inert(s, bird)
		out = append(out, s, "feat: "+s+" (#1)")
		if len(s) < 100 {
			out = append(out, s+s)
		}
	}
	return out
}

// carrying takes a text to every place where one may stand. What the workflow itself puts into a script would be carried
// out, as on GitHub: it does not.
const carrying = `on: [push, pull_request, workflow_dispatch, issues]
run-name: "run ${{ github.event.title }}"
jobs:
  carry:
    name: "job ${{ matrix.text }}"
    runs-on: ubuntu-latest
    strategy: {fail-fast: false, max-parallel: 4, matrix: {text: "${{ fromJSON(toJSON(github.event.texts)) }}"}}
    concurrency: {group: "group ${{ matrix.text }}"}
    environment: {name: "env ${{ matrix.text }}", url: "https://x/${{ matrix.text }}"}
    outputs: {text: "${{ steps.say.outputs.text }}"}
    env: {TEXT: "${{ matrix.text }}"}
    steps:
      - uses: actions/checkout@v4
      - id: say
        continue-on-error: true
        name: "say ${{ matrix.text }}"
        run: |
          { echo 'text<<never-in-a-text'; printf '%s\n' "$TEXT"; echo never-in-a-text; } >> "$GITHUB_OUTPUT"
          printf '%s\n' "$TEXT" >> "$GITHUB_STEP_SUMMARY"
          printf '::error file=%s,title=%s::%s\n' "$TEXT" "$TEXT" "$TEXT"
          touch x
      - {uses: actions/upload-artifact@v4, continue-on-error: true, with: {name: "art ${{ matrix.text }}", path: x}}
      - {uses: actions/upload-artifact@v4, continue-on-error: true, with: {name: "b ${{ strategy.job-index }}", path: "${{ matrix.text }}"}}
      - {uses: actions/cache@v4, continue-on-error: true, with: {key: "key ${{ matrix.text }}", path: x, restore-keys: "${{ matrix.text }}"}}
      - {uses: actions/cache@v4, continue-on-error: true, with: {key: "k ${{ strategy.job-index }}", path: "${{ matrix.text }}"}}
      - {uses: actions/checkout@v4, continue-on-error: true, with: {ref: "${{ matrix.text }}", path: sub}}
      - {uses: actions/checkout@v4, continue-on-error: true, with: {repository: "a/${{ matrix.text }}", path: sub2}}
      - {uses: actions/setup-go@v5, continue-on-error: true, with: {go-version: "${{ matrix.text }}"}}
      - {uses: ./own, continue-on-error: true, with: {text: "${{ matrix.text }}"}}
      - {run: 'true', continue-on-error: true, working-directory: "${{ matrix.text }}"}
      - {run: 'true', continue-on-error: true, env: {HASH: "${{ hashFiles(matrix.text) }}"}}
`

func TestHostileGitHubNames(t *testing.T) {
	t.Parallel()
	bird := canary(t)
	dir := world(t, "")
	put(t, carrying, dir, workflowFile)
	put(t, "name: own\ninputs: {text: {}}\nruns:\n  using: composite\n  steps:\n    - {run: 'test -n \"$T\" || true', shell: bash, env: {T: \"${{ inputs.text }}\"}, name: \"own ${{ inputs.text }}\"}\n", dir, "own", "action.yml")
	for _, name := range hostileFiles {
		name = strings.ReplaceAll(inert(name, bird), "/", "∕")
		put(t, "x", dir, name[:min(len(name), 255)])
	}
	gitIn(t, dir, "add", "-A")
	gitIn(t, dir, "commit", "-qm", inert("$(touch CANARY) `touch CANARY` \x1b]0;t\a", bird))
	texts := hostileTexts(bird)
	if len(texts) < 200 {
		t.Fatalf("only %d texts", len(texts))
	}
	var fewer []string
	for i := 0; i < len(texts); i += 9 {
		fewer = append(fewer, texts[i])
	}
	if testing.Short() || raceEnabled {
		texts = fewer
	}
	var event string
	for _, view := range [][]string{{"--progress", "plain"}, {"--format", "json"}} {
		carried := fewer
		if view[1] == "json" {
			carried = texts
		}
		payload, err := json.Marshal(map[string]any{"texts": carried, "title": texts[0], "ref": "refs/heads/main", "head_commit": map[string]any{"message": texts[0], "author": map[string]any{"name": texts[0]}}})
		if err != nil {
			t.Fatal(err)
		}
		event = put(t, string(payload), t.TempDir(), "event.json")
		o := assail(t, dir, assault{args: append([]string{"run", "--executor", "shell", "-j", "4", "--event-path", event}, view...), exit: []int{exitOK}, limit: 3 * minute})
		if c := controls(o.said()); len(c) > 0 {
			t.Errorf("%v: control characters reach the terminal: %q", view, c)
		}
		if view[1] == "json" {
			if n := strings.Count(o.out, `"status":"success"`); n != len(texts)+1 {
				t.Errorf("%d of %d jobs have ended well", n-1, len(texts))
			}
			h := heard{events: eventsOf(t, []byte(o.out))}
			for name, status := range h.last() {
				if status != "success" {
					t.Errorf("%q is %s: %q", name, status, h.lines(name, "stdout"))
				}
			}
		}
	}
	for _, args := range [][]string{{"run", "list"}, {"run", "logs"}, {"plan", "--event-path", event}, {"lint", "--event-path", event}, {"explain", "carry", "--event-path", event}} {
		if o := launch(t, dir, assault{args: args}); len(controls(o.said())) > 0 {
			t.Errorf("%v: control characters reach the terminal: %q", args, controls(o.said()))
		}
	}
}

// oneOf is of how many cases one is tried: fewer in short tests, all where there is time (SLUICE_TEST_FULL=1).
func oneOf(short, plain int) int {
	switch {
	case os.Getenv("SLUICE_TEST_FULL") != "":
		return 1
	case testing.Short() || raceEnabled:
		return short
	default:
		return plain
	}
}

// TestHostileGitHubEvents takes the texts through what an event says of itself: titles, branches, labels, people, inputs;
// and through the names of the repository's own branches and tags.
func TestHostileGitHubEvents(t *testing.T) {
	t.Parallel()
	bird := canary(t)
	dir := world(t, "")
	put(t, `on: [push, pull_request, workflow_dispatch, issues]
run-name: "${{ github.ref_name }} ${{ github.event.pull_request.title }} ${{ inputs.text }}"
concurrency: "${{ github.ref }}${{ github.head_ref }}"
jobs:
  show:
    name: "${{ github.head_ref || github.ref_name }}"
    runs-on: ubuntu-latest
    environment: "${{ github.ref_name }}"
    steps:
      - uses: actions/checkout@v4
        with: {fetch-depth: 0}
      - {run: 'printf "%s\n" "$GITHUB_REF" "$GITHUB_HEAD_REF" "$INPUT"; env | sort; test -s "$GITHUB_EVENT_PATH"; git status', env: {INPUT: "${{ inputs.text }}"}}
      - {uses: actions/cache@v4, continue-on-error: true, with: {key: "${{ github.ref_name }}", path: x}}
`, dir, workflowFile)
	gitIn(t, dir, "add", "-A")
	gitIn(t, dir, "commit", "-qm", "Add")
	for i, s := range shapes {
		if i%oneOf(8, 3) != 0 {
			continue
		}
		s = inert(s, bird)
		payload, err := json.Marshal(map[string]any{
			"action": "opened", "number": 1, "label": map[string]any{"name": s}, "sender": map[string]any{"login": s},
			"issue": map[string]any{"number": 1, "title": s, "body": s}, "repository": map[string]any{"full_name": "a/" + s, "name": s, "default_branch": s, "owner": map[string]any{"login": s}},
			"pull_request": map[string]any{"number": 1, "title": s, "body": s, "labels": []any{map[string]any{"name": s}}, "head": map[string]any{"ref": s, "sha": s, "label": s, "repo": map[string]any{"full_name": s}}, "base": map[string]any{"ref": s, "sha": s}},
		})
		if err != nil {
			t.Fatal(err)
		}
		event := put(t, string(payload), t.TempDir(), "event.json")
		for _, args := range [][]string{{"--event", "pull_request", "--event-path", event}, {"--event", "workflow_dispatch", "--input=text=" + strings.ReplaceAll(s, "\x00", "")}, {"--event", "issues", "--event-path", event}} {
			o := assail(t, dir, assault{args: append([]string{"run", "--executor", "shell", "--progress", "plain"}, args...)})
			if c := controls(o.said()); len(c) > 0 {
				t.Errorf("%q, %v: control characters reach the terminal: %q", s, args, c)
			}
			if strings.Contains(o.said(), "panic") {
				t.Errorf("%q, %v: %s", s, args, clip(o.said()))
			}
		}
	}
	for i, ref := range hostileRefs {
		ref = inert(ref, strings.TrimPrefix(bird, "/"))
		kind := []string{"refs/heads/", "refs/tags/"}[i%2]
		if exec.Command("git", "check-ref-format", kind+ref).Run() != nil || i%oneOf(6, 2) != 0 {
			continue
		}
		gitIn(t, dir, "update-ref", kind+ref, "HEAD")
		var given []string
		if kind == "refs/tags/" {
			given = []string{"--tag=" + ref}
		} else {
			gitIn(t, dir, "symbolic-ref", "HEAD", kind+ref)
		}
		o := assail(t, dir, assault{args: append([]string{"run", "--executor", "shell", "--progress", "plain"}, given...), exit: []int{exitOK}})
		if c := controls(o.said()); len(c) > 0 {
			t.Errorf("%q: control characters reach the terminal: %q", ref, c)
		}
	}
}

// untrusted are the properties of contexts that others can write (GitHub documentation, "Script injections", and what an
// event of each kind has of the same sort).
var untrusted = []string{
	"github.event.issue.title", "github.event.issue.body", "github.event.pull_request.title", "github.event.pull_request.body", "github.event.comment.body", "github.event.review.body",
	"github.event.review_comment.body", "github.event.discussion.title", "github.event.discussion.body", "github.event.head_commit.message", "github.event.head_commit.author.email",
	"github.event.head_commit.author.name", "github.event.commits[0].message", "github.event.commits.*.message", "github.event.commits[0].author.email", "github.event.commits[0].author.name",
	"github.event.pull_request.head.ref", "github.event.pull_request.head.label", "github.event.pull_request.head.repo.default_branch", "github.event.pages[0].page_name", "github.event.pages.*.page_name",
	"github.event.workflow_run.head_branch", "github.event.workflow_run.head_commit.message", "github.event.workflow_run.head_commit.author.email", "github.event.workflow_run.head_commit.author.name",
	"github.event.workflow_run.pull_requests[0].head.ref", "github.head_ref", "github['head_ref']", "GITHUB.EVENT.ISSUE.TITLE", "github.event['issue']['title']",
	"format('{0}', github.event.issue.title)", "join(github.event.commits.*.message, ' ')", "github.event.issue.title || 'x'", "contains('a', 'b') && github.head_ref", "fromJSON(toJSON(github.event.issue.title))",
	"toJSON(github.event)", "toJSON(github.event.issue)", "github.event.*.body",
}

// harmless are those that nobody else can write, or whose value is no text of theirs.
var harmless = []string{
	"github.sha", "github.run_id", "github.event.pull_request.number", "github.event.issue.number", "contains(github.event.issue.title, 'x')", "startsWith(github.head_ref, 'x')",
	"github.event.pull_request.head.sha", "github.actor_id", "github.event.issue.title == 'x'", "github.repository", "inputs.text",
}

// TestHostileGitHubInjectionIsFlagged: lint tells of each text of others that a workflow puts into a script, at its place.
func TestHostileGitHubInjectionIsFlagged(t *testing.T) {
	t.Parallel()
	dir := world(t, "")
	var b strings.Builder
	b.WriteString("on: {push: , issues: , pull_request: , workflow_dispatch: {inputs: {text: {type: string}}}}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n")
	line := 5
	want, silent := map[int]string{}, map[int]string{}
	add := func(to map[int]string, text, expr string) {
		line++
		to[line] = expr
		b.WriteString(text + "\n")
	}
	for _, e := range untrusted {
		add(want, fmt.Sprintf("      - run: %q", "echo ${{ "+e+" }}"), e)
		add(want, fmt.Sprintf("      - {uses: actions/github-script@v7, with: {script: %q}}", "console.log(`${{ "+e+" }}`)"), e)
		add(silent, fmt.Sprintf("      - {run: echo \"$T\", env: {T: %q}}", "${{ "+e+" }}"), e)
	}
	for _, e := range harmless {
		add(silent, fmt.Sprintf("      - run: %q", "echo ${{ "+e+" }}"), e)
	}
	put(t, b.String(), dir, workflowFile)
	o := launch(t, dir, assault{args: []string{"lint", "--shellcheck=never"}})
	for n, expr := range want {
		told := false
		for l := range strings.Lines(o.said()) {
			told = told || strings.HasPrefix(l, fmt.Sprintf("%s:%d:", workflowFile, n)) && !strings.Contains(l, " note: ")
		}
		if !told {
			t.Errorf("line %d: %s in a script is not told", n, expr)
		}
	}
	for n, expr := range silent {
		for told := range strings.Lines(o.said()) {
			if strings.HasPrefix(told, fmt.Sprintf("%s:%d:", workflowFile, n)) && strings.Contains(told, "stranger") && !strings.Contains(told, " note: ") {
				t.Errorf("line %d: %s is told: %s", n, expr, told)
			}
		}
	}
	if o.exit > exitUsage {
		t.Errorf("exit code %d", o.exit)
	}
}
