package action

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/edge/workspace"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Fetch puts a repository into a workspace as actions/checkout leaves it (README of actions/checkout). Values are the
// commit and the ref; out hears what is done and what a person should know.
//
// The repository that the run is of comes as its work tree stands, changes included, where no other ref is asked for;
// at another ref it comes from the user's clone, whose objects are borrowed, never written. Other repositories come
// from the sources, whole and independent of them. Nothing is fetched from a network, so filter changes nothing but
// what git records. set-safe-directory holds in the action itself only, there too: here git trusts the workspace anyway.
//
// A token that persists is in .git/config as the header that git sends, its base64 form (see Basic) is to be masked.
func (s *Sources) Fetch(ctx context.Context, f program.Fetch, paths program.Paths, out program.Output) (program.Outcome, error) {
	k := &checkout{s: s, f: f, out: out, paths: paths}
	if err := k.run(ctx); err != nil {
		return program.Outcome{}, failed(err)
	}
	return program.Outcome{Values: []string{k.commit, k.ref}}, nil
}

// checkout is one Fetch.
type checkout struct {
	s     *Sources
	f     program.Fetch
	out   program.Output
	paths program.Paths

	dest   string // the folder, on this machine
	origin string // address of the remote
	commit string // what was checked out
	ref    string // as it was asked for, or what the run is about
}

func (k *checkout) run(ctx context.Context) error {
	own := k.f.Repository == "" || strings.EqualFold(k.f.Repository, k.s.Own.Repository)
	if !own {
		if err := checkRepository(k.f.Repository); err != nil {
			return err
		}
	}
	k.origin = k.address(own)
	k.ref = k.f.Ref
	if k.f.Filled {
		k.dest = k.paths.Workspace
		if !own || !k.same() || k.f.Path != "" && k.f.Path != "." {
			return errors.New("the workspace was filled with something else than this checkout asks for")
		}
		return errors.Join(k.current(ctx), k.persist())
	}
	keep, err := k.clear()
	if err != nil {
		return err
	}
	final := k.dest
	if keep {
		if k.dest, err = os.MkdirTemp(filepath.Dir(k.paths.Workspace), ".checkout-"); err != nil {
			return err
		}
		defer os.RemoveAll(k.dest)
	}
	switch {
	case own && k.same():
		err = k.current(ctx)
	case own:
		err = k.other(ctx, Found{Repository: k.s.Own.Repository, Ref: k.f.Ref, Clone: k.s.Own.Root, From: "your clone"}, true)
	default:
		err = k.elsewhere(ctx)
	}
	if err == nil {
		err = k.persist()
	}
	if err == nil && keep {
		err = overlay(ctx, k.dest, final)
	}
	return err
}

// address is how the remote is called: as the user's own is for the run's repository, else as on the server.
func (k *checkout) address(own bool) string {
	if own && k.s.Own.Origin != "" {
		return k.s.Own.Origin
	}
	server, repository := k.s.server(), k.f.Repository
	if k.f.Server != "" {
		server = trimSlash(k.f.Server)
	}
	if repository == "" {
		repository = k.s.Own.Repository
	}
	return server + "/" + repository
}

// same says whether what the run is about is asked for: the work tree stands for it.
func (k *checkout) same() bool {
	o := k.s.Own
	ref := k.f.Ref
	if ref == "" || o.Dir == "" || k.f.Current {
		return true
	}
	return ref == o.Ref || ref == o.SHA || ref == strings.TrimPrefix(o.Ref, "refs/heads/") || ref == strings.TrimPrefix(o.Ref, "refs/tags/")
}

func (k *checkout) say(format string, args ...any) {
	_ = k.out.Write(program.System, []byte(fmt.Sprintf(format, args...)))
}

func (k *checkout) warn(f *fault.Fault) {
	_ = k.out.Write(program.System, []byte("warning: "+f.Error()))
}

