// Package source resolves and reads what manifests are made from: git repositories by address or folder, plain folders
// and Helm chart repositories. A repository on a network is mirrored below the state folder, so that what was fetched
// once is there when its server is not; one on this machine is read in place. Files are never checked out: they are read
// from git's objects one by one, as they are asked for, and no name and no link leads out of a repository.
//
// git runs hardened (edge/git): no hooks, filters, submodules or protocols that start programs. Credentials come from
// Argo CD's repository Secrets and never stand in an argument, a message or a file that lasts.
package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Options say where mirrors and charts are kept and for how long references are believed.
type Options struct {
	Dir   string        // of the state; made where it is missing
	Fresh time.Duration // how long a server is not asked again; 3 minutes unless told, as in Argo CD
	Now   func() time.Time
	// Asked is told of each request to a git server: the repository's address as it was given, "ls-remote" or "fetch", how
	// long it took and how it failed. It may be nil.
	Asked func(repo, request string, took time.Duration, err error)
}

// Cache holds what was fetched. It is safe for concurrent use.
type Cache struct {
	options Options
	flights singleflight.Group

	mu       sync.Mutex
	settings Settings
	opened   map[string]*repository
	charts   map[string]*index
}

// Open makes a cache over a folder, which may hold what an earlier one left there.
func Open(o Options) *Cache {
	if o.Fresh == 0 {
		o.Fresh = 3 * time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Cache{options: o, opened: map[string]*repository{}, charts: map[string]*index{}}
}

// Use takes over settings, for every call from now on.
func (c *Cache) Use(s Settings) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settings = s
}

// Close ends the git processes that serve objects.
func (c *Cache) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.opened {
		r.objects.close()
	}
	clear(c.opened)
}

// Want names a repository and who asks for it: credentials may belong to one project.
type Want struct {
	RepoURL  string
	Project  string
	Revision string // branch, tag, commit, range of versions; "" is HEAD
	Prefix   string // of the tags that a version or range of versions is matched against (tagPrefix)
	Fresh    bool   // ask the server though it was asked a moment ago
	Work     bool   // of a repository on this machine the files as they stand, committed or not
}

// repository is one that was opened: a folder of this machine or a mirror.
type repository struct {
	address
	known   Repository
	dir     string
	plain   bool // a folder outside git
	objects *objects

	mu      sync.Mutex
	refs    refs
	at      time.Time // when refs were read
	mark    string    // of a repository on this machine, when refs were read
	trouble error     // why the server was not asked again
}

// open finds a repository. The mirror is made when it is first fetched.
func (c *Cache) open(ctx context.Context, w Want) (*repository, error) {
	a, err := parse(w.RepoURL)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.settings.find(w.RepoURL, w.Project)
	key := a.url + a.local + "\x00" + w.Project
	if r, ok := c.opened[key]; ok && (a.local != "" || r.known.same(known)) {
		if r.plain && git.IsClone(ctx, r.local) {
			r.plain = false // it became a repository meanwhile
		}
		return r, nil
	}
	r := &repository{address: a, known: known}
	if a.local != "" {
		if info, err := os.Stat(a.local); err != nil || !info.IsDir() {
			return nil, fault.New(CodeRepository, "there is no folder %s", a.local).WithHint("repoURL names it")
		}
		r.dir, r.plain = a.local, !git.IsClone(ctx, a.local)
	} else {
		// By project, too: what one project's credentials fetched is not another's to read.
		sum := sha256.Sum256([]byte(Normal(a.url) + "\x00" + known.Project + "\x00" + known.Username))
		r.dir = filepath.Join(c.options.Dir, "git", hex.EncodeToString(sum[:12])+".git")
		r.refs, r.at = readKept(r.dir)
	}
	r.objects = &objects{dir: r.dir}
	if old, ok := c.opened[key]; ok {
		old.objects.close()
	}
	c.opened[key] = r
	return r, nil
}

// Resolve is the commit that a revision means now; of a plain folder its mark. Where the server is away, what was known
// last is taken, and away says why.
func (c *Cache) Resolve(ctx context.Context, w Want) (commit string, away error, err error) {
	r, err := c.open(ctx, w)
	if err != nil {
		return "", nil, err
	}
	if r.plain || w.Work && r.local != "" {
		t, err := Plain(ctx, r.local)
		if err != nil {
			return "", nil, err
		}
		return t.Revision, nil, nil
	}
	if isCommit(w.Revision) && w.Prefix == "" {
		return strings.ToLower(w.Revision), nil, nil
	}
	all, away, err := c.references(ctx, r, w.Fresh)
	if err != nil {
		return "", nil, err
	}
	if id, ok := all.find(w.Revision, w.Prefix); ok {
		return id, away, nil
	}
	if w.Prefix == "" && shortCommit.MatchString(w.Revision) {
		id, err := c.short(ctx, r, w.Revision)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return id, away, err
		}
	}
	if away != nil {
		return "", nil, away
	}
	return "", nil, all.unknown(r.given, w.Revision, w.Prefix)
}

// Tree is the files of a commit that Resolve gave. What was fetched before needs no server.
func (c *Cache) Tree(ctx context.Context, w Want, commit string) (*Tree, error) {
	r, err := c.open(ctx, w)
	if err != nil {
		return nil, err
	}
	if r.plain || w.Work && r.local != "" {
		return Plain(ctx, r.local)
	}
	if !isCommit(commit) {
		return nil, fault.New(CodeRevision, "%q is not a commit of %s", commit, r.given)
	}
	if r.local == "" {
		if err := c.have(ctx, r, commit); err != nil {
			return nil, err
		}
	}
	t, err := r.objects.tree(ctx, commit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(CodeRevision, "%s has no commit %s", r.given, commit)
	}
	return t, err
}

// References lists a repository's branches and tags by full name with their commits.
func (c *Cache) References(ctx context.Context, w Want) (map[string]string, error) {
	r, err := c.open(ctx, w)
	if err != nil || r.plain {
		return nil, err
	}
	all, _, err := c.references(ctx, r, w.Fresh)
	return all, err
}
