package source

import (
	"encoding/base64"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/secret"
)

// Repository is what a repository's Secret says: how its address is reached. Fields are Argo CD's
// (https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/#repositories).
type Repository struct {
	URL      string
	Name     string
	Type     string // git (also where it is ""), helm, oci
	Project  string
	Prefix   bool // repo-creds: for every address that begins so
	Username string
	Password secret.Secret
	Bearer   secret.Secret
	SSHKey   secret.Secret
	TLSCert  secret.Secret
	TLSKey   secret.Secret
	Basic    bool // send the password without being asked (forceHttpBasicAuth)
	Insecure bool
	OCI      bool
	Proxy    string
	NoProxy  string
	Other    string // a way to log in that is not supported yet, "" where there is none
}

// Settings are the repositories that are known, and what servers are trusted.
type Settings struct {
	Repositories []Repository
	KnownHosts   string            // ssh_known_hosts of argocd-ssh-known-hosts-cm; "" for the user's own
	Certificates map[string]string // PEM by server name, of argocd-tls-certs-cm
}

// The label and its values by which Argo CD finds repositories' Secrets.
const (
	SecretLabel   = "argocd.argoproj.io/secret-type"
	secretRepo    = "repository"
	secretPattern = "repo-creds"
)

// Read takes repositories from Secrets, host keys and certificates from ConfigMaps; other objects are passed over. A
// Secret that cannot be used is told in the error, and the others are taken. No value is ever told.
func Read(objects []manifest.Object) (Settings, error) {
	var s Settings
	var wrong fault.List
	for _, o := range objects {
		switch {
		case o.Text("kind") == "ConfigMap" && o.Name() == "argocd-ssh-known-hosts-cm":
			s.KnownHosts = o.Text("data", "ssh_known_hosts")
		case o.Text("kind") == "ConfigMap" && o.Name() == "argocd-tls-certs-cm":
			s.Certificates = map[string]string{}
			for name := range o.Sub("data") {
				s.Certificates[name] = o.Text("data", name)
			}
		case o.Text("kind") == "Secret":
			kind := o.Labels()[SecretLabel]
			if kind != secretRepo && kind != secretPattern {
				continue
			}
			r, err := readSecret(o)
			r.Prefix = kind == secretPattern
			if err != nil {
				wrong.AddError(err)
				continue
			}
			s.Repositories = append(s.Repositories, r)
		}
	}
	return s, wrong.Err()
}

func readSecret(o manifest.Object) (Repository, error) {
	broken := ""
	field := func(name string) string {
		if text := o.Text("stringData", name); text != "" {
			return text
		}
		text, err := base64.StdEncoding.DecodeString(o.Text("data", name))
		if err != nil {
			broken = name
		}
		return string(text)
	}
	hidden := func(name string) secret.Secret { return secret.Named(name, field(name)) }
	flag := func(name string) bool { return strings.EqualFold(field(name), "true") }
	r := Repository{
		URL: strings.TrimSpace(field("url")), Name: field("name"), Type: strings.ToLower(field("type")), Project: field("project"),
		Username: field("username"), Password: hidden("password"), Bearer: hidden("bearerToken"), SSHKey: hidden("sshPrivateKey"),
		TLSCert: hidden("tlsClientCertData"), TLSKey: hidden("tlsClientCertKey"), Basic: flag("forceHttpBasicAuth"),
		Insecure: flag("insecure") || flag("insecureIgnoreHostKey"), OCI: flag("enableOCI"), Proxy: field("proxy"), NoProxy: field("noProxy"),
	}
	for _, name := range []string{"githubAppID", "githubAppPrivateKey", "gcpServiceAccountKey", "azureServicePrincipalClientId"} {
		if field(name) != "" {
			r.Other = name
		}
	}
	if flag("useAzureWorkloadIdentity") {
		r.Other = "useAzureWorkloadIdentity"
	}
	where := fault.Place{File: "Secret " + o.Namespace() + "/" + o.Name()}
	switch {
	case broken != "":
		return r, fault.At(CodeSecret, where, "the field %s is not base64", broken)
	case r.URL == "":
		return r, fault.At(CodeSecret, where, "the repository's Secret has no url")
	case strings.ContainsAny(r.Username+r.Password.Reveal()+r.Bearer.Reveal()+r.Proxy, "\r\n\x00"):
		return r, fault.At(CodeSecret, where, "username, password, bearerToken or proxy holds a line break").WithHint("encode it without one: printf %%s VALUE | base64")
	}
	return r, nil
}

// find is what is known of an address: its own Secret, that of its project first, completed by the credentials of the
// longest prefix where it has none of its own.
func (s Settings) find(repoURL, project string) Repository {
	want := Normal(repoURL)
	var own, pattern *Repository
	for i, r := range s.Repositories {
		known := Normal(r.URL)
		switch {
		case r.Prefix:
			if begins(want, known) && (pattern == nil || len(known) > len(Normal(pattern.URL))) {
				pattern = &s.Repositories[i]
			}
		case known == want && (r.Project == "" || r.Project == project):
			if own == nil || own.Project == "" {
				own = &s.Repositories[i]
			}
		}
	}
	switch {
	case own == nil && pattern == nil:
		return Repository{URL: repoURL}
	case own == nil:
		return *pattern
	case pattern == nil || own.Username != "" || !own.Password.IsZero() || !own.Bearer.IsZero() || !own.SSHKey.IsZero() || !own.TLSCert.IsZero() || own.Other != "":
		return *own
	}
	out := *own
	out.Username, out.Password, out.Bearer, out.SSHKey = pattern.Username, pattern.Password, pattern.Bearer, pattern.SSHKey
	out.TLSCert, out.TLSKey, out.Basic, out.Other = pattern.TLSCert, pattern.TLSKey, pattern.Basic, pattern.Other
	if out.Proxy == "" {
		out.Proxy, out.NoProxy = pattern.Proxy, pattern.NoProxy
	}
	return out
}

// same reports whether two say the same of how a repository is reached.
func (r Repository) same(o Repository) bool {
	hidden := func(r *Repository) []secret.Secret {
		return []secret.Secret{r.Password, r.Bearer, r.SSHKey, r.TLSCert, r.TLSKey}
	}
	for i, s := range hidden(&r) {
		if !s.Equal(hidden(&o)[i]) {
			return false
		}
	}
	none := secret.Secret{}
	for _, x := range []*Repository{&r, &o} {
		x.Password, x.Bearer, x.SSHKey, x.TLSCert, x.TLSKey = none, none, none, none, none
	}
	return r == o
}

// Known is the address of a repository that a Secret names, by its address or as @name or alias:name, as charts write it.
func (c *Cache) Known(repository, project string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name, named := strings.CutPrefix(repository, "@")
	if !named {
		name, named = strings.CutPrefix(repository, "alias:")
	}
	for _, r := range c.settings.Repositories {
		switch {
		case r.Project != "" && r.Project != project:
		case named && r.Name == name && !r.Prefix:
			return r.URL, true
		case !named && !r.Prefix && Normal(r.URL) == Normal(repository), !named && r.Prefix && begins(Normal(repository), Normal(r.URL)):
			return repository, true
		}
	}
	return "", false
}

// begins reports whether an address in its normal form begins with another, on the very same host: https://host is not the
// beginning of https://host.example.com or https://host@example.com.
func begins(address, prefix string) bool {
	return strings.HasPrefix(address, prefix) && hostOf(address) == hostOf(prefix)
}

func hostOf(normal string) string {
	if _, rest, ok := strings.Cut(normal, "://"); ok {
		normal = rest
	}
	host, _, _ := strings.Cut(normal, "/")
	return host
}
