package glob_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/glob"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// space is a new folder with files in it: "x" is a file, "x/" a folder, "x -> y" a link.
func space(t testing.TB, entries ...string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name, to, isLink := strings.Cut(e, " -> ")
		p := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(p), 0o755)
		switch {
		case err != nil:
		case isLink:
			err = os.Symlink(to, p)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(p, 0o755)
		default:
			err = os.WriteFile(p, []byte(name), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var files = []string{
	"a.txt", "b.TXT", ".hidden/in", ".dot", "src/main.c", "src/deep/er/x.o", "src/deep/y.o", "src/.git/config", "build/out.js", "build/out.js.map", "empty/",
	"odd [1].txt", "odd*.txt", "way -> src/deep", "loop/back -> ..", "broken -> nowhere", "file -> a.txt", "build-2/z", "größe/ü.txt", "#not", "a?b",
}

type question struct {
	Patterns   string `json:"patterns"`
	NoDescend  bool   `json:"noDescend"`
	SkipHidden bool   `json:"skipHidden"`
	NoFolders  bool   `json:"noFolders"`
}

func questions() []question {
	var out []question
	for _, p := range []string{
		"a.txt", ".", "./", "./src", "src", "src/", "src/**", "src/**/", "src/*", "**", "**/*.o", "**/*.txt\n!**/odd*", "*", "*.txt", "?.txt", "[ab].*", "[!a].*", "[^a]*", "src/*/y.o", "src/**/er/**/*.o",
		"!a.txt", "**\n!src\nsrc/deep/y.o", "**\n!src/**\nsrc/main.c", "a.txt\nb.TXT", "build\nbuild/out.js\nbuild-2", "way", "way/*", "loop/**", "broken", "file", "*/deep/**", `odd \[1\].txt`, "odd [[]1].txt", `odd\*.txt`,
		"nothing", "nothing/*\nsrc", "größe/*", "g*/?.txt", "# a comment\n\na.txt", `\#not`, "a.txt/", "a.txt/**", ".hidden", ".*", "**/.*", "src/../a.txt", "src/./main.c", "..", "!!a.txt", "! a.txt\n*.txt", "src//deep", "{a,b}.txt", "+(a).txt", "**/**/y.o", "src/deep**/y.o", "[[:alpha:]].txt", "[b-a].txt", "[", "a[.txt", "~", "a\\?b", "**/er", "**/er/", "*/", "!**", "empty", "empty/**", "src/deep/er/../y.o",
	} {
		out = append(out, question{Patterns: p}, question{Patterns: p, NoDescend: true}, question{Patterns: p, SkipHidden: true, NoFolders: true})
	}
	return out
}

var (
	names    = []string{"a", "b", "ab", "abc", "app-linux", "app-darwin", "app-", "lib-1", "lib-22", ".hidden", "größe", "a.b", "#a", "!a", "(a)", "a+b", "aaa", "abab", "a b", "{a}", "app-linux-x64"}
	patterns = []string{
		"*", "app-*", "{app,lib}-*", "lib-[0-9]", "lib-?", "!(app-*)", "!app-*", "!!app-*", "+(a|b)", "*(ab)", "@(a|b)", "?(a)b", "a", "", "#a", `\#a`, ".*", "[!a]", "[^a]*", "{a}", "{a,b}{a,b}", "{lib-{1,22},a}", "{1..3}", "lib-{1..3}", "lib-{01..22}", "{a..c}", "{a..c..2}", "lib-{22..1..7}", "{1...3}",
		"a*b*", "**", "a**", "!(a)b", "@(app|lib)-!(1)", "*.b", "app-{linux,darwin}?(-x64)", "größ?", `a\+b`, "!(a|b)*", "+(a)+(b)", "*(a|b)c", "(a)", "a|b", "[a", "{a,b", "a{,b}",
	}
)

// TestAsTheOfficialPackageDoes holds the package against @actions/glob and the minimatch in it.
func TestAsTheOfficialPackageDoes(t *testing.T) {
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		cache = filepath.Join(os.Getenv("HOME"), ".cache")
	}
	packages := filepath.Join(cache, "sluice", "npm-actions")
	if _, err := os.Stat(filepath.Join(packages, "node_modules", "@actions", "glob")); err != nil {
		t.Skipf("NOT TESTED AGAINST @actions/glob: %v; scripts/deps test installs it", err)
	}
	dir := space(t, files...)
	all := questions()
	ask, err := json.Marshal(map[string]any{"globs": all, "names": names, "patterns": patterns})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "testdata/oracle.mjs", packages, dir)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	cmd.Stdin = bytes.NewReader(ask)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err, string(out))
	}
	var told struct {
		Globs []struct {
			Roots, Found []string
			Error        string
		}
		Names [][]string
	}
	_, text, _ := bytes.Cut(out, []byte("@@"))
	if err := json.Unmarshal(text, &told); err != nil {
		t.Fatal(err)
	}
	for i, q := range all {
		want := told.Globs[i]
		p, err := glob.Parse([]string{q.Patterns}, glob.Options{Dir: dir, Home: dir, NoDescend: q.NoDescend, SkipHidden: q.SkipHidden, NoFolders: q.NoFolders})
		if (err != nil) != (want.Error != "") {
			t.Errorf("%+v: %v, want %q", q, err, want.Error)
			continue
		}
		if err != nil {
			continue
		}
		found := find(t, p, glob.Space{{Job: "/", Host: "/"}})
		if !slices.Equal(p.Roots(), want.Roots) || !slices.Equal(found, want.Found) {
			t.Errorf("%+v:\n got %q %q\nwant %q %q", q, p.Roots(), found, want.Roots, want.Found)
		}
	}
	for i, p := range patterns {
		var got []string
		for _, n := range names {
			if glob.Name(p)(n) {
				got = append(got, n)
			}
		}
		if !slices.Equal(got, told.Names[i]) {
			t.Errorf("%s: %q, want %q", p, got, told.Names[i])
		}
	}
}

