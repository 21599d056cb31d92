package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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

	guard []string // options that keep the repository's own filters from running
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

// read asks git what it knows. A repository whose own configuration may name filters is asked for that first: git would
// run them to see what has changed.
func (r *Repository) read(ctx context.Context) error {
	text, err := os.ReadFile(filepath.Join(commonDir(r.Dir), "config"))
	if err != nil || bytes.Contains(bytes.ToLower(text), []byte("filter")) || bytes.Contains(bytes.ToLower(text), []byte("include")) {
		if err := r.readConfig(ctx); err != nil {
			return err
		}
		r.guard = guards(r.Config)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.readCommit(ctx) })
	group.Go(func() error { return r.readStatus(ctx) })
	if r.Config == nil {
		group.Go(func() error { return r.readConfig(ctx) })
	}
	return group.Wait()
}

// guards turns every filter off (reliability.md S14).
func guards(config map[string]string) []string {
	var out []string
	for key := range config {
		rest, ok := strings.CutPrefix(key, "filter.")
		at := strings.LastIndexByte(rest, '.')
		if !ok || at < 0 {
			continue
		}
		switch rest[at+1:] {
		case "clean", "smudge", "process":
			out = append(out, "-c", key+"=")
		case "required":
			out = append(out, "-c", key+"=false")
		}
	}
	return out
}

// run runs git in the repository with its filters off.
func (r *Repository) run(ctx context.Context, args ...string) ([]byte, error) {
	return Run(ctx, r.Root, append(slices.Clone(r.guard), args...)...)
}

// locate finds the work tree's top and its git directory without starting git; "" where there is none.
func locate(dir string) (root, gitDir string) {
	for at := dir; ; at = filepath.Dir(at) {
		p := filepath.Join(at, ".git")
		info, err := os.Lstat(p)
		switch {
		case err == nil && info.IsDir():
			return at, p
		case err == nil && info.Mode().IsRegular():
			text, err := os.ReadFile(p)
			target, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
			if err == nil && ok {
				if !filepath.IsAbs(target) {
					target = filepath.Join(at, target)
				}
				return at, filepath.Clean(target)
			}
		}
		if at == filepath.Dir(at) {
			return dir, ""
		}
	}
}

func headBranch(gitDir string) string {
	text, err := os.ReadFile(filepath.Join(gitDir, "HEAD"))
	if err != nil {
		return ""
	}
	branch, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "ref: refs/heads/")
	if !ok {
		return ""
	}
	return branch
}

// readCommit reads HEAD's commit. A repository without commits has none, which is no error.
func (r *Repository) readCommit(ctx context.Context) error {
	out, err := Run(ctx, r.Root, "log", "-1", "--no-color", "--decorate=full", "--decorate-refs=refs/tags/*",
		"--format=%H%x00%P%x00%D%x00%an%x00%ae%x00%aI%x00%s%x00%B", "HEAD", "--")
	if e, ok := errors.AsType[*Error](err); ok && (strings.Contains(e.Stderr, "bad revision") || strings.Contains(e.Stderr, "unknown revision") || strings.Contains(e.Stderr, "does not have any commits")) {
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
	out, err := Run(ctx, r.Root, "config", "-z", "--list")
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

func (r *Repository) readStatus(ctx context.Context) error {
	out, err := r.run(ctx, "status", "--porcelain", "-z", "--untracked-files=normal", "--ignore-submodules=none")
	if err != nil {
		return err
	}
	r.Dirty = len(out) > 0
	return nil
}

func (r *Repository) remote() string {
	if name := r.Config["branch."+r.Branch+".remote"]; r.Branch != "" && name != "" && name != "." {
		if u := r.Config["remote."+name+".url"]; u != "" {
			return u
		}
	}
	return r.Config["remote.origin.url"]
}

// Facts are the repository's names: from its remote where it has one, else from its folder.
func (r *Repository) Facts() event.Repository {
	facts := event.Repository{Path: "local/" + slugPath(filepath.Base(r.Root)), DefaultBranch: r.defaultBranch()}
	host, path := splitRemote(r.Remote)
	if path != "" && host != "" {
		facts.Host, facts.Path, facts.URL = host, path, "https://"+host+"/"+path
	}
	return facts
}

func (r *Repository) defaultBranch() string {
	if r.Dir != "" {
		for _, dir := range []string{r.Dir, commonDir(r.Dir)} {
			text, err := os.ReadFile(filepath.Join(dir, "refs/remotes/origin/HEAD"))
			if branch, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "ref: refs/remotes/origin/"); err == nil && ok {
				return branch
			}
		}
		for _, name := range []string{"main", "master"} {
			if r.hasBranch(name) {
				return name
			}
		}
	}
	if d := r.Config["init.defaultbranch"]; d != "" && r.hasBranch(d) {
		return d
	}
	if r.Branch != "" {
		return r.Branch
	}
	return "main"
}

func (r *Repository) hasBranch(name string) bool {
	if r.Dir == "" {
		return false
	}
	common := commonDir(r.Dir)
	for _, ref := range []string{"refs/heads/" + name, "refs/remotes/origin/" + name} {
		if _, err := os.Stat(filepath.Join(common, ref)); err == nil {
			return true
		}
	}
	packed, err := os.ReadFile(filepath.Join(common, "packed-refs"))
	return err == nil && (bytes.Contains(packed, []byte(" refs/heads/"+name+"\n")) || bytes.Contains(packed, []byte(" refs/remotes/origin/"+name+"\n")))
}

// commonDir is the repository's own git directory, also of a linked work tree.
func commonDir(gitDir string) string {
	text, err := os.ReadFile(filepath.Join(gitDir, "commondir"))
	if err != nil {
		return gitDir
	}
	dir := strings.TrimSpace(string(text))
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(gitDir, dir)
	}
	return filepath.Clean(dir)
}

// splitRemote takes host and path out of a remote's URL, without credentials: https://, ssh:// and the scp form.
func splitRemote(remote string) (host, path string) {
	if remote == "" {
		return "", ""
	}
	if u, err := url.Parse(remote); err == nil && u.Host != "" {
		host, path = u.Hostname(), u.Path
		if p := u.Port(); p != "" && (u.Scheme == "http" || u.Scheme == "https") {
			if n, err := strconv.Atoi(p); err == nil && n > 0 {
				host += ":" + p
			}
		}
	} else if before, after, ok := strings.Cut(remote, ":"); ok && !strings.Contains(before, "/") {
		_, h, found := strings.Cut(before, "@")
		if !found {
			h = before
		}
		host, path = h, after
	}
	return host, strings.TrimSuffix(strings.Trim(path, "/"), ".git")
}

// slugPath makes a folder's name fit to be a project's name.
func slugPath(name string) string {
	out := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' {
			return c
		}
		return '-'
	}, name)
	if out = strings.Trim(out, "-."); out == "" {
		return "project"
	}
	return out
}

// Upstream is the remote-tracking branch of what is checked out, "" without one.
func (r *Repository) Upstream() string {
	remote, merge := r.Config["branch."+r.Branch+".remote"], r.Config["branch."+r.Branch+".merge"]
	branch, ok := strings.CutPrefix(merge, "refs/heads/")
	if r.Branch == "" || remote == "" || !ok {
		return ""
	}
	if remote == "." {
		return branch
	}
	return "refs/remotes/" + remote + "/" + branch
}
