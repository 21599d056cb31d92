package kubetest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Apply brings every document of YAML text to the cluster (server-side apply, manager "kubetest"). An object without a
// namespace whose kind has them is put into the test's.
func (k *Kube) Apply(t testing.TB, text string) []manifest.Object {
	t.Helper()
	var out []manifest.Object
	for _, o := range Documents(t, text) {
		namespace := o.Namespace()
		if namespace == "" {
			namespace = k.Namespace
		}
		path := k.Path(t, o.Kind(), namespace) + "/" + o.Name()
		code, data := k.Do(t, http.MethodPatch, path+"?fieldManager=kubetest&force=true", manifest.ApplyPatch, o.JSON())
		answer, err := manifest.Parse(data)
		if code >= 300 || err != nil {
			t.Fatalf("apply %s %s: %d %s", o.Kind(), o.Name(), code, data)
		}
		out = append(out, answer)
	}
	return out
}

// ApplyFile is Apply of a file's text.
func (k *Kube) ApplyFile(t testing.TB, path string) []manifest.Object {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return k.Apply(t, string(data))
}

// Documents reads the objects of YAML text; empty documents are passed over, Lists taken apart.
func Documents(t testing.TB, text string) []manifest.Object {
	t.Helper()
	var out []manifest.Object
	for doc := range strings.SplitSeq("\n"+text, "\n---") {
		data, err := yaml.YAMLToJSON([]byte(doc))
		if err != nil {
			t.Fatalf("not YAML: %v\n%s", err, doc)
		}
		o, err := manifest.Parse(data)
		switch {
		case err != nil:
			t.Fatalf("no object: %v\n%s", err, doc)
		case len(o) == 0:
		case o.Text("kind") == "List":
			for _, e := range o.List("items") {
				out = append(out, e.(map[string]any))
			}
		default:
			out = append(out, o)
		}
	}
	return out
}

// CRDs are the definitions of a project.
type CRDs struct{ module, path string }

// The definitions that tests use; files of the projects' own modules.
var (
	ArgoCD   = CRDs{"github.com/argoproj/argo-cd/v3", "manifests/crds/*-crd.yaml"}
	Rollouts = CRDs{"github.com/argoproj/argo-rollouts", "manifests/crds/*-crd.yaml"}
	Gateway  = CRDs{"sigs.k8s.io/gateway-api", "config/crd/standard/*s.yaml"}
	Istio    = CRDs{"istio.io/api", "kubernetes/customresourcedefinitions.gen.yaml"}
)

// ApplyCRDs brings definitions to the cluster and waits until they are served. They belong to the whole cluster and stay;
// a test that needs them absent cannot share it.
func (k *Kube) ApplyCRDs(t testing.TB, sets ...CRDs) {
	t.Helper()
	for _, set := range sets {
		files, err := filepath.Glob(filepath.Join(Module(t, set.module), set.path))
		if err != nil || len(files) == 0 {
			t.Fatalf("no definitions %s in %s", set.path, set.module)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			k.ApplyDefinitions(t, string(data))
		}
	}
}

// ApplyDefinitions brings the CustomResourceDefinitions of YAML text to the cluster and waits until each is served.
func (k *Kube) ApplyDefinitions(t testing.TB, text string) {
	t.Helper()
	docs := slices.DeleteFunc(Documents(t, text), func(o manifest.Object) bool { return o.Text("kind") != "CustomResourceDefinition" })
	for _, o := range docs {
		sum := fmt.Sprintf("%x", sha256.Sum256(o.JSON()))
		if k.Object(t, o.Kind(), o.Name()).Annotation("kubetest/sum") == sum { // large ones take the server a second each
			continue
		}
		o.SetAnnotation("kubetest/sum", sum)
		k.Apply(t, string(o.JSON()))
	}
	for _, o := range docs {
		k.established(t, o)
	}
}

