package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// said are lines of untrusted output (S4): what a test suite or a compiler prints of text that others wrote. None may
// change a later step, the log's form or the terminal.
var saidByOthers = []string{
	"::set-env name=X::y", "##[set-env name=X;]y", "::set-env name=PATH::/evil", "##[add-path]/evil", "::add-path::/evil", "::SET-ENV name=X::y", " ::set-env name=X::y",
	"::set-env name=NODE_OPTIONS::--require=/evil.js", "::set-env name=BASH_ENV::/evil", "##[command]set-env", "::internal-set-repo-path repoFullName=a/b,workspaceRepo=true::/",
	"::set-output name=later::evil", "::save-state name=x::evil", "::set-output::", "::set-output name=::x", "::set-output name=x,name=y::z", "::add-mask::", "::add-mask:: ", "::add-mask::%0A", "::add-mask::%0D%0A ",
	"::endgroup::", "::endgroup::", "::endgroup::", "##[endgroup]", "::group::", "::group::\x1b]0;title\a", "##[group]x", "::echo::on", "::echo::maybe", "::debug::\x1b[2J",
	"::error file=/etc/passwd,line=99999999999999999999,col=-1,endLine=0::%0A%0D%25\x1b]52;c;QQ==\a", "::error file=../../../x,line=abc::x", "::error::", "::warning title=" + strings.Repeat("t", 10000) + "::x",
	"::notice file=$(touch CANARY)::`touch CANARY`", "::error " + strings.Repeat("a=b,", 5000) + "::x", "::error" + strings.Repeat(" ", 5000) + "::x", "::" + strings.Repeat(":", 5000),
	"::add-matcher::/etc/passwd", "::add-matcher::/dev/zero", "::add-matcher::../../../../../../etc/passwd", "::add-matcher::fifo.json", "::add-matcher::", "::add-matcher::nothing.json", "::remove-matcher owner=x::", "::remove-matcher::",
	"::stop-commands::", "::stop-commands::pause-logging", "::stop-commands::add-mask", "::unknown-command::x", "::", "::::", "::set-env", "::set-env::", "::\x00::", "##[]", "##[error]", "##vso[task.setvariable variable=X]y", "[command]/bin/sh",
	"\r::set-env name=X::y", "x\r::set-env name=X::y\r", "\u2028::set-env name=X::y", "\x00::set-env name=X::y", "\xef\xbb\xbf::set-env name=X::y", "%0A::set-env name=X::y", "\x1b[0m::set-env name=X::y",
}

// later is what every later step holds: nothing of that has happened.
const later = `
      - name: later
        if: always()
        run: |
          test -z "$X" || { echo "X is $X"; exit 1; }
          case $PATH in *evil*) echo "PATH is $PATH"; exit 1;; esac
          test -z "$NODE_OPTIONS$BASH_ENV" || exit 1
          test "${{ steps.speak.outputs.later }}" = "" -o "${{ steps.speak.outputs.later }}" = evil
          test "${{ steps.other.outputs.later }}" = ""
          echo then it is quiet
`

func TestHostileGitHubOutput(t *testing.T) {
	t.Parallel()
	bird := canary(t)
	dir := world(t, "")
	pipe(t, dir, "fifo.json")
	var text bytes.Buffer
	for _, s := range saidByOthers {
		text.WriteString(inert(s, bird) + "\n")
	}
	for _, s := range steering {
		if s != "::add-mask::a" { // which hides every a
			text.WriteString(s + "\n") // as printf takes it
		}
	}
	put(t, text.String(), dir, "output")
	put(t, oneJob("", `      - uses: actions/checkout@v4
      - id: speak
        run: |
          cat output; cat output >&2; printf '%b\n' "$(cat output)"
          printf '::set-'; printf 'env name='; printf 'X::y'; printf '\n'; printf '::add-pa' >&2; printf 'th::/evil\n' >&2
          printf 'no end ::set-env name=X::y'
`+later+`      - id: other
        run: |
          echo '::stop-commands::a-long-token'; echo '::set-output name=later::evil'; echo '::add-mask::quiet'; echo '::A-LONG-TOKEN::'
      - run: echo '::error::never ends'; echo '::stop-commands::another-token'
`+later), dir, workflowFile)
	for _, args := range [][]string{{"--progress", "plain"}, {"--progress", "plain", "--color", "always"}, {"--progress", "quiet"}, {"--progress", "tty", "--color", "always"}} {
		o := assail(t, dir, assault{args: append([]string{"run"}, args...), exit: []int{exitFailed, exitOK}})
		shown := sgr.ReplaceAllString(o.said(), "")
		if args[1] == "tty" {
			continue // no terminal is there to be drawn on
		}
		if c := controls(strings.ReplaceAll(shown, "\r\n", "\n")); len(c) > 0 {
			t.Errorf("%v: control characters reach the terminal: %q", args, c)
		}
		if args[1] == "plain" && strings.Count(shown, "then it is quiet") < 2 {
			t.Errorf("%v: output was taken for a command:\n%s", args, clip(shown))
		}
	}
	o := assail(t, dir, assault{args: []string{"run", "--format", "json"}, exit: []int{exitFailed, exitOK}})
	if c := controls(o.out); len(c) > 0 {
		t.Errorf("events hold control characters that are not escaped: %q", c)
	}
	calm := 0
	for _, e := range eventsOf(t, []byte(o.out)) {
		if e.Line == "then it is quiet" && e.Stream == "stdout" {
			calm++
		}
	}
	if calm != 2 {
		t.Errorf("%d of 2 later steps are calm:\n%s", calm, clip(o.out))
	}
	if o := assail(t, dir, assault{args: []string{"run", "logs", "a"}, exit: []int{exitOK}}); len(controls(strings.ReplaceAll(o.said(), "\r\n", "\n"))) > 0 {
		t.Error("run logs: control characters reach the terminal")
	}
}

