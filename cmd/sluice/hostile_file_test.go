package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// documentLimit bounds the memory that one hostile document may cost (reliability.md S8), in bytes.
const documentLimit = 128 << 20

// bombs are documents that are small and grow, or large; each with what is said of it, "" for a document that is fine.
func bombs() map[string]struct{ text, want string } {
	return map[string]struct{ text, want string }{
		"aliases of aliases":             {aliases() + "job:\n  script: echo\n  variables: {X: *z}\n", "aliases"},
		"aliases in a script":            {aliases() + "job:\n  script: *z\n", "aliases"},
		"merge keys of merge keys":       {merges(), "aliases"},
		"an anchor inside itself":        {"a: &a [*a]\njob: {script: echo}\n", "a"},
		"a hundred thousand lists":       {"job:\n  script: " + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "\n", "nested"},
		"a hundred thousand mappings":    {"job:\n  script: echo\nx: " + strings.Repeat("{a: ", 100_000) + strings.Repeat("}", 100_000) + "\n", "nested"},
		"lists that never end":           {"job:\n  script: echo\nx: " + strings.Repeat("[", 100_000) + "\n", "nested"},
		"dashes":                         {"job:\n  script: echo\nx:\n" + strings.Repeat("- ", 100_000) + "\n", "nested"},
		"anchors without end":            {"job: {script: echo}\nx: [" + strings.Repeat("&a ", 100_000) + "]\n", ""},
		"a scalar of 9 MB":               {"job: {script: echo}\nx: " + strings.Repeat("x", 9<<20) + "\n", "bytes"},
		"two hundred thousand same keys": {strings.Repeat("job: {script: echo}\n", 200_000), "job"},
		"jobs that extend two each":      {extends(), "extends"},
		"references that double":         {references(), "references"},
		"a matrix of 15 billion":         {"job:\n  script: echo\n  parallel:\n    matrix:\n      - " + matrix() + "\n", "matrix"},
		"variables that grow by ten":     {variables(), ""},
		"variables in a circle":          {"variables: {A: $B$B, B: $A$A}\njob:\n  script: echo \"$A\"\n", ""},
		"an input of a megabyte, often":  {"spec:\n  inputs:\n    x: {default: " + strings.Repeat("y", 1<<20) + "}\n---\njob:\n  script: echo\n  variables: {A: \"" + strings.Repeat("$[[ inputs.x ]]", 2000) + "\"}\n", "input"},
		"binary garbage":                 {string(garbage(100_000)), "UTF-8"},
		"a NUL in a script":              {"job: {script: \"echo a\\0b\"}\n", ""},
		"a NUL in a variable":            {"job: {script: echo, variables: {A: \"a\\0b\"}}\n", ""},
		"nothing":                        {"", "no configuration"},
		"only a byte order mark":         {"\ufeff", ""},
		"half a character":               {"job: {script: \"\xc3\"}\n", ""},
		"a tag that names a class":       {"job: {script: !ruby/object:Gem::Installer {x: 1}}\n", "tag"},
		"an infinite number":             {"job: {script: echo, retry: .inf, timeout: 99999999999999999999 years, parallel: 1e999}\n", "retry"},
	}
}

func aliases() string {
	var b strings.Builder
	b.WriteString(".a: &a [" + strings.Repeat("lol,", 9) + "lol]\n")
	for c := 'b'; c <= 'z'; c++ {
		fmt.Fprintf(&b, ".%c: &%c [%s*%c]\n", c, c, strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), c-1)
	}
	return b.String()
}

func merges() string {
	var b strings.Builder
	b.WriteString(".m0: &m0 {k: v}\n")
	for i := 1; i < 60; i++ {
		fmt.Fprintf(&b, ".m%d: &m%d\n  <<: [*m%d, *m%d]\n  a%d: *m%d\n", i, i, i-1, i-1, i, i-1)
	}
	return b.String() + "job:\n  script: echo\n  variables:\n    <<: *m59\n"
}

