package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// delivery is a folder with a repository and a cluster to deliver it to.
type delivering struct {
	t    *testing.T
	kube *kubetest.Kube
	dir  string
}

func newDelivery(t *testing.T, files map[string]string) *delivering {
	t.Helper()
	return newDeliveryAt(t, kubetest.Start(t, kubetest.B), files)
}

func newDeliveryAt(t *testing.T, kube *kubetest.Kube, files map[string]string) *delivering {
	t.Helper()
	d := &delivering{t: t, kube: kube, dir: t.TempDir()}
	t.Setenv("KUBECONFIG", d.kube.Kubeconfig)
	for _, e := range gitEnv(t.TempDir()) {
		if k, v, _ := strings.Cut(e, "="); strings.HasPrefix(k, "GIT_") {
			t.Setenv(k, v)
		}
	}
	d.write(files)
	d.git("init", "-q", "-b", "main")
	d.commit()
	t.Chdir(d.dir)
	return d
}

func (d *delivering) write(files map[string]string) {
	d.t.Helper()
	for name, text := range files {
		path := filepath.Join(d.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			d.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "NAMESPACE", d.kube.Namespace)), 0o644); err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d *delivering) git(words ...string) {
	d.t.Helper()
	cmd := exec.Command("git", words...)
	cmd.Dir = d.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("git %v: %v\n%s", words, err, out)
	}
}

func (d *delivering) commit() {
	d.t.Helper()
	d.git("add", "-A")
	d.git("commit", "-q", "-m", "Change")
}

// sluice runs a command and returns its exit code and what it said.
func (d *delivering) sluice(words ...string) (int, string) {
	d.t.Helper()
	var out safeBuffer // both streams are written at once
	code := Main(d.t.Context(), words, strings.NewReader(""), &out, &out)
	return code, out.String()
}

// want runs a command that must end with a code.
func (d *delivering) want(code int, words ...string) string {
	d.t.Helper()
	got, out := d.sluice(words...)
	if got != code {
		d.t.Fatalf("sluice %s: exit code %d, want %d\n%s", strings.Join(words, " "), got, code, out)
	}
	return out
}

// keep runs sluice deliver in the background until the test ends.
func (d *delivering) keep(words ...string) *safeBuffer {
	d.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out := &safeBuffer{}
	var group sync.WaitGroup
	group.Go(func() { Main(ctx, append([]string{"deliver"}, words...), strings.NewReader(""), out, out) })
	d.t.Cleanup(func() { stop(); group.Wait() })
	return out
}

// safeBuffer is a buffer that is written and read at once.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (d *delivering) object(kind manifest.Kind, called string) manifest.Object {
	d.t.Helper()
	return d.kube.Object(d.t, kind, called)
}

// until waits until something holds.
func (d *delivering) until(what string, holds func() bool) {
	d.t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			d.t.Fatal("not: " + what)
		}
	}
}

var cmKind = manifest.Kind{Version: "v1", Kind: "ConfigMap"}

const plainConfigMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {key: %q}\n"

func TestDeliverOnceInEverySourceType(t *testing.T) {
	d := newDelivery(t, map[string]string{
		"plain/a.yaml":              fmt.Sprintf(plainConfigMap, "plain", "1"),
		"kustom/kustomization.yaml": "namePrefix: k-\nconfigMapGenerator: [{name: c, literals: [key=1]}]\ngeneratorOptions: {disableNameSuffixHash: true}\n",
		"chart/Chart.yaml":          "apiVersion: v2\nname: chart\nversion: 0.1.0\n",
		"chart/templates/a.yaml":    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {key: {{ .Values.key | quote }}}\n",
		"chart/values.yaml":         "key: 1\n",
		"net/a.jsonnet":             `{apiVersion: "v1", kind: "ConfigMap", metadata: {name: "net"}, data: {key: std.toString(1)}}`,
	})
	for folder, called := range map[string]string{"plain": "plain", "kustom": "k-c", "chart": "chart", "net": "net"} {
		out := d.want(exitOK, "deliver", folder, "--once", "-n", d.kube.Namespace, "--timeout", "1m")
		if !strings.Contains(out, folder+" Synced Healthy") {
			t.Errorf("%s: %s", folder, out)
		}
		if d.object(cmKind, called).Text("data", "key") != "1" {
			t.Errorf("%s: %s is not there", folder, called)
		}
	}
}

