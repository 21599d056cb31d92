package pod

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// dataOf is what a ConfigMap or a Secret holds.
func dataOf(o manifest.Object) (map[string][]byte, error) {
	out := map[string][]byte{}
	secret := o.Text("kind") == "Secret"
	for _, field := range []string{"data", "binaryData"} {
		for k, v := range o.Sub(field) {
			text, _ := v.(string)
			if !secret && field == "data" {
				out[k] = []byte(text)
				continue
			}
			b, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return nil, fmt.Errorf("key %s of %s %s is not base64", k, o.Text("kind"), o.Name())
			}
			out[k] = b
		}
	}
	return out, nil
}

// file is one of a volume that shows data.
type file struct {
	data []byte
	mode fs.FileMode
}

func (l *life) volume(name string) string { return filepath.Join(l.dir, "volumes", name) }

// volumes makes the pod's volumes.
func (l *life) volumes() error {
	for i := range l.pod.Spec.Volumes {
		v := &l.pod.Spec.Volumes[i]
		if err := l.fill(v); err != nil {
			return fmt.Errorf("MountVolume.SetUp failed for volume %q : %w", v.Name, err)
		}
	}
	return nil
}

func (l *life) fill(v *corev1.Volume) error {
	if !filepath.IsLocal(v.Name) || strings.ContainsRune(v.Name, filepath.Separator) {
		return errors.New("the name is not one of a folder")
	}
	dir := l.volume(v.Name)
	switch {
	case v.EmptyDir != nil, v.VolumeSource == (corev1.VolumeSource{}):
		return os.MkdirAll(dir, 0o777)
	case v.HostPath != nil:
		return l.hostPath(v.HostPath, dir)
	case v.PersistentVolumeClaim != nil:
		return l.claim(v.PersistentVolumeClaim.ClaimName, dir)
	}
	files, ok, err := l.files(v)
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("volumes of this kind are not supported")
	}
	return publish(dir, files)
}

// hostPath is a folder or file below the state folder: pods that name the same path share it, and none sees the machine's own.
func (l *life) hostPath(h *corev1.HostPathVolumeSource, dir string) error {
	kind := corev1.HostPathUnset
	if h.Type != nil {
		kind = *h.Type
	}
	path := filepath.Join(l.m.c.Dir, "hostpath", filepath.Clean("/"+h.Path))
	switch kind {
	case corev1.HostPathUnset, corev1.HostPathDirectoryOrCreate:
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
	case corev1.HostPathFileOrCreate:
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o644)
		if err != nil {
			return err
		}
		_ = f.Close()
	default:
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("hostPath type check failed: %s is not there; host paths of the local target are below its state folder (%s)", h.Path, path)
		}
	}
	return link(path, dir)
}

// claim is the folder of a PersistentVolumeClaim; it outlives the pod.
func (l *life) claim(name, dir string) error {
	if _, err := l.m.c.Lookup.Get(l.ctx, claimKind, l.pod.Namespace, name); err != nil {
		return err
	}
	path := filepath.Join(l.m.c.Dir, "claims", l.pod.Namespace, name)
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	return link(path, dir)
}

// link makes a volume that is elsewhere: a symbolic link, which is resolved before anything is mounted.
func link(path, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if now, err := os.Readlink(dir); err == nil && now == path {
		return nil
	}
	_ = os.Remove(dir)
	return os.Symlink(path, dir)
}

// files are what a volume of data shows; false where it is no such volume.
func (l *life) files(v *corev1.Volume) (map[string]file, bool, error) {
	out := map[string]file{}
	var err error
	switch {
	case v.ConfigMap != nil:
		err = l.keys(out, configMapKind, v.ConfigMap.Name, v.ConfigMap.Items, v.ConfigMap.Optional, mode(v.ConfigMap.DefaultMode))
	case v.Secret != nil:
		err = l.keys(out, secretKind, v.Secret.SecretName, v.Secret.Items, v.Secret.Optional, mode(v.Secret.DefaultMode))
	case v.DownwardAPI != nil:
		err = l.downward(out, v.DownwardAPI.Items, mode(v.DownwardAPI.DefaultMode))
	case v.Projected != nil:
		m := mode(v.Projected.DefaultMode)
		for _, s := range v.Projected.Sources {
			switch {
			case s.ConfigMap != nil:
				err = l.keys(out, configMapKind, s.ConfigMap.Name, s.ConfigMap.Items, s.ConfigMap.Optional, m)
			case s.Secret != nil:
				err = l.keys(out, secretKind, s.Secret.Name, s.Secret.Items, s.Secret.Optional, m)
			case s.DownwardAPI != nil:
				err = l.downward(out, s.DownwardAPI.Items, m)
			default:
				err = errors.New("a projected source of this kind is not supported")
			}
			if err != nil {
				break
			}
		}
	default:
		return nil, false, nil
	}
	return out, true, err
}

