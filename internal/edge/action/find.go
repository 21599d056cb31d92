package action

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

// Find is where the files of a repository at a ref are. Asked again it answers the same, whatever has happened to the
// branch meanwhile. The fault of one that is nowhere says where it was looked for and which command adds it.
func (s *Sources) Find(ctx context.Context, repository, ref string) (Found, error) {
	n := Name{Repository: repository, Ref: ref}
	if err := n.check(); err != nil {
		return Found{}, err
	}
	key := strings.ToLower(repository) + "@" + ref
	s.mu.Lock()
	f, ok := s.found[key]
	s.mu.Unlock()
	if ok {
		return f, nil
	}
	l := looker{s: s, ctx: ctx, repository: repository, ref: ref}
	f, ok, err := l.all(true)
	if err != nil {
		return Found{}, err
	}
	if !ok {
		return Found{}, l.missing()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if first, ok := s.found[key]; ok {
		return first, nil // another goroutine was quicker
	}
	if s.found == nil {
		s.found = map[string]Found{}
	}
	s.found[key] = f
	return f, nil
}

// looker is one search, and what it looked at.
type looker struct {
	s               *Sources
	ctx             context.Context //nolint:containedctx // lives as long as the search
	repository, ref string
	looked          []string
}

// all looks at every source in order. cached says whether the cache is one.
func (l *looker) all(cached bool) (Found, bool, error) {
	if f, ok := l.local(); ok {
		return f, true, nil
	}
	for _, dir := range l.s.Paths {
		if f, ok, err := l.below(dir, "--action-path "+dir); ok || err != nil {
			return f, ok, err
		}
	}
	if cached {
		f, ok, err := l.s.Cache.get(l.repository, l.ref)
		if ok || err != nil {
			return f, ok, err
		}
		l.looked = append(l.looked, "the cache "+l.s.Cache.Dir)
	}
	if f, ok, err := l.mirror(); ok || err != nil {
		return f, ok, err
	}
	return l.own()
}

// local looks at the folders given for the repository.
func (l *looker) local() (Found, bool) {
	dir, from := "", ""
	for name, at := range l.s.Local {
		repository, ref, exact := strings.Cut(name, "@")
		if strings.EqualFold(repository, l.repository) && (exact && ref == l.ref || !exact && dir == "") {
			dir, from = at, "--local-repository "+name
			if exact {
				break
			}
		}
	}
	if dir == "" {
		return Found{}, false
	}
	f := Found{Repository: l.repository, Ref: l.ref, Dir: dir, From: from}
	if !git.IsClone(l.ctx, dir) {
		return f, true
	}
	if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
		if commit, _, err := firstOf(l.ctx, dir, []string{"HEAD"}); err == nil {
			f.Commit = commit
		}
		return f, true
	}
	// A bare clone has no files: it stands for the ref, else for its HEAD.
	commit, _, err := firstOf(l.ctx, dir, append(candidates(l.ref), "HEAD"))
	f.Dir, f.Clone, f.Commit = "", dir, commit
	return f, err == nil
}

// refLike recognizes the folder of a ref: such a folder of a repository says that the others are refs too.
var refLike = lazy.Pattern(`^(v?[0-9]+(\.[0-9]+)*|main|master|[0-9a-f]{40})$`)

