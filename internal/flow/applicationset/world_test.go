package applicationset_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// tree is a repository in memory.
type tree map[string]string

func (t tree) Files() ([]string, error) { return slices.Sorted(maps.Keys(t)), nil }

func (t tree) Read(path string) ([]byte, error) {
	text, ok := t[path]
	if !ok {
		return nil, fmt.Errorf("no file %s", path)
	}
	return []byte(text), nil
}

// folder is the files below a folder of this machine, under a prefix.
func folder(t testing.TB, dir, prefix string) tree {
	t.Helper()
	out := tree{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(filepath.Join(prefix, rel))] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// world is a world with these clusters and repositories, whatever their address.
func world(clusters []applicationset.Cluster, files tree) applicationset.World {
	return applicationset.World{
		Clusters: func() ([]applicationset.Cluster, error) { return clusters, nil },
		Tree:     func(string, string, string) (applicationset.Tree, error) { return files, nil },
	}
}

func parse(t testing.TB, text string) manifest.Object {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	o, err := manifest.Parse(data)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return o
}

// decode reads an ApplicationSet; what is left of its head is given.
func decode(t testing.TB, text string) applicationset.Set {
	t.Helper()
	o := parse(t, text)
	if o.Name() == "" {
		o.Set("set", "metadata", "name")
	}
	o.Set("argocd", "metadata", "namespace")
	o.Set("set-uid", "metadata", "uid")
	s, err := applicationset.Decode(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// generated is the parameter sets of a spec as YAML, one for each line.
func generated(t testing.TB, s applicationset.Set, w applicationset.World) ([]string, error) {
	t.Helper()
	all, err := applicationset.Generate(s, w)
	var out []string
	for _, p := range all {
		o, err := manifest.From(p.Values)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(o.JSON()))
	}
	return out, err
}

// applications are all the Applications of a set.
func applications(t testing.TB, s applicationset.Set, w applicationset.World) ([]manifest.Object, error) {
	t.Helper()
	params, err := applicationset.Generate(s, w)
	if err != nil {
		return nil, err
	}
	return applicationset.RenderAll(s, params)
}

var staging = applicationset.Cluster{
	Name: "staging", Server: "https://1.2.3.4",
	Labels: map[string]string{
		"argocd.argoproj.io/secret-type": "cluster", "environment": "dev", "staging": "true", "type": "staging", "use-kafka": "false",
		"kubernetes.io/environment": "dev", "location": "Germany", "argocd.argoproj.io/kubernetes-version": "v1.28.1",
	},
	Annotations: map[string]string{"my-custom-annotation": "v7", "argocd.argoproj.io/refresh": "2026", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
}

var production = applicationset.Cluster{
	Name: "production_eu", Server: "https://2.4.6.8", Project: "ops",
	Labels: map[string]string{"argocd.argoproj.io/secret-type": "cluster", "environment": "prod", "type": "production", "location": "France", "kubernetes.io/environment": "prod"},
}

var local = applicationset.Cluster{Name: "in-cluster", Server: "https://kubernetes.default.svc"}

func lines(text string) []string { return strings.Split(strings.TrimSpace(text), "\n") }
