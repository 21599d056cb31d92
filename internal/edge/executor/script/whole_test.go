package script_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/executor/script"
)

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		``:                                     nil,
		`  `:                                   nil,
		`bash --noprofile  -e {0}`:             {"bash", "--noprofile", "-e", "{0}"},
		`script -q -e -c "bash {0}" /dev/null`: {"script", "-q", "-e", "-c", "bash {0}", "/dev/null"},
		`a "" b`:                               {"a", "", "b"},
		`a b"c d"e`:                            {"a", "bc de"},
		`a "x ""y"" z"`:                        {"a", `x "y" z`},
		`a \"b`:                                {"a", `"b`},
		`a "\"b c\""`:                          {"a", `"b c"`},
		`C:\x\y "C:\a b\\"`:                    {`C:\x\y`, `C:\a b\`},
		`a 'b c'`:                              {"a", "'b", "c'"},
		"a\tb":                                 {"a", "b"},
		`"open and not closed`:                 {"open and not closed"},
		`end\`:                                 {`end\`},
		`pwsh -command ". '{0}'"`:              {"pwsh", "-command", ". '{0}'"},
		`perl -e "print \"{0}\"; if (1) {{ 1 }}" x`: {"perl", "-e", `print "{0}"; if (1) {{ 1 }}`, "x"},
	} {
		if got := script.Split(line); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestPlace(t *testing.T) {
	for words, want := range map[string]string{
		"": "/f x", "-u": "-u|/f x", "-u|{0}|b": "-u|/f x|b", "-c|. '{0}'": "-c|. '/f x'", "{{a}}|{0}": "{a}|/f x", "{{a}}": "{{a}}|/f x",
		"{0}{0}": "/f x/f x", "{1} {0}": "{1} /f x",
	} {
		var in []string
		if words != "" {
			in = strings.Split(words, "|")
		}
		if got := strings.Join(script.Place(in, "/f x"), "|"); got != want {
			t.Errorf("%s: %q, want %q", words, got, want)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(`a "b \"c" {0}`)
	f.Fuzz(func(t *testing.T, line string) {
		for _, w := range script.Split(line) {
			if len(w) > len(line) {
				t.Fatalf("%q grew to %q", line, w)
			}
		}
	})
}

// Programs in Python or YAML cannot be read without what begins their lines.
func TestWholeShowsIndents(t *testing.T) {
	s := script.Whole([]string{"if True:", "    print(1) \r", "\tend"}, false)
	if got := strings.Join(s.Echo, "|"); got != "if True:|    print(1)|\tend" {
		t.Errorf("%q", got)
	}
}
