package git

import (
	"net/url"
	"path/filepath"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/event"
)

// Facts are the repository's names: from its remote where it has one, else from its folder.
func (r *Repository) Facts() event.Repository {
	facts := event.Repository{Path: "local/" + slugPath(filepath.Base(r.Root)), DefaultBranch: r.defaultBranch()}
	host, path := splitRemote(r.Remote)
	if path != "" && host != "" {
		facts.Host, facts.Path, facts.URL = host, path, "https://"+host+"/"+path
	}
	return facts
}

// remote is the URL of the branch's remote, else of origin, with url.*.insteadOf applied as git does.
func (r *Repository) remote() string {
	if name := r.Config["branch."+r.Branch+".remote"]; r.Branch != "" && name != "" && name != "." {
		if u := r.Config["remote."+name+".url"]; u != "" {
			return r.rewritten(u)
		}
	}
	return r.rewritten(r.Config["remote.origin.url"])
}

// rewritten replaces the longest abbreviation that url.*.insteadOf knows.
func (r *Repository) rewritten(remote string) string {
	best, base := "", ""
	for key, short := range r.Config {
		rest, ok := strings.CutPrefix(key, "url.")
		if full, isURL := strings.CutSuffix(rest, ".insteadof"); ok && isURL && len(short) > len(best) && strings.HasPrefix(remote, short) {
			best, base = short, full
		}
	}
	return base + strings.TrimPrefix(remote, best)
}

// Upstream is the remote-tracking branch of what is checked out, "" without one.
func (r *Repository) Upstream() string {
	remote, merge := r.Config["branch."+r.Branch+".remote"], r.Config["branch."+r.Branch+".merge"]
	branch, ok := strings.CutPrefix(merge, "refs/heads/")
	if r.Branch == "" || remote == "" || !ok {
		return ""
	}
	if remote == "." {
		return branch
	}
	return "refs/remotes/" + remote + "/" + branch
}

// Identity is a repository's name whatever its address is written as: host and path in small letters, without scheme,
// credentials and .git. It is "" for a place on this machine.
func Identity(remote string) string {
	host, path := splitRemote(remote)
	if host == "" {
		return ""
	}
	return strings.ToLower(host + "/" + path)
}

// splitRemote takes host and path out of a remote's URL, without credentials: https://, ssh://, git:// and the scp form.
// A path on this machine has neither.
func splitRemote(remote string) (host, path string) {
	if scheme, _, ok := strings.Cut(remote, "://"); ok {
		u, err := url.Parse(remote)
		if err != nil || u.Host == "" || scheme == "file" {
			return "", ""
		}
		host, path = u.Hostname(), u.Path
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		if p := u.Port(); p != "" && (u.Scheme == "http" || u.Scheme == "https") {
			host += ":" + p
		}
	} else if before, after, ok := strings.Cut(remote, ":"); ok && before != "" && !strings.Contains(before, "/") && !strings.HasPrefix(after, ":") {
		host, path = before[strings.LastIndexByte(before, '@')+1:], after
	}
	if path = strings.TrimSuffix(strings.Trim(path, "/"), ".git"); host == "" || path == "" {
		return "", ""
	}
	return host, path
}

// slugPath makes a folder's name fit to be a project's name.
func slugPath(name string) string {
	out := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' {
			return c
		}
		return '-'
	}, name)
	if out = strings.Trim(out, "-."); out == "" {
		return "project"
	}
	return out
}