func TestDeliverFollowsCommitsAndDrift(t *testing.T) {
	d := newDelivery(t, map[string]string{
		"k8s/a.yaml": fmt.Sprintf(plainConfigMap, "a", "1"),
		"k8s/s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: CANARY-51}\n",
	})
	said := d.keep("k8s", "-n", d.kube.Namespace, "--prune")
	defer func() {
		if t.Failed() {
			t.Log(said.String())
		}
	}()
	d.until("it is synced", func() bool {
		code, out := d.sluice("app", "get", "k8s")
		return code == 0 && strings.Contains(out, "Synced to")
	})
	d.want(exitOK, "app", "wait", "k8s", "--timeout", "30s")
	d.want(exitOK, "app", "diff", "k8s")
	d.write(map[string]string{"k8s/a.yaml": fmt.Sprintf(plainConfigMap, "a", "2")})
	d.commit()
	d.until("the commit is applied", func() bool { return d.object(cmKind, "a").Text("data", "key") == "2" })
	d.want(exitOK, "app", "wait", "k8s", "--timeout", "30s")

	path := d.kube.Path(t, cmKind, d.kube.Namespace) + "/a?fieldManager=meddler"
	d.kube.Do(t, "PATCH", path, "application/merge-patch+json", []byte(`{"data":{"key":"3"}}`))
	path = d.kube.Path(t, manifest.Kind{Version: "v1", Kind: "Secret"}, d.kube.Namespace) + "/s?fieldManager=meddler"
	d.kube.Do(t, "PATCH", path, "application/merge-patch+json", []byte(`{"stringData":{"password":"CANARY-52"}}`))
	all := d.want(exitDifferent, "app", "diff", "k8s")
	for _, want := range []string{"===== /ConfigMap/" + d.kube.Namespace + "/a differs =====", "-  key: \"3\"", "+  key: \"2\"", "# /data/key: set by meddler at "} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	for _, words := range [][]string{
		{"app", "diff", "k8s", "-o", "json"}, {"app", "diff", "k8s", "--server-side"},
	} {
		all += d.want(exitDifferent, words...)
	}
	for _, words := range [][]string{
		{"app", "explain", "k8s"},
		{"app", "manifests", "k8s"},
		{"app", "manifests", "k8s", "--source", "live", "-o", "json"},
		{"app", "resources", "k8s"},
		{"app", "sync", "k8s", "--local", "k8s", "--dry-run"},
		{"app", "get", "k8s", "-o", "yaml"},
		{"app", "list", "-o", "json"},
		{"app", "history", "k8s"},
		{"app", "list"},
		{"app", "sync", "k8s"},
	} {
		all += d.want(exitOK, words...)
	}
	d.want(exitOK, "app", "diff", "k8s")
	d.write(map[string]string{"k8s/b.yaml": fmt.Sprintf(plainConfigMap, "uncommitted", "1")})
	all += d.want(exitDifferent, "app", "diff", "k8s", "--local", "k8s")
	drift, err := os.ReadFile(filepath.Join(d.dir, ".sluice", "deliver", "drift.jsonl"))
	if err != nil || !strings.Contains(string(drift), "meddler") {
		t.Errorf("the journal of drift: %v %s", err, drift)
	}
	all += said.String() + string(drift)
	for _, mark := range []string{"CANARY", "Q0FOQVJZ"} {
		if i := strings.Index(all, mark); i >= 0 {
			t.Errorf("a Secret's data are told: …%s…", all[max(0, i-300):i])
		}
	}
	d.want(exitUsage, "app", "get", "k9s")
	d.want(exitUsage, "app", "list", "-o", "tabel")
	d.want(exitOK, "app", "delete", "k8s", "--timeout", "30s")
	if d.object(cmKind, "a") != nil {
		t.Error("the resource is still there")
	}
}

func TestDeliverHonoursApplicationsInTheFolder(t *testing.T) {
	d := newDelivery(t, map[string]string{
		"deploy/app.yaml":    "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: shop}\nspec:\n  source: {path: deploy}\n  syncPolicy: {automated: {prune: true}}\n",
		"deploy/a.yaml":      fmt.Sprintf(plainConfigMap, "a", "1"),
		"elsewhere/app.yaml": "ignored: true\n",
	})
	out := d.want(exitOK, "deliver", "deploy", "--once", "-n", d.kube.Namespace, "--timeout", "1m")
	if !strings.Contains(out, "shop Synced Healthy") || !strings.Contains(out, "deploy Synced Healthy") {
		t.Error(out)
	}
	o := d.object(cmKind, "a")
	if !strings.HasPrefix(o.Annotation("argocd.argoproj.io/tracking-id"), "shop:") {
		t.Errorf("it belongs to %q", o.Annotation("argocd.argoproj.io/tracking-id"))
	}
	// An Application that is deleted by hand comes back.
	said := d.keep("deploy", "-n", d.kube.Namespace, "--self-heal")
	defer func() {
		if t.Failed() {
			t.Log(said.String())
		}
	}()
	d.until("it answers", func() bool { code, _ := d.sluice("app", "wait", "shop", "--timeout", "5s"); return code == exitOK })
	d.want(exitOK, "app", "delete", "shop", "--cascade=false", "--wait=false")
	d.until("it is there again", func() bool {
		return strings.Contains(said.String(), "Application shop was deleted; it is put right")
	})
	d.want(exitOK, "app", "wait", "shop", "--timeout", "30s")
}