// How a step ends that did something to its command files.
const (
	ignored = "success" // nothing of it is carried out
	refused = "failure" // the step fails
	ruined  = "broken"  // the job fails: there is no place for command files any more
)

// filed are steps that do something to their command files, with what the job's log must say of it ("" for nothing) and
// how they end.
var filed = []struct{ name, script, want, ends string }{
	{"an open heredoc", `echo 'a<<EOF' >> $GITHUB_OUTPUT; echo x >> $GITHUB_OUTPUT`, "GITHUB_OUTPUT", refused},
	{"no delimiter", `echo 'a<<' >> $GITHUB_ENV`, "GITHUB_ENV", refused},
	{"no name", `echo '=b' >> $GITHUB_ENV`, "GITHUB_ENV", refused},
	{"no equals sign", `echo 'just words' >> $GITHUB_OUTPUT`, "GITHUB_OUTPUT", refused},
	{"a heredoc within one", `printf 'a<<X\nb<<Y\nX\nX2=1\n' >> $GITHUB_OUTPUT`, "", ignored},
	{"an injected variable", `printf 'a<<E\n%s\nE\n' "$(printf 'x\nE2\nX=y')" >> $GITHUB_ENV`, "", ignored},
	{"NODE_OPTIONS", `echo 'NODE_OPTIONS=--require=/evil.js' >> $GITHUB_ENV`, "NODE_OPTIONS", ignored},
	{"node_options", `echo 'node_options=--x' >> $GITHUB_ENV`, "NODE_OPTIONS", ignored},
	{"GITHUB_ variables", `echo 'GITHUB_WORKSPACE=/evil' >> $GITHUB_ENV; echo 'RUNNER_TEMP=/evil' >> $GITHUB_ENV`, "", ignored},
	{"NUL bytes", `printf 'a=b\0c\n\0=x\n' >> $GITHUB_OUTPUT`, "", ignored},
	{"a NUL in a variable", `printf 'NUL=b\0c\n' >> $GITHUB_ENV`, "", ignored},
	{"a byte order mark", `printf '\357\273\277a=b\n' >> $GITHUB_OUTPUT`, "", ignored},
	{"UTF-16", `printf '\377\376a\0=\0b\0\n\0' >> $GITHUB_OUTPUT`, "", refused},
	{"carriage returns", `printf 'a=b\r\nc<<E\r\nd\r\nE\r\n' >> $GITHUB_OUTPUT`, "", ignored},
	{"a link to a file outside", `rm -f $GITHUB_OUTPUT; ln -s OUTSIDE/secret.env $GITHUB_OUTPUT`, "not read", ignored},
	{"a link to a password file", `rm -f $GITHUB_ENV; ln -s /etc/passwd $GITHUB_ENV`, "not read", ignored},
	{"a link to a device", `rm -f $GITHUB_ENV; ln -s /dev/zero $GITHUB_ENV`, "not read", ignored},
	{"a link to itself", `rm -f $GITHUB_ENV; ln -s $GITHUB_ENV $GITHUB_ENV`, "not read", ignored},
	{"a link to a proc file", `rm -f $GITHUB_STATE; ln -s /proc/self/environ $GITHUB_STATE`, "not read", ignored},
	{"a pipe", `rm -f $GITHUB_OUTPUT; mkfifo $GITHUB_OUTPUT`, "not a file", ignored},
	{"a pipe for the summary", `rm -f $GITHUB_STEP_SUMMARY; mkfifo $GITHUB_STEP_SUMMARY`, "not a file", ignored},
	{"a pipe with a writer", `rm -f $GITHUB_ENV; mkfifo $GITHUB_ENV; (while :; do echo X=y > $GITHUB_ENV; done) >/dev/null 2>&1 &`, "not a file", ignored},
	{"a folder", `rm -f $GITHUB_PATH; mkdir $GITHUB_PATH`, "not a file", ignored},
	{"nothing", `rm -f $GITHUB_PATH $GITHUB_ENV $GITHUB_OUTPUT $GITHUB_STATE $GITHUB_STEP_SUMMARY`, "", ignored},
	{"no right to read", `chmod 000 $GITHUB_ENV`, "", ignored},
	{"its folder a link", `d=$(dirname $GITHUB_ENV); rm -rf "$d"; ln -s OUTSIDE "$d"`, "escapes", ruined},
	{"its folder gone", `rm -rf "$(dirname $GITHUB_ENV)"`, "", ignored},
	{"its folder a file", `d=$(dirname $GITHUB_ENV); rm -rf "$d"; echo > "$d"`, "not a directory", ruined},
	{"a sparse file of 5 GB", `truncate -s 5G $GITHUB_OUTPUT`, "16 MiB", refused},
	{"100 MB of variables", `yes 'a=b' | head -c 100000000 >> $GITHUB_ENV || true`, "16 MiB", refused},
	{"a line of 15 MB", `(printf 'a='; head -c 15000000 /dev/zero | tr '\0' x) >> $GITHUB_OUTPUT`, "", ignored},
	{"a million delimiters", `yes 'a<<a' | head -n 1000000 >> $GITHUB_OUTPUT || true`, "", refused},
	{"a summary of 2 MiB", `head -c 2097152 /dev/zero | tr '\0' x >> $GITHUB_STEP_SUMMARY`, "GITHUB_STEP_SUMMARY", ignored},
	{"a summary of 100 MB", `head -c 100000000 /dev/zero >> $GITHUB_STEP_SUMMARY`, "GITHUB_STEP_SUMMARY", ignored},
	{"a summary that steers", `printf '\033]0;t\a<script>alert(1)</script>\033[2J\n' >> $GITHUB_STEP_SUMMARY`, "", ignored},
	{"a million folders", `yes /nowhere | head -n 1000000 >> $GITHUB_PATH || true`, "", ignored},
	{"a folder with a line end", `printf '/a\0b\n:\n::\n\n' >> $GITHUB_PATH`, "", ignored},
	{"names that are no names", `printf 'A B=c\n%%=d\n-=e\n1=f\n' >> $GITHUB_ENV`, "", ignored},
	{"a later writer", `echo Y=1 >> $GITHUB_ENV; touch "$RUNNER_TEMP/writer"; (exec 3>>$GITHUB_ENV; until test -e "$RUNNER_TEMP/go"; do sleep 0.01; done; echo X=y >&3; touch "$RUNNER_TEMP/done") >/dev/null 2>&1 &`, "", ignored},
	{"the script itself", `echo 'exit 7' > "$0"; rm -f "$0"`, "", ignored},
	{"the event file", `rm -f $GITHUB_EVENT_PATH; mkfifo $GITHUB_EVENT_PATH`, "", ignored},
}

