package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/engine/advance"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// shop is a namespace in which `sluice controller --only rollouts` works on a Rollout.
type shop struct {
	*kubetest.Kube
	t *testing.T
}

const shopRollout = `
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: web, image: "nginx:1.19-alpine"}]
  strategy: {canary: {steps: [{setWeight: 50}, {pause: {}}, {setWeight: 75}, {pause: {}}]}}
`

func openShop(t *testing.T) *shop {
	t.Helper()
	k := kubetest.Start(t, kubetest.C)
	k.ApplyCRDs(t, kubetest.Rollouts)
	ctx, stop := context.WithCancel(context.Background())
	var diag bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- Main(ctx, []string{"controller", "--only", "rollouts", "--kubeconfig", k.Kubeconfig, "-n", k.Namespace}, nil, &bytes.Buffer{}, &diag)
	}()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != exitOK {
			t.Errorf("the controller ended with %d: %s", code, diag.String())
		}
	})
	s := &shop{k, t}
	s.Apply(t, shopRollout)
	s.says(exitOK, "Healthy", "status", "web", "--timeout", "100s")
	return s
}

// says runs a rollout command and expects an exit code and words.
func (s *shop) says(code int, words string, args ...string) string {
	s.t.Helper()
	var out, diag bytes.Buffer
	args = append([]string{"rollout", "--kubeconfig", s.Kubeconfig, "-n", s.Namespace}, args...)
	if got := Main(s.t.Context(), args, strings.NewReader(""), &out, &diag); got != code || !strings.Contains(out.String()+diag.String(), words) {
		s.t.Fatalf("sluice %s: exit %d, want %d with %q\n%s%s", strings.Join(args, " "), got, code, words, out.String(), diag.String())
	}
	return out.String()
}

// is waits for a phase at a step.
func (s *shop) is(phase, step string) {
	s.t.Helper()
	s.Wait(s.t, phase+" at "+step, func() bool {
		r, err := rollout.Decode(s.Object(s.t, advance.Rollouts, "web"))
		if err != nil {
			s.t.Fatal(err)
		}
		i := headInfo(r)
		return i.Status == phase && (step == "" || i.Step == step)
	})
}

func TestRolloutCommands(t *testing.T) {
	s := openShop(t)
	s.says(exitOK, "web", "list")
	s.says(exitOK, "rollout/web\n", "list", "-o", "name")
	s.says(exitUsage, `did you mean "web"?`, "get", "wbe")
	s.says(exitOK, `rollout "web" image updated`, "set-image", "web", "web=nginx:1.20-alpine")
	s.is("Paused", "1/4")
	tree := s.says(exitOK, "CanaryPauseStep", "get", "web")
	for _, words := range []string{"Step:", "1/4", "SetWeight:", "50", "nginx:1.20-alpine (canary)", "nginx:1.19-alpine (stable)", "├──# revision:2", "└──# revision:1", "ReplicaSet", "Pod", "ready:1/1"} {
		if !strings.Contains(tree, words) {
			t.Errorf("the tree lacks %q:\n%s", words, tree)
		}
	}
	var info rolloutInfo
	if err := json.Unmarshal([]byte(s.says(exitOK, "{", "get", "web", "-o", "json")), &info); err != nil || info.Step != "1/4" || len(info.Revisions) != 2 || len(info.Revisions[0].ReplicaSets[0].Pods) != 1 {
		t.Errorf("%v %+v", err, info)
	}
	s.says(exitTimeout, "is not healthy after 1s: Paused - CanaryPauseStep [SL3152]", "status", "web", "--timeout", "1s")
	s.says(exitOK, "rollout 'web' promoted", "promote", "web")
	s.is("Paused", "3/4")
	s.says(exitOK, "rollout 'web' aborted", "abort", "web")
	s.is("Degraded", "")
	s.says(exitFailed, "degraded state with message: RolloutAborted: Rollout aborted update to revision 2 [SL3153]", "status", "web", "--timeout", "100s")
	s.says(exitOK, "rollout 'web' retried", "retry", "web")
	s.is("Paused", "1/4")
	s.says(exitOK, "fully promoted", "promote", "web", "--full")
	s.says(exitOK, "Healthy", "status", "web", "--timeout", "100s")
	s.says(exitOK, "nothing to promote", "promote", "web", "--full")
	s.says(exitUsage, "unable to find specified revision 9", "undo", "web", "--to-revision", "9")
	s.says(exitOK, "rollout 'web' undo", "undo", "web")
	s.is("Paused", "1/4")
	s.says(exitOK, "rollout 'web' promoted", "promote", "web", "--skip-all-steps")
	s.says(exitOK, "Healthy", "status", "web", "--timeout", "100s")
	s.says(exitOK, "rollout 'web' restarts", "restart", "web")
	s.Wait(t, "the pods are replaced", func() bool { return s.Object(t, advance.Rollouts, "web").Text("status", "restartedAt") != "" })
	s.says(exitOK, "rollout 'web' paused", "pause", "web")
	s.is("Paused", "")
	s.says(exitUsage, `unable to find container named "gone"`, "set-image", "web", "gone=x")
}

