package glob_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/glob"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

func TestHash(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"b.lock": "two", "a.lock": "one", "sub/c.lock": "three", "other": "x"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	outside := filepath.Join(t.TempDir(), "out.lock")
	if err := os.WriteFile(outside, []byte("out"), 0o644); err != nil {
		t.Fatal(err)
	}
	want := func(texts ...string) string {
		all := sha256.New()
		for _, text := range texts {
			one := sha256.Sum256([]byte(text))
			all.Write(one[:])
		}
		return hex.EncodeToString(all.Sum(nil))
	}
	paths := program.Paths{Workspace: dir, JobWorkspace: dir}
	for name, c := range map[string]struct {
		patterns []string
		sum      string
		files    int
	}{
		"in order":              {[]string{"**/*.lock"}, want("one", "two", "three"), 3},
		"one taken out":         {[]string{"**/*.lock", "!**/b.lock"}, want("one", "three"), 2},
		"nothing":               {[]string{"*.none"}, "", 0},
		"outside the workspace": {[]string{outside, "a.lock"}, want("one"), 1},
		"only outside":          {[]string{outside}, "", 0},
		"with links":            {[]string{"--follow-symbolic-links", "a.lock"}, want("one"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			sum, files, err := glob.Hash(t.Context(), paths, c.patterns)
			if err != nil || sum != c.sum || files != c.files {
				t.Errorf("%s, %d, %v; want %s, %d", sum, files, err, c.sum, c.files)
			}
		})
	}
	if _, _, err := glob.Hash(t.Context(), paths, []string{"../x"}); err == nil {
		t.Error("a pattern that leads out is taken")
	}
}