func TestHostileGitHubCommandFiles(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	put(t, "STOLEN=stolen\n", outside, "secret.env")
	before := treeHash(t, outside)
	dir := world(t, "")
	var b strings.Builder
	b.WriteString("on: push\njobs:\n")
	for i, c := range filed {
		fmt.Fprintf(&b, "  j%d:\n    runs-on: ubuntu-latest\n    steps:\n      - {id: bad, continue-on-error: true, run: %q}\n", i, strings.ReplaceAll(c.script, "OUTSIDE", outside))
		fmt.Fprintf(&b, `      - run: |
          test "${{ steps.bad.outcome }}" = %s || { echo "the step is a ${{ steps.bad.outcome }}"; exit 1; }
          test -z "$X" || { echo "X is $X"; exit 1; }
          test -z "$STOLEN${{ steps.bad.outputs.STOLEN }}$root" || { echo stolen; exit 1; }
          test "$GITHUB_WORKSPACE" = "$PWD" || { echo "the workspace is $GITHUB_WORKSPACE"; exit 1; }
          touch "$RUNNER_TEMP/go"; while test -e "$RUNNER_TEMP/writer" && ! test -e "$RUNNER_TEMP/done"; do sleep 0.01; done
          echo "fine=%d" >> $GITHUB_OUTPUT; echo NEXT=%[2]d >> $GITHUB_ENV; echo ok
      - run: test "$NEXT" = %[2]d && test -z "$X"
`, c.ends, i)
	}
	put(t, b.String(), dir, workflowFile)
	o := assail(t, dir, assault{args: []string{"run", "--format", "json", "-j", "3"}, exit: []int{exitOK, exitFailed}, limit: 3 * minute})
	h := heard{events: eventsOf(t, []byte(o.out))}
	last := h.last()
	for i, c := range filed {
		job := fmt.Sprintf("j%d", i)
		lines := append(append(h.lines(job, "stderr"), h.lines(job, "system")...), h.lines(job, "stdout")...)
		all := strings.Join(lines, "\n")
		if want := map[bool]string{true: "failed", false: "success"}[c.ends == ruined]; last[job] != want {
			t.Errorf("%s: the job is %q: %s", c.name, last[job], clip(all))
		}
		if !strings.Contains(all, c.want) {
			t.Errorf("%s: %q is not said: %s", c.name, c.want, clip(all))
		}
		if strings.Contains(all, "STOLEN=stolen") || strings.Contains(all, "root:x:0") {
			t.Errorf("%s: a file outside was read: %s", c.name, clip(all))
		}
	}
	if o.rss > 512<<20 && !raceEnabled {
		t.Errorf("command files took %d MiB", o.rss>>20)
	}
	t.Logf("%d MiB, %v", o.rss>>20, o.cpu)
	if after := treeHash(t, outside); after != before {
		t.Errorf("what is outside was changed:\n%s", difference(before, after))
	}
	workless(t, dir)
}

