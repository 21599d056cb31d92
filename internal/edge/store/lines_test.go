package store_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/store"
	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// told remembers the lines of a log.
type told struct{ lines []string }

func (t *told) Line(s program.Stream, l logs.Line) {
	t.lines = append(t.lines, string(s)+": "+string(l.Text))
}
func (t *told) Section(logs.Event) {}

// A sink is told of whole lines, whoever wrote them and however they came.
func TestLines(t *testing.T) {
	type write struct {
		stream program.Stream
		text   string
	}
	for name, world := range map[string]struct {
		writes []write
		want   []string
	}{
		"chunks of output": {[]write{{program.Stdout, "one\ntw"}, {program.Stdout, "o\n"}}, []string{"stdout: one", "stdout: two"}},
		"a remark of several lines": {
			[]write{{program.System, "the service says:\nno\nspace"}},
			[]string{"system: the service says:", "system: no", "system: space"},
		},
		"a remark behind an unfinished line": {
			[]write{{program.Stdout, "half"}, {program.System, "a\nb"}},
			[]string{"stdout: half", "system: a", "system: b"},
		},
		"a command": {[]write{{program.Command, "echo a"}, {program.Stdout, "a\n"}}, []string{"command: echo a", "stdout: a"}},
	} {
		t.Run(name, func(t *testing.T) {
			run, err := store.Create(filepath.Join(t.TempDir(), ".sluice"), store.Record{ID: "r"})
			if err != nil {
				t.Fatal(err)
			}
			defer run.Close()
			mask, _ := logs.NewMask()
			sink := &told{}
			log, err := run.Log("job", mask, sink)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range world.writes {
				if err := log.Write(w.stream, []byte(w.text)); err != nil {
					t.Fatal(err)
				}
			}
			if err := log.Close(); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(sink.lines, world.want) {
				t.Errorf("lines %q, want %q", sink.lines, world.want)
			}
		})
	}
}
