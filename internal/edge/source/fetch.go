package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// patience is what one conversation with a server may take.
const patience = 10 * time.Minute

// references are a repository's references: of a folder as they stand, of a server as they were told within the time for
// which they are believed. away is why the server could not be asked and older ones are given.
func (c *Cache) references(ctx context.Context, r *repository, fresh bool) (all refs, away, err error) {
	if r.local != "" {
		all, err = r.standing(ctx)
		return all, nil, err
	}
	r.mu.Lock()
	all, at, trouble := r.refs, r.at, r.trouble
	r.mu.Unlock()
	if all != nil && !fresh && c.options.Now().Sub(at) < c.options.Fresh {
		return all, trouble, nil
	}
	v, err, _ := c.flights.Do("refs "+r.dir, func() (any, error) { return c.list(context.WithoutCancel(ctx), r) })
	if err == nil {
		return v.(refs), nil, nil
	}
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	if all == nil || fault.CodeOf(err) != CodeUnreachable {
		return nil, nil, err
	}
	r.mu.Lock()
	r.trouble, r.at = err, c.options.Now().Add(min(c.options.Fresh, 10*time.Second)-c.options.Fresh) // asked again soon
	r.mu.Unlock()
	return all, err, nil
}

// list asks the server.
func (c *Cache) list(ctx context.Context, r *repository) (refs, error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	x, err := c.access(r)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.options.Dir, 0o700); err != nil {
		return nil, errors.Join(err, x.close())
	}
	home, err := c.empty(ctx)
	if err != nil {
		return nil, errors.Join(err, x.close())
	}
	out, err := c.ask(ctx, x, home, r, "ls-remote", "--quiet", "--end-of-options", r.url)
	if err := errors.Join(err, x.close()); err != nil {
		return nil, err
	}
	all := parseRefs(out)
	r.mu.Lock()
	r.refs, r.at, r.trouble = all, c.options.Now(), nil
	r.mu.Unlock()
	return all, r.save(ctx)
}

// ask sends a request to a git server and tells of it.
func (c *Cache) ask(ctx context.Context, x *access, dir string, r *repository, request string, args ...string) ([]byte, error) {
	began := time.Now()
	out, err := x.run(ctx, dir, r.address, request, args...)
	if c.options.Asked != nil {
		c.options.Asked(r.given, request, time.Since(began), err)
	}
	return out, err
}

func (c *Cache) access(r *repository) (*access, error) {
	c.mu.Lock()
	s := c.settings
	c.mu.Unlock()
	return s.open(r.address, r.known)
}

// empty is a repository of ours without anything, to stand in where a command needs none.
func (c *Cache) empty(ctx context.Context) (string, error) {
	dir := filepath.Join(c.options.Dir, "git", "empty.git")
	return dir, create(ctx, dir, "sha1")
}