func extends() string {
	var b strings.Builder
	for i := range 60 {
		fmt.Fprintf(&b, ".j%d:\n  extends: [.j%d, .j%d]\n  variables: {V%d: x}\n", i, i+1, i+2, i)
	}
	return b.String() + ".j60: {script: echo}\n.j61: {script: echo}\njob: {extends: .j0}\n"
}

func references() string {
	var b strings.Builder
	b.WriteString(".a:\n  s0: [x]\n")
	for i := 1; i < 60; i++ {
		fmt.Fprintf(&b, "  s%d:\n    - !reference [.a, s%d]\n    - !reference [.a, s%d]\n", i, i-1, i-1)
	}
	return b.String() + "job:\n  script: !reference [.a, s59]\n"
}

func matrix() string {
	values := strings.Repeat("v, ", 49) + "v"
	var keys []string
	for _, k := range "ABCDEF" {
		keys = append(keys, fmt.Sprintf("%c: [%s]", k, values))
	}
	return strings.Join(keys, "\n        ")
}

func variables() string {
	var b strings.Builder
	b.WriteString("variables:\n  V0: xxxxxxxxxx\n")
	for i := 1; i < 20; i++ {
		fmt.Fprintf(&b, "  V%d: %q\n", i, strings.Repeat(fmt.Sprintf("$V%d", i-1), 10))
	}
	return b.String() + "job:\n  script: echo\n  rules:\n    - if: $V19 == \"x\"\n    - when: always\n"
}

func garbage(n int) []byte {
	out := make([]byte, n)
	seed := uint32(1)
	for i := range out {
		seed = seed*1664525 + 1013904223
		out[i] = byte(seed >> 24)
	}
	return out
}

func TestHostileDocuments(t *testing.T) {
	t.Parallel()
	for name, c := range bombs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := world(t, "")
			put(t, c.text, dir, ".gitlab-ci.yml")
			for _, command := range []string{"lint", "run"} {
				o := assail(t, dir, assault{args: []string{command}})
				if c.want != "" && (o.exit != exitUsage || !strings.Contains(o.err+o.out, c.want) || !strings.Contains(o.said(), ".gitlab-ci.yml")) {
					t.Errorf("%s: exit code %d, want 2, the file's name and %q in what is said:\n%s", command, o.exit, c.want, clip(o.said()))
				}
				if o.rss > documentLimit && !raceEnabled {
					t.Errorf("%s took %d MiB", command, o.rss>>20)
				}
			}
		})
	}
}

// A file of 100 MB and one of more are refused by their size, without reading them.
func TestHostileLargeFile(t *testing.T) {
	t.Parallel()
	dir := world(t, "")
	file := put(t, "job: {script: echo}\n", dir, ".gitlab-ci.yml")
	put(t, "include: .gitlab-ci.yml\n", dir, "other.yml")
	for _, size := range []int64{64<<20 + 1, 100 << 20, 5 << 30} {
		if err := os.Truncate(file, size); err != nil { // sparse: the rest are NULs
			t.Fatal(err)
		}
		for _, args := range [][]string{{"lint"}, {"run"}, {"lint", "-f", "other.yml"}} {
			o := assail(t, dir, assault{args: args, churn: true, exit: []int{exitUsage}})
			if !strings.Contains(o.said(), "bytes") || !strings.Contains(o.said(), ".gitlab-ci.yml") {
				t.Errorf("%d bytes, %q: %s", size, args, clip(o.said()))
			}
			if o.rss > documentLimit && !raceEnabled {
				t.Errorf("%q took %d MiB", args, o.rss>>20)
			}
		}
	}
}

