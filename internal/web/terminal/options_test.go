package terminal_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sluice-delivery/sluice/internal/web/terminal"
)

// TestAutoChooses plays a job in each world and looks at what was written where.
func TestAutoChooses(t *testing.T) {
	worlds := map[string]struct{ options, mode string }{
		"a person's terminal":                          {"size=80x24 TERM=xterm-256color", "tty colored"},
		"auto by name":                                 {"progress=auto color=auto size=80x24 TERM=xterm", "tty colored"},
		"a pipe":                                       {"TERM=xterm", "plain"},
		"a build machine's pseudo terminal":            {"size=80x24 TERM=xterm CI=true", "plain colored"},
		"CI that says no":                              {"size=80x24 TERM=xterm CI=false", "tty colored"},
		"a terminal that can't move":                   {"size=80x24 TERM=dumb", "plain"},
		"asked for, on a dumb terminal":                {"progress=tty size=80x24 TERM=dumb", "tty"},
		"asked for, into a pipe":                       {"progress=tty", "tty"},
		"plain on a terminal":                          {"progress=plain size=80x24 TERM=xterm", "plain colored"},
		"quiet on a terminal":                          {"progress=quiet size=80x24 TERM=xterm", "quiet colored"},
		"json on a terminal":                           {"progress=json size=80x24 TERM=xterm", "json"},
		"json knows no color":                          {"progress=json color=always", "json"},
		"NO_COLOR":                                     {"size=80x24 TERM=xterm NO_COLOR=1", "tty"},
		"an empty NO_COLOR":                            {"size=80x24 TERM=xterm NO_COLOR=", "tty colored"},
		"NO_COLOR=0 is still NO_COLOR":                 {"size=80x24 TERM=xterm NO_COLOR=0", "tty"},
		"NO_COLOR goes before CLICOLOR_FORCE":          {"NO_COLOR=1 CLICOLOR_FORCE=1", "plain"},
		"CLICOLOR=0":                                   {"size=80x24 TERM=xterm CLICOLOR=0", "tty"},
		"CLICOLOR=1 into a pipe":                       {"CLICOLOR=1", "plain"},
		"CLICOLOR_FORCE into a pipe":                   {"CLICOLOR_FORCE=1", "plain colored"},
		"CLICOLOR_FORCE=0 forces nothing":              {"CLICOLOR_FORCE=0", "plain"},
		"CLICOLOR_FORCE goes before CLICOLOR":          {"CLICOLOR=0 CLICOLOR_FORCE=1", "plain colored"},
		"CLICOLOR_FORCE on a dumb terminal":            {"size=80x24 TERM=dumb CLICOLOR_FORCE=1", "plain colored"},
		"--color=always goes before all":               {"color=always NO_COLOR=1 CLICOLOR=0 TERM=dumb", "plain colored"},
		"--color=never goes before all":                {"color=never size=80x24 TERM=xterm CLICOLOR_FORCE=1", "tty"},
		"color in quiet":                               {"progress=quiet color=always", "quiet colored"},
		"--progress=plain on a terminal without color": {"progress=plain size=80x24 NO_COLOR=1", "plain"},
	}
	for name, world := range worlds {
		t.Run(name, func(t *testing.T) {
			var out, errs string
			synctest.Test(t, func(t *testing.T) {
				options := optionsIn("options: " + world.options)
				p := newPlayer(options)
				var raw strings.Builder
				v, err := terminal.New(terminal.Options{
					Progress: options["progress"], Color: options["color"], Out: &p.out, Err: &raw,
					Env: func(name string) string { return options[name] },
					Size: func() (int, int, bool) {
						if p.screen == nil {
							return 0, 0, false
						}
						return p.screen.size()
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				if err := newScene(v).play("plan|a|b\nhead|ref=main\nbegin\nto|a|running\nout|a|hello\nwait|1s\nto|a|failed|exit=1\nclose|failed|took=1s"); err != nil {
					t.Fatal(err)
				}
				out, errs = p.out.String(), raw.String()
			})
			if got := modeOf(out, errs); got != world.mode {
				t.Errorf("%s: got %s, want %s\n%s", world.options, got, world.mode, errs)
			}
		})
	}
}

func modeOf(out, errs string) string {
	mode := "quiet"
	switch {
	case out != "":
		mode = "json"
		if errs != "" {
			mode = "json and more"
		}
	case strings.Contains(errs, "\x1b[?2026h"):
		mode = "tty"
	case strings.Contains(errs, "hello"):
		mode = "plain"
	}
	if strings.Contains(errs, "\x1b[31m") {
		mode += " colored"
	}
	return mode
}

func TestNewRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, o := range []terminal.Options{{Progress: "fancy"}, {Color: "sometimes"}} {
		if _, err := terminal.New(o); err == nil {
			t.Errorf("%+v: taken", o)
		}
	}
}

func TestQuietWantsNoLines(t *testing.T) {
	for mode, want := range map[string]bool{"plain": true, "tty": true, "json": true, "quiet": false} {
		v, err := terminal.New(terminal.Options{Progress: mode})
		if err != nil {
			t.Fatal(err)
		}
		if v.WantsLines() != want {
			t.Errorf("%s: %v", mode, !want)
		}
	}
}
