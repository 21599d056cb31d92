package action

import (
	"fmt"
	"path"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

// Name is `owner/repo/path@ref`, as uses has it.
type Name struct {
	Repository string // owner/repo
	Path       string // folder or workflow file in it, "" for its top
	Ref        string
}

// String is the name as uses has it.
func (n Name) String() string {
	out := n.Repository
	if n.Path != "" {
		out += "/" + n.Path
	}
	return out + "@" + n.Ref
}

// Parse takes a name apart. A name without a ref is a fault, as on GitHub.
func Parse(uses string) (Name, error) {
	whole, ref, ok := strings.Cut(uses, "@")
	owner, rest, two := strings.Cut(whole, "/")
	repo, inner, _ := strings.Cut(rest, "/")
	n := Name{Repository: owner + "/" + repo, Path: strings.Trim(inner, "/"), Ref: ref}
	switch {
	case !two:
		return Name{}, fault.New(CodeName, "%q is no action: it needs the form owner/repo@ref", uses)
	case !ok || ref == "":
		return Name{}, fault.New(CodeName, "%q names no ref", uses).WithHint("write %s@TAG, @BRANCH or @COMMIT", whole)
	}
	return n, n.check()
}

func (n Name) check() error {
	if err := checkRepository(n.Repository); err != nil {
		return err
	}
	if err := checkPath(n.Path); err != nil {
		return err
	}
	return checkRef(n.Ref)
}

var word = lazy.Pattern(`^[A-Za-z0-9_.][A-Za-z0-9_.-]*$`)

// checkRepository refuses what could be anything but owner/repo: names become folders and parts of addresses.
func checkRepository(repository string) error {
	owner, repo, ok := strings.Cut(repository, "/")
	for _, part := range []string{owner, repo} {
		if !ok || len(part) > 100 || !word.MatchString(part) || strings.Trim(part, ".") == "" || strings.EqualFold(part, ".git") {
			return fault.New(CodeName, "%q is no name of a repository", repository).WithHint("it has the form owner/repo")
		}
	}
	return nil
}

// checkPath refuses paths that leave their repository.
func checkPath(p string) error {
	if p == "" {
		return nil
	}
	if path.IsAbs(p) || path.Clean(p) != p || strings.HasPrefix(p+"/", "../") || strings.ContainsAny(p, "\\\x00\n") {
		return fault.New(CodeName, "%q is no path in a repository", p)
	}
	return nil
}

// checkRef refuses what git would not take for a name (git-check-ref-format), and thereby all of the revision syntax.
func checkRef(ref string) error {
	bad := ref == "" || len(ref) > 250 || ref == "@" || strings.HasPrefix(ref, "-") || strings.HasPrefix(ref, "/") || strings.HasSuffix(ref, "/") ||
		strings.HasSuffix(ref, ".") || strings.Contains(ref, "..") || strings.Contains(ref, "//") || strings.Contains(ref, "@{") ||
		strings.ContainsAny(ref, " ~^:?*[\\") || strings.ContainsFunc(ref, func(c rune) bool { return c < ' ' || c == 0x7f })
	for part := range strings.SplitSeq(ref, "/") {
		bad = bad || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock")
	}
	if bad {
		return fault.New(CodeName, "%q is no tag, branch or commit", ref)
	}
	return nil
}

// isCommit says whether a ref is a full id of a commit.
func isCommit(ref string) bool {
	return (len(ref) == 40 || len(ref) == 64) && isHex(ref)
}

// isShort says whether a ref may be the beginning of a commit's id.
func isShort(ref string) bool { return len(ref) >= 7 && len(ref) < 64 && isHex(ref) }

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

func trimSlash(s string) string { return strings.TrimRight(s, "/") }

// short is a commit's id for a person.
func short(commit string) string { return commit[:min(len(commit), 12)] }

func label(repository, ref string) string { return fmt.Sprintf("%s@%s", repository, ref) }
