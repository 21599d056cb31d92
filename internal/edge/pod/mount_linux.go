package pod

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// startMounted makes the mounts of a plan, in the namespace that this process has of its own, and becomes the process.
func startMounted(scrap string) error {
	data, err := os.ReadFile(filepath.Join(scrap, "plan"))
	if err != nil {
		return err
	}
	var p childPlan
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	_ = os.Remove(filepath.Join(scrap, "plan"))
	root, err := mountAll(p)
	if root != "" && err == nil {
		err = unix.Chroot(root)
	}
	if err != nil {
		return err
	}
	if err := os.Chdir(p.Dir); err != nil {
		return fmt.Errorf("the folder of the process: %w", err)
	}
	path, err := lookPath(p.Argv[0], os.Environ(), p.Dir)
	if err != nil {
		return err
	}
	return fmt.Errorf("start %s: %w", path, syscall.Exec(path, p.Argv, os.Environ()))
}

func tryMount(scrap string) error {
	file := filepath.Join(scrap, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := bind(file, "/etc/hosts", true); err != nil {
		return err
	}
	return unix.Mount("tmpfs", scrap, "tmpfs", 0, "")
}

// mountAll makes the mounts. Where one is at a path that this machine does not have, the process gets a root of its own in which
// every other path leads to this machine's; the answer is that root, "" for none.
func mountAll(p childPlan) (root string, err error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return "", fmt.Errorf("make mounts private: %w", err)
	}
	missing := absent(p.Mounts)
	if len(missing) > 0 {
		root = filepath.Join(p.Scrap, "root")
		if err := unix.Mount("tmpfs", root, "tmpfs", 0, "mode=0755"); err != nil {
			return root, fmt.Errorf("make a root: %w", err)
		}
		if err := unix.Mount("", root, "", unix.MS_UNBINDABLE, ""); err != nil {
			return root, err
		}
		if err := mirror("/", root, missing); err != nil {
			return root, err
		}
	}
	for _, m := range p.Mounts {
		target := filepath.Join(root, m.Target)
		if err := ready(m.Source, target); err != nil {
			return root, fmt.Errorf("mount %s: %w", m.Target, err)
		}
		if err := bind(m.Source, target, m.ReadOnly); err != nil {
			return root, fmt.Errorf("mount %s: %w", m.Target, err)
		}
	}
	return root, nil
}

// absent are the targets that are not on this machine, nor inside another target.
func absent(mounts []mount) []string {
	var out []string
	for _, m := range mounts {
		if _, err := os.Stat(m.Target); err == nil {
			continue
		}
		inside := false
		for _, o := range mounts {
			inside = inside || strings.HasPrefix(m.Target, o.Target+"/")
		}
		if !inside {
			out = append(out, m.Target)
		}
	}
	return out
}

// ready makes the file or folder that something is mounted on. It is in a root of the process's own or in a volume: what is
// missing on this machine was given a root.
func ready(source, target string) error {
	if _, err := os.Stat(target); err == nil {
		return nil
	}
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.MkdirAll(target, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return os.WriteFile(target, nil, 0o644)
}

func bind(source, target string, readOnly bool) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if !readOnly {
		return nil
	}
	err := unix.MountSetattr(unix.AT_FDCWD, target, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	if errors.Is(err, unix.ENOSYS) {
		err = unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
	}
	return err
}

// mirror fills a folder of the new root with what the machine's has: folders that lead to a missing target are made and
// mirrored, everything else is bound.
func mirror(dir, root string, missing []string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		from := filepath.Join(dir, e.Name())
		to := filepath.Join(root, from)
		switch {
		case e.Type() == fs.ModeSymlink:
			err = relink(from, to)
		case e.IsDir() && leads(from, missing):
			if err = os.Mkdir(to, 0o755); err == nil {
				err = mirror(from, root, missing)
			}
		case e.IsDir():
			if err = os.Mkdir(to, 0o755); err == nil {
				err = unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, "")
			}
		default:
			if err = os.WriteFile(to, nil, 0o600); err == nil {
				err = unix.Mount(from, to, "", unix.MS_BIND, "")
			}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it went meanwhile
			return fmt.Errorf("show %s: %w", from, err)
		}
	}
	return nil
}

func relink(from, to string) error {
	target, err := os.Readlink(from)
	if err != nil {
		return err
	}
	return os.Symlink(target, to)
}

func leads(dir string, missing []string) bool {
	for _, m := range missing {
		if strings.HasPrefix(m, dir+"/") {
			return true
		}
	}
	return false
}
