package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
)

// The documentation is executed. A page is Markdown with these conventions, in HTML comments that readers do not see:
//
//	<!-- repository: NAME -->   from here on the page's commands run in a fresh repository of testdata/docs/NAME.txtar
//	<!-- file: PATH -->         the fenced block that follows is the file PATH of that repository; it is committed
//	<!-- uncommitted: PATH -->  the same, and it is not committed
//	<!-- needs: WORD... -->     what the page's commands need from here on: programs by their names, and "cluster", a real
//	                            Kubernetes with a namespace for the page, to which KUBECONFIG leads and which is called
//	                            shop in what is shown. Where one is not to be had the rest of the page is skipped
//
// What a command leaves running in the background is ended with the page.
//
// In a block ```console a line with "$ " is a command; what follows it, if anything, is what it prints, both streams
// together, with "..." for lines, or the end of a line, that are left out. Each command must end well, unless `echo $?` shows how it ended. In a
// block ```sh each line is a command whose output does not matter. Other blocks are text.

// notRun are the commands that are shown and not run by this test, each with its reason; "PAGE: COMMAND" of one page alone.
var notRun = map[string]string{
	"make demo":                          "it takes a minute and has a test of its own: CI runs it",
	"make test":                          "it runs this test",
	"make check":                         "it runs this test",
	"make bench":                         "it measures for minutes",
	"make fuzz":                          "it fuzzes for minutes",
	"make build":                         "the tests run the program that they were built from",
	"make fmt":                           "it writes into the source",
	"make":                               "it prints the list of targets, which TestShownTargetsExist reads",
	"sudo cp bin/sluice /usr/local/bin/": "it writes outside of the repository",
	"go test ./internal/dialect/gitlab ./internal/dialect/github -update":              "it runs tests and writes into the source",
	"go test ./cmd/sluice -update":                                                     "it runs this test and writes into the source",
	"go test ./cmd/sluice -run TestGeneratedPages -update":                             "it writes into the source",
	"sluice plan -o dot | dot -Tsvg > pipeline.svg":                                    "it needs Graphviz; testdata/script/plan.txtar runs the first half",
	"sluice run --watch":                                                               "it ends with Ctrl-C only; TestWatchRunsAgain runs it",
	"sluice run --shell-on-failure":                                                    "it needs a terminal",
	"sluice run --executor docker":                                                     "it needs a container engine; the executor's tests have one",
	"source <(sluice completion bash)":                                                 "it changes the shell that types it; testdata/script/completion.txtar prints the script",
	"sluice completion fish > ~/.config/fish/completions/sluice.fish":                  "it writes into the home folder; testdata/script/completion.txtar prints the script",
	"sluice completion zsh > \"${fpath[1]}/_sluice\"":                                  "it writes outside of the repository; testdata/script/completion.txtar prints the script",
	"sluice action add acme/setup@v2":                                                  "it asks github.com; testdata/script/action.txtar adds actions without a network",
	"sluice action add acme/setup@v2 --from ../setup":                                  "the folder is not there; docs/getting-started.md has one",
	"sluice action add acme/setup@v2 --from https://git.example/mirror/acme/setup.git": "it needs a network",
	"kubectl get certificate web -o yaml | sluice health -f -":                         "it needs a cluster with cert-manager; docs/health.md assesses a Certificate",
	"sluice health --scripts resource_customizations -f database.yaml":                 "the folder is not there; docs/health.md has one",
	"docs/cli.md: sluice rollout promote web":                                          "no rollout is there; TestRolloutCommands runs it, and docs/rollouts.md",
	"docs/cli.md: sluice rollout promote web --skip-current-step":                      "no rollout is there; TestRolloutCommands runs its kin",
	"docs/cli.md: sluice rollout promote web --full":                                   "no rollout is there; TestRolloutCommands runs it",
	"sluice lint .github/workflows/ci.yml":                                             "the page's repository is a GitLab one; docs/getting-started.md lints workflows",
	"git clone https://github.com/sluice-delivery/sluice && cd sluice":                 "it needs a network",
}

// pages are the documents whose commands are run.
func pages(t *testing.T) []string {
	t.Helper()
	out, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(out) == 0 {
		t.Fatalf("there are no pages: %v", err)
	}
	return append(out, "../../README.md", "../../CONTRIBUTING.md")
}

// block is a fenced block of a page with the comment before it.
type block struct {
	lang, comment string
	line          int // of its first line of text
	text          []string
}

