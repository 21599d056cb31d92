package advance_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/engine/advance"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// storm is a cluster that refuses while it blows: conflicts on a third of the writes, too many requests, errors of the server.
// Some of what it says failed was done.
type storm struct {
	advance.Cluster
	blows   atomic.Bool
	refused atomic.Int32
}

func (s *storm) refuse(write bool) error {
	if !s.blows.Load() {
		return nil
	}
	r := &manifest.Refusal{}
	switch n := rand.IntN(100); {
	case write && n < 30:
		r.Code, r.Reason, r.Message = http.StatusConflict, manifest.ReasonConflict, "the object has been modified"
	case n < 40:
		r.Code, r.Reason, r.Message, r.RetryAfter = http.StatusTooManyRequests, manifest.ReasonThrottled, "too many requests", time.Second
	case n < 50:
		r.Code, r.Reason, r.Message = http.StatusInternalServerError, "InternalError", "the webhook did not answer"
	default:
		return nil
	}
	s.refused.Add(1)
	return r
}

// after refuses what was done: the answer is lost.
func (s *storm) after() error {
	if s.blows.Load() && rand.IntN(10) == 0 {
		s.refused.Add(1)
		return &manifest.Refusal{Reason: manifest.ReasonUnreachable, Message: "the connection was cut"}
	}
	return nil
}

func (s *storm) Get(ctx context.Context, kind manifest.Kind, namespace, name string) (manifest.Object, error) {
	if err := s.refuse(false); err != nil {
		return nil, err
	}
	return s.Cluster.Get(ctx, kind, namespace, name)
}

func (s *storm) List(ctx context.Context, kind manifest.Kind, namespace, selector string) ([]manifest.Object, error) {
	if err := s.refuse(false); err != nil {
		return nil, err
	}
	return s.Cluster.List(ctx, kind, namespace, selector)
}

func (s *storm) Create(ctx context.Context, o manifest.Object, w manifest.Writing) (manifest.Object, error) {
	if err := s.refuse(true); err != nil {
		return nil, err
	}
	made, err := s.Cluster.Create(ctx, o, w)
	if lost := s.after(); err == nil && lost != nil {
		return nil, lost
	}
	return made, err
}

func (s *storm) Update(ctx context.Context, o manifest.Object, sub string, w manifest.Writing) (manifest.Object, error) {
	if err := s.refuse(true); err != nil {
		return nil, err
	}
	return s.Cluster.Update(ctx, o, sub, w)
}

func (s *storm) Patch(ctx context.Context, kind manifest.Kind, namespace, name string, p manifest.Patch, w manifest.Writing) (manifest.Object, error) {
	if err := s.refuse(true); err != nil {
		return nil, err
	}
	is, err := s.Cluster.Patch(ctx, kind, namespace, name, p, w)
	if lost := s.after(); err == nil && lost != nil {
		return nil, lost
	}
	return is, err
}

func (s *storm) Delete(ctx context.Context, kind manifest.Kind, namespace, name string, w manifest.Writing) error {
	if err := s.refuse(true); err != nil {
		return err
	}
	return s.Cluster.Delete(ctx, kind, namespace, name, w)
}

