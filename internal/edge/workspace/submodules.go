package workspace

import (
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// absent is a submodule that the work tree has no files of.
type absent struct {
	path  string
	outer int32 // the repository that it belongs to
	level int
}

// choice is what a checkout takes of a snapshot.
type choice struct {
	repos []bool // which repositories: the first is the top one, or stands for a folder outside of git
	depth int    // of submodules
	specs pathspecs
}

// choose finds the repositories whose files a checkout has (GitLab Runner documentation, Git submodule strategy): none,
// the submodules of the repository itself, or all. A repository that nothing tracks goes with the one around it.
func (s *Snapshot) choose(c program.Checkout) (choice, error) {
	pick := choice{repos: make([]bool, max(1, len(s.repos)))}
	switch c.Submodules {
	case "", "none":
	case "normal":
		pick.depth = 1
	case "recursive":
		pick.depth = int(^uint(0) >> 1)
	default:
		return choice{}, fmt.Errorf("%q is no way to take submodules", c.Submodules)
	}
	var err error
	if pick.specs, err = parsePathspecs(c.Paths); err != nil {
		return choice{}, err
	}
	pick.repos[0] = true
	for i, r := range s.repos {
		if i > 0 {
			pick.repos[i] = pick.takes(s, strings.TrimSuffix(r.prefix, "/"), r.outer, r.level)
		}
	}
	return pick, nil
}

// takes says whether the checkout has the files of the repository at path. Pathspecs choose among the submodules of the
// top repository only, as those of `git submodule update` do.
func (x choice) takes(s *Snapshot, path string, outer int32, level int) bool {
	if !x.repos[outer] {
		return false
	}
	submodule := level > s.repos[outer].level
	return !submodule || level <= x.depth && (outer != 0 || x.specs.match(path))
}

// config is the configuration of a repository in a workspace: submodules that have no files there are not set up.
func (x choice) config(r *repo) []byte {
	if r.level < x.depth {
		return r.config
	}
	return r.plain
}

// Remarks tells where a checkout asks for submodules that the snapshot cannot give, a sentence each.
func (s *Snapshot) Remarks(c program.Checkout) []string {
	pick, err := s.choose(c)
	if err != nil || pick.depth == 0 || c.Empty() {
		return nil // Fill says what is wrong
	}
	var out, first []string
	for i, r := range s.repos {
		if i > 0 && r.outer == 0 && r.level == 1 {
			first = append(first, strings.TrimSuffix(r.prefix, "/"))
		}
	}
	for _, a := range s.absent {
		if a.outer == 0 {
			first = append(first, a.path)
		}
		if pick.takes(s, a.path, a.outer, a.level) {
			out = append(out, fmt.Sprintf("the submodule %s is not checked out in your work tree, so its folder is empty here: `git submodule update --init --recursive` gets it", a.path))
		}
	}
	for _, spec := range pick.specs.unused(first) {
		out = append(out, fmt.Sprintf("GIT_SUBMODULE_PATHS: %s matches no submodule", spec))
	}
	return out
}
