package git

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// protect finds the filters that the repository's own configuration names. git would run them to see what has changed
// (reliability.md S14), so it is asked for the configuration before it looks at any file.
func (r *Repository) protect(ctx context.Context) error {
	if !mayFilter(filepath.Join(commonDir(r.Dir), "config"), true) && !mayFilter(filepath.Join(r.Dir, "config.worktree"), false) {
		return nil
	}
	if err := r.readConfig(ctx); err != nil {
		return err
	}
	r.guard = guards(r.Config)
	return nil
}

// mayFilter says whether a configuration file may name filters, itself or through what it includes. In doubt it does.
func mayFilter(name string, needed bool) bool {
	text, err := os.ReadFile(name)
	if err != nil {
		return needed || !os.IsNotExist(err)
	}
	text = bytes.ToLower(text)
	return bytes.Contains(text, []byte("filter")) || bytes.Contains(text, []byte("include"))
}

// guards turn every filter off. They go through the environment, because in "-c NAME=VALUE" a filter's name with a = in
// it would be taken for something else.
func guards(config map[string]string) []string {
	var out []string
	n := 0
	set := func(key, value string) {
		out = append(out, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", n, key), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", n, value))
		n++
	}
	for key := range config {
		rest, ok := strings.CutPrefix(key, "filter.")
		at := strings.LastIndexByte(rest, '.')
		if !ok || at < 0 {
			continue
		}
		switch rest[at+1:] {
		case "clean", "smudge", "process":
			set(key, "")
		case "required":
			set(key, "false")
		}
	}
	if n == 0 {
		return nil
	}
	return append(out, fmt.Sprintf("GIT_CONFIG_COUNT=%d", n))
}

// LastChange is the last commit that changed a path of the work tree at root, "" where the path differs from it or was
// never committed.
func LastChange(ctx context.Context, root, name string) (string, error) {
	top, dir := locate(root)
	if dir == "" || top != root {
		return "", nil
	}
	r := &Repository{Root: root, Dir: dir}
	if err := r.protect(ctx); err != nil {
		return "", err
	}
	dirty, err := r.run(ctx, "status", "--porcelain", "-z", "--ignore-submodules=dirty", "--", name)
	if err != nil || len(dirty) > 0 {
		return "", err
	}
	out, err := r.run(ctx, "log", "-1", "--format=%H", "HEAD", "--", name)
	if noCommit(err) {
		return "", nil
	}
	return strings.TrimSpace(string(out)), err
}
