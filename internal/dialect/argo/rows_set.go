package argo

import "slices"

const (
	aTemplate = "an Application's metadata and spec, as in spec.template, put over it"
	supported = "GitHub, GitLab and Gitea are supported"
)

var setRows = slices.Concat(
	all("spec.", "goTemplate", "goTemplateOptions", "generators", "generators.list", "generators.list.elements", "generators.list.elementsYaml"),
	[]Row{noted("spec.generators.list.template", aTemplate)},
	all("spec.generators.clusters", "", ".selector"),
	[]Row{noted("spec.generators.clusters.template", aTemplate)},
	all("spec.generators.clusters.", "values", "flatList"),
	all("spec.generators.git", "", ".repoURL", ".directories", ".directories.path", ".directories.exclude", ".files", ".revision", ".requeueAfterSeconds"),
	[]Row{noted("spec.generators.git.template", aTemplate)},
	all("spec.generators.git.", "pathParamPrefix", "values"),
	all("spec.generators.scmProvider", "", ".github", ".gitlab", ".gitea"),
	[]Row{
		refused("spec.generators.scmProvider.bitbucket", "Bitbucket is not asked", supported),
		refused("spec.generators.scmProvider.bitbucketServer", "Bitbucket is not asked", supported),
		refused("spec.generators.scmProvider.azureDevOps", "Azure DevOps is not asked", supported),
		refused("spec.generators.scmProvider.awsCodeCommit", "AWS CodeCommit is not asked", supported),
	},
	all("spec.generators.scmProvider.", "filters", "filters.repositoryMatch", "filters.pathsExist", "filters.pathsDoNotExist", "filters.labelMatch", "filters.branchMatch",
		"cloneProtocol", "requeueAfterSeconds"),
	[]Row{noted("spec.generators.scmProvider.template", aTemplate)},
	all("spec.generators.scmProvider.", "values"),
	all("spec.generators.pullRequest", "", ".github", ".gitlab", ".gitea"),
	[]Row{
		refused("spec.generators.pullRequest.bitbucket", "Bitbucket is not asked", supported),
		refused("spec.generators.pullRequest.bitbucketServer", "Bitbucket is not asked", supported),
		refused("spec.generators.pullRequest.azuredevops", "Azure DevOps is not asked", supported),
	},
	all("spec.generators.pullRequest.", "filters", "filters.branchMatch", "filters.targetBranchMatch", "filters.titleMatch", "requeueAfterSeconds", "continueOnRepoNotFoundError"),
	[]Row{noted("spec.generators.pullRequest.template", aTemplate)},
	all("spec.generators.pullRequest.", "values"),
	[]Row{
		works("spec.generators.matrix"),
		noted("spec.generators.matrix.generators", "two; combinations stand in combinations once"),
		noted("spec.generators.matrix.mergeKeys", "of merge"),
		noted("spec.generators.matrix.template", aTemplate),
		works("spec.generators.merge"),
		refused("spec.generators.clusterDecisionResource", "the generator clusterDecisionResource is not supported", "use the generator clusters with a selector"),
		refused("spec.generators.plugin", "the generator plugin is not supported", "write what it answers into a file of a repository, and use the generator git with files"),
		works("spec.generators.selector"),
		noted("spec.template", "an Application's metadata and spec, [see Application](#application)"),
		works("spec.templatePatch"),
	},
	all("spec.", "syncPolicy", "syncPolicy.preserveResourcesOnDeletion", "syncPolicy.applicationsSync", "strategy", "strategy.type", "strategy.rollingSync", "strategy.rollingSync.steps",
		"strategy.rollingSync.steps.matchExpressions", "strategy.rollingSync.steps.matchExpressions.key", "strategy.rollingSync.steps.matchExpressions.operator",
		"strategy.rollingSync.steps.matchExpressions.values", "strategy.rollingSync.steps.maxUpdate", "strategy.deletionOrder", "preservedFields", "preservedFields.annotations",
		"preservedFields.labels"),
	[]Row{noted("spec.applyNestedSelectors", "selectors inside of combinations always apply, as since Argo CD 3")},
	all("spec.ignoreApplicationDifferences", "", ".name", ".jsonPointers", ".jqPathExpressions"),
)
