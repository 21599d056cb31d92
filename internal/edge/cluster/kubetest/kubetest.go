// Package kubetest gives a test a real Kubernetes API server and a namespace of its own. One cluster (scripts/kube) is
// shared by all tests of the machine and runs on after them. Where none can be had the test is skipped and says why; a test
// that needs running pods and gets a cluster that runs none is skipped too.
package kubetest

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Level is how much of a cluster a test needs.
type Level string

// The levels. A higher one holds the lower ones; a test may be given more than it asked for.
const (
	A Level = "A" // API server: apply, diff, watch, admission
	B Level = "B" // and controllers: ReplicaSets, Jobs, garbage collection, namespaces
	C Level = "C" // and a node: pods that run, Services, logs
)

// Kube is a cluster and a namespace in it.
type Kube struct {
	Kubeconfig string
	Namespace  string
	Level      Level  // what runs, at least what was asked for
	Server     string // https://127.0.0.1:port

	client *http.Client
}

// Start gives a cluster of at least the level and a new namespace, which is removed when the test ends.
func Start(t testing.TB, level Level) *Kube {
	t.Helper()
	return begin(t, level, "")
}

// Second gives another cluster, of level A or B, for tests of more than one.
func Second(t testing.TB, level Level) *Kube {
	t.Helper()
	return begin(t, level, "yes")
}

func begin(t testing.TB, level Level, second string) *Kube {
	t.Helper()
	k, err := ask(level, second)
	if err == nil && k.Level < level {
		err = fmt.Errorf("a cluster of level %s is needed and this is level %s", level, k.Level)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "kubetest: %s is skipped: no Kubernetes here: %v\n", t.Name(), err)
		t.Skipf("no Kubernetes here: %v", err)
	}
	own := *k
	own.Namespace = "test-" + strings.ToLower(rand.Text()[:10])
	own.Apply(t, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s, annotations: {sluice.dev/test: %q}}}", own.Namespace, t.Name()))
	t.Cleanup(func() { own.remove(t) })
	return &own
}

var (
	asking sync.Mutex
	given  = map[string]func() (*Kube, error){}
)

func ask(level Level, second string) (*Kube, error) {
	asking.Lock()
	defer asking.Unlock()
	once, ok := given[second+string(level)]
	if !ok {
		once = sync.OnceValues(func() (*Kube, error) { return start(level, second) })
		given[second+string(level)] = once
	}
	return once()
}

// start has scripts/kube start what is missing.
func start(level Level, second string) (*Kube, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	var out, diag bytes.Buffer
	cmd := exec.Command(filepath.Join(root, "scripts", "kube"), "env", string(level))
	cmd.Env = append(os.Environ(), "SLUICE_KUBE_SECOND="+second)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &diag, time.Second
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("scripts/kube env %s: %w\n%s", level, err, diag.Bytes())
	}
	env := map[string]string{}
	for line := range strings.Lines(out.String()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		env[name] = value
	}
	k := &Kube{Kubeconfig: env["KUBECONFIG"], Level: Level(env["SLUICE_KUBE_LEVEL"])}
	if k.Level < level {
		return nil, fmt.Errorf("level %s is not to be had: %s", level, env["SLUICE_KUBE_WHY"])
	}
	config, err := clientcmd.BuildConfigFromFlags("", k.Kubeconfig)
	if err != nil {
		return nil, err
	}
	k.Server = config.Host
	k.client, err = rest.HTTPClientFor(config)
	return k, err
}

// Root is the folder of this repository.
func Root() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "scripts", "kube")); missing == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("scripts/kube is in no folder above")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

// Do sends a request as the cluster's admin and gives the status and the answer. Body is JSON or YAML of the media type,
// or empty.
func (k *Kube) Do(t testing.TB, method, path, media string, body []byte) (int, []byte) {
	t.Helper()
	r, err := http.NewRequest(method, k.Server+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	answer, err := k.client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer.StatusCode, data
}

// Path is where the objects of a kind are served, in a namespace where the kind has them. The kind must be there within 30 s.
func (k *Kube) Path(t testing.TB, kind manifest.Kind, namespace string) string {
	t.Helper()
	base := "/apis/" + kind.Group + "/" + kind.Version
	if kind.Group == "" {
		base = "/api/" + kind.Version
	}
	var list struct {
		Resources []struct {
			Name, Kind string
			Namespaced bool
		}
	}
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		code, data := k.Do(t, http.MethodGet, base, "", nil)
		if code != http.StatusOK || json.Unmarshal(data, &list) != nil {
			continue
		}
		for _, r := range list.Resources {
			if r.Kind != kind.Kind || strings.Contains(r.Name, "/") {
				continue
			}
			if r.Namespaced && namespace != "" {
				return base + "/namespaces/" + namespace + "/" + r.Name
			}
			return base + "/" + r.Name
		}
	}
	t.Fatalf("the cluster does not serve %s %s", kind.APIVersion(), kind.Kind)
	return ""
}

// Object reads one object of the test's namespace (or of the cluster); nil where there is none.
func (k *Kube) Object(t testing.TB, kind manifest.Kind, name string) manifest.Object {
	t.Helper()
	code, data := k.Do(t, http.MethodGet, k.Path(t, kind, k.Namespace)+"/"+name, "", nil)
	if code == http.StatusNotFound {
		return nil
	}
	o, err := manifest.Parse(data)
	if code != http.StatusOK || err != nil {
		t.Fatalf("get %s %s: %d %s", kind, name, code, data)
	}
	return o
}

// Wait looks until what is true holds, at most two minutes; what it waits for stands in the failure.
func (k *Kube) Wait(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(2 * time.Minute); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("two minutes went by and not: %s", what)
}
