// Package forge asks GitHub, GitLab and Gitea for open pull requests and for the repositories of an organization, as the
// generators of ApplicationSets need them. It only reads. A token goes to the host of the API that it is for and to no other:
// no redirect leaves that host, link-local addresses and the metadata services of clouds are never dialled, this machine's own
// only where that is allowed. Tokens stand in no message.
package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/secret"
)

// The faults of this package.
const (
	CodeAddress     = "SL5881" // the API's address is not one that is asked
	CodeUnreachable = "SL5882" // the forge does not answer
	CodeDenied      = "SL5883" // the forge refuses the token, or there is none
	CodeAnswer      = "SL5884" // the forge answers what is of no use
	CodeSecret      = "SL5885" // a Secret or ConfigMap that is named cannot be used
	CodeLimit       = "SL5886" // too many requests
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeAddress, Summary: "a forge's address is not one that is asked", Text: "api of a pullRequest or scmProvider generator is an http or https address. Where the allowed ones are listed (applicationsetcontroller.allowed.scm.providers) it must be one of them. Link-local addresses and the metadata services of clouds are never asked, addresses of this machine only where they are listed, or by sluice deliver.", Page: "operator-manual/applicationset/Appset-Any-Namespace"},
	{Code: CodeUnreachable, Summary: "a forge does not answer", Text: "The name does not resolve, the connection is refused, its certificate is not trusted, or the answer took too long. No Application is removed meanwhile.", Page: "operator-manual/applicationset/Generators-SCM-Provider"},
	{Code: CodeDenied, Summary: "a forge refuses the token", Text: "tokenRef names a Secret in the ApplicationSet's namespace and a key of it. Without one only public repositories are seen.", Page: "operator-manual/applicationset/Generators-Pull-Request"},
	{Code: CodeAnswer, Summary: "a forge answers what is of no use", Text: "The message names the request and the answer. Is api the address of the forge itself, without /api/v3 or /api/v4?", Page: "operator-manual/applicationset/Generators-SCM-Provider"},
	{Code: CodeSecret, Summary: "a Secret of a generator cannot be used", Text: "It is not there, has no such key, or lacks the label argocd.argoproj.io/secret-type: scm-creds that strict mode asks for. Its values are never shown.", Page: "operator-manual/applicationset/Appset-Any-Namespace"},
	{Code: CodeLimit, Summary: "a forge has had enough requests for now", Text: "The message says until when. A token has a higher limit than none; requeueAfterSeconds makes it less often.", Page: "operator-manual/applicationset/Generators-Pull-Request"},
}

// Forge asks forges. Secret must be set where generators name Secrets; the rest works as it is.
type Forge struct {
	// Secret reads the Secret of a name in a namespace: its labels and its data, decoded.
	Secret func(ctx context.Context, namespace, name string) (labels map[string]string, data map[string]secret.Secret, err error)
	// ConfigMap reads the ConfigMap of a name in a namespace.
	ConfigMap func(ctx context.Context, namespace, name string) (map[string]string, error)
	// Home is the namespace of the Secrets of GitHub Apps.
	Home string
	// Allowed are the addresses that api may have; none for all.
	Allowed []string
	// Strict lets tokens come only from Secrets with the label argocd.argoproj.io/secret-type: scm-creds.
	Strict bool
	// Off refuses every forge.
	Off bool
	// Local lets api be an address of this machine.
	Local bool
	// Patience is how long one request may take; 30 s unless told.
	Patience time.Duration
	// Clock is the time.
	Clock func() time.Time
}

// PullRequests are the open pull requests that a generator asks for, before its filters. An ApplicationSet of namespace asks.
// The error is applicationset.ErrNoRepository where there is no such repository.
func (f *Forge) PullRequests(ctx context.Context, namespace string, p applicationset.PullRequest) ([]applicationset.Pull, error) {
	switch {
	case f.Off:
		return nil, fault.New(CodeAddress, "scm providers are disabled")
	case p.GitHub != nil:
		return f.githubPulls(ctx, namespace, p.GitHub)
	case p.GitLab != nil:
		return f.gitlabPulls(ctx, namespace, p.GitLab)
	case p.Gitea != nil:
		return f.giteaPulls(ctx, namespace, p.Gitea)
	}
	return nil, fault.New(CodeAddress, "no Pull Request provider implementation configured")
}

// Repositories are the branches of the repositories that a generator asks for and keep keeps.
func (f *Forge) Repositories(ctx context.Context, namespace string, p applicationset.SCMProvider, keep func(name string, labels []string) bool) ([]applicationset.Repository, error) {
	switch {
	case f.Off:
		return nil, fault.New(CodeAddress, "scm providers are disabled")
	case p.GitHub != nil:
		return f.githubRepositories(ctx, namespace, p.GitHub, p.CloneProtocol, keep)
	case p.GitLab != nil:
		return f.gitlabRepositories(ctx, namespace, p.GitLab, p.CloneProtocol, keep)
	case p.Gitea != nil:
		return f.giteaRepositories(ctx, namespace, p.Gitea, p.CloneProtocol, keep)
	}
	return nil, fault.New(CodeAddress, "no SCM provider implementation configured")
}

