package main

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// hookAt is a result of a Pod that is a hook.
func (s *site) hookAt(name, phase string, hook application.OperationPhase, message string) want {
	return result(application.ResourceResult{
		Version: "v1", Kind: "Pod", Namespace: s.space, Name: name, Status: "Synced", Message: message, HookType: phase, HookPhase: hook, SyncPhase: phase,
	})
}

// letGo waits until a Pod is there without Argo's finalizer.
func (s *site) letGo(name string) {
	s.Helper()
	s.eventually("the hook "+name+" is let go", func() bool {
		o := s.get(podKind, name)
		return o != nil && !slices.Contains(o.List("metadata", "finalizers"), any(application.HookFinalizer))
	})
}

// absent waits until there is no such Pod.
func (s *site) absent(name string) {
	s.Helper()
	s.eventually("there is no Pod "+name, func() bool { return s.get(podKind, name) == nil })
}

const hookKey, policyKey = "argocd.argoproj.io/hook", "argocd.argoproj.io/hook-delete-policy"

// hookPod is a Pod that is a hook.
func hookPod(name, phase, policy, command string) string {
	text := `apiVersion: v1
kind: Pod
metadata:
  annotations:
    argocd.argoproj.io/hook: ` + phase + `
    argocd.argoproj.io/hook-delete-policy: ` + policy + `
  name: ` + name + `
spec:
  containers:
    - command: ["/bin/sh", "-c", "--"]
      args: ["` + command + `"]
      image: quay.io/argoprojlabs/argocd-e2e-container:0.1
      imagePullPolicy: IfNotPresent
      name: main
  terminationGracePeriodSeconds: 1
  restartPolicy: Never
`
	if policy == "" {
		text = strings.Replace(text, "    argocd.argoproj.io/hook-delete-policy: \n", "", 1)
	}
	return text
}

