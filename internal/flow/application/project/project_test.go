package project_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/flow/application/project"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func TestSources(t *testing.T) {
	p := project.Project{Name: "p", Spec: project.Spec{SourceRepos: []string{
		"!ssh://git@github.com/acme/test", "!https://gitlab.com/group/**", "https://github.com/acme/*", "https://charts.x",
	}}}
	for repo, want := range map[string]bool{
		"https://github.com/acme/web": true, "https://github.com/acme/web.git": true, "https://GITHUB.com/acme/web": true, "https://github.com/acme/a/b": false,
		"git@github.com:acme/test": false, "https://gitlab.com/group/a/b": false, "https://charts.x": true, "https://other": false,
	} {
		if got := p.PermitsSource(repo); got != want {
			t.Errorf("%s: %t", repo, got)
		}
	}
	p.Spec.SourceRepos = []string{"*", "!https://gitlab.com/group/**"}
	if !p.PermitsSource("https://any.where/at/all") || p.PermitsSource("https://gitlab.com/group/a/b.git") || (project.Project{}).PermitsSource("x") {
		t.Error("*")
	}
}

func TestDestinations(t *testing.T) {
	all := project.Destination{Server: "*", Namespace: "*"}
	for _, c := range []struct {
		list                       []project.Destination
		server, cluster, namespace string
		want                       bool
	}{
		{nil, "https://a", "", "x", false},
		{[]project.Destination{all}, "https://a", "", "x", true},
		{[]project.Destination{{Server: "https://a", Namespace: "team-*"}}, "https://a", "", "team-1", true},
		{[]project.Destination{{Server: "https://a", Namespace: "team-*"}}, "https://a", "", "other", false},
		{[]project.Destination{{Name: "prod", Namespace: "*"}}, "https://a", "prod", "x", true},
		{[]project.Destination{{Server: "*", Namespace: "!kube-system"}, all}, "https://a", "", "kube-system", false},
		{[]project.Destination{{Server: "*", Namespace: "!kube-system"}, all}, "https://a", "", "x", true},
		{[]project.Destination{all, {Server: "!https://team1-*", Namespace: "*"}}, "https://team1-x", "", "x", false},
		{[]project.Destination{all, {Server: "!https://team1-*", Namespace: "*"}}, "https://team2-x", "", "x", true},
		{[]project.Destination{{Namespace: "!x"}}, "https://a", "", "y", false},
	} {
		p := project.Project{Name: "p", Spec: project.Spec{Destinations: c.list}}
		if got := p.PermitsDestination(c.server, c.cluster, c.namespace); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

func TestKinds(t *testing.T) {
	p := project.Project{Name: "p", Spec: project.Spec{
		ClusterResourceWhitelist:   []project.Restriction{{Kind: "Namespace", Name: "team1-*"}, {Group: "rbac*", Kind: "*"}},
		ClusterResourceBlacklist:   []project.Restriction{{Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"}},
		NamespaceResourceBlacklist: []project.Restriction{{Kind: "LimitRange"}},
	}}
	for _, c := range []struct {
		kind, name string
		namespaced bool
		want       bool
	}{
		{"/Namespace", "team1-a", false, true},
		{"/Namespace", "kube-system", false, false},
		{"rbac.authorization.k8s.io/ClusterRole", "x", false, true},
		{"rbac.authorization.k8s.io/ClusterRoleBinding", "x", false, false},
		{"storage.k8s.io/StorageClass", "x", false, false},
		{"/ConfigMap", "x", true, true},
		{"/LimitRange", "x", true, false},
	} {
		group, kind, _ := strings.Cut(c.kind, "/")
		if got := p.PermitsKind(manifest.Kind{Group: group, Version: "v1", Kind: kind}, c.namespaced, c.name); got != c.want {
			t.Errorf("%s %s: %t", c.kind, c.name, got)
		}
	}
	p.Spec.NamespaceResourceWhitelist = []project.Restriction{{Group: "apps", Kind: "Deployment"}}
	if p.PermitsKind(manifest.Kind{Kind: "ConfigMap"}, true, "x") || !p.PermitsKind(manifest.Kind{Group: "apps", Kind: "Deployment"}, true, "x") {
		t.Error("an allow list of namespaced kinds")
	}
}

func TestMessages(t *testing.T) {
	p := project.Project{Name: "p", Namespace: "argocd", Spec: project.Spec{SourceNamespaces: []string{"apps-*"}}}
	got := p.Refusals(project.Target{App: "a", Server: "https://k", Namespace: "n"}, []string{"r"})
	want := []string{
		"application repo r is not permitted in project 'p'",
		"application destination server 'https://k' and namespace 'n' do not match any of the allowed destinations in project 'p'",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Error(got)
	}
	o := manifest.Object{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "x", "namespace": "other"}}
	if err := p.Permit(o, true, project.Target{Server: "s"}); err == nil || err.Error() != "namespace other is not permitted in project 'p'" {
		t.Error(err)
	}
	p.Spec.NamespaceResourceBlacklist = []project.Restriction{{Group: "apps", Kind: "Deployment"}}
	if err := p.Permit(o, true, project.Target{}); err == nil || err.Error() != "resource apps:Deployment is not permitted in project p" {
		t.Error(err)
	}
	if !p.PermitsNamespace("argocd") || !p.PermitsNamespace("apps-1") || p.PermitsNamespace("other") {
		t.Error("source namespaces")
	}
	if in := p.Inherit(project.Project{Spec: project.Spec{SourceRepos: []string{"*"}}}); !in.PermitsSource("x") || p.PermitsSource("x") {
		t.Error("a global project")
	}
}

var noon = time.Date(2026, 3, 2, 12, 30, 0, 0, time.UTC) // a Monday

func allow(schedule string, set ...func(*project.Window)) project.Window {
	w := project.Window{Kind: "allow", Schedule: schedule, Duration: "1h", Applications: []string{"*"}}
	for _, f := range set {
		f(&w)
	}
	return w
}

func deny(schedule string, set ...func(*project.Window)) project.Window {
	w := allow(schedule, set...)
	w.Kind = "deny"
	return w
}

func manual(w *project.Window)  { w.ManualSync = true }
func overrun(w *project.Window) { w.SyncOverrun = true }

const (
	open   = "0 12 * * *" // 12:00 to 13:00
	closed = "0 20 * * *" // 20:00 to 21:00
	before = "0 11 * * *" // 11:00 to 12:00
)

func TestWindows(t *testing.T) {
	for _, c := range []struct {
		name          string
		windows       []project.Window
		auto, by      bool // automatic, manual
		next          string
		startedInside bool // a sync that began at 11:30 goes on
	}{
		{"none", nil, true, true, "", true},
		{"an open allow", []project.Window{allow(open)}, true, true, "03-02T13:00", true},
		{"a closed allow", []project.Window{allow(closed)}, false, false, "03-02T20:00", false},
		{"a closed allow for hands", []project.Window{allow(closed, manual)}, false, true, "03-02T20:00", false},
		{"one of two closed allows for hands", []project.Window{allow(closed, manual), allow("0 22 * * *")}, false, false, "03-02T20:00", false},
		{"an open deny", []project.Window{deny(open)}, false, false, "03-02T13:00", false},
		{"an open deny for hands", []project.Window{deny(open, manual)}, false, true, "03-02T13:00", false},
		{"a closed deny", []project.Window{deny(closed)}, true, true, "03-02T20:00", true},
		{"both open, for ever", []project.Window{allow(open), deny(open)}, false, false, "", false},
		{"another application's", []project.Window{deny(open, func(w *project.Window) { w.Applications = []string{"other"} })}, true, true, "", true},
		{"a time zone", []project.Window{deny("30 13 * * *", func(w *project.Window) { w.TimeZone = "Europe/Amsterdam" })}, false, false, "03-02T13:30", false},
		{"a broken one", []project.Window{allow("nonsense")}, false, false, "", false},
		{"no window to deny over it", []project.Window{deny(open, overrun)}, false, false, "03-02T13:00", true},
		{"allow over, deny over", []project.Window{allow(before, overrun), deny(open, overrun)}, false, false, "03-03T11:00", true},
		{"allow over, deny", []project.Window{allow(before, overrun), deny(open)}, false, false, "03-03T11:00", false},
		{"allow, deny over", []project.Window{allow(before), deny(open, overrun)}, false, false, "03-03T11:00", true},
		{"allow over ends", []project.Window{allow(before, overrun)}, false, false, "03-03T11:00", true},
		{"allow ends", []project.Window{allow(before)}, false, false, "03-03T11:00", false},
		{"allows over end", []project.Window{allow(before, overrun), allow("15 11 * * *", overrun)}, true, true, "03-02T12:15", true},
		{"one allow of two is not over", []project.Window{allow(before, overrun), allow("0 10 * * *")}, false, false, "03-03T10:00", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := project.Project{Spec: project.Spec{SyncWindows: c.windows}}
			target, now := project.Target{App: "shop", Namespace: "prod"}, noon
			if c.name == "allows over end" {
				now = time.Date(2026, 3, 2, 12, 10, 0, 0, time.UTC)
			}
			auto := p.May(target, false, time.Time{}, now)
			if auto.Allowed != c.auto {
				t.Errorf("automatic: %+v", auto)
			}
			if got := p.May(target, true, time.Time{}, now); got.Allowed != c.by {
				t.Errorf("manual: %+v", got)
			}
			if c.next != "" && auto.Next.UTC().Format("01-02T15:04") != c.next || c.next == "" && !auto.Next.IsZero() {
				t.Errorf("next %s, want %s", auto.Next, c.next)
			}
			if got := p.May(target, false, time.Date(2026, 3, 2, 11, 30, 0, 0, time.UTC), now); got.Allowed != c.startedInside {
				t.Errorf("begun inside: %+v", got)
			}
		})
	}
}

func TestApplies(t *testing.T) {
	target := project.Target{App: "shop-prod", Server: "https://k", Cluster: "in-cluster", Namespace: "prod"}
	for _, c := range []struct {
		w    project.Window
		want bool
	}{
		{project.Window{Applications: []string{"*-prod"}}, true},
		{project.Window{Namespaces: []string{"dev"}, Clusters: []string{"in-*"}}, true},
		{project.Window{Namespaces: []string{"dev"}, Clusters: []string{"in-*"}, UseAndOperator: true}, false},
		{project.Window{Namespaces: []string{"prod"}, Clusters: []string{"https://k"}, UseAndOperator: true}, true},
		{project.Window{}, false},
		{project.Window{UseAndOperator: true}, false},
	} {
		if got := c.w.Applies(target); got != c.want {
			t.Errorf("%+v: %t", c.w, got)
		}
	}
}

// The time of the next change is right: until then the answer stays, at that minute it is the other.
func TestNextChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []project.Window
		for range rapid.IntRange(1, 3).Draw(t, "windows") {
			w := project.Window{
				Kind: rapid.SampledFrom([]string{"allow", "deny"}).Draw(t, "kind"), Applications: []string{"*"},
				Schedule: rapid.SampledFrom([]string{"0 * * * *", "*/30 * * * *", "15 3,9 * * *", "0 12 * * 1", "45 22 1 * *"}).Draw(t, "schedule"),
				Duration: rapid.SampledFrom([]string{"10m", "30m", "1h", "26h"}).Draw(t, "duration"),
			}
			list = append(list, w)
		}
		p := project.Project{Spec: project.Spec{SyncWindows: list}}
		now := noon.Add(time.Duration(rapid.IntRange(0, 10_000).Draw(t, "minutes")) * time.Minute)
		is := p.May(project.Target{App: "a"}, false, time.Time{}, now)
		if is.Next.IsZero() {
			return
		}
		for at := now; at.Before(is.Next) && at.Sub(now) < 24*time.Hour; at = at.Add(11 * time.Minute) {
			if p.May(project.Target{App: "a"}, false, time.Time{}, at).Allowed != is.Allowed {
				t.Fatalf("it changes at %s, before %s: %+v", at, is.Next, list)
			}
		}
		if p.May(project.Target{App: "a"}, false, time.Time{}, is.Next).Allowed == is.Allowed {
			t.Fatalf("nothing changes at %s: %+v", is.Next, list)
		}
	})
}

