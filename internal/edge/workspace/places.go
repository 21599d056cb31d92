package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// places are the folders of one repository: the work tree, its git folder (HEAD, index) and the one that linked work
// trees share (objects, references, config).
type places struct {
	top, git, common string
}

// errNoRepository says that a folder stands in no repository.
var errNoRepository = errors.New("no git repository")

// locate finds the repository whose work tree holds dir.
func locate(dir string) (places, error) {
	for at := dir; ; at = filepath.Dir(at) {
		p, err := placesOf(at)
		if err == nil || !errors.Is(err, errNoRepository) {
			return p, err
		}
		if at == filepath.Dir(at) {
			return places{}, errNoRepository
		}
	}
}

// placesOf reads the .git of a work tree's top: a folder, or a file that names one (linked work trees, submodules).
func placesOf(top string) (places, error) {
	dot := filepath.Join(top, ".git")
	info, err := os.Lstat(dot)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return places{}, errNoRepository
	}
	if err != nil {
		return places{}, err
	}
	p := places{top: top, git: dot}
	if info.Mode()&fs.ModeSymlink != 0 {
		if info, err = os.Stat(dot); err != nil {
			return places{}, errNoRepository
		}
	}
	if info.Mode().IsRegular() {
		b, err := os.ReadFile(dot)
		if err != nil {
			return places{}, err
		}
		to, ok := strings.CutPrefix(strings.TrimSpace(string(b)), "gitdir: ")
		if !ok {
			return places{}, fmt.Errorf("%s names no git folder", dot)
		}
		p.git = absolute(top, to)
	}
	if _, err := os.Stat(filepath.Join(p.git, "HEAD")); err != nil {
		return places{}, errNoRepository // as git does: a folder that only looks like one
	}
	p.common = p.git
	if b, err := os.ReadFile(filepath.Join(p.git, "commondir")); err == nil {
		p.common = absolute(p.git, strings.TrimSpace(string(b)))
	}
	return p, nil
}

func absolute(base, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(base, path)
}
