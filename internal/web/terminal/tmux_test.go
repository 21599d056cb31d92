package terminal_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// pane is a terminal in which a scene plays.
type pane struct {
	t      *testing.T
	socket string // of a tmux server of its own
	conn   net.Conn
	lines  *bufio.Scanner
}

// open starts a terminal of that size with a scene in it. What stood there before is a shell's line.
func open(t *testing.T, columns, rows int, env ...string) *pane {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("!!! NOT TESTED: the live view in a real terminal. tmux is missing; scripts/deps test installs it !!!")
	}
	dir, err := os.MkdirTemp("", "terminal") // t.TempDir is too long for the name of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &pane{t: t, socket: filepath.Join(dir, "tmux")}
	scene := filepath.Join(dir, "scene")
	listener, err := net.Listen("unix", scene)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := fmt.Sprintf("trap : INT; echo '$ sluice run'; env -u CI -u NO_COLOR -u CLICOLOR -u CLICOLOR_FORCE %s SLUICE_SCENE=%s %s; echo left with $?; exec sleep 600", strings.Join(env, " "), scene, program)
	p.tmux("-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(columns), "-y", fmt.Sprint(rows), "sh", "-c", command)
	p.t.Cleanup(func() { exec.Command("tmux", "-S", p.socket, "kill-server").Run() })
	if err := listener.(*net.UnixListener).SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if p.conn, err = listener.Accept(); err != nil {
		t.Fatalf("the scene did not start: %v\n%s", err, p.screen())
	}
	t.Cleanup(func() { p.conn.Close() })
	p.lines = bufio.NewScanner(p.conn)
	return p
}

// patience is how long to wait for what must come.
const patience = 20 * time.Second

func (p *pane) tmux(args ...string) string {
	p.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-S", p.socket}, args...)...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8", "TMUX=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("tmux %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// play plays a script and waits until it is played.
func (p *pane) play(format string, args ...any) {
	p.t.Helper()
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if _, err := fmt.Fprintln(p.conn, line); err != nil {
			p.t.Fatal(err)
		}
		if !p.lines.Scan() {
			p.t.Fatalf("the scene ended at %s\n%s", line, p.screen())
		}
		if p.lines.Text() != "ok" {
			p.t.Fatal(p.lines.Text())
		}
	}
}

// screen is what the terminal shows, without the empty rows at the end.
func (p *pane) screen() string { return strings.TrimRight(p.tmux("capture-pane", "-p"), "\n") }

// history is all there is, the scrollback first. Lines that the terminal wrapped are joined.
func (p *pane) history() string {
	return strings.TrimRight(p.tmux("capture-pane", "-p", "-J", "-S", "-"), "\n ")
}

