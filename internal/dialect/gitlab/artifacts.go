package gitlab

import (
	"slices"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// artifactsOf are the job's artifacts, and its site where it is a pages job: what it publishes is always an artifact
// (CI/CD YAML syntax reference, artifacts and pages).
func artifactsOf(k *keyword.Job) (*plan.Artifacts, *plan.Pages) {
	pages := pagesOf(k)
	a := k.Artifacts
	if a == nil && pages == nil {
		return nil, nil
	}
	out := &plan.Artifacts{When: plan.OnSuccess, Name: "artifacts"}
	if a != nil {
		out = &plan.Artifacts{
			Name: a.Name.Value, Paths: keyword.Strings(a.Paths), Exclude: keyword.Strings(a.Exclude),
			Untracked: a.Untracked.Value, When: a.When.Value, ExposeAs: a.ExposeAs.Value, Access: accessOf(a), Place: a.Place,
		}
		if !a.ExpireIn.Never {
			out.ExpireIn = a.ExpireIn.Duration
		}
		if out.Name == "" {
			out.Name = "artifacts"
		}
		if out.When == "" {
			out.When = plan.OnSuccess
		}
		for _, r := range a.Reports {
			out.Reports = append(out.Reports, plan.Report{Kind: r.Kind, Format: r.Format.Value, Paths: keyword.Strings(r.Paths)})
		}
	}
	if pages != nil && !slices.Contains(out.Paths, pages.Publish) {
		out.Paths = append(out.Paths, pages.Publish)
	}
	return out, pages
}

// accessOf is artifacts:access, or what the older artifacts:public says.
func accessOf(a *keyword.Artifacts) string {
	if a.Access.Value == "" && a.Public.Set && !a.Public.Value {
		return "developer"
	}
	return a.Access.Value
}

// pagesOf is the site that the job publishes: one with pages, or named pages (unless it says pages: false).
func pagesOf(k *keyword.Job) *plan.Pages {
	if k.Pages == nil && k.Name != "pages" || k.Pages != nil && !k.Pages.Enabled {
		return nil
	}
	out := &plan.Pages{Publish: k.Publish.Value}
	if p := k.Pages; p != nil {
		if p.Publish.Value != "" {
			out.Publish = p.Publish.Value
		}
		out.PathPrefix, out.ExpireIn = p.PathPrefix.Value, p.ExpireIn.Duration
	}
	if out.Publish == "" {
		out.Publish = "public"
	}
	return out
}

// releaseOf is what the job publishes when it succeeds.
func releaseOf(r *keyword.Release) *plan.Release {
	if r == nil {
		return nil
	}
	out := &plan.Release{
		TagName: r.TagName.Value, TagMessage: r.TagMessage.Value, Name: r.Name.Value, Description: r.Description.Value,
		Ref: r.Ref.Value, Milestones: keyword.Strings(r.Milestones), ReleasedAt: r.ReleasedAt.Value, Place: r.Place,
	}
	for _, l := range r.Links {
		out.Links = append(out.Links, plan.Link{Name: l.Name.Value, URL: l.URL.Value, Path: l.FilePath.Value, Type: l.Type.Value})
	}
	return out
}
