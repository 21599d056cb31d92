package forge_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sluice-delivery/sluice/internal/edge/forge"
	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func ghPull(n int, labels ...string) any {
	list := []m{}
	for _, l := range labels {
		list = append(list, m{"name": l})
	}
	return m{
		"number": n, "title": fmt.Sprintf("PR %d", n), "head": m{"ref": fmt.Sprintf("b%d", n), "sha": strings.Repeat(fmt.Sprint(n%10), 40)},
		"base": m{"ref": "main"}, "user": m{"login": "ann"}, "labels": list,
	}
}

func numbers(pulls []applicationset.Pull) string {
	var out []string
	for _, p := range pulls {
		out = append(out, fmt.Sprint(p.Number))
	}
	return strings.Join(out, " ")
}

func TestGitHubPulls(t *testing.T) {
	s := serve(t, "Authorization: Bearer "+token, map[string]any{
		"/api/v3/repos/org/web/pulls": paged{[]any{ghPull(1, "preview", "x"), ghPull(2), ghPull(3, "preview"), ghPull(4), ghPull(5, "preview")}, 2},
	})
	f := asking(tokens)
	ask := func(more m) ([]applicationset.Pull, error) {
		spec := m{"owner": "org", "repo": "web", "api": s.URL + "/", "tokenRef": ref}
		for k, v := range more {
			spec[k] = v
		}
		return f.PullRequests(t.Context(), "apps", applicationset.PullRequest{GitHub: object(t, spec)})
	}
	got, err := ask(nil)
	if err != nil || numbers(got) != "1 2 3 4 5" {
		t.Fatal(numbers(got), err)
	}
	want := applicationset.Pull{Number: 1, Title: "PR 1", Branch: "b1", Target: "main", HeadSHA: strings.Repeat("1", 40), Author: "ann", Labels: []string{"preview", "x"}}
	if text(got[0]) != text(want) {
		t.Errorf("%+v", got[0])
	}
	if got, err = ask(m{"labels": []string{"preview"}}); err != nil || numbers(got) != "1 3 5" {
		t.Error(numbers(got), err)
	}
	if _, err = ask(m{"repo": "gone"}); !errors.Is(err, applicationset.ErrNoRepository) {
		t.Error(err)
	}
	if _, err = ask(m{"tokenRef": nil}); fault.CodeOf(err) != forge.CodeDenied || !strings.Contains(err.Error(), "no token was sent") {
		t.Error(err)
	}
	for _, wrong := range []m{{"secretName": "t", "key": "other"}, {"secretName": "none", "key": "token"}} {
		if _, err = ask(m{"tokenRef": wrong}); fault.CodeOf(err) != forge.CodeSecret || strings.Contains(err.Error(), token) {
			t.Error(err)
		}
	}
	f.Strict = true
	if _, err = ask(nil); fault.CodeOf(err) != forge.CodeSecret || !strings.Contains(err.Error(), "error fetching Secret token: secret apps/t is not a valid SCM creds secret") {
		t.Error(err)
	}
	_, err = f.Repositories(t.Context(), "apps", applicationset.SCMProvider{GitHub: object(t, m{"organization": "org", "api": s.URL, "tokenRef": ref})}, all)
	if err == nil || !strings.Contains(err.Error(), "scm provider: error fetching Github token: secret apps/t is not a valid SCM creds secret") {
		t.Error(err)
	}
	tokens["apps/t"]["label argocd.argoproj.io/secret-type"] = "scm-creds"
	defer delete(tokens["apps/t"], "label argocd.argoproj.io/secret-type")
	if _, err = ask(nil); err != nil {
		t.Error(err)
	}
}

func branches(r []applicationset.Repository) string {
	var out []string
	for _, b := range r {
		out = append(out, b.Organization+"/"+b.Name+"@"+b.Branch)
	}
	return strings.Join(out, " ")
}

func all(string, []string) bool { return true }

