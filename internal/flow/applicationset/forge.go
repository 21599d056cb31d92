package applicationset

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pulls gives the open pull requests that a filter lets through (documentation page "Pull Request Generator").
func (g *generating) pulls(p PullRequest) ([]map[string]any, error) {
	if p.GitHub == nil && p.GitLab == nil && p.Gitea == nil {
		return nil, errors.New("failed to select pull request service provider: no Pull Request provider implementation configured")
	}
	keep, err := pullFilter(p.Filters)
	if err != nil {
		return nil, fmt.Errorf("error listing repos: %w", err)
	}
	if g.world.PullRequests == nil {
		return nil, errors.New("error listing repos: no forges are asked here")
	}
	all, err := g.world.PullRequests(p)
	if errors.Is(err, ErrNoRepository) && p.ContinueOnRepoNotFoundError {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("error listing repos: %w", err)
	}
	var out []map[string]any
	for _, one := range all {
		if !keep(one) {
			continue
		}
		params := map[string]any{
			"number": strconv.FormatInt(one.Number, 10), "title": one.Title, "author": one.Author,
			"branch": one.Branch, "branch_slug": branchSlug(one.Branch),
			"target_branch": one.Target, "target_branch_slug": branchSlug(one.Target),
			"head_sha": one.HeadSHA, "head_short_sha": short(one.HeadSHA, 8), "head_short_sha_7": short(one.HeadSHA, 7),
		}
		if g.set.Spec.GoTemplate {
			params["labels"] = one.Labels
		}
		if err := g.values(p.Values, params); err != nil {
			return nil, fmt.Errorf("failed to append templated values: %w", err)
		}
		out = append(out, params)
	}
	return out, nil
}

// pattern reads an expression of a filter; nil matches all.
func pattern(field string, text *string) (*regexp.Regexp, error) {
	if text == nil {
		return nil, nil
	}
	re, err := regexp.Compile(*text)
	if err != nil {
		return nil, fmt.Errorf("error compiling %s regexp %q: %w", field, *text, err)
	}
	return re, nil
}

func like(re *regexp.Regexp, s string) bool { return re == nil || re.MatchString(s) }

func pullFilter(filters []PRFilter) (func(Pull) bool, error) {
	type ready struct{ branch, target, title *regexp.Regexp }
	var all []ready
	for _, f := range filters {
		var r ready
		var err error
		if r.branch, err = pattern("BranchMatch", f.BranchMatch); err != nil {
			return nil, err
		}
		if r.target, err = pattern("TargetBranchMatch", f.TargetBranchMatch); err != nil {
			return nil, err
		}
		if r.title, err = pattern("TitleMatch", f.TitleMatch); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return func(p Pull) bool {
		return len(all) == 0 || slices.ContainsFunc(all, func(r ready) bool {
			return like(r.branch, p.Branch) && like(r.target, p.Target) && like(r.title, p.Title)
		})
	}, nil
}

// repositories gives the branches of an organization's repositories that a filter lets through (documentation page "SCM
// Provider Generator": a filter's conditions must all hold, and one filter is enough).
func (g *generating) repositories(p SCMProvider) ([]map[string]any, error) {
	if p.GitHub == nil && p.GitLab == nil && p.Gitea == nil {
		return nil, errors.New("no SCM provider implementation configured")
	}
	if !slices.Contains([]string{"", "ssh", "https"}, p.CloneProtocol) {
		return nil, fmt.Errorf("error listing repos: unknown clone protocol %s", p.CloneProtocol)
	}
	filters, err := repositoryFilters(p.Filters)
	if err != nil {
		return nil, fmt.Errorf("error listing repos: %w", err)
	}
	if g.world.Repositories == nil {
		return nil, errors.New("error listing repos: no forges are asked here")
	}
	all, err := g.world.Repositories(p, func(name string, labels []string) bool {
		return len(filters) == 0 || slices.ContainsFunc(filters, func(f repositoryFilter) bool { return f.mayMatch(name, labels) })
	})
	if err != nil {
		return nil, fmt.Errorf("error listing repos: %w", err)
	}
	var out []map[string]any
	for _, r := range all {
		ok, err := anyMatches(filters, r)
		if err != nil {
			return nil, fmt.Errorf("error listing repos: %w", err)
		}
		if !ok {
			continue
		}
		params := map[string]any{
			"organization": r.Organization, "repository": r.Name, "repository_id": r.ID, "url": r.URL,
			"branch": r.Branch, "branchNormalized": normalize(r.Branch),
			"sha": r.SHA, "short_sha": short(r.SHA, 8), "short_sha_7": short(r.SHA, 7), "labels": strings.Join(r.Labels, ","),
		}
		if err := g.values(p.Values, params); err != nil {
			return nil, fmt.Errorf("failed to append templated values: %w", err)
		}
		out = append(out, params)
	}
	return out, nil
}

type repositoryFilter struct {
	name, label, branch *regexp.Regexp
	with, without       []string
}

func repositoryFilters(list []SCMFilter) ([]repositoryFilter, error) {
	var out []repositoryFilter
	for _, f := range list {
		r := repositoryFilter{with: f.PathsExist, without: f.PathsDoNotExist}
		var err error
		if r.name, err = pattern("RepositoryMatch", f.RepositoryMatch); err != nil {
			return nil, err
		}
		if r.label, err = pattern("LabelMatch", f.LabelMatch); err != nil {
			return nil, err
		}
		if r.branch, err = pattern("BranchMatch", f.BranchMatch); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// mayMatch is what can be told before the branches are known.
func (f repositoryFilter) mayMatch(name string, labels []string) bool {
	return like(f.name, name) && (f.label == nil || slices.ContainsFunc(labels, f.label.MatchString))
}

func anyMatches(filters []repositoryFilter, r Repository) (bool, error) {
	for _, f := range filters {
		ok, err := f.matches(r)
		if err != nil || ok {
			return ok, err
		}
	}
	return len(filters) == 0, nil
}

func (f repositoryFilter) matches(r Repository) (bool, error) {
	if !f.mayMatch(r.Name, r.Labels) || !like(f.branch, r.Branch) {
		return false, nil
	}
	for _, want := range []bool{true, false} {
		paths := f.with
		if !want {
			paths = f.without
		}
		for _, p := range paths {
			there, err := r.Exists(strings.TrimRight(p, "/"))
			if err != nil || there != want {
				return false, err
			}
		}
	}
	return true, nil
}
