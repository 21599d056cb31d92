package command_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/command"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// seenText is what becomes of lines, one a line.
func seenText(l *command.Lens, lines ...string) string {
	var b strings.Builder
	for _, line := range lines {
		s := l.Line(program.Stdout, line)
		switch {
		case s.Keep:
			b.WriteString("keep")
		case s.Section != nil && s.Section.Start:
			b.WriteString("begin " + s.Section.Name + " " + s.Section.Header)
		case s.Section != nil:
			b.WriteString("end " + s.Section.Name)
		case s.Warning:
			b.WriteString("warn " + s.Show)
		case s.Show != "":
			b.WriteString("show " + strings.NewReplacer("\x1b[31m", "", "\x1b[35m", "", "\x1b[0m", "").Replace(s.Show))
		default:
			b.WriteString("gone")
		}
		if len(s.Mask) > 0 {
			fmt.Fprintf(&b, " mask %q", s.Mask)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestLens(t *testing.T) {
	for name, c := range map[string]struct {
		options command.Options
		lines   []string
		want    string
		failed  string
	}{
		"plain lines are kept": {lines: []string{"a", "", "a :: b", "##[x"}, want: "keep\nkeep\nkeep\nkeep\n"},
		"debug is shown where debugging is on": {
			options: command.Options{Debug: true}, lines: []string{"::debug::x", "::set-output name=a::b"},
			want: "show ##[debug]x\nwarn The `set-output` command is deprecated and will be disabled soon. Write to the file that $GITHUB_OUTPUT names instead. [SL1761]\n",
		},
		"echo shows commands": {
			lines: []string{"::set-output name=a::b", "::echo::on", "::set-output name=c::d", "::add-mask::secret", "::echo::off", "::set-output name=e::f", "::echo::maybe"},
			want: "warn The `set-output` command is deprecated and will be disabled soon. Write to the file that $GITHUB_OUTPUT names instead. [SL1761]\n" +
				"gone\nshow ::set-output name=c::d\nshow ::add-mask::*** mask [\"secret\"]\nshow ::echo::off\ngone\n" +
				"show Error: Unable to process command '::echo::maybe' successfully: echo is turned on or off, not \"maybe\" [SL1766]\n",
			failed: "SL1766",
		},
		"stop-commands stops all but its word": {
			lines: []string{"::stop-commands::w0rd", "::add-mask::x", "::error::x", "##[group]x", "::W0RD::", "::w0rd::", "::group::y"},
			want:  "keep\nkeep\nkeep\nkeep\nkeep\nkeep\nbegin f-1 y\n",
		},
		"stop-commands takes no word that output may hold": {
			lines: []string{"::stop-commands::", "::stop-commands::Error", "::stop-commands::pause-logging", "::debug::still at work"},
			want: "show Error: Unable to process command '::stop-commands::' successfully: the word that ends stop-commands must not be empty, pause-logging or the name of a command [SL1765]\n" +
				"show Error: Unable to process command '::stop-commands::Error' successfully: the word that ends stop-commands must not be empty, pause-logging or the name of a command [SL1765]\n" +
				"show Error: Unable to process command '::stop-commands::pause-logging' successfully: the word that ends stop-commands must not be empty, pause-logging or the name of a command [SL1765]\ngone\n",
			failed: "SL1765",
		},
		"unless the workflow lets it": {
			options: command.Options{AnyStop: true}, lines: []string{"::stop-commands::error", "::error::"}, want: "keep\nkeep\n",
		},
		"set-env and add-path are off": {
			lines: []string{"::set-env name=A::b", "::add-path::/x"},
			want: "show Error: Unable to process command '::set-env name=A::b' successfully: The `set-env` command is disabled: anything that writes to the output could use it. Write to the file that $GITHUB_ENV names instead, or set ACTIONS_ALLOW_UNSECURE_COMMANDS to true. [SL1762]\n" +
				"show Error: Unable to process command '::add-path::/x' successfully: The `add-path` command is disabled: anything that writes to the output could use it. Write to the file that $GITHUB_PATH names instead, or set ACTIONS_ALLOW_UNSECURE_COMMANDS to true. [SL1762]\n",
			failed: "SL1762",
		},
		"masks, line by line": {
			lines: []string{"::add-mask::one%0Atwo%0D%0A%0A", "::add-mask:: ", "::add-mask::"},
			want:  "gone mask [\"one\\ntwo\\r\\n\\n\" \"one\" \"two\"]\nwarn Can't add secret mask for empty string in ##[add-mask] command.\nwarn Can't add secret mask for empty string in ##[add-mask] command.\n",
		},
		"an end closes only a group of the step's own": {
			lines: []string{"::endgroup::", "::group::a", "::group::b", "##[endgroup]", "::endgroup::", "::endgroup::"},
			want:  "gone\nbegin f-1 a\nbegin f-2 b\nend f-2\nend f-1\ngone\n",
		},
		"what lacks something": {
			lines:  []string{"::set-output::x", "::save-state name=::x"},
			want:   "show Error: Unable to process command '::set-output::x' successfully: the property name is missing: ::set-output name=NAME::VALUE [SL1766]\nshow Error: Unable to process command '::save-state name=::x' successfully: the property name is missing: ::save-state name=NAME::VALUE [SL1766]\n",
			failed: "SL1766",
		},
	} {
		c.options.Fold = "f"
		l := command.NewLens(c.options)
		if got := seenText(l, c.lines...); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
		if failed := l.Said().Failed; (failed != "") != (c.failed != "") || !strings.Contains(failed, c.failed) {
			t.Errorf("%s: failed %q, want %q", name, failed, c.failed)
		}
	}
}

// TestHostile writes what untrusted output holds: nothing may come of it beyond masks, notes and folds of the step.
func TestHostile(t *testing.T) {
	l := command.NewLens(command.Options{Fold: "f"})
	for _, line := range []string{
		"::set-env name=PATH::/evil", "::add-path::/evil", "##[set-env name=LD_PRELOAD]/evil.so", "##[add-path]/evil",
		"::SET-ENV name=NODE_OPTIONS::--require=/evil.js", "  ::set-env name=A::b", "::internal-set-repo-path repoFullName=x,workspaceRepo=true::/",
		"::endgroup::", "##[endgroup]", "::end-group::", "\x1b]52;c;ZXZpbA==\x07", "section_end:1:step-1\r\x1b[0K",
		"::set-env name=A%0ALD_PRELOAD=x::b",
	} {
		s := l.Line(program.Stdout, line)
		if s.Section != nil || len(s.Mask) > 0 {
			t.Errorf("%q: %+v", line, s)
		}
	}
	said := l.Said()
	if len(said.Env) > 0 || len(said.Paths) > 0 || len(said.Outputs) > 0 || len(said.State) > 0 {
		t.Errorf("%+v", said)
	}
	if said.Failed == "" {
		t.Error("the step does not fail")
	}
}

func TestBounds(t *testing.T) {
	l := command.NewLens(command.Options{Fold: "f"})
	for i := range 12_000 {
		l.Line(program.Stdout, fmt.Sprintf("::add-mask::value number %d", i))
		l.Line(program.Stdout, "::group::never ended")
		l.Line(program.Stdout, "::notice::x")
		l.Line(program.Stdout, "::set-output name=a::"+strings.Repeat("x", 2000))
		l.Line(program.Stdout, "::add-matcher::x")
		l.Line(program.Stdout, strings.Repeat("y", 1000))
	}
	said := l.Said()
	if len(said.Masks) > 10_000 || len(said.Notes) > 1_000 || len(l.Open()) > 16 || len(said.Moves) > 200 || said.Lost == 0 {
		t.Errorf("%d masks, %d notes, %d folds, %d matchers, %d lost", len(said.Masks), len(said.Notes), len(l.Open()), len(said.Moves), said.Lost)
	}
	bytes := 0
	for _, h := range said.Held {
		bytes += len(h.Text)
	}
	for _, p := range said.Outputs {
		bytes += len(p.Value)
	}
	if bytes > 32<<20 {
		t.Errorf("%d bytes are held", bytes)
	}
}

func TestMatchersOfALens(t *testing.T) {
	all, err := command.ReadMatchers([]byte(eslint))
	if err != nil {
		t.Fatal(err)
	}
	l := command.NewLens(command.Options{Workspace: "/w", Matchers: all})
	got := seenText(l, "/w/a.js", "  1:2  error  \x1b[31mBad\x1b[0m  rule", "::remove-matcher owner=ESLint-Stylish::", "  3:4  error  Bad  rule")
	if want := "keep\nshow Error:   1:2  error  Bad  rule\ngone\nkeep\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// The two streams are matched apart.
	l = command.NewLens(command.Options{Workspace: "/w", Matchers: all})
	l.Line(program.Stdout, "/w/a.js")
	if s := l.Line(program.Stderr, "  1:2  error  Bad  rule"); !s.Keep {
		t.Errorf("%+v", s)
	}
}

func FuzzLens(f *testing.F) {
	f.Add("::group::a\n::error file=x,line=1::y\n::stop-commands::z\n::z::\n::add-mask::q\n", false)
	f.Add("::set-env name=A::b\n::add-path::c\n::endgroup::\n##[endgroup]\n", true)
	f.Fuzz(func(t *testing.T, output string, unsecure bool) {
		l := command.NewLens(command.Options{Fold: "f", Unsecure: unsecure})
		open := 0
		for line := range strings.SplitSeq(output, "\n") {
			s := l.Line(program.Stdout, line)
			if s.Section != nil && s.Section.Start {
				open++
			} else if s.Section != nil {
				open--
			}
			if open < 0 {
				t.Fatalf("%q ends a fold that it did not begin", line)
			}
		}
		said := l.Said()
		if !unsecure && (len(said.Env) > 0 || len(said.Paths) > 0) {
			t.Fatalf("%q sets %v %v", output, said.Env, said.Paths)
		}
		for _, p := range said.Env {
			if command.CheckEnv(p.Name) != nil {
				t.Fatalf("%q sets %v", output, p)
			}
		}
		if open != len(l.Open()) {
			t.Fatalf("%d folds are open, not %d", open, len(l.Open()))
		}
	})
}

func TestOtherStreamsPass(t *testing.T) {
	l := command.NewLens(command.Options{})
	if s := l.Line(program.Command, "::error::x"); !s.Keep || len(l.Said().Notes) > 0 {
		t.Errorf("%+v", s)
	}
}

func TestPlacesOfNotes(t *testing.T) {
	for line, want := range map[string]string{
		"::error file=a,line=3,endLine=5,col=1,endColumn=2::m": "a 3-5 0-0",
		"::error file=a,line=3,endLine=3,col=1,endColumn=2::m": "a 3-3 1-2",
		"::error file=a,endLine=4::m":                          "a 4-4 0-0",
		"::error file=a,line=5,endLine=4::m":                   "a 0-0 0-0",
		"::error file=a,col=4::m":                              "a 0-0 0-0",
		"::error file=a,line=1,col=4,endColumn=2::m":           "a 1-0 0-0",
		"::error file=a,line=x::m":                             "a 0-0 0-0",
		"::error file=/w/a/b,line=1::m":                        "a/b 1-0 0-0",
		"::error file=./a/../b,line=1::m":                      "b 1-0 0-0",
		"::error file=/etc/passwd,line=1::m":                   "/etc/passwd 1-0 0-0",
	} {
		l := command.NewLens(command.Options{Workspace: "/w"})
		l.Line(program.Stderr, line)
		n := l.Said().Notes[0]
		if got := fmt.Sprintf("%s %d-%d %d-%d", n.File, n.Line, n.EndLine, n.Column, n.EndColumn); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}
