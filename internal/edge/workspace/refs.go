package workspace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/edge/git"
)

// references are what a repository's names point at.
type references struct {
	branch string            // short name of the branch checked out, "" when detached
	head   string            // commit, "" before the first one
	names  map[string]string // refs/remotes/..., refs/tags/..., refs/heads/... to object ids
}

// readReferences reads HEAD and the references of a repository: files as git writes them, else through git.
func readReferences(ctx context.Context, top string, p places, conf settings) (references, error) {
	if conf["extensions.refstorage"] != "" && conf["extensions.refstorage"] != "files" {
		return referencesByGit(ctx, top)
	}
	r := references{names: map[string]string{}}
	if err := readPacked(filepath.Join(p.common, "packed-refs"), r.names); err != nil {
		return r, err
	}
	for _, kind := range []string{"heads", "remotes", "tags"} {
		if err := readLoose(p.common, "refs/"+kind, r.names); err != nil {
			return r, err
		}
	}
	b, err := os.ReadFile(filepath.Join(p.git, "HEAD"))
	if err != nil {
		return r, err
	}
	head := strings.TrimSpace(string(b))
	if name, symbolic := strings.CutPrefix(head, "ref: "); symbolic {
		r.branch = strings.TrimPrefix(name, "refs/heads/")
		r.head = r.names[name]
	} else {
		r.head = head
	}
	if r.head != "" && !isOID(r.head) {
		return r, fmt.Errorf("HEAD holds %q", head)
	}
	return r, nil
}

// readPacked reads the packed-refs file, the peeled lines left out.
func readPacked(file string, names map[string]string) error {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range bytes.Lines(b) {
		oid, name, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
		if ok && isOID(oid) && wanted(name) {
			names[name] = oid
		}
	}
	return nil
}

// readLoose reads the reference files below a folder; they win over packed ones.
func readLoose(common, folder string, names map[string]string) error {
	list, err := os.ReadDir(filepath.Join(common, folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, d := range list {
		name := folder + "/" + d.Name()
		switch {
		case d.IsDir():
			if err := readLoose(common, name, names); err != nil {
				return err
			}
		case d.Type().IsRegular() && wanted(name):
			b, err := os.ReadFile(filepath.Join(common, name))
			if err != nil {
				return err
			}
			if oid := strings.TrimSpace(string(b)); isOID(oid) { // symbolic ones (origin/HEAD) stay behind
				names[name] = oid
			}
		}
	}
	return nil
}

// referencesByGit asks git, for stores of references that are not files.
func referencesByGit(ctx context.Context, top string) (references, error) {
	r := references{names: map[string]string{}}
	out, err := git.Run(ctx, top, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/remotes", "refs/tags")
	if err != nil {
		return r, err
	}
	for line := range strings.Lines(string(out)) {
		if oid, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " "); ok && wanted(name) {
			r.names[name] = oid
		}
	}
	if out, err := git.Run(ctx, top, "symbolic-ref", "--quiet", "--short", "HEAD"); err == nil {
		r.branch = strings.TrimSpace(string(out))
	}
	if out, err := git.Run(ctx, top, "rev-parse", "--verify", "--quiet", "HEAD"); err == nil {
		r.head = strings.TrimSpace(string(out))
	}
	return r, nil
}

// packed is the packed-refs file of a workspace. As after a clone by GitLab's runner there are tags and the branches of
// remotes, no branches of its own. The user's branches stand in for what origin would have: the one checked out as
// it is here (the run is about it), the others where origin does not know them.
func (r references) packed() []byte {
	out := map[string]string{}
	for name, oid := range r.names {
		if !strings.HasPrefix(name, "refs/heads/") {
			out[name] = oid
			continue
		}
		remote := "refs/remotes/origin/" + strings.TrimPrefix(name, "refs/heads/")
		if _, known := r.names[remote]; !known || strings.TrimPrefix(name, "refs/heads/") == r.branch {
			out[remote] = oid
		}
	}
	names := make([]string, 0, len(out))
	for name := range out {
		names = append(names, name)
	}
	slices.Sort(names)
	b := []byte("# pack-refs with: sorted \n")
	for _, name := range names {
		b = append(append(append(append(b, out[name]...), ' '), name...), '\n')
	}
	return b
}

// wanted says whether a reference goes along. The name must be one that git itself would make: it is written into a
// file of lines.
func wanted(name string) bool {
	for _, kind := range []string{"refs/heads/", "refs/remotes/", "refs/tags/"} {
		if rest, ok := strings.CutPrefix(name, kind); ok {
			return rest != "" && !strings.HasSuffix(name, ".lock") && !strings.Contains(name, "..") &&
				!strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c == 0x7f })
		}
	}
	return false
}

func isOID(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}