func find(t testing.TB, p *glob.Patterns, s glob.Space) []string {
	t.Helper()
	v := s.Open()
	defer v.Close()
	all, err := p.All(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range all {
		out = append(out, f.Path)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestLinksLeadWhereTheJobSeesThem(t *testing.T) {
	work := space(t, "in", "inner -> /work/dir", "dir/x", "machine -> /etc", "up -> ../../../etc/passwd", "tools -> /tools/bin", "self -> self")
	tools := space(t, "bin/go")
	s := glob.Space{{Job: "/work", Host: work}, {Job: "/tools", Host: tools}}
	p, err := glob.Parse([]string{"**", "/etc/**", "/tools/bin/go"}, glob.Options{Dir: "/work", NoFolders: true})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/tools/bin/go", "/work/dir/x", "/work/in", "/work/inner/x", "/work/tools/go"}
	if got := find(t, p, s); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	v := s.Open()
	defer v.Close()
	for _, name := range []string{"/etc/passwd", "/work/machine/passwd", "/work/up", "/work/self", "/work/dir"} {
		if file, _, err := v.Open(name); err == nil {
			file.Close()
			t.Errorf("%s is open", name)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, p := range []string{"a/../b", "..", "a/.", "~/x", "!"} {
		if _, err := glob.Parse([]string{p}, glob.Options{Dir: "/w"}); fault.CodeOf(err) != glob.CodePattern {
			t.Errorf("%q: %v", p, err)
		}
	}
	if _, err := glob.Parse([]string{strings.Repeat("a\n", 30)}, glob.Options{Dir: "/w", MaxPatterns: 10}); fault.CodeOf(err) != glob.CodePattern {
		t.Error(err)
	}
}

func TestPatternsThatAreMadeToTakeForEver(t *testing.T) {
	long := strings.Repeat("a", 200)
	for _, p := range []string{strings.Repeat("*(a|aa)", 20) + "b", strings.Repeat("{a,b}", 40), strings.Repeat("*a", 60) + "b", strings.Repeat("+(", 60) + "a" + strings.Repeat(")", 60), strings.Repeat("!(", 30) + "a" + strings.Repeat(")", 30)} {
		glob.Name(p)(long)
	}
	p, err := glob.Parse([]string{strings.Repeat("*a", 60) + "b"}, glob.Options{Dir: "/"})
	if err != nil || p.Match("/"+long, false) {
		t.Error(err)
	}
}

func FuzzPatterns(f *testing.F) {
	for _, q := range questions() {
		f.Add(q.Patterns, "/w/src/deep/y.o")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		glob.Name(text)(name)
		p, err := glob.Parse([]string{text}, glob.Options{Dir: "/w", Home: "/h"})
		if err != nil {
			if fault.CodeOf(err) != glob.CodePattern {
				t.Error(err)
			}
			return
		}
		p.Match(name, false)
		for _, root := range p.Roots() {
			if !strings.HasPrefix(root, "/") {
				t.Errorf("%q begins at %q", text, root)
			}
		}
	})
}
