package filter_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/dialect/github/filter"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func compile(t testing.TB, kind filter.Kind, patterns ...string) filter.List {
	t.Helper()
	var out filter.List
	for _, text := range patterns {
		p, f := filter.Compile(text, kind, nil)
		if p == nil {
			t.Fatalf("%s: %v", text, f)
		}
		out = append(out, p)
	}
	return out
}

// TestCheatSheet holds the examples of GitHub's filter pattern cheat sheet, and names beside them that do not fit.
func TestCheatSheet(t *testing.T) {
	cases := []struct {
		kind     filter.Kind
		patterns string
		yes, no  string
	}{
		{filter.Ref, "feature/*", "feature/my-branch feature/your-branch", "feature feature/a/b xfeature/a"},
		{filter.Ref, "feature/**", "feature/beta-a/my-branch feature/your-branch feature/mona/the/octocat", "feature"},
		{filter.Ref, "main", "main", "Main maint amain"},
		{filter.Ref, "releases/mona-the-octocat", "releases/mona-the-octocat", "releases"},
		{filter.Ref, "*", "main releases", "all/the/branches"},
		{filter.Ref, "**", "all/the/branches every/tag main", ""},
		{filter.Ref, "*feature", "mona-feature feature ver-10-feature", "feature-x a/feature"},
		{filter.Ref, "v2*", "v2 v2.0 v2.9", "v1 v2/x"},
		{filter.Ref, "v[12].[0-9]+.[0-9]+", "v1.10.1 v2.0.0", "v3.0.0 v1.0 v1..0 v1.0.0-rc"},
		{filter.Ref, "[CB]at", "Cat Bat", "at Hat"},
		{filter.Ref, "[1-2]00", "100 200", "300 00"},
		{filter.Ref, "Octo*", "Octocat Octo", "octocat"},
		{filter.Path, "*", "README.md server.rb", "a/b"},
		{filter.Path, "*.jsx?", "page.js page.jsx", "page.jsxx a/page.js page.j"},
		{filter.Path, "**", "all/the/files.md x", ""},
		{filter.Path, "*.js", "app.js index.js", "js/app.js"},
		{filter.Path, "**.js", "index.js js/index.js src/js/app.js", "index.jsx"},
		{filter.Path, "docs/*", "docs/README.md docs/file.txt", "docs/a/b docs x/docs/a"},
		{filter.Path, "docs/**", "docs/README.md docs/mona/octocat.txt", "docs x/docs/a"},
		{filter.Path, "docs/**/*.md", "docs/README.md docs/mona/hello-world.md docs/a/markdown/file.md", "docs.md docs/a/file.txt"},
		{filter.Path, "**/docs/**", "docs/hello.md dir/docs/my-file.txt space/docs/plan/space.doc", "mydocs/a docs"},
		{filter.Path, "**/README.md", "README.md js/README.md", "XREADME.md"},
		{filter.Path, "**/*src/**", "a/src/app.js my-src/code/js/app.js", "src srcs/a"},
		{filter.Path, "**/*-post.md", "my-post.md path/their-post.md", "post.md"},
		{filter.Path, "**/migrate-*.sql", "migrate-10909.sql db/migrate-v1.0.sql db/sept/migrate-v1.sql", "xmigrate-1.sql"},
		{filter.Path, "*.md !README.md", "hello.md", "README.md docs/hello.md"},
		{filter.Path, "*.md !README.md README*", "hello.md README.md README.doc", "docs/hello.md"},
		{filter.Path, "!README.md", "", "README.md other"},
		{filter.Path, `a\*b\[c\]\?\+\\`, `a*b[c]?+\`, `axb[c]?+\`},
		{filter.Path, `\!x`, "!x", "x"},
		{filter.Path, "a!b", "a!b", "ab"},
		{filter.Path, "sub/**/a/**/b", "sub/a/b sub/x/a/b sub/x/y/a/z/b", "sub/a/xb suba/b"},
		{filter.Path, "ü?x", "üx x", "ux"},
	}
	for _, c := range cases {
		list := compile(t, c.kind, strings.Fields(c.patterns)...)
		for _, name := range strings.Fields(c.yes) {
			if ok, at := list.Match(name); !ok || at < 0 || list[at].Negated() {
				t.Errorf("%s does not match %s (%d)", c.patterns, name, at)
			}
		}
		for _, name := range strings.Fields(c.no) {
			if ok, at := list.Match(name); ok {
				t.Errorf("%s matches %s, because of %d", c.patterns, name, at)
			}
		}
	}
}

func TestListSaysWhichPatternDecides(t *testing.T) {
	list := compile(t, filter.Path, "**", "!docs/**", "docs/keep/**")
	for name, want := range map[string]struct {
		ok bool
		at int
	}{"main.go": {true, 0}, "docs/a": {false, 1}, "docs/keep/a": {true, 2}} {
		if ok, at := list.Match(name); ok != want.ok || at != want.at {
			t.Errorf("%s: %v %d", name, ok, at)
		}
	}
	if ok, at := compile(t, filter.Path, "!x").Match("x"); ok || at != -1 {
		t.Error("a negated pattern alone decides", ok, at)
	}
}

func TestPathsAskForOneFileAndPathsIgnoreForAll(t *testing.T) {
	docs := compile(t, filter.Path, "docs/**")
	if ok, at := docs.Any([]string{"main.go", "docs/a"}); !ok || at != 1 {
		t.Error("paths:", ok, at)
	}
	if ok, at := docs.Any([]string{"main.go"}); ok || at != -1 {
		t.Error("paths:", ok, at)
	}
	if ok, at := docs.All([]string{"docs/a", "docs/b"}); !ok || at != -1 {
		t.Error("paths-ignore:", ok, at)
	}
	if ok, at := docs.All([]string{"docs/a", "main.go"}); ok || at != 1 {
		t.Error("paths-ignore:", ok, at)
	}
}

func TestMistakesArePlaced(t *testing.T) {
	cases := []struct {
		kind         filter.Kind
		pattern      string
		code         string
		column       int
		usable, none bool
	}{
		{filter.Ref, "", filter.CodePattern, 1, false, false},
		{filter.Ref, "!", filter.CodePattern, 1, false, false},
		{filter.Ref, "?x", filter.CodePattern, 1, false, false},
		{filter.Ref, "a*+", filter.CodePattern, 3, false, false},
		{filter.Ref, "a++", filter.CodePattern, 3, false, false},
		{filter.Ref, "a[0-9", filter.CodePattern, 2, false, false},
		{filter.Ref, "a[]", filter.CodePattern, 2, false, false},
		{filter.Ref, "a[0-]", filter.CodePattern, 2, false, false},
		{filter.Ref, "a[9-0]", filter.CodePattern, 2, false, false},
		{filter.Ref, "a[!-/]", filter.CodePattern, 2, false, false},
		{filter.Ref, "a\nb", filter.CodePattern, 2, false, false},
		{filter.Ref, "^main$", filter.CodeRef, 1, true, false},
		{filter.Ref, "my branch", filter.CodeRef, 3, true, false},
		{filter.Ref, "v1..2", filter.CodeRef, 1, true, false},
		{filter.Ref, "feature/", filter.CodeRef, 8, true, false},
		{filter.Ref, "!/main", filter.CodeRef, 2, true, false},
		{filter.Ref, "refs/heads/main", filter.CodeRef, 1, true, false},
		{filter.Ref, `v\d`, filter.CodePattern, 2, true, false},
		{filter.Ref, "[^a]b", filter.CodePattern, 2, true, false},
		{filter.Ref, "main", "", 0, true, true},
		{filter.Ref, "[a]", filter.CodePattern, 1, true, false},
		{filter.Path, "a/../b", filter.CodePath, 1, true, false},
		{filter.Path, ".", filter.CodePath, 1, true, false},
		{filter.Path, " a", filter.CodePath, 1, true, false},
		{filter.Path, "./src/**", filter.CodePath, 1, true, false},
		{filter.Path, "/src/**", filter.CodePath, 1, true, false},
		{filter.Path, "!src/", filter.CodePath, 5, true, false},
		{filter.Path, "my file.txt", "", 0, true, true},
		{filter.Path, "src/**", "", 0, true, true},
		{filter.Name, "Build and test", "", 0, true, true},
	}
	at := func(offset int) fault.Place { return fault.Place{File: "ci.yml", Line: 3, Column: offset + 1} }
	for _, c := range cases {
		p, f := filter.Compile(c.pattern, c.kind, at)
		if (p != nil) != c.usable || (f == nil) != c.none {
			t.Errorf("%q: pattern %v, fault %v", c.pattern, p != nil, f)
			continue
		}
		if f == nil {
			continue
		}
		if f.Code != c.code || f.Place.Column != c.column || (f.Severity == fault.Warning) != c.usable {
			t.Errorf("%q: %v", c.pattern, f)
		}
	}
}

func TestQuoteMatchesTheNameOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a!*?+\[\]\\/é.]{1,8}`).Draw(t, "name")
		other := rapid.StringMatching(`[a!*?+\[\]\\/é.]{1,8}`).Draw(t, "other")
		p, f := filter.Compile(filter.Quote(name), filter.Path, nil)
		if p == nil {
			t.Fatal(f)
		}
		if !p.Match(name) || p.Match(other) != (name == other) || p.Negated() {
			t.Fatalf("%q is quoted as %q", name, filter.Quote(name))
		}
	})
}

