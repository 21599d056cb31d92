package pattern_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/pattern"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"pgregory.net/rapid"
)

var nowhere fault.Place

func glob(t testing.TB, text string) *pattern.Glob {
	t.Helper()
	g, f := pattern.Compile(text, nowhere)
	if f != nil {
		t.Fatal(f)
	}
	return g
}

func TestGlobAsDocumented(t *testing.T) {
	for name, row := range map[string]struct{ glob, yes, no string }{
		"a file at the top":                     {"Dockerfile", "Dockerfile", "x/Dockerfile Dockerfile.dev"},
		"one folder":                            {"docker/scripts/*", "docker/scripts/run docker/scripts/.env", "docker/scripts/a/run docker/scripts"},
		"a folder and all below":                {"dockerfiles/**/*", "dockerfiles/a dockerfiles/x/y/z dockerfiles/.x/.y", "dockerfiles other/dockerfiles/a"},
		"trailing ** is one level":              {"docs/**", "docs/a docs/.b", "docs/a/b docs"},
		"several extensions":                    {"more_scripts/*.{rb,py,sh}", "more_scripts/a.rb more_scripts/.sh", "more_scripts/a.go more_scripts/x/a.rb"},
		"everywhere":                            {"**/*.json", "a.json x/a.json x/y/.json", "a.jsonx json"},
		"only at the top":                       {"*.json", "a.json .json", "x/a.json"},
		"** inside a level is *":                {"a**b/c", "ab/c axxb/c", "a/x/b/c"},
		"class":                                 {"[a-c]?.md", "a1.md cx.md", "d1.md a/.md a.md"},
		"negated class does not cross a folder": {"a[!x]b", "ayb", "a/b axb"},
		"leading ./ matches nothing":            {"./a", "", "a ./x"},
		"leading / matches nothing":             {"/*.go", "", "main.go cmd/main.go"},
		"braces over levels":                    {"{src,test/**}/*.c", "src/a.c test/a.c test/x/a.c", "src/x/a.c test.c"},
		"nested braces":                         {"{a,b{c,d}}", "a bc bd", "b ac"},
		"an open brace matches nothing":         {"{a,b", "", "a b {a,b"},
		"an open class matches nothing":         {"[ab", "", "a b [ab"},
		"escapes":                               {`\*\{a\}`, "*{a}", `a *a \*{a}`},
	} {
		t.Run(name, func(t *testing.T) {
			g := glob(t, row.glob)
			for _, p := range strings.Fields(row.yes) {
				if !g.Match(p) {
					t.Errorf("%s does not match %s", row.glob, p)
				}
			}
			for _, p := range strings.Fields(row.no) {
				if g.Match(p) {
					t.Errorf("%s matches %s", row.glob, p)
				}
			}
		})
	}
}

func TestLimits(t *testing.T) {
	for name, text := range map[string]string{"braces multiply": strings.Repeat("{a,b}", 11), "braces and an open one": strings.Repeat("{,}", 600) + "{", "long alternatives": "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}" + strings.Repeat("x", 1200), "long": strings.Repeat("a", pattern.MaxGlob+1)} {
		g, f := pattern.Compile(text, nowhere)
		if g != nil || f == nil || f.Code != pattern.CodeSize || f.Severity != fault.Error {
			t.Errorf("%s: %v", name, f)
		}
	}
	if _, f := pattern.Compile(strings.Repeat("{a,b}", 10), nowhere); f != nil {
		t.Errorf("1024 alternatives: %v", f)
	}
}

// Patterns that make a backtracking matcher hang end at once here; the test's own time limit is the assertion.
func TestHostilePatternsEnd(t *testing.T) {
	long := strings.Repeat("a", 2000)
	for _, text := range []string{strings.Repeat("*a", 500) + "*b", strings.Repeat("**/", 500) + "b", strings.Repeat("**/a*/", 300) + "b", strings.Repeat("?*", 1000) + "b"} {
		g := glob(t, text)
		for _, file := range []string{long, strings.Repeat("aaa/", 500) + "a", strings.Repeat("a/", 1000)} {
			if g.Match(file) {
				t.Errorf("%.20s matches %.20s", text, file)
			}
		}
	}
}

func TestChanged(t *testing.T) {
	globs := []*pattern.Glob{glob(t, "a/*"), glob(t, "**/*.go")}
	if g, p, ok := pattern.Changed(globs, []string{"README", "x/y.go", "a/b"}); !ok || g != "**/*.go" || p != "x/y.go" {
		t.Errorf("%q %q %v", g, p, ok)
	}
	if _, _, ok := pattern.Changed(globs, []string{"README"}); ok {
		t.Error("matched nothing")
	}
	if _, _, ok := pattern.Changed(nil, []string{"README"}); ok {
		t.Error("no glob matched")
	}
	if g, _, ok := pattern.Changed(globs, make([]string, pattern.MaxComparisons/2+1)); !ok || g != "" {
		t.Error("too many comparisons do not count as a match")
	}
	if _, _, ok := pattern.Changed(globs, make([]string, pattern.MaxComparisons/2)); ok {
		t.Error("the limit is one too low")
	}
}