func TestWatchAwayFromATerminal(t *testing.T) {
	s := openShop(t)
	ctx, stop := context.WithCancel(t.Context())
	var out bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- Main(ctx, []string{"rollout", "watch", "web", "--kubeconfig", s.Kubeconfig, "-n", s.Namespace}, nil, &out, &out)
	}()
	s.says(exitOK, "updated", "set-image", "web", "*=nginx:1.20-alpine")
	s.is("Paused", "1/4")
	time.Sleep(time.Second) // until the watch has told it
	stop()
	if code := <-ended; code != exitOK {
		t.Errorf("exit %d", code)
	}
	if text := out.String(); !strings.Contains(text, "Paused · (CanaryPauseStep) · step 1/4 · weight 50") || strings.Contains(text, "\x1b") {
		t.Errorf("%s", text)
	}
}

// The kubectl plugin of Argo Rollouts (scripts/argo-rollouts build) steers our controller and understands what it writes.
func TestThePluginOfArgoRollouts(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	plugin := filepath.Join(cache, "sluice", "argo-rollouts-v1.8.3", "kubectl-argo-rollouts")
	if _, err := os.Stat(plugin); err != nil {
		fmt.Fprintf(os.Stderr, "%s is skipped: the plugin is not built (scripts/argo-rollouts build)\n", t.Name())
		t.Skip("the plugin is not built")
	}
	s := openShop(t)
	run := func(words string, args ...string) {
		t.Helper()
		out, err := exec.Command(plugin, append(args, "--kubeconfig", s.Kubeconfig, "-n", s.Namespace)...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), words) {
			t.Fatalf("plugin %s: %v, want %q\n%s", strings.Join(args, " "), err, words, out)
		}
	}
	run("Healthy", "status", "web", "--timeout", "100s")
	run("image updated", "set", "image", "web", "web=nginx:1.20-alpine")
	s.is("Paused", "1/4")
	run("CanaryPauseStep", "get", "rollout", "web", "--no-color")
	run("promoted", "promote", "web")
	s.is("Paused", "3/4")
	run("aborted", "abort", "web")
	s.is("Degraded", "")
	run("retried", "retry", "rollout", "web")
	s.is("Paused", "1/4")
	run("fully promoted", "promote", "web", "--full")
	run("Healthy", "status", "web", "--timeout", "100s")
	run("undo", "undo", "web")
	s.is("Paused", "1/4")
	run("promoted", "promote", "web", "--skip-all-steps")
	run("Healthy", "status", "web", "--timeout", "100s")
	run("restarts", "restart", "web")
	s.Wait(t, "the pods are replaced", func() bool { return s.Object(t, advance.Rollouts, "web").Text("status", "restartedAt") != "" })
	run("paused", "pause", "web")
	s.is("Paused", "")
	run("Canary", "list", "rollouts")
}
