package source_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// repoSecret is a repository's Secret: field, value, field, value.
func repoSecret(name, kind string, pairs ...string) manifest.Object {
	data := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		data[pairs[i]] = base64.StdEncoding.EncodeToString([]byte(pairs[i+1]))
	}
	return manifest.Object{"kind": "Secret", "metadata": map[string]any{"name": name, "namespace": "argocd", "labels": map[string]any{source.SecretLabel: kind}}, "data": data}
}

func TestSecretsBecomeRepositories(t *testing.T) {
	s, err := source.Read([]manifest.Object{
		repoSecret("one", "repository", "url", "https://example.com/a", "username", "me", "password", "canary", "project", "p"),
		repoSecret("two", "repo-creds", "url", "https://example.com/", "bearerToken", "canary", "insecure", "true"),
		repoSecret("helm", "repository", "url", "registry.example.com", "type", "helm", "enableOCI", "true"),
		repoSecret("other", "cluster", "url", "https://cluster"),
		{"kind": "ConfigMap", "metadata": map[string]any{"name": "argocd-ssh-known-hosts-cm"}, "data": map[string]any{"ssh_known_hosts": "a b c"}},
		{"kind": "ConfigMap", "metadata": map[string]any{"name": "argocd-tls-certs-cm"}, "data": map[string]any{"example.com": "PEM"}},
		repoSecret("app", "repository", "url", "https://example.com/b", "githubAppID", "1"),
	})
	if err != nil || len(s.Repositories) != 4 || s.KnownHosts != "a b c" || s.Certificates["example.com"] != "PEM" {
		t.Fatalf("%+v, %v", s, err)
	}
	one, two := s.Repositories[0], s.Repositories[1]
	if one.Password.Reveal() != "canary" || one.Project != "p" || !two.Prefix || !two.Insecure || two.Bearer.IsZero() || !s.Repositories[2].OCI || s.Repositories[3].Other != "githubAppID" {
		t.Errorf("%+v", s.Repositories)
	}
	if strings.Contains(fmt.Sprintf("%+v %#v", s, s), "canary") {
		t.Error("printing the settings tells a secret")
	}
	c := source.Open(source.Options{Dir: t.TempDir()})
	c.Use(s)
	if _, _, err := c.Resolve(t.Context(), source.Want{RepoURL: "https://example.com/b.git"}); fault.CodeOf(err) != source.CodeUnsupported {
		t.Errorf("a GitHub App: %v", err)
	}
	wrong := repoSecret("wrong", "repository", "url", "https://x")
	wrong.Set("%%%canary", "data", "password")
	s, err = source.Read([]manifest.Object{repoSecret("none", "repository"), wrong, repoSecret("good", "repository", "url", "https://x"), repoSecret("line", "repository", "url", "https://x", "password", "canary\n")})
	if len(s.Repositories) != 1 || fault.CodeOf(err) != "" && fault.CodeOf(err) != source.CodeSecret || strings.Contains(err.Error(), "canary") || strings.Count(err.Error(), "SL5828") != 3 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestAddressesAreTheSame(t *testing.T) {
	for _, pair := range [][2]string{
		{"https://GitHub.com/a/b", "https://github.com/a/b.git"}, {"git@github.com:a/b", "ssh://git@github.com/a/b.git"}, {"https://x/y/", "https://x/y"},
	} {
		if source.Normal(pair[0]) != source.Normal(pair[1]) {
			t.Errorf("%s is not %s", pair[0], pair[1])
		}
	}
	if source.Normal("https://x/a") == source.Normal("http://x/a") {
		t.Error("http is https")
	}
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"https://me:pw@host/x", "git@host:x", "file:///x", "ext::sh", "-x", "ssh://-o/x", "\x00", "https://[::1]:80/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if dir, ok := source.Local(s); ok && (!strings.HasPrefix(dir, "/") || strings.Contains(dir, "/../")) {
			t.Errorf("%q is the folder %q", s, dir)
		}
	})
}