func TestExists(t *testing.T) {
	files := []string{"Dockerfile", "a/b.go", "z"}
	for text, want := range map[string]string{
		"Dockerfile": "Dockerfile", "*/*.go": "a/b.go", "missing": "", "*.go": "", "[!a]": "z",
		"a/": "a/", "a": "", "z/": "", "/": "", "b/": "", "*/": "a/", "**/": "a/", "a/b.go/": "", "[b-z]/": "",
	} {
		if _, got, ok := pattern.Exists([]*pattern.Glob{glob(t, "none/*"), glob(t, text)}, files); got != want || ok != (want != "") {
			t.Errorf("%s: %q %v", text, got, ok)
		}
	}
	many := make([]string, pattern.MaxComparisons+1)
	if _, _, ok := pattern.Exists([]*pattern.Glob{glob(t, "none")}, many); ok {
		t.Error("a name needs no comparison")
	}
	if _, _, ok := pattern.Exists([]*pattern.Glob{glob(t, "x*")}, many); !ok {
		t.Error("too many comparisons do not count as a match")
	}
	if _, _, ok := pattern.Exists([]*pattern.Glob{glob(t, "x*")}, many[1:]); ok {
		t.Error("the limit is one too low")
	}
}

var pieces = rapid.SampledFrom([]string{"a", "b", "ab", "*", "?", "/", ".", "[ab]", "[a-c]", "é", "x"})

// The naive reference is a regular expression, made level by level.
func TestPropertyGlobIsItsRegularExpression(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		levels := rapid.SliceOfN(rapid.OneOf(rapid.Just("**"), rapid.Map(rapid.SliceOfN(pieces, 1, 4), func(s []string) string { return strings.ReplaceAll(strings.Join(s, ""), "/", "") })), 1, 4).Draw(t, "levels")
		name := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "/", ".", "é", "ab", "x"}), 0, 8).Draw(t, "path"), "")
		var re strings.Builder
		for i, l := range levels {
			if l == "**" && i < len(levels)-1 {
				re.WriteString(`([^/]*/)*`)
				continue
			}
			l = regexp.MustCompile(`\*+`).ReplaceAllString(strings.ReplaceAll(l, ".", `\.`), "[^/]*")
			re.WriteString(strings.ReplaceAll(l, "?", "[^/]"))
			if i < len(levels)-1 {
				re.WriteString("/")
			}
		}
		text := strings.Join(levels, "/")
		g, f := pattern.Compile(text, nowhere)
		if f != nil {
			t.Fatal(f)
		}
		if got, want := g.Match(name), regexp.MustCompile("^("+re.String()+")$").MatchString(name); got != want {
			t.Fatalf("%q on %q: %v, want %v (%s)", text, name, got, want, &re)
		}
	})
}

