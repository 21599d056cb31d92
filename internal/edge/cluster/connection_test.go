package cluster_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

const hidden = "c4nary-of-a-cluster"

func clusterSecret(data map[string]string) manifest.Object {
	o := manifest.Object{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "c", "namespace": "argocd", "labels": map[string]any{cluster.LabelSecretType: cluster.SecretCluster, "env": "prod"}}}
	for k, v := range data {
		o.Set(base64.StdEncoding.EncodeToString([]byte(v)), "data", k)
	}
	return o
}

func TestAClusterIsReadOfItsSecret(t *testing.T) {
	for _, c := range []struct {
		what, code string
		data       map[string]string
		want       cluster.Connection
		scope      cluster.Scope
	}{
		{what: "name and server", data: map[string]string{"name": "far", "server": "https://far.example.org/"}, want: cluster.Connection{Name: "far", Server: "https://far.example.org"}},
		{what: "no name", data: map[string]string{"server": "https://far.example.org:6443"}, want: cluster.Connection{Name: "https://far.example.org:6443", Server: "https://far.example.org:6443"}},
		{
			what: "namespaces", data: map[string]string{"server": "https://f", "namespaces": "a, b,,a", "clusterResources": "true", "project": "p"},
			want:  cluster.Connection{Name: "https://f", Server: "https://f", Namespaces: []string{"a", "b"}, ClusterResources: true, Project: "p"},
			scope: cluster.Scope{Namespaces: []string{"a", "b"}, Cluster: true},
		},
		{what: "a token", data: map[string]string{"server": "https://f", "config": `{"bearerToken":"` + hidden + `","tlsClientConfig":{"insecure":true}}`}, want: cluster.Connection{Name: "https://f", Server: "https://f"}},
		{what: "no server", data: map[string]string{"name": hidden}, code: cluster.CodeSecret},
		{what: "a server of another scheme", data: map[string]string{"server": "file:///" + hidden}, code: cluster.CodeSecret},
		{what: "a server with credentials", data: map[string]string{"server": "https://u:" + hidden + "@f"}, code: cluster.CodeSecret},
		{what: "no JSON", data: map[string]string{"server": "https://f", "config": `{"password":"` + hidden}, code: cluster.CodeSecret},
		{what: "a wrong type", data: map[string]string{"server": "https://f", "config": `{"password":["` + hidden + `"]}`}, code: cluster.CodeSecret},
		{what: "a wrong certificate", data: map[string]string{"server": "https://f", "config": `{"tlsClientConfig":{"caData":"!` + hidden + `"}}`}, code: cluster.CodeSecret},
		{what: "insecure and caData", data: map[string]string{"server": "https://f", "config": `{"tlsClientConfig":{"insecure":true,"caData":"YQ=="}}`}, code: cluster.CodeSecret},
		{what: "a program", data: map[string]string{"server": "https://f", "config": `{"execProviderConfig":{"command":"` + hidden + `"}}`}, code: cluster.CodeUnsupported},
		{what: "AWS", data: map[string]string{"server": "https://f", "config": `{"awsAuthConfig":{"clusterName":"` + hidden + `"}}`}, code: cluster.CodeUnsupported},
		{what: "an empty program", data: map[string]string{"server": "https://f", "config": `{"execProviderConfig":null}`}, want: cluster.Connection{Name: "https://f", Server: "https://f"}},
		{what: "a wrong proxy", data: map[string]string{"server": "https://f", "config": `{"proxyUrl":"` + hidden + `"}`}, code: cluster.CodeSecret},
	} {
		secret := clusterSecret(c.data)
		got, err := cluster.Decode(secret)
		if fault.CodeOf(err) != c.code || err != nil && (strings.Contains(err.Error(), hidden) || !strings.Contains(err.Error(), "argocd/c")) {
			t.Errorf("%s: %v, want %q", c.what, err, c.code)
			continue
		}
		if err != nil {
			continue
		}
		if !reflect.DeepEqual(got.Scope(), c.scope) || got.Name != c.want.Name || got.Server != c.want.Server || got.Project != c.want.Project || got.Labels["env"] != "prod" {
			t.Errorf("%s: %+v", c.what, got)
		}
		if text := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(text, hidden) {
			t.Errorf("%s prints what it connects with: %s", c.what, text)
		}
	}
	broken := clusterSecret(map[string]string{"server": "https://f"})
	broken.Set("%"+hidden, "data", "config")
	if _, err := cluster.Decode(broken); fault.CodeOf(err) != cluster.CodeSecret || strings.Contains(err.Error(), hidden) {
		t.Errorf("data that is not base64: %v", err)
	}
}

func TestAClusterOfASecretAnswers(t *testing.T) {
	k, _ := open(t)
	admin := rest(t, k)
	config := map[string]any{"tlsClientConfig": map[string]any{"caData": admin.CAData, "certData": admin.CertData, "keyData": admin.KeyData}}
	text := must[[]byte](t)(json.Marshal(config))
	c := must[cluster.Connection](t)(cluster.Decode(clusterSecret(map[string]string{"server": k.Server, "config": string(text)})))
	there := must[*cluster.Cluster](t)(c.Dial(cluster.Options{}))
	if v := must[string](t)(there.Version(t.Context())); !strings.HasPrefix(v, "v1.") {
		t.Errorf("the version is %q", v)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("https://f", "a,b", `{"bearerToken":"t","tlsClientConfig":{"caData":"YQ=="}}`)
	f.Add("x", "", `{"execProviderConfig":{}}`)
	f.Fuzz(func(t *testing.T, server, namespaces, config string) {
		c, err := cluster.Decode(clusterSecret(map[string]string{"server": server, "namespaces": namespaces, "config": config}))
		if (err == nil) == (c.Server == "") && err == nil {
			t.Errorf("no error and no server of %q", server)
		}
	})
}
