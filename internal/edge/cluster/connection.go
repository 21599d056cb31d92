package cluster

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The mark of Secrets that Argo CD keeps clusters in
// (https://argo-cd.readthedocs.io/en/stable/operator-manual/declarative-setup/#clusters).
const (
	LabelSecretType = "argocd.argoproj.io/secret-type"
	SecretCluster   = "cluster"
	AnnotationSkip  = "argocd.argoproj.io/skip-reconcile"
	InCluster       = "https://kubernetes.default.svc" // the server of the cluster that the controller runs for
)

// Connection is a cluster as a Secret declares it. What it connects with does not print.
type Connection struct {
	Name             string
	Server           string
	Namespaces       []string // the only ones to look at; none means all
	ClusterResources bool     // also what belongs to no namespace, where Namespaces are told
	Project          string   // "" for all
	Skip             bool     // its applications are not reconciled
	Labels           map[string]string
	Annotations      map[string]string

	config *rest.Config
}

// Scope is what of the cluster may be looked at.
func (c Connection) Scope() Scope {
	return Scope{Namespaces: c.Namespaces, Cluster: c.ClusterResources}
}

// Dial makes the cluster. Nothing is asked yet.
func (c Connection) Dial(o Options) (*Cluster, error) { return Dial(c.config, o) }

// settings is the Secret's config.
type settings struct {
	Username    string `json:"username"`
	Password    string `json:"password"`
	BearerToken string `json:"bearerToken"`
	TLS         struct {
		Insecure   bool   `json:"insecure"`
		ServerName string `json:"serverName"`
		CAData     []byte `json:"caData"`
		CertData   []byte `json:"certData"`
		KeyData    []byte `json:"keyData"`
	} `json:"tlsClientConfig"`
	AWS                json.RawMessage `json:"awsAuthConfig"`
	Exec               json.RawMessage `json:"execProviderConfig"`
	ProxyURL           string          `json:"proxyUrl"`
	DisableCompression bool            `json:"disableCompression"`
}

// Decode reads a Secret with the label argocd.argoproj.io/secret-type: cluster. Both data and stringData are read. Errors
// name the Secret and the field and never show what it holds.
func Decode(secret manifest.Object) (Connection, error) {
	what := "the cluster Secret " + secret.Namespace() + "/" + secret.Name()
	field := func(name string) (string, error) {
		if text := secret.Text("stringData", name); text != "" {
			return text, nil
		}
		data, err := base64.StdEncoding.DecodeString(secret.Text("data", name))
		if err != nil {
			return "", fault.New(CodeSecret, "%s: data.%s is not base64", what, name)
		}
		return strings.TrimSpace(string(data)), nil
	}
	values := map[string]string{}
	for _, name := range []string{"name", "server", "namespaces", "clusterResources", "project", "config"} {
		v, err := field(name)
		if err != nil {
			return Connection{}, err
		}
		values[name] = v
	}
	out := Connection{
		Name: or(values["name"], values["server"]), Server: strings.TrimSuffix(values["server"], "/"), Project: values["project"],
		ClusterResources: values["clusterResources"] == "true", Skip: secret.Annotation(AnnotationSkip) == "true",
		Labels: secret.Labels(), Annotations: secret.Annotations(),
	}
	for ns := range strings.SplitSeq(values["namespaces"], ",") {
		if ns = strings.TrimSpace(ns); ns != "" && !slices.Contains(out.Namespaces, ns) {
			out.Namespaces = append(out.Namespaces, ns)
		}
	}
	if u, err := url.Parse(out.Server); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return Connection{}, fault.New(CodeSecret, "%s: server is not an http or https address", what)
	}
	var s settings
	if values["config"] != "" && json.Unmarshal([]byte(values["config"]), &s) != nil {
		return Connection{}, fault.New(CodeSecret, "%s: config is not the JSON of a connection", what).WithHint("caData, certData and keyData are base64; bearerToken, username and password are text")
	}
	var err error
	out.config, err = s.config(out.Server, what)
	return out, err
}

func (s settings) config(server, what string) (*rest.Config, error) {
	for name, raw := range map[string]json.RawMessage{"execProviderConfig": s.Exec, "awsAuthConfig": s.AWS} {
		if len(raw) > 0 && string(raw) != "null" {
			return nil, fault.New(CodeUnsupported, "%s: %s is not supported: it starts a program that the Secret names", what, name).WithHint("put a bearerToken or a client certificate there")
		}
	}
	if s.TLS.Insecure && len(s.TLS.CAData) > 0 {
		return nil, fault.New(CodeSecret, "%s: tlsClientConfig has both insecure and caData", what)
	}
	out := &rest.Config{
		Host: server, Username: s.Username, Password: s.Password, BearerToken: s.BearerToken, DisableCompression: s.DisableCompression,
		TLSClientConfig: rest.TLSClientConfig{Insecure: s.TLS.Insecure, ServerName: s.TLS.ServerName, CAData: s.TLS.CAData, CertData: s.TLS.CertData, KeyData: s.TLS.KeyData},
	}
	if s.ProxyURL != "" {
		u, err := url.Parse(s.ProxyURL)
		if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) {
			return nil, fault.New(CodeSecret, "%s: proxyUrl is not an http, https or socks5 address", what)
		}
		out.Proxy = http.ProxyURL(u)
	}
	return out, nil
}
