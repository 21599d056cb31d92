package render

import (
	"net/url"
	"path"
	"strings"

	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// base is a folder of another repository, as a kustomization names it:
// https://host/owner/repo//folder?ref=v1, git@host:owner/repo.git//folder, github.com/owner/repo/folder.
// https://github.com/kubernetes-sigs/kustomize/blob/master/examples/remoteBuild.md
type base struct {
	repo, folder, ref string
}

// parseBase reads it; false where it is no repository (a file that would be downloaded) or asks for more.
func parseBase(text string) (base, bool) {
	text = strings.TrimPrefix(text, "git::")
	text, query, _ := strings.Cut(text, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return base{}, false
	}
	b := base{ref: values.Get("ref")}
	if b.ref == "" {
		b.ref = values.Get("version")
	}
	scheme, rest, hasScheme := strings.Cut(text, "://")
	if !hasScheme {
		scheme, rest = "", text
	}
	switch repo, folder, ok := strings.Cut(rest, "//"); {
	case ok:
		b.repo, b.folder = repo, folder
	case strings.Contains(rest, ".git/"):
		at := strings.Index(rest, ".git/") + len(".git")
		b.repo, b.folder = rest[:at], rest[at+1:]
	case strings.HasSuffix(rest, ".git"):
		b.repo = rest
	default:
		parts := strings.SplitN(rest, "/", 4)
		if len(parts) < 3 || ext(rest) || !forge(parts[0]) {
			return base{}, false
		}
		b.repo = strings.Join(parts[:3], "/")
		if len(parts) == 4 {
			b.folder = parts[3]
		}
	}
	switch {
	case hasScheme:
		b.repo = scheme + "://" + b.repo
	case !strings.Contains(b.repo, ":"):
		b.repo = "https://" + b.repo
	}
	b.folder = strings.Trim(b.folder, "/")
	_, local := source.Local(b.repo)
	return b, !local
}

func ext(name string) bool { return path.Ext(name) == ".yaml" || path.Ext(name) == ".yml" }

// forge is a host of which Kustomize knows that owner and name stand first.
func forge(host string) bool {
	host = strings.ToLower(host[strings.LastIndexByte(host, '@')+1:])
	return host == "github.com" || host == "gitlab.com" || host == "bitbucket.org"
}

// base finds the tree of a remote base, where its repository is the source's own or one that somebody made known.
func (w *witness) base(text string) (place, error) {
	b, ok := parseBase(text)
	if !ok {
		return place{}, refusedBase(text)
	}
	project := w.app.Spec.Project
	if _, known := w.cache.Known(b.repo, project); !known && source.Normal(b.repo) != source.Normal(w.source.RepoURL) {
		return place{}, refusedBase(text)
	}
	want := source.Want{RepoURL: b.repo, Project: project, Revision: b.ref}
	commit, _, err := w.cache.Resolve(w.ctx, want)
	if err != nil {
		return place{}, err
	}
	tree, err := w.cache.Tree(w.ctx, want, commit)
	if err != nil {
		return place{}, err
	}
	name := "base " + b.repo + " " + commit
	w.trees[name] = tree
	return place{name, b.folder}, nil
}

func refusedBase(text string) error {
	return fault.New(CodeRefused, "%q is fetched from elsewhere, which rendering does only from known repositories", text).
		WithHint("make its repository known by a Secret with the label %s: repository, or commit what it fetches", source.SecretLabel)
}
