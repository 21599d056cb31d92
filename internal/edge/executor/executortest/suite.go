package executortest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Harness is one executor under test.
type Harness struct {
	Executor program.Executor
	// Shell is the shell that steps run in: "bash" or "sh".
	Shell string
	// Run is the id of the run, "test" where it does not matter.
	Run string
	// Image is the container that jobs run in, nil on this machine.
	Image *plan.Container
	// Env is what every step's environment needs: PATH and HOME.
	Env []string
	// Adds are the variables that a host adds to a step's environment.
	Adds []string
	// Lasting says that what a step leaves running lives on until the host is closed (Order.Lasting).
	Lasting bool
	// Left lists what of the executor is still there after all hosts are closed: folders, containers, networks.
	Left func(t *testing.T) []string
}

// File is what a test's repository holds under "readme".
const File = "from the repository\n"

// Source fills workspaces of tests with one file.
type Source struct{}

// Fill makes dest a folder with the file "readme".
func (Source) Fill(_ context.Context, dest string, c program.Checkout) error {
	if err := os.Mkdir(dest, 0o777); err != nil {
		return err
	}
	if c.Empty() {
		return nil
	}
	return os.WriteFile(filepath.Join(dest, "readme"), []byte(File), 0o644)
}

// Refill looks whether there is still only that file.
func (Source) Refill(_ context.Context, dest string, _ program.Checkout) bool {
	list, err := os.ReadDir(dest)
	b, _ := os.ReadFile(filepath.Join(dest, "readme"))
	return err == nil && len(list) == 1 && string(b) == File
}

// Remarks are none.
func (Source) Remarks(program.Checkout) []string { return nil }

// Objects are none.
func (Source) Objects() []string { return nil }

// Open opens a host for a test and closes it at the test's end.
func (h *Harness) Open(t *testing.T, change func(*program.Order)) program.Host {
	t.Helper()
	o := program.Order{
		Run: cmp.Or(h.Run, "test"), Job: &plan.Job{}, ID: "1", Attempt: 1, Image: h.Image, Env: h.Env, Key: key(t), Project: "group/project", Lasting: h.Lasting,
	}
	if change != nil {
		change(&o)
	}
	host, err := h.Executor.Open(t.Context(), o, &Recorder{})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := host.Close(ctx, false); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return host
}

func key(t *testing.T) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, t.Name())
}

// exec runs commands and returns the exit code, the error and the output.
func (h *Harness) exec(t *testing.T, host program.Host, e program.Exec) (int, *Recorder, error) {
	t.Helper()
	r := &Recorder{}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if e.Env == nil {
		e.Env = h.Env
	}
	exit, err := host.Exec(ctx, e, r)
	return exit, r, err
}

// must runs commands that pass and returns what they printed to standard output.
func (h *Harness) must(t *testing.T, host program.Host, lines ...string) string {
	t.Helper()
	exit, r, err := h.exec(t, host, program.Exec{Step: "script", Lines: lines, Quiet: true})
	if exit != 0 || err != nil {
		t.Fatalf("%q: exit %d, %v\n%s", lines, exit, err, r)
	}
	return r.Text(program.Stdout)
}

// Run runs the whole suite. Each test gets a harness of its own.
func Run(t *testing.T, setup func(t *testing.T) *Harness) {
	for _, part := range []struct {
		name string
		test func(t *testing.T, h *Harness)
	}{
		{"exit codes", exitCodes},
		{"order of commands and output", order},
		{"environment", environment},
		{"folders", folders},
		{"programs of a step's own", programs},
		{"shells of a step's own", ownShells},
		{"folders of steps", stepFolders},
		{"two jobs at once", twoAtOnce},
		{"stop", stop},
		{"nothing stays", nothingStays},
		{"output without end", flood},
		{"bytes as they are", bytesAsTheyAre},
	} {
		t.Run(part.name, func(t *testing.T) {
			h := setup(t)
			t.Cleanup(func() {
				if left := h.Left(t); len(left) > 0 {
					t.Errorf("still there: %q", left)
				}
			})
			part.test(t, h)
		})
	}
}

// mark is a number for `sleep` that no other process on the machine is given.
func mark(t *testing.T) string {
	t.Helper()
	n, err := rand.Int(rand.Reader, big.NewInt(1e8))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("7%08d", n)
}

// alive lists the processes of this machine, containers included, whose arguments hold the mark.
func alive(mark string) []string {
	var out []string
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err == nil && bytes.Contains(b, []byte(mark)) {
			out = append(out, strings.TrimSpace(string(bytes.ReplaceAll(b, []byte{0}, []byte{' '}))))
		}
	}
	return out
}
