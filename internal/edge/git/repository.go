package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-delivery/sluice/internal/flow/event"
)

// Zero is the id that stands for "no commit".
const Zero = "0000000000000000000000000000000000000000"

// Repository is a work tree as it stands.
type Repository struct {
	Root   string // the work tree's top folder; of a plain folder, the folder
	Dir    string // the git directory; "" in a folder outside git
	Branch string // what is checked out; "" on a detached HEAD
	Commit event.Commit
	Parent string   // first parent of the commit, Zero where there is none
	Tags   []string // that point at the commit
	Dirty  bool     // tracked or untracked changes are not committed
	Remote string   // URL of the branch's remote or origin
	User   event.Person
	Config map[string]string

	guard []string // environment that keeps the repository's own filters from running
}

// Open reads the repository that dir is in. A folder outside git is a repository without history: Dir is "".
func Open(ctx context.Context, dir string) (*Repository, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", dir, err)
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return nil, fmt.Errorf("find %s: %w", dir, err)
	}
	root, gitDir := locate(abs)
	if gitDir == "" {
		return &Repository{Root: abs, Commit: event.Commit{SHA: Zero}, Parent: Zero, Config: map[string]string{}}, nil
	}
	r := &Repository{Root: root, Dir: gitDir}
	if err := r.read(ctx); err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			return nil, e.Fault()
		}
		return nil, err
	}
	r.Branch = headBranch(gitDir)
	r.Remote = r.remote()
	r.User = event.Person{Name: r.Config["user.name"], Email: r.Config["user.email"]}
	return r, nil
}

// read asks git what it knows.
func (r *Repository) read(ctx context.Context) error {
	if err := r.protect(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.readCommit(ctx) })
	group.Go(func() error { return r.readStatus(ctx) })
	if r.Config == nil {
		group.Go(func() error { return r.readConfig(ctx) })
	}
	return group.Wait()
}

// run runs git in the repository, and in no other around it, with its filters off.
func (r *Repository) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := Command(ctx, r.Root, args...)
	cmd.Env = append(append(cmd.Env, "GIT_CEILING_DIRECTORIES="+filepath.Dir(r.Root)), r.guard...)
	return finish(ctx, cmd, args)
}

// readCommit reads HEAD's commit. A repository without commits has none, which is no error.
func (r *Repository) readCommit(ctx context.Context) error {
	out, err := r.run(ctx, "log", "-1", "--no-color", "--decorate=full", "--decorate-refs=refs/tags/*",
		"--format=%H%x00%P%x00%D%x00%an%x00%ae%x00%aI%x00%s%x00%B", "HEAD", "--")
	if noCommit(err) {
		r.Commit, r.Parent = event.Commit{SHA: Zero}, Zero
		return nil
	}
	if err != nil {
		return err
	}
	f := bytes.SplitN(bytes.TrimSuffix(out, []byte("\n")), []byte{0}, 8)
	if len(f) != 8 {
		return fmt.Errorf("read the commit: git log printed %d fields", len(f))
	}
	at, err := time.Parse(time.RFC3339, string(f[5]))
	if err != nil {
		return fmt.Errorf("read the commit's time: %w", err)
	}
	r.Commit = event.Commit{
		SHA: string(f[0]), Title: string(f[6]), Message: string(f[7]), At: at,
		Author: event.Person{Name: string(f[3]), Email: string(f[4])},
	}
	r.Parent = Zero
	if first, _, _ := strings.Cut(string(f[1]), " "); first != "" {
		r.Parent = first
	}
	for name := range strings.SplitSeq(string(f[2]), ", ") {
		if tag, ok := strings.CutPrefix(name, "tag: refs/tags/"); ok {
			r.Tags = append(r.Tags, tag)
		}
	}
	return nil
}

func (r *Repository) readConfig(ctx context.Context) error {
	out, err := r.run(ctx, "config", "-z", "--list")
	if err != nil {
		return err
	}
	r.Config = map[string]string{}
	for entry := range bytes.SplitSeq(out, []byte{0}) {
		name, value, _ := bytes.Cut(entry, []byte("\n"))
		if len(name) > 0 {
			r.Config[string(name)] = string(value)
		}
	}
	return nil
}

// readStatus looks at everything but the inside of submodules: git would look there with the submodule's own settings.
func (r *Repository) readStatus(ctx context.Context) error {
	out, err := r.run(ctx, "status", "--porcelain", "-z", "--untracked-files=normal", "--ignore-submodules=dirty")
	if err != nil {
		return err
	}
	r.Dirty = len(out) > 0
	return nil
}

// noCommit recognizes that the repository has no commit yet.
func noCommit(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (strings.Contains(e.Stderr, "bad revision") || strings.Contains(e.Stderr, "unknown revision") || strings.Contains(e.Stderr, "does not have any commits"))
}