// until waits until the terminal shows what is wanted.
func (p *pane) until(what string, ok func(screen string) bool) string {
	p.t.Helper()
	limit := time.Now().Add(patience)
	for {
		screen := p.screen()
		if ok(screen) {
			return screen
		}
		if time.Now().After(limit) {
			p.t.Fatalf("%s: not seen in this:\n%s", what, screen)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (p *pane) shows(text string) string {
	p.t.Helper()
	return p.until(text, func(screen string) bool { return strings.Contains(screen, text) })
}

// fiveJobs is a run with five jobs that write, after one that ended.
func fiveJobs(p *pane, words int) {
	p.t.Helper()
	p.play("plan|lint|unit 1/5|unit 2/5|unit 3/5|unit 4/5|unit 5/5|deploy\nhead|ref=main|event=push|run=17\nbegin\nto|lint|running\nto|lint|success")
	for i := 1; i <= 5; i++ {
		p.play("to|unit %d/5|running", i)
		for n := range 30 {
			p.play("out|unit %d/5|package %d of 30 构建 👩‍👩‍👧 \\x1b[32mok\\x1b[0m %s", i, n, strings.Repeat("so on ", words))
		}
	}
}

// finish ends the five jobs, and the scene.
func finish(p *pane) {
	p.t.Helper()
	for i := 1; i <= 5; i++ {
		p.play("to|unit %d/5|%s", i, []string{"success", "failed|exit=3"}[i%2])
	}
	p.play("to|deploy|skipped|reason=job \"unit 1/5\" failed\nended|unit 1/5|tail=the end\nclose|failed|took=2s|logs=.sluice/runs/17")
	p.conn.Close()
	p.shows("left with 0")
}

// left is what is to be left of the five jobs; times are cut out.
const left = `$ sluice run
main · push · 7 jobs · run 17
✔ lint      TIME
✖ unit 1/5  failed with exit code 3 in TIME
✔ unit 2/5  TIME
✖ unit 3/5  failed with exit code 3 in TIME
✔ unit 4/5  TIME
✖ unit 5/5  failed with exit code 3 in TIME

✖ unit 1/5 failed with exit code 3 after TIME
  │ the end

✖ unit 3/5 failed with exit code 3 after TIME

✖ unit 5/5 failed with exit code 3 after TIME

  skipped  1 job: job "unit 1/5" failed
  logs     .sluice/runs/17
✖ failed: 3 failed, 3 succeeded, 1 skipped in TIME
left with 0`

var times = regexp.MustCompile(`\b\d+(\.\d+)?m?s\b`)

// checkLeft compares all there is with what is to be left.
func checkLeft(p *pane) {
	p.t.Helper()
	var got []string
	for line := range strings.Lines(p.history()) {
		got = append(got, strings.TrimRight(times.ReplaceAllString(line, "TIME"), " \n"))
	}
	if text := strings.Join(got, "\n"); text != left {
		p.t.Errorf("left behind:\n%s", text)
	}
}

func TestTerminalShowsFiveJobs(t *testing.T) {
	p := open(t, 100, 30)
	fiveJobs(p, 10)
	screen := p.shows("1 of 7 jobs done · 5 running")
	for i := 1; i <= 5; i++ {
		if !strings.Contains(screen, fmt.Sprintf("● unit %d/5", i)) {
			t.Errorf("unit %d/5 is not seen", i)
		}
	}
	if !strings.Contains(screen, "package 29 of 30") || !strings.HasPrefix(screen, "$ sluice run\nmain · push") {
		t.Errorf("the last lines are not seen, or the beginning is gone:\n%s", screen)
	}
	finish(p)
	checkLeft(p)
}

func TestTerminalIsResized(t *testing.T) {
	for name, sizes := range map[string][][2]int{
		"wider":                     {{140, 30}},
		"higher":                    {{100, 50}},
		"lower":                     {{100, 24}},
		"lower and higher":          {{100, 25}, {100, 40}},
		"wider and back":            {{140, 30}, {101, 30}},
		"narrower, lines still fit": {{90, 30}, {80, 30}, {100, 30}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := resized(t, 7, sizes)
			checkLeft(p)
		})
	}
}

// TestTerminalIsNarrowed: a terminal wraps lines that no longer fit and pushes rows into the scrollback, where nobody
// can take them back. No more than these may be left, and the rest is as it should be.
func TestTerminalIsNarrowed(t *testing.T) {
	p := resized(t, 10, [][2]int{{60, 30}})
	var got []string
	blocks := 0
	for line := range strings.Lines(p.history()) {
		switch {
		case line == "\n", strings.HasPrefix(line, "●"), strings.Contains(line, " of 30 "), strings.Contains(line, "here 0"):
		case strings.Contains(line, "jobs done"):
			blocks++
		default:
			got = append(got, strings.TrimRight(times.ReplaceAllString(line, "TIME"), " \n"))
		}
	}
	if text := strings.Join(got, "\n"); text != strings.ReplaceAll(left, "\n\n", "\n") || blocks > 0 {
		t.Errorf("left behind:\n%s", p.history())
	}
}

func resized(t *testing.T, words int, sizes [][2]int) *pane {
	t.Helper()
	p := open(t, 100, 30)
	fiveJobs(p, words)
	p.shows("1 of 7 jobs done · 5 running")
	for i, size := range sizes {
		p.tmux("resize-window", "-x", fmt.Sprint(size[0]), "-y", fmt.Sprint(size[1]))
		mark := fmt.Sprintf("here %d", i)
		for n := range 30 {
			p.play("out|unit 5/5|%s line %d", mark, n)
		}
		p.shows(mark + " line 29")
	}
	finish(p)
	return p
}

func TestTerminalIsLowerThanTheJobs(t *testing.T) {
	p := open(t, 60, 4)
	fiveJobs(p, 10)
	p.shows("1 of 7 jobs done · 5 running")
	finish(p)
	checkLeft(p)
}

// TestTerminalIsLeftAsItWas: Ctrl-C ends the program in the middle of a frame's life, and nothing is to be restored.
func TestTerminalIsLeftAsItWas(t *testing.T) {
	p := open(t, 100, 30)
	fiveJobs(p, 10)
	p.shows("1 of 7 jobs done · 5 running")
	p.tmux("send-keys", "C-c")
	p.shows("left with 130")
	if got := p.tmux("display-message", "-p", "#{cursor_flag} #{wrap_flag} #{alternate_on} #{mouse_any_flag} #{keypad_flag}"); got != "1 1 0 0 0\n" {
		t.Errorf("cursor, wrap, alternate screen, mouse, keypad: %s", got)
	}
}

// TestTerminalBearsKeys: what a person types is echoed by the terminal; no more than an empty line is left of it.
func TestTerminalBearsKeys(t *testing.T) {
	p := open(t, 100, 30)
	fiveJobs(p, 10)
	p.shows("1 of 7 jobs done · 5 running")
	for i := range 3 {
		p.tmux("send-keys", "Enter", "x")
		p.play("out|unit 1/5|after key %d", i)
		p.shows(fmt.Sprintf("after key %d", i))
	}
	finish(p)
	history := p.history()
	for _, text := range []string{"jobs done", "●", "package"} {
		if strings.Contains(history, text) {
			t.Errorf("left behind: %q in\n%s", text, history)
		}
	}
}

// TestTerminalPlain: a million bytes of lines in plain mode come whole.
func TestTerminalPlain(t *testing.T) {
	p := open(t, 100, 30, "SLUICE_PROGRESS=plain")
	fiveJobs(p, 10)
	finish(p)
	history := p.history()
	for i := 1; i <= 5; i++ {
		if n := strings.Count(history, fmt.Sprintf("\nunit %d/5 ▏package", i)); n != 30 {
			t.Errorf("unit %d/5 wrote 30 lines, %d are there", i, n)
		}
	}
}
