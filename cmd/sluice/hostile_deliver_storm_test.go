package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// weather stands between a controller and the API server. While it storms it refuses, loses and delays requests and cuts
// watches; without faults it passes all on.
type weather struct {
	to     string
	client *http.Client
	storms atomic.Bool
	denied atomic.Value // part of the paths that are forbidden, "" for none

	mu    sync.Mutex
	odds  *rand.Rand
	given map[string]int // faults, how often
}

// weathered gives the weather and a kubeconfig that leads through it.
func (g *ground) weathered() (*weather, string) {
	g.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", g.Kubeconfig)
	if err != nil {
		g.Fatal(err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		g.Fatal(err)
	}
	w := &weather{to: g.Server, client: client, odds: rand.New(rand.NewPCG(12, 1)), given: map[string]int{}}
	w.denied.Store("")
	front := httptest.NewServer(w)
	g.Cleanup(func() { front.CloseClientConnections(); front.Close() })
	return w, put(g.T, fmt.Sprintf("{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: x, user: x}}], clusters: [{name: x, cluster: {server: %q}}], users: [{name: x, user: {}}]}", front.URL), g.TempDir(), "kubeconfig")
}

// pick says what goes wrong with a request: a status code, or a word; "" for nothing.
func (w *weather) pick(r *http.Request) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if part := w.denied.Load().(string); part != "" && strings.Contains(r.URL.Path, part) {
		w.given["403"]++
		return "403"
	}
	if !w.storms.Load() {
		return ""
	}
	what, n := "", w.odds.IntN(100)
	switch {
	case r.URL.Query().Has("watch"):
		what = []string{"cut", "410", "500", "cut", "cut"}[n%5]
	case r.Method != http.MethodGet && n < 30:
		what = "409"
	case n < 38:
		what = "429"
	case n < 46:
		what = "500"
	case n < 50:
		what = "503"
	case n < 54:
		what = "lose" // the server has done it
	case n < 57:
		what = "slow"
	}
	if what != "" {
		w.given[what]++
	}
	return what
}