var comment = regexp.MustCompile(`^<!-- (repository|file|uncommitted|needs): (\S.*) -->$`)

// blocks takes a page apart. A comment that names a repository is a block of its own without text.
func blocks(page string) []block {
	var out []block
	var in *block
	held := ""
	for n, line := range strings.Split(page, "\n") {
		switch {
		case in != nil && strings.HasPrefix(line, "```"):
			out, in = append(out, *in), nil
		case in != nil:
			in.text = append(in.text, line)
		case strings.HasPrefix(line, "```"):
			in = &block{lang: strings.TrimPrefix(line, "```"), comment: held, line: n + 2}
			held = ""
		case comment.MatchString(line):
			m := comment.FindStringSubmatch(line)
			if m[1] == "repository" || m[1] == "needs" {
				out = append(out, block{lang: m[1], comment: m[2], line: n + 1})
			} else {
				held = m[1] + " " + m[2]
			}
		}
	}
	return out
}

// shown is a command of a page and what it is said to print.
type shown struct {
	text   string
	line   int
	output []string
}

// commands are those of a block.
func (b block) commands() []shown {
	var out []shown
	for i := 0; i < len(b.text); i++ {
		line := b.text[i]
		text, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case b.lang == "console" && !isCommand:
			if len(out) > 0 {
				out[len(out)-1].output = append(out[len(out)-1].output, line)
			}
			continue
		case b.lang == "sh":
			text = line
			if text == "" || strings.HasPrefix(text, "#") {
				continue
			}
		}
		c := shown{text: text, line: b.line + i}
		for strings.HasSuffix(c.text, "\\") && i+1 < len(b.text) {
			i++
			c.text = strings.TrimSuffix(c.text, "\\") + strings.TrimSpace(b.text[i])
		}
		if b.lang == "sh" {
			c.text, _, _ = strings.Cut(c.text, "  #") // a remark behind it
			c.text = strings.TrimRight(c.text, " ")
		}
		out = append(out, c)
	}
	return out
}

func TestShownCommandsRun(t *testing.T) {
	used := map[string]bool{}
	for _, path := range pages(t) {
		name := strings.TrimPrefix(path, "../../")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			w := &walk{page: name, home: t.TempDir(), used: used}
			t.Cleanup(w.end)
			for _, b := range blocks(string(text)) {
				w.block(t, b)
			}
		})
	}
	for command := range notRun {
		if !used[command] {
			t.Errorf("no page shows %q any more: take it off the list notRun", command)
		}
	}
}

// walk goes through a page.
type walk struct {
	page, dir, home string
	exit            int
	used            map[string]bool
	env             []string
	namespace       string // of a page that needs a cluster
	groups          []int  // of the processes that commands started
}

// need has what the page needs from here on, or skips the rest of it.
func (w *walk) need(t *testing.T, words []string) {
	t.Helper()
	for _, word := range words {
		if word == "cluster" {
			k := kubetest.Start(t, kubetest.B)
			config, err := clientcmd.LoadFromFile(k.Kubeconfig)
			if err != nil {
				t.Fatal(err)
			}
			config.Contexts[config.CurrentContext].Namespace = k.Namespace
			path := filepath.Join(w.home, "kubeconfig")
			if err := clientcmd.WriteToFile(*config, path); err != nil {
				t.Fatal(err)
			}
			w.namespace, w.env = k.Namespace, append(w.env, "KUBECONFIG="+path)
			continue
		}
		if _, err := exec.LookPath(word); err != nil {
			fmt.Fprintf(os.Stderr, "docs: the rest of %s is skipped: there is no %s here\n", w.page, word)
			t.Skipf("there is no %s here", word)
		}
	}
}

