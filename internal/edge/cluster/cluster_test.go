package cluster_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

var (
	configMap  = manifest.KindOf("v1", "ConfigMap")
	secretKind = manifest.KindOf("v1", "Secret")
	namespace  = manifest.KindOf("v1", "Namespace")
)

// open gives the shared cluster and a namespace.
func open(t *testing.T) (*kubetest.Kube, *cluster.Cluster) {
	t.Helper()
	k := kubetest.Start(t, kubetest.A)
	c, err := cluster.Open(k.Kubeconfig, "")
	if err != nil {
		t.Fatal(err)
	}
	return k, c
}

func object(t *testing.T, text string) manifest.Object {
	t.Helper()
	docs := kubetest.Documents(t, text)
	if len(docs) != 1 {
		t.Fatalf("%d objects in %q", len(docs), text)
	}
	return docs[0]
}

func config(t *testing.T, k *kubetest.Kube, name string, data ...string) manifest.Object {
	t.Helper()
	o := object(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "+name+", namespace: "+k.Namespace+"}")
	for i := 0; i+1 < len(data); i += 2 {
		o.Set(data[i+1], "data", data[i])
	}
	return o
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func refused(t *testing.T, err error, reason string, code int) {
	t.Helper()
	r, ok := errors.AsType[*manifest.Refusal](err)
	if !ok || r.Reason != reason || r.Code != code {
		t.Errorf("the refusal is %#v, want %s %d", err, reason, code)
	}
}

func TestAnObjectIsWrittenAndReadAsItIs(t *testing.T) {
	k, c := open(t)
	ctx, ok := t.Context(), must[manifest.Object](t)
	made := ok(c.Create(ctx, config(t, k, "c", "k", "1"), manifest.Writing{}))
	if made.UID() == "" || made.Text("metadata", "managedFields") != "" || len(made.List("metadata", "managedFields")) != 1 {
		t.Errorf("made %s", made.JSON())
	}
	if m := made.List("metadata", "managedFields")[0].(map[string]any)["manager"]; m != "sluice" {
		t.Errorf("the manager is %v", m)
	}
	_, err := c.Create(ctx, config(t, k, "c"), manifest.Writing{})
	refused(t, err, manifest.ReasonExists, http.StatusConflict)

	dry := made.Copy()
	dry.Set("2", "data", "k")
	if got := ok(c.Update(ctx, dry, "", manifest.Writing{DryRun: true})).Text("data", "k"); got != "2" {
		t.Errorf("the dry run gives %q", got)
	}
	if got := ok(c.Get(ctx, configMap, k.Namespace, "c")); got.Text("data", "k") != "1" || got.Kind() != configMap {
		t.Errorf("after a dry run the cluster has %s", got.JSON())
	}
	patched := ok(c.Named("argocd-controller").Patch(ctx, configMap, k.Namespace, "c", manifest.Patch{Kind: manifest.MergePatch, Data: []byte(`{"data":{"l":"3"}}`)}, manifest.Writing{}))
	if n := len(patched.List("metadata", "managedFields")); n != 2 {
		t.Errorf("%d managers, want 2", n)
	}
	_, err = c.Update(ctx, made, "", manifest.Writing{})
	refused(t, err, manifest.ReasonConflict, http.StatusConflict)

	zero := int64(0)
	err = c.Delete(ctx, configMap, k.Namespace, "c", manifest.Writing{UID: "another"})
	refused(t, err, manifest.ReasonConflict, http.StatusConflict)
	if err := c.Delete(ctx, configMap, k.Namespace, "c", manifest.Writing{UID: made.UID(), Propagation: "Background", Grace: &zero}); err != nil {
		t.Error(err)
	}
	_, err = c.Get(ctx, configMap, k.Namespace, "c")
	refused(t, err, manifest.ReasonNotFound, http.StatusNotFound)
}

func TestNumbersStayWhole(t *testing.T) {
	k, c := open(t)
	d := object(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: d, namespace: `+k.Namespace+`}
spec: {replicas: 0, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {terminationGracePeriodSeconds: 9007199254740993, containers: [{name: c, image: i}]}}}`)
	got := must[manifest.Object](t)(c.Create(t.Context(), d, manifest.Writing{}))
	if v, _ := got.At("spec", "template", "spec", "terminationGracePeriodSeconds"); v != int64(9007199254740993) {
		t.Errorf("%T %v", v, v)
	}
	list := must[[]manifest.Object](t)(c.List(t.Context(), d.Kind(), k.Namespace, ""))
	if len(list) != 1 || list[0].Kind() != d.Kind() {
		t.Fatalf("the list is %v", list)
	}
	if v, _ := list[0].At("spec", "replicas"); v != int64(0) {
		t.Errorf("%T %v", v, v)
	}
}

func TestServerSideApplyTellsConflictsAndForces(t *testing.T) {
	k, c := open(t)
	ctx := t.Context()
	apply := func(manager, value string, force bool) error {
		_, err := c.Patch(ctx, configMap, k.Namespace, "s", manifest.Patch{Kind: manifest.ApplyPatch, Data: config(t, k, "s", "k", value).JSON(), Force: force}, manifest.Writing{Manager: manager})
		return err
	}
	if err := apply("one", "1", false); err != nil {
		t.Fatal(err)
	}
	err := apply("two", "2", false)
	refused(t, err, manifest.ReasonConflict, http.StatusConflict)
	if !strings.Contains(err.Error(), `"one"`) {
		t.Errorf("the message does not name the other manager: %v", err)
	}
	if err := apply("two", "2", true); err != nil {
		t.Error(err)
	}
}

func TestStatusAndStrategicPatchesGoWhereTheyBelong(t *testing.T) {
	k, c := open(t)
	ctx, ok := t.Context(), must[manifest.Object](t)
	d := object(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: d, namespace: `+k.Namespace+`}
spec: {replicas: 0, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: one, image: i}, {name: two, image: j}]}}}`)
	ok(c.Create(ctx, d, manifest.Writing{}))
	got := ok(c.Patch(ctx, d.Kind(), k.Namespace, "d", manifest.Patch{Kind: manifest.StrategicPatch, Data: []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"two","image":"k"}]}}}}`)}, manifest.Writing{}))
	if n := len(got.List("spec", "template", "spec", "containers")); n != 2 {
		t.Errorf("%d containers, want 2", n)
	}
	k.ApplyCRDs(t, kubetest.Rollouts)
	r := ok(c.Create(ctx, object(t, "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: r, namespace: "+k.Namespace+"}\nspec: {replicas: 1}"), manifest.Writing{}))
	r.Set("Progressing", "status", "phase")
	r.Set(int64(5), "spec", "replicas")
	r = ok(c.Update(ctx, r, "status", manifest.Writing{}))
	if r.Text("status", "phase") != "Progressing" || r.Int(0, "spec", "replicas") != 1 {
		t.Errorf("the Rollout is %s", r.JSON())
	}
	_, err := c.Patch(ctx, r.Kind(), k.Namespace, "r", manifest.Patch{Kind: manifest.StrategicPatch, Data: []byte(`{}`)}, manifest.Writing{})
	refused(t, err, "UnsupportedMediaType", http.StatusUnsupportedMediaType)
}

func TestAKindIsFoundAsSoonAsItsDefinitionIs(t *testing.T) {
	k, c := open(t)
	ctx := t.Context()
	kind := manifest.Kind{Group: strings.ReplaceAll(k.Namespace, "test-", "g") + ".example.org", Version: "v1", Kind: "Thing"}
	_, err := c.Get(ctx, kind, k.Namespace, "x")
	refused(t, err, manifest.ReasonNoKind, http.StatusNotFound)
	if !manifest.NotFound(err) || !strings.Contains(err.Error(), "Thing") {
		t.Errorf("%v", err)
	}
	crd := "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things." + kind.Group + "}\nspec: {group: " + kind.Group +
		", scope: Namespaced, names: {kind: Thing, plural: things}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}"
	k.ApplyDefinitions(t, crd)
	defer func() {
		if err := c.Delete(ctx, manifest.KindOf("apiextensions.k8s.io/v1", "CustomResourceDefinition"), "", "things."+kind.Group, manifest.Writing{}); err != nil {
			t.Error(err)
		}
	}()
	k.Wait(t, "a Thing is made", func() bool {
		_, err := c.Create(ctx, manifest.Object{"apiVersion": kind.APIVersion(), "kind": "Thing", "metadata": map[string]any{"name": "x", "namespace": k.Namespace}}, manifest.Writing{})
		return err == nil
	})
	other := kind
	other.Version = "v2"
	if _, err = c.Get(ctx, other, k.Namespace, "x"); !strings.Contains(err.Error(), "(v1)") {
		t.Errorf("the message does not tell which versions there are: %v", err)
	}
	bare := kind
	bare.Version = ""
	if got := must[[]manifest.Object](t)(c.List(ctx, bare, k.Namespace, "")); len(got) != 1 || got[0].Kind() != kind {
		t.Errorf("without a version: %v", got)
	}
}

func TestKindsTellWhatIsServed(t *testing.T) {
	_, c := open(t)
	kinds := must[[]manifest.Discovered](t)(c.Kinds(t.Context()))
	found := map[manifest.Kind]manifest.Discovered{}
	for _, d := range kinds {
		found[d.Kind] = d
	}
	for kind, namespaced := range map[manifest.Kind]bool{manifest.KindOf("apps/v1", "Deployment"): true, namespace: false, configMap: true, manifest.KindOf("rbac.authorization.k8s.io/v1", "ClusterRole"): false} {
		d, ok := found[kind]
		if !ok || d.Namespaced != namespaced || !d.Preferred || d.Plural == "" || len(d.Verbs) < 5 {
			t.Errorf("%v is served as %+v", kind, d)
		}
	}
	if v := must[string](t)(c.Version(t.Context())); !strings.HasPrefix(v, "v1.") {
		t.Errorf("the version is %q", v)
	}
}

func TestLongListsComeInPages(t *testing.T) {
	k, _ := open(t)
	c := must[*cluster.Cluster](t)(cluster.OpenWith(k.Kubeconfig, "", cluster.Options{QPS: 2000, Burst: 2000}))
	const n = 601
	errs := make(chan error, n)
	for i := range n {
		go func() {
			o := config(t, k, "p-"+strings.Repeat("x", i%50)+string(rune('a'+i%26))+"-"+strings.ToLower(strings.Repeat("z", i/50+1)))
			o.SetLabel("half", []string{"a", "b"}[i%2])
			_, err := c.Create(t.Context(), o, manifest.Writing{})
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for _, o := range must[[]manifest.Object](t)(c.List(t.Context(), configMap, k.Namespace, "half")) {
		seen[o.Name()] = true
	}
	half := must[[]manifest.Object](t)(c.List(t.Context(), configMap, k.Namespace, "half=a"))
	if len(seen) != n || len(half) != n/2+1 {
		t.Errorf("%d of %d, half is %d", len(seen), n, len(half))
	}
}

// S15: what the API server says of a Secret that it refuses quotes the Secret.
func TestARefusalOfASecretDoesNotQuoteIt(t *testing.T) {
	k, c := open(t)
	const canary = "c4nary-of-a-secret"
	quoted := 0
	for _, data := range []string{
		`{"data":{"k":"` + canary + `"}}`,
		`{"stringData":{"k":{"` + canary + `":1}}}`,
		`{"stringData":["` + canary + `"]}`,
		`{"stringData":{"k":"` + canary + `"},"type":"kubernetes.io/dockerconfigjson"}`,
		`{"stringData":{"` + canary + `/":"x"}}`,
		`{"metadata":{"labels":{"a":"` + canary + `--"}}}`,
	} {
		o := must[manifest.Object](t)(manifest.Parse([]byte(data)))
		o["apiVersion"], o["kind"] = "v1", "Secret"
		o.Set("s", "metadata", "name")
		o.Set(k.Namespace, "metadata", "namespace")
		if _, body := k.Do(t, http.MethodPost, "/api/v1/namespaces/"+k.Namespace+"/secrets", "application/json", o.JSON()); strings.Contains(string(body), canary) {
			quoted++
		}
		for what, write := range map[string]func() (manifest.Object, error){
			"create": func() (manifest.Object, error) { return c.Create(t.Context(), o, manifest.Writing{}) },
			"apply": func() (manifest.Object, error) {
				return c.Patch(t.Context(), secretKind, k.Namespace, "s", manifest.Patch{Kind: manifest.ApplyPatch, Data: o.JSON()}, manifest.Writing{})
			},
		} {
			_, err := write()
			if err == nil {
				t.Errorf("%s of %s is taken", what, data)
			} else if strings.Contains(err.Error(), canary) {
				t.Errorf("%s of %s is refused with %v", what, data, err)
			}
		}
	}
	if quoted == 0 {
		t.Error("the API server quotes none of these: the test shows nothing")
	}
}

func TestWhoMayNotAndWhoDoesNotAnswerHaveTheirExitCodes(t *testing.T) {
	k, _ := open(t)
	text := string(must[[]byte](t)(os.ReadFile(k.Kubeconfig)))
	at := filepath.Join(t.TempDir(), "kubeconfig")
	for _, c := range []struct {
		what, config string
		exit         int
	}{
		{"a wrong token", text[:strings.Index(text, "users:")] + "users: [{name: admin, user: {token: wrong}}]", 4},
		{"nobody at the address", strings.Replace(text, k.Server, "https://127.0.0.1:9", 1), 5},
		{"no kubeconfig", "}", 0},
	} {
		if err := os.WriteFile(at, []byte(c.config), 0o600); err != nil {
			t.Fatal(err)
		}
		there, err := cluster.Open(at, "")
		if err == nil {
			_, err = there.List(t.Context(), configMap, k.Namespace, "")
			err = cluster.Fault(there.Server, err)
		}
		f, ok := errors.AsType[*fault.Fault](err)
		if !ok || f.Exit != c.exit || f.Hint == "" {
			t.Errorf("%s: %#v", c.what, err)
		}
	}
	if _, err := cluster.Open(k.Kubeconfig, "other"); err == nil || !strings.Contains(err.Error(), `"other"`) {
		t.Errorf("a context that is not there: %v", err)
	}
}

// rest is the admin's connection.
func rest(t *testing.T, k *kubetest.Kube) *restclient.Config {
	t.Helper()
	return must[*restclient.Config](t)(clientcmd.BuildConfigFromFlags("", k.Kubeconfig))
}
