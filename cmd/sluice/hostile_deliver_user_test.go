package main

import (
	crand "crypto/rand"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
)

// stranger gives a kubeconfig of a service account with these rules of a Role in the test's namespace.
func (g *ground) stranger(rules string) string {
	g.Helper()
	name := "stranger-" + strings.ToLower(crand.Text()[:8])
	g.Apply(g.T, strings.NewReplacer("NAME", name, "RULES", rules, "SPACE", g.Namespace).Replace(`{apiVersion: v1, kind: ServiceAccount, metadata: {name: NAME}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: NAME}, rules: RULES}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: NAME}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: NAME}, subjects: [{kind: ServiceAccount, name: NAME, namespace: SPACE}]}`))
	code, data := g.Do(g.T, http.MethodPost, "/api/v1/namespaces/"+g.Namespace+"/serviceaccounts/"+name+"/token", "application/json", []byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}`))
	var answer struct{ Status struct{ Token string } }
	if err := json.Unmarshal(data, &answer); code >= 300 || err != nil {
		g.Fatalf("token: %d %s", code, data)
	}
	return put(g.T, fmt.Sprintf("{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: x, user: x, namespace: %s}}], clusters: [{name: x, cluster: {server: %q, insecure-skip-tls-verify: true}}], users: [{name: x, user: {token: %s}}]}", g.Namespace, g.Server, answer.Status.Token), g.TempDir(), "kubeconfig")
}

// TestHostileDeliverMistakes: a kubeconfig that is none, a cluster that is away or silent, rights that are missing. Each
// has its exit code, a message that says what is wrong, and an end.
func TestHostileDeliverMistakes(t *testing.T) {
	t.Parallel()
	g := grounds(t, kubetest.A)
	dir := world(t, "-- a.yaml --\n"+manifestMap("a", "v"))
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	config := func(server, more string) string {
		return put(t, fmt.Sprintf("{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: x, user: x}}], clusters: [{name: x, cluster: {server: %q%s}}], users: [{name: x, user: {token: s3cret-t0ken}}]}", server, more), t.TempDir(), "kubeconfig")
	}
	commands := [][]string{
		{"deliver", ".", "--once", "--timeout", "20s"},
		{"app", "list"},
		{"app", "get", "x"},
		{"app", "sync", "x"},
		{"rollout", "list"},
		{"rollout", "get", "x"},
		{"rollout", "promote", "x"},
		{"controller", "--only", "rollouts"},
		{"controller", "--only", "applications"},
	}
	for _, c := range []struct {
		what, kubeconfig string
		exit             int
		says             string
	}{
		{"no such file", "/nonexistent/kubeconfig", exitUsage, "/nonexistent/kubeconfig"},
		{"no YAML", put(t, "{{{", t.TempDir(), "kubeconfig"), exitUsage, ""},
		{"another file", put(t, "name: x\n", t.TempDir(), "kubeconfig"), exitUsage, ""},
		{"a folder", t.TempDir(), exitUsage, ""},
		{"an empty file", put(t, "", t.TempDir(), "kubeconfig"), exitUsage, ""},
		{"no such host", config("https://nonexistent.invalid:6443", ""), exitUnreachable, "nonexistent.invalid"},
		{"a closed port", config("https://127.0.0.1:1", ""), exitUnreachable, "127.0.0.1:1"},
		{"another certificate", config(g.Server, ""), exitUnreachable, "certificate"},
		{"a token that is none", config(g.Server, ", insecure-skip-tls-verify: true"), exitForbidden, ""},
	} {
		for i, args := range commands {
			if i > 1 && oneOf(2, 1) > 1 {
				break
			}
			o := assail(t, dir, assault{args: append(slices.Clone(args), "--kubeconfig", c.kubeconfig), exit: []int{c.exit}, limit: 2 * minute})
			if !strings.Contains(o.said(), c.says) || len(strings.TrimSpace(o.err)) < 15 {
				t.Errorf("%s: sluice %q says %q", c.what, args, o.said())
			}
			if strings.Contains(o.said(), "s3cret") {
				t.Errorf("%s: sluice %q shows the token: %s", c.what, args, o.said())
			}
		}
	}
	o := assail(t, dir, assault{args: []string{"deliver", ".", "--once", "--timeout", "3s", "--kubeconfig", config("http://"+silent.Addr().String(), "")}, exit: []int{exitTimeout, exitUnreachable}, limit: 2 * minute})
	t.Logf("a cluster that says nothing: exit %d: %s", o.exit, o.err)
	assail(t, dir, assault{args: []string{"app", "list", "--kubeconfig", config("http://"+silent.Addr().String(), "")}, exit: []int{exitUnreachable}})
	// Rights for a part only.
	poor := g.stranger(`[{apiGroups: [""], resources: [configmaps], verbs: [get, list, watch]}]`)
	o = assail(t, dir, assault{args: []string{"deliver", ".", "--once", "--timeout", "30s", "--kubeconfig", poor}, exit: []int{exitForbidden, exitFailed}})
	if !strings.Contains(o.said(), "forbidden") && !strings.Contains(o.said(), "Forbidden") {
		t.Errorf("what is forbidden is not told: %s", o.said())
	}
	t.Logf("a reader delivers: exit %d: %s", o.exit, o.err)
	enough := g.stranger(`[{apiGroups: [""], resources: [configmaps], verbs: ["*"]}]`)
	for _, more := range [][]string{nil, {"--prune"}} {
		o = assail(t, dir, assault{args: append([]string{"deliver", ".", "--once", "--timeout", "30s", "--kubeconfig", enough}, more...), exit: []int{exitOK}})
		if strings.Contains(strings.ToLower(o.said()), "forbidden") {
			t.Errorf("with rights that are enough it says %s", o.said())
		}
	}
	for _, args := range [][]string{{"app", "list"}, {"rollout", "list"}, {"rollout", "get", "x"}, {"rollout", "promote", "x"}} {
		g.ApplyCRDs(t, kubetest.ArgoCD, kubetest.Rollouts)
		assail(t, t.TempDir(), assault{args: append(args, "--kubeconfig", poor), exit: []int{exitForbidden}})
	}
	// What does not become healthy in time.
	slow := world(t, "-- a.yaml --\n{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: never}, spec: {accessModes: [ReadWriteOnce], storageClassName: none, resources: {requests: {storage: 1Gi}}}}\n")
	g.deliver(slow, assault{exit: []int{exitTimeout}}, ".", "--once", "--timeout", "4s")
	g.deliver(dir, assault{exit: []int{exitOK}}, ".", "--once")
}

// TestHostileDeliverTogether: of deliveries of one folder at once one works, and the others say that it does.
func TestHostileDeliverTogether(t *testing.T) {
	t.Parallel()
	g := grounds(t, kubetest.A)
	dir := world(t, "-- a.yaml --\n"+manifestMap("a", "v"))
	d := g.background(dir, nil, "deliver", ".", "-n", g.Namespace, "--name", g.Namespace)
	g.app(dir, g.Namespace, `"phase": "Succeeded"`)
	for range 3 {
		o := g.deliver(dir, assault{exit: []int{exitUsage, exitFailed}}, ".", "--once")
		if !strings.Contains(o.said(), "another") {
			t.Errorf("it says %q", o.said())
		}
	}
	g.app(dir, g.Namespace, `"phase": "Succeeded"`)
	d.end(syscall.SIGKILL)
	g.deliver(dir, assault{exit: []int{exitOK}}, ".", "--once", "--name", g.Namespace)
	// What was committed while none ran is delivered at once by the next, however lately the last has compared.
	put(t, manifestMap("a", "w"), dir, "a.yaml")
	gitIn(t, dir, "commit", "-q", "-a", "-m", "w")
	g.background(dir, nil, "deliver", ".", "-n", g.Namespace, "--name", g.Namespace)
	g.Wait(t, "the commit is delivered", func() bool { return g.Object(t, aimed.configMap, "a").Text("data", "k") == "w" })
}

// TestHostileDeliverInterrupts: Ctrl-C, once and twice, and SIGKILL at any moment of a sync leave what the next one goes on
// from.
func TestHostileDeliverInterrupts(t *testing.T) {
	t.Parallel()
	g := grounds(t, kubetest.A)
	var b strings.Builder
	for i := range 30 {
		fmt.Fprintf(&b, "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: m%d, annotations: {argocd.argoproj.io/sync-wave: \"%d\"}}, data: {k: VERSION}}\n", i, i%3)
	}
	dir := world(t, "-- a.yaml --\n"+strings.ReplaceAll(b.String(), "VERSION", "v0"))
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	exits := map[int]int{}
	for i := range 12 / oneOf(3, 1) {
		put(t, strings.ReplaceAll(b.String(), "VERSION", fmt.Sprintf("v%d", i)), dir, "a.yaml")
		gitIn(t, dir, "commit", "-q", "--allow-empty", "-a", "-m", "x")
		signals := [][]syscall.Signal{{syscall.SIGINT}, {syscall.SIGINT, syscall.SIGINT}, {syscall.SIGKILL}, {syscall.SIGTERM}}[i%4]
		c := g.background(dir, nil, "deliver", ".", "-n", g.Namespace, "--once", "--name", g.Namespace)
		time.Sleep(time.Duration(random.Int64N(int64(4 * time.Second))))
		for _, s := range signals {
			_ = c.cmd.Process.Signal(s)
		}
		code := c.end(0)
		exits[code]++
		if signals[0] != syscall.SIGKILL && !slices.Contains([]int{exitOK, exitInterrupted, exitCanceled, -1}, code) {
			t.Errorf("%v: exit code %d: %s", signals, code, clip(c.String()))
		}
	}
	t.Logf("exit codes: %v", exits)
	put(t, strings.ReplaceAll(b.String(), "VERSION", "last"), dir, "a.yaml")
	gitIn(t, dir, "commit", "-q", "-a", "-m", "x")
	g.deliver(dir, assault{exit: []int{exitOK}}, ".", "--once", "--name", g.Namespace)
	n := 0
	for _, m := range g.list(aimed.configMap) {
		if m.Text("data", "k") == "last" {
			n++
		}
	}
	if n != 30 {
		t.Errorf("%d of 30 objects are at the last version", n)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".sluice/deliver/kubeconfig")); len(left) > 0 {
		t.Errorf("the kubeconfig of a delivery that has ended is left: %v", left)
	}
}

// TestHostileDeliverDisk: a disk that is full below the state folder is told, and with room again all goes on.
func TestHostileDeliverDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: not root, so no small file system can be mounted")
	}
	g := grounds(t, kubetest.A)
	dir := world(t, "-- a.yaml --\n"+manifestMap("a", "v"))
	state := filepath.Join(dir, ".sluice")
	mount(t, state, true)
	fill := func() {
		if out, err := exec.Command("sh", "-c", "cat /dev/zero > "+filepath.Join(state, "full")).CombinedOutput(); err == nil {
			t.Fatalf("the disk is not full: %s", out)
		}
	}
	fill()
	o := g.deliver(dir, assault{exit: []int{exitFailed, exitUsage}, limit: 2 * minute}, ".", "--once", "--name", g.Namespace)
	if !strings.Contains(o.said(), "space") {
		t.Errorf("the disk is full, and it is not said: %s", o.said())
	}
	_ = os.Remove(filepath.Join(state, "full"))
	g.deliver(dir, assault{exit: []int{exitOK}}, ".", "--once", "--name", g.Namespace)
	// And one that fills while it runs.
	d := g.background(dir, nil, "deliver", ".", "-n", g.Namespace, "--name", g.Namespace)
	g.app(dir, g.Namespace, `"status": "Synced"`)
	fill()
	put(t, manifestMap("a", "w"), dir, "a.yaml")
	gitIn(t, dir, "commit", "-q", "-a", "-m", "w")
	for until := time.Now().Add(minute); time.Now().Before(until) && !strings.Contains(d.String(), "space"); time.Sleep(200 * time.Millisecond) {
		select {
		case <-d.ended:
			until = time.Now()
		default:
		}
	}
	if !strings.Contains(d.String(), "space") {
		t.Errorf("the disk has filled, and it is not said: %s", d.String())
	}
	d.end(syscall.SIGINT)
	_ = os.Remove(filepath.Join(state, "full"))
	g.deliver(dir, assault{exit: []int{exitOK}}, ".", "--once", "--name", g.Namespace)
	if g.Object(t, aimed.configMap, "a").Text("data", "k") != "w" {
		t.Error("the last version is not there")
	}
}
