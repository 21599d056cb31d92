package action

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/edge/git"
)

// settle gives the repository that a snapshot has made the references, HEAD and depth of actions/checkout: with a depth
// only the ref that the run is about is there (and the tags where they are asked for), and history ends after as many
// commits; without, all branches and tags. A branch is checked out as a branch, everything else detached. source is the
// clone whose objects are borrowed; ref is the full reference, "" for a commit alone.
func (k *checkout) settle(ctx context.Context, source, ref string) error {
	dot := filepath.Join(k.dest, ".git")
	text, err := os.ReadFile(filepath.Join(dot, "HEAD"))
	if err != nil {
		return fmt.Errorf("read the workspace's HEAD: %w", err)
	}
	head := strings.TrimSpace(string(text))
	if !isCommit(head) {
		return k.remote(dot, "") // there is no commit yet
	}
	k.commit = head
	refs, err := packedRefs(filepath.Join(dot, "packed-refs"))
	if err != nil {
		return err
	}
	if k.f.Depth > 0 {
		maps.DeleteFunc(refs, func(name, _ string) bool { return !k.f.Tags || !strings.HasPrefix(name, "refs/tags/") })
	}
	if ref != "" && checkRef(ref) != nil {
		ref = "" // the run is about no branch: HEAD is detached in the user's clone
	}
	branch, newHead := "", head
	switch short, isBranch := strings.CutPrefix(ref, "refs/heads/"); {
	case isBranch:
		branch, newHead = short, "ref: "+ref
		refs[ref], refs["refs/remotes/origin/"+short] = head, head
	case strings.HasPrefix(ref, "refs/pull/"):
		refs[strings.Replace(ref, "refs/", "refs/remotes/", 1)] = head
	case strings.HasPrefix(ref, "refs/tags/") && refs[ref] == "":
		refs[ref] = head
	}
	if err := k.depth(ctx, source, dot, head, refs); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dot, "packed-refs"), packedText(refs), 0o666); err != nil {
		return fmt.Errorf("write the workspace's references: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dot, "HEAD"), []byte(newHead+"\n"), 0o666); err != nil {
		return fmt.Errorf("write the workspace's HEAD: %w", err)
	}
	return k.remote(dot, branch)
}

// remote adds what the configuration lacks: where origin is, and what the branch follows.
func (k *checkout) remote(dot, branch string) error {
	name := filepath.Join(dot, "config")
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read the workspace's configuration: %w", err)
	}
	if !bytes.Contains(text, []byte("[remote \"origin\"]")) {
		text = fmt.Appendf(text, "[remote \"origin\"]\n\turl = %s\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n", quoted(k.origin))
	}
	if branch != "" {
		text = fmt.Appendf(text, "[branch %s]\n\tremote = origin\n\tmerge = %s\n", quoted(branch), quoted("refs/heads/"+branch))
	}
	if err := os.WriteFile(name, text, 0o666); err != nil {
		return fmt.Errorf("write the workspace's configuration: %w", err)
	}
	return nil
}

