package action

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// other checks out a ref of a clone. borrow leaves the objects where they are.
func (k *checkout) other(ctx context.Context, f Found, borrow bool) error {
	ref := f.Ref
	if ref == "HEAD" {
		if out, err := git.Run(ctx, f.Clone, "symbolic-ref", "--quiet", "HEAD"); err == nil {
			ref = strings.TrimSpace(string(out))
		}
	}
	commit, name, err := k.lookUp(ctx, f.Clone, ref)
	if errors.Is(err, errNoRef) {
		return fault.New(CodeMissing, "a branch or tag with the name '%s' could not be found in %s", ref, f.From).
			WithHint("nothing is fetched: `git fetch origin %s` in the clone brings it", ref)
	}
	if err != nil {
		return err
	}
	if k.ref == "" {
		k.ref = name
	}
	return k.take(ctx, f.Clone, commit, name, borrow)
}

// lookUp finds what a ref means to actions/checkout: a commit by its whole id, a full reference, else a branch before a
// tag. Of the run's own repository the branches of origin come first, except for the one checked out.
func (k *checkout) lookUp(ctx context.Context, clone, ref string) (commit, name string, err error) {
	if ref == "HEAD" || isCommit(ref) {
		return firstOf(ctx, clone, []string{ref})
	}
	if err := checkRef(ref); err != nil {
		return "", "", err
	}
	var names []string
	branch, isBranch := strings.CutPrefix(ref, "refs/heads/")
	if !strings.HasPrefix(ref, "refs/") || isBranch {
		names = []string{"refs/heads/" + branch, "refs/remotes/origin/" + branch}
		if clone == k.s.Own.Root && k.s.Own.Ref != names[0] {
			names[0], names[1] = names[1], names[0]
		}
		if !isBranch {
			names = append(names, "refs/tags/"+ref)
		}
	} else {
		names = candidates(ref)
	}
	commit, name, err = firstOf(ctx, clone, names)
	if b, ok := strings.CutPrefix(name, "refs/remotes/origin/"); ok {
		name = "refs/heads/" + b
	}
	name = strings.Replace(name, "refs/remotes/pull/", "refs/pull/", 1)
	return commit, name, err
}

// take makes the folder, which is empty, a repository at a commit of a clone, and checks it out. name is the reference
// to settle on, "" for the commit alone.
func (k *checkout) take(ctx context.Context, clone, commit, name string, borrow bool) error {
	common, err := k.begin(ctx, clone, commit)
	if err != nil {
		return err
	}
	if err := k.settle(ctx, clone, name); err != nil {
		return err
	}
	if !borrow {
		if err := independent(ctx, k.dest); err != nil {
			return err
		}
	}
	// Whatever the user's git-lfs would do: the objects are not fetched one by one.
	cmd := git.Command(ctx, k.dest, "reset", "--hard", "--quiet", "--no-recurse-submodules")
	cmd.Env = append(cmd.Env, "GIT_LFS_SKIP_SMUDGE=1")
	if err := run(ctx, cmd, "check out "+short(commit)); err != nil {
		return err
	}
	if k.f.LFS {
		k.largeFiles(ctx, common)
	}
	if err := k.sparse(ctx); err != nil {
		return err
	}
	if k.f.Submodules == "true" || k.f.Submodules == "recursive" {
		return k.submodules(ctx, clone, common)
	}
	return nil
}