func mode(m *int32) fs.FileMode {
	if m == nil {
		return 0o644
	}
	return fs.FileMode(*m) & fs.ModePerm
}

func (l *life) keys(out map[string]file, kind manifest.Kind, name string, items []corev1.KeyToPath, optional *bool, m fs.FileMode) error {
	may := optional != nil && *optional
	ctx := l.ctx
	if ctx.Err() != nil {
		ctx = context.Background()
	}
	o, err := l.m.c.Lookup.Get(ctx, kind, l.pod.Namespace, name)
	if err != nil {
		if may && manifest.NotFound(err) {
			return nil
		}
		return err
	}
	data, err := dataOf(o)
	if err != nil {
		return err
	}
	if items == nil {
		for k, v := range data {
			out[k] = file{v, m}
		}
		return nil
	}
	for _, i := range items {
		v, ok := data[i.Key]
		if !ok {
			if may {
				continue
			}
			return fmt.Errorf("references non-existent %s key: %s", strings.ToLower(kind.Kind), i.Key)
		}
		f := file{v, m}
		if i.Mode != nil {
			f.mode = mode(i.Mode)
		}
		out[i.Path] = f
	}
	return nil
}

func (l *life) downward(out map[string]file, items []corev1.DownwardAPIVolumeFile, m fs.FileMode) error {
	for _, i := range items {
		var v string
		var err error
		if i.FieldRef != nil {
			v, err = l.field(i.FieldRef.FieldPath)
		} else if i.ResourceFieldRef != nil {
			v, err = l.resource(nil, i.ResourceFieldRef)
		}
		if err != nil {
			return err
		}
		f := file{[]byte(v), m}
		if i.Mode != nil {
			f.mode = mode(i.Mode)
		}
		out[i.Path] = f
	}
	return nil
}

// publish writes a volume's files so that a reader sees all old ones or all new ones: they are in a folder of their own, to
// which the link ..data leads, and the names lead through it. It is how the kubelet does it, and programs watch for it.
func publish(dir string, files map[string]file) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(dir, "..data-")
	if err != nil {
		return err
	}
	if err := os.Chmod(fresh, 0o755); err != nil {
		return err
	}
	tops := []string{}
	for path, f := range files {
		if !filepath.IsLocal(path) || strings.HasPrefix(path, "..") {
			return fmt.Errorf("the path %q leads out of the volume", path)
		}
		full := filepath.Join(fresh, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(full, f.data, 0o600); err != nil {
			return err
		}
		if err := os.Chmod(full, f.mode); err != nil {
			return err
		}
		top, _, _ := strings.Cut(path, string(filepath.Separator))
		if !slices.Contains(tops, top) {
			tops = append(tops, top)
		}
	}
	data := filepath.Join(dir, "..data")
	old, _ := os.Readlink(data)
	if err := os.Symlink(filepath.Base(fresh), data+"-next"); err != nil {
		return err
	}
	if err := os.Rename(data+"-next", data); err != nil {
		return err
	}
	return tidy(dir, old, filepath.Base(fresh), tops)
}

// tidy makes the links of the names and removes what is no longer shown.
func tidy(dir, old, fresh string, tops []string) error {
	for _, top := range tops {
		if err := os.Symlink(filepath.Join("..data", top), filepath.Join(dir, top)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if n := e.Name(); n != "..data" && n != fresh && !slices.Contains(tops, n) && (strings.HasPrefix(n, "..data-") || e.Type() == fs.ModeSymlink || n == old) {
			if err := os.RemoveAll(filepath.Join(dir, n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// refresh writes the volumes anew that show an object.
func (l *life) refresh(kind, name string) {
	for i := range l.pod.Spec.Volumes {
		v := &l.pod.Spec.Volumes[i]
		shows := v.Projected != nil || v.ConfigMap != nil && kind == "ConfigMap" && v.ConfigMap.Name == name || v.Secret != nil && kind == "Secret" && v.Secret.SecretName == name
		if !shows {
			continue
		}
		if _, err := os.Stat(l.volume(v.Name)); err != nil {
			continue // not made yet
		}
		if err := l.fill(v); err != nil {
			l.m.event(l, true, "FailedMount", fmt.Sprintf("volume %q stays as it is: %v", v.Name, err))
		}
	}
}
