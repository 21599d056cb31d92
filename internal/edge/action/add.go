package action

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Adding is what `sluice action add` is asked for.
type Adding struct {
	// From is a folder, a clone, a folder that holds OWNER/REPO, or the address of a clone; "" looks at the sources that
	// were given and then asks the server.
	From string
	// Offline keeps from asking the server.
	Offline bool
	// Uses lists what a metadata or workflow file uses; nil adds nothing but what was asked for. Path is the file's.
	Uses func(path string, text []byte) []string
	// Now is the time that records carry.
	Now time.Time
}

// Added is one action that was added, or that could not be.
type Added struct {
	Name   Name
	Record Record
	For    string // the action that uses it, "" for what was asked for
	Before string // digest of what it replaced, "" where there was nothing
	Err    error
}

// Add puts an action into the cache, and after it all actions that it uses. Every name comes once; what is missing has
// an Err. The error is that of the first one's name.
func (s *Sources) Add(ctx context.Context, n Name, a Adding) ([]Added, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	w := adder{s: s, a: a, seen: map[string]bool{}, records: map[string]Record{}}
	w.add(ctx, n, a.From, "")
	return w.out, w.out[0].Err
}

// adder is one call of Add.
type adder struct {
	s       *Sources
	a       Adding
	seen    map[string]bool
	records map[string]Record // by repository and ref
	out     []Added
}

func (w *adder) add(ctx context.Context, n Name, from, parent string) {
	if w.seen[strings.ToLower(n.Repository)+"/"+n.Path+"@"+n.Ref] {
		return
	}
	w.seen[strings.ToLower(n.Repository)+"/"+n.Path+"@"+n.Ref] = true
	at := len(w.out)
	w.out = append(w.out, Added{Name: n, For: parent})
	key := label(strings.ToLower(n.Repository), n.Ref)
	r, ok := w.records[key]
	if !ok {
		if old, err := readRecord(w.s.Cache.entry(n.Repository, n.Ref)); err == nil && w.s.Cache.Dir != "" {
			w.out[at].Before = old.Digest
		}
		var err error
		if r, err = w.s.store(ctx, n, from, w.a); err != nil {
			w.out[at].Err = err
			return
		}
		w.records[key] = r
	}
	w.out[at].Record = r
	f, _, err := w.s.Cache.get(n.Repository, n.Ref)
	if err == nil {
		err = w.inner(ctx, n, f, from)
	}
	w.out[at].Err = err
}

// inner adds what an action or a reusable workflow uses.
func (w *adder) inner(ctx context.Context, n Name, f Found, from string) error {
	name, text, err := definition(ctx, n.Path, f.files())
	if err != nil || w.a.Uses == nil {
		return err
	}
	for _, uses := range w.a.Uses(name, text) {
		if strings.HasPrefix(uses, "docker://") {
			continue
		}
		if local, ok := strings.CutPrefix(uses, "./"); ok {
			// Of a reusable workflow it is a workflow of the same repository; of an action, a folder of the workspace.
			if strings.HasPrefix(local, ".github/workflows/") && isWorkflow(n.Path) {
				w.add(ctx, Name{n.Repository, local, n.Ref}, from, n.String())
			}
			continue
		}
		inner, err := Parse(uses)
		if err != nil {
			w.out = append(w.out, Added{Name: Name{Repository: uses}, For: n.String(), Err: err})
			continue
		}
		w.add(ctx, inner, sibling(from, n.Repository, inner.Repository), n.String())
	}
	return nil
}

// definition is the file that says what an action or a reusable workflow does.
func definition(ctx context.Context, p string, files Files) (string, []byte, error) {
	names := []string{p}
	if !isWorkflow(p) {
		names = nil
		for _, m := range metadata {
			names = append(names, path.Join(p, m))
		}
	}
	for _, name := range names {
		text, err := files.Read(ctx, name)
		if err == nil {
			return name, text, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", nil, err
		}
	}
	return "", nil, fault.New(CodeNoAction, "there is no %s", strings.Join(names, ", "))
}

// isWorkflow says whether a path is a reusable workflow's.
func isWorkflow(p string) bool {
	return strings.HasPrefix(p, ".github/workflows/") && (strings.HasSuffix(p, ".yml") || strings.HasSuffix(p, ".yaml"))
}

// sibling is where another repository would be beside the one at from: under the same base, else unknown.
func sibling(from, repository, other string) string {
	base, ok := strings.CutSuffix(strings.TrimSuffix(trimSlash(from), ".git"), "/"+repository)
	if ok && isAddress(from) {
		return base + "/" + other
	}
	if isFolder(from) {
		if dir, ok := inside(from, strings.Split(repository, "/")[0]); ok && isFolder(dir) {
			return from // a folder of several repositories
		}
	}
	return ""
}