func (k *Kube) established(t testing.TB, crd manifest.Object) {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if served(k.Object(t, crd.Kind(), crd.Name())) {
			kind := manifest.Kind{Group: crd.Text("spec", "group"), Kind: crd.Text("spec", "names", "kind")}
			for _, v := range crd.List("spec", "versions") {
				if v := manifest.Object(v.(map[string]any)); v["served"] == true {
					kind.Version = v.Text("name")
					k.Path(t, kind, "")
				}
			}
			return
		}
	}
	t.Fatalf("the definition %s is not served", crd.Name())
}

func served(crd manifest.Object) bool {
	return slices.ContainsFunc(crd.List("status", "conditions"), func(c any) bool {
		m := manifest.Object(c.(map[string]any))
		return m.Text("type") == "Established" && m.Text("status") == "True"
	})
}

// Module is the folder of a Go module that go.mod or tools/argo/go.mod requires, fetched where it is missing.
func Module(t testing.TB, path string) string {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(root, "tools", "argo"), root} {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(data), "\t"+path+" v") {
			continue
		}
		cmd := exec.Command("go", "mod", "download", "-json", path)
		cmd.Dir = dir
		out, err := cmd.Output()
		var got struct{ Dir, Error string }
		if json.Unmarshal(out, &got) != nil || got.Dir == "" {
			t.Fatalf("go mod download %s: %v %s", path, err, got.Error)
		}
		return got.Dir
	}
	t.Fatalf("neither go.mod nor tools/argo/go.mod requires %s", path)
	return ""
}

// remove deletes the test's namespace and what is in it.
func (k *Kube) remove(t testing.TB) {
	path := "/api/v1/namespaces/" + k.Namespace
	k.unbind(t)
	if k.Level == A { // nobody empties a namespace there
		k.empty(t)
		k.Do(t, http.MethodDelete, path, "", nil)
		k.Do(t, http.MethodPut, path+"/finalize", "application/json", []byte(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"`+k.Namespace+`"},"spec":{"finalizers":[]}}`))
		return
	}
	k.Do(t, http.MethodDelete, path, "", nil)
}

// unbind takes the finalizers of Argo's objects away: the controllers that would do so have ended with the test.
func (k *Kube) unbind(t testing.TB) {
	k.collections(t, func(path string) {
		if !strings.HasPrefix(path, "/apis/argoproj.io/") {
			return
		}
		_, data := k.Do(t, http.MethodGet, path, "", nil)
		list, err := manifest.Parse(data)
		if err != nil {
			return
		}
		for _, e := range list.List("items") {
			if o := manifest.Object(e.(map[string]any)); len(o.List("metadata", "finalizers")) > 0 {
				k.Do(t, http.MethodPatch, path+"/"+o.Name(), manifest.MergePatch, []byte(`{"metadata":{"finalizers":null}}`))
			}
		}
	})
}

func (k *Kube) empty(t testing.TB) {
	k.collections(t, func(path string) { k.Do(t, http.MethodDelete, path+"?gracePeriodSeconds=0", "", nil) })
}

// collections calls back with the path of each collection of the test's namespace that can be deleted.
func (k *Kube) collections(t testing.TB, each func(path string)) {
	bases := []string{"/api/v1"}
	_, data := k.Do(t, http.MethodGet, "/apis", "", nil)
	groups, err := manifest.Parse(data)
	if err != nil {
		t.Errorf("the groups of the cluster: %v", err)
		return
	}
	for _, g := range groups.List("groups") {
		bases = append(bases, "/apis/"+manifest.Object(g.(map[string]any)).Text("preferredVersion", "groupVersion"))
	}
	for _, base := range bases {
		_, data := k.Do(t, http.MethodGet, base, "", nil)
		list, err := manifest.Parse(data)
		if err != nil {
			continue
		}
		for _, e := range list.List("resources") {
			r := manifest.Object(e.(map[string]any))
			if r["namespaced"] == true && slices.Contains(r.List("verbs"), any("deletecollection")) {
				each(base + "/namespaces/" + k.Namespace + "/" + r.Text("name"))
			}
		}
	}
}
