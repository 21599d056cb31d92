package forge

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// github is the part of a generator that is GitHub's.
type github struct {
	Owner         string     `json:"owner"` // of pull requests
	Repo          string     `json:"repo"`
	Organization  string     `json:"organization"` // of repositories
	API           string     `json:"api"`
	Token         *reference `json:"tokenRef"`
	AppSecretName string     `json:"appSecretName"`
	Labels        []string   `json:"labels"`
	AllBranches   bool       `json:"allBranches"`
	NoArchived    bool       `json:"excludeArchivedRepos"`
}

// open is the API that a generator names (https://docs.github.com/en/rest; an Enterprise server has it below /api/v3).
func (f *Forge) openGitHub(ctx context.Context, namespace string, o manifest.Object, what string) (*api, github, error) {
	var g github
	if err := decode(o, &g); err != nil {
		return nil, g, err
	}
	base, err := f.githubBase(g.API)
	if err != nil {
		return nil, g, err
	}
	a, err := f.api(base, options{local: f.listed(g.API)})
	if err != nil {
		return nil, g, err
	}
	a.header.Set("Accept", "application/vnd.github+json")
	a.header.Set("X-Github-Api-Version", "2022-11-28")
	if g.AppSecretName != "" {
		owner := g.Organization
		if owner == "" {
			owner = g.Owner
		}
		token, err := f.appToken(ctx, a, g.AppSecretName, owner)
		if err != nil {
			return nil, g, err
		}
		a.login("Authorization", "Bearer ", token)
		return a, g, nil
	}
	token, err := f.token(ctx, namespace, g.Token, what)
	a.login("Authorization", "Bearer ", token)
	return a, g, err
}

func (f *Forge) githubBase(address string) (*url.URL, error) {
	u, err := f.base(address, "https://api.github.com", "")
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(u.Host, "api.") && !strings.Contains(u.Host, ".api.") {
		return f.base(address, "", "/api/v3")
	}
	return u, nil
}

// listed reports whether an address is one that was allowed by name, so that it may be this machine's.
func (f *Forge) listed(address string) bool { return address != "" && len(f.Allowed) > 0 }

func (f *Forge) githubPulls(ctx context.Context, namespace string, o manifest.Object) ([]applicationset.Pull, error) {
	a, g, err := f.openGitHub(ctx, namespace, o, "error fetching Secret token")
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
	list, err := pages[pull](ctx, a, "/repos/"+segment(g.Owner)+"/"+segment(g.Repo)+"/pulls", url.Values{"state": {"open"}, "per_page": {"100"}})
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

// named is what has a name.
type named struct {
	Name string `json:"name"`
}

func names(list []named) []string {
	var out []string
	for _, n := range list {
		out = append(out, n.Name)
	}
	return out
}

// githubBranch is a branch as GitHub tells it.
type githubBranch struct {
	Name   string `json:"name"`
	Commit struct {
		SHA string `json:"sha"`
	} `json:"commit"`
}

func (f *Forge) githubRepositories(ctx context.Context, namespace string, o manifest.Object, protocol string, keep func(string, []string) bool) ([]applicationset.Repository, error) {
	a, g, err := f.openGitHub(ctx, namespace, o, "scm provider: error fetching Github token")
	if err != nil {
		return nil, err
	}
	type repository struct {
		ID    int64  `json:"id"`
		Name  string `json:"name"`
		Owner struct {
			Login string `json:"login"`
		} `json:"owner"`
		SSH      string   `json:"ssh_url"`
		HTTPS    string   `json:"clone_url"`
		Default  string   `json:"default_branch"`
		Archived bool     `json:"archived"`
		Topics   []string `json:"topics"`
	}
	list, err := pages[repository](ctx, a, "/orgs/"+segment(g.Organization)+"/repos", url.Values{"per_page": {"100"}})
	if err != nil {
		return nil, err
	}
	var out []applicationset.Repository
	for _, r := range list {
		if g.NoArchived && r.Archived || !keep(r.Name, r.Topics) {
			continue
		}
		address, err := clone(protocol, r.SSH, r.HTTPS)
		if err != nil {
			return nil, err
		}
		at := "/repos/" + segment(r.Owner.Login) + "/" + segment(r.Name)
		branches, err := a.githubBranches(ctx, at, r.Default, g.AllBranches)
		if err != nil {
			return nil, err
		}
		for _, b := range branches {
			out = append(out, applicationset.Repository{
				Organization: r.Owner.Login, Name: r.Name, URL: address, Branch: b.Name, SHA: b.Commit.SHA, ID: r.ID, Labels: r.Topics,
				Exists: func(path string) (bool, error) {
					return a.exists(ctx, at+"/contents/"+segments(path), url.Values{"ref": {b.Name}})
				},
			})
		}
	}
	return out, nil
}

// githubBranches are all branches, or the default one; a repository without it is empty.
func (a *api) githubBranches(ctx context.Context, at, usual string, all bool) ([]githubBranch, error) {
	if all {
		return pages[githubBranch](ctx, a, at+"/branches", url.Values{"per_page": {"100"}})
	}
	if usual == "" {
		return nil, nil
	}
	var one githubBranch
	_, err := a.get(ctx, at+"/branches/"+segments(usual), nil, &one)
	if s, ok := status(err); ok && s == http.StatusNotFound {
		return nil, nil
	}
	if err == nil && one.Name == "" {
		err = fault.New(CodeAnswer, "the branch %s has no name", usual)
	}
	return []githubBranch{one}, err
}
