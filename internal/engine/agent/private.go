package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// write puts files into the job's private folder, their folders made where they are not there.
func (s *session) write(f program.Files) error {
	root, err := os.OpenRoot(s.host.Paths().Private)
	if err != nil {
		return fmt.Errorf("open the job's private folder: %w", err)
	}
	defer root.Close()
	for _, file := range f.Files {
		name := filepath.FromSlash(file.Name)
		if dir := filepath.Dir(name); dir != "." {
			if err := root.MkdirAll(dir, 0o700); err != nil {
				return fmt.Errorf("make the folder of the file %s: %w", file.Name, err)
			}
		}
		if err := put(root, name, file.Content); err != nil {
			return fmt.Errorf("write the file %s: %w", file.Name, err)
		}
	}
	return nil
}

// put writes one file. What a step has put in its place, such as a folder or a file of another user, gives way.
func put(root *os.Root, name, content string) error {
	info, err := root.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = root.RemoveAll(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err = root.WriteFile(name, []byte(content), 0o600)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if err := root.RemoveAll(name); err != nil {
		return err
	}
	return root.WriteFile(name, []byte(content), 0o600)
}

// readPrivate returns files of the private folder. One that is not there is left out; one that cannot be read is told and
// left out, as it is for ReadFiles.
func (s *session) readPrivate(a program.ReadPrivate) (program.Outcome, error) {
	var o program.Outcome
	root, err := os.OpenRoot(s.host.Paths().Private)
	if err != nil {
		return o, fmt.Errorf("open the job's private folder: %w", err)
	}
	defer root.Close()
	left := int64(maxRead)
	for _, name := range a.Names {
		found, err := readOne(root, path.Clean(name), min(a.Limit, left))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && a.Clear && (len(found.Content) > 0 || found.Truncated) {
			err = put(root, filepath.FromSlash(path.Clean(name)), "")
		}
		if err != nil {
			if err := s.say(program.Say{Text: fmt.Sprintf("%s is not read: %v", name, err), Warning: true}); err != nil {
				return o, err
			}
			continue
		}
		found.Path = name
		left -= int64(len(found.Content))
		o.Files = append(o.Files, found)
	}
	o.Count = len(o.Files)
	return o, nil
}
