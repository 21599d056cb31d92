package argo

import "strings"

// The words that fields hold, each with what becomes of it. docs/argo.md lists them.

// means is a word that works, with what is worth knowing of it.
func means(word, note string) Row { return Row{Path: word, Support: Works, Note: note} }

// SyncOptions are the sync options (Argo CD, "Sync Options"), with the values that they may have.
var SyncOptions = []Row{
	works("ApplyOutOfSyncOnly=true"),
	means("ClientSideApplyMigration=false", "leaves the fields of kubectl's client-side apply to their manager when ServerSideApply begins"),
	works("CreateNamespace=true"),
	means("Delete=false|confirm", "at an object too; Helm's resource-policy keep means the same"),
	works("FailOnSharedResource=true"),
	means("Force=true", "at an object too"),
	means("Prune=false|confirm", "at an object too"),
	means("PruneLast=true", "at an object too"),
	works("PrunePropagationPolicy=foreground|background|orphan"),
	means("Replace=true", "at an object too"),
	works("RespectIgnoreDifferences=true"),
	means("ServerSideApply=true|false", "at an object too"),
	means("SkipDryRunOnMissingResource=true", "at an object too"),
	means("Validate=false", "at an object too"),
}

// optionName is an option without its values.
func optionName(r Row) string {
	name, _, _ := strings.Cut(r.Path, "=")
	return name
}

// CompareOptions are the words of argocd.argoproj.io/compare-options (Argo CD, "Compare Options", "Diff Strategies").
var CompareOptions = []Row{
	means("IgnoreExtraneous", "at an object"),
	means("ServerSideDiff=true|false", "at an Application"),
	means("IncludeMutationWebhook=true", "at an Application"),
}

// Hooks are the hooks (Argo CD, "Sync Phases and Waves") and Helm's, as Argo CD maps them.
var Hooks = []Row{
	means("PreSync", "Helm: pre-install, pre-upgrade"),
	works("Sync"),
	means("PostSync", "Helm: post-install, post-upgrade"),
	works("SyncFail"),
	means("PreDelete", "Helm: pre-delete"),
	means("PostDelete", "Helm: post-delete"),
	means("Skip", "Helm: hooks that Argo CD does not map, test and rollback among them"),
}

// HookPolicies are when hooks are deleted.
var HookPolicies = []Row{
	means("BeforeHookCreation", "where none is given; Helm: before-hook-creation"),
	means("HookSucceeded", "Helm: hook-succeeded"),
	means("HookFailed", "Helm: hook-failed"),
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
	means("others", "by the scripts that Argo CD ships and by those of your own: [health](health.md)"),
}

// Annotations are what Applications and objects are annotated with, beside the options and hooks above.
var Annotations = []Row{
	means("argocd.argoproj.io/sync-wave", "Helm's hook-weight where there is none"),
	means("argocd.argoproj.io/refresh", "normal or hard, at an Application"),
	means("argocd.argoproj.io/application-set-refresh", "at an ApplicationSet"),
	works("argocd.argoproj.io/tracking-id"),
	works("argocd.argoproj.io/deletion-approved"),
	works("argocd.argoproj.io/ignore-healthcheck"),
	works("argocd.argoproj.io/skip-reconcile"),
	noted("argocd.argoproj.io/manifest-generate-paths", "not read: every commit is compared, and what was rendered before is not rendered again"),
	noted("notifications.argoproj.io/…", "not read: no notifications are sent"),
	means("sluice.dev/strategy", "our own, at a Deployment: [a Rollout without changing the kind](rollouts.md)"),
	means("sluice.dev/soak", "our own, at an ApplicationSet: [how long a step lasts](applicationsets.md#across-clusters)"),
	means("sluice.dev/analysis", "our own, at an ApplicationSet: [what is measured after a step](applicationsets.md#across-clusters)"),
	means("sluice.dev/analysis-args", "our own, at an ApplicationSet: what those analyses are given"),
	means("sluice.dev/cut-over", "our own, at an ApplicationSet: [all blue-green Rollouts at once](applicationsets.md#across-clusters)"),
	means("sluice.dev/operation", "our own, put on hooks: [the operation that made it](deliver.md#moving-here-and-back)"),
}
