package pod

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// mounts are the container's volume mounts: where each is on this machine, and where the container is to see it.
func (c *member) mounts(env []corev1.EnvVar) ([]mount, error) {
	var out []mount
	for _, vm := range c.spec.VolumeMounts {
		source, err := filepath.EvalSymlinks(c.l.volume(vm.Name))
		if err != nil {
			return nil, refuse("CreateContainerConfigError", "volume %q is not there: %w", vm.Name, err)
		}
		sub := vm.SubPath
		if vm.SubPathExpr != "" {
			sub = expand([]string{vm.SubPathExpr}, env)[0]
		}
		if sub != "" {
			if source, err = within(source, sub); err != nil {
				return nil, refuse("CreateContainerConfigError", "subPath %q of volume %q: %w", sub, vm.Name, err)
			}
		}
		target := filepath.Clean("/" + vm.MountPath)
		if target == "/" {
			return nil, refuse("CreateContainerConfigError", "volume %q is mounted at /", vm.Name)
		}
		out = append(out, mount{Source: source, Target: target, ReadOnly: vm.ReadOnly})
	}
	slices.SortStableFunc(out, func(a, b mount) int { return cmp.Compare(a.Target, b.Target) }) // outer ones first
	return out, nil
}

// within is a path inside a volume, whose links do not lead out of it; a folder is made where nothing is.
func within(root, sub string) (string, error) {
	if !filepath.IsLocal(sub) {
		return "", errors.New("it leads out of the volume")
	}
	path := filepath.Join(root, sub)
	if _, err := os.Lstat(path); err != nil {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return "", err
		}
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(root, real); err != nil || !filepath.IsLocal(rel) {
		return "", errors.New("it leads out of the volume")
	}
	return real, nil
}

// tree makes the folder that SLUICE_ROOT names: the container's mounts at their paths below it, as links, so that a process finds
// its volumes there on every system.
func (c *member) tree(mounts []mount) (string, error) {
	root := filepath.Join(c.l.dir, "root", c.spec.Name)
	if err := os.RemoveAll(root); err != nil {
		return "", refuse("CreateContainerError", "%w", err)
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", refuse("CreateContainerError", "%w", err)
	}
	for _, m := range mounts {
		path := filepath.Join(root, m.Target)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", refuse("CreateContainerError", "%w", err)
		}
		if err := os.Symlink(m.Source, path); err != nil {
			return "", refuse("CreateContainerError", "mount %s: %w", m.Target, err)
		}
	}
	return root, nil
}

// rewriter replaces mount paths in a text by where the volumes are: whole paths only, so that /data is not found in /database.
func rewriter(mounts []mount) func(string) string {
	return func(text string) string {
		var b strings.Builder
		for i := 0; i < len(text); {
			found := false
			for _, m := range slices.Backward(mounts) { // inner ones first
				rest, ok := strings.CutPrefix(text[i:], m.Target)
				if !ok || i > 0 && inPath(text[i-1]) || rest != "" && inName(rest[0]) {
					continue
				}
				b.WriteString(m.Source)
				i += len(m.Target)
				found = true
				break
			}
			if !found {
				b.WriteByte(text[i])
				i++
			}
		}
		return b.String()
	}
}

// inName says that a byte goes on with a file's name.
func inName(c byte) bool {
	return c == '.' || c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// inPath says that a path goes on after a byte: what follows is no path of its own.
func inPath(c byte) bool { return inName(c) || c == '/' }

// childPlan is what a helper is told to start.
type childPlan struct {
	Argv   []string
	Dir    string
	Mounts []mount
	Scrap  string // an empty folder of the helper's, to build a root in
}

func (p childPlan) String() string {
	return fmt.Sprintf("%q in %s with %d mounts", p.Argv, p.Dir, len(p.Mounts))
}
