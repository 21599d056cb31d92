package application_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	app "github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func wantLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n  %s\nwant:\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func wantEnd(t *testing.T, s app.OperationState, phase app.OperationPhase, message string) {
	t.Helper()
	if s.Phase != phase || s.Message != message {
		t.Errorf("%s: %q, want %s: %q", s.Phase, s.Message, phase, message)
	}
}

const service = "apiVersion: v1\nkind: Service\nmetadata: {name: svc}\nspec: {ports: [{port: 80}]}"

const workload = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: a, image: 'web:1'}]}}}"

func TestPlainSync(t *testing.T) {
	w := newWorld(t, stream(workload, service, config("cm")))
	w.health["web"] = "Progressing"
	w.begin(app.SyncOperation{})
	wantEnd(t, w.run(20), app.Succeeded, "successfully synced (all tasks run)")
	wantLines(t, "actions", w.log, []string{"test cm", "test svc", "test web", "apply cm", "apply svc", "apply web"})
	wantLines(t, "results", w.results(), []string{
		"cm Sync Synced Running: configmap/cm created", "svc Sync Synced Running: service/svc created", "web Sync Synced Running: deployment.apps/web created",
	})
	if got := w.state.SyncResult.Resources[2].Images; !slices.Equal(got, []string{"web:1"}) {
		t.Error(got)
	}
	c := w.compare()
	if c.Status != app.Synced || c.Health.Status != "Progressing" {
		t.Error(c.Status, c.Health)
	}
}

func TestWaves(t *testing.T) {
	w := newWorld(t, stream(config("b", "sync-wave=1"), config("a", "sync-wave=-1"), workload, config("c", "sync-wave=2")))
	w.health["web"] = "Progressing"
	w.begin(app.SyncOperation{})
	w.run(15)
	wantEnd(t, w.state, app.Running, "waiting for healthy state of apps/Deployment/web")
	wantLines(t, "actions", w.done(), []string{"apply a", "apply web"})
	w.health["web"] = "Healthy"
	wantEnd(t, w.run(15), app.Succeeded, "successfully synced (all tasks run)")
	wantLines(t, "actions", w.done(), []string{"apply a", "apply web", "apply b", "apply c"})
}

func TestWaveDegraded(t *testing.T) {
	w := newWorld(t, stream(config("cm-1"), config("cm-2", "sync-wave=1")))
	w.health["cm-1"] = "Degraded"
	w.begin(app.SyncOperation{})
	wantEnd(t, w.run(15), app.Failed, "one or more synchronization tasks completed unsuccessfully")
	wantLines(t, "results", w.results(), []string{"cm-1 Sync Synced Failed: configmap/cm-1 created"})
}

func TestWaveDelay(t *testing.T) {
	w := newWorld(t, stream(config("a"), config("b", "sync-wave=1")))
	w.delay = 0
	w.begin(app.SyncOperation{})
	var first, second time.Time
	for range 20 {
		d := w.step()
		for _, a := range d.Actions {
			if a, ok := a.(app.Apply); ok && !a.DryRun {
				if a.Object.Name() == "a" {
					first = w.now
				} else {
					second = w.now
				}
			}
		}
		if d.State.Phase == app.Running && len(d.Actions) == 0 && d.After <= 0 {
			t.Error("a pause that nothing ends")
		}
		if w.state.Phase.Completed() {
			break
		}
	}
	if gap := second.Sub(first); gap < 2*time.Second {
		t.Errorf("the second wave began %s after the first", gap)
	}
	wantEnd(t, w.state, app.Succeeded, "successfully synced (all tasks run)")
}

