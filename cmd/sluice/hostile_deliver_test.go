package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The hostile tests of the delivery half play what hostile repositories, clusters and people do against the built command
// and a real API server (reliability.md R11, R12, S6, S14, S15). What a single package holds alone is tested there.

// aimed are the kinds that these tests look at.
var aimed = struct{ secret, configMap, service, job, rollout, sets manifest.Kind }{
	secret:    manifest.Kind{Version: "v1", Kind: "Secret"},
	configMap: manifest.Kind{Version: "v1", Kind: "ConfigMap"},
	service:   manifest.Kind{Version: "v1", Kind: "Service"},
	job:       manifest.Kind{Group: "batch", Version: "v1", Kind: "Job"},
	rollout:   manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Rollout"},
	sets:      manifest.Kind{Group: "apps", Version: "v1", Kind: "ReplicaSet"},
}

// ground is a namespace of a real cluster and what commands need to find it.
type ground struct {
	*kubetest.Kube
	*testing.T

	home string // HOME of every command of the test
}

func grounds(t *testing.T, level kubetest.Level) *ground {
	t.Helper()
	return &ground{kubetest.Start(t, level), t, t.TempDir()}
}

// env is what a command is given beside ours.
func (g *ground) env() []string {
	return append(gitEnv(g.home), "KUBECONFIG="+g.Kubeconfig)
}

// deliver runs `sluice deliver` in dir to its end.
func (g *ground) deliver(dir string, a assault, what ...string) outcome {
	g.Helper()
	a.args = append([]string{"deliver", "-n", g.Namespace}, what...)
	a.env = append(a.env, "KUBECONFIG="+g.Kubeconfig)
	return assail(g.T, dir, a)
}

// noise is what a command that runs beside the test prints.
type noise struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (n *noise) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.all.Write(p)
}

func (n *noise) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.all.String()
}

// beside is a command that runs beside the test.
type beside struct {
	noise

	t     *testing.T
	cmd   *exec.Cmd
	ended chan struct{}
}

// background starts a command that runs until the test ends or end is called.
func (g *ground) background(dir string, env []string, args ...string) *beside {
	g.Helper()
	b := &beside{t: g.T, cmd: exec.Command("sluice", args...), ended: make(chan struct{})}
	b.cmd.Dir, b.cmd.Env = dir, environment(append(g.env(), env...))
	b.cmd.Stdout, b.cmd.Stderr, b.cmd.WaitDelay = b, b, 5*time.Second
	if err := b.cmd.Start(); err != nil {
		g.Fatal(err)
	}
	go func() {
		_ = b.cmd.Wait()
		close(b.ended)
	}()
	g.Cleanup(func() {
		b.end(syscall.SIGINT)
		if said := b.String(); strings.Contains(said, "panic:") || strings.Contains(said, "goroutine ") {
			g.Errorf("sluice %q panicked: %s", args, clip(said))
		}
		if g.Failed() {
			g.Logf("sluice %q said:\n%s", args, clip(b.String()))
		}
	})
	return b
}

// end sends a signal and waits for the end; it gives the exit code, or -1 where a signal has ended it.
func (b *beside) end(signal syscall.Signal) int {
	b.t.Helper()
	_ = b.cmd.Process.Signal(signal)
	select {
	case <-b.ended:
	case <-time.After(30 * time.Second):
		b.t.Errorf("sluice %q has not ended 30 s after %v", b.cmd.Args, signal)
		_ = b.cmd.Process.Kill()
		<-b.ended
	}
	return b.cmd.ProcessState.ExitCode()
}

// ask runs a short command in dir and gives what it said, whatever its exit code.
func (g *ground) ask(dir string, args ...string) outcome {
	g.Helper()
	return launch(g.T, dir, assault{args: args, env: []string{"KUBECONFIG=" + g.Kubeconfig}})
}

// list gives the objects of a kind in the test's namespace.
func (g *ground) list(kind manifest.Kind) []manifest.Object {
	g.Helper()
	_, data := g.Do(g.T, "GET", g.Path(g.T, kind, g.Namespace), "", nil)
	o, err := manifest.Parse(data)
	if err != nil {
		g.Fatalf("list %s: %v", kind, err)
	}
	var out []manifest.Object
	for _, e := range o.List("items") {
		out = append(out, e.(map[string]any))
	}
	return out
}

// events are all events of the test's namespace as the API server gives them.
func (g *ground) events() string {
	_, data := g.Do(g.T, "GET", "/api/v1/namespaces/"+g.Namespace+"/events", "", nil)
	return string(data)
}

// app waits until what an Application of a `sluice deliver` in dir says of itself contains all words.
func (g *ground) app(dir, name string, words ...string) string {
	g.Helper()
	said := ""
	for until := time.Now().Add(minute); time.Now().Before(until); time.Sleep(200 * time.Millisecond) {
		said = g.ask(dir, "app", "get", name, "-o", "json").said()
		all := true
		for _, w := range words {
			all = all && strings.Contains(said, w)
		}
		if all {
			return said
		}
	}
	g.Fatalf("the application %s does not say %q: %s", name, words, clip(said))
	return ""
}

func manifestMap(name, data string) string {
	return fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: %s}, data: {k: %q}}\n", name, data)
}
