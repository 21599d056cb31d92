package main

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/edge/objects"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// TestDestinationsAreFound opens clusters by URL and by name, of a Secret as Argo CD keeps them and without one.
func TestDestinationsAreFound(t *testing.T) {
	kube := kubetest.Start(t, kubetest.A)
	config, err := clientcmd.BuildConfigFromFlags("", kube.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	ca, crt, key := readOr(t, config.CAFile, config.CAData), readOr(t, config.CertFile, config.CertData), readOr(t, config.KeyFile, config.KeyData)
	settings, err := json.Marshal(map[string]any{"bearerToken": config.BearerToken, "tlsClientConfig": map[string]any{"caData": ca, "certData": crt, "keyData": key}})
	if err != nil {
		t.Fatal(err)
	}
	home, err := objects.Open(objects.Config{Anywhere: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = home.Close() })
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, called := range []string{"far", "twin", "twin-again"} {
		server, shown := kube.Server, called
		if called != "far" {
			server, shown = "https://"+called+".example.org", "twin"
		}
		_, err := home.Create(t.Context(), manifest.Object{
			"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": called, "namespace": "argocd", "labels": map[string]any{cluster.LabelSecretType: cluster.SecretCluster}},
			"data": map[string]any{"name": b64(shown), "server": b64(server), "config": b64(string(settings))},
		}, manifest.Writing{})
		if err != nil {
			t.Fatal(err)
		}
	}
	here, err := cluster.Open(kube.Kubeconfig, "")
	if err != nil {
		t.Fatal(err)
	}
	p := &places{home: home, here: here, namespace: "argocd", opened: map[string]*opened{}}
	t.Cleanup(p.close)
	for _, d := range []application.Destination{{Name: "far"}, {Server: kube.Server + "/"}, {Name: "in-cluster"}, {Server: "https://kubernetes.default.svc"}} {
		c, _, err := p.Find(t.Context(), d)
		if err != nil {
			t.Errorf("%v: %v", d, err)
			continue
		}
		if v, err := c.Version(t.Context()); err != nil || !strings.HasPrefix(v, "v1.") {
			t.Errorf("%v: %q %v", d, v, err)
		}
	}
	for want, d := range map[string]application.Destination{
		"application destination can't have both name and server defined: a https://b": {Name: "a", Server: "https://b"},
		"there are no clusters with this name: nearby":                                 {Name: "nearby"},
		"there are 2 clusters with the same name: [":                                   {Name: "twin"},
		`error getting cluster by server "https://none.example.org"`:                   {Server: "https://none.example.org"},
		"Destination server missing from app spec":                                     {},
	} {
		if _, _, err := p.Find(t.Context(), d); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v: %v, want %s", d, err, want)
		}
	}
}

func readOr(t *testing.T, file string, data []byte) []byte {
	t.Helper()
	if len(data) > 0 || file == "" {
		return data
	}
	out, err := readPlain(file, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
