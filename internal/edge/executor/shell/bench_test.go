package shell_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/executor/executortest"
	"github.com/sluice-delivery/sluice/internal/edge/executor/shell"
	"github.com/sluice-delivery/sluice/internal/edge/workspace"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// BenchmarkTrivialJobs compares a hundred jobs that print a word with the loop that starts the same shells.
func BenchmarkTrivialJobs(b *testing.B) {
	base := b.TempDir()
	repo := filepath.Join(base, "repo")
	if out, err := exec.Command("sh", "-ec", "mkdir "+repo+"; cd "+repo+"; git init -q .; echo x >.gitlab-ci.yml; git add .; git -c user.name=a -c user.email=a@b commit -qm a").CombinedOutput(); err != nil {
		b.Fatalf("%s", out)
	}
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			if err := exec.Command("bash", "-c", "for i in $(seq 100); do bash -c 'echo hello' >/dev/null; done").Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			s, err := workspace.Take(b.Context(), repo, filepath.Join(base, "store"), workspace.Options{})
			if err != nil {
				b.Fatal(err)
			}
			x := shell.New(shell.Config{Dir: filepath.Join(base, "work"), Source: s})
			for i := range 100 {
				h, err := x.Open(b.Context(), program.Order{Key: fmt.Sprint("job-", i)}, &executortest.Recorder{})
				if err != nil {
					b.Fatal(err)
				}
				if exit, err := h.Exec(b.Context(), program.Exec{Lines: []string{"echo hello"}, Env: env}, &executortest.Recorder{}); exit != 0 || err != nil {
					b.Fatal(exit, err)
				}
				if err := h.Close(b.Context(), false); err != nil {
					b.Fatal(err)
				}
			}
			if err := x.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

type discard struct{}

func (discard) Write(program.Stream, []byte) error { return nil }

// BenchmarkLines compares a million lines through the pipes with bash writing to a file.
func BenchmarkLines(b *testing.B) {
	base := b.TempDir()
	script := "for ((i=0; i<1000000; i++)); do echo line $i; done"
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			f, err := os.Create(filepath.Join(base, "out"))
			if err != nil {
				b.Fatal(err)
			}
			cmd := exec.Command("bash", "-c", script)
			cmd.Stdout = f
			if err := cmd.Run(); err != nil {
				b.Fatal(err)
			}
			f.Close()
		}
	})
	b.Run("ours", func(b *testing.B) {
		x := shell.New(shell.Config{Dir: filepath.Join(base, "work"), Source: executortest.Source{}})
		h, err := x.Open(b.Context(), program.Order{Key: "a"}, discard{})
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if exit, err := h.Exec(b.Context(), program.Exec{Lines: []string{"true", script}, Env: env}, discard{}); exit != 0 || err != nil {
				b.Fatal(exit, err)
			}
		}
		h.Close(b.Context(), false)
		x.Close(b.Context())
	})
}

// BenchmarkSteps compares two hundred steps of one job, each a file that a shell with arguments runs or a program of its
// own, with a loop that starts as many shells.
func BenchmarkSteps(b *testing.B) {
	const steps = 200
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			for range steps {
				if err := exec.Command("bash", "-e", "-c", "echo hello").Run(); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	for name, e := range map[string]program.Exec{
		"files":    {Shell: "bash -e {0}", Ext: ".sh", Lines: []string{"echo hello"}, Env: env, Quiet: true},
		"programs": {Argv: []string{"bash", "-e", "-c", "echo hello"}, Env: env},
	} {
		b.Run(name, func(b *testing.B) {
			x := shell.New(shell.Config{Dir: filepath.Join(b.TempDir(), "work"), Source: executortest.Source{}})
			for b.Loop() {
				h, err := x.Open(b.Context(), program.Order{Key: "a"}, discard{})
				if err != nil {
					b.Fatal(err)
				}
				for range steps {
					if exit, err := h.Exec(b.Context(), e, discard{}); exit != 0 || err != nil {
						b.Fatal(exit, err)
					}
				}
				if err := h.Close(b.Context(), false); err != nil {
					b.Fatal(err)
				}
			}
			if err := x.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}
