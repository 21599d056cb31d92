package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// steering is output that would move the cursor, set the title, fill the clipboard, ask the terminal a question, open a
// link or pretend to be ours (S4); printf escapes.
var steering = []string{
	`\033]52;c;c3RvbGVu\a`, `\033]52;c;c3RvbGVu\033\\`, `\033]0;title\a`, `\033]8;;http://evil\a link \033]8;;\a`, `\033[2J\033[H`, `\033[9A`, `\033[?1049h`,
	`\033[6n`, `\033[c`, `\033P+q544e\033\\`, `\033P1;1|17/68656c6c6f\033\\`, `\033_Gi=1;AAAA\033\\`, `\033^x\033\\`, `\033X x\033\\`, `\033c`, `\033#8`,
	`\302\2332J`, `\302\235x\302\234`, `\2332J`, `\2350;t\234`, `\033(0`, `\016lower\017`, `\b\b\b\b`, `\r\033[Kover`, `\177\177`,
	`\033]1337;File=inline=1:AAAA\a`, `\033]7;file:///etc\a`, `\033[5i`, `\033]unfinished`, `\033[`, `\033`, `\033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20m`,
	`section_start:1:fake\r\033[0Kheader`, `section_end:1:fake\r\033[0K`, `section_end:1:step_script\r\033[0K`, `section_start:99999999999999999999:x\r`, `section_start:1:` + strings.Repeat("n", 3000) + `\r`,
	`::set-env name=X::y`, `::add-path::/tmp`, `::add-mask::a`, `##vso[task.setvariable]`, `{"type":"pipeline","status":"success"}`,
	`\000NUL\000`, `\377\376\200`, `\360\237`, `\342\200\256gnp`,
}

func TestHostileOutput(t *testing.T) {
	t.Parallel()
	var script strings.Builder
	for _, s := range steering {
		fmt.Fprintf(&script, "    - printf '%%b' '%s'; printf '\\n'; printf '%%b' '%s' >&2; printf '\\n' >&2\n", s, s)
	}
	dir := world(t, "")
	put(t, "stages: [a, b]\nspeak:\n  stage: a\n  script:\n"+script.String()+"    - printf 'no end'; exit 1\nafter:\n  stage: b\n  when: always\n  script: 'echo \"X=$X path=$PATH\"'\n", dir, ".gitlab-ci.yml")
	for _, args := range [][]string{{"--progress", "plain"}, {"--progress", "quiet"}, {"--progress", "plain", "--color", "always"}, {"--progress", "tty", "--color", "always"}} {
		o := assail(t, dir, assault{args: append([]string{"run"}, args...), exit: []int{exitFailed}})
		text := o.said()
		if args[1] == "tty" {
			continue // no terminal is there to be drawn on; what is drawn is web/terminal's to hold
		}
		if args[len(args)-1] == "always" {
			text = sgr.ReplaceAllString(text, "")
		}
		if c := controls(strings.ReplaceAll(text, "\r\n", "\n")); len(c) > 0 {
			t.Errorf("%v: control characters reach the terminal: %q", args, c)
		}
		if strings.Contains(text, "X=y") || !strings.Contains(text, "no end") {
			t.Errorf("%v: output was taken for a command", args)
		}
	}
	o := assail(t, dir, assault{args: []string{"run", "--format", "json"}, exit: []int{exitFailed}})
	events := eventsOf(t, []byte(o.out))
	if c := controls(o.out); len(c) > 0 {
		t.Errorf("events hold control characters that are not escaped: %q", c)
	}
	if events[len(events)-1].Status != "failed" {
		t.Errorf("the pipeline is %s", events[len(events)-1].Status)
	}
	for _, args := range [][]string{{"run", "logs", "speak"}, {"run", "logs"}, {"run", "list"}} {
		o := assail(t, dir, assault{args: args, exit: []int{exitOK}})
		if c := controls(strings.ReplaceAll(o.said(), "\r\n", "\n")); len(c) > 0 {
			t.Errorf("%v: control characters reach the terminal: %q", args, c)
		}
	}
}

// growth is how much more memory a flood may take than a job that prints a word (R5), in bytes.
const growth = 64 << 20

