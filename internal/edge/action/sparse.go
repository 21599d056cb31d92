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

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// sparse leaves only what the patterns of sparse-checkout take: folders and what lies beside them on the way (cone
// mode), or patterns like those of .gitignore. Files that are changed or new in the work tree are held to them too.
func (k *checkout) sparse(ctx context.Context) error {
	var lines []string
	for _, l := range k.f.Sparse {
		for line := range strings.Lines(l) {
			if line = strings.TrimSpace(line); line != "" {
				lines = append(lines, line)
			}
		}
	}
	if len(lines) == 0 {
		return nil
	}
	var err error
	if k.f.ConeMode {
		err = k.cone(ctx, lines)
	} else {
		err = k.patterns(ctx, lines)
	}
	if err != nil {
		return err
	}
	return k.prune(ctx)
}

func (k *checkout) cone(ctx context.Context, folders []string) error {
	cmd := git.Command(ctx, k.dest, "sparse-checkout", "set", "--cone", "--stdin")
	cmd.Stdin = strings.NewReader(strings.Join(folders, "\n") + "\n")
	if err := run(ctx, cmd, "sparse-checkout"); err != nil {
		return fault.New(CodeSparse, "%v", err).WithHint("every line names a folder; patterns need sparse-checkout-cone-mode: false")
	}
	return nil
}

func (k *checkout) patterns(ctx context.Context, lines []string) error {
	info := filepath.Join(k.dest, ".git/info")
	if err := os.MkdirAll(info, 0o777); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(info, "sparse-checkout"), []byte(strings.Join(lines, "\n")+"\n"), 0o666); err != nil {
		return fmt.Errorf("write the patterns: %w", err)
	}
	for _, args := range [][]string{
		{"config", "core.sparseCheckout", "true"}, {"config", "core.sparseCheckoutCone", "false"}, {"sparse-checkout", "reapply"},
	} {
		if err := run(ctx, git.Command(ctx, k.dest, args...), "sparse-checkout"); err != nil {
			return fault.New(CodeSparse, "%v", err)
		}
	}
	return nil
}

// prune removes what git leaves: files that are changed or not tracked. The patterns of a sparse checkout are read as
// those of .gitignore are, so git tells which files they match.
func (k *checkout) prune(ctx context.Context) error {
	all, err := git.Run(ctx, k.dest, "ls-files", "-z", "--cached", "--others")
	if err != nil {
		return err
	}
	some, err := git.Run(ctx, k.dest, "ls-files", "-z", "--cached", "--others", "--ignored", "--exclude-from=.git/info/sparse-checkout")
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for p := range strings.SplitSeq(string(some), "\x00") {
		keep[p] = true
	}
	root, err := os.OpenRoot(k.dest)
	if err != nil {
		return err
	}
	defer root.Close()
	for p := range strings.SplitSeq(strings.TrimSuffix(string(all), "\x00"), "\x00") {
		if keep[p] || p == "" || strings.HasSuffix(p, "/") {
			continue
		}
		if err := root.Remove(p); err == nil {
			for dir := path.Dir(p); dir != "." && root.Remove(dir) == nil; dir = path.Dir(dir) {
			}
		} else if !errors.Is(err, fs.ErrNotExist) && !isFolder(filepath.Join(k.dest, p)) {
			return fmt.Errorf("sparse-checkout: %w", err)
		}
	}
	out, err := git.Run(ctx, k.dest, "ls-files", "-z", "--cached", "-t")
	if err != nil {
		return err
	}
	var mark strings.Builder
	for line := range strings.SplitSeq(string(out), "\x00") {
		if tag, p, ok := strings.Cut(line, " "); ok && tag != "S" && !keep[p] {
			mark.WriteString(p + "\x00")
		}
	}
	if mark.Len() == 0 {
		return nil
	}
	cmd := git.Command(ctx, k.dest, "update-index", "--skip-worktree", "-z", "--stdin")
	cmd.Stdin = strings.NewReader(mark.String())
	return run(ctx, cmd, "sparse-checkout")
}