// slow is the rule of the cheat sheet, read from the pattern itself, by trying everything.
func slow(pattern, name string) bool {
	if pattern == "" {
		return name == ""
	}
	var fits func(rune) bool
	item := 1
	switch {
	case strings.HasPrefix(pattern, "*"):
		rest := strings.TrimLeft(pattern, "*")
		for i := 0; i <= len(name); i++ {
			if len(pattern)-len(rest) == 1 && strings.Contains(name[:i], "/") {
				break
			}
			if slow(rest, name[i:]) {
				return true
			}
		}
		return false
	case pattern[0] == '[':
		item = strings.IndexByte(pattern, ']') + 1
		set := pattern[1 : item-1]
		fits = func(r rune) bool {
			for i := 0; i < len(set); i++ {
				if i+2 < len(set) && set[i+1] == '-' {
					if r >= rune(set[i]) && r <= rune(set[i+2]) {
						return true
					}
					i += 2
				} else if r == rune(set[i]) {
					return true
				}
			}
			return false
		}
	case pattern[0] == '\\':
		item = 2
		fits = func(r rune) bool { return r == rune(pattern[1]) }
	default:
		fits = func(r rune) bool { return r == rune(pattern[0]) }
	}
	rest := pattern[item:]
	first := name != "" && fits(rune(name[0]))
	switch {
	case strings.HasPrefix(rest, "?"):
		return slow(rest[1:], name) || first && slow(rest[1:], name[1:])
	case strings.HasPrefix(rest, "+"):
		return first && (slow(rest[1:], name[1:]) || slow(pattern, name[1:]))
	}
	return first && slow(rest, name[1:])
}

