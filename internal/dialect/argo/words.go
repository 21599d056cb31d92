package argo

import "strings"

// The words that fields hold, each with what becomes of it. docs/argo.md lists them.

// SyncOptions are the sync options (Argo CD, "Sync Options"), with the values that they may have.
var SyncOptions = []Row{
	works("ApplyOutOfSyncOnly=true"),
	noted("ClientSideApplyMigration=false", "leaves the fields of kubectl's client-side apply to their manager when ServerSideApply begins"),
	works("CreateNamespace=true"),
	noted("Delete=false|confirm", "at an object too; Helm's resource-policy keep means the same"),
	works("FailOnSharedResource=true"),
	noted("Force=true", "at an object too"),
	noted("Prune=false|confirm", "at an object too"),
	noted("PruneLast=true", "at an object too"),
	works("PrunePropagationPolicy=foreground|background|orphan"),
	noted("Replace=true", "at an object too"),
	works("RespectIgnoreDifferences=true"),
	noted("ServerSideApply=true|false", "at an object too"),
	noted("SkipDryRunOnMissingResource=true", "at an object too"),
	noted("Validate=false", "at an object too"),
}

// optionName is an option without its values.
func optionName(r Row) string {
	name, _, _ := strings.Cut(r.Path, "=")
	return name
}

// CompareOptions are the words of argocd.argoproj.io/compare-options (Argo CD, "Compare Options", "Diff Strategies").
var CompareOptions = []Row{
	noted("IgnoreExtraneous", "at an object"),
	noted("ServerSideDiff=true|false", "at an Application"),
	noted("IncludeMutationWebhook=true", "at an Application"),
}

// Hooks are the hooks (Argo CD, "Sync Phases and Waves") and Helm's, as Argo CD maps them.
var Hooks = []Row{
	noted("PreSync", "Helm: pre-install, pre-upgrade"),
	works("Sync"),
	noted("PostSync", "Helm: post-install, post-upgrade"),
	works("SyncFail"),
	noted("PreDelete", "Helm: pre-delete"),
	noted("PostDelete", "Helm: post-delete"),
	noted("Skip", "Helm: hooks that Argo CD does not map, test and rollback among them"),
}

// HookPolicies are when hooks are deleted.
var HookPolicies = []Row{
	noted("BeforeHookCreation", "where none is given; Helm: before-hook-creation"),
	noted("HookSucceeded", "Helm: hook-succeeded"),
	noted("HookFailed", "Helm: hook-failed"),
}

// Providers are what metrics are measured with (Argo Rollouts, "Analysis").
var Providers = []Row{
	works("prometheus"), works("web"), works("job"),
	judged("cloudWatch", unmeasured), judged("datadog", unmeasured), judged("graphite", unmeasured), judged("influxdb", unmeasured), judged("kayenta", unmeasured),
	judged("newRelic", unmeasured), judged("plugin", unmeasured), judged("skywalking", unmeasured), judged("wavefront", unmeasured),
}

const unmeasured = "not supported yet; a measurement with it ends in Error"

// HealthKinds are the kinds that are assessed without a script.
var HealthKinds = []Row{
	works("apps/Deployment"), works("apps/ReplicaSet"), works("apps/StatefulSet"), works("apps/DaemonSet"), works("Pod"), works("batch/Job"), works("Service"),
	works("networking.k8s.io/Ingress"), works("PersistentVolumeClaim"), works("autoscaling/HorizontalPodAutoscaler"), works("apiregistration.k8s.io/APIService"),
	works("argoproj.io/Workflow"),
	noted("others", "by the scripts that Argo CD ships and by those of your own: [health](health.md)"),
}

// Annotations are what Applications and objects are annotated with, beside the options and hooks above.
var Annotations = []Row{
	noted("argocd.argoproj.io/sync-wave", "Helm's hook-weight where there is none"),
	noted("argocd.argoproj.io/refresh", "normal or hard, at an Application or an ApplicationSet"),
	works("argocd.argoproj.io/tracking-id"),
	works("argocd.argoproj.io/deletion-approved"),
	works("argocd.argoproj.io/ignore-healthcheck"),
	noted("argocd.argoproj.io/manifest-generate-paths", "not read: every commit is compared, and what was rendered before is not rendered again"),
	noted("notifications.argoproj.io/…", "not read: no notifications are sent"),
	noted("sluice.dev/strategy", "our own, at a Deployment: [a Rollout without changing the kind](rollouts.md)"),
}
