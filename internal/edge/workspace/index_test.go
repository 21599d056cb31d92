package workspace

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// indexes are made by git itself, one of each version.
func indexes(t testing.TB) [][]byte {
	t.Helper()
	var out [][]byte
	for _, version := range []string{"2", "3", "4"} {
		dir := t.TempDir()
		cmd := exec.Command("sh", "-ec", `git init -q .; mkdir -p a/b; echo x >a/b/c; echo y >a/b/d; echo z >`+"`printf 'n%.0s' $(seq 60)`"+`; git add .
			git update-index --index-version `+version+`; if [ `+version+` != 2 ]; then echo i >i; git add -N i; fi`)
		cmd.Dir = dir
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		b, err := os.ReadFile(filepath.Join(dir, ".git", "index"))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

func TestIndexIsReadAsGitWritesIt(t *testing.T) {
	for i, b := range indexes(t) {
		x, err := parseIndex(b, 20)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range x.entries {
			names = append(names, e.path)
		}
		want := 3
		if i > 0 {
			want = 4
		}
		if len(names) != want || names[0] != "a/b/c" || names[1] != "a/b/d" || hex.EncodeToString(x.entries[0].oid) != "587be6b4c3f93f93c489c0111bba5596147a26cb" {
			t.Errorf("index %d holds %q", i, names)
		}
	}
}

func FuzzIndex(f *testing.F) {
	for _, b := range indexes(f) {
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, short bool) {
		size := 32
		if short {
			size = 20
		}
		x, err := parseIndex(b, size)
		if err != nil {
			return
		}
		// What was read is written so that it reads the same.
		again, err := parseIndex(x.template(size).fill(func(i int) ([10]uint32, bool) { return x.entries[i].stat, true }), size)
		if err != nil {
			t.Fatalf("our own index: %v", err)
		}
		if len(again.entries) != len(x.entries) {
			t.Fatalf("%d entries became %d", len(x.entries), len(again.entries))
		}
		for i, e := range x.entries {
			a := again.entries[i]
			if a.path != e.path || !bytes.Equal(a.oid, e.oid) || a.stat != e.stat || a.flags != e.flags {
				t.Fatalf("%+v became %+v", e, a)
			}
		}
	})
}

func TestUnsafeNamesAreRefused(t *testing.T) {
	for _, path := range []string{"", "/etc/passwd", "../x", "a/../b", "a//b", ".git/config", "a/.GIT/hooks/x", ".", "a/", "x\x00y"} {
		if safe(path) {
			t.Errorf("%q is called safe", path)
		}
	}
	for _, path := range []string{"a", "a/b", ".gitignore", ".github/x", "..a"} {
		if !safe(path) {
			t.Errorf("%q is called unsafe", path)
		}
	}
}

func TestConfigurationOfAWorkspace(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "config")
	text := "[core]\n\thooksPath = /evil\n\tfsmonitor = /evil/monitor\n[alias]\n\tx = !evil\n[filter \"f\"]\n\tclean = evil\n" +
		"[remote \"origin\"]\n\turl = \"https://me:secret@example.com/x\\\"y.git\" ; comment\n[include]\n\tpath = evil\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := readSettings(file).config(dir)
	for _, bad := range []string{"evil", "secret"} {
		if bytes.Contains([]byte(got), []byte(bad)) {
			t.Errorf("%s is in\n%s", bad, got)
		}
	}
	out, err := exec.Command("git", "config", "-f", "/dev/stdin", "remote.origin.url").CombinedOutput()
	_ = out
	if err == nil {
		t.Error("git read a setting from nothing")
	}
	if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err = exec.Command("git", "config", "-f", file, "remote.origin.url").CombinedOutput()
	if err != nil || string(out) != "https://example.com/x%22y.git\n" {
		t.Errorf("git reads %q, %v", out, err)
	}
}

func FuzzSettings(f *testing.F) {
	f.Add("[a \"b]\\\"c\"]\nx = \"1 # 2\" # 3\ny\n[d]z=\\", "origin")
	f.Fuzz(func(t *testing.T, text, address string) {
		dir := t.TempDir()
		file := filepath.Join(dir, "config")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := readSettings(file)
		s["remote.origin.url"] = address
		// No value can begin a line, and so a section, of its own.
		if b := []byte(s.config("/top")); bytes.Count(b, []byte("\n[remote ")) > 1 {
			t.Errorf("%s", b)
		}
	})
}