func TestGitHubRepositories(t *testing.T) {
	repo := func(id int, name string, archived bool, topics ...string) any {
		return m{"id": id, "name": name, "owner": m{"login": "org"}, "ssh_url": "git@x:org/" + name, "clone_url": "https://x/org/" + name + ".git", "default_branch": "main", "archived": archived, "topics": topics}
	}
	branch := func(name string) any { return m{"name": name, "commit": m{"sha": "abc" + name}} }
	s := serve(t, "Authorization: Bearer "+token, map[string]any{
		"/api/v3/orgs/org/repos":                                    paged{[]any{repo(1, "one", false, "go"), repo(2, "old", true), repo(3, "empty", false)}, 1},
		"/api/v3/repos/org/one/branches/main":                       branch("main"),
		"/api/v3/repos/org/old/branches/main":                       branch("main"),
		"/api/v3/repos/org/one/branches":                            paged{[]any{branch("main"), branch("feature/x")}, 1},
		"/api/v3/repos/org/old/branches":                            paged{nil, 1},
		"/api/v3/repos/org/empty/branches":                          paged{nil, 1},
		"/api/v3/repos/org/one/contents/deploy/a%20b.yaml?ref=main": m{"type": "file"},
	})
	f := asking(tokens)
	ask := func(more m, protocol string) ([]applicationset.Repository, error) {
		spec := m{"organization": "org", "api": s.URL, "tokenRef": ref}
		for k, v := range more {
			spec[k] = v
		}
		return f.Repositories(t.Context(), "apps", applicationset.SCMProvider{GitHub: object(t, spec), CloneProtocol: protocol}, all)
	}
	got, err := ask(nil, "")
	if err != nil || branches(got) != "org/one@main org/old@main" {
		t.Fatal(branches(got), err)
	}
	if r := got[0]; r.URL != "git@x:org/one" || r.SHA != "abcmain" || r.ID != 1 || text(r.Labels) != `["go"]` {
		t.Errorf("%+v", r)
	}
	for path, want := range map[string]bool{"deploy/a b.yaml": true, "nothing": false} {
		if is, err := got[0].Exists(path); is != want || err != nil {
			t.Error(path, is, err)
		}
	}
	if _, err := got[0].Exists("../../../../user"); fault.CodeOf(err) != forge.CodeAddress {
		t.Error(err)
	}
	if got, err = ask(m{"allBranches": true, "excludeArchivedRepos": true}, "https"); err != nil || branches(got) != "org/one@main org/one@feature/x" || got[0].URL != "https://x/org/one.git" {
		t.Error(branches(got), err)
	}
	if _, err = ask(nil, "ftp"); fault.CodeOf(err) != forge.CodeAddress {
		t.Error(err)
	}
	// What no filter wants is not asked for.
	before := len(s.asked)
	if got, err := f.Repositories(t.Context(), "apps", applicationset.SCMProvider{GitHub: object(t, m{"organization": "org", "api": s.URL, "tokenRef": ref})}, func(n string, _ []string) bool { return n == "none" }); err != nil || len(got) > 0 || len(s.asked)-before != 3 {
		t.Error(got, err, s.asked[before:])
	}
}

func TestGitHubApp(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, "", map[string]any{
		"/api/v3/orgs/org/installation": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"id": 77}`) }),
		"/api/v3/app/installations/77/access_tokens": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			raw := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256})
			var claims jwt.Claims
			if err == nil {
				err = parsed.Claims(&key.PublicKey, &claims)
			}
			if err != nil || claims.Issuer != "42" || claims.Expiry.Time().Sub(claims.IssuedAt.Time()) > 10*time.Minute || r.Method != http.MethodPost {
				t.Errorf("%v %+v", err, claims)
			}
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"token": %q}`, token)
		}),
		"/api/v3/repos/org/web/pulls": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+token {
				w.WriteHeader(http.StatusUnauthorized)
			}
			fmt.Fprint(w, `[]`)
		}),
	})
	s.auth = "User-Agent: sluice"
	secrets := map[string]map[string]string{"argocd/app": {
		"githubAppID": "42", "githubAppPrivateKey": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	}}
	f := asking(secrets)
	ask := func() error {
		_, err := f.PullRequests(t.Context(), "apps", applicationset.PullRequest{GitHub: object(t, m{"owner": "org", "repo": "web", "api": s.URL, "appSecretName": "app"})})
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	secrets["argocd/app"]["githubAppEnterpriseBaseUrl"] = "https://elsewhere.invalid/api/v3"
	if err := ask(); fault.CodeOf(err) != forge.CodeSecret {
		t.Error(err)
	}
	delete(secrets["argocd/app"], "githubAppEnterpriseBaseUrl")
	for _, bad := range []string{"", "gibberish", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"} {
		secrets["argocd/app"]["githubAppPrivateKey"] = bad
		if err := ask(); fault.CodeOf(err) != forge.CodeSecret || bad != "" && strings.Contains(err.Error(), bad) {
			t.Error(err)
		}
	}
}

