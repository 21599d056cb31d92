package shell_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/executor/executortest"
	"github.com/sluice-delivery/sluice/internal/edge/executor/shell"
)

var env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}

func TestContract(t *testing.T) {
	executortest.Run(t, func(t *testing.T) *executortest.Harness {
		dir := filepath.Join(t.TempDir(), "work")
		x := shell.New(shell.Config{Dir: dir, Source: executortest.Source{}, Grace: 300 * time.Millisecond})
		return &executortest.Harness{
			Executor: x, Shell: "bash", Env: env, Adds: []string{"SLUICE_JOB_COOKIE"},
			Left: func(t *testing.T) []string {
				if err := x.Close(context.Background()); err != nil {
					t.Error(err)
				}
				left, _ := filepath.Glob(dir + "*")
				return left
			},
		}
	})
}
