package command_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/command"
)

// written is a command as text: name, properties in order, data.
func written(c command.Command, ok bool) string {
	if !ok {
		return "no command"
	}
	var props []string
	for _, k := range slices.Sorted(maps.Keys(c.Props)) {
		props = append(props, k+"="+c.Props[k])
	}
	return fmt.Sprintf("%s{%s}%s", c.Name, strings.Join(props, "|"), c.Data)
}

func TestParse(t *testing.T) {
	for line, want := range map[string]string{
		"::error::it broke":                    "error{}it broke",
		"  \t::Error::it broke":                "error{}it broke",
		"x ::error::it broke":                  "no command",
		"::error file=a b.go,line=3::x":        "error{file=a b.go|line=3}x",
		"::error FILE=a::x":                    "error{file=a}x",
		"::error   file=a::x":                  "error{file=a}x",
		"::error file=a, line=3::x":            "error{ line=3|file=a}x",
		"::error file=,line::x":                "error{}x",
		"::error file=a%3Ab%2Cc%25::%250A%0Ax": "error{file=a:b,c%}%0A\nx",
		"::error file=a%0D%0A::x%0D%3A":        "error{file=a\r\n}x\r%3A",
		"::error title=a=b::x":                 "error{title=a=b}x",
		"::error::a::b":                        "error{}a::b",
		"::error:: x ":                         "error{} x ",
		"::error":                              "no command",
		"::error:x":                            "no command",
		"::unknown::x":                         "no command",
		"::internal-set-repo-path a=b::x":      "no command",
		"::::":                                 "no command",
		"::":                                   "no command",
		"":                                     "no command",
		"##[error]x":                           "error{}x",
		"time ##[warning file=a;line=2]x":      "warning{file=a|line=2}x",
		"##[group]a%5Db%3Bc":                   "group{}a]b;c",
		"##[error":                             "no command",
		"##[unknown]":                          "no command",
		"::debug::x##[error]y":                 "debug{}x##[error]y",
		"::unknown::##[error]y":                "error{}y",
		"::token::":                            "token{}",
		"::TOKEN::":                            "token{}",
		"::set-output name=a::b":               "set-output{name=a}b",
		"::stop-commands::abc":                 "stop-commands{}abc",
		"::add-matcher::.github/m.json":        "add-matcher{}.github/m.json",
		"::remove-matcher owner=x::":           "remove-matcher{owner=x}",
		"::group::":                            "group{}",
		"::endgroup::":                         "endgroup{}",
		"\u00a0::notice::after a non-breaking space": "notice{}after a non-breaking space",
	} {
		if got := written(command.Parse(line, "token")); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"::error file=a,line=3::x%0A", "##[warning a=b;c]x", "::stop-commands::x", " ::group::", "::", "##[", "::a b::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, ok := command.Parse(line, "")
		if !ok {
			return
		}
		if c.Name != strings.ToLower(c.Name) || c.Name == "" {
			t.Errorf("%q: the name %q", line, c.Name)
		}
		for k, v := range c.Props {
			if k == "" || v == "" {
				t.Errorf("%q: an empty property %q=%q", line, k, v)
			}
		}
	})
}
