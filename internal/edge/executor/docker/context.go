package docker

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// buildContext is what a Dockerfile may copy from: the folder that it lies in, without what its .dockerignore names.
type buildContext struct {
	dir, file string // file is the Dockerfile's name in dir
	ignore    *patternmatcher.PatternMatcher
}

// newBuildContext finds the context of an action's Dockerfile, which lies in the action's folder or below it; GitHub's runner
// takes the Dockerfile's own folder.
func newBuildContext(folder, dockerfile string) (*buildContext, error) {
	if dockerfile == "" {
		dockerfile = "Dockerfile"
	}
	name := filepath.Clean(dockerfile)
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("the Dockerfile %q lies outside of the action's folder", dockerfile)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if info, err := root.Stat(name); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("the Dockerfile %q is not in the action's folder: %w", dockerfile, errors.Join(err, fs.ErrNotExist))
	}
	b := &buildContext{dir: filepath.Join(folder, filepath.Dir(name)), file: filepath.Base(name)}
	for _, ignore := range []string{b.file + ".dockerignore", ".dockerignore"} {
		f, err := root.Open(filepath.Join(filepath.Dir(name), ignore))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		patterns, err := ignorefile.ReadAll(f)
		_ = f.Close()
		if err == nil {
			b.ignore, err = patternmatcher.New(patterns)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", ignore, err)
		}
		break
	}
	return b, nil
}

// digest names the context by what is in it.
func (b *buildContext) digest() (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00", b.file)
	if err := b.write(h); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil))[:32], nil
}

// write writes the context as an archive whose bytes depend on names, modes and contents alone.
func (b *buildContext) write(out io.Writer) error {
	w := tar.NewWriter(out)
	err := filepath.WalkDir(b.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == b.dir {
			return err
		}
		rel, err := filepath.Rel(b.dir, name)
		if err != nil {
			return err
		}
		if b.ignored(rel, d) {
			if d.IsDir() && !b.ignore.Exclusions() {
				return fs.SkipDir
			}
			return nil
		}
		return add(w, name, filepath.ToSlash(rel), d)
	})
	return errors.Join(err, w.Close())
}

// ignored says whether .dockerignore leaves a file out; the Dockerfile and the ignore file themselves it cannot.
func (b *buildContext) ignored(rel string, _ fs.DirEntry) bool {
	if b.ignore == nil || rel == b.file || rel == ".dockerignore" {
		return false
	}
	ok, err := b.ignore.MatchesOrParentMatches(rel)
	return ok && err == nil
}

func add(w *tar.Writer, name, rel string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	link := ""
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		if link, err = os.Readlink(name); err != nil {
			return err
		}
	case !info.Mode().IsRegular() && !info.IsDir():
		return nil // sockets and such are no part of a build
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	plainHeader := &tar.Header{Typeflag: h.Typeflag, Name: rel, Linkname: h.Linkname, Size: h.Size, Mode: h.Mode & 0o7777, Format: tar.FormatPAX}
	if info.IsDir() {
		plainHeader.Name += "/"
	}
	if err := w.WriteHeader(plainHeader); err != nil || !info.Mode().IsRegular() {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyN(w, f, h.Size)
	return err
}

// wantsBuildKit says whether a Dockerfile has what the engine's older builder does not know.
func (b *buildContext) wantsBuildKit() bool {
	text, err := os.ReadFile(filepath.Join(b.dir, b.file))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch strings.ToUpper(word) {
		case "RUN", "COPY", "ADD":
			rest = strings.TrimSpace(rest)
			for _, mark := range []string{"--mount=", "--chmod=", "--link", "--parents", "--exclude=", "--network=", "--security=", "--checksum=", "<<"} {
				if strings.HasPrefix(rest, mark) || mark != "<<" && strings.Contains(rest, " "+mark) && strings.HasPrefix(rest, "--") {
					return true
				}
			}
		}
	}
	return false
}
