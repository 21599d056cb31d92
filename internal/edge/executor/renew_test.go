package executor_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/edge/executor/executortest"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// empty makes workspaces without files, as Snapshot does for the checkout "empty".
type empty struct {
	executortest.Source
	filled int
}

func (s *empty) Fill(_ context.Context, dest string, _ program.Checkout) error {
	s.filled++
	return os.Mkdir(dest, 0o777)
}

func TestFoldersOfEmptyWorkspacesAreMadeNew(t *testing.T) {
	spare := []string{"event.json", "commands/env", "commands/output"}
	for _, c := range []struct {
		name string
		job  func(f *executor.Folder) error // what a job does beyond writing its spare files
		kept bool                           // the folder is handed on
	}{
		{"nothing", func(*executor.Folder) error { return nil }, true},
		{"files in both folders", func(f *executor.Folder) error {
			return write(filepath.Join(f.Workspace, "a/b/file"), filepath.Join(f.Private, "x/y"), filepath.Join(f.Private, "commands/more"))
		}, true},
		{"folders that cannot be written", func(f *executor.Folder) error {
			dir := filepath.Join(f.Workspace, "mod/cache")
			if err := write(filepath.Join(dir, "file")); err != nil {
				return err
			}
			return os.Chmod(dir, 0o500)
		}, true},
		{"a link in place of a spare file", func(f *executor.Folder) error {
			return relink(filepath.Join(f.Private, "event.json"), os.Symlink)
		}, true},
		{"a spare file that has another name", func(f *executor.Folder) error {
			return relink(filepath.Join(f.Private, "event.json"), os.Link)
		}, true},
		{"a link in place of a folder", func(f *executor.Folder) error {
			dir := filepath.Join(f.Private, "commands")
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			return os.Symlink(filepath.Dir(f.Path), dir)
		}, true},
		{"a spare file that others may read", func(f *executor.Folder) error {
			return os.Chmod(filepath.Join(f.Private, "event.json"), 0o644)
		}, true},
		{"a workspace of another mode", func(f *executor.Folder) error { return os.Chmod(f.Workspace, 0o700) }, false},
		{"a private folder of another mode", func(f *executor.Folder) error { return os.Chmod(f.Private, 0o755) }, false},
		{"a file beside the folders", func(f *executor.Folder) error { return write(filepath.Join(f.Path, "beside")) }, false},
		{"a link in place of the workspace", func(f *executor.Folder) error {
			if err := os.Remove(f.Workspace); err != nil {
				return err
			}
			return os.Symlink("/", f.Workspace)
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &empty{}
			outside := filepath.Join(t.TempDir(), "jobs", "victim")
			if err := write(outside); err != nil {
				t.Fatal(err)
			}
			folders := executor.NewFolders(filepath.Dir(outside), s)
			order := program.Order{Key: "job", Checkout: program.Checkout{Strategy: "empty"}, Spare: spare}
			first, err := folders.Claim(t.Context(), order, &executortest.Recorder{})
			if err != nil {
				t.Fatal(err)
			}
			if err := write(filepath.Join(first.Private, "event.json"), filepath.Join(first.Private, "commands/env"), filepath.Join(first.Private, "commands/output")); err != nil {
				t.Fatal(err)
			}
			if err := c.job(first); err != nil {
				t.Fatal(err)
			}
			if err := first.Release(false, true); err != nil {
				t.Fatal(err)
			}
			order.Key = "next"
			next, err := folders.Claim(t.Context(), order, &executortest.Recorder{})
			if err != nil {
				t.Fatal(err)
			}
			if got := s.filled == 1; got != c.kept {
				t.Errorf("handed on: %v, want %v", got, c.kept)
			}
			clean(t, next, spare)
			if b, err := os.ReadFile(outside); string(b) != "secret" {
				t.Errorf("a file outside has %q, %v", b, err)
			}
			if err := next.Release(false, false); err != nil {
				t.Fatal(err)
			}
			if err := folders.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestFoldersGoToJobsWithTheSameSpareFilesOnly(t *testing.T) {
	s := &empty{}
	folders := executor.NewFolders(filepath.Join(t.TempDir(), "jobs"), s)
	for i, spare := range [][]string{{"a"}, nil, {"a", "b"}, {"a"}} {
		f, err := folders.Claim(t.Context(), program.Order{Key: "job", Checkout: program.Checkout{Strategy: "empty"}, Spare: spare}, &executortest.Recorder{})
		if err != nil {
			t.Fatal(err)
		}
		clean(t, f, spare)
		if want := min(i+1, 3); s.filled != want {
			t.Errorf("job %d: %d workspaces were made, want %d", i, s.filled, want)
		}
		for _, name := range spare {
			if err := write(filepath.Join(f.Private, name)); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Release(false, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := folders.Close(); err != nil {
		t.Fatal(err)
	}
}

// clean tells what a job's folder has that a new one has not: empty spare files and their folders may be there.
func clean(t *testing.T, f *executor.Folder, spare []string) {
	t.Helper()
	if list, err := os.ReadDir(f.Workspace); err != nil || len(list) > 0 {
		t.Errorf("the workspace has %v, %v", list, err)
	}
	err := filepath.WalkDir(f.Private, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(f.Private, path)
		switch {
		case d.IsDir() && info.Mode().Perm() == 0o700 && (name == "." || name == "commands"):
		case slices.Contains(spare, name) && info.Mode() == 0o600 && info.Size() == 0:
		default:
			t.Errorf("the private folder has %s: %v, %d bytes", name, info.Mode(), info.Size())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// write makes files as the agent does, and the folders on the way.
func write(names ...string) error {
	for _, name := range names {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte("secret"), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// relink puts a link to the file victim, beside the jobs' folders, in the place of name.
func relink(name string, link func(from, to string) error) error {
	if err := os.Remove(name); err != nil {
		return err
	}
	return link(filepath.Join(filepath.Dir(filepath.Dir(filepath.Dir(name))), "victim"), name)
}
