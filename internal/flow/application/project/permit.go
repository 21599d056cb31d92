package project

import (
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/gobwas/glob"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// PermitsSource reports whether applications may take manifests from a repository: a rule allows it and none that begins
// with "!" denies it. "*" in a rule stops at a slash, "**" does not; a rule that is "*" alone allows all.
func (p Project) PermitsSource(repoURL string) bool {
	repo := normal(repoURL)
	allowed := false
	for _, rule := range p.Spec.SourceRepos {
		rule, denies := strings.CutPrefix(rule, "!")
		hit := rule == "*" || match(normal(rule), repo, '/')
		if hit && denies {
			return false
		}
		allowed = allowed || hit && !denies
	}
	return allowed
}

// normal is a repository's URL as it is compared: no blanks, no .git at the end, host in small letters; git@host:path is
// ssh://git@host/path.
func normal(repo string) string {
	repo = strings.TrimSpace(repo)
	if user, rest, ok := strings.Cut(repo, "@"); ok && !strings.Contains(repo, "://") && strings.Contains(rest, ":") {
		host, at, _ := strings.Cut(rest, ":")
		repo = "ssh://" + user + "@" + host + "/" + at
	}
	repo = strings.TrimSuffix(strings.TrimSuffix(repo, "/"), ".git")
	u, err := url.Parse(repo)
	if err != nil || u.Host == "" || strings.ContainsAny(repo, "*{[?") {
		return repo
	}
	u.Host = strings.ToLower(u.Host)
	return u.String()
}

// PermitsDestination reports whether applications may deploy to a cluster and namespace: a rule allows it and none that
// denies it does. Where a rule names a server, the server decides; else the cluster's name.
func (p Project) PermitsDestination(server, cluster, namespace string) bool {
	allowed := false
	for _, d := range p.Spec.Destinations {
		where, denied := d.Server, server
		if d.Server == "" && d.Name != "" {
			where, denied = d.Name, cluster
		}
		clusterRule, noCluster := strings.CutPrefix(where, "!")
		namespaceRule, noNamespace := strings.CutPrefix(d.Namespace, "!")
		clusterHit, namespaceHit := match(clusterRule, denied), match(namespaceRule, namespace)
		if noCluster && clusterHit && (namespaceHit || namespaceRule == "*") || noNamespace && namespaceHit && (clusterHit || clusterRule == "*") {
			return false
		}
		allowed = allowed || !noCluster && !noNamespace && clusterHit && namespaceHit
	}
	return allowed
}

// Account is the user that syncs to a destination are done as: the service account of the first entry that fits, in the
// destination's namespace, or the Application's where it has none, unless the entry names another (namespace:name); "" where no entry fits
// (https://argo-cd.readthedocs.io/en/stable/operator-manual/app-sync-using-impersonation/).
func (p Project) Account(server, namespace, own string) (string, error) {
	for _, a := range p.Spec.DestinationServiceAccounts {
		if !match(a.Server, server) || !match(a.Namespace, namespace) {
			continue
		}
		name := strings.TrimSpace(a.Default)
		switch {
		case name == "" || strings.ContainsAny(name, `!*[]{}\/`):
			return "", fmt.Errorf("default service account contains invalid chars '%s'", a.Default)
		case strings.Contains(name, ":"):
			return "system:serviceaccount:" + name, nil
		case namespace == "":
			return "system:serviceaccount:" + own + ":" + name, nil
		default:
			return "system:serviceaccount:" + namespace + ":" + name, nil
		}
	}
	return "", nil
}

// PermitsCluster reports whether applications may use a cluster that belongs to a project, "" for none.
func (p Project) PermitsCluster(owner string) bool {
	return !p.Spec.PermitOnlyProjectScopedClusters || owner == p.Name
}

// PermitsKind reports whether applications may hold objects of a kind. Kinds of the cluster must be allowed and not denied;
// those of namespaces may be all where no list allows some.
func (p Project) PermitsKind(k manifest.Kind, namespaced bool, name string) bool {
	if namespaced {
		white := len(p.Spec.NamespaceResourceWhitelist) == 0 || listed(p.Spec.NamespaceResourceWhitelist, k, name)
		return white && !listed(p.Spec.NamespaceResourceBlacklist, k, name)
	}
	return listed(p.Spec.ClusterResourceWhitelist, k, name) && !listed(p.Spec.ClusterResourceBlacklist, k, name)
}

// listed: entries are globs of path.Match; "**" and "*" are all.
func listed(list []Restriction, k manifest.Kind, name string) bool {
	for _, r := range list {
		if fits(r.Group, k.Group) && fits(r.Kind, k.Kind) && (r.Name == "" || fits(r.Name, name)) {
			return true
		}
	}
	return false
}

func fits(pattern, text string) bool {
	ok, err := path.Match(pattern, text)
	return err == nil && ok
}

// PermitsNamespace reports whether Applications of the project may live in a namespace that is not Argo's own
// (https://argo-cd.readthedocs.io/en/stable/operator-manual/app-any-namespace/).
func (p Project) PermitsNamespace(namespace string) bool {
	if namespace == p.Namespace {
		return true
	}
	for _, s := range p.Spec.SourceNamespaces {
		if match(s, namespace) {
			return true
		}
	}
	return false
}

// Refusals are why an application may not be what it is, in the words that Argo CD's InvalidSpecError conditions use.
func (p Project) Refusals(t Target, repos []string) []string {
	var out []string
	for _, r := range repos {
		if !p.PermitsSource(r) {
			out = append(out, fmt.Sprintf("application repo %s is not permitted in project '%s'", r, p.Name))
		}
	}
	if !p.PermitsDestination(t.Server, t.Cluster, t.Namespace) {
		out = append(out, fmt.Sprintf("application destination server '%s' and namespace '%s' do not match any of the allowed destinations in project '%s'",
			t.Server, t.Namespace, p.Name))
	}
	return out
}

// Permit refuses an object that the project does not let an application sync to a destination; nil permits it.
func (p Project) Permit(o manifest.Object, namespaced bool, t Target) error {
	k := o.Kind()
	if !p.PermitsKind(k, namespaced, o.Name()) {
		return fmt.Errorf("resource %s:%s is not permitted in project %s", k.Group, k.Kind, p.Name)
	}
	if namespaced && !p.PermitsDestination(t.Server, t.Cluster, o.Namespace()) {
		return fmt.Errorf("namespace %v is not permitted in project '%s'", o.Namespace(), p.Name)
	}
	return nil
}

// Inherit is the project with what a global one gives: its lists are added
// (https://argo-cd.readthedocs.io/en/stable/user-guide/projects/, "Configuring Global Projects").
func (p Project) Inherit(global Project) Project {
	s, g := p.Spec, global.Spec
	s.ClusterResourceWhitelist = both(s.ClusterResourceWhitelist, g.ClusterResourceWhitelist)
	s.ClusterResourceBlacklist = both(s.ClusterResourceBlacklist, g.ClusterResourceBlacklist)
	s.NamespaceResourceWhitelist = both(s.NamespaceResourceWhitelist, g.NamespaceResourceWhitelist)
	s.NamespaceResourceBlacklist = both(s.NamespaceResourceBlacklist, g.NamespaceResourceBlacklist)
	s.SyncWindows = both(s.SyncWindows, g.SyncWindows)
	s.SourceRepos = both(s.SourceRepos, g.SourceRepos)
	s.Destinations = both(s.Destinations, g.Destinations)
	p.Spec = s
	return p
}

func both[T any](a, b []T) []T { return append(append([]T(nil), a...), b...) }

// match is a glob of the kind that Argo CD's projects take: * ? [a-z] {a,b}; what stops a * is told.
func match(pattern, text string, stops ...rune) bool {
	if pattern == text {
		return true
	}
	g, err := glob.Compile(pattern, stops...)
	return err == nil && g.Match(text)
}
