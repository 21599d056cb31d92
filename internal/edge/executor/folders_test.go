package executor_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/edge/executor/executortest"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// source fills workspaces with a file that says for which checkout, but for those that have no file.
type source struct {
	executortest.Source
	filled int
}

func (s *source) Fill(_ context.Context, dest string, c program.Checkout) error {
	s.filled++
	if err := os.Mkdir(dest, 0o777); err != nil || c.Empty() {
		return err
	}
	return os.WriteFile(filepath.Join(dest, "checkout"), fmt.Append(nil, c), 0o644)
}

func (s *source) Refill(_ context.Context, dest string, c program.Checkout) bool {
	b, _ := os.ReadFile(filepath.Join(dest, "checkout"))
	return string(b) == fmt.Sprint(c)
}

func (s *source) Remarks(c program.Checkout) []string {
	if c.Submodules == "recursive" {
		return []string{"there is no submodule"}
	}
	return nil
}

func TestWorkspacesAreHandedOnToJobsOfTheSameCheckout(t *testing.T) {
	s := &source{}
	folders := executor.NewFolders(filepath.Join(t.TempDir(), "jobs"), s)
	checkouts := []program.Checkout{
		{Strategy: "clone"},
		{Strategy: "clone", Submodules: "normal"},
		{Strategy: "clone", Submodules: "normal", Paths: "lib"},
		{Strategy: "clone", Submodules: "recursive"},
		{Strategy: "none"},
	}
	for round := range 3 {
		for i, c := range checkouts {
			var out executortest.Recorder
			f, err := folders.Claim(t.Context(), program.Order{Key: "job", Project: "group/project", Checkout: c}, &out)
			if err != nil {
				t.Fatal(err)
			}
			if b, _ := os.ReadFile(filepath.Join(f.Workspace, "checkout")); string(b) != fmt.Sprint(c) && !(c.Empty() && b == nil) {
				t.Errorf("round %d: a job that wants %v got %s", round, c, b)
			}
			if got, want := out.Text(program.System) != "", c.Submodules == "recursive"; got != want {
				t.Errorf("round %d, job %d: a remark %v, want %v", round, i, got, want)
			}
			if err := f.Release(false, true); err != nil {
				t.Fatal(err)
			}
		}
	}
	if want := len(checkouts); s.filled != want {
		t.Errorf("%d workspaces were filled, want %d: one for each checkout", s.filled, want)
	}
	if err := folders.Close(); err != nil {
		t.Fatal(err)
	}
}