func TestDeliverMovesRolloutsOn(t *testing.T) {
	d := newDeliveryAt(t, kubetest.Second(t, kubetest.B), map[string]string{"k8s/ro.yaml": `apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  strategy: {canary: {steps: [{setWeight: 50}]}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: x}]}}
`})
	kinds, err := d.connect().Kinds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(kinds, func(k manifest.Discovered) bool { return k.Kind.Kind == "Rollout" }) {
		t.Skip("both clusters define Rollout, so that a delivery leaves Rollouts to their controllers")
	}
	out := d.want(exitOK, "deliver", "k8s", "--once", "-n", d.kube.Namespace, "--timeout", "1m")
	if !strings.Contains(out, "k8s Synced Healthy") {
		t.Error(out)
	}
}

func TestDeliverSaysWhatIsWrong(t *testing.T) {
	d := newDelivery(t, map[string]string{"bad/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: UPPER}\n"})
	if out := d.want(exitUsage, "deliver", "none"); !strings.Contains(out, "there is no folder none") {
		t.Error(out)
	}
	if out := d.want(exitFailed, "deliver", "bad", "--once", "-n", d.kube.Namespace, "--timeout", "1m"); !strings.Contains(out, "Failed: one or more objects failed to apply") {
		t.Error(out)
	}
	t.Setenv("KUBECONFIG", filepath.Join(d.dir, "nowhere"))
	if code, out := d.sluice("deliver", "bad", "--once"); code != exitUsage && code != exitUnreachable {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestDefinitionsAreServed(t *testing.T) {
	d := newDelivery(t, map[string]string{"x": ""})
	out := d.want(exitOK, "crd", "install", "--dry-run")
	if strings.Count(out, ".argoproj.io") != 8 {
		t.Error(out)
	}
	// The cluster is shared by all tests: the same definitions are tried under a group of this test.
	all, err := definitions()
	if err != nil {
		t.Fatal(err)
	}
	group := d.kube.Namespace + ".example.org"
	c := d.connect()
	for _, o := range all {
		text := strings.ReplaceAll(string(o.JSON()), "argoproj.io", group)
		mine, err := manifest.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Delete(context.Background(), definitionKind, "", mine.Name(), manifest.Writing{}) })
		if _, err := c.Create(t.Context(), mine, manifest.Writing{}); err != nil {
			t.Errorf("%s: %v", mine.Name(), err)
			continue
		}
		if err := established(t.Context(), c, mine.Name()); err != nil {
			t.Error(err)
		}
	}
	ro := manifest.Object{"apiVersion": group + "/v1alpha1", "kind": "Rollout", "metadata": map[string]any{"name": "r", "namespace": d.kube.Namespace}, "spec": map[string]any{
		"replicas": int64(2), "strategy": map[string]any{"canary": map[string]any{"steps": []any{map[string]any{"setWeight": int64(20)}}}},
	}}
	o, err := c.Create(t.Context(), ro, manifest.Writing{})
	if err != nil || len(o.List("spec", "strategy", "canary", "steps")) != 1 {
		t.Fatalf("%v %s", err, o.JSON())
	}
	if _, err := c.Patch(t.Context(), o.Kind(), d.kube.Namespace, "r", manifest.Patch{Kind: manifest.MergePatch, Data: []byte(`{"spec":{"replicas":5}}`), Sub: "scale"}, manifest.Writing{}); err != nil {
		t.Errorf("scale: %v", err)
	}
	o, err = c.Patch(t.Context(), o.Kind(), d.kube.Namespace, "r", manifest.Patch{Kind: manifest.MergePatch, Data: []byte(`{"status":{"HPAReplicas":3,"selector":"a=b","canary":{"weights":{"canary":{"weight":5}}}}}`), Sub: "status"}, manifest.Writing{})
	if err != nil || o.Int(0, "spec", "replicas") != 5 || o.Int(0, "status", "canary", "weights", "canary", "weight") != 5 {
		t.Errorf("status: %v %s", err, o.JSON())
	}
}

func (d *delivering) connect() *cluster.Cluster {
	d.t.Helper()
	c, err := cluster.Open(d.kube.Kubeconfig, "")
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}