func TestGitLab(t *testing.T) {
	request := func(n int) any {
		return m{"iid": n, "title": "MR", "source_branch": "b", "target_branch": "main", "sha": "abc", "author": m{"username": "bob"}, "labels": []string{"x"}}
	}
	project := func(id int, path string, topics, tags []string) any {
		return m{"id": id, "path": path, "namespace": m{"full_path": "group/sub"}, "ssh_url_to_repo": "git@x:" + path, "http_url_to_repo": "https://x/" + path, "default_branch": "main", "topics": topics, "tag_list": tags}
	}
	branch := func(name string) any { return m{"name": name, "commit": m{"id": "sha-" + name}} }
	s := serve(t, "Private-Token: "+token, map[string]any{
		"/api/v4/projects/group%2Fsub%2Fweb/merge_requests?labels=x%2Cz&per_page=100&state=opened":                 []any{request(3)},
		"/api/v4/projects/group%2Fsub%2Fweb/merge_requests":                                                        paged{[]any{request(1), request(2)}, 1},
		"/api/v4/groups/group%2Fsub/projects?archived=false&include_subgroups=false&per_page=100&with_shared=true": []any{project(7, "web", []string{"go"}, nil)},
		"/api/v4/groups/group%2Fsub/projects?include_subgroups=true&per_page=100&topic=t&with_shared=false":        []any{project(7, "web", nil, []string{"old"}), project(8, "empty", nil, nil)},
		"/api/v4/projects/7/repository/branches/main":                                                              branch("main"),
		"/api/v4/projects/7/repository/branches":                                                                   paged{[]any{branch("main"), branch("x/y")}, 1},
		"/api/v4/projects/7/repository/files/a%2Fb.yaml?ref=main":                                                  m{},
		"/api/v4/projects/7/repository/tree?path=helm&per_page=1&ref=main":                                         []any{m{"name": "Chart.yaml"}},
		"/api/v4/projects/7/repository/tree?path=none&per_page=1&ref=main":                                         []any{},
	})
	f := asking(tokens)
	pulls := func(more m) ([]applicationset.Pull, error) {
		spec := m{"project": "group/sub/web", "api": s.URL + "/", "tokenRef": ref}
		for k, v := range more {
			spec[k] = v
		}
		return f.PullRequests(t.Context(), "apps", applicationset.PullRequest{GitLab: object(t, spec)})
	}
	got, err := pulls(nil)
	if err != nil || numbers(got) != "1 2" || text(got[0]) != `{"Number":1,"Title":"MR","Branch":"b","Target":"main","HeadSHA":"abc","Author":"bob","Labels":["x"]}` {
		t.Error(text(got), err)
	}
	if got, err = pulls(m{"labels": []string{"x", "z"}, "pullRequestState": "opened"}); err != nil || numbers(got) != "3" {
		t.Error(numbers(got), err)
	}
	if _, err = pulls(m{"pullRequestState": "ajar"}); fault.CodeOf(err) != forge.CodeAnswer {
		t.Error(err)
	}
	if _, err = pulls(m{"project": "12"}); !errors.Is(err, applicationset.ErrNoRepository) {
		t.Error(err)
	}
	repositories := func(more m) ([]applicationset.Repository, error) {
		spec := m{"group": "group/sub", "api": s.URL, "tokenRef": ref}
		for k, v := range more {
			spec[k] = v
		}
		return f.Repositories(t.Context(), "apps", applicationset.SCMProvider{GitLab: object(t, spec), CloneProtocol: "https"}, all)
	}
	found, err := repositories(nil)
	if err != nil || branches(found) != "group/sub/web@main" || found[0].URL != "https://x/web" || found[0].SHA != "sha-main" || text(found[0].Labels) != `["go"]` {
		t.Fatal(branches(found), err)
	}
	for path, want := range map[string]bool{"a/b.yaml": true, "helm": true, "none": false, "gone": false} {
		if is, err := found[0].Exists(path); is != want || err != nil {
			t.Error(path, is, err)
		}
	}
	if found, err = repositories(m{"includeSubgroups": true, "includeSharedProjects": false, "includeArchivedRepos": true, "topic": "t", "allBranches": true}); err != nil || branches(found) != "group/sub/web@main group/sub/web@x/y" || text(found[0].Labels) != `["old"]` {
		t.Error(branches(found), err)
	}
}