// current fills the folder with the work tree.
func (k *checkout) current(ctx context.Context) error {
	o := k.s.Own
	if o.Snapshot == nil && !k.f.Filled {
		return errors.New("there is no snapshot of the work tree")
	}
	c := program.Checkout{Submodules: map[string]string{"": "", "false": "", "true": "normal", "recursive": "recursive"}[k.f.Submodules]}
	if !k.f.Filled {
		if err := o.Snapshot.Fill(ctx, k.dest, c); err != nil {
			return err
		}
		for _, r := range o.Snapshot.Remarks(c) {
			k.say("warning: %s", r)
		}
	}
	if k.ref == "" {
		k.ref = o.Ref
	}
	k.commit = o.SHA
	if !isFolder(filepath.Join(k.dest, ".git")) {
		return nil // the run is of a folder outside git
	}
	settled := o.Ref
	switch {
	case k.f.Current:
		settled = k.f.As
	case k.f.Ref != "" && k.f.Ref == o.SHA:
		settled = "" // a commit leaves HEAD detached
	}
	if err := k.settle(ctx, o.Root, settled); err != nil {
		return err
	}
	return k.sparse(ctx)
}

// elsewhere checks out another repository.
func (k *checkout) elsewhere(ctx context.Context) error {
	ref := k.f.Ref
	if ref == "" {
		ref = "HEAD" // the default branch
	}
	f, err := k.s.Find(ctx, k.f.Repository, ref)
	if fault.CodeOf(err) == CodeMissing && k.f.Ref == "" {
		f, err = k.onlyOne(ctx, err)
	}
	if err != nil {
		return err
	}
	f.Ref = ref
	k.say("%s comes from %s", label(f.Repository, ref), f.From)
	if f.exact != "" {
		if err := f.check(ctx); err != nil {
			return err
		}
	}
	k.s.note(f)
	switch {
	case f.Clone != "":
		return k.other(ctx, f, false)
	case git.IsClone(ctx, f.Dir):
		return k.worktree(ctx, f)
	default:
		return k.plain(ctx, f)
	}
}

// onlyOne is the one ref that a folder was given for, where no default branch is known.
func (k *checkout) onlyOne(ctx context.Context, missing error) (Found, error) {
	only := ""
	for name := range k.s.Local {
		if repository, ref, _ := strings.Cut(name, "@"); strings.EqualFold(repository, k.f.Repository) {
			if only != "" {
				return Found{}, missing
			}
			only = ref
		}
	}
	if only == "" {
		return Found{}, missing
	}
	return k.s.Find(ctx, k.f.Repository, only)
}

// worktree takes a clone's work tree as it stands, for a folder that was given for the repository.
func (k *checkout) worktree(ctx context.Context, f Found) error {
	temp, err := os.MkdirTemp("", "sluice-snapshot-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	snap, err := workspace.Take(ctx, f.Dir, filepath.Join(temp, "copies"), workspace.Options{})
	if err != nil {
		return err
	}
	defer snap.Close()
	c := program.Checkout{Submodules: map[string]string{"true": "normal", "recursive": "recursive"}[k.f.Submodules]}
	if err := snap.Fill(ctx, k.dest, c); err != nil {
		return err
	}
	for _, r := range snap.Remarks(c) {
		k.say("warning: %s", r)
	}
	k.commit = snap.Head
	if snap.Head == "" {
		return nil
	}
	branch := ""
	if out, err := git.Run(ctx, f.Dir, "symbolic-ref", "--quiet", "HEAD"); err == nil {
		branch = strings.TrimSpace(string(out))
	}
	if err := k.settle(ctx, f.Dir, branch); err != nil {
		return err
	}
	if err := independent(ctx, k.dest); err != nil {
		return err
	}
	return k.sparse(ctx)
}

// plain copies a folder outside git and makes it a repository of one commit.
func (k *checkout) plain(ctx context.Context, f Found) error {
	root, err := os.OpenRoot(k.dest)
	if err != nil {
		return err
	}
	defer root.Close()
	if f, _, err = f.write(ctx, root); err != nil {
		return err
	}
	k.commit = f.Commit
	for _, args := range [][]string{
		{"init", "--quiet", "--template=", "--initial-branch=main"},
		{"config", "gc.auto", "0"},
		{"config", "remote.origin.url", k.origin},
		{"config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"},
		{"add", "--all", "--force"},
		{
			"-c", "user.name=Sluice", "-c", "user.email=sluice@localhost", "-c", "commit.gpgSign=false",
			"commit", "--quiet", "--allow-empty", "--no-verify", "--date=2000-01-01T00:00:00Z", "-m", label(f.Repository, f.Ref),
		},
	} {
		if _, err := git.Run(ctx, k.dest, args...); err != nil {
			return err
		}
	}
	if k.commit == "" {
		k.commit, _, err = firstOf(ctx, k.dest, []string{"HEAD"})
	}
	if err != nil {
		return err
	}
	return k.sparse(ctx)
}