// end ends what the page's commands left running.
func (w *walk) end() {
	for _, g := range w.groups {
		if syscall.Kill(-g, syscall.SIGTERM) != nil {
			continue // nothing was left
		}
		for range 100 {
			if syscall.Kill(-g, 0) != nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		_ = syscall.Kill(-g, syscall.SIGKILL)
	}
}

func (w *walk) block(t *testing.T, b block) {
	t.Helper()
	switch kind, path, _ := strings.Cut(b.comment, " "); {
	case b.lang == "repository":
		w.dir = t.TempDir()
		if err := w.unpack(b.comment); err != nil {
			t.Fatalf("%s:%d: %v", w.page, b.line, err)
		}
	case b.lang == "needs":
		w.need(t, strings.Fields(b.comment))
	case kind == "file" || kind == "uncommitted":
		if err := w.write(path, b.text, kind == "file"); err != nil {
			t.Fatalf("%s:%d: %v", w.page, b.line, err)
		}
	case b.lang == "console" || b.lang == "sh":
		for _, c := range b.commands() {
			if w.listed(c.text) || w.listed(w.page+": "+c.text) {
				continue
			}
			w.command(t, b, c)
		}
	}
}

// listed reports whether a command is on the list notRun.
func (w *walk) listed(command string) bool {
	_, ok := notRun[command]
	if ok {
		w.used[command] = true
	}
	return ok
}

func (w *walk) unpack(name string) error {
	archive, err := txtar.ParseFile(filepath.Join("testdata/docs", name+".txtar"))
	if err != nil {
		return err
	}
	for _, f := range archive.Files {
		if err := w.put(f.Name, f.Data); err != nil {
			return err
		}
	}
	return commitAll(w.dir, gitEnv(w.home))
}

func (w *walk) put(path string, text []byte) error {
	path = filepath.Join(w.dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

func (w *walk) write(path string, lines []string, commit bool) error {
	if w.dir == "" {
		return errors.New("a file without a repository")
	}
	if err := w.put(path, []byte(strings.Join(lines, "\n")+"\n")); err != nil || !commit {
		return err
	}
	out, err := w.shell("git add -A && git commit -q -m 'Write " + path + "'").CombinedOutput()
	if err != nil {
		return fmt.Errorf("commit %s: %s", path, out)
	}
	return nil
}

func (w *walk) shell(text string) *exec.Cmd {
	cmd := exec.Command("bash", "-c", text)
	cmd.Dir, cmd.Env = w.dir, slices.Concat(os.Environ(), gitEnv(w.home), w.env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// command runs one command and compares what it prints.
func (w *walk) command(t *testing.T, b block, c shown) {
	t.Helper()
	if w.dir == "" {
		t.Fatalf("%s:%d: a command without a repository; it stands neither on the list notRun: %s", w.page, c.line, c.text)
	}
	asks := strings.HasPrefix(c.text, "echo $?")
	if w.exit != 0 && !asks {
		t.Errorf("%s:%d: the command before ended with %d, which is not shown", w.page, c.line, w.exit)
	}
	cmd := w.shell(fmt.Sprintf("(exit %d)\n%s", w.exit, c.text))
	out, err := cmd.CombinedOutput()
	w.groups = append(w.groups, cmd.Process.Pid)
	w.exit = exitCode(t, err)
	last := b.commands()
	if w.exit != 0 && c.line == last[len(last)-1].line {
		t.Errorf("%s:%d: %s: exit code %d\n%s", w.page, c.line, c.text, w.exit, out)
		w.exit = 0
	}
	if len(c.output) == 0 {
		return
	}
	if w.namespace != "" {
		out = bytes.ReplaceAll(out, []byte(w.namespace), []byte("shop"))
	}
	want, got := normal(strings.Join(c.output, "\n"), w.dir), normal(string(out), w.dir)
	if !alike(want, got) {
		t.Errorf("%s:%d: %s prints\n%s\nand is said to print\n%s", w.page, c.line, c.text, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What differs from run to run, and what stands for it.
var differs = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\b\d{8}-\d{6}-[a-z0-9]{6,8}\b`), "RUN"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?`), "TIME"},
	{regexp.MustCompile(`\b(\d+h)?(\d+m)?\d+(\.\d+)?(ms|µs|s)\b`), "TOOK"},
	{regexp.MustCompile(`\b[0-9a-f]{8}([0-9a-f]{32})?\b`), "SHA"},
	{regexp.MustCompile(`[ \t]+`), " "},
}

// normal are the lines of a text without what differs from run to run.
func normal(text, dir string) []string {
	text = strings.ReplaceAll(text, dir, "/home/ada/shop")
	for _, d := range differs {
		text = d.pattern.ReplaceAllString(text, d.with)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return lines
}

// alike compares line by line; "..." in want stands for any lines.
func alike(want, got []string) bool {
	if len(want) == 0 {
		return len(got) == 0
	}
	if strings.TrimSpace(want[0]) == "..." {
		for i := 0; i <= len(got); i++ {
			if alike(want[1:], got[i:]) {
				return true
			}
		}
		return false
	}
	if len(got) == 0 {
		return false
	}
	if head, open := strings.CutSuffix(want[0], "..."); open {
		return strings.HasPrefix(got[0], head) && alike(want[1:], got[1:])
	}
	return want[0] == got[0] && alike(want[1:], got[1:])
}

func TestAlike(t *testing.T) {
	for _, c := range []struct {
		want, got string
		ok        bool
	}{
		{"a\nb", "a\nb", true},
		{"a\nb", "a\nc", false},
		{"a\n...\nd", "a\nb\nc\nd", true},
		{"a\n...\nd", "a\nd", true},
		{"a\n...\nd", "a\nb", false},
		{"a\n...", "a\nb", true},
		{"a b...", "a bcd", true},
		{"took 5ms, 1.25s", "took 1m3s, 7ms", true},
		{"run 20260105-100000-abcdef", "run 20270105-110000-zzzzzz", true},
	} {
		if got := alike(normal(c.want, "/x"), normal(c.got, "/x")); got != c.ok {
			t.Errorf("alike(%q, %q) is %t", c.want, c.got, got)
		}
	}
}

// TestShownTargetsExist: every `make` target that a page shows is in the Makefile.
func TestShownTargetsExist(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range pages(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?m)(?:^|`|\\$ )make ([a-z-]+)(?:`|$| +#| [A-Z]+=)").FindAllStringSubmatch(string(text), -1) {
			if !regexp.MustCompile(`(?m)^` + m[1] + `:`).Match(makefile) {
				t.Errorf("%s shows `make %s`, which the Makefile does not have", path, m[1])
			}
		}
	}
}

// TestInlineCommandsParse: every `sluice …` in the text of a page names a command and flags that exist.
func TestInlineCommandsParse(t *testing.T) {
	span := regexp.MustCompile("`(sluice [^`]+)`")
	decisions, _ := filepath.Glob("../../docs/decisions/*.md")
	changes, _ := filepath.Glob("../../changelog/unreleased/*.md")
	for _, path := range slices.Concat(pages(t), decisions, changes) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range span.FindAllStringSubmatch(string(text), -1) {
			if err := parses(m[1]); err != nil {
				t.Errorf("%s: `%s`: %v", path, m[1], err)
			}
		}
	}
}

// parses says why a command line would be refused. Words in capitals stand for anything.
func parses(line string) error {
	words := strings.Fields(line)[1:]
	if len(words) > 0 && strings.ToUpper(words[0]) == words[0] || len(words) > 0 && slices.Contains([]string{"completion", "help", "--help", "--version"}, words[0]) {
		return nil
	}
	root := newRoot(&streams{})
	found, rest, err := root.Find(words)
	if err != nil {
		return err
	}
	if found == root {
		return errors.New("there is no such command")
	}
	return parseFlags(found, rest)
}

func parseFlags(c *cobra.Command, words []string) error {
	c.InitDefaultHelpFlag()
	for i, w := range words {
		if w == "--" {
			break
		}
		name, _, _ := strings.Cut(strings.TrimRight(w, ".,]"), "=")
		if long, ok := strings.CutPrefix(strings.TrimLeft(name, "["), "--"); ok && c.Flags().Lookup(long) == nil {
			return fmt.Errorf("word %d: there is no flag %s", i+1, name)
		}
		if short, ok := strings.CutPrefix(name, "-"); ok && len(short) == 1 && c.Flags().ShorthandLookup(short) == nil {
			return fmt.Errorf("word %d: there is no flag %s", i+1, name)
		}
	}
	return nil
}

// TestLinksLeadSomewhere: every relative link of a page is a file, and a place in a page is one of its headings.
func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	decisions, _ := filepath.Glob("../../docs/decisions/*.md")
	for _, path := range append(pages(t), decisions...) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, place, _ := strings.Cut(m[1], "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			there, err := os.ReadFile(target)
			if info, e := os.Stat(target); e == nil && info.IsDir() {
				continue
			}
			if err != nil {
				t.Errorf("%s leads to %s, which is not there", path, m[1])
				continue
			}
			if place != "" && !slices.Contains(anchors(string(there)), place) {
				t.Errorf("%s leads to %s, and there is no such heading", path, m[1])
			}
		}
	}
}

// anchors are the places of a page, as the forges make them of its headings.
func anchors(page string) []string {
	var out []string
	for line := range strings.Lines(page) {
		if head := strings.TrimLeft(line, "#"); head != line && strings.HasPrefix(head, " ") {
			name := strings.Map(func(c rune) rune {
				switch {
				case c == ' ':
					return '-'
				case c == '-' || c == '_' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
					return c
				}
				return -1
			}, strings.ToLower(strings.TrimSpace(head)))
			out = append(out, name)
		}
	}
	return out
}
