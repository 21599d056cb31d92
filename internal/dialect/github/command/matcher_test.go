package command_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/command"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

func notes(all []program.Note) string {
	var out []string
	for _, n := range all {
		out = append(out, fmt.Sprintf("%s %s:%d:%d %s %q", n.Level, n.File, n.Line, n.Column, n.Title, n.Message))
	}
	return strings.Join(out, "\n")
}

// whole lets matchers look at every line.
func whole(all []*command.Matcher) []command.Span {
	var out []command.Span
	for _, m := range all {
		out = append(out, command.Span{Matcher: m, To: 1 << 30})
	}
	return out
}

func held(lines ...string) []command.Held {
	var out []command.Held
	for _, l := range lines {
		out = append(out, command.Held{Stream: program.Stdout, Text: l})
	}
	return out
}

const eslint = `{"problemMatcher":[{"owner":"eslint-stylish","pattern":[
 {"regexp":"^([^\\s].*)$","file":1},
 {"regexp":"^\\s+(\\d+):(\\d+)\\s+(error|warning|info)\\s+(.*)\\s\\s+(.*)$","line":1,"column":2,"severity":3,"message":4,"code":5,"loop":true}]}]}`

func TestMatching(t *testing.T) {
	for name, c := range map[string]struct {
		file  string
		lines []string
		want  string
	}{
		"one pattern, with color": {
			`{"problemMatcher":[{"owner":"gcc","pattern":[{"regexp":"^(.*):(\\d+):(\\d+):\\s+(warning|error):\\s+(.*)$","file":1,"line":2,"column":3,"severity":4,"message":5}]}]}`,
			[]string{"\x1b[1m/w/src/a.c:3:4:\x1b[0m error: no", "b.c:1:2: warning: hm", "nothing"},
			"error src/a.c:3:4  \"no\"\nwarning b.c:1:2  \"hm\"",
		},
		"a loop keeps the file of the first line, and a line that fits no more ends it": {
			eslint,
			[]string{"/w/test.js", "  1:0  error  Missing strict  strict", "  5:10  warning  unused  no-unused", "other.js", "", "  7:1  error  lost  x"},
			"error test.js:1:0 strict \"Missing strict\"\nwarning test.js:5:10 no-unused \"unused\"",
		},
		"a severity that GitHub does not know is no note": {eslint, []string{"a.js", "  1:2  info  fine  x"}, ""},
		"the default severity, and none is an error": {
			`{"problemMatcher":[{"owner":"a","severity":"Notice","pattern":[{"regexp":"^N (.*)$","message":1}]},{"owner":"b","pattern":[{"regexp":"^E (.*)$","message":1}]}]}`,
			[]string{"N note", "E error", "E  "},
			"notice :0:0  \"note\"\nerror :0:0  \"error\"",
		},
		"files from another path, and outside of the workspace": {
			`{"problemMatcher":[{"owner":"ms","pattern":[{"regexp":"^(.*)\\((\\d+)\\): (.*) \\[(.*)\\]$","file":1,"line":2,"message":3,"fromPath":4}]}]}`,
			[]string{"x.cs(3): bad [/w/proj/p.csproj]", "/etc/passwd(1): out [q]", "../../y(1): out [q]"},
			"error proj/x.cs:3:0  \"bad\"\nerror :1:0  \"out\"\nerror :1:0  \"out\"",
		},
		"JavaScript's escapes": {
			`{"problemMatcher":[{"owner":"u","pattern":[{"regexp":"^\\u2716\\_[^]\\/(.*)$","message":1}]}]}`,
			[]string{"✖_x/yes"},
			"error :0:0  \"yes\"",
		},
		"a line that is no number": {
			`{"problemMatcher":[{"owner":"u","pattern":[{"regexp":"^(.*)!(.*)!(.*)$","line":1,"column":2,"message":3}]}]}`,
			[]string{"-1!x!m", "999999999999999!2!m"},
			"error :0:0  \"m\"\nerror :0:0  \"m\"",
		},
	} {
		all, err := command.ReadMatchers([]byte(c.file))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := notes(command.Replay(held(c.lines...), whole(all), "/w")); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestMatcherMistakes(t *testing.T) {
	one := func(pattern string) string { return `{"problemMatcher":[{"owner":"o","pattern":[` + pattern + `]}]}` }
	for file, want := range map[string]string{
		`nonsense`:                            "is not the JSON",
		`{"problemMatcher":[{"pattern":[]}]}`: "no owner",
		`{"problemMatcher":[{"owner":"o"}]}`:  "no pattern",
		`{"problemMatcher":[{"owner":"o","severity":"fatal","pattern":[{"regexp":"a","message":0}]}]}`:                                   "severity",
		`{"problemMatcher":[{"owner":"o","pattern":[{"regexp":"a","message":0}]},{"owner":"O","pattern":[{"regexp":"a","message":0}]}]}`: "two matchers",
		one(`{"regexp":"a"}`):                                             "no pattern with message",
		one(`{"regexp":"a","message":1}`):                                 "message is group 1, and the pattern has 0",
		one(`{"regexp":"a","message":-1}`):                                "message is group -1",
		one(`{"regexp":"(a)","message":1},{"regexp":"b","message":0}`):    "message is set twice",
		one(`{"regexp":"a","message":0,"loop":true}`):                     "only the last of several",
		one(`{"regexp":"a","message":0,"loop":true},{"regexp":"b"}`):      "only the last of several",
		one(`{"regexp":"a","message":0},{"regexp":"b","loop":true}`):      "a pattern with loop must have message",
		one(`{"regexp":"(?=a)b","message":0}`):                            "does not work here",
		one(`{"regexp":"(a)\\1","message":0}`):                            "does not work here",
		one(`{"regexp":"a{9999}","message":0}`):                           "does not work here",
		one(`{"regexp":"` + strings.Repeat("a", 5000) + `","message":0}`): "5000 characters",
	} {
		if _, err := command.ReadMatchers([]byte(file)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %q", file, err, want)
		}
	}
	if all, err := command.ReadMatchers([]byte(`{}`)); err != nil || len(all) != 0 {
		t.Errorf("an empty file: %v %v", all, err)
	}
}

func TestWithAndWithout(t *testing.T) {
	read := func(owner string) []*command.Matcher {
		all, err := command.ReadMatchers([]byte(`{"problemMatcher":[{"owner":"` + owner + `","pattern":[{"regexp":"x","message":0}]}]}`))
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	all := command.With(command.With(command.With(nil, read("a")), read("b")), read("A"))
	if len(all) != 2 || all[0].Owner != "A" || all[1].Owner != "b" {
		t.Errorf("%v", all)
	}
	if all = command.Without(all, "B"); len(all) != 1 {
		t.Errorf("%v", all)
	}
}

func FuzzMatchers(f *testing.F) {
	f.Add(eslint, "a.js\n  1:2  error  m  c\n")
	f.Add(`{"problemMatcher":[{"owner":"o","pattern":[{"regexp":"[^]\\cA\\0\\u0041(","message":0}]}]}`, "x")
	f.Fuzz(func(t *testing.T, file, output string) {
		all, err := command.ReadMatchers([]byte(file))
		if err != nil {
			return
		}
		for _, n := range command.Replay(held(strings.Split(output, "\n")...), whole(all), "/w") {
			if strings.TrimSpace(n.Message) == "" || n.Line < 0 || strings.HasPrefix(n.File, "/") || strings.HasPrefix(n.File, "../") {
				t.Errorf("%+v", n)
			}
		}
	})
}