// TestHostileGitHubFloods: memory does not grow with what a step says, in lines, in commands or without any end.
func TestHostileGitHubFloods(t *testing.T) {
	t.Parallel()
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	floods := []struct{ name, script string }{
		{"a hundred thousand errors", "yes '::error file=a,line=1::bad' | head -n 100000 || true"},
		{"a line of 100 MB", "head -c 100000000 /dev/zero | tr '\\0' x"},
		{"a command of 100 MB", "printf '::error::'; head -c 100000000 /dev/zero | tr '\\0' x"},
		{"a million groups", "yes '::group::g' | head -n 1000000 || true"},
		{"twenty thousand masks", "for i in $(seq 20000); do echo ::add-mask::secret-$i; done"},
		{"a mask of 50 MB", "printf '::add-mask::'; head -c 50000000 /dev/zero | tr '\\0' x; echo"},
		{"outputs without end", "yes '::set-output name=a::b' | head -n 1000000 || true"},
		{"matchers without end", `echo '{"problemMatcher":[{"owner":"o","pattern":[{"regexp":"^(a+)+(b|c)*(.*)$","file":1,"message":3}]}]}' > m.json; yes ::add-matcher::m.json | head -n 3000; yes aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab | head -n 100000 || true`},
		{"30 MB of NUL bytes", "head -c 30000000 /dev/zero"},
		{"carriage returns", "yes '::error::x' | tr '\\n' '\\r' | head -c 10000000 || true"},
		{"commands that are stopped", "echo '::stop-commands::a-long-token'; yes '::error::x' | head -n 1000000 || true"},
	}
	if testing.Short() {
		floods = floods[:3]
	}
	base := assail(t, world(t, "-- "+workflowFile+" --\n"+oneJob("", "      - run: echo word\n")), assault{args: []string{"run", "--format", "json"}, exit: []int{exitOK}}).rss
	for _, f := range floods {
		dir := world(t, "")
		put(t, oneJob("", "      - run: |\n          "+f.script+"\n          sync=1\n      - {if: always(), run: echo the end}\n"), dir, workflowFile)
		o := assail(t, dir, assault{args: []string{"run", "--format", "json"}, exit: []int{exitOK, exitFailed}, start: discarding, limit: 2 * minute})
		t.Logf("%s: %d MiB more than the %d MiB of a word, %v computed", f.name, (o.rss-base)>>20, base>>20, o.cpu)
		if o.rss-base > growth {
			t.Errorf("%s: memory grew by %d MiB", f.name, (o.rss-base)>>20)
		}
		logs, _ := filepath.Glob(filepath.Join(dir, ".sluice/runs/*/a.log"))
		if len(logs) != 1 {
			t.Fatalf("%s: the logs are %v", f.name, logs)
		}
		if text, err := os.ReadFile(logs[0]); err != nil || !bytes.Contains(text, []byte("\nthe end\n")) {
			t.Errorf("%s: the next step is not there: %v: %s", f.name, err, clip(string(text)))
		}
	}
}