func TestGitea(t *testing.T) {
	branch := func(name string) any { return m{"name": name, "commit": m{"id": "sha-" + name}} }
	repo := func(name string, archived bool) any {
		return m{"id": 9, "name": name, "ssh_url": "git@x:" + name, "html_url": "https://x/" + name, "default_branch": "main", "archived": archived}
	}
	s := serve(t, "Authorization: token "+token, map[string]any{
		"/forge/api/v1/repos/org/web/pulls?limit=50&state=open": []any{ghPull(1, "preview"), ghPull(2)},
		"/forge/api/v1/orgs/org/repos":                          paged{[]any{repo("web", false), repo("old", true)}, 1},
		"/forge/api/v1/repos/org/web/labels":                    []any{m{"name": "bug"}},
		"/forge/api/v1/repos/org/old/labels":                    []any{},
		"/forge/api/v1/repos/org/web/branches/main":             branch("main"),
		"/forge/api/v1/repos/org/web/branches":                  paged{[]any{branch("main"), branch("dev")}, 1},
		"/forge/api/v1/repos/org/web/contents/helm?ref=main":    []any{},
	})
	f := asking(tokens)
	pulls, err := f.PullRequests(t.Context(), "apps", applicationset.PullRequest{Gitea: object(t, m{"owner": "org", "repo": "web", "api": s.URL + "/forge/", "tokenRef": ref, "labels": []string{"preview"}})})
	if err != nil || numbers(pulls) != "1" {
		t.Error(numbers(pulls), err)
	}
	ask := func(more m) ([]applicationset.Repository, error) {
		spec := m{"owner": "org", "api": s.URL + "/forge", "tokenRef": ref, "excludeArchivedRepos": true}
		for k, v := range more {
			spec[k] = v
		}
		return f.Repositories(t.Context(), "apps", applicationset.SCMProvider{Gitea: object(t, spec)}, all)
	}
	got, err := ask(nil)
	if err != nil || branches(got) != "org/web@main" || got[0].URL != "git@x:web" || text(got[0].Labels) != `["bug"]` {
		t.Fatal(branches(got), err)
	}
	if is, err := got[0].Exists("helm"); !is || err != nil {
		t.Error(err)
	}
	if got, err = ask(m{"allBranches": true}); err != nil || branches(got) != "org/web@main org/web@dev" {
		t.Error(branches(got), err)
	}
	if _, err = ask(m{"excludeArchivedRepos": false}); fault.CodeOf(err) != forge.CodeAnswer || !strings.Contains(err.Error(), "check your repo config") {
		t.Error(err)
	}
	if _, err = ask(m{"api": ""}); fault.CodeOf(err) != forge.CodeAddress {
		t.Error(err)
	}
}
