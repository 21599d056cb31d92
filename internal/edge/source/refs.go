package source

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// refs are a repository's references by full name ("HEAD", "refs/heads/main"), each with its commit.
type refs map[string]string

// parseRefs reads what ls-remote and show-ref print: an id, white space, a name. An annotated tag's commit (^{}) wins over
// the tag itself.
func parseRefs(text []byte) refs {
	out := refs{}
	for line := range bytes.Lines(text) {
		id, name, ok := strings.Cut(strings.TrimRight(string(line), "\n"), "\t")
		if !ok {
			id, name, ok = strings.Cut(strings.TrimRight(string(line), "\n"), " ")
		}
		if !ok || !isCommit(id) {
			continue
		}
		if plain, peeled := strings.CutSuffix(name, "^{}"); peeled {
			out[plain] = id
		} else if _, known := out[name]; !known {
			out[name] = id
		}
	}
	return out
}

var (
	fullCommit  = regexp.MustCompile(`^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$`)
	shortCommit = regexp.MustCompile(`^[0-9a-fA-F]{7,64}$`)
)

func isCommit(s string) bool { return fullCommit.MatchString(s) }

// tags are the names of all tags that begin so, without it.
func (r refs) tags(prefix string) []string {
	var out []string
	for name := range r {
		if tag, ok := strings.CutPrefix(name, "refs/tags/"+prefix); ok {
			out = append(out, tag)
		}
	}
	slices.Sort(out)
	return out
}

// find is the commit of a revision: HEAD where it is "", a full reference, a branch, a tag, or the highest tag that a
// range of versions allows. With a prefix it is a version or a range, of the tags that begin so.
// https://argo-cd.readthedocs.io/en/stable/user-guide/tracking_strategies/#prefixed-tags
func (r refs) find(revision, prefix string) (string, bool) {
	if revision == "" && prefix == "" {
		revision = "HEAD"
	}
	if isRange(revision) {
		if tag, ok := highest(revision, r.tags(prefix)); ok {
			return r["refs/tags/"+prefix+tag], true
		}
	}
	if prefix != "" {
		id, ok := r["refs/tags/"+prefix+revision]
		return id, ok && revision != ""
	}
	for _, name := range []string{revision, "refs/heads/" + revision, "refs/tags/" + revision, "refs/" + revision} {
		if name == revision && name != "HEAD" && !strings.HasPrefix(name, "refs/") {
			continue
		}
		if id, ok := r[name]; ok {
			return id, true
		}
	}
	return "", false
}

// isRange reports whether a revision is a range of versions and not one version.
func isRange(revision string) bool {
	if _, err := semver.NewVersion(revision); err == nil {
		return false
	}
	_, err := semver.NewConstraint(revision)
	return err == nil
}

// highest is the highest of the versions that a range allows.
func highest(revision string, versions []string) (string, bool) {
	c, err := semver.NewConstraint(revision)
	if err != nil {
		return "", false
	}
	var best *semver.Version
	for _, name := range versions {
		v, err := semver.NewVersion(name)
		if err == nil && c.Check(v) && (best == nil || v.GreaterThan(best)) {
			best = v
		}
	}
	if best == nil {
		return "", false
	}
	return best.Original(), true
}

// unknown says that there is no such revision, and what was probably meant.
func (r refs) unknown(repo, revision, prefix string) error {
	if prefix != "" {
		return fault.New(CodeRevision, "%s has no tag %s… that %q allows (of %d)", repo, prefix, revision, len(r.tags(prefix))).
			WithHint("with tagPrefix, targetRevision is a version or a range of versions")
	}
	names := make([]string, 0, len(r))
	for name := range r {
		names = append(names, strings.TrimPrefix(strings.TrimPrefix(name, "refs/heads/"), "refs/tags/"))
	}
	slices.Sort(names)
	if isRange(revision) {
		return fault.New(CodeRevision, "%s has no tag that %q allows (of %d)", repo, revision, len(r.tags(""))).
			WithHint("pre-releases are only taken by a range that names one, such as >=1.0.0-0")
	}
	f := fault.New(CodeRevision, "%s has no revision %q", repo, revision)
	if near := fault.Nearest(revision, names); near != "" {
		return f.WithHint("did you mean %q?", near)
	}
	return f.WithHint("it may be a branch, a tag, a commit, or a range of versions such as 1.x")
}
