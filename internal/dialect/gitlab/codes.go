package gitlab

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of this package: SL14xx when a file becomes a plan, SL15xx when a job is bound or run.
const (
	CodeExpression    = "SL1401"
	CodeRegexp        = "SL1402"
	CodeCompareTo     = "SL1403"
	CodeExistsProject = "SL1404"
	CodeProject       = "SL1405"
	CodeWorkflow      = "SL1406"
	CodeEmpty         = "SL1407"
	CodeNeedParent    = "SL1410"
	CodeNeedsLimit    = "SL1413"
	CodeNeedMatrix    = "SL1414"
	CodeMatrixName    = "SL1415"
	CodeNeedExcluded  = "SL1416"
	CodeCycle         = "SL1417"
	CodeDuration      = "SL1424"
	CodeRunStep       = "SL1425"
	CodeNameTwice     = "SL1426"
	CodeTooManyJobs   = "SL1428"
	CodeJobInput      = "SL1429"
	CodeIgnored       = "SL1430"

	CodeTriggerProject = "SL1501"
	CodeChildDepth     = "SL1502"
	CodeChildInclude   = "SL1504"
	CodeNotTrigger     = "SL1505"
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{
		Code: CodeExpression, Summary: "an expression of rules:if, only:variables or workflow:rules is not valid", Page: "Specify when jobs run with rules",
		Text: "A condition compares variables: `$CI_COMMIT_BRANCH == \"main\" && $DEPLOY =~ /^v\\d/`. Strings stand in quotes, patterns between slashes, and variables start with a dollar sign.",
	},
	{
		Code: CodeRegexp, Summary: "a regular expression of rules:changes:regexp or rules:exists:regexp does not work", Page: "CI/CD YAML syntax reference, rules:changes:regexp",
		Text: "The pattern is in Ruby's language: \\A and \\z for the beginning and end of the path, (?!…) and (?<!…) for what must not stand there. With its variables filled in it has at most 255 bytes. " +
			"A match may not take long: repetitions within repetitions do.",
	},
	{
		Code: CodeCompareTo, Summary: "rules:changes:compare_to names no branch, tag or commit of this repository", Page: "CI/CD YAML syntax reference, rules:changes:compare_to",
		Text: "The changed files are those between this commit and the ref that compare_to names. A shallow or fresh clone may lack that ref: fetch it, or correct its name.",
	},
	{
		Code: CodeExistsProject, Summary: "rules:exists:project names a project that is not here", Page: "CI/CD YAML syntax reference, rules:exists:project",
		Text: "The files of another project are looked for in the folder that `--local-repository group/project=DIR` gives, or in the clone below `--mirror`. Without either the rule counts as not matched; a ref that the clone does not have is an error, as on GitLab.",
	},
	{Code: CodeProject, Summary: "the work tree could not be read", Text: "Listing the files, the changes or a digest failed. The message says which and why."},
	{
		Code: CodeWorkflow, Summary: "workflow:rules let no pipeline be created", Page: "CI/CD YAML syntax reference, workflow:rules",
		Text: "None of the workflow's rules matches this event, or the one that matches says `when: never`. `--event`, `--branch` and `--variable` change what the rules see; `sluice plan` shows what each rule said.",
	},
	{
		Code: CodeEmpty, Summary: "the rules leave no job in the pipeline", Page: "CI/CD YAML syntax reference, rules",
		Text: "Every job is left out by its rules (or only and except), or only jobs in the stages .pre and .post are left, which GitLab does not run alone. `sluice explain JOB` says which rule decided.",
	},
	{
		Code: CodeNeedParent, Summary: "a job needs a job that the parent pipeline does not have", Page: "CI/CD YAML syntax reference, needs:pipeline:job",
		Text: "The name under `needs:job` is not a job of the pipeline that started this one. A need that may be missing is written with `optional: true`.",
	},
	{Code: CodeNeedsLimit, Summary: "a job needs too many jobs", Page: "CI/CD YAML syntax reference, needs", Text: "One job can need 50 others. Each leg of a parallel job counts."},
	{
		Code: CodeNeedMatrix, Summary: "needs:parallel:matrix picks a leg that is not there", Page: "CI/CD YAML syntax reference, needs:parallel:matrix",
		Text: "The variables must be all those of the needed job's matrix, in its order, with values that it has.",
	},
	{
		Code: CodeMatrixName, Summary: "a matrix expression names a variable that the job's matrix does not have", Page: "Matrix expressions",
		Text: "`$[[ matrix.NAME ]]` stands for a value of the job's own parallel:matrix.",
	},
	{
		Code: CodeNeedExcluded, Summary: "a job needs a job that the rules leave out", Page: "CI/CD YAML syntax reference, needs:optional",
		Text: "The needed job is in the file, but not in the pipeline for this event. Give both jobs the same rules, or write the need with `optional: true`.",
	},
	{Code: CodeCycle, Summary: "jobs need each other in a circle", Page: "CI/CD YAML syntax reference, needs", Text: "None of the jobs could ever start."},
	{Code: CodeDuration, Summary: "a length of time cannot be read", Text: "Lengths of time are written as GitLab reads them: `30 minutes`, `2h 30m`, `1 week`, or a number of seconds."},
	{
		Code: CodeRunStep, Summary: "a step of run: needs GitLab's step runner", Page: "CI/CD YAML syntax reference, run",
		Text: "Steps with `script` or `exec` run here, each in a process of its own. Steps from registries, actions and ${{ }} expressions do not.",
	},
	{
		Code: CodeNameTwice, Summary: "two jobs end up with the same name", Page: "CI/CD YAML syntax reference, parallel",
		Text: "A leg of a parallel job has the name of another job; the later one replaces the earlier, as in GitLab.",
	},
	{
		Code: CodeJobInput, Summary: "an expression in ${{ }} cannot be filled in", Page: "Job inputs",
		Text: "A job with `inputs` may write `${{ job.inputs.NAME }}` in its scripts, artifacts, cache, image and services; here each input has its default. Operators and functions need GitLab's runner.",
	},
	{
		Code: CodeIgnored, Summary: "a variable for the runner does nothing here", Page: "Configure runners",
		Text: "GitLab's runner would clone, clean or try again as the variable says. Here every job gets a snapshot of your work tree. GIT_STRATEGY, GIT_SUBMODULE_STRATEGY and GIT_SUBMODULE_PATHS do say what is in it; the files of submodules are those of your work tree.",
	},
	{Code: CodeTooManyJobs, Summary: "the pipeline has too many jobs", Text: "A pipeline can have 100,000 jobs here. Split it into child pipelines."},
	{
		Code: CodeTriggerProject, Summary: "a pipeline of another project needs a server", Page: "CI/CD YAML syntax reference, trigger",
		Text: "The trigger job is skipped on this machine. Child pipelines (`trigger: include:`) do run.",
	},
	{Code: CodeChildDepth, Summary: "child pipelines are nested too deep", Page: "Downstream pipelines, nested child pipelines", Text: "A child pipeline can have children of its own, and those cannot."},
	{Code: CodeChildInclude, Summary: "a child pipeline includes nothing", Page: "CI/CD YAML syntax reference, trigger:include", Text: "`trigger:include` names one to three files."},
	{Code: CodeNotTrigger, Summary: "the job starts no other pipeline", Text: "Only a job with trigger can be bound. This is a mistake in Sluice; please report it."},
}