// begin makes a repository that borrows the objects of a clone and knows all its references. common is the clone's git
// directory.
func (k *checkout) begin(ctx context.Context, clone, commit string) (common string, err error) {
	out, err := git.Run(ctx, clone, "rev-parse", "--show-object-format", "--path-format=absolute", "--git-common-dir")
	if err != nil {
		return "", err
	}
	format, common, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if _, err := git.Run(ctx, k.dest, "init", "--quiet", "--template=", "--object-format="+format); err != nil {
		return "", err
	}
	refs, err := k.references(ctx, clone)
	if err != nil {
		return "", err
	}
	dot := filepath.Join(k.dest, ".git")
	text, err := os.ReadFile(filepath.Join(dot, "config"))
	if err != nil {
		return "", err
	}
	alternates := filepath.Join(common, "objects")
	if strings.ContainsAny(alternates, "\n\"") {
		return "", fault.New(CodePlace, "the clone %s has a path that git cannot borrow from", clone)
	}
	shallow, err := os.ReadFile(filepath.Join(common, "shallow"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	files := map[string][]byte{
		"HEAD": []byte(commit + "\n"), "packed-refs": packedText(refs), "objects/info/alternates": []byte(alternates + "\n"),
		"config": append(text, "[gc]\n\tauto = 0\n"...),
	}
	if len(shallow) > 0 {
		files["shallow"] = shallow
	}
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dot, name)), 0o777); err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dot, name), content, 0o666); err != nil {
			return "", fmt.Errorf("make the repository: %w", err)
		}
	}
	return common, nil
}

// references are what origin has, as far as the clone tells: its tags, the branches of its origin, and its own where
// origin has none of the name or the run is about it.
func (k *checkout) references(ctx context.Context, clone string) (map[string]string, error) {
	out, err := git.Run(ctx, clone, "for-each-ref", "--format=%(objectname) %(refname) %(symref)", "refs/heads", "refs/tags", "refs/remotes/origin")
	if err != nil {
		return nil, err
	}
	refs, own := map[string]string{}, map[string]string{}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 2 || !isCommit(f[0]) {
			continue // symbolic: origin/HEAD
		}
		if branch, ok := strings.CutPrefix(f[1], "refs/heads/"); ok {
			own[branch] = f[0]
			continue
		}
		refs[f[1]] = f[0]
	}
	for branch, id := range own {
		name := "refs/remotes/origin/" + branch
		if _, known := refs[name]; !known || clone == k.s.Own.Root && k.s.Own.Ref == "refs/heads/"+branch {
			refs[name] = id
		}
	}
	return refs, nil
}

// run runs a prepared command of git.
func run(ctx context.Context, cmd *exec.Cmd, what string) error {
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &errs
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: git: %s", what, firstLine(errs.String(), err))
	}
	return nil
}

// largeFiles puts the content of Git LFS files in place, as far as the clone has it.
func (k *checkout) largeFiles(ctx context.Context, common string) {
	if _, err := exec.LookPath("git-lfs"); err != nil {
		k.warn(fault.New(CodeLFS, "the checkout asks for lfs, and git-lfs is not installed: its files hold their pointers").WithHint("apt-get install git-lfs"))
		return
	}
	cmd := git.Command(ctx, k.dest, "-c", "lfs.storage="+filepath.Join(common, "lfs"), "lfs", "checkout")
	if err := run(ctx, cmd, "put the files of Git LFS in place"); err != nil {
		k.warn(fault.New(CodeLFS, "%v", err))
	}
}

// Basic is the form in which git sends a token of GitHub's: user x-access-token, as actions/checkout writes it.
func Basic(token string) string {
	return base64.StdEncoding.EncodeToString([]byte("x-access-token:" + token))
}

// persist leaves the token for later git commands of the job (persist-credentials).
func (k *checkout) persist() error {
	name := filepath.Join(k.dest, ".git/config")
	if !k.f.Persist || k.f.Token == "" {
		return nil
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	server := k.s.server()
	if k.f.Server != "" {
		server = trimSlash(k.f.Server)
	}
	text = fmt.Appendf(text, "[http %s]\n\textraheader = %s\n", quoted(server+"/"), quoted("AUTHORIZATION: basic "+Basic(k.f.Token)))
	if err == nil {
		err = os.WriteFile(name, text, 0o600)
	}
	if err == nil {
		err = os.Chmod(name, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep the token for later steps: %w", err)
	}
	return nil
}
