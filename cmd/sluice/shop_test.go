package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestShop takes the example from source to a load-tested service, by its GitLab pipeline and by its GitHub workflow: the
// same eleven stages, both green, nothing left behind.
func TestShop(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds, deploys and load-tests a service, twice")
	}
	for dialect, flag := range map[string]string{"gitlab": "--variable", "github": "--var"} {
		t.Run(dialect, func(t *testing.T) {
			dir, state := filepath.Join(t.TempDir(), "shop"), t.TempDir()
			if err := os.CopyFS(dir, os.DirFS("../../examples/shop")); err != nil {
				t.Fatal(err)
			}
			for _, made := range []string{".sluice", "bin", "reports"} {
				if err := os.RemoveAll(filepath.Join(dir, made)); err != nil {
					t.Fatal(err)
				}
			}
			if err := commitAll(dir, gitEnv(t.TempDir())); err != nil {
				t.Fatal(err)
			}
			args := []string{"run", "--dialect", dialect, "--progress", "quiet", flag, "SHOP_STATE=" + state}
			if dialect == "gitlab" {
				args = append(args, "--variable", "LOAD_SECONDS=1")
			} else {
				args = append(args, "--event", "workflow_dispatch", "--input", "load-seconds=1")
			}
			cmd := sluice(t, dir, args...)
			cmd.Env = append(cmd.Env, "GOCACHE="+goCache())
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			left, err := os.ReadDir(state)
			if err != nil && !os.IsNotExist(err) || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}
