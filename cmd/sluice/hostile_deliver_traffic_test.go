package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
)

// crowd asks an address all the time, each request over a connection of its own, so that each is given a pod anew.
type crowd struct {
	mu      sync.Mutex
	asked   int
	refused []string       // requests without an answer
	wrong   map[string]int // answers of 5xx, by version
	by      map[string]int // answers, by version
}

// crowdRate is how many requests a second there are: 100 in the tests, since all of it shares a machine with them, or
// SLUICE_TEST_RATE (R11 says 500).
func crowdRate() int {
	if n, err := strconv.Atoi(os.Getenv("SLUICE_TEST_RATE")); err == nil && n > 0 {
		return n
	}
	return 100
}

// gather lets a crowd ask so many times a second until the test ends or stop is called.
func (g *ground) gather(address string, perSecond int) (c *crowd, stop func()) {
	c = &crowd{wrong: map[string]int{}, by: map[string]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: 4 * time.Second}).DialContext}}
	var group sync.WaitGroup
	group.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				group.Go(func() { c.ask(client, address) })
			}
		}
	})
	stop = sync.OnceFunc(func() { cancel(); group.Wait() })
	g.Cleanup(stop)
	return c, stop
}

func (c *crowd) ask(client *http.Client, address string) {
	at := time.Now()
	answer, err := client.Get(address)
	version, code := "", 0
	if err == nil {
		var text []byte
		text, err = io.ReadAll(answer.Body) // an answer that is cut is none
		_ = answer.Body.Close()
		version, _, _ = strings.Cut(string(text), " ")
		code = answer.StatusCode
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	switch {
	case err != nil:
		c.refused = append(c.refused, at.Format("15:04:05.000")+" "+err.Error())
	case code >= 500:
		c.wrong[version]++
		c.by[version]++
	default:
		c.by[version]++
	}
}

// crowdedRollout is a Rollout behind Services. Its pods go on answering for a while after they are told to end, as pods
// behind a Service must.
func crowdedRollout(strategy string) string {
	return `
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: preview}, spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 10
      containers:
      - name: web
        image: "sluice-test:v1"
        env: [{name: PORTS, value: "8080"}]
        readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 3}}}
  strategy: ` + strategy
}

// TestHostileRolloutTraffic asks a Rollout's Service without a pause while versions are promoted, aborted at each step and
// replaced in the middle, and the controller is killed. No request goes unanswered, and none is answered by the bad
// version's failures but those of its pods.
func TestHostileRolloutTraffic(t *testing.T) {
	t.Parallel()
	for name, strategy := range map[string]string{
		"canary":    `{canary: {maxUnavailable: 0, maxSurge: 1, steps: [{setWeight: 25}, {pause: {}}, {setWeight: 50}, {pause: {}}, {setWeight: 75}, {pause: {}}]}}`,
		"bluegreen": `{blueGreen: {activeService: web, previewService: preview, autoPromotionEnabled: false, scaleDownDelaySeconds: 5}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := grounds(t, kubetest.C)
			g.ApplyCRDs(t, kubetest.Rollouts)
			dir := t.TempDir()
			args := []string{"controller", "--only", "rollouts", "-n", g.Namespace}
			c := g.background(dir, nil, args...)
			g.Apply(t, crowdedRollout(strategy))
			phase := func(want string) func() bool {
				return func() bool { return g.Object(t, aimed.rollout, "web").Text("status", "phase") == want }
			}
			g.Wait(t, "the first version is there", phase("Healthy"))
			address := "http://" + g.Object(t, aimed.service, "web").Text("spec", "clusterIP") + "/"
			if !g.reaches(address) {
				t.Skip("SKIPPED: this machine does not reach the cluster's Services")
			}
			run := func(words ...string) {
				t.Helper()
				if o := g.ask(dir, append(append([]string{"rollout"}, words...), "-n", g.Namespace)...); o.exit != exitOK {
					t.Errorf("rollout %q: exit %d: %s", words, o.exit, o.said())
				}
			}
			step := func(n int) func() bool {
				return func() bool {
					o := g.Object(t, aimed.rollout, "web")
					seen := o.Text("status", "observedGeneration") == fmt.Sprint(o.Int(0, "metadata", "generation"))
					return seen && o.Text("status", "phase") == "Paused" && (name == "bluegreen" || fmt.Sprint(o.Sub("status")["currentStepIndex"]) == fmt.Sprint(n))
				}
			}
			crowd, stop := g.gather(address, crowdRate())
			steps := []int{1, 3, 5}
			if name == "bluegreen" {
				steps = steps[:1]
			}
			version := 1
			next := func() string { version = 3 - version; return fmt.Sprintf("web=sluice-test:v%d", version) }
			for _, at := range steps[:len(steps)/oneOf(len(steps), 1)] { // aborted at each
				run("set-image", "web", next())
				for _, s := range steps {
					g.Wait(t, fmt.Sprintf("it pauses at step %d", s), step(s))
					if s == at {
						break
					}
					run("promote", "web")
				}
				run("abort", "web")
				g.Wait(t, "it is turned back", phase("Degraded"))
				run("set-image", "web", next())
				g.Wait(t, "it is healthy again", phase("Healthy"))
			}
			// Retargeted in the middle, the controller killed on the way.
			run("set-image", "web", "web=sluice-test:v4")
			g.Wait(t, "version 4 pauses", step(steps[0]))
			if name == "canary" {
				run("promote", "web")
			}
			c.end(syscall.SIGKILL)
			run("set-image", "web", "web=sluice-test:v3")
			c = g.background(dir, nil, args...)
			for _, s := range steps {
				g.Wait(t, fmt.Sprintf("version 3 pauses at step %d", s), step(s))
				run("promote", "web")
			}
			time.Sleep(500 * time.Millisecond) // between the switch and the scaling down
			c.end(syscall.SIGKILL)
			time.Sleep(2 * time.Second)
			g.background(dir, nil, args...)
			g.Wait(t, "version 3 is everywhere", phase("Healthy"))
			g.Wait(t, "only one ReplicaSet has pods", func() bool {
				full := 0
				for _, o := range g.list(aimed.sets) {
					full += int(min(o.Int(0, "spec", "replicas"), 1))
				}
				return full == 1
			})
			time.Sleep(4 * time.Second) // the last of the old pods ends
			stop()
			crowd.mu.Lock()
			defer crowd.mu.Unlock()
			t.Logf("%d requests, answered by %v, 5xx %v, unanswered %d", crowd.asked, crowd.by, crowd.wrong, len(crowd.refused))
			if crowd.asked < 500 || len(crowd.by) < 2 {
				t.Errorf("too few requests to say anything")
			}
			for i, r := range crowd.refused {
				if i < 5 || os.Getenv("SLUICE_TEST_FULL") != "" {
					t.Errorf("a request failed: %s", r)
				}
			}
			for v, n := range crowd.wrong {
				if !strings.Contains(v, "bad") {
					t.Errorf("%s answered %d times with 5xx", v, n)
				}
			}
		})
	}
}

// reaches reports whether the address answers within a while: kube-proxy's rules take a moment.
func (g *ground) reaches(address string) bool {
	client := &http.Client{Timeout: time.Second}
	for range 20 {
		if answer, err := client.Get(address); err == nil {
			_ = answer.Body.Close()
			return true
		}
		time.Sleep(500 * time.Millisecond)
	}
	return false
}
