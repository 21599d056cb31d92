package executortest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

func exitCodes(t *testing.T, h *Harness) {
	host := h.Open(t, nil)
	for script, want := range map[string]int{
		"true": 0, "false": 1, "exit 42": 42, "no-such-command-here": 127, "sh -c 'kill -9 $$'": 137,
		"true\nfalse\ntrue": 1, "false | true": 1, "true | true": 0, "if true; then": 2, "(exit 3)": 3, "kill -9 $$": 137,
		"set +e; false; true": 0, "false || true": 0, "exit 300": 44, "": 0,
	} {
		exit, r, err := h.exec(t, host, program.Exec{Lines: []string{script}})
		if err != nil {
			t.Errorf("%q: %v", script, err)
		}
		if script == "if true; then" { // bash and dash say 2, busybox says 2 or 1
			if exit == 0 {
				t.Errorf("%q passed", script)
			}
			continue
		}
		if exit != want {
			t.Errorf("%q: exit %d, want %d\n%s", script, exit, want, r)
		}
	}
}

func order(t *testing.T, h *Harness) {
	host := h.Open(t, nil)
	for name, c := range map[string]struct {
		lines []string
		exit  int
		want  string
		quiet bool
	}{
		"each command before its output": {
			lines: []string{"echo one", "echo two >&2", "  printf three  "},
			want:  "command \"echo one\"\nstdout \"one\\n\"\ncommand \"echo two >&2\"\nstderr \"two\\n\"\ncommand \"printf three\"\nstdout \"three\"\n",
		},
		"several lines show the first": {
			lines: []string{"echo a\necho b", "for i in 1 2; do\n  echo $i\ndone"},
			want:  "command \"echo a # collapsed multi-line command\"\nstdout \"a\\nb\\n\"\ncommand \"for i in 1 2; do # collapsed multi-line command\"\nstdout \"1\\n2\\n\"\n",
		},
		"stops at the first that fails": {
			lines: []string{"echo a", "false", "echo b"}, exit: 1,
			want: "command \"echo a\"\nstdout \"a\\n\"\ncommand \"false\"\n",
		},
		"quiet": {lines: []string{"echo a", "echo b"}, want: "stdout \"a\\nb\\n\"\n", quiet: true},
		"one shell for all": {
			lines: []string{"x=1", "cd /", "echo $x $PWD"},
			want:  "command \"x=1\"\ncommand \"cd /\"\ncommand \"echo $x $PWD\"\nstdout \"1 /\\n\"\n",
		},
		"a loop over several": {
			lines: []string{"for i in 1 2; do", "echo $i", "done"},
			want:  "command \"for i in 1 2; do\"\ncommand \"echo $i\"\nstdout \"1\\n\"\ncommand \"done\"\ncommand \"echo $i\"\nstdout \"2\\n\"\ncommand \"done\"\n",
		},
		"standard error closed": {
			lines: []string{"exec 2>/dev/null", "echo a", "echo b >&2", "echo c"},
			want:  "command \"exec 2>/dev/null\"\ncommand \"echo a\"\nstdout \"a\\n\"\ncommand \"echo b >&2\"\ncommand \"echo c\"\nstdout \"c\\n\"\n",
		},
		"output to a file and back": {
			lines: []string{"exec 3>&1 >log", "echo a", "exec >&3 3>&-", "cat log"},
			want:  "command \"exec 3>&1 >log\"\ncommand \"echo a\"\ncommand \"exec >&3 3>&-\"\ncommand \"cat log\"\nstdout \"a\\n\"\n",
		},
		"both closed": {
			lines: []string{"exec >&- 2>&-", "true", "exit 7"}, exit: 7,
			want: "command \"exec >&- 2>&-\"\ncommand \"true\"\ncommand \"exit 7\"\n",
		},
		"tracing shows no machinery": {
			lines: []string{"set -x", "echo a"},
			want:  "command \"set -x\"\ncommand \"echo a\"\nstderr \"+ echo a\\n\"\nstdout \"a\\n\"\n",
		},
		"functions of the script's own": {
			lines: []string{"printf() { echo mine; }; echo() { command echo mine too; }", "echo", "set -u; set -f; IFS=0", "echo"},
			want:  "command \"printf() { echo mine; }; echo() { command echo mine too; }\"\ncommand \"echo\"\nstdout \"mine too\\n\"\ncommand \"set -u; set -f; IFS=0\"\ncommand \"echo\"\nstdout \"mine too\\n\"\n",
		},
		"the devices": {
			lines: []string{"echo a >/dev/stdout", "echo b >/dev/stderr"},
			want:  "command \"echo a >/dev/stdout\"\nstdout \"a\\n\"\ncommand \"echo b >/dev/stderr\"\nstderr \"b\\n\"\n",
		},
		"no input": {
			lines: []string{"cat", "read x || echo none"},
			want:  "command \"cat\"\ncommand \"read x || echo none\"\nstdout \"none\\n\"\n",
		},
		"an existing file is written over": {
			lines: []string{"echo a >over", "echo b >over", "cat over"},
			want:  "command \"echo a >over\"\ncommand \"echo b >over\"\ncommand \"cat over\"\nstdout \"b\\n\"\n",
		},
	} {
		exit, r, err := h.exec(t, host, program.Exec{Lines: c.lines, Quiet: c.quiet})
		if err != nil || exit != c.exit {
			t.Errorf("%s: exit %d, %v", name, exit, err)
		}
		// Two streams have no order within one command.
		got := r.String()
		if name == "tracing shows no machinery" && got != c.want {
			got = strings.Replace(got, "stdout \"a\\n\"\nstderr \"+ echo a\\n\"\n", "stderr \"+ echo a\\n\"\nstdout \"a\\n\"\n", 1)
		}
		if got != c.want {
			t.Errorf("%s: got\n%swant\n%s", name, got, c.want)
		}
	}
}

