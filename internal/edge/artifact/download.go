package artifact

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/edge/archive"
	"github.com/sluice-delivery/sluice/internal/edge/glob"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Choice names artifacts as actions/download-artifact does. Of Name, IDs and Pattern the first that is set counts;
// without any it is all artifacts of the run.
type Choice struct {
	Run     string
	Name    string
	IDs     []string
	Pattern string
}

// Target is where artifacts are brought.
type Target struct {
	Space glob.Space
	Dir   string // the job's workspace, as the job sees it
	Home  string
	Path  string // relative to Dir, absolute or with ~; "" is Dir
	Merge bool   // merge-multiple: all into Path; else each into a folder of its name, but one chosen by Name
	// Single puts one artifact that was chosen by IDs into Path itself, as version 5 of the action does.
	Single bool
}

// Find chooses artifacts, oldest first. A name or an id that is not there is a fault with CodeMissing; a pattern that
// fits none is no error.
func (s *Store) Find(ctx context.Context, c Choice) ([]Info, error) {
	all, err := s.List(ctx, c.Run)
	if err != nil {
		return nil, err
	}
	switch {
	case c.Name != "":
		for _, i := range all {
			if i.Name == c.Name {
				return []Info{i}, nil
			}
		}
		return nil, missingNamed(c.Name, all)
	case len(c.IDs) > 0:
		return byID(c.IDs, all)
	case c.Pattern != "":
		fits := glob.Name(c.Pattern)
		return slices.DeleteFunc(all, func(i Info) bool { return !fits(i.Name) }), nil
	}
	return all, nil
}

func missingNamed(name string, all []Info) error {
	names := make([]string, 0, len(all))
	for _, i := range all {
		names = append(names, i.Name)
	}
	f := fault.New(CodeMissing, "Artifact not found for name: %s", name) // as actions/download-artifact has it: people search for that
	if near := fault.Nearest(name, names); near != "" {
		return f.WithHint("did you mean %q?", near)
	}
	if len(names) == 0 {
		return f.WithHint("no job of the run has uploaded one so far")
	}
	return f.WithHint("it has %s", strings.Join(names[:min(len(names), 10)], ", "))
}

func byID(ids []string, all []Info) ([]Info, error) {
	var out []Info
	for _, text := range ids {
		for id := range strings.SplitSeq(text, ",") {
			if id = strings.TrimSpace(id); id == "" {
				continue
			}
			n, err := strconv.ParseInt(id, 10, 64)
			at := slices.IndexFunc(all, func(i Info) bool { return i.ID == n })
			if err != nil || at < 0 {
				return nil, fault.New(CodeMissing, "the run has no artifact with the id %q", id)
			}
			if !slices.ContainsFunc(out, func(i Info) bool { return i.ID == n }) {
				out = append(out, all[at])
			}
		}
	}
	return out, nil
}

// Download brings artifacts to a job. folder is where, as the job sees it. What was unpacked before an error stays.
func (s *Store) Download(ctx context.Context, c Choice, t Target) (got []Info, folder string, err error) {
	got, err = s.Find(ctx, c)
	if err != nil {
		return nil, "", err
	}
	folder = t.folder()
	mount, _, ok := t.Space.At(folder)
	if !ok {
		return nil, folder, fault.New(CodeFolder, "artifacts cannot be brought to %s: the job does not share that folder with this machine", folder)
	}
	if len(got) == 0 {
		return nil, folder, nil
	}
	root, err := os.OpenRoot(t.Space[mount].Host)
	if err != nil {
		return nil, folder, fmt.Errorf("open %s: %w", t.Space[mount].Job, err)
	}
	defer root.Close()
	flat := c.Name != "" || t.Merge || t.Single && len(c.IDs) > 0 && len(got) == 1
	for _, info := range got {
		to := folder
		if !flat {
			to = path.Join(folder, info.Name)
		}
		_, rel, _ := t.Space.At(to)
		if err := s.bring(ctx, info, root, rel); err != nil {
			return got, folder, fmt.Errorf("download the artifact %q: %w", info.Name, err)
		}
	}
	return got, folder, nil
}

func (t Target) folder() string {
	switch {
	case t.Home != "" && (t.Path == "~" || strings.HasPrefix(t.Path, "~/")):
		return path.Join(t.Home, t.Path[1:])
	case path.IsAbs(t.Path):
		return path.Clean(t.Path)
	}
	return path.Join(t.Dir, t.Path)
}

// bring unpacks one artifact, after it has seen that its content is what was uploaded.
func (s *Store) bring(ctx context.Context, info Info, root *os.Root, rel string) error {
	_, file, err := s.Open(ctx, info.Run, info.Name)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := s.verify(ctx, file, info); err != nil {
		return err
	}
	if err := archive.Folder(root, rel); err != nil {
		return err
	}
	to, err := root.OpenRoot(rel)
	if err != nil {
		return err
	}
	defer to.Close()
	if info.Zip() {
		_, err := unzip(ctx, file, info.Size, to, s.Limits.orDefault())
		return err
	}
	out, err := archive.Create(to, path.Base(info.Name))
	if err != nil {
		return err
	}
	_, err = io.Copy(out, file)
	return errors.Join(err, out.Chmod(0o644), out.Close())
}

// verify holds the stored content against the digest of what was uploaded.
func (s *Store) verify(ctx context.Context, file *os.File, info Info) error {
	m, ok := markOf(file)
	if ok && s.seen.digest(m) == info.Digest {
		return nil
	}
	h := sha256.New()
	buf := make([]byte, 1<<20)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := file.Read(buf)
		_, _ = h.Write(buf[:n]) // a hash takes everything
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	got := hex.EncodeToString(h.Sum(nil))
	if got != info.Digest {
		return fault.New(CodeDamaged, "the stored content has the SHA-256 %s, and %s was uploaded", got, info.Digest)
	}
	if again, same := markOf(file); ok && same && again == m {
		s.seen.add(m, got)
	}
	_, err := file.Seek(0, io.SeekStart)
	return err
}