// hookScenarios are those of hook_test.go and the hooks of helm_test.go and cluster_objects_test.go.
func hookScenarios() []scenario {
	out := []scenario{
		{name: "hook: PreDelete", path: "pre-delete-hook", run: func(s *site) {
			s.create()
			s.sync()
			s.expect(succeeded, inSync)
			s.is(s.get(configMapKind, "guestbook-ui") != nil, "the ConfigMap is not there")
			s.must("delete")
			s.gone()
			s.absent("hook")
			s.is(s.get(configMapKind, "guestbook-ui") == nil, "the ConfigMap is left")
		}},
		{name: "hook: PreDelete fails and is mended", path: "pre-delete-hook", run: func(s *site) {
			s.edit("hook.yaml", commanded("false"))
			s.create()
			s.sync()
			s.expect(inSync)
			s.must("delete", "--wait=false")
			s.expect(condition("DeletionError", ""))
			s.edit("hook.yaml", commanded("sleep", "1"))
			s.sluice("refresh")
			s.gone()
		}},
		{name: "hook: PostDelete", path: "post-delete-hook", run: func(s *site) {
			s.create()
			s.refresh()
			s.must("delete")
			s.gone()
			s.is(s.get(podKind, "hook") != nil, "the hook was not made, or was deleted")
		}},
		{name: "hook: PreSync fails", path: "hook", run: func(s *site) {
			s.edit("hook.yaml", both(annotated(hookKey, "PreSync"), commanded("false")))
			s.create()
			r := s.sync()
			s.is(r.code == exitFailed, "sync ended with %d", r.code)
			s.expect(outOfSyncs, failed, results(1), s.hookAt("hook", "PreSync", application.Failed, `container "main" failed with exit code 1`),
				resource("Pod", "pod", application.OutOfSync, "Missing"))
			s.letGo("hook")
		}},
		{name: "hook: Sync fails", path: "hook", run: func(s *site) {
			s.edit("hook.yaml", commanded("false"))
			s.create()
			s.sync()
			s.expect(failed, inSync, results(2), resource("Pod", "pod", application.Synced, ""))
			s.letGo("hook")
		}},
		{name: "hook: a Deployment that is not ready does not hold it", path: "hook-and-deployment", run: func(s *site) {
			s.create()
			s.sync()
			s.expect(succeeded, inSync, healthIs("Progressing"))
		}},
		{name: "hook: PostSync fails", path: "hook", run: func(s *site) {
			s.edit("hook.yaml", both(annotated(hookKey, "PostSync"), commanded("false")))
			s.create()
			s.sync()
			s.expect(failed, inSync, results(2), resource("Pod", "pod", application.Synced, ""))
			s.letGo("hook")
		}},
		{name: "hook: PostSync does not run after a Pod that fails", path: "hook", run: func(s *site) {
			s.edit("hook.yaml", annotated(hookKey, "PostSync"))
			s.edit("pod.yaml", commanded("false"))
			s.create()
			s.sync()
			s.expect(inSync, resource("Pod", "pod", application.Synced, "Degraded"), results(1))
			s.is(s.get(podKind, "hook") == nil, "the hook ran")
		}},
		{name: "hook: SyncFail runs", path: "hook", run: func(s *site) {
			s.write("sync-fail-hook.yaml", hookPod("sync-fail-hook", "SyncFail", "", "true"))
			s.edit("hook.yaml", both(annotated(hookKey, "PostSync"), commanded("false")))
			s.create()
			s.sync()
			s.expect(failed, s.hookAt("sync-fail-hook", "SyncFail", application.Succeeded, "pod/sync-fail-hook created"))
		}},
		{name: "hook: SyncFail fails too", path: "hook", run: func(s *site) {
			s.write("good.yaml", hookPod("good", "SyncFail", "", "true"))
			s.write("bad.yaml", hookPod("bad", "SyncFail", "", "false"))
			s.edit("hook.yaml", both(annotated(hookKey, "PostSync"), commanded("false")))
			s.create()
			s.sync()
			s.expect(failed, results(4), s.hookAt("good", "SyncFail", application.Succeeded, "pod/good created"),
				s.hookAt("bad", "SyncFail", application.Failed, `container "main" failed with exit code 1`))
			s.letGo("bad")
		}},
		{name: "hook: one that cannot be applied waits for others", path: "hook", run: func(s *site) {
			there := hookPod("invalid-hook", "Sync", "HookFailed", "true")
			s.apply(there)
			s.write("invalid-hook.yaml", strings.Replace(there, "name: main", "name: immutable", 1))
			s.create()
			s.sync()
			s.expect(failed, results(3), s.hookAt("hook", "Sync", application.Succeeded, "pod/hook created"), result(application.ResourceResult{
				Version: "v1", Kind: "Pod", Namespace: s.space, Name: "invalid-hook", Status: "SyncFailed", Message: `Pod "invalid-hook" is invalid`,
				HookType: "Sync", HookPhase: application.Failed, SyncPhase: "Sync",
			}))
			s.letGo("hook")
		}},
		{name: "hook: a SyncFail hook that cannot be applied waits for others", path: "hook", run: func(s *site) {
			there := hookPod("invalid-hook", "SyncFail", "HookSucceeded", "true")
			s.apply(there)
			s.write("good.yaml", hookPod("good", "SyncFail", "", "true"))
			s.write("invalid-hook.yaml", strings.Replace(there, "name: main", "name: immutable", 1))
			s.edit("hook.yaml", commanded("false"))
			s.create()
			s.sync()
			s.expect(failed, results(4), s.hookAt("good", "SyncFail", application.Succeeded, "pod/good created"), result(application.ResourceResult{
				Version: "v1", Kind: "Pod", Namespace: s.space, Name: "invalid-hook", Status: "SyncFailed", Message: `Pod "invalid-hook" is invalid`,
				HookType: "SyncFail", HookPhase: application.Failed, SyncPhase: "SyncFail",
			}))
			s.letGo("good")
		}},
		{name: "hook: BeforeHookCreation runs it again", path: "hook", run: func(s *site) {
			s.edit("hook.yaml", func(o manifest.Object) { o.SetAnnotation(policyKey, "BeforeHookCreation") })
			s.create()
			s.sync()
			s.expect(succeeded, inSync, healthy, results(2))
			first := s.get(podKind, "hook").UID()
			s.sync()
			s.expect(succeeded, inSync, healthy, results(2))
			second := s.get(podKind, "hook")
			s.is(second != nil && second.UID() != first, "the hook is the same")
		}},
		{name: "hook: terminated while it runs", path: "hook", run: func(s *site) {
			s.edit("hook.yaml", both(func(o manifest.Object) { o.SetAnnotation(policyKey, "BeforeHookCreation") }, commanded("sleep", "30"), set(int64(1), "spec", "terminationGracePeriodSeconds")))
			s.create()
			s.sync("--async")
			s.expect(phased(application.Running), s.hookAt("hook", "Sync", application.Running, ""))
			s.must("terminate")
			s.expect(failed, results(2))
		}},
		{name: "hook: Skip", path: "hook", run: func(s *site) {
			s.edit("pod.yaml", annotated(hookKey, "Skip"))
			s.create()
			s.sync()
			s.expect(succeeded, results(1))
			s.is(s.get(podKind, "pod") == nil, "the Pod was made")
		}},
		{name: "hook: a resource without a name fails", path: "hook", run: func(s *site) {
			s.edit("pod.yaml", func(o manifest.Object) { o.Drop("metadata", "name") })
			s.create()
			s.sync()
			s.expect(failed)
		}},
		{name: "hook: one without a name is given one", path: "hook", run: func(s *site) {
			s.edit("hook.yaml", both(func(o manifest.Object) { o.Drop("metadata", "name") }, annotated(hookKey, "PreSync,PostSync")))
			s.create()
			s.sync()
			a := s.expect(succeeded, inSync, results(3))
			r := a.Status.OperationState.SyncResult.Resources
			s.is(strings.Contains(r[0].Name, "presync") && strings.Contains(r[2].Name, "postsync"), "they are called %s and %s", r[0].Name, r[2].Name)
		}},
		{name: "hook: termination with hooks that run and hooks that have ended", path: "hook", run: terminationWithHooks},
		{name: "helm: hooks are made", path: "hook", run: func(s *site) {
			s.edit("hook.yaml", annotated("helm.sh/hook", "pre-install"))
			s.create()
			s.sync()
			s.expect(succeeded, inSync, healthy, s.hookAt("hook", "PreSync", application.Succeeded, "pod/hook created"))
		}},
		{name: "helm: a hook's weight is its wave", path: "hook", run: func(s *site) {
			s.edit("hook.yaml", both(annotated(hookKey, "Sync", "helm.sh/hook-weight", "-1"), commanded("false")))
			s.create()
			s.sync()
			s.expect(failed, results(1))
		}},
		{name: "helm: a hook's deletion policy", path: "hook", run: func(s *site) {
			s.edit("hook.yaml", func(o manifest.Object) { o.SetAnnotation("helm.sh/hook-delete-policy", "hook-succeeded") })
			s.create()
			s.sync()
			s.expect(succeeded, results(2))
			s.absent("hook")
		}},
		{name: "hook: a cluster's object", path: "cluster-role-hook", run: func(s *site) {
			name := "binding-" + s.app
			s.edit("cluster-role.yaml", set(name, "metadata", "name"))
			s.create()
			s.sync()
			s.expect(succeeded, inSync, healthy)
			s.is(s.get(manifest.Kind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRoleBinding"}, name) != nil, "the hook is not there")
			s.w.kube.Do(s.T, "DELETE", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/"+name, "", nil)
		}},
		{name: "selective: hooks do not run", path: "hook", run: func(s *site) {
			s.create()
			s.sync("--resource", ":Pod:pod")
			s.expect(succeeded, inSync, healthy, resource("Pod", "pod", application.Synced, "Healthy"), results(1))
		}},
	}
	for _, phase := range []string{"PreSync", "Sync", "PostSync"} {
		out = append(out, scenario{name: "hook: " + phase + " succeeds", path: "hook", run: func(s *site) {
			s.edit("hook.yaml", annotated(hookKey, phase))
			s.create()
			r := s.sync()
			s.is(r.code == 0, "sync ended with %d: %s%s", r.code, r.out, r.err)
			s.expect(succeeded, inSync, resource("Pod", "pod", application.Synced, "Healthy"), results(2),
				s.hookAt("hook", phase, application.Succeeded, "pod/hook created"))
			s.letGo("hook")
		}})
	}
	for _, p := range []struct {
		policy, command string
		left            bool
	}{{"HookSucceeded", "true", false}, {"HookSucceeded", "false", true}, {"HookFailed", "true", true}, {"HookFailed", "false", false}} {
		out = append(out, scenario{name: "hook: the policy " + p.policy + " of one that says " + p.command, path: "hook", run: func(s *site) {
			s.edit("hook.yaml", both(func(o manifest.Object) { o.SetAnnotation(policyKey, p.policy) }, commanded(p.command)))
			s.create()
			s.sync()
			ends := succeeded
			if p.command == "false" {
				ends = failed
			}
			s.expect(ends, results(2))
			if p.left {
				s.letGo("hook")
			} else {
				s.absent("hook")
			}
		}})
	}
	return out
}

func terminationWithHooks(s *site) {
	for _, policy := range []string{"HookSucceeded", "BeforeHookCreation", "HookFailed"} {
		low := strings.ToLower(policy)
		s.write("running-"+low+".yaml", hookPod("running-"+low, "PreSync", policy, "trap exit TERM; sleep 300 & wait"))
		s.write("complete-"+low+".yaml", hookPod("complete-"+low, "PreSync", policy, "true"))
	}
	s.create()
	s.sync("--async")
	wants := []want{phased(application.Running), results(6)}
	ends := []want{failed}
	for _, policy := range []string{"HookSucceeded", "BeforeHookCreation", "HookFailed"} {
		low := strings.ToLower(policy)
		wants = append(wants, s.hookAt("complete-"+low, "PreSync", application.Succeeded, "pod/complete-"+low+" created"))
		ends = append(ends, s.hookAt("running-"+low, "PreSync", application.Failed, "Terminated"))
	}
	s.expect(wants...)
	s.must("terminate")
	s.expect(ends...)
	for _, policy := range []string{"hooksucceeded", "beforehookcreation", "hookfailed"} {
		s.eventually("running-"+policy+" goes", func() bool {
			o := s.get(podKind, "running-"+policy)
			return o == nil || o.Deleting() && !slices.Contains(o.List("metadata", "finalizers"), any(application.HookFinalizer))
		})
		s.letGo("complete-" + policy)
	}
}