// TestHostileFloods: memory does not grow with what a job prints, however it is shown.
func TestHostileFloods(t *testing.T) {
	t.Parallel()
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	floods := []struct{ name, script, first, last string }{
		{"five million lines", "seq 5000000", "1", "5000000"},
		{"a line of 100 MB", "head -c 100000000 /dev/zero | tr '\\0' x", "x", ""},
		{"30 MB of NUL bytes", "head -c 30000000 /dev/zero", "", ""},
		{"30 MB of garbage", "head -c 30000000 /dev/urandom", "", ""},
		{"sections without end", "yes $'section_start:1:a\\r\\e[0Kx' | head -n 300000 || true", "", ""},
		{"escapes without end", "yes $'\\e]52;c;' | tr -d '\\n' | head -c 30000000 || true", "", ""},
		{"carriage returns", "yes 'progress' | tr '\\n' '\\r' | head -c 30000000 || true", "", ""},
	}
	if testing.Short() {
		floods = floods[:2]
	}
	calm := world(t, "-- .gitlab-ci.yml --\na:\n  script: echo word\n")
	for _, view := range [][]string{{"--format", "json"}, {"--progress", "plain"}, {"--progress", "quiet"}} {
		base := assail(t, calm, assault{args: append([]string{"run"}, view...), exit: []int{exitOK}}).rss
		for i, f := range floods {
			if view[1] == "plain" && i > 1 || view[1] == "quiet" && i > 0 {
				continue // the lines go the same way
			}
			dir := world(t, "")
			put(t, "a:\n  script:\n    - |\n      "+f.script+"\n", dir, ".gitlab-ci.yml")
			o := assail(t, dir, assault{args: append([]string{"run", "--secret", "S=opensesame1"}, view...), exit: []int{exitOK}, start: discarding})
			t.Logf("%s, %s: %d MiB more than the %d MiB of a word", view[1], f.name, (o.rss-base)>>20, base>>20)
			if o.rss-base > growth {
				t.Errorf("%s, %s: memory grew by %d MiB", view[1], f.name, (o.rss-base)>>20)
			}
			complete(t, dir, f.first, f.last)
		}
	}
}

// complete holds the log of the job a to its first and its last line.
func complete(t *testing.T, dir, first, last string) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, ".sluice/runs/*/a.log"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("the logs are %v, %v", logs, err)
	}
	text, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("\n"+first)) || !bytes.Contains(text, []byte("\n"+last+"\n")) && last != "" {
		t.Errorf("the log of %d bytes lacks its first or last line", len(text))
	}
	if first == "x" && bytes.Count(text, []byte("x")) < 100_000_000 {
		t.Errorf("the log has %d bytes", len(text))
	}
}

// forms are the forms in which a secret may be printed (S2), each made by a shell command from $TOKEN.
var forms = map[string]string{
	"plain": `printf %s "$TOKEN"`, "base64": `printf %s "$TOKEN" | base64 -w0`, "base64, one off": `printf x%s "$TOKEN" | base64 -w0`, "base64, two off": `printf xy%s "$TOKEN" | base64 -w0`,
	"base64 for URLs": `printf %s "$TOKEN" | base64 -w0 | tr +/ -_ | tr -d =`, "in a line of its own": `printf '\n%s\n' "$TOKEN"`,
	"byte by byte": `for i in $(seq 0 ${#TOKEN}); do printf %s "${TOKEN:$i:1}"; sleep 0.002; done`, "by two programs": `printf %s "${TOKEN:0:7}"; (printf %s "${TOKEN:7}")`,
	"JSON": `printf '{"a":"%s"}' "${TOKEN//\"/\\\"}"`, "URL": `printf 'https://x/?a=%s' "$ENCODED"`, "traced": `set -x; : "$TOKEN"; set +x`, "on stderr": `printf '%s\n' "$TOKEN" >&2`,
	"interleaved": `printf %s "${TOKEN:0:9}"; printf e >&2; printf %s "${TOKEN:9}"`, "as a command": `"$TOKEN" || true`, "as an error": `cat "/nowhere/$TOKEN" || true`,
	"in a section": `printf 'section_start:1:x\r\033[0K%s\nsection_end:1:x\r\033[0K' "$TOKEN"`, "after a NUL": `printf '\000%s\000' "$TOKEN"`, "at the end": `exec printf %s "$TOKEN"`,
}

// canaryToken has what each form encodes differently.
const canaryToken = `canary"a&b/c+d e?Zürich`

// traces are the texts that give the canary away: it, its parts that no form changes, its encodings.
func traces(secret string) []string {
	quoted, _ := json.Marshal(secret)
	out := []string{secret, string(quoted[1 : len(quoted)-1]), url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret))}
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString(append(make([]byte, shift), secret...))
		out = append(out, text[4:len(text)-4], strings.NewReplacer("+", "-", "/", "_").Replace(text[4:len(text)-4]))
	}
	return out
}

