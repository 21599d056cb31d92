package github

import (
	"encoding/base64"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// checkout is actions/checkout. The run's own repository is the work tree; every other one comes from where the machine
// keeps repositories (README of actions/checkout).
var checkout = &native{
	inputs: []string{
		"repository", "ref", "token", "ssh-key", "ssh-known-hosts", "ssh-strict", "ssh-user", "persist-credentials", "path", "clean",
		"filter", "sparse-checkout", "sparse-checkout-cone-mode", "fetch-depth", "fetch-tags", "show-progress", "reference", "lfs",
		"submodules", "set-safe-directory", "github-server-url", "allow-unsafe-pr-checkout",
	},
	main: runCheckout,
}

func runCheckout(c *call) ending {
	own := c.own.Frame.Event.Repository()
	repository := c.input("repository")
	if strings.EqualFold(repository, own) {
		repository = ""
	}
	f, err := c.fetch(repository)
	if err != nil {
		return c.error(CodeCheckout, broken(program.ConfigurationFailed, "%v", err))
	}
	if repository == "" && f.Ref != "" {
		f.Current, f.As = c.about(f.Ref)
	}
	if f.Filled = c.atOpen(); f.Filled {
		c.opened = true
		c.say("The work tree of %s is in the workspace", own)
		c.output("ref", c.github.Get("ref").Text())
		c.output("commit", c.github.Get("sha").Text())
	}
	if f.Persist {
		c.mask(base64.StdEncoding.EncodeToString([]byte("x-access-token:" + f.Token))) // as git keeps it
	}
	o := c.do(f)
	if o.Failure == program.Canceled || o.Failure == program.ExecutionTimeout {
		return c.verdictFor(c.at, o, "")
	}
	if o.Failure != "" {
		return c.error(CodeCheckout, broken(o.Failure, "the checkout of %s failed: %s", first(repository, own), o.Message))
	}
	if len(o.Values) > 1 && !f.Filled {
		c.output("commit", o.Values[0])
		c.output("ref", first(f.Ref, o.Values[1]))
	}
	return fine
}

// atOpen reports whether this is the checkout that filled the workspace when the job began (Attempt.Order).
func (c *call) atOpen() bool {
	steps := c.own.Job.Steps
	return c.at.scope == c.top && len(steps) > 0 && steps[0] == c.at.def && plainCheckout(steps) && !c.opened
}

// about reports whether a ref names what the event is about, by one of the names that its payload has: with a payload that
// was given, the clone need not know them. as is the full reference, "" for a commit.
func (c *call) about(ref string) (is bool, as string) {
	g := func(names ...string) string { return c.github.Path(names...).Text() }
	if isSHA(ref) {
		for _, sha := range []string{
			g("sha"), g("event", "after"), g("event", "head_commit", "id"), g("event", "pull_request", "head", "sha"), g("event", "workflow_run", "head_sha"),
		} {
			is = is || strings.EqualFold(sha, ref)
		}
		return is, ""
	}
	head, base := g("head_ref"), g("base_ref")
	branch := strings.TrimPrefix(ref, "refs/heads/")
	switch {
	case base != "" && branch == base: // of the other side, or of no telling which
		return false, ""
	case ref == g("ref"):
		return true, ref
	case head != "" && branch == head:
		return true, "refs/heads/" + branch
	case base == "" && ref == g("ref_name") && g("ref_type") == "tag":
		return true, "refs/tags/" + ref
	case base == "" && ref == g("ref_name"):
		return true, "refs/heads/" + ref
	}
	return false, ""
}

// isSHA reports whether a ref is a whole id of a commit.
func isSHA(ref string) bool {
	return (len(ref) == 40 || len(ref) == 64) && strings.Trim(ref, "0123456789abcdefABCDEF") == ""
}

// fetch is the checkout with the defaults of its inputs filled in.
func (c *call) fetch(repository string) (program.Fetch, error) {
	f := program.Fetch{
		Repository: repository, Ref: c.input("ref"), Path: c.input("path"), Depth: 1, Tags: c.flag("fetch-tags", false),
		Filter: c.input("filter"), Sparse: c.lines("sparse-checkout"), ConeMode: c.flag("sparse-checkout-cone-mode", true),
		Clean: c.flag("clean", true), LFS: c.flag("lfs", false), Persist: c.flag("persist-credentials", true),
		SetSafe: c.flag("set-safe-directory", true), Token: first(c.input("token"), c.github.Get("token").Text()), Server: c.input("github-server-url"),
	}
	switch s := strings.ToLower(c.input("submodules")); s {
	case "recursive", "true":
		f.Submodules = s
	}
	if depth := c.input("fetch-depth"); depth != "" {
		n, err := strconv.Atoi(depth)
		if err != nil || n < 0 {
			n = 0 // the real one takes anything else for the whole history
		}
		f.Depth = n
	}
	// The run's own token is good for nothing: git has no use for it.
	f.Persist = f.Persist && f.Token != c.Attempt.Token
	if repository != "" && strings.Count(repository, "/") != 1 {
		return f, fmt.Errorf("invalid repository %q: it has the form owner/repo", repository)
	}
	where := c.inWorkspace(f.Path)
	if f.Path != "" && (path.IsAbs(where) || where == "..") {
		return f, fmt.Errorf("repository path %q is not under the workspace", f.Path)
	}
	f.Path = where
	return f, nil
}