func TestHooks(t *testing.T) {
	w := newWorld(t, stream(config("pre", "hook=PreSync"), config("post", "hook=PostSync", "hook-delete-policy=HookSucceeded"), config("skip", "hook=Skip"), workload, config("side", "hook=Sync")))
	w.health = map[string]string{"pre": "Progressing", "web": "Healthy"}
	w.begin(app.SyncOperation{})
	w.run(15)
	wantEnd(t, w.state, app.Running, "waiting for completion of hook /ConfigMap/pre")
	wantLines(t, "actions", w.done(), []string{"apply pre"})
	if f := w.live[manifest.Key{Kind: "ConfigMap", Namespace: "prod", Name: "pre"}].List("metadata", "finalizers"); !slices.Equal(f, []any{app.HookFinalizer}) {
		t.Errorf("finalizers of a hook that runs: %v", f)
	}
	w.health["pre"] = "Healthy"
	wantEnd(t, w.run(15), app.Succeeded, "successfully synced (no more tasks)")
	wantLines(t, "actions", w.done(), []string{"apply pre", "apply side", "apply web", "apply post", "remove post"})
	wantLines(t, "live", w.names(), []string{"pre", "side", "web"})
	for k, o := range w.live {
		if len(o.List("metadata", "finalizers")) > 0 {
			t.Errorf("%s still has a finalizer", k)
		}
	}
	// A second time: hooks that are there are deleted before they are made.
	w.begin(app.SyncOperation{})
	wantEnd(t, w.run(20), app.Succeeded, "successfully synced (no more tasks)")
	wantLines(t, "actions", w.done(), []string{"remove pre", "apply pre", "remove side", "apply side", "apply web", "apply post", "remove post"})
}

func TestHookFails(t *testing.T) {
	for policy, left := range map[string][]string{"": {"fail", "pre"}, "HookFailed": {"fail"}, "HookSucceeded": {"fail", "pre"}} {
		w := newWorld(t, stream(config("pre", "hook=PreSync", "hook-delete-policy="+policy), workload, config("fail", "hook=SyncFail")))
		w.health["pre"] = "Degraded"
		w.begin(app.SyncOperation{})
		wantEnd(t, w.run(20), app.Failed, "one or more synchronization tasks completed unsuccessfully")
		wantLines(t, policy+" results", w.results(), []string{"pre PreSync Synced Failed: configmap/pre created", "fail SyncFail Synced Succeeded: configmap/fail created"})
		wantLines(t, policy+" live", w.names(), left)
	}
}

func TestUnnamedHook(t *testing.T) {
	unnamed := strings.Replace(config("x", "hook=PreSync,PostSync"), "name: x", "generateName: job-", 1)
	w := newWorld(t, stream(unnamed, config("cm")))
	w.begin(app.SyncOperation{})
	wantEnd(t, w.run(20), app.Succeeded, "successfully synced (no more tasks)")
	wantLines(t, "live", w.names(), []string{"cm", "job-0123456-postsync-1772366400", "job-0123456-presync-1772366400"})
	nameless := strings.Replace(config("x"), "  name: x\n", "  labels: {a: b}\n", 1)
	w = newWorld(t, nameless)
	w.begin(app.SyncOperation{})
	wantEnd(t, w.run(20), app.Failed, "one or more synchronization tasks are not valid")
}