// store puts one repository into the cache.
func (s *Sources) store(ctx context.Context, n Name, from string, a Adding) (Record, error) {
	switch {
	case isAddress(from):
		return s.fetch(ctx, n, from, a.Now)
	case from != "":
		f, err := s.given(ctx, n, from)
		if err != nil {
			return Record{}, err
		}
		return s.Cache.put(ctx, f, from, a.Now)
	}
	l := looker{s: s, ctx: ctx, repository: n.Repository, ref: n.Ref}
	f, ok, err := l.all(false)
	if err != nil {
		return Record{}, err
	}
	if ok {
		if f.exact != "" { // an address's mirror has put it there already
			return readRecord(s.Cache.entry(n.Repository, n.Ref))
		}
		return s.Cache.put(ctx, f, f.From, a.Now)
	}
	if a.Offline {
		if f, ok, err := s.Cache.get(n.Repository, n.Ref); ok || err != nil {
			if err == nil {
				err = f.check(ctx)
			}
			if err != nil {
				return Record{}, err
			}
			return readRecord(filepath.Dir(f.Dir))
		}
		return Record{}, l.missing()
	}
	return s.fetch(ctx, n, s.server()+"/"+n.Repository, a.Now)
}

// isAddress tells an address from a folder: a URL, or ssh's host:path where there is no such folder.
func isAddress(from string) bool {
	if strings.Contains(from, "://") {
		return true
	}
	host, _, ok := strings.Cut(from, ":")
	return ok && !strings.Contains(host, "/") && strings.Contains(host, "@") && !isFolder(from)
}

// given takes a repository from the folder that --from names.
func (s *Sources) given(ctx context.Context, n Name, from string) (Found, error) {
	dir, err := filepath.Abs(from)
	if err != nil {
		return Found{}, err
	}
	if !isFolder(dir) {
		return Found{}, fault.New(CodeMissing, "--from %s: there is no such folder", from)
	}
	f := Found{Repository: n.Repository, Ref: n.Ref, From: from}
	if git.IsClone(ctx, dir) {
		f.Clone = dir
		f.Commit, _, err = revision(ctx, dir, n.Ref)
		if errors.Is(err, errNoRef) {
			return f, fault.New(CodeMissing, "the clone %s has no tag, branch or commit %q", from, n.Ref).WithHint("%s", refHint(ctx, dir, n.Ref))
		}
		return f, err
	}
	if owned, ok := inside(dir, strings.Split(n.Repository, "/")[0]); ok && isFolder(owned) {
		l := looker{s: s, ctx: ctx, repository: n.Repository, ref: n.Ref}
		if f, ok, err := l.below(dir, from); ok || err != nil {
			return f, err
		}
	}
	if _, _, err := definition(ctx, n.Path, Found{Dir: dir}.files()); err != nil {
		return f, fmt.Errorf("--from %s: %w", from, err)
	}
	f.Dir = dir
	return f, nil
}

// refHint names the ref that was probably meant.
func refHint(ctx context.Context, clone, ref string) string {
	out, err := git.Run(ctx, clone, "for-each-ref", "--format=%(refname:strip=2)", "refs/tags", "refs/heads")
	if near := fault.Nearest(ref, strings.Fields(string(out))); err == nil && near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "`git fetch --tags` in the clone may bring it"
}

// fetch gets one commit from the address of a clone into the cache.
func (s *Sources) fetch(ctx context.Context, n Name, address string, now time.Time) (Record, error) {
	temp, err := os.MkdirTemp("", "sluice-fetch-")
	if err != nil {
		return Record{}, err
	}
	defer os.RemoveAll(temp)
	if _, err := git.Run(ctx, temp, "init", "--quiet", "--bare", "--template="); err != nil {
		return Record{}, err
	}
	commit, err := remoteCommit(ctx, temp, address, n)
	if err != nil {
		return Record{}, err
	}
	if _, err := git.Distant(ctx, temp, reach(address), "fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--end-of-options", address, commit); err != nil {
		return Record{}, unreachable(n, address, err)
	}
	// What was asked for may be the object of an annotated tag.
	if commit, _, err = firstOf(ctx, temp, []string{commit}); err != nil {
		return Record{}, fault.New(CodeMissing, "%s at %s is no commit", n.Ref, redact(address))
	}
	f := Found{Repository: n.Repository, Ref: n.Ref, Clone: temp, Commit: commit, From: redact(address)}
	return s.Cache.put(ctx, f, redact(address), now)
}

func reach(address string) git.Reach {
	if strings.HasPrefix(address, "file://") {
		return git.Nearby
	}
	return git.Anywhere
}

// remoteCommit asks a clone elsewhere what a ref means.
func remoteCommit(ctx context.Context, dir, address string, n Name) (string, error) {
	ref := n.Ref
	if isCommit(ref) {
		return ref, nil
	}
	out, err := git.Distant(ctx, dir, reach(address), "ls-remote", "--quiet", "--end-of-options", address, ref)
	if err != nil {
		return "", unreachable(n, address, err)
	}
	ids := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if id, name, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok && isCommit(id) {
			ids[name] = id
		}
	}
	for _, name := range candidates(ref) {
		if id := ids[name]; id != "" {
			return id, nil
		}
	}
	e := fault.New(CodeMissing, "%s has no tag or branch %q", redact(address), ref)
	if isShort(ref) {
		return "", e.WithHint("a commit of another repository is asked for by its whole id")
	}
	return "", e
}

// unreachable is the fault of an address that git cannot read.
func unreachable(n Name, address string, err error) error {
	e, ok := errors.AsType[*git.Error](err)
	if !ok {
		return err
	}
	why := strings.ReplaceAll(firstLine(e.Stderr, err), address, redact(address))
	name := label(n.Repository, n.Ref)
	return fault.New(CodeRemote, "%s cannot be fetched from %s: %s", name, redact(address), why).Exits(5).
		WithHint("without the network, `sluice action add %s --from DIR` takes it from a folder or a clone", name)
}