// create makes a bare repository of ours, in one step.
func create(ctx context.Context, dir, format string) error {
	if git.IsClone(ctx, dir) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	made, err := os.MkdirTemp(filepath.Dir(dir), "new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(made)
	if _, err := git.Run(ctx, filepath.Dir(dir), "init", "-q", "--bare", "--template=", "--object-format="+format, made); err != nil {
		return err
	}
	err = os.Rename(made, dir)
	if git.IsClone(ctx, dir) {
		return nil // another was faster
	}
	return err
}

// have fetches a commit where the mirror lacks it: that commit alone, or everything from a server that does not give
// commits by their name.
func (c *Cache) have(ctx context.Context, r *repository, commit string) error {
	if r.holds(ctx, commit) {
		return nil
	}
	_, err, _ := c.flights.Do("fetch "+r.dir, func() (any, error) {
		if r.holds(ctx, commit) {
			return nil, nil
		}
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer stop()
		err := c.fetch(ctx, r, format(commit), "--depth=1", "+"+commit+":refs/sluice/"+commit)
		if err == nil || fault.CodeOf(err) == CodeUnreachable || fault.CodeOf(err) == CodeDenied {
			return nil, err
		}
		return nil, c.fetchAll(ctx, r, format(commit))
	})
	if err != nil {
		return err
	}
	if r.holds(ctx, commit) {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	// Another commit may have been fetched at the same time, and this one not.
	if err := c.fetchAll(ctx, r, format(commit)); err != nil || r.holds(ctx, commit) {
		return err
	}
	return fault.New(CodeRevision, "%s has no commit %s", r.given, commit)
}

func format(commit string) string {
	if len(commit) == 64 {
		return "sha256"
	}
	return "sha1"
}

func (r *repository) holds(ctx context.Context, commit string) bool {
	if !git.IsClone(ctx, r.dir) {
		return false
	}
	_, err := r.objects.get(ctx, commit+"^{tree}")
	return err == nil
}

// fetchAll fetches every branch and tag with its history.
func (c *Cache) fetchAll(ctx context.Context, r *repository, format string) error {
	specs := []string{"--prune", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"}
	if _, err := os.Stat(filepath.Join(r.dir, "shallow")); err == nil {
		specs = append([]string{"--unshallow"}, specs...)
	}
	return c.fetch(ctx, r, format, specs...)
}

func (c *Cache) fetch(ctx context.Context, r *repository, format string, args ...string) error {
	if err := create(ctx, r.dir, format); err != nil {
		return err
	}
	x, err := c.access(r)
	if err != nil {
		return err
	}
	var flags, specs []string
	for _, a := range args {
		if strings.HasPrefix(a, "--") {
			flags = append(flags, a)
		} else {
			specs = append(specs, a)
		}
	}
	all := append([]string{"--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules"}, flags...)
	all = append(append(all, "--end-of-options", r.url), specs...)
	_, err = c.ask(ctx, x, r.dir, r, "fetch", all...)
	if err := errors.Join(err, x.close()); err != nil {
		return err
	}
	r.objects.forget()
	return errors.Join(r.save(ctx), r.trim(ctx))
}

// maxKept is how many commits a mirror remembers as a start for the next fetch. Their objects stay in any case.
const maxKept = 20

// save writes the references that were told into the mirror, for when the server is away.
func (r *repository) save(ctx context.Context) error {
	if !git.IsClone(ctx, r.dir) {
		return nil
	}
	r.mu.Lock()
	data, err := json.Marshal(r.refs)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	return replace(filepath.Join(r.dir, "sluice-refs.json"), data)
}

// replace writes a file in one step.
func replace(name string, data []byte) error {
	file, err := os.CreateTemp(filepath.Dir(name), ".new-")
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// trim forgets the names of the oldest commits that were fetched by themselves.
func (r *repository) trim(ctx context.Context) error {
	names, err := filepath.Glob(filepath.Join(r.dir, "refs/sluice/*"))
	if err != nil || len(names) <= 2*maxKept {
		return err
	}
	out, err := git.Run(ctx, r.dir, "for-each-ref", "--sort=-committerdate", "--format=%(refname)", "refs/sluice")
	if err != nil {
		return err
	}
	for i, name := range strings.Fields(string(out)) {
		if i < maxKept {
			continue
		}
		if _, err := git.Run(ctx, r.dir, "update-ref", "-d", name); err != nil {
			return err
		}
	}
	return nil
}

// readKept are the references as they were when the mirror was last fetched, too old to be believed without asking.
func readKept(dir string) (refs, time.Time) {
	data, err := os.ReadFile(filepath.Join(dir, "sluice-refs.json"))
	if err != nil {
		return nil, time.Time{}
	}
	var all refs
	if json.Unmarshal(data, &all) != nil {
		return nil, time.Time{}
	}
	return all, time.Time{}
}

// short is the commit that a shortened name means, which takes the whole history. fs.ErrNotExist where there is none.
func (c *Cache) short(ctx context.Context, r *repository, name string) (string, error) {
	if id, err := r.parse(ctx, name); err == nil || r.local != "" {
		return id, err
	}
	_, err, _ := c.flights.Do("fetch all "+r.dir, func() (any, error) {
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer stop()
		return nil, c.fetchAll(ctx, r, "sha1")
	})
	if err != nil {
		return "", err
	}
	return r.parse(ctx, name)
}

func (r *repository) parse(ctx context.Context, name string) (string, error) {
	if !git.IsClone(ctx, r.dir) {
		return "", fs.ErrNotExist
	}
	out, err := git.Run(ctx, r.dir, "rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
	if id := strings.TrimSpace(string(out)); err == nil && isCommit(id) {
		return id, nil
	}
	return "", fs.ErrNotExist
}

// standing are the references of a repository on this machine. They are read again when its files have changed.
func (r *repository) standing(ctx context.Context) (refs, error) {
	mark := r.look()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refs != nil && mark == r.mark {
		return r.refs, nil
	}
	out, err := git.Run(ctx, r.dir, "show-ref", "--head", "--dereference")
	if e, ok := errors.AsType[*git.Error](err); ok && e.Exit == 1 && e.Stderr == "" {
		return nil, fault.New(CodeRevision, "%s has no commit yet", r.given)
	}
	if e, ok := errors.AsType[*git.Error](err); ok {
		return nil, fault.New(CodeRepository, "%s: %s", r.given, firstFatal(strings.TrimSpace(e.Stderr)))
	}
	if err != nil {
		return nil, err
	}
	r.refs, r.mark = parseRefs(out), mark
	return r.refs, nil
}

// look is a mark of the files in which git keeps references; it changes with them.
func (r *repository) look() string {
	sum := sha256.New()
	note := func(name string) {
		if info, err := os.Lstat(name); err == nil {
			fmt.Fprintf(sum, "%s %d %d", name, info.Size(), info.ModTime().UnixNano())
			if s, ok := info.Sys().(*syscall.Stat_t); ok {
				fmt.Fprintf(sum, " %d", s.Ino)
			}
			sum.Write([]byte("\n"))
		}
	}
	for _, dir := range gitDirs(r.dir) {
		for _, name := range []string{"HEAD", "packed-refs", "reftable/tables.list"} {
			note(filepath.Join(dir, name))
		}
		_ = filepath.WalkDir(filepath.Join(dir, "refs"), func(name string, _ fs.DirEntry, err error) error {
			if err == nil {
				note(name)
			}
			return nil
		})
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// gitDirs are the folders in which a repository keeps its references: its git directory, and of a linked work tree the
// one that it shares.
func gitDirs(dir string) []string {
	at := filepath.Join(dir, ".git")
	info, err := os.Lstat(at)
	switch {
	case err != nil:
		at = dir // bare
	case info.Mode().IsRegular():
		text, err := os.ReadFile(at)
		target, ok := bytes.CutPrefix(bytes.TrimSpace(text), []byte("gitdir: "))
		if err != nil || !ok {
			return []string{dir}
		}
		at = string(target)
		if !filepath.IsAbs(at) {
			at = filepath.Join(dir, at)
		}
	}
	out := []string{at}
	if text, err := os.ReadFile(filepath.Join(at, "commondir")); err == nil {
		common := strings.TrimSpace(string(text))
		if !filepath.IsAbs(common) {
			common = filepath.Join(at, common)
		}
		out = append(out, common)
	}
	return out
}