func TestHelmHooks(t *testing.T) {
	for text, want := range map[string][]string{
		"pre-install,pre-upgrade": {app.PreSync}, "post-install": {app.PostSync}, "post-delete": {app.PostDelete}, "pre-delete": {app.PreDelete},
		"test": {app.Skip}, "crd-install": nil, "pre-rollback": {app.Skip}, "pre-install,test-success": {app.PreSync},
	} {
		o := objects(t, config("x", "helm.sh/hook="+text))[0]
		if got := app.Hooks(o); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	if got := app.Hooks(objects(t, config("x", "helm.sh/hook=pre-install", "hook=Sync"))[0]); !slices.Equal(got, []string{app.Sync}) {
		t.Error(got)
	}
	w := newWorld(t, stream(config("b", "helm.sh/hook=pre-install", "helm.sh/hook-weight=5"), config("a", "helm.sh/hook=pre-install", "helm.sh/hook-weight=9", "helm.sh/hook-delete-policy=hook-succeeded")))
	w.begin(app.SyncOperation{})
	w.run(20)
	wantLines(t, "actions", w.done(), []string{"apply b", "apply a", "remove a"})
}

func TestPrune(t *testing.T) {
	docs := []string{config("keep"), config("w0"), config("w1", "sync-wave=1"), config("w2", "sync-wave=2"), config("forever", "sync-options=Prune=false"), config("last", "sync-wave=2", "sync-options=PruneLast=true")}
	fresh := func() *world {
		w := newWorld(t, stream(docs...))
		w.begin(app.SyncOperation{})
		w.run(30)
		foreign := objects(t, config("foreign"))[0]
		foreign.Set("prod", "metadata", "namespace")
		w.live[foreign.Key()] = foreign
		w.desired = objects(t, docs[0])
		return w
	}
	w := fresh()
	w.begin(app.SyncOperation{})
	wantEnd(t, w.run(20), app.Succeeded, "successfully synced (all tasks run)")
	wantLines(t, "without prune", w.results(), []string{
		"keep Sync Synced Succeeded: configmap/keep configured", "w2 Sync PruneSkipped Succeeded: ignored (requires pruning)",
		"w1 Sync PruneSkipped Succeeded: ignored (requires pruning)", "forever Sync PruneSkipped Succeeded: ignored (requires pruning)",
		"w0 Sync PruneSkipped Succeeded: ignored (requires pruning)", "last Sync PruneSkipped Succeeded: ignored (requires pruning)",
	})
	w = fresh()
	w.begin(app.SyncOperation{Prune: true})
	wantEnd(t, w.run(30), app.Succeeded, "successfully synced (all tasks run)")
	wantLines(t, "actions", w.done(), []string{"remove w2", "apply keep", "remove w1", "remove w0", "remove last"})
	wantLines(t, "live", w.names(), []string{"foreign", "forever", "keep"})

	w = fresh()
	w.stuck["w2"] = true
	w.begin(app.SyncOperation{Prune: true})
	w.run(15)
	wantEnd(t, w.state, app.Running, "waiting for deletion of /ConfigMap/w2")
	delete(w.live, manifest.Key{Kind: "ConfigMap", Namespace: "prod", Name: "w2"})
	wantEnd(t, w.run(15), app.Succeeded, "successfully synced (all tasks run)")

	w = fresh()
	w.app.Spec.SyncPolicy = &app.SyncPolicy{SyncOptions: []string{"Prune=confirm"}}
	w.begin(app.SyncOperation{Prune: true})
	w.run(10)
	if !strings.HasPrefix(w.state.Message, "waiting for pruning confirmation of /ConfigMap/w2") || slices.Contains(w.done(), "remove w2") {
		t.Error(w.state.Message, w.done())
	}
	w.app.Object.SetAnnotation(app.AnnotationApproved, w.now.Format(time.RFC3339))
	wantEnd(t, w.run(20), app.Succeeded, "successfully synced (all tasks run)")
}

func TestFailures(t *testing.T) {
	w := newWorld(t, stream(config("a"), config("b")))
	w.refuse["a"] = errInvalid
	w.begin(app.SyncOperation{})
	wantEnd(t, w.run(10), app.Failed, "one or more objects failed to apply (dry run)")
	wantLines(t, "results", w.results(), []string{"a Sync SyncFailed Failed: it is invalid"})
	wantLines(t, "live", w.names(), nil)

	w = newWorld(t, stream(config("a"), config("b"), workload, config("hook", "hook=Sync")))
	w.refuse["a"] = &manifest.Refusal{Code: 403, Reason: manifest.ReasonForbidden, Message: "you may not"}
	w.health["hook"] = "Progressing"
	w.begin(app.SyncOperation{})
	w.run(10)
	wantEnd(t, w.state, app.Running, "waiting for completion of hook /ConfigMap/hook")
	w.health["hook"] = "Healthy"
	wantEnd(t, w.run(10), app.Failed, "one or more objects failed to apply, reason: you may not")

	w = newWorld(t, config("a"))
	w.refuse["a"] = &manifest.Refusal{Code: 409, Reason: manifest.ReasonConflict}
	w.begin(app.SyncOperation{})
	w.run(5)
	if w.state.Phase != app.Running {
		t.Errorf("a conflict ends a sync: %s", w.state.Message)
	}
	delete(w.refuse, "a")
	wantEnd(t, w.run(5), app.Succeeded, "successfully synced (all tasks run)")
}

func TestMissingKind(t *testing.T) {
	crd := "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: foos.x.io}\nspec: {group: x.io, scope: Namespaced, names: {kind: Foo}}"
	foo := "apiVersion: x.io/v1\nkind: Foo\nmetadata: {name: foo}"
	w := newWorld(t, foo)
	w.unknown["Foo"] = true
	w.begin(app.SyncOperation{})
	wantEnd(t, w.run(10), app.Failed, "one or more synchronization tasks are not valid")
	wantLines(t, "results", w.results(), []string{
		`foo Sync SyncFailed Failed: The Kubernetes API could not find x.io/Foo for requested resource prod/foo. Make sure the "Foo" CRD is installed on the destination cluster.`,
	})
	w = newWorld(t, stream(foo, crd))
	w.unknown["Foo"] = true
	w.begin(app.SyncOperation{})
	w.run(4)
	wantEnd(t, w.state, app.Running, "waiting for healthy state of apiextensions.k8s.io/CustomResourceDefinition/foos.x.io")
	w.unknown["Foo"] = false
	wantEnd(t, w.run(10), app.Succeeded, "successfully synced (all tasks run)")
	wantLines(t, "actions", w.log, []string{"test foos.x.io", "apply foos.x.io", "apply foo"})
	if marked := w.live[manifest.Key{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition", Name: "foos.x.io"}].Annotation(app.AnnotationTracking); marked != "" {
		t.Errorf("a definition is tracked as %s", marked)
	}
	// What is known of the cluster is older than the loss of the definition: its object is tried again when it is made.
	w = newWorld(t, stream(foo, crd))
	w.refuse["foo"] = &manifest.Refusal{Code: 404, Reason: manifest.ReasonNoKind, Message: "no Foo"}
	w.begin(app.SyncOperation{})
	if w.run(8); w.state.Phase.Completed() {
		t.Errorf("it ended: %s %v", w.state.Message, w.results())
	}
	delete(w.refuse, "foo")
	wantEnd(t, w.run(10), app.Succeeded, "successfully synced (all tasks run)")
	w.refuse["foo"] = &manifest.Refusal{Code: 404, Reason: manifest.ReasonNoKind, Message: "no Foo"}
	w.begin(app.SyncOperation{})
	wantEnd(t, w.run(40), app.Failed, "one or more objects failed to apply, reason: no Foo")
	w = newWorld(t, foo)
	w.unknown["Foo"] = true
	w.begin(app.SyncOperation{SyncOptions: []string{"SkipDryRunOnMissingResource=true"}})
	w.run(10)
	wantLines(t, "actions", w.log, []string{"apply foo"})
}

func TestCreateNamespace(t *testing.T) {
	w := newWorld(t, stream(config("cm"), service))
	w.space = nil
	w.app.Spec.SyncPolicy = &app.SyncPolicy{SyncOptions: []string{"CreateNamespace=true"}}
	w.begin(app.SyncOperation{})
	wantEnd(t, w.run(20), app.Succeeded, "successfully synced (all tasks run)")
	wantLines(t, "actions", w.log, []string{"apply prod", "test cm", "test svc", "apply cm", "apply svc"})
	wantLines(t, "results", w.results()[:1], []string{"prod PreSync Synced Succeeded: namespace/prod created"})

	w = newWorld(t, config("cm"))
	w.space = nil
	w.refuse["cm"] = errInvalid
	w.app.Spec.SyncPolicy = &app.SyncPolicy{SyncOptions: []string{"CreateNamespace=true"}, ManagedNamespaceMetadata: &app.NamespaceMeta{Labels: map[string]string{"team": "a"}}}
	w.begin(app.SyncOperation{})
	wantEnd(t, w.run(20), app.Failed, "one or more objects failed to apply (dry run)")
	wantLines(t, "results", w.results(), []string{"prod PreSync Synced Running: namespace/prod serverside-applied", "cm Sync SyncFailed Failed: it is invalid"})
	if w.space.Labels()["team"] != "a" {
		t.Error(w.space)
	}
	w = newWorld(t, config("cm"))
	w.app.Spec.SyncPolicy = &app.SyncPolicy{SyncOptions: []string{"CreateNamespace=true"}}
	w.begin(app.SyncOperation{})
	w.run(20)
	wantLines(t, "a namespace that is there", w.done(), []string{"apply cm"})
}

func TestSelectiveAndDryRun(t *testing.T) {
	docs := stream(config("a"), config("b"), config("hook", "hook=PreSync"))
	w := newWorld(t, docs)
	w.begin(app.SyncOperation{Resources: []app.Chosen{{Kind: "ConfigMap", Name: "a"}}})
	s := w.run(10)
	wantLines(t, "selective", w.done(), []string{"apply a"})
	if s.Recorded() {
		t.Error("a selective sync is recorded")
	}
	w = newWorld(t, docs)
	w.begin(app.SyncOperation{Resources: []app.Chosen{{Kind: "ConfigMap", Name: "a", Exclude: true}}})
	w.run(10)
	wantLines(t, "all but one", w.done(), []string{"apply b"})
	w = newWorld(t, docs)
	w.begin(app.SyncOperation{SyncStrategy: &app.SyncStrategy{Apply: &app.ApplyStrategy{}}})
	w.run(10)
	wantLines(t, "apply strategy", w.done(), []string{"apply a", "apply b"})
	w = newWorld(t, docs)
	w.begin(app.SyncOperation{DryRun: true, Prune: true})
	wantEnd(t, w.run(10), app.Succeeded, "successfully synced (all tasks run)")
	wantLines(t, "dry run", w.log, []string{"test hook", "test a", "test b"})
	wantLines(t, "dry run's results", w.results(), []string{
		"hook PreSync Synced Succeeded: configmap/hook created (dry run)", "a Sync Synced Succeeded: configmap/a created (dry run)", "b Sync Synced Succeeded: configmap/b created (dry run)",
	})
	if len(w.live) > 0 || w.state.Recorded() {
		t.Error("a dry run leaves something")
	}
}

func TestOptions(t *testing.T) {
	find := func(policy []string, op app.SyncOperation, doc string, prepare func(*world)) app.Apply {
		w := newWorld(t, doc)
		if prepare != nil {
			prepare(w)
		}
		w.app.Spec.SyncPolicy = &app.SyncPolicy{SyncOptions: policy}
		w.begin(op)
		for range 10 {
			for _, a := range w.step().Actions {
				if a, ok := a.(app.Apply); ok && !a.DryRun {
					return a
				}
			}
		}
		t.Fatalf("nothing is applied: %s", w.state.Message)
		return app.Apply{}
	}
	if a := find(nil, app.SyncOperation{}, config("a"), nil); a.ServerSide || a.Replace || a.Force || !a.Validation {
		t.Errorf("%+v", a)
	}
	if a := find([]string{"ServerSideApply=true", "Validate=false"}, app.SyncOperation{}, config("a"), nil); !a.ServerSide || a.Validation || a.MigrateManager != "kubectl-client-side-apply" {
		t.Errorf("%+v", a)
	}
	if a := find([]string{"ServerSideApply=true", "ClientSideApplyMigration=false"}, app.SyncOperation{}, config("a"), nil); a.MigrateManager != "" {
		t.Errorf("%+v", a)
	}
	if a := find([]string{"ServerSideApply=true"}, app.SyncOperation{}, config("a", "sync-options=ServerSideApply=false"), nil); a.ServerSide {
		t.Errorf("%+v", a)
	}
	if a := find([]string{"ServerSideApply=true"}, app.SyncOperation{}, config("a", "sync-options=Force=true, Replace=true"), nil); a.ServerSide || !a.Replace || !a.Force {
		t.Errorf("%+v", a)
	}
	if a := find(nil, app.SyncOperation{SyncStrategy: &app.SyncStrategy{Hook: &app.ApplyStrategy{Force: true}}}, config("a"), nil); !a.Force {
		t.Errorf("%+v", a)
	}
	respect := func(w *world) {
		w.begin(app.SyncOperation{})
		w.run(10)
		k := manifest.Key{Kind: "ConfigMap", Namespace: "prod", Name: "a"}
		w.live[k].Set("by hand", "data", "a")
		w.app.Spec.IgnoreDifferences = []app.Ignore{{Kind: "ConfigMap", JSONPointers: []string{"/data/a"}}}
	}
	if a := find([]string{"RespectIgnoreDifferences=true"}, app.SyncOperation{}, config("a"), respect); a.Object.Text("data", "a") != "by hand" {
		t.Errorf("%v", a.Object)
	}
	if a := find(nil, app.SyncOperation{}, config("a"), respect); a.Object.Text("data", "a") != "b" {
		t.Errorf("%v", a.Object)
	}
}

func TestApplyOutOfSyncOnly(t *testing.T) {
	w := newWorld(t, stream(config("a"), config("b"), config("hook", "hook=PostSync")))
	w.begin(app.SyncOperation{})
	w.run(20)
	w.desired[0].Set("new", "data", "a")
	w.app.Spec.SyncPolicy = &app.SyncPolicy{SyncOptions: []string{"ApplyOutOfSyncOnly=true"}}
	w.begin(app.SyncOperation{})
	s := w.run(20)
	wantEnd(t, s, app.Succeeded, "successfully synced (no more tasks)")
	wantLines(t, "results", w.results(), []string{"a Sync Synced Succeeded: configmap/a configured", "hook PostSync Synced Succeeded: configmap/hook created"})
	if !s.Recorded() {
		t.Error("the sync is not recorded")
	}
}

func TestShared(t *testing.T) {
	w := newWorld(t, config("a"))
	other := objects(t, config("a"))[0]
	other.Set("prod", "metadata", "namespace")
	(app.Tracking{App: "other"}).Mark(other, "prod")
	w.live[other.Key()] = other
	c := w.compare()
	if len(c.Conditions) != 1 || c.Conditions[0].Type != "SharedResourceWarning" || c.Conditions[0].Message != "ConfigMap/a is part of applications argocd/shop and other" {
		t.Errorf("%+v", c.Conditions)
	}
	w.begin(app.SyncOperation{SyncOptions: []string{"FailOnSharedResource=true"}})
	wantEnd(t, w.run(5), app.Failed, "Shared resource found: ConfigMap/a is part of applications argocd/shop and other")
}

func TestTerminate(t *testing.T) {
	w := newWorld(t, stream(config("runs", "hook=PreSync"), config("ended", "hook=PreSync", "hook-delete-policy=HookFailed"), workload))
	w.health = map[string]string{"runs": "Progressing", "ended": "Healthy"}
	w.begin(app.SyncOperation{})
	w.run(5)
	w.state.Phase = app.Terminating
	wantEnd(t, w.run(3), app.Failed, "Operation terminated")
	wantLines(t, "results", w.results(), []string{"ended PreSync Synced Succeeded: configmap/ended created", "runs PreSync Synced Failed: Terminated"})
	wantLines(t, "live", w.names(), []string{"ended"})
}

// A hook whose object goes away without its end having been seen is not waited for.
func TestHookGone(t *testing.T) {
	w := newWorld(t, stream(config("hook", "hook=PreSync"), workload))
	w.health["hook"] = "Progressing"
	w.begin(app.SyncOperation{})
	w.run(5)
	delete(w.live, manifest.Key{Kind: "ConfigMap", Namespace: "prod", Name: "hook"})
	wantEnd(t, w.run(20), app.Failed, "one or more synchronization tasks completed unsuccessfully")
}

// A Secret's values are not in what a sync says, though the server quotes them.
func TestSecretRefused(t *testing.T) {
	w := newWorld(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: CANARY}")
	w.refuse["s"] = &manifest.Refusal{Code: 422, Reason: manifest.ReasonInvalid, Message: `Secret "s" is invalid: data[a]: Invalid value: "CANARY", Q0FOQVJZ`}
	w.begin(app.SyncOperation{})
	w.run(5)
	text := strings.Join(w.results(), "\n") + w.state.Message
	if strings.Contains(text, "CANARY") || strings.Contains(text, "Q0FOQVJZ") || !strings.Contains(text, `Secret "s" is invalid`) {
		t.Error(text)
	}
}

// A hook that succeeded in a sync that fails stays, though its policy is HookFailed.
func TestHookFailedPolicy(t *testing.T) {
	w := newWorld(t, stream(config("good", "hook=PreSync", "hook-delete-policy=HookFailed"), config("bad", "hook=PreSync", "hook-delete-policy=HookFailed")))
	w.health = map[string]string{"good": "Healthy", "bad": "Degraded"}
	w.begin(app.SyncOperation{})
	wantEnd(t, w.run(20), app.Failed, "one or more synchronization tasks completed unsuccessfully")
	wantLines(t, "live", w.names(), []string{"good"})
}

// A hook of an operation whose end was never seen still has its finalizer; the next operation takes it off, or nothing could
// be made in its place.
func TestHookLeftBehind(t *testing.T) {
	w := newWorld(t, config("hook", "hook=PreSync"))
	w.health["hook"] = "Progressing"
	w.begin(app.SyncOperation{})
	w.run(5)
	w.health["hook"] = "Healthy"
	w.begin(app.SyncOperation{})
	wantEnd(t, w.run(20), app.Succeeded, "successfully synced (no more tasks)")
	wantLines(t, "actions", w.done(), []string{"remove hook", "apply hook"})
}

// A controller that was killed between making hooks and recording that they are made leaves them to the next, which makes none
// again; a retry does.
func TestHookMadeOnce(t *testing.T) {
	w := newWorld(t, stream(config("both", "hook=PreSync,PostSync"), config("kept", "hook=PreSync", "hook-delete-policy=HookSucceeded"), workload))
	w.health["both"], w.health["kept"] = "Progressing", "Progressing"
	w.begin(app.SyncOperation{})
	applied := func(name string) bool { return slices.Contains(w.done(), "apply "+name) }
	for before := w.state; ; before = w.state {
		if w.step(); applied("both") && applied("kept") {
			w.state, w.answers, w.applied = before, nil, time.Time{}
			break
		}
	}
	w.log = nil
	w.run(5)
	wantLines(t, "results after the kill", w.results(), []string{"both PreSync Synced Running: configmap/both created", "kept PreSync Synced Running: configmap/kept created"})
	wantLines(t, "done after the kill", w.done(), nil)
	w.health["both"], w.health["kept"] = "Healthy", "Healthy"
	wantEnd(t, w.run(20), app.Succeeded, "successfully synced (no more tasks)")
	wantLines(t, "done until the end", w.done(), []string{"apply web", "remove both", "apply both", "remove kept"})
	w.state.Phase, w.state.RetryCount = app.Running, 1
	w.state = w.state.Again()
	w.log = nil
	wantEnd(t, w.run(30), app.Succeeded, "successfully synced (no more tasks)")
	wantLines(t, "done in the retry", w.done(), []string{"remove both", "apply both", "apply kept", "apply web", "remove both", "apply both", "remove kept"})
}

// What the cluster shows right after an apply may be old, so it does not fail a sync.
func TestStaleHealth(t *testing.T) {
	w := newWorld(t, stream(workload, config("b", "sync-wave=1")))
	w.delay, w.health["web"] = 0, "Degraded"
	w.begin(app.SyncOperation{})
	for w.step(); !slices.Contains(w.done(), "apply web"); w.step() {
	}
	w.step()
	w.health["web"] = "Healthy"
	wantEnd(t, w.run(20), app.Succeeded, "successfully synced (all tasks run)")
}
