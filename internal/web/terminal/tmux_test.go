package terminal_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
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
	dir, err := os.MkdirTemp("", "sluice") // t.TempDir is too long for the name of a socket
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
	command := fmt.Sprintf("echo '$ sluice run'; env -u CI -u NO_COLOR -u CLICOLOR -u CLICOLOR_FORCE %s SLUICE_SCENE=%s %s; echo left with $?; exec sleep 600", strings.Join(env, " "), scene, program)
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