func (w *weather) ServeHTTP(to http.ResponseWriter, r *http.Request) {
	what := w.pick(r)
	reasons := map[string]string{"403": "Forbidden", "409": "Conflict", "410": "Expired", "429": "TooManyRequests", "500": "InternalError", "503": "ServiceUnavailable"}
	if reason, ok := reasons[what]; ok {
		to.Header().Set("Content-Type", "application/json")
		to.Header().Set("Retry-After", "1")
		code := 0
		_, _ = fmt.Sscan(what, &code)
		to.WriteHeader(code)
		fmt.Fprintf(to, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"the storm","reason":%q,"code":%d}`, reason, code)
		return
	}
	if what == "slow" { // a webhook that takes its time
		time.Sleep(3 * time.Second)
	}
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	if what == "cut" {
		time.AfterFunc(time.Second, stop)
	}
	on, err := http.NewRequestWithContext(ctx, r.Method, w.to+r.URL.RequestURI(), r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	on.Header, on.ContentLength = r.Header.Clone(), r.ContentLength
	on.Header.Del("Accept-Encoding")
	answer, err := w.client.Do(on)
	if err != nil || what == "lose" {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = answer.Body.Close() }()
	maps.Copy(to.Header(), answer.Header)
	to.WriteHeader(answer.StatusCode)
	flush := to.(http.Flusher)
	flush.Flush()
	for buffer := make([]byte, 32<<10); ; {
		n, err := answer.Body.Read(buffer)
		_, _ = to.Write(buffer[:n])
		flush.Flush()
		if err == io.EOF {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// stormy is a folder whose sync takes a while: hooks before and after, waves, many objects.
func stormy(maps int, version string) string {
	var b strings.Builder
	hook := "---\n{apiVersion: batch/v1, kind: Job, metadata: {name: %s, annotations: {argocd.argoproj.io/hook: %s, argocd.argoproj.io/hook-delete-policy: BeforeHookCreation}}, spec: {backoffLimit: 0, template: {spec: {restartPolicy: Never, terminationGracePeriodSeconds: 0, containers: [{name: a, image: \"sluice-test:v1\", command: [sleep, \"%d\"]}]}}}}\n"
	fmt.Fprintf(&b, hook, "before", "PreSync", 2)
	for i := range maps {
		fmt.Fprintf(&b, "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: m%d, annotations: {argocd.argoproj.io/sync-wave: \"%d\"}}, data: {k: %q}}\n", i, i%3, version)
	}
	fmt.Fprintf(&b, hook, "after", "PostSync", 1)
	return b.String()
}

// stormWorld is a controller's namespace with an Application of a repository. Its name is the cluster's alone: two
// controllers prune what the other's Application of the same name holds.
func (g *ground) stormWorld(maps int) (dir string) {
	g.Helper()
	g.ApplyCRDs(g.T, kubetest.ArgoCD)
	g.Cleanup(func() {
		if g.Failed() {
			g.Logf("the application: %s", clip(string(g.web().Sub("status", "operationState").JSON())))
		}
	})
	dir = world(g.T, "-- app/all.yaml --\n"+stormy(maps, "1"))
	g.Apply(g.T, `{apiVersion: argoproj.io/v1alpha1, kind: AppProject, metadata: {name: default}, spec: {sourceRepos: ["*"], destinations: [{server: "*", namespace: "*"}], clusterResourceWhitelist: [{group: "*", kind: "*"}]}}
---
{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: `+g.Namespace+`}, spec: {project: default, source: {repoURL: "file://`+dir+`", path: app}, destination: {server: "https://kubernetes.default.svc", namespace: `+g.Namespace+`}, syncPolicy: {automated: {prune: true, selfHeal: true}, retry: {limit: 50, backoff: {duration: 1s, factor: 1}}}}}`)
	return dir
}

func (g *ground) web() manifest.Object { return g.Object(g.T, applicationKind, g.Namespace) }

// atRest reports whether all maps have the version and the Application says that all is well.
func (g *ground) atRest(maps int, version string) bool {
	o := g.web()
	if o.Text("status", "sync", "status") != "Synced" || o.Text("status", "operationState", "phase") != "Succeeded" || o.Sub("operation") != nil {
		return false
	}
	n := 0
	for _, m := range g.list(aimed.configMap) {
		if m.Text("data", "k") == version {
			n++
		}
	}
	return n == maps
}

// within waits until it holds and tells how long that took; longer than the limit is a failure where the machine is the
// test's alone (SLUICE_TEST_FULL).
func (g *ground) within(what string, limit time.Duration, holds func() bool) {
	g.Helper()
	began := time.Now()
	g.Wait(g.T, what, holds)
	took := time.Since(began)
	g.Logf("%s: after %v", what, took.Round(time.Millisecond))
	if took > limit && os.Getenv("SLUICE_TEST_FULL") != "" {
		g.Errorf("%s: after %v, which is more than %v", what, took, limit)
	}
}

// TestHostileControllerStorm: the API server refuses, loses, delays and cuts; the controller is killed on top of it. When
// it is calm the last version is there, whole, and what another has set is as it was.
func TestHostileControllerStorm(t *testing.T) {
	t.Parallel()
	g := grounds(t, kubetest.C)
	w, through := g.weathered()
	const maps = 15
	dir := g.stormWorld(maps)
	args := []string{"controller", "--only", "applications", "--kubeconfig", through, "-n", g.Namespace}
	c := g.background(dir, nil, args...)
	begun := func() bool { return strings.Contains(c.String(), "application=") }
	g.Wait(t, "it works", begun)
	w.storms.Store(true)
	time.Sleep(8 * time.Second)
	c.end(syscall.SIGKILL)
	w.storms.Store(false) // what does not find the cluster when it begins, ends
	c = g.background(dir, nil, args...)
	g.Wait(t, "it works again", begun)
	w.storms.Store(true)
	put(t, stormy(maps, "2"), dir, "app/all.yaml")
	gitIn(t, dir, "commit", "-q", "-a", "-m", "2")
	time.Sleep(10 * time.Second)
	select {
	case <-c.ended:
		t.Fatalf("the controller has ended in the storm: %s", clip(c.String()))
	default:
	}
	w.storms.Store(false)
	g.within("all is at the second version after the storm", minute, func() bool { return g.atRest(maps, "2") })
	w.mu.Lock()
	t.Logf("faults: %v", w.given)
	faults := 0
	for _, n := range w.given {
		faults += n
	}
	if faults < 10 {
		t.Errorf("there were %d faults, which is no storm", faults)
	}
	w.mu.Unlock()
	for _, o := range g.list(aimed.configMap) {
		if o.Name() != "kube-root-ca.crt" && len(o.List("metadata", "managedFields")) > 1 {
			t.Errorf("%s has several owners: %s", o.Name(), o.JSON())
		}
	}
	// Without the right to read what it manages it says so and goes on with the rest when it has it again.
	w.denied.Store("/configmaps")
	put(t, stormy(maps, "3"), dir, "app/all.yaml")
	gitIn(t, dir, "commit", "-q", "-a", "-m", "3")
	g.Wait(t, "the refusal is told", func() bool { return strings.Contains(string(g.web().JSON()), "the storm") })
	w.denied.Store("")
	g.within("all is at the third version after the rights are back", minute, func() bool { return g.atRest(maps, "3") })
}

// TestHostileControllerTerminate: a sync that waits for a hook ends within seconds when it is told to, also in a storm.
func TestHostileControllerTerminate(t *testing.T) {
	t.Parallel()
	g := grounds(t, kubetest.C)
	_, through := g.weathered()
	dir := g.stormWorld(3)
	put(t, strings.ReplaceAll(stormy(3, "1"), `sleep, "2"`, `sleep, "600"`), dir, "app/all.yaml")
	gitIn(t, dir, "commit", "-q", "-a", "-m", "A hook that hangs")
	g.background(dir, nil, "controller", "--only", "applications", "--kubeconfig", through, "-n", g.Namespace)
	g.Wait(t, "the hook runs", func() bool { return g.Object(t, aimed.job, "before") != nil })
	o := g.ask(dir, "app", "terminate", g.Namespace, "-N", g.Namespace)
	if o.exit != exitOK {
		t.Errorf("terminate: exit %d: %s", o.exit, o.said())
	}
	g.within("the sync has ended", 5*time.Second, func() bool {
		return g.web().Sub("operation") == nil && g.web().Text("status", "operationState", "phase") == "Failed"
	})
	g.within("the hook's Job is gone", 30*time.Second, func() bool { return g.Object(t, aimed.job, "before") == nil })
}

// TestHostileControllerKills kills the controller at moments of a sync with hooks: each next one goes on where the last was,
// a hook runs once for each sync, and nothing is left over.
func TestHostileControllerKills(t *testing.T) {
	t.Parallel()
	g := grounds(t, kubetest.C)
	const maps = 6
	dir := g.stormWorld(maps)
	made := map[string]string{} // hooks' uids by name and version
	args := []string{"controller", "--only", "applications", "-n", g.Namespace}
	for version := 1; version <= 4/oneOf(2, 1); version++ {
		if version > 1 {
			put(t, stormy(maps, fmt.Sprint(version)), dir, "app/all.yaml")
			gitIn(t, dir, "commit", "-q", "-a", "-m", "x")
		}
		var c *beside
		seen := map[string]map[string]bool{"before": {}, "after": {}}
		look := func() {
			for _, j := range g.list(aimed.job) {
				if id := j.UID(); made[j.Name()] != id {
					seen[j.Name()][id] = true
				}
			}
		}
		for try := range 5 {
			c = g.background(dir, nil, args...)
			for range 5 * (try + 2) {
				look()
				time.Sleep(100 * time.Millisecond)
			}
			if try < 4 {
				c.end(syscall.SIGKILL)
			}
		}
		g.within("the sync is done", minute, func() bool { look(); return g.atRest(maps, fmt.Sprint(version)) })
		c.end(syscall.SIGINT)
		for name, ids := range seen {
			if len(ids) != 1 {
				t.Errorf("version %d: the hook %s was made %d times", version, name, len(ids))
			}
			for id := range ids {
				made[name] = id
			}
		}
	}
	for _, j := range g.list(aimed.job) {
		if made[j.Name()] == "" {
			t.Errorf("the Job %s is left over", j.Name())
		}
	}
}