// escapes are includes that would leave the repository or never end, with what is said. In every one's repository:
// passwd.yml, sub/passwd.yml (links out), one -> two -> sub (links within), around -> around, top -> /, pipe (a FIFO).
var escapes = map[string]string{
	`../../etc/passwd.yml`:              "",
	`/../../../../../../etc/passwd.yml`: "",
	`sub/../../outside.yml`:             "",
	`%2e%2e/outside.yml`:                "", `..%2foutside.yml`: "", `..\outside.yml`: "",
	`passwd.yml`: "outside", `sub/passwd.yml`: "outside", `one/passwd.yml`: "outside", `top/etc/passwd.yml`: "outside",
	`around`: "", `around/x.yml`: "", `pipe.yml`: "", `sub`: "", `.git/config.yml`: "",
	`{local: "*/../../*.yml"}`: "",
	`self`:                     "circle", `mutual.yml`: "circle", `*.yml`: "", `many/*.yml`: "150", `deep0.yml`: "100",
	`{project: ../../etc, file: /passwd.yml}`: "", `{template: ../../etc/passwd.yml}`: "",
	`{remote: "file:///etc/passwd.yml"}`: "", `{remote: "https://127.0.0.1:1/x.yml"}`: "", `{component: ../../etc/x@1}`: "",
}