// TestHostileSecrets: nothing that is told, shown or kept has a form of the secret in it.
func TestHostileSecrets(t *testing.T) {
	t.Parallel()
	var script strings.Builder
	for _, name := range []string{
		"plain", "base64", "base64, one off", "base64, two off", "base64 for URLs", "in a line of its own", "byte by byte", "by two programs", "JSON", "URL", "traced",
		"on stderr", "interleaved", "as a command", "as an error", "in a section", "after a NUL", "at the end",
	} {
		fmt.Fprintf(&script, "    - |\n      %s\n      echo\n", forms[name])
	}
	dir := world(t, "")
	put(t, `
stages: [a, b, c]
variables: {DERIVED: "x${TOKEN}y"}
print:
  stage: a
  script:
`+script.String()+`
fail:
  stage: a
  allow_failure: true
  script:
    - printf '<testsuite><testcase name="%s"><failure message="%s">%s</failure></testcase></testsuite>' "$PLAIN" "$PLAIN" "$PLAIN" > junit.xml
    - printf 'LEAK=%s\n' "$PLAIN" > env
    - echo > kept
    - 'echo "coverage: $PLAIN 42%"; echo "$DERIVED"; echo "last $PLAIN"; exit 1'
  coverage: '/coverage: .* (\d+)%/'
  artifacts: {name: "art-$PLAIN", paths: ["none-$PLAIN"], when: always, reports: {junit: junit.xml, dotenv: env}}
  cache: {key: "key-$PLAIN", fallback_keys: ["old-$PLAIN"], paths: [kept, "none-$PLAIN"], when: always}
  environment: {name: "review/$PLAIN", url: "https://x/$PLAIN"}
  resource_group: "group-$PLAIN"
again:
  stage: b
  cache: {key: "key-$PLAIN", paths: [kept]}
  script: test -e kept
bad dotenv:
  stage: b
  script: 'echo "no line $PLAIN" > env'
  artifacts: {reports: {dotenv: env}}
  allow_failure: true
secret $PLAIN:
  stage: b
  script: 'echo "$LEAK $PLAIN"; false "$PLAIN"'
  allow_failure: true
timeout:
  stage: c
  script: "cd /$PLAIN"
  retry: 1
`, dir, ".gitlab-ci.yml")
	const plain = "canaryplainsecret0123456789"
	args := []string{"--secret", "TOKEN=" + canaryToken, "--secret", "ENCODED=" + url.QueryEscape(canaryToken), "--secret", "PLAIN=" + plain}
	watch := append(traces(canaryToken), traces(plain)...)
	var told []string
	for _, view := range [][]string{{"--progress", "plain"}, {"--format", "json"}, {"--progress", "quiet"}, {"--progress", "tty"}} {
		o := assail(t, dir, assault{args: append(append([]string{"run"}, view...), args...), exit: []int{exitFailed}})
		told = append(told, o.said())
		if !strings.Contains(o.said(), "[MASKED]") {
			t.Errorf("%v: nothing is masked: %s", view, clip(o.said()))
		}
		if view[1] == "json" && !strings.Contains(o.out, `"job":"again","status":"success"`) {
			t.Errorf("a cache whose key is a secret is not found again")
		}
	}
	// Mistakes that quote it, and the commands that show what is kept.
	for _, text := range []string{"include: $PLAIN.yml\n", "job: {script: echo, needs: [$PLAIN]}\n", "job:\n  script: echo\n  rules: [{if: '$PLAIN =~ $PLAIN('}]\n", "job: {trigger: {include: $PLAIN.yml}}\n"} {
		put(t, text, dir, "bad.yml")
		for _, command := range []string{"run", "lint", "plan"} {
			o := launch(t, dir, assault{args: append([]string{command, "-f", "bad.yml"}, args...)})
			told = append(told, o.said())
		}
	}
	for _, words := range [][]string{{"run", "list", "-o", "json"}, {"run", "logs", "print", "--raw"}, {"run", "logs", "fail"}, {"run", "logs"}} {
		told = append(told, launch(t, dir, assault{args: words}).said())
	}
	for _, trace := range watch {
		for _, text := range told {
			if i := strings.Index(text, trace); i >= 0 {
				t.Errorf("%q is told: %q", trace, text[max(0, i-80):min(len(text), i+len(trace)+40)])
			}
		}
	}
	kept(t, filepath.Join(dir, ".sluice"), watch)
}
