package forge

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// gitlab is the part of a generator that is GitLab's.
type gitlab struct {
	Project     string        `json:"project"` // of merge requests
	Group       string        `json:"group"`   // of projects
	API         string        `json:"api"`
	Token       *reference    `json:"tokenRef"`
	CA          *certificates `json:"caRef"`
	Insecure    bool          `json:"insecure"`
	Labels      []string      `json:"labels"`
	State       string        `json:"pullRequestState"`
	AllBranches bool          `json:"allBranches"`
	Subgroups   bool          `json:"includeSubgroups"`
	Shared      *bool         `json:"includeSharedProjects"`
	Archived    bool          `json:"includeArchivedRepos"`
	Topic       string        `json:"topic"`
}

// openGitLab is the API that a generator names (https://docs.gitlab.com/api/rest/).
func (f *Forge) openGitLab(ctx context.Context, namespace string, o manifest.Object, what string) (*api, gitlab, error) {
	var g gitlab
	if err := decode(o, &g); err != nil {
		return nil, g, err
	}
	base, err := f.base(g.API, "https://gitlab.com", "/api/v4")
	if err != nil {
		return nil, g, err
	}
	ca, err := f.authority(ctx, namespace, g.CA)
	if err != nil {
		return nil, g, err
	}
	token, err := f.token(ctx, namespace, g.Token, what)
	if err != nil {
		return nil, g, err
	}
	a, err := f.api(base, options{insecure: g.Insecure, authority: ca, local: f.listed(g.API)})
	if err != nil {
		return nil, g, err
	}
	a.login("Private-Token", "", token)
	return a, g, nil
}

func (f *Forge) gitlabPulls(ctx context.Context, namespace string, o manifest.Object) ([]applicationset.Pull, error) {
	a, g, err := f.openGitLab(ctx, namespace, o, "error fetching Secret token")
	if err != nil {
		return nil, err
	}
	defer a.close()
	query := url.Values{"per_page": {"100"}}
	if len(g.Labels) > 0 {
		query.Set("labels", strings.Join(g.Labels, ","))
	}
	switch g.State {
	case "":
	case "opened", "closed", "merged", "locked":
		query.Set("state", g.State)
	default:
		return nil, fault.New(CodeAnswer, "pullRequestState %q is none of opened, closed, merged, locked", g.State)
	}
	type request struct {
		Number int64  `json:"iid"`
		Title  string `json:"title"`
		Source string `json:"source_branch"`
		Target string `json:"target_branch"`
		SHA    string `json:"sha"`
		Author struct {
			Username string `json:"username"`
		} `json:"author"`
		Labels []string `json:"labels"`
	}
	list, err := pages[request](ctx, a, "/projects/"+segment(g.Project)+"/merge_requests", query)
	if err != nil {
		return nil, gone(err, "error listing merge requests for project '"+g.Project+"'")
	}
	var out []applicationset.Pull
	for _, m := range list {
		out = append(out, applicationset.Pull{Number: m.Number, Title: m.Title, Branch: m.Source, Target: m.Target, HeadSHA: m.SHA, Author: m.Author.Username, Labels: m.Labels})
	}
	return out, nil
}

// gitlabBranch is a branch as GitLab and Gitea tell it.
type gitlabBranch struct {
	Name   string `json:"name"`
	Commit struct {
		ID string `json:"id"`
	} `json:"commit"`
}

func (f *Forge) gitlabRepositories(ctx context.Context, namespace string, o manifest.Object, protocol string, keep func(string, []string) bool) ([]applicationset.Repository, error) {
	a, g, err := f.openGitLab(ctx, namespace, o, "error fetching Gitlab token")
	if err != nil {
		return nil, err
	}
	query := url.Values{"per_page": {"100"}, "include_subgroups": {strconv.FormatBool(g.Subgroups)}, "with_shared": {strconv.FormatBool(g.Shared == nil || *g.Shared)}}
	if g.Topic != "" {
		query.Set("topic", g.Topic)
	}
	if !g.Archived {
		query.Set("archived", "false")
	}
	type project struct {
		ID        int64  `json:"id"`
		Path      string `json:"path"`
		Namespace struct {
			FullPath string `json:"full_path"`
		} `json:"namespace"`
		SSH     string   `json:"ssh_url_to_repo"`
		HTTPS   string   `json:"http_url_to_repo"`
		Default string   `json:"default_branch"`
		Topics  []string `json:"topics"`
		Tags    []string `json:"tag_list"`
	}
	list, err := pages[project](ctx, a, "/groups/"+segment(g.Group)+"/projects", query)
	if err != nil {
		return nil, err
	}
	var out []applicationset.Repository
	for _, p := range list {
		labels := p.Topics
		if len(labels) == 0 {
			labels = p.Tags // before GitLab 14.5
		}
		if !keep(p.Path, labels) {
			continue
		}
		address, err := clone(protocol, p.SSH, p.HTTPS)
		if err != nil {
			return nil, err
		}
		at := "/projects/" + strconv.FormatInt(p.ID, 10) + "/repository"
		branches, err := a.gitlabBranches(ctx, at, p.Default, g.AllBranches)
		if err != nil {
			return nil, err
		}
		for _, b := range branches {
			out = append(out, applicationset.Repository{
				Organization: p.Namespace.FullPath, Name: p.Path, URL: address, Branch: b.Name, SHA: b.Commit.ID, ID: p.ID, Labels: labels,
				Exists: func(path string) (bool, error) { return a.gitlabHas(ctx, at, path, b.Name) },
			})
		}
	}
	return out, nil
}

// gitlabBranches are all branches, or the default one; a project without it, or without a repository, has none.
func (a *api) gitlabBranches(ctx context.Context, at, usual string, all bool) ([]gitlabBranch, error) {
	var list []gitlabBranch
	var err error
	switch {
	case all:
		list, err = pages[gitlabBranch](ctx, a, at+"/branches", url.Values{"per_page": {"100"}})
	case usual == "":
		return nil, nil
	default:
		list = make([]gitlabBranch, 1)
		_, err = a.get(ctx, at+"/branches/"+segment(usual), nil, &list[0])
	}
	if s, ok := status(err); ok && s == http.StatusNotFound {
		return nil, nil
	}
	return list, err
}

// gitlabHas reports whether a branch holds a file or a folder.
func (a *api) gitlabHas(ctx context.Context, at, path, branch string) (bool, error) {
	file, err := a.exists(ctx, at+"/files/"+segment(strings.Trim(path, "/")), url.Values{"ref": {branch}})
	if file || err != nil {
		return file, err
	}
	var inside []named
	_, err = a.get(ctx, at+"/tree", url.Values{"path": {strings.Trim(path, "/")}, "ref": {branch}, "per_page": {"1"}}, &inside)
	if s, ok := status(err); ok && s == http.StatusNotFound {
		return false, nil
	}
	return len(inside) > 0, err
}
