package action

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// revision is what a ref names in a clone: a tag, a branch, a branch of origin, or a commit by its id, in this order,
// except that a full id is always a commit. first names branches that win over origin's (the one checked out). name is
// the full reference found, "" for a commit.
func revision(ctx context.Context, clone, ref string) (commit, name string, err error) {
	if err := checkRef(ref); err != nil {
		return "", "", err
	}
	return firstOf(ctx, clone, candidates(ref))
}

// candidates are the references that a ref may mean, best first; "" stands for the id of a commit.
func candidates(ref string) []string {
	switch {
	case isCommit(ref):
		return []string{ref}
	case strings.HasPrefix(ref, "refs/heads/"):
		return []string{ref, "refs/remotes/origin/" + strings.TrimPrefix(ref, "refs/heads/")}
	case strings.HasPrefix(ref, "refs/"):
		return []string{ref, strings.Replace(ref, "refs/pull/", "refs/remotes/pull/", 1)}
	case ref == "HEAD":
		return []string{"HEAD"}
	}
	out := []string{"refs/tags/" + ref, "refs/heads/" + ref, "refs/remotes/origin/" + ref}
	if isShort(ref) {
		out = append(out, ref)
	}
	return out
}

// firstOf finds the first of several names that is a commit, with one call of git.
func firstOf(ctx context.Context, clone string, names []string) (commit, name string, err error) {
	cmd := git.Command(ctx, clone, "cat-file", "--batch-check=%(objectname) %(objecttype)")
	var in, out, errs bytes.Buffer
	for _, n := range names {
		in.WriteString(n + "^{commit}\n")
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", "", context.Cause(ctx)
		}
		return "", "", fault.New(CodeMissing, "the clone %s cannot be read: %s", clone, firstLine(errs.String(), err))
	}
	lines := strings.Split(out.String(), "\n")
	for i, n := range names {
		if i < len(lines) {
			if id, ok := strings.CutSuffix(lines[i], " commit"); ok && isCommit(id) {
				if !strings.HasPrefix(n, "refs/") {
					n = ""
				}
				return id, n, nil
			}
		}
	}
	return "", "", errNoRef
}

// errNoRef says that a clone has no such ref.
var errNoRef = errors.New("there is no such tag, branch or commit")

func firstLine(text string, err error) string {
	line, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(text), "fatal: "), "\n")
	if line == "" {
		return err.Error()
	}
	return line
}

// treeEntry is one entry of a commit's tree.
type treeEntry struct {
	mode, id, path string
}

// list lists a commit's tree.
func list(ctx context.Context, clone, commit string) ([]treeEntry, error) {
	out, err := git.Run(ctx, clone, "ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit)
	if err != nil {
		return nil, fmt.Errorf("list the files of %s in %s: %w", short(commit), clone, err)
	}
	var entries []treeEntry
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		meta, path, ok := strings.Cut(line, "\t")
		if f := strings.Fields(meta); ok && len(f) == 3 {
			entries = append(entries, treeEntry{f[0], f[2], path})
		}
	}
	return entries, nil
}

// export writes the files of a commit, without checking anything out: no filter, hook or attribute of the repository has
// a say. Submodules are empty folders, and export-ignore does not apply.
func (c *copier) export(ctx context.Context, clone, commit string) error {
	entries, err := list(ctx, clone, commit)
	if err != nil {
		return err
	}
	cmd := git.Command(ctx, clone, "cat-file", "--batch")
	ids, feed, err := os.Pipe()
	if err != nil {
		return err
	}
	var errs bytes.Buffer
	cmd.Stdin, cmd.Stderr = ids, &errs
	blobs, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("start git: %w", err), ids.Close(), feed.Close())
	}
	_ = ids.Close()
	fed := make(chan error, 1)
	go func() {
		w := bufio.NewWriter(feed)
		for _, e := range entries {
			if e.mode != "160000" {
				_, _ = w.WriteString(e.id + "\n")
			}
		}
		fed <- errors.Join(w.Flush(), feed.Close())
	}()
	err = c.blobs(bufio.NewReaderSize(blobs, 64<<10), entries)
	if err != nil {
		_ = cmd.Process.Kill() // it would wait for us to read on, and the feeder for it
	}
	feedErr, waitErr := <-fed, cmd.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		err = errors.Join(feedErr, waitErr)
	}
	if err != nil {
		return fmt.Errorf("read %s of %s: %w", short(commit), clone, err)
	}
	return nil
}

// blobs writes the files of a tree from what `git cat-file --batch` prints.
func (c *copier) blobs(in *bufio.Reader, entries []treeEntry) error {
	for _, e := range entries {
		if e.mode == "160000" {
			if err := c.folder(e.path); err != nil {
				return err
			}
			continue
		}
		head, err := in.ReadString('\n')
		if err != nil {
			return fmt.Errorf("%s: %w", e.path, err)
		}
		f := strings.Fields(head)
		if len(f) != 3 || f[1] != "blob" {
			return fmt.Errorf("%s: the clone lacks the object %s", e.path, e.id)
		}
		size, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil {
			return fmt.Errorf("%s: %w", e.path, err)
		}
		content := io.LimitReader(in, size)
		if e.mode == "120000" {
			target, err := io.ReadAll(io.LimitReader(content, maxLink))
			if err != nil || int64(len(target)) != size {
				return fault.New(CodeUnsafe, "the link %s is too long", e.path)
			}
			err = c.link(e.path, string(target))
			if err != nil {
				return err
			}
		} else if err := c.file(e.path, e.mode == "100755", content); err != nil {
			return err
		}
		if _, err := in.Discard(1); err != nil {
			return fmt.Errorf("%s: %w", e.path, err)
		}
	}
	return nil
}