func TestCheck(t *testing.T) {
	for _, w := range []project.Window{
		{Kind: "allow", Schedule: "* * *", Duration: "1h", Applications: []string{"*"}},
		{Kind: "perhaps", Schedule: "* * * * *", Duration: "1h", Applications: []string{"*"}},
		{Kind: "deny", Schedule: "* * * * *", Duration: "x", Applications: []string{"*"}},
		{Kind: "deny", Schedule: "* * * * *", Duration: "1h"},
		{Kind: "deny", Schedule: "* * * * *", Duration: "1h", TimeZone: "Moon/Sea", Applications: []string{"*"}},
	} {
		if w.Check() == nil {
			t.Errorf("%+v is sound", w)
		}
	}
	if err := allow(open).Check(); err != nil {
		t.Error(err)
	}
}

func TestAccounts(t *testing.T) {
	p := project.Project{Spec: project.Spec{DestinationServiceAccounts: []project.ServiceAccount{
		{Server: "https://one", Namespace: "web", Default: "deployer"},
		{Server: "https://one", Namespace: "web-*", Default: " other:named "},
		{Server: "https://tw*", Namespace: "*", Default: "any"},
		{Server: "https://three", Default: "nowhere"},
		{Server: "https://bad", Namespace: "1", Default: "a*"},
		{Server: "https://bad", Namespace: "2", Default: " "},
		{Server: "https://bad", Namespace: "*", Default: "never"},
	}}}
	for _, c := range []struct{ server, namespace, want, wrong string }{
		{"https://one", "web", "system:serviceaccount:web:deployer", ""},
		{"https://one", "web-2", "system:serviceaccount:other:named", ""},
		{"https://one", "db", "", ""},
		{"https://two", "db", "system:serviceaccount:db:any", ""},
		{"https://three", "", "system:serviceaccount:own:nowhere", ""},
		{"https://bad", "1", "", "default service account contains invalid chars 'a*'"},
		{"https://bad", "2", "", "default service account contains invalid chars ' '"},
	} {
		got, err := p.Account(c.server, c.namespace, "own")
		if got != c.want || (err == nil) != (c.wrong == "") || err != nil && err.Error() != c.wrong {
			t.Errorf("%s %s: %q, %v", c.server, c.namespace, got, err)
		}
	}
	for _, c := range []struct {
		only  bool
		owner string
		want  bool
	}{{false, "", true}, {false, "other", true}, {true, "", false}, {true, "other", false}, {true, "mine", true}} {
		p := project.Project{Name: "mine", Spec: project.Spec{PermitOnlyProjectScopedClusters: c.only}}
		if got := p.PermitsCluster(c.owner); got != c.want {
			t.Errorf("only %v, of %q: %v", c.only, c.owner, got)
		}
	}
}