func TestHostileIncludes(t *testing.T) {
	t.Parallel()
	includes := slices.Sorted(maps.Keys(escapes))
	files := map[string]string{}
	for i, include := range includes {
		name := fmt.Sprintf("case%d.yml", i)
		if include == "self" {
			include = name
		}
		if !strings.HasPrefix(include, "{") {
			include = `"` + strings.ReplaceAll(include, `\`, `\\`) + `"`
		}
		files[name] = "include: " + include + "\njob: {script: echo}\n"
	}
	dir := inclusive(t, files) // all runs in one checkout
	for i, include := range includes {
		t.Run(strings.ReplaceAll(include, "/", "∕"), func(t *testing.T) {
			t.Parallel()
			name := fmt.Sprintf("case%d.yml", i)
			o := assail(t, dir, assault{args: []string{"run", "--format", "json", "-f", name}, exit: []int{exitUsage}})
			if !strings.Contains(o.err, ".yml:1:") || !strings.Contains(o.err, escapes[include]) {
				t.Errorf("want a place and %q in what is said: %s", escapes[include], o.err)
			}
			if strings.Contains(o.said(), "stolen") || strings.Contains(o.said(), "root:x:") {
				t.Errorf("a file outside was read: %s", o.said())
			}
			if o.out != "" {
				t.Errorf("events of a pipeline that is not valid: %s", o.out)
			}
		})
	}
}

// inclusive is the repository of escapes. A file outside.yml beside it must never be read.
func inclusive(t *testing.T, files map[string]string) string {
	t.Helper()
	base := t.TempDir()
	put(t, "stolen: {script: echo stolen}\n", base, "outside.yml")
	dir := filepath.Join(base, "repository")
	put(t, "fine: {script: echo fine}\n", dir, "sub/fine.yml")
	put(t, "include: mutual2.yml\n", dir, "mutual.yml")
	put(t, "include: mutual.yml\n", dir, "mutual2.yml")
	for name, text := range files {
		put(t, text, dir, name)
	}
	for i := range 160 {
		put(t, fmt.Sprintf(".j%d: {script: echo}\n", i), dir, "many", fmt.Sprintf("%d.yml", i))
		put(t, fmt.Sprintf("include: deep%d.yml\n", i+1), dir, fmt.Sprintf("deep%d.yml", i))
	}
	put(t, ".end: {script: echo}\n", dir, "deep160.yml")
	for link, target := range map[string]string{
		"passwd.yml": "/etc/passwd", "sub/passwd.yml": "../../../../../../../etc/passwd", "one": "two", "two": "sub", "around": "around", "top": "/",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.yml"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := commitAll(dir, gitEnv(dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A chain of links that stays inside is followed, and so the cases above can fail.
func TestHostileIncludesAllowWhatIsInside(t *testing.T) {
	t.Parallel()
	dir := inclusive(t, map[string]string{".gitlab-ci.yml": "include: one/fine.yml\njob: {script: echo}\n"})
	assail(t, dir, assault{args: []string{"run"}, exit: []int{exitOK}})
}

// --file takes nothing that is outside, by whatever name or link, and waits for no pipe.
func TestHostileFileFlag(t *testing.T) {
	t.Parallel()
	dir := inclusive(t, nil)
	for _, name := range []string{
		"../outside.yml", "/etc/passwd", "passwd.yml", "one/passwd.yml", "top/etc/passwd", "pipe.yml", "around", "sub", "", "no.yml",
		strings.Repeat("x", 300), strings.Repeat("x/", 3000), "\x1b]0;t\a", "/dev/zero", "/proc/self/mem",
	} {
		o := assail(t, dir, assault{args: []string{"run", "--file=" + name}, exit: []int{exitUsage}})
		if o.err == "" || strings.Contains(o.said(), "\x1b") || strings.Contains(o.said(), "stolen") {
			t.Errorf("--file %q says %q", name, o.err)
		}
	}
}

// patterns that take a backtracking engine for ever, each with a text that drives it there.
var patterns = []string{`(a+)+$`, `^(a|aa)+$`, `(.*)*x`, `^(([a-z])+.)+[A-Z]([a-z])+$`, `(a|a?)+b`, `((a{1,20}){1,20}){1,5}b`, `\A(x+x+)+y`}

func TestHostilePatterns(t *testing.T) {
	t.Parallel()
	evil := strings.Repeat("a", 30_000) + "!"
	var b strings.Builder
	fmt.Fprintf(&b, "variables: {E: %q}\nworkflow: {rules: [{when: always}]}\n", evil)
	for i, p := range patterns {
		fmt.Fprintf(&b, "rule%d:\n  script: echo\n  rules:\n    - {if: '$E =~ /%s/', when: never}\n    - {if: '$E !~ /%[2]s/'}\n", i, p)
		fmt.Fprintf(&b, "cover%d:\n  script: echo \"$E\"\n  coverage: '/%s/'\n  rules: [{when: always}]\n", i, p)
		fmt.Fprintf(&b, "only%d:\n  script: echo\n  only: ['/%s/']\n  except: ['/%[2]s/i']\n", i, p)
	}
	dir := world(t, "")
	put(t, b.String(), dir, ".gitlab-ci.yml")
	o := assail(t, dir, assault{args: []string{"run", "--progress", "plain", "--branch", strings.Repeat("a", 200) + "x"}, exit: []int{exitOK, exitUsage}})
	if o.rss > 2*documentLimit && !raceEnabled {
		t.Errorf("patterns took %d MiB", o.rss>>20)
	}
}

// Patterns and expressions that are themselves too large are refused with a place.
func TestHostilePatternsThatAreLarge(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]string{
		"groups":      "$A =~ /" + strings.Repeat("(", 5000) + "a" + strings.Repeat(")", 5000) + "/",
		"groups, few": "$A =~ /" + strings.Repeat("(", 3000) + "a" + strings.Repeat(")", 3000) + "/",
		"counts":      "$A =~ /((a{1,100}){1,100}){1,100}/",
		"parentheses": strings.Repeat("(", 30_000) + "$A" + strings.Repeat(")", 30_000),
		"ands":        strings.Join(slices.Repeat([]string{"$A"}, 10_000), " && "),
		"look-behind": `$A =~ /(?<!y)x\1/`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := world(t, "")
			put(t, "job:\n  script: echo\n  rules:\n    - if: '"+rule+"'\n", dir, ".gitlab-ci.yml")
			o := assail(t, dir, assault{args: []string{"run"}, exit: []int{exitUsage}})
			if !strings.Contains(o.err, ".gitlab-ci.yml:") {
				t.Errorf("no place is said: %s", clip(o.err))
			}
		})
	}
}