// below looks for the repository in a folder that holds several.
func (l *looker) below(dir, from string) (Found, bool, error) {
	l.looked = append(l.looked, from)
	owner, repo, _ := strings.Cut(l.repository, "/")
	owned, ok := inside(dir, owner)
	if !ok {
		return Found{}, false, nil
	}
	f := Found{Repository: l.repository, Ref: l.ref, From: from}
	if f.Dir, ok = inside(owned, repo+"@"+l.ref); ok {
		return f, true, nil
	}
	if f.Dir, ok = inside(owned, repo+"@"+url.PathEscape(l.ref)); ok {
		return f, true, nil
	}
	for _, name := range []string{repo, repo + ".git"} {
		at, ok := inside(owned, name)
		if !ok {
			continue
		}
		if git.IsClone(l.ctx, at) {
			commit, _, err := revision(l.ctx, at, l.ref)
			if errors.Is(err, errNoRef) {
				l.looked[len(l.looked)-1] += " (its clone of " + l.repository + " has no " + l.ref + ")"
				continue
			}
			f.Dir, f.Clone, f.Commit = "", at, commit
			return f, err == nil, err
		}
		for _, ref := range []string{l.ref, url.PathEscape(l.ref)} {
			if sub := filepath.Join(at, filepath.FromSlash(ref)); isFolder(sub) {
				f.Dir = sub
				return f, true, nil
			}
		}
		if whole(at) {
			f.Dir = at
			return f, true, nil
		}
	}
	return Found{}, false, nil
}

// whole says whether a folder holds a repository's files, not a folder for each of its refs.
func whole(dir string) bool {
	list, err := os.ReadDir(dir)
	if err != nil || len(list) == 0 {
		return false
	}
	refs := 0
	for _, d := range list {
		if !d.IsDir() {
			return true
		}
		if refLike.MatchString(d.Name()) {
			refs++
		}
	}
	return refs == 0
}

// inside is a folder in another one by its name, without regard to case where there is none just so.
func inside(dir, name string) (string, bool) {
	if at := filepath.Join(dir, name); isFolder(at) {
		return at, true
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return "", false
	}
	for _, d := range list {
		if at := filepath.Join(dir, d.Name()); strings.EqualFold(d.Name(), name) && isFolder(at) {
			return at, true
		}
	}
	return "", false
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// mirror looks at the mirror: a folder as it is, an address by way of the cache.
func (l *looker) mirror() (Found, bool, error) {
	m := l.s.Mirror
	switch {
	case m == "":
		return Found{}, false, nil
	case !strings.Contains(m, "://"):
		return l.below(m, "--mirror "+m)
	}
	l.looked = append(l.looked, "--mirror "+redact(m))
	_, err := l.s.fetch(l.ctx, Name{Repository: l.repository, Ref: l.ref}, trimSlash(m)+"/"+l.repository, time.Now())
	if err != nil {
		if fault.CodeOf(err) == CodeRemote || fault.CodeOf(err) == CodeMissing {
			l.looked[len(l.looked)-1] += fmt.Sprintf(" (%v)", message(err))
			return Found{}, false, nil
		}
		return Found{}, false, err
	}
	f, ok, err := l.s.Cache.get(l.repository, l.ref)
	f.From = "--mirror " + redact(m)
	return f, ok, err
}

// own looks at the clone of the repository that the run is of.
func (l *looker) own() (Found, bool, error) {
	o := l.s.Own
	if o.Dir == "" || !strings.EqualFold(o.Repository, l.repository) {
		return Found{}, false, nil
	}
	l.looked = append(l.looked, "your clone "+o.Root)
	commit, _, err := revision(l.ctx, o.Root, l.ref)
	if errors.Is(err, errNoRef) {
		return Found{}, false, nil
	}
	return Found{Repository: l.repository, Ref: l.ref, Clone: o.Root, Commit: commit, From: "your clone"}, err == nil, err
}

// missing says what was looked at and what would help.
func (l *looker) missing() error {
	name := label(l.repository, l.ref)
	where := ""
	if len(l.looked) > 0 {
		where = " (looked at: " + strings.Join(l.looked, ", ") + ")"
	}
	return fault.New(CodeMissing, "%s is not on this machine%s", name, where).
		WithHint("`sluice action add %s` brings it, with `--from DIR` from a folder or clone; --local-repository %s=DIR takes a folder for this run", name, name)
}

// message is an error without its hint and code.
func message(err error) string {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f.Message
	}
	return err.Error()
}

// redact takes a password out of an address.
func redact(address string) string {
	if u, err := url.Parse(address); err == nil && u.User != nil {
		return u.Redacted()
	}
	return address
}