func TestMatchAgreesWithTryingEverything(t *testing.T) {
	items := []string{"a", "b", "/", "*", "**", "[ab]", "[a-c]", "a?", "b+", "[ab]+", "[ab]?", `\*`, "c"}
	rapid.Check(t, func(t *rapid.T) {
		pattern := strings.Join(rapid.SliceOfN(rapid.SampledFrom(items), 1, 7).Draw(t, "items"), "")
		if strings.Contains(pattern, "**/") {
			t.Skip() // has a test of its own
		}
		p, f := filter.Compile(pattern, filter.Path, nil)
		if p == nil {
			t.Fatalf("%q: %v", pattern, f)
		}
		name := rapid.StringMatching(`[abc/*]{0,9}`).Draw(t, "name")
		if p.Match(name) != slow(pattern, name) {
			t.Fatalf("%q with %q: %v", pattern, name, p.Match(name))
		}
	})
}

func TestFoldersAgreeWithTryingEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "**", "*", "a*", "b"}), 2, 5).Draw(t, "parts")
		for i := len(parts) - 1; i > 0; i-- {
			if parts[i] == "**" && parts[i-1] == "**" {
				parts = append(parts[:i], parts[i+1:]...)
			}
		}
		if parts[len(parts)-1] == "**" { // means all that is below, and not the folder itself
			parts = parts[:len(parts)-1]
		}
		pattern := strings.Join(parts, "/")
		if pattern == "" {
			t.Skip()
		}
		p, f := filter.Compile(pattern, filter.Path, nil)
		if p == nil {
			t.Fatalf("%q: %v", pattern, f)
		}
		name := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "ab"}), 1, 5).Draw(t, "name"), "/")
		if p.Match(name) != bySegments(parts, strings.Split(name, "/")) {
			t.Fatalf("%q with %q: %v", pattern, name, p.Match(name))
		}
	})
}

// bySegments matches folder by folder.
func bySegments(parts, name []string) bool {
	switch {
	case len(parts) == 0:
		return len(name) == 0
	case parts[0] == "**":
		return bySegments(parts[1:], name) || len(name) > 0 && bySegments(parts, name[1:])
	case len(name) == 0:
		return false
	}
	return slow(parts[0], name[0]) && bySegments(parts[1:], name[1:])
}

// TestLongNamesAndPatternsTakeNoTime would not end if matching tried everything.
func TestLongNamesAndPatternsTakeNoTime(t *testing.T) {
	p := compile(t, filter.Path, strings.Repeat("**/a*a+a?", 200)+"x")[0]
	if p.Match(strings.Repeat("a/", 2000)) {
		t.Error("matches")
	}
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"main", "**/*.js", "v[0-9]+.*", "!docs/**", `\*`, "[", "a?b+", "é*", "refs/heads/x", "\xff["} {
		f.Add(seed, "docs/a.js")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		for _, kind := range []filter.Kind{filter.Ref, filter.Path, filter.Name} {
			p, fault := filter.Compile(pattern, kind, nil)
			if p == nil && (fault == nil || fault.Severity != "error") {
				t.Fatal("no pattern and no error")
			}
			if p != nil {
				filter.List{p}.Match(name)
			}
		}
	})
}
