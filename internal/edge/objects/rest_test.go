package objects_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-delivery/sluice/internal/edge/objects"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// serve starts the REST interface; the answer is a kubeconfig.
func serve(t testing.TB, s *objects.Store) (kubeconfig string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	a := must[objects.Access](t)(objects.NewAccess(time.Now()))
	go func() { done <- s.Serve(ctx, l, a) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	if err := objects.WriteKubeconfig(kubeconfig, l.Addr().String(), a, "default"); err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

func client(t testing.TB, kubeconfig string) (*rest.Config, dynamic.Interface) {
	t.Helper()
	c := must[*rest.Config](t)(clientcmd.BuildConfigFromFlags("", kubeconfig))
	c.QPS = -1
	return c, must[*dynamic.DynamicClient](t)(dynamic.NewForConfig(c))
}

var (
	configMaps  = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
)

func TestOnlyTheTokenOpensTheInterface(t *testing.T) {
	kubeconfig := serve(t, open(t, objects.Config{}))
	c, _ := client(t, kubeconfig)
	right := c.BearerToken
	for _, shown := range []string{"", "x", right + "x", right[:20]} {
		c.BearerToken = shown
		if _, err := must[*discovery.DiscoveryClient](t)(discovery.NewDiscoveryClientForConfig(c)).ServerVersion(); !apierrors.IsUnauthorized(err) {
			t.Errorf("with the token %q: %v", shown, err)
		}
	}
	if info := must[os.FileInfo](t)(os.Stat(kubeconfig)); info.Mode().Perm() != 0o600 {
		t.Errorf("the kubeconfig's mode is %v", info.Mode())
	}
	a := must[objects.Access](t)(objects.NewAccess(time.Now()))
	if text := fmt.Sprintf("%v %+v %#v", a, a, a); text != "[access] [access] [access]" {
		t.Errorf("an access prints as %s", text)
	}
	all := must[net.Listener](t)(net.Listen("tcp", "0.0.0.0:0"))
	defer all.Close()
	if err := open(t, objects.Config{}).Serve(t.Context(), all, a); fault.CodeOf(err) != objects.CodeAddress {
		t.Errorf("served beyond this machine: %v", err)
	}
}

func TestTheDynamicClientWorks(t *testing.T) {
	kubeconfig := serve(t, open(t, objects.Config{}))
	_, c := client(t, kubeconfig)
	in := c.Resource(deployments).Namespace("default")
	ctx := t.Context()
	u := must[*unstructured.Unstructured](t)(in.Create(ctx, &unstructured.Unstructured{Object: object(t, web)}, metav1.CreateOptions{FieldManager: "me"}))
	u.Object["spec"].(map[string]any)["replicas"] = int64(3)
	must[*unstructured.Unstructured](t)(in.Update(ctx, u, metav1.UpdateOptions{}))
	if _, err := in.Update(ctx, u, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("a stale update: %v", err)
	}
	if _, err := in.Get(ctx, "no", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("what is not there: %v", err)
	}
	u = must[*unstructured.Unstructured](t)(in.Patch(ctx, "web", types.MergePatchType, []byte(`{"status":{"replicas":2}}`), metav1.PatchOptions{}, "status"))
	if manifest.Object(u.Object).Int(0, "status", "replicas") != 2 {
		t.Errorf("status: %v", u.Object["status"])
	}
	scale := must[*unstructured.Unstructured](t)(in.Get(ctx, "web", metav1.GetOptions{}, "scale"))
	if got := manifest.Object(scale.Object); got.Int(0, "spec", "replicas") != 3 || got.Text("status", "selector") != "app=web" {
		t.Errorf("scale: %v", got)
	}
	must[*unstructured.Unstructured](t)(in.Patch(ctx, "web", types.MergePatchType, []byte(`{"spec":{"replicas":7}}`), metav1.PatchOptions{}, "scale"))
	applied := object(t, strings.Replace(web, "replicas: 2", "replicas: 9", 1))
	if _, err := in.Apply(ctx, "web", &unstructured.Unstructured{Object: applied}, metav1.ApplyOptions{FieldManager: "other"}); !apierrors.IsConflict(err) {
		t.Errorf("another's replicas: %v", err)
	}
	u = must[*unstructured.Unstructured](t)(in.Apply(ctx, "web", &unstructured.Unstructured{Object: applied}, metav1.ApplyOptions{FieldManager: "other", Force: true}))
	if manifest.Object(u.Object).Int(0, "spec", "replicas") != 9 {
		t.Error("a forced apply")
	}
	list := must[*unstructured.UnstructuredList](t)(c.Resource(deployments).List(ctx, metav1.ListOptions{LabelSelector: "app in (web)", FieldSelector: "metadata.name=web", Limit: 1}))
	if len(list.Items) != 1 || list.GetResourceVersion() == "" {
		t.Errorf("list: %v", list)
	}
	if err := in.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := in.Get(ctx, "web", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("after the collection's deletion: %v", err)
	}
}

func TestAWatchBeginsAtARevisionOrIsRefused(t *testing.T) {
	s := open(t, objects.Config{History: 8})
	kubeconfig := serve(t, s)
	_, c := client(t, kubeconfig)
	in := c.Resource(configMaps).Namespace("default")
	first := must[manifest.Object](t)(s.Create(t.Context(), config(t, "a"), nothing))
	must[manifest.Object](t)(s.Create(t.Context(), config(t, "b"), nothing))
	w := must[watch.Interface](t)(in.Watch(t.Context(), metav1.ListOptions{ResourceVersion: first.Revision()}))
	if e := <-w.ResultChan(); e.Type != watch.Added || e.Object.(*unstructured.Unstructured).GetName() != "b" {
		t.Errorf("after a's revision came %v", e)
	}
	w.Stop()
	for i := range 20 {
		must[manifest.Object](t)(s.Create(t.Context(), config(t, fmt.Sprint("c", i)), nothing))
	}
	if _, err := in.Watch(t.Context(), metav1.ListOptions{ResourceVersion: first.Revision()}); !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
		t.Errorf("a forgotten revision: %v", err)
	}
}

func TestAnInformerSeesTheSame(t *testing.T) {
	s := open(t, objects.Config{})
	kubeconfig := serve(t, s)
	_, c := client(t, kubeconfig)
	must[manifest.Object](t)(s.Create(t.Context(), config(t, "a"), nothing))
	f := dynamicinformer.NewDynamicSharedInformerFactory(c, 0)
	seen := make(chan string, 100)
	informer := f.ForResource(configMaps).Informer()
	name := func(o any) string { return o.(*unstructured.Unstructured).GetName() }
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) { seen <- "+" + name(o) }, DeleteFunc: func(o any) { seen <- "-" + name(o) }, UpdateFunc: func(_, o any) { seen <- "~" + name(o) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	f.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		t.Fatal("the informer never had its first list")
	}
	must[manifest.Object](t)(s.Create(t.Context(), config(t, "b"), nothing))
	must[manifest.Object](t)(s.Patch(t.Context(), configMap, "default", "b", manifest.Patch{Kind: manifest.MergePatch, Data: []byte(`{"data":{"x":"y"}}`)}, nothing))
	_ = s.Delete(t.Context(), configMap, "default", "a", nothing)
	for _, want := range []string{"+a", "+b", "~b", "-a"} {
		if got := <-seen; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	cancel()
	f.Shutdown()
}

func TestDiscovery(t *testing.T) {
	kubeconfig := serve(t, open(t, objects.Config{}))
	c, _ := client(t, kubeconfig)
	d := must[*discovery.DiscoveryClient](t)(discovery.NewDiscoveryClientForConfig(c))
	_, lists, err := d.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range lists {
		for _, r := range l.APIResources {
			got = append(got, l.GroupVersion+" "+r.Name)
		}
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{"v1 pods", "v1 pods/log", "apps/v1 deployments/scale", "argoproj.io/v1alpha1 rollouts", "argoproj.io/v1alpha1 rollouts/status", "batch/v1 cronjobs"} {
		if !strings.Contains(all, want) {
			t.Errorf("discovery lacks %s", want)
		}
	}
	if v, err := d.ServerVersion(); err != nil || v.Major != "1" || v.Minor != "35" {
		t.Errorf("version %v %v", v, err)
	}
}

// lines are logs that a test gives.
type lines string

func (l lines) Logs(_ context.Context, _ manifest.Object, o objects.LogOptions, w io.Writer) error {
	_, err := io.WriteString(w, strings.ReplaceAll(string(l), "NAME", o.Container))
	return err
}

// kubectl runs the real one.
func kubectl(t testing.TB, kubeconfig, input string, args ...string) (string, error) {
	t.Helper()
	path := os.Getenv("SLUICE_KUBECTL")
	if path == "" {
		var err error
		if path, err = exec.LookPath("kubectl"); err != nil {
			t.Skip("SKIPPED: there is no kubectl in PATH; name one with SLUICE_KUBECTL")
		}
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "HOME="+filepath.Dir(kubeconfig))
	cmd.Stdin = strings.NewReader(input)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

func TestKubectlWorks(t *testing.T) {
	s := open(t, objects.Config{Logs: lines("hello from NAME\n")})
	kubeconfig := serve(t, s)
	pods := "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {app: web}}\nspec: {containers: [{name: c, image: x}]}\n"
	for _, c := range []struct {
		args, input string
		want        string
		fails       bool
	}{
		{"apply -f -", web + pods, "deployment.apps/web created", false},
		{"apply -f -", web + pods, "deployment.apps/web unchanged", false},
		{"apply -f -", strings.Replace(web, "nginx:1", "nginx:2", 1), "deployment.apps/web configured", false},
		{"apply --server-side --force-conflicts -f -", strings.Replace(web, "replicas: 2", "replicas: 4", 1), "deployment.apps/web serverside-applied", false},
		{"apply -f -", strings.Replace(web, "replicas: 2", "replicaz: 2", 1), `unknown field "spec.replicaz"`, true},
		{"get deploy,po", "", "0/4", false},
		{"get deploy web -o jsonpath={.spec.template.spec.containers[0].image}", "", "nginx:1", false},
		{"get all -A", "", "pod/p", false},
		{"get ro", "", "No resources found", false},
		{"get things", "", `the server doesn't have a resource type "things"`, true},
		{"scale deploy web --replicas=6", "", "deployment.apps/web scaled", false},
		{"set image deploy/web web=nginx:3", "", "image updated", false},
		{"patch deploy web -p {\"spec\":{\"paused\":true}}", "", "patched", false},
		{"label pod p a=b", "", "labeled", false},
		{"annotate pod p a=b", "", "annotated", false},
		{"describe deploy web", "", "nginx:3", false},
		{"describe pod p", "", "Name:", false},
		{"logs p", "", "hello from", false},
		{"diff -f -", strings.Replace(web, "replicas: 2", "replicas: 4", 1), "", true},
		{"create configmap cm --from-literal=a=b", "", "configmap/cm created", false},
		{"create secret generic s --from-literal=a=b", "", "secret/s created", false},
		{"create ns other", "", "namespace/other created", false},
		{"replace -f -", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {a: c}\n", "replaced", false},
		{"rollout restart deploy web", "", "can't restart paused deployment", true},
		{"wait --for=jsonpath={.data.a}=c configmap/cm --timeout=20s", "", "condition met", false},
		{"api-resources", "", "rollouts", false},
		{"auth can-i delete pods", "", "yes", false},
		{"version", "", "sluice", false},
		{"delete deploy web --timeout=20s", "", `deployment.apps "web" deleted`, false},
		{"delete pod p --timeout=20s", "", `pod "p" deleted`, false},
		{"delete ns other --timeout=20s", "", `namespace "other" deleted`, false},
	} {
		out, err := kubectl(t, kubeconfig, c.input, strings.Fields(c.args)...)
		if !strings.Contains(out, c.want) || (err != nil) != c.fails {
			t.Errorf("kubectl %s: %v\n%s\nwant %q", c.args, err, out, c.want)
		}
	}
}

func TestTablesHaveTheColumnsOfKubectl(t *testing.T) {
	s := open(t, objects.Config{})
	kubeconfig := serve(t, s)
	must[manifest.Object](t)(s.Create(t.Context(), object(t, web), nothing))
	c, _ := client(t, kubeconfig)
	d := must[*discovery.DiscoveryClient](t)(discovery.NewDiscoveryClientForConfig(c))
	data := must[[]byte](t)(d.RESTClient().Get().AbsPath("/apis/apps/v1/deployments").SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json").DoRaw(t.Context()))
	var table metav1.Table
	if err := json.Unmarshal(data, &table); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range table.ColumnDefinitions {
		names = append(names, c.Name)
	}
	if got := strings.Join(names, " "); got != "Name Ready Up-to-date Available Age" || table.Rows[0].Cells[1] != "0/2" {
		t.Errorf("columns %s, row %v", got, table.Rows[0].Cells)
	}
}
