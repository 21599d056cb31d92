package action

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// metadata are the files that make a folder an action, in the order in which the runner looks for them.
var metadata = []string{"action.yml", "action.yaml", "Dockerfile"}

// maxMetadata is the largest metadata file that is read, in bytes.
const maxMetadata = 8 << 20

// Resolve brings an action into a job: into _actions/owner/repo/ref of its private folder, a copy that steps may change
// without changing what other jobs get. An action that the job has already is not copied again. The outcome is what
// program.Resolve describes, with the metadata file by its name alone. Actions of the workspace (Repository "") are the
// agent's own part. The error wraps a *program.Error: UnmetPrerequisites where something is missing, DataIntegrity for
// a cached action that was changed.
func (s *Sources) Resolve(ctx context.Context, r program.Resolve, paths program.Paths) (program.Outcome, error) {
	inner, err := innerPath(r)
	if err != nil {
		return program.Outcome{}, failed(err)
	}
	at := "_actions/" + r.Repository + "/" + r.Ref
	f, err := s.bring(ctx, r, paths.Private, at)
	if err != nil {
		return program.Outcome{}, failed(err)
	}
	at = path.Join(at, inner)
	file, err := readMetadata(paths.Private, at)
	if err == nil && file == nil {
		err = fault.New(CodeNoAction, "there is no action.yml, action.yaml or Dockerfile in %s (%s)", Name{r.Repository, r.Path, r.Ref}, f.From)
	}
	if err != nil {
		return program.Outcome{}, failed(err)
	}
	return program.Outcome{
		Text: path.Join(paths.JobPrivate, at), Values: []string{filepath.Join(paths.Private, filepath.FromSlash(at)), cmp.Or(f.Commit, f.Digest)},
		Files: []program.FoundFile{*file},
	}, nil
}

// failed says of what kind a fault of ours is; other errors are the machinery's.
func failed(err error) error {
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		return err
	}
	kind := program.UnmetPrerequisites
	if f.Code == CodeTampered || f.Code == CodeUnsafe {
		kind = program.DataIntegrity
	}
	return &program.Error{Failure: kind, Err: f}
}

// innerPath is the folder of the action in its repository.
func innerPath(r program.Resolve) (string, error) {
	p := path.Clean(strings.TrimLeft(filepath.ToSlash(r.Path), "/"))
	if p == ".." || strings.HasPrefix(p, "../") || strings.ContainsRune(p, 0) {
		return "", fault.New(CodeName, "the action %q is outside of its repository", r.Path)
	}
	return p, nil
}

// bring copies a repository into a job's private folder, unless it is there.
func (s *Sources) bring(ctx context.Context, r program.Resolve, private, at string) (Found, error) {
	f, err := s.Find(ctx, r.Repository, r.Ref)
	if err != nil {
		return f, err
	}
	root, err := os.OpenRoot(private)
	if err != nil {
		return f, fmt.Errorf("open the job's private folder: %w", err)
	}
	defer root.Close()
	if info, err := root.Lstat(at); err == nil && info.IsDir() {
		for _, u := range s.Used() {
			if u.Repository == f.Repository && u.Ref == f.Ref {
				f.Digest = u.Digest
			}
		}
		return f, nil
	}
	if f, err = f.place(ctx, root, at); err != nil {
		return f, err
	}
	s.note(f)
	return f, nil
}

// readMetadata reads the first metadata file of a folder of root; its Path is its name. nil where there is none. Links are followed inside root only.
func readMetadata(root, inner string) (*program.FoundFile, error) {
	r, err := os.OpenRoot(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for _, name := range metadata {
		p := path.Join(inner, name)
		file, err := r.OpenFile(p, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			continue
		case err != nil && strings.Contains(err.Error(), "escapes from parent"):
			return nil, fault.New(CodeUnsafe, "%s is a link that leaves its repository", p)
		case err != nil:
			return nil, fault.New(CodeNoAction, "%s cannot be read: %v", p, err)
		}
		text, regular, err := readRegular(file)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", p, err)
		}
		if !regular {
			continue
		}
		return &program.FoundFile{Path: name, Content: text[:min(len(text), maxMetadata)], Truncated: len(text) > maxMetadata}, nil
	}
	return nil, nil
}

func readRegular(file *os.File) (text []byte, regular bool, err error) {
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, false, err
	}
	text, err = io.ReadAll(io.LimitReader(file, maxMetadata+1))
	return text, true, err
}