// quoted makes a value safe in git's configuration.
func quoted(v string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\x00", "").Replace(v) + `"`
}

// depth writes where history ends: at what the user's own clone lacks, and with a depth at the commits that far back.
func (k *checkout) depth(ctx context.Context, source, dot, head string, refs map[string]string) error {
	name := filepath.Join(dot, "shallow")
	ends := map[string]bool{}
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, id := range strings.Fields(string(text)) {
		ends[id] = true
	}
	if k.f.Depth <= 0 {
		return nil
	}
	tips := []string{head}
	for _, id := range refs {
		if id != head {
			tips = append(tips, id)
		}
	}
	slices.Sort(tips[1:])
	key := fmt.Sprint(source, k.f.Depth, tips, len(ends))
	cut, known := k.s.ends(key)
	if !known {
		if cut, err = boundary(ctx, source, tips, k.f.Depth, ends); err != nil {
			return fmt.Errorf("find the commits %d back: %w", k.f.Depth, err)
		}
		k.s.end(key, cut)
	}
	if len(cut) == 0 {
		return nil
	}
	if err := os.WriteFile(name, []byte(strings.Join(cut, "\n")+"\n"), 0o666); err != nil {
		return fmt.Errorf("write where history ends: %w", err)
	}
	return nil
}

// ends are the commits where a history ends that was cut before: jobs check out the same one again and again.
func (s *Sources) ends(key string) (cut []string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cut, known = s.cuts[key]
	return cut, known
}

func (s *Sources) end(key string, cut []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cuts == nil {
		s.cuts = map[string][]string{}
	}
	s.cuts[key] = cut
}

// boundary walks back from tips and finds the commits where a history of depth ends: those at that depth which have
// parents, and those in ends that it comes to.
func boundary(ctx context.Context, clone string, tips []string, depth int, ends map[string]bool) ([]string, error) {
	cat, err := openCat(ctx, clone)
	if err != nil {
		return nil, err
	}
	cut, err := walk(cat, tips, depth, ends)
	return cut, errors.Join(err, cat.close(err != nil))
}

func walk(cat *cat, tips []string, depth int, ends map[string]bool) ([]string, error) {
	seen := map[string]bool{}
	var cut []string
	for level := 1; len(tips) > 0 && level <= depth; level++ {
		var next []string
		for _, id := range tips {
			if seen[id] {
				continue
			}
			seen[id] = true
			commit, parents, err := cat.parents(id)
			if err != nil {
				return nil, err
			}
			if commit != id { // an annotated tag
				if seen[commit] {
					continue
				}
				seen[commit] = true
			}
			switch {
			case ends[commit], len(parents) > 0 && level == depth:
				cut = append(cut, commit)
			default:
				next = append(next, parents...)
			}
		}
		tips = next
	}
	slices.Sort(cut)
	return slices.Compact(cut), nil
}

// cat reads objects of a clone, one after the other.
type cat struct {
	cmd *exec.Cmd
	in  *bufio.Writer
	out *bufio.Reader
	end func() error
}

func openCat(ctx context.Context, clone string) (*cat, error) {
	c := &cat{cmd: git.Command(ctx, clone, "cat-file", "--batch")}
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start git: %w", err)
	}
	c.in, c.out, c.end = bufio.NewWriter(in), bufio.NewReader(out), in.Close
	return c, nil
}

// parents reads a commit, or the commit of a tag: its id and its parents'.
func (c *cat) parents(id string) (commit string, parents []string, err error) {
	for range 10 { // a tag of a tag
		kind, text, err := c.object(id)
		if err != nil {
			return "", nil, err
		}
		head, _, _ := strings.Cut(text, "\n\n")
		if kind == "commit" {
			for line := range strings.Lines(head + "\n") {
				if p, ok := strings.CutPrefix(strings.TrimSpace(line), "parent "); ok {
					parents = append(parents, p)
				}
			}
			return id, parents, nil
		}
		target, ok := strings.CutPrefix(head, "object ")
		if kind != "tag" || !ok {
			return id, nil, nil // a tag of a file or a tree: it has no history
		}
		id, _, _ = strings.Cut(target, "\n")
	}
	return "", nil, fmt.Errorf("the tag %s stands for too many tags", id)
}

// maxCommit is the longest commit or tag that is read, in bytes.
const maxCommit = 16 << 20

func (c *cat) object(id string) (kind, text string, err error) {
	_, _ = c.in.WriteString(id + "\n")
	if err := c.in.Flush(); err != nil {
		return "", "", err
	}
	head, err := c.out.ReadString('\n')
	if err != nil {
		return "", "", err
	}
	f := strings.Fields(head)
	if len(f) != 3 {
		return "", "", fmt.Errorf("the clone lacks %s", id)
	}
	size, err := strconv.Atoi(f[2])
	if err != nil {
		return "", "", err
	}
	if f[1] != "commit" && f[1] != "tag" {
		_, err = c.out.Discard(size + 1)
		return f[1], "", err
	}
	if size > maxCommit {
		return "", "", fmt.Errorf("%s has %d bytes", id, size)
	}
	b := make([]byte, size+1)
	for n := 0; n < len(b); {
		m, err := c.out.Read(b[n:])
		if n += m; err != nil {
			return "", "", err
		}
	}
	return f[1], string(b[:size]), nil
}

func (c *cat) close(kill bool) error {
	err := c.end()
	if kill {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
		return err
	}
	return errors.Join(err, c.cmd.Wait())
}

// packedRefs reads a packed-refs file.
func packedRefs(name string) (map[string]string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the workspace's references: %w", err)
	}
	refs := map[string]string{}
	for line := range strings.Lines(string(text)) {
		id, ref, ok := strings.Cut(strings.TrimSpace(line), " ")
		if ok && isCommit(id) {
			refs[ref] = id
		}
	}
	return refs, nil
}

func packedText(refs map[string]string) []byte {
	text := []byte("# pack-refs with: sorted \n")
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		text = fmt.Appendf(text, "%s %s\n", refs[name], name)
	}
	return text
}

// independent copies what a repository borrows of another one into it.
func independent(ctx context.Context, dir string) error {
	if _, err := git.Run(ctx, dir, "repack", "-a", "-d", "-q"); err != nil {
		return fmt.Errorf("copy the objects of the repository: %w", err)
	}
	if err := os.Remove(filepath.Join(dir, ".git/objects/info/alternates")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
