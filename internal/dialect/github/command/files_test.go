package command_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/dialect/github/command"
)

func pairsText(pairs []command.Pair, err error) string {
	var b strings.Builder
	for _, p := range pairs {
		b.WriteString(p.Name + "=" + strings.ReplaceAll(strings.ReplaceAll(p.Value, "\n", `\n`), "\r", `\r`) + ";")
	}
	if err != nil {
		b.WriteString(" " + err.Error())
	}
	return b.String()
}

func TestPairs(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "",
		"a=b":                           "a=b;",
		"a=b\n\n\nc=d=e\n":              "a=b;c=d=e;",
		"a=\n":                          "a=;",
		" a =b ":                        " a =b ;",
		"a=b<<c\n":                      "a=b<<c;",
		"\ufeffa=b":                     "a=b;",
		"a=b\r\nc=d\r\n":                `a=b\r;c=d\r;`,
		"a<<EOF\none\ntwo\nEOF\nb=c":    `a=one\ntwo;b=c;`,
		"a<<EOF\nEOF\n":                 "a=;",
		"a<<EOF\n\nEOF\n":               "a=;",
		"a<<EOF\n\n\nEOF\n":             `a=\n;`,
		"a<<EOF\nx\nEOF":                "a=x;",
		"a<<EOF\nEOF \n EOF\nEOF\n":     `a=EOF \n EOF;`,
		"a<<E=F\nx=y\nE=F\n":            "a=x=y;",
		"a<<EOF\r\nx\r\nEOF\r\n":        `a=x\r;`,
		"a<<b<<c\nx\nb<<c\n":            "a=x;",
		"none":                          ` line 1: Invalid format 'none'`,
		"a=b\n=c\nd=e":                  `a=b; line 2: Invalid format '=c'. Name must not be empty`,
		"a<<\nx":                        ` line 1: Invalid format 'a<<'. Name must not be empty and delimiter must not be empty`,
		"<<EOF\nx\nEOF":                 ` line 1: Invalid format '<<EOF'. Name must not be empty and delimiter must not be empty`,
		"a=1\nb<<EOF\nx\ny":             `a=1; line 2: Invalid value. Matching delimiter not found 'EOF'`,
		"a<<E\n1\n2\nE\nbroken\nc=d":    `a=1\n2; line 5: Invalid format 'broken'`,
		"a<<EOF\nx\nEOF\r\n":            ` line 1: Invalid value. Matching delimiter not found 'EOF'`,
		strings.Repeat("x", 200) + "\n": ` line 1: Invalid format '` + strings.Repeat("x", 80) + `…'`,
	} {
		if got := pairsText(command.Pairs(text)); got != want {
			t.Errorf("%q:\n got %s\nwant %s", text, got, want)
		}
	}
}

// TestPairsReturn writes values as @actions/core does and reads them back.
func TestPairsReturn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		var want []command.Pair
		for range rapid.IntRange(0, 5).Draw(t, "n") {
			name := rapid.StringMatching(`[A-Za-z_][A-Za-z0-9_]{0,8}`).Draw(t, "name")
			value := rapid.StringMatching(`([a-z =<\n\r]|EOF){0,12}`).Draw(t, "value")
			text.WriteString(name + "<<ghadelimiter_1\n" + value + "\nghadelimiter_1\n")
			want = append(want, command.Pair{Name: name, Value: value})
		}
		got, err := command.Pairs(text.String())
		if err != nil || pairsText(got, nil) != pairsText(want, nil) {
			t.Fatalf("%q: %v %v, want %v", text.String(), got, err, want)
		}
	})
}

func TestPaths(t *testing.T) {
	got := strings.Join(command.Paths("\ufeff/a\n\n/b c\r\n/d"), "|")
	if got != "/a|/b c|/d" {
		t.Error(got)
	}
}

func TestCheckEnv(t *testing.T) {
	for name, bad := range map[string]bool{"NODE_OPTIONS": true, "node_options": true, "PATH": false, "GITHUB_TOKEN": false} {
		if (command.CheckEnv(name) != nil) != bad {
			t.Errorf("%s: %v", name, command.CheckEnv(name))
		}
	}
}

func FuzzPairs(f *testing.F) {
	for _, s := range []string{"a=b\n", "a<<EOF\nx\nEOF\n", "a<<\n", "=\n", "<<E", "a=b<<c", "\ufeff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		pairs, err := command.Pairs(text)
		for _, p := range pairs {
			if p.Name == "" || strings.Contains(p.Name, "\n") {
				t.Errorf("%q: the name %q", text, p.Name)
			}
			if !strings.Contains(text, p.Value) {
				t.Errorf("%q: the value %q is not in it", text, p.Value)
			}
		}
		if err != nil {
			form, ok := errors.AsType[*command.FormError](err)
			if !ok || form.Line < 1 || form.Line > strings.Count(text, "\n")+1 {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
}
