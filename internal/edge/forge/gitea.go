package forge

import (
	"context"
	"net/http"
	"net/url"

	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// gitea is the part of a generator that is Gitea's.
type gitea struct {
	Owner       string     `json:"owner"`
	Repo        string     `json:"repo"` // of pull requests
	API         string     `json:"api"`
	Token       *reference `json:"tokenRef"`
	Insecure    bool       `json:"insecure"`
	Labels      []string   `json:"labels"`
	AllBranches bool       `json:"allBranches"`
	NoArchived  bool       `json:"excludeArchivedRepos"`
}

// openGitea is the API that a generator names (https://docs.gitea.com/development/api-usage).
func (f *Forge) openGitea(ctx context.Context, namespace string, o manifest.Object, what string) (*api, gitea, error) {
	var g gitea
	if err := decode(o, &g); err != nil {
		return nil, g, err
	}
	if g.API == "" {
		return nil, g, fault.New(CodeAddress, "gitea needs api, the address of the Gitea instance")
	}
	base, err := f.base(g.API, "", "/api/v1")
	if err != nil {
		return nil, g, err
	}
	token, err := f.token(ctx, namespace, g.Token, what)
	if err != nil {
		return nil, g, err
	}
	a, err := f.api(base, options{insecure: g.Insecure, local: f.listed(g.API)})
	if err != nil {
		return nil, g, err
	}
	a.login("Authorization", "token ", token)
	return a, g, nil
}

func (f *Forge) giteaPulls(ctx context.Context, namespace string, o manifest.Object) ([]applicationset.Pull, error) {
	a, g, err := f.openGitea(ctx, namespace, o, "error fetching Secret token")
	if err != nil {
		return nil, err
	}
	defer a.close()
	type pull struct {
		Number int64  `json:"number"`
		Title  string `json:"title"`
		Head   struct {
			Ref string `json:"ref"`
			SHA string `json:"sha"`
		} `json:"head"`
		Base struct {
			Ref string `json:"ref"`
		} `json:"base"`
		User struct {
			Login string `json:"login"`
		} `json:"user"`
		Labels []named `json:"labels"`
	}
	list, err := pages[pull](ctx, a, "/repos/"+segment(g.Owner)+"/"+segment(g.Repo)+"/pulls", url.Values{"state": {"open"}, "limit": {"50"}})
	if err != nil {
		return nil, gone(err, "error listing pull requests for "+g.Owner+"/"+g.Repo)
	}
	var out []applicationset.Pull
	for _, p := range list {
		labels := names(p.Labels)
		if lacks(labels, g.Labels) {
			continue
		}
		out = append(out, applicationset.Pull{Number: p.Number, Title: p.Title, Branch: p.Head.Ref, Target: p.Base.Ref, HeadSHA: p.Head.SHA, Author: p.User.Login, Labels: labels})
	}
	return out, nil
}

func (f *Forge) giteaRepositories(ctx context.Context, namespace string, o manifest.Object, protocol string, keep func(string, []string) bool) ([]applicationset.Repository, error) {
	a, g, err := f.openGitea(ctx, namespace, o, "error fetching Gitea token")
	if err != nil {
		return nil, err
	}
	type repository struct {
		ID       int64  `json:"id"`
		Name     string `json:"name"`
		SSH      string `json:"ssh_url"`
		HTML     string `json:"html_url"` // Argo CD takes it for https
		Default  string `json:"default_branch"`
		Archived bool   `json:"archived"`
	}
	limit := url.Values{"limit": {"50"}}
	list, err := pages[repository](ctx, a, "/orgs/"+segment(g.Owner)+"/repos", limit)
	if err != nil {
		return nil, err
	}
	var out []applicationset.Repository
	for _, r := range list {
		if g.NoArchived && r.Archived {
			continue
		}
		at := "/repos/" + segment(g.Owner) + "/" + segment(r.Name)
		marks, err := pages[named](ctx, a, at+"/labels", limit)
		if err != nil {
			return nil, err
		}
		labels := names(marks)
		if !keep(r.Name, labels) {
			continue
		}
		address, err := clone(protocol, r.SSH, r.HTML)
		if err != nil {
			return nil, err
		}
		branches, err := a.giteaBranches(ctx, at, r.Default, g.AllBranches)
		if err != nil {
			return nil, err
		}
		for _, b := range branches {
			out = append(out, applicationset.Repository{
				Organization: g.Owner, Name: r.Name, URL: address, Branch: b.Name, SHA: b.Commit.ID, ID: r.ID, Labels: labels,
				Exists: func(path string) (bool, error) {
					return a.exists(ctx, at+"/contents/"+segments(path), url.Values{"ref": {b.Name}})
				},
			})
		}
	}
	return out, nil
}

// giteaBranches are all branches, or the default one. One that is not there is an error, as in Argo CD.
func (a *api) giteaBranches(ctx context.Context, at, usual string, all bool) ([]gitlabBranch, error) {
	if all {
		return pages[gitlabBranch](ctx, a, at+"/branches", url.Values{"limit": {"50"}})
	}
	var one gitlabBranch
	_, err := a.get(ctx, at+"/branches/"+segments(usual), nil, &one)
	if s, ok := status(err); ok && s == http.StatusNotFound {
		return nil, fault.New(CodeAnswer, "got 404 while getting default branch %q for repo %q - check your repo config", usual, at)
	}
	return []gitlabBranch{one}, err
}