// While the cluster refuses half of what is asked, versions come and go; once it is calm the last one is there, once, and
// what others wrote is as they wrote it (R12).
func TestAStormOfRefusals(t *testing.T) {
	k := kubetest.Start(t, kubetest.C)
	k.ApplyCRDs(t, kubetest.Rollouts)
	c, err := cluster.OpenWith(k.Kubeconfig, "", cluster.Options{Manager: "rollouts-controller", QPS: 100, Burst: 200})
	if err != nil {
		t.Fatal(err)
	}
	wild := &storm{Cluster: c}
	s := &stage{k, t}
	s.run(managed(wild, k.Namespace, "", slog.New(slog.DiscardHandler)))
	m := measured(t)
	s.Apply(t, ingress+m.template("always", "interval: 1s, ")+service("stable")+service("canary")+"---"+web(`
    {canary: {stableService: stable, canaryService: canary, scaleDownDelaySeconds: 1, trafficRouting: {nginx: {stableIngress: web}}, analysis: {templates: [{templateName: always}]},
      steps: [{setWeight: 20}, {pause: {duration: 1s}}, {setWeight: 60}]}}`))
	for _, path := range []string{"/api/v1/namespaces/" + k.Namespace + "/services/stable", "/apis/networking.k8s.io/v1/namespaces/" + k.Namespace + "/ingresses/web"} {
		if code, data := k.Do(t, http.MethodPatch, path, manifest.MergePatch, []byte(`{"metadata": {"annotations": {"theirs": "kept"}, "labels": {"also": "theirs"}}}`)); code != http.StatusOK {
			t.Fatalf("%d %s", code, data)
		}
	}
	s.phase(rollout.Healthy, -1)
	wild.blows.Store(true)
	const least = 20 // refusals; fewer are no storm
	for v := 2; v <= 6 || v <= 20 && wild.refused.Load() < least; v++ {
		s.version(v)
		time.Sleep(3 * time.Second)
		if v == 4 {
			s.patch(rollout.Abort())
			time.Sleep(2 * time.Second)
		}
	}
	wild.blows.Store(false)
	calm := time.Now()
	s.Wait(t, "the last version is all there is", func() bool {
		r := s.rollout()
		phase, _ := rollout.PhaseOf(r)
		hash := r.Status.StableRS
		return phase == rollout.Healthy && r.Status.CurrentPodHash == hash && s.pods(hash) == 3 && s.selector("stable") == hash && s.selector("canary") == hash &&
			s.Object(t, manifest.Kind{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}, "web-web-canary").Annotation("nginx.ingress.kubernetes.io/canary-weight") == "0"
	})
	t.Logf("%d refusals; calm again after %v", wild.refused.Load(), time.Since(calm))
	if wild.refused.Load() < least {
		t.Errorf("only %d refusals: that was no storm", wild.refused.Load())
	}
	for _, o := range []manifest.Object{
		s.Object(t, manifest.Kind{Version: "v1", Kind: "Service"}, "stable"),
		s.Object(t, manifest.Kind{Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"}, "web"),
	} {
		if o.Annotation("theirs") != "kept" || o.Labels()["also"] != "theirs" {
			t.Errorf("%s of others was changed: %s", o.Text("kind"), o.Sub("metadata").JSON())
		}
	}
	sets := map[string]int{}
	for _, o := range s.owned(replicaSetKind) {
		sets[o.Labels()[rollout.HashLabel]]++
	}
	for hash, n := range sets {
		if n != 1 {
			t.Errorf("%d replica sets have the hash %s", n, hash)
		}
	}
}

var replicaSetKind = manifest.Kind{Group: "apps", Version: "v1", Kind: "ReplicaSet"}

// owned are the Rollout's objects of a kind.
func (s *stage) owned(kind manifest.Kind) (out []manifest.Object) {
	s.t.Helper()
	code, data := s.Do(s.t, http.MethodGet, s.Path(s.t, kind, s.Namespace), "", nil)
	list, err := manifest.Parse(data)
	if code != http.StatusOK || err != nil {
		s.t.Fatalf("%d %v", code, err)
	}
	uid := s.Object(s.t, advance.Rollouts, "web").UID()
	for _, e := range list.List("items") {
		o := manifest.Object(e.(map[string]any))
		if w, ok := o.Controller(); ok && w.UID == uid {
			out = append(out, o)
		}
	}
	return out
}

// A controller that is stopped at any moment is followed by one that goes on where it was: nothing is made twice, nothing
// is measured anew that was measured.
func TestControllersThatEndAreFollowed(t *testing.T) {
	k := kubetest.Start(t, kubetest.C)
	k.ApplyCRDs(t, kubetest.Rollouts)
	s := &stage{k, t}
	m := measured(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			life, end := context.WithTimeout(ctx, time.Duration(200+rand.IntN(1500))*time.Millisecond)
			_ = manager(t, k.Kubeconfig, k.Namespace, "", slog.New(slog.DiscardHandler)).Run(life)
			end()
		}
	}()
	defer func() { stop(); <-ended }()
	s.Apply(t, ingress+m.template("once", "")+service("stable")+service("canary")+"---"+web(`
    {canary: {stableService: stable, canaryService: canary, scaleDownDelaySeconds: 1, trafficRouting: {nginx: {stableIngress: web}},
      steps: [{setWeight: 20}, {analysis: {templates: [{templateName: once}]}}, {setWeight: 60}, {pause: {duration: 1s}},
        {experiment: {duration: 1s, templates: [{name: try, specRef: canary}]}}]}}`))
	s.phase(rollout.Healthy, -1)
	s.version(2)
	s.Wait(t, "the new version is all there is", func() bool {
		r := s.rollout()
		phase, _ := rollout.PhaseOf(r)
		return phase == rollout.Healthy && r.Object.Annotation(rollout.RevisionAnnotation) == "2" && r.Status.StableRS == r.Status.CurrentPodHash && s.selector("stable") == r.Status.StableRS
	})
	for kind, want := range map[manifest.Kind]int{replicaSetKind: 2, advance.Runs: 1, advance.Experiments: 1} {
		if got := s.owned(kind); len(got) != want {
			t.Errorf("%d of %s, want %d", len(got), kind, want)
		}
	}
	if n := m.asked.Load(); n < 1 || n > 3 { // a measurement that was under way when a controller ended is taken again
		t.Errorf("measured %d times", n)
	}
}