// reference is a key of a Secret.
type reference struct {
	SecretName string `json:"secretName"`
	Key        string `json:"key"`
}

// certificates is a key of a ConfigMap.
type certificates struct {
	ConfigMapName string `json:"configMapName"`
	Key           string `json:"key"`
}

func decode(o manifest.Object, v any) error {
	if err := o.Into(v); err != nil {
		return fault.New(CodeAnswer, "the generator's settings: %v", err)
	}
	return nil
}

// scmLabel and scmValue mark Secrets that strict mode gives out.
const (
	scmLabel = "argocd.argoproj.io/secret-type"
	scmValue = "scm-creds"
)

// token is what a tokenRef names, the empty secret where there is none. what goes before the words of an error.
func (f *Forge) token(ctx context.Context, namespace string, ref *reference, what string) (secret.Secret, error) {
	if ref == nil {
		return secret.Secret{}, nil
	}
	token, err := f.named(ctx, namespace, *ref)
	if wrong, ok := errors.AsType[*fault.Fault](err); ok {
		return token, fault.New(wrong.Code, "%s: %s", what, wrong.Message)
	}
	return token, err
}

func (f *Forge) named(ctx context.Context, namespace string, ref reference) (secret.Secret, error) {
	labels, data, err := f.secretOf(ctx, namespace, ref.SecretName)
	if err != nil {
		return secret.Secret{}, err
	}
	if f.Strict && labels[scmLabel] != scmValue {
		return secret.Secret{}, fault.New(CodeSecret, "secret %s/%s is not a valid SCM creds secret: it lacks the label %s: %s", namespace, ref.SecretName, scmLabel, scmValue)
	}
	value, ok := data[ref.Key]
	if !ok {
		return secret.Secret{}, fault.New(CodeSecret, "key %q in secret %q not found", ref.Key, namespace+"/"+ref.SecretName)
	}
	return secret.New(strings.TrimSpace(value.Reveal())), nil
}

func (f *Forge) secretOf(ctx context.Context, namespace, name string) (map[string]string, map[string]secret.Secret, error) {
	if f.Secret == nil {
		return nil, nil, fault.New(CodeSecret, "no Secrets are read here: %s/%s", namespace, name)
	}
	labels, data, err := f.Secret(ctx, namespace, name)
	if err != nil {
		return nil, nil, fault.New(CodeSecret, "error fetching secret %s/%s: %v", namespace, name, err)
	}
	return labels, data, nil
}

func (f *Forge) authority(ctx context.Context, namespace string, ref *certificates) ([]byte, error) {
	if ref == nil {
		return nil, nil
	}
	if f.ConfigMap == nil {
		return nil, fault.New(CodeSecret, "no ConfigMaps are read here: %s/%s", namespace, ref.ConfigMapName)
	}
	data, err := f.ConfigMap(ctx, namespace, ref.ConfigMapName)
	if err != nil {
		return nil, fault.New(CodeSecret, "error fetching configmap %s/%s: %v", namespace, ref.ConfigMapName, err)
	}
	text, ok := data[ref.Key]
	if !ok {
		return nil, fault.New(CodeSecret, "key %q in ConfigMap %q not found", ref.Key, namespace+"/"+ref.ConfigMapName)
	}
	return []byte(text), nil
}

// base is the address of an API: what a generator says, or the forge's own, and the path below it.
func (f *Forge) base(api, own, path string) (*url.URL, error) {
	if api != "" && len(f.Allowed) > 0 && !slices.Contains(f.Allowed, api) {
		return nil, fault.New(CodeAddress, "scm provider not allowed: scm provider %q not allowed, must use one of the following: %s", api, strings.Join(f.Allowed, ", "))
	}
	text := api
	if text == "" {
		text = own
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, fault.New(CodeAddress, "api %q is no http or https address", bare(text))
	}
	if u.User != nil {
		return nil, fault.New(CodeAddress, "api %q holds a user: give the token in tokenRef", bare(text))
	}
	u.RawQuery, u.Fragment = "", ""
	u.Path = strings.TrimRight(u.Path, "/")
	if !strings.HasSuffix(u.Path, path) {
		u.Path += path
	}
	return u, nil
}

// bare is an address without what may be secret.
func bare(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(unreadable)"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// clone is a repository's address by the protocol that a generator asks for; ssh unless told.
func clone(protocol, ssh, https string) (string, error) {
	switch protocol {
	case "", "ssh":
		return ssh, nil
	case "https":
		return https, nil
	}
	return "", fault.New(CodeAddress, "unknown clone protocol %q: ssh or https", protocol)
}

// lacks reports whether a label that is asked for is missing.
func lacks(labels, asked []string) bool {
	return slices.ContainsFunc(asked, func(a string) bool { return !slices.Contains(labels, a) })
}

// gone makes the error of a repository that is not there.
func gone(err error, what string) error {
	if s, ok := status(err); ok && s == http.StatusNotFound {
		return fmt.Errorf("%s: %w", what, applicationset.ErrNoRepository)
	}
	return err
}
