package argo

import "slices"

// all are rows of fields that work, below one prefix.
func all(prefix string, names ...string) []Row {
	out := make([]Row, len(names))
	for i, n := range names {
		out[i] = works(prefix + n)
	}
	return out
}

var applicationRows = slices.Concat(
	[]Row{
		works("spec.source"),
		noted("spec.source.repoURL", "git and Helm repositories; a chart of an OCI registry is refused when it is asked for. Where `sluice deliver` and `sluice up` hold the file, none or a relative one is the repository that the file stands in"),
		works("spec.source.path"),
		works("spec.source.targetRevision"),
		works("spec.source.tagPrefix"),
		works("spec.source.chart"),
		works("spec.source.ref"),
		noted("spec.source.name", "kept; no command refers to sources by it"),
		works("spec.source.helm"),
	},
	all("spec.source.helm.", "valueFiles", "parameters", "parameters.name", "parameters.value", "parameters.forceString", "releaseName", "values", "valuesObject",
		"fileParameters", "fileParameters.name", "fileParameters.path"),
	[]Row{noted("spec.source.helm.version", "charts are rendered by the Helm that is built in, whatever the version")},
	all("spec.source.helm.", "passCredentials", "ignoreMissingValueFiles", "skipCrds", "namespace", "kubeVersion", "apiVersions", "skipTests", "skipSchemaValidation"),
	all("spec.source.", "kustomize", "kustomize.namePrefix", "kustomize.nameSuffix", "kustomize.images", "kustomize.commonLabels"),
	[]Row{warned("spec.source.kustomize.version", "the Kustomize that is built in builds, whatever the version")},
	all("spec.source.kustomize.", "commonAnnotations", "forceCommonLabels", "forceCommonAnnotations", "namespace", "commonAnnotationsEnvsubst", "replicas",
		"replicas.name", "replicas.count", "patches", "patches.path", "patches.patch", "patches.target", "patches.options"),
	[]Row{
		noted("spec.source.kustomize.components", "folders of the repository; remote ones are refused when they are rendered"),
		works("spec.source.kustomize.ignoreMissingComponents"),
		works("spec.source.kustomize.labelWithoutSelector"),
		works("spec.source.kustomize.labelIncludeTemplates"),
		warned("spec.source.kustomize.kubeVersion", "it matters to helmCharts of a kustomization alone, and those are refused"),
		warned("spec.source.kustomize.apiVersions", "it matters to helmCharts of a kustomization alone, and those are refused"),
	},
	all("spec.source.", "directory", "directory.recurse", "directory.jsonnet", "directory.jsonnet.extVars", "directory.jsonnet.extVars.name",
		"directory.jsonnet.extVars.value", "directory.jsonnet.extVars.code", "directory.jsonnet.tlas", "directory.jsonnet.libs", "directory.exclude", "directory.include"),
	[]Row{
		refused("spec.source.plugin", "config management plugins are not supported", "render in a pipeline and commit the result"),
		works("spec.sources"),
		refused("spec.sourceHydrator", "the source hydrator is not supported", "point source at the branch that holds the manifests"),
		works("spec.destination"),
		works("spec.destination.server"),
		noted("spec.destination.name", "`in-cluster` is the cluster that is delivered to, `local` the local target; others are Secrets with the label `argocd.argoproj.io/secret-type: cluster`"),
		works("spec.destination.namespace"),
		works("spec.project"),
	},
	all("spec.syncPolicy", "", ".automated", ".automated.prune", ".automated.selfHeal", ".automated.allowEmpty", ".automated.enabled"),
	[]Row{noted("spec.syncPolicy.syncOptions", "[see below](#sync-options)")},
	all("spec.syncPolicy.", "retry", "retry.limit", "retry.backoff", "retry.backoff.duration", "retry.backoff.factor", "retry.backoff.maxDuration", "retry.refresh",
		"managedNamespaceMetadata", "managedNamespaceMetadata.labels", "managedNamespaceMetadata.annotations"),
	all("spec.ignoreDifferences", "", ".group", ".kind", ".name", ".namespace", ".jsonPointers", ".jqPathExpressions", ".managedFieldsManagers"),
	all("spec.", "info", "info.name", "info.value", "revisionHistoryLimit"),
	all("operation.", "sync", "sync.revision", "sync.revisions", "sync.prune", "sync.dryRun", "sync.syncStrategy", "sync.syncStrategy.apply", "sync.syncStrategy.apply.force",
		"sync.syncStrategy.hook", "sync.resources", "sync.resources.group", "sync.resources.kind", "sync.resources.name", "sync.resources.namespace", "sync.resources.exclude",
		"sync.source", "sync.sources", "sync.manifests", "sync.syncOptions"),
	[]Row{
		noted("operation.sync.autoHealAttemptsCount", "an older name that is kept; selfHealAttemptsCount counts"),
		works("operation.sync.selfHealAttemptsCount"),
	},
	all("operation.", "initiatedBy", "initiatedBy.username", "initiatedBy.automated", "info", "retry"),
)

var projectRows = slices.Concat(
	all("spec.", "description", "sourceRepos", "destinations", "destinations.server", "destinations.name", "destinations.namespace"),
	[]Row{
		warned("spec.roles", "who may do what is decided where Sluice is called: by the kubeconfig and by this machine's users"),
		noted("spec.roles.name", "kept"),
		noted("spec.roles.description", "kept"),
		noted("spec.roles.policies", "kept"),
		noted("spec.roles.groups", "kept"),
		noted("spec.roles.jwtTokens", "kept"),
	},
	all("spec.", "clusterResourceWhitelist", "clusterResourceWhitelist.group", "clusterResourceWhitelist.kind", "clusterResourceWhitelist.name",
		"clusterResourceBlacklist", "namespaceResourceBlacklist", "namespaceResourceWhitelist", "orphanedResources", "orphanedResources.warn", "orphanedResources.ignore"),
	all("spec.syncWindows", "", ".kind", ".schedule", ".duration", ".applications", ".namespaces", ".clusters", ".manualSync", ".timeZone", ".andOperator", ".description", ".syncOverrun"),
	[]Row{
		works("spec.sourceNamespaces"),
		works("spec.permitOnlyProjectScopedClusters"),
		works("spec.destinationServiceAccounts"), works("spec.destinationServiceAccounts.server"), works("spec.destinationServiceAccounts.namespace"),
		works("spec.destinationServiceAccounts.defaultServiceAccount"),
		refused("spec.signatureKeys", "signatures of commits are not checked", "check them in a pipeline before the branch moves"),
		refused("spec.sourceIntegrity", "signatures of commits are not checked", "check them in a pipeline before the branch moves"),
	},
)