// manyCommands holds the barrier: what two streams get around each of many commands.
func orderOfMany(t *testing.T, h *Harness, host program.Host) {
	var lines []string
	var want strings.Builder
	for i := range 200 {
		lines = append(lines, fmt.Sprintf("echo %d >&2; true", i), fmt.Sprintf("echo %d", i))
		fmt.Fprintf(&want, "command %q\nstderr %q\ncommand %q\nstdout %q\n", lines[2*i], fmt.Sprint(i, "\n"), lines[2*i+1], fmt.Sprint(i, "\n"))
	}
	exit, r, err := h.exec(t, host, program.Exec{Lines: lines})
	if exit != 0 || err != nil || r.String() != want.String() {
		t.Errorf("exit %d, %v; got\n%.3000s", exit, err, r)
	}
}

func environment(t *testing.T, h *Harness) {
	host := h.Open(t, nil)
	orderOfMany(t, h, host)
	env := append(slices.Clone(h.Env), "PLAIN=a b", "QUOTES='\"$HOME`x`\\", "LINES=one\ntwo\n", "EMPTY=", "UTF=ünï✓", "CI=true")
	exit, r, err := h.exec(t, host, program.Exec{Env: env, Quiet: true, Lines: []string{"cat /proc/self/environ"}})
	if exit != 0 || err != nil {
		t.Fatalf("exit %d, %v", exit, err)
	}
	got := strings.Split(strings.TrimSuffix(r.Text(program.Stdout), "\x00"), "\x00")
	allowed := append([]string{"PWD", "SHLVL", "_", "OLDPWD"}, h.Adds...)
	for _, kv := range got {
		name, _, _ := strings.Cut(kv, "=")
		if !slices.Contains(env, kv) && !slices.Contains(allowed, name) {
			t.Errorf("the job also sees %q", kv)
		}
	}
	for _, kv := range env {
		if !slices.Contains(got, kv) {
			t.Errorf("the job lacks %q", kv)
		}
	}
	// Too large for the system: an error with a code, not a crash.
	exit, _, err = h.exec(t, host, program.Exec{Env: append(slices.Clone(h.Env), "BIG="+strings.Repeat("x", 200<<10)), Lines: []string{"true"}})
	if err == nil && exit == 0 {
		t.Log("a variable of 200 KiB is taken here")
	} else if err != nil && !strings.Contains(err.Error(), "BIG") {
		t.Errorf("the error does not name the variable: %v", err)
	}
	// A script longer than one argument may be.
	if out := h.must(t, host, "true "+strings.Repeat("x", 300<<10), "echo done"); out != "done\n" {
		t.Errorf("a long script printed %q", out)
	}
}