func TestRefs(t *testing.T) {
	main := pattern.Facts{Ref: "main", Source: "push", Project: "g/p"}
	tag := pattern.Facts{Ref: "v1.0", Tag: true, Source: "push", Project: "g/p"}
	merge := pattern.Facts{Ref: "refs/merge-requests/1/head", Merge: true, Source: "merge_request_event", Project: "g/p"}
	child := pattern.Facts{Ref: "main", Merge: true, Source: "parent_pipeline", Project: "g/p"}
	from := func(source string) pattern.Facts { return pattern.Facts{Ref: "main", Source: source, Project: "g/p"} }
	for _, row := range []struct {
		name, ref string
		yes, no   []pattern.Facts
	}{
		{"a name", "main", []pattern.Facts{main, from("schedule")}, []pattern.Facts{tag, merge, child}},
		{"a name of a tag", "v1.0", []pattern.Facts{tag}, []pattern.Facts{main}},
		{"a name is no prefix", "mai", nil, []pattern.Facts{main}},
		{"branches", "branches", []pattern.Facts{main, from("web")}, []pattern.Facts{tag, merge, child}},
		{"tags", "tags", []pattern.Facts{tag}, []pattern.Facts{main, merge}},
		{"pushes", "pushes", []pattern.Facts{main, tag}, []pattern.Facts{merge, from("web")}},
		{"merge_requests", "merge_requests", []pattern.Facts{merge}, []pattern.Facts{main, child}},
		{"not the event", "merge_request_events", nil, []pattern.Facts{merge}},
		{"the singular too", "merge_request", []pattern.Facts{merge}, []pattern.Facts{main}},
		{"external_pull_requests", "external_pull_requests", []pattern.Facts{from("external_pull_request_event")}, []pattern.Facts{main}},
		{"schedules", "schedules", []pattern.Facts{from("schedule")}, []pattern.Facts{main}},
		{"triggers", "triggers", []pattern.Facts{from("trigger")}, []pattern.Facts{main}},
		{"pipelines", "pipelines", []pattern.Facts{from("pipeline")}, []pattern.Facts{main, from("parent_pipeline")}},
		{"api", "api", []pattern.Facts{from("api")}, []pattern.Facts{main}},
		{"web", "web", []pattern.Facts{from("web")}, []pattern.Facts{main, from("webide")}},
		{"chat", "chat", []pattern.Facts{from("chat")}, []pattern.Facts{main}},
		{"external", "external", []pattern.Facts{from("external")}, []pattern.Facts{main}},
		{"policies", "security_orchestration_policies", []pattern.Facts{from("security_orchestration_policy")}, []pattern.Facts{main}},
		{"a pattern", "/^ma/", []pattern.Facts{main}, []pattern.Facts{tag, merge, child}},
		{"a pattern is searched for", "/ain/", []pattern.Facts{main}, []pattern.Facts{tag}},
		{"a pattern with a flag", "/^MAIN$/i", []pattern.Facts{main}, []pattern.Facts{tag}},
		{"a pattern of one character", "/v/", []pattern.Facts{tag}, []pattern.Facts{main}},
		{"a pattern for a tag", `/^v\d+\.\d+$/`, []pattern.Facts{tag}, []pattern.Facts{main}},
		{"the project", "main@g/p", []pattern.Facts{main}, []pattern.Facts{tag, {Ref: "main", Source: "push", Project: "g/fork"}}},
		{"a keyword and the project", "branches@g/p", []pattern.Facts{main}, []pattern.Facts{tag, {Ref: "main", Source: "push", Project: "g/fork"}}},
		{"a pattern and the project", "/^m/@g/p", []pattern.Facts{main}, []pattern.Facts{{Ref: "main", Source: "push", Project: "g/fork"}}},
		{"another project", "main@some/fork", nil, []pattern.Facts{main}},
		{"a hexadecimal at", `/^a\x40b$/`, []pattern.Facts{{Ref: "a@b", Source: "push"}}, []pattern.Facts{main}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, f := pattern.CompileRef(row.ref, nowhere)
			if f != nil {
				t.Fatal(f)
			}
			for _, facts := range row.yes {
				if _, ok := (pattern.Refs{r}).Match(facts); !ok {
					t.Errorf("%s does not fit %+v", row.ref, facts)
				}
			}
			for _, facts := range row.no {
				if r.Match(facts) {
					t.Errorf("%s fits %+v", row.ref, facts)
				}
			}
		})
	}
}

func TestRefMistakes(t *testing.T) {
	for text, want := range map[string]string{`/^(?!main).+/`: pattern.CodeRef, `/a(/`: pattern.CodeRef, `/a(/@g/p`: pattern.CodeRef} {
		if r, f := pattern.CompileRef(text, nowhere); r != nil || f == nil || f.Code != want || f.Severity != fault.Error {
			t.Errorf("%s: %v", text, f)
		}
	}
	r, f := pattern.CompileRef(`/^a@b$/`, nowhere)
	if f == nil || f.Code != pattern.CodeRefPath || f.Severity != fault.Warning || r == nil {
		t.Fatalf("%v %v", r, f)
	}
	if r.Match(pattern.Facts{Ref: "a@b", Source: "push"}) {
		t.Error("the @ was taken as a part of the ref")
	}
}

func TestEveryCodeIsExplained(t *testing.T) {
	for _, code := range []string{pattern.CodeGlob, pattern.CodeSize, pattern.CodeRef, pattern.CodeRefPath} {
		if !slices.ContainsFunc(pattern.Docs, func(d fault.Doc) bool { return d.Code == code && d.Summary != "" && d.Text != "" }) {
			t.Errorf("%s has no explanation", code)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	g := glob(b, "src/**/*.{go,mod}")
	for b.Loop() {
		g.Match("src/internal/dialect/gitlab/pattern/glob.go")
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{"**/*.{a,b}", "[a-", "{{,}", `\`, "a/**/b/../c", "[!]]", "é*[à-ü]?", "a/**/**", "***/**a/**"} {
		f.Add(s, "a/b.c")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		if g, fault := pattern.Compile(text, nowhere); fault == nil {
			g.Match(name)
			if pattern.Literal(text) && !strings.Contains(text, `\`) && g.Match(name) != (text == name) {
				t.Fatalf("the name %q on %q: %v", text, name, g.Match(name))
			}
		}
		if r, _ := pattern.CompileRef(text, nowhere); r != nil {
			r.Match(pattern.Facts{Ref: name, Source: name})
		}
	})
}
