package executortest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// programs holds Exec.Argv: a program is started as it is, with its arguments as they are.
func programs(t *testing.T, h *Harness) {
	host := h.Open(t, nil)
	for name, c := range map[string]struct {
		argv []string
		exit int
		want string // everything that was written
	}{
		"a program of the PATH":           {[]string{"cat", "readme"}, 0, "stdout \"" + strings.TrimSpace(File) + "\\n\"\n"},
		"its arguments are not a shell's": {[]string{"printf", "[%s]", "$HOME", "a'b", `"`, "x\ny", "*", ""}, 0, "stdout \"[$HOME][a'b][\\\"][x\\ny][*][]\"\n"},
		"its exit code":                   {[]string{"sh", "-c", "echo $0 $1; exit 4", "a b", "c"}, 4, "stdout \"a b c\\n\"\n"},
		"ended by a signal":               {[]string{"sh", "-c", "kill -9 $$"}, 137, ""},
		"no input":                        {[]string{"cat"}, 0, ""},
		"both streams":                    {[]string{"sh", "-c", "echo out; sleep 0.2; echo err >&2"}, 0, "stdout \"out\\n\"\nstderr \"err\\n\"\n"},
		"by its path":                     {[]string{"/bin/sh", "-c", "exit 3"}, 3, ""},
		"a program of the project":        {[]string{"./tool", "x"}, 0, "stdout \"tool x\\n\"\n"},
	} {
		if name == "a program of the project" {
			h.must(t, host, `printf '#!/bin/sh\necho tool "$@"\n' >tool; chmod +x tool`)
		}
		exit, r, err := h.exec(t, host, program.Exec{Argv: c.argv, Lines: []string{"not used"}, Shell: "not-used"})
		if err != nil || exit != c.exit || r.String() != c.want {
			t.Errorf("%s: exit %d, %v; got\n%swant\n%s", name, exit, err, r, c.want)
		}
	}
	absent(t, h, host, program.Exec{Argv: []string{"no-such-program-here", "x"}})
	m := mark(t)
	if _, _, err := h.exec(t, host, program.Exec{Argv: []string{"sleep", m}, Timeout: 200 * time.Millisecond}); failureOf(err) != program.ExecutionTimeout {
		t.Errorf("a program over its time: %v", err)
	}
	if left := alive(m); len(left) > 0 {
		t.Errorf("still there: %q", left)
	}
}

// absent runs what is not there: an error says so, or the exit code of a shell.
func absent(t *testing.T, h *Harness, host program.Host, e program.Exec) {
	t.Helper()
	if exit, _, err := h.exec(t, host, e); failureOf(err) != program.UnmetPrerequisites && (err != nil || exit != 127) {
		t.Errorf("a program that is not there: exit %d, %v", exit, err)
	}
}

func failureOf(err error) program.Failure {
	if e, ok := errors.AsType[*program.Error](err); ok {
		return e.Failure
	}
	return ""
}

