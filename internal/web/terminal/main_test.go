package terminal_test

import (
	"bufio"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"testing"

	"github.com/sluice-delivery/sluice/internal/web/terminal"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestMain is also the program that the tests start in a terminal: it plays what it is told through a socket.
func TestMain(m *testing.M) {
	if address := os.Getenv("SLUICE_SCENE"); address != "" {
		if err := perform(address); err != nil {
			fmt.Fprintln(os.Stderr, "scene:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	c := make(chan os.Signal, 1) // starts the goroutine for signals, which must not belong to a test's bubble
	signal.Notify(c, os.Interrupt)
	signal.Stop(c)
	os.Exit(m.Run())
}

// perform plays the lines that come through the socket, and answers each when it is played.
func perform(address string) error {
	conn, err := net.Dial("unix", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	v, err := terminal.New(terminal.Options{
		Progress: os.Getenv("SLUICE_PROGRESS"), Color: os.Getenv("SLUICE_COLOR"), Out: os.Stdout, Err: os.Stderr,
	})
	if err != nil {
		return err
	}
	s := newScene(v)
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		answer := "ok"
		if err := s.play(lines.Text()); err != nil {
			answer = err.Error()
		}
		if _, err := fmt.Fprintln(conn, answer); err != nil {
			return err
		}
	}
	return lines.Err()
}