func folders(t *testing.T, h *Harness) {
	host := h.Open(t, nil)
	p := host.Paths()
	if p.Shell != h.Shell {
		t.Errorf("the shell is %q, want %q", p.Shell, h.Shell)
	}
	if out := h.must(t, host, "pwd; cat readme; ls -A"); out != p.JobWorkspace+"\n"+File+"readme\n" {
		t.Errorf("got %q", out)
	}
	if info, err := os.Stat(p.Private); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the private folder: %v, %v", info, err)
	}
	if strings.HasPrefix(p.Private, p.Workspace+"/") || strings.HasPrefix(p.JobPrivate, p.JobWorkspace+"/") {
		t.Errorf("the private folder %s is part of the project", p.Private)
	}
	if err := os.WriteFile(filepath.Join(p.Private, "SECRET"), []byte("file variable"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.must(t, host, `test "$(cat `+p.JobPrivate+`/SECRET)" = "file variable"`, "mkdir -p sub/dir; echo made >sub/dir/file; umask 077; mkdir -p locked; echo x >locked/x; chmod 500 locked")
	if b, err := os.ReadFile(filepath.Join(p.Workspace, "sub/dir/file")); err != nil || string(b) != "made\n" {
		t.Errorf("what the job wrote is %q here, %v", b, err)
	}
	exit, r, err := h.exec(t, host, program.Exec{Lines: []string{"pwd"}, Quiet: true, Dir: "sub/dir"})
	if exit != 0 || err != nil || r.Text(program.Stdout) != p.JobWorkspace+"/sub/dir\n" {
		t.Errorf("exit %d, %v: %s", exit, err, r)
	}
	for _, dir := range []string{"../..", "/etc", "sub/none"} {
		if _, _, err := h.exec(t, host, program.Exec{Lines: []string{"pwd"}, Dir: dir}); err == nil {
			t.Errorf("a step ran in %s", dir)
		}
	}
	empty := h.Open(t, func(o *program.Order) { o.Checkout.Strategy, o.Key = "none", o.Key+"-none" })
	if out := h.must(t, empty, "ls -A"); out != "" {
		t.Errorf("an empty workspace holds %q", out)
	}
	again := h.Open(t, nil) // the same key: an attempt that comes before the first is closed
	h.must(t, again, "test ! -e sub", "test -e readme")
}

func twoAtOnce(t *testing.T, h *Harness) {
	var wg sync.WaitGroup
	for i := range 2 {
		host := h.Open(t, func(o *program.Order) { o.Key += fmt.Sprint(i) })
		wg.Go(func() {
			want := strings.Repeat(fmt.Sprintln(i), 50)
			exit, r, err := h.exec(t, host, program.Exec{Quiet: true, Lines: []string{fmt.Sprintf("for n in $(seq 50); do echo %d >>mine; echo %d; done; test $(wc -l <mine) = 50", i, i)}})
			if exit != 0 || err != nil || r.Text(program.Stdout) != want {
				t.Errorf("job %d: exit %d, %v: %s", i, exit, err, r)
			}
		})
	}
	wg.Wait()
}
