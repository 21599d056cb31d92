package rubyre_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/rubyre"
)

// The patterns between slashes; the texts before the bar match, those behind it do not. Each row was written to what
// Ruby answers.
func TestMatch(t *testing.T) {
	for pattern, row := range map[string][2]string{
		`\Asrc/.*\.rb\z`:        {"src/a.rb src/a/b.rb", "a/src/a.rb src/a.rbx"},
		`\A(?!docs/)`:           {"src/a adocs/b docs", "docs/a docs/a/b"},
		`\.go\z`:                {"a.go", "a.gox ago"},
		`_spec\.rb\z`:           {"spec/a_spec.rb", "spec/a.rb"},
		`(?<!\.min)\.js\z`:      {"a.js min.js", "a.min.js"},
		`(?<=lib/)[a-c]+`:       {"lib/abc", "lib/d src/a"},
		`^a|b$`:                 {"ax xb b", "xa bx"},
		`(a|b)\1`:               {"aa xbb", "ab ba"},
		`(?<x>a|b)-\k<x>`:       {"a-a", "a-b"},
		`\Aa{2,3}\z`:            {"aa aaa", "a aaaa"},
		`\Aa{,2}b\z`:            {"b ab aab", "aaab"},
		`\Aa(?:b{2}?)c\z`:       {"ac abbc", "abc"},
		`\Ax(?i)b|c\z`:          {"xb xB xC", "c b Xb"},
		`\Aa{x}\z`:              {"a{x}", "ax"},
		`\A(?>a+)b\z`:           {"ab aab", "a"},
		`\Aa++a\z`:              {"", "aa aaa"},
		`\Aa+?b\z`:              {"ab aab", "b"},
		`(?i)readme`:            {"README ReadMe", "read"},
		`(?i:re)adme`:           {"REadme", "README"},
		`re(?i)ADME`:            {"readme reADME", "README"},
		`\A[[:upper:]_]+\z`:     {"ABC_D É", "Abc"},
		`\A[^/]+\z`:             {"a.b", "a/b"},
		`\A[a-z&&[^aeiou]]+\z`:  {"xyz", "xaz"},
		`\A[\w.-]+\z`:           {"a.b-c_9", "a/b é"},
		`\A[]a]+\z`:             {"a]", "b"},
		`\A\p{Alpha}+\z`:        {"aé", "a1"},
		`\A\P{Digit}\z`:         {"a", "1"},
		`\A\h+\z`:               {"09afAF", "g"},
		`\bfoo\b`:               {"foo a/foo.c", "foobar"},
		`\A\x61\u0062\u{63}\z`:  {"abc", "ab"},
		`(?x) a b # comment`:    {"ab", "a"},
		`\A(a*)*\z`:             {"aaa", "b"},
		`\A(?:a|ab)(?:c|bcd)\z`: {"abcd ac abc", "ad"},
		`\A(?=.*x)(?!.*y).+\z`:  {"axb", "axy ab"},
		`a(?#why)b`:             {"ab", "a"},
		`[[:alpha:]]-[\d-]`:     {"a-1 b--", "1-1"},
		`\Aa.c\z`:               {"abc aéc", "ac"},
	} {
		re, err := rubyre.Compile(pattern)
		if err != nil {
			t.Errorf("/%s/: %v", pattern, err)
			continue
		}
		for i, texts := range row {
			for _, text := range strings.Fields(texts) {
				if held, _, err := re.Match(text); err != nil || held != (i == 0) {
					t.Errorf("/%s/ and %q: %v %v", pattern, text, held, err)
				}
			}
		}
	}
}

func TestLines(t *testing.T) {
	for pattern, want := range map[string]bool{`^b$`: true, `\Ab`: false, `a.b`: false, `(?m)a.b`: true, `b\Z`: true, `b\z`: false} {
		re, err := rubyre.Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if held, _, _ := re.Match("a\nb\n"); held != want {
			t.Errorf("/%s/: %v", pattern, held)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, pattern := range []string{
		`(`, `)`, `a)`, `[`, `[a`, `*a`, `+`, `?`, `\`, `[z-a]`, `a{3,2}`, `(?<x`, `(?y)`, `\k<x>`, `(a)\2`, `\p{Nope}`, `\p`,
		`\xzz`, `\u{}`, `\K`, `(?<=a`, strings.Repeat("(", 60), strings.Repeat("a", 256), `[a&&`, `(?#`, `a{9999}`, `{2}`, `(?<x>a)\1`,
	} {
		if _, err := rubyre.Compile(pattern); err == nil {
			t.Errorf("/%s/ was taken", pattern)
		}
	}
}

func TestWorkIsBounded(t *testing.T) {
	for _, pattern := range []string{`\A(a+)+\z`, `\A(a|aa)*b`, `src/a{1,30}{1,30}{1,30}b`, `(a*)*(a*)*(a*)*b`, `(?<=a*a*a*)b`} {
		re, err := rubyre.Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		_, steps, err := re.Match("src/" + strings.Repeat("a", 3000) + "c")
		if steps > rubyre.MaxSteps || err != nil && !errors.Is(err, rubyre.ErrSteps) {
			t.Errorf("/%s/: %d steps, %v", pattern, steps, err)
		}
	}
	re, _ := rubyre.Compile(`\A(a+)+\z`)
	if _, _, err := re.Match(strings.Repeat("a", 60) + "b"); !errors.Is(err, rubyre.ErrSteps) {
		t.Errorf("a hopeless match ends with %v", err)
	}
	if _, _, err := re.Any([]string{"b", strings.Repeat("a", 60) + "b"}); !errors.Is(err, rubyre.ErrSteps) {
		t.Errorf("a hopeless list ends with %v", err)
	}
}

func FuzzCompile(f *testing.F) {
	for _, pattern := range []string{`\A(?!docs/).*`, `[a-z&&[^b]]{2,}?`, `(?<x>a)\k<x>(?i:b)|\p{Alpha}`, `(?<=a)b++\1()`} {
		f.Add(pattern, "docs/a.rb")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		re, err := rubyre.Compile(pattern)
		if err != nil {
			return
		}
		if len(text) > 200 {
			text = text[:200]
		}
		if _, steps, err := re.Match(text); steps > rubyre.MaxSteps || err != nil && !errors.Is(err, rubyre.ErrSteps) {
			t.Fatalf("/%s/ and %q: %d %v", pattern, text, steps, err)
		}
	})
}