// ownShells holds Exec.Shell with arguments: {0} in them is the script's file, Exec.Ext ends its name, and double quotes
// keep a word together.
func ownShells(t *testing.T, h *Harness) {
	host := h.Open(t, nil)
	for name, c := range map[string]struct {
		e    program.Exec
		exit int
		want string
	}{
		"all commands are told before": {
			program.Exec{Shell: "sh -e {0}", Lines: []string{"echo a", "false\ntrue", "echo b"}},
			1,
			"command \"echo a\"\ncommand \"false # collapsed multi-line command\"\ncommand \"echo b\"\nstdout \"a\\n\"\n",
		},
		"quiet":                        {program.Exec{Shell: "sh {0}", Lines: []string{"echo a", "(exit 3)"}, Quiet: true}, 3, "stdout \"a\\n\"\n"},
		"the last command decides":     {program.Exec{Shell: "sh {0}", Lines: []string{"false", "true"}, Quiet: true}, 0, ""},
		"the file has its extension":   {program.Exec{Shell: "sh {0}", Ext: ".sh", Lines: []string{`case "$0" in /*.sh) echo yes;; *) echo "$0";; esac`}, Quiet: true}, 0, "stdout \"yes\\n\"\n"},
		"no {0}: the file comes last":  {program.Exec{Shell: "cat", Lines: []string{"one", "two"}, Quiet: true}, 0, "stdout \"one\\ntwo\\n\"\n"},
		"quotes keep a word together":  {program.Exec{Shell: `sh {0} "a b" c`, Lines: []string{`echo "[$1] [$2] $#"`}, Quiet: true}, 0, "stdout \"[a b] [c] 2\\n\"\n"},
		"{0} within a word":            {program.Exec{Shell: `sh -c ". {0}"`, Lines: []string{"echo in"}, Quiet: true}, 0, "stdout \"in\\n\"\n"},
		"braces that stand for one":    {program.Exec{Shell: `sh -c "echo {{x}}; . {0}"`, Lines: []string{"echo in"}, Quiet: true}, 0, "stdout \"{x}\\nin\\n\"\n"},
		"another apostrophe is itself": {program.Exec{Shell: `sh {0} it's`, Lines: []string{`echo "$1"`}, Quiet: true}, 0, "stdout \"it's\\n\"\n"},
		"a long script":                {program.Exec{Shell: "sh {0}", Lines: []string{"true " + strings.Repeat("x", 300<<10), "echo done"}, Quiet: true}, 0, "stdout \"done\\n\"\n"},
		"text as it is":                {program.Exec{Shell: "cat {0}", Lines: []string{"\tif:\n\t\tx  ", "", "é\\n$HOME"}, Quiet: true}, 0, "stdout \"\\tif:\\n\\t\\tx  \\n\\né\\\\n$HOME\\n\"\n"},
		"a syntax error is the shell's": {
			program.Exec{Shell: "sh {0}", Lines: []string{"exit 42\nif"}, Quiet: true}, 42, "",
		},
	} {
		exit, r, err := h.exec(t, host, c.e)
		if err != nil || exit != c.exit || r.String() != c.want {
			t.Errorf("%s: exit %d, %v; got\n%swant\n%s", name, exit, err, r, c.want)
		}
	}
	absent(t, h, host, program.Exec{Shell: "no-such-shell-here -e {0}", Lines: []string{"true"}})
}

// stepFolders holds Exec.Dir: in the project folder, or absolute in it or in the private one.
func stepFolders(t *testing.T, h *Harness) {
	host := h.Open(t, nil)
	p := host.Paths()
	h.must(t, host, "mkdir -p sub/dir")
	if err := os.MkdirAll(filepath.Join(p.Private, "_temp"), 0o755); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		"": p.JobWorkspace, "sub/dir": p.JobWorkspace + "/sub/dir", "sub/../sub/": p.JobWorkspace + "/sub", p.JobWorkspace: p.JobWorkspace,
		p.JobWorkspace + "/sub/dir/": p.JobWorkspace + "/sub/dir", p.JobPrivate: p.JobPrivate, p.JobPrivate + "/_temp": p.JobPrivate + "/_temp",
	} {
		for _, e := range []program.Exec{{Lines: []string{"pwd"}, Quiet: true, Dir: dir}, {Argv: []string{"pwd"}, Dir: dir}, {Shell: "sh {0}", Lines: []string{"pwd"}, Quiet: true, Dir: dir}} {
			exit, r, err := h.exec(t, host, e)
			if exit != 0 || err != nil || r.Text(program.Stdout) != want+"\n" {
				t.Errorf("%q: exit %d, %v: %s", dir, exit, err, r)
			}
		}
	}
	for _, dir := range []string{"..", "/etc", p.JobWorkspace + "-beside", p.JobWorkspace + "/../..", p.JobPrivate + "/..", "/"} {
		if _, _, err := h.exec(t, host, program.Exec{Argv: []string{"pwd"}, Dir: dir}); failureOf(err) != program.ConfigurationFailed {
			t.Errorf("a step ran in %s: %v", dir, err)
		}
	}
	if _, _, err := h.exec(t, host, program.Exec{Argv: []string{"pwd"}, Dir: "sub/none"}); err == nil {
		t.Error("a step ran in a folder that is not there")
	}
}
