package github

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of compiling and binding. Those of a running job are in codes_program.go.
const (
	CodeNoFile         = "SL1700"
	CodeIdle           = "SL1701"
	CodeBroken         = "SL1702"
	CodeInstead        = "SL1703"
	CodePayload        = "SL1704"
	CodeInput          = "SL1705"
	CodeMatrix         = "SL1706"
	CodeMatrixSize     = "SL1707"
	CodeTooMany        = "SL1708"
	CodeExpression     = "SL1709"
	CodeJobValue       = "SL1710"
	CodeRunsOn         = "SL1711"
	CodeOtherSystem    = "SL1712"
	CodeLabel          = "SL1713"
	CodeGroup          = "SL1714"
	CodeConcurrency    = "SL1715"
	CodeCall           = "SL1716"
	CodeCallSource     = "SL1717"
	CodeCallHere       = "SL1718"
	CodeCallDepth      = "SL1719"
	CodeCallInput      = "SL1720"
	CodeCallSecret     = "SL1721"
	CodeCallPermission = "SL1722"
	CodeNotLate        = "SL1723"
	CodeSkip           = "SL1724"
	CodeCallGroup      = "SL1725"
	CodeDeadlock       = "SL1726"
)

const (
	syntaxPage = "Workflow syntax for GitHub Actions"
	eventsPage = "Events that trigger workflows"
	reusePage  = "Reusing workflow configurations"
)

// Docs explains the codes of this package.
var Docs = append([]fault.Doc{
	{
		Code: CodeNoFile, Summary: "there is no such workflow file", Page: syntaxPage,
		Text: "Workflows are the files in .github/workflows whose names end in .yml or .yaml; folders below it are not looked into. --file names another one.",
	},
	{
		Code: CodeIdle, Summary: "the event triggers no workflow", Page: eventsPage,
		Text: "Every workflow was looked at and none waits for this event: the message says why each was left out. --event, --branch, --tag and --event-path change what the filters below on: see; `sluice explain WORKFLOW` shows each filter with what it saw.",
	},
	{
		Code: CodeBroken, Summary: "a workflow that the event does not trigger has mistakes", Page: syntaxPage,
		Text: "It does not keep the other workflows from running here. On GitHub it would show as a failed run. `sluice lint` lists the mistakes.",
	},
	{
		Code: CodeInstead, Summary: "the workflow is run by another event than the one asked for", Page: eventsPage,
		Text: "A workflow that is named with --file and does not wait for a push is run by an event that it waits for: workflow_dispatch before all others. --event chooses.",
	},
	{
		Code: CodePayload, Summary: "the event's payload cannot be read", Page: "Webhook events and payloads",
		Text: "--event-path names a file with one JSON object, as GitHub sends it to webhooks. It is what github.event shows.",
	},
	{
		Code: CodeInput, Summary: "an input of a workflow is missing, not known or of another type", Page: syntaxPage + ", on.workflow_dispatch.inputs",
		Text: "Inputs are given with --input NAME=VALUE. A boolean is true or false, a choice is one of its options, a number is a number; an input that is required and has no default must be given.",
	},
	{
		Code: CodeMatrix, Summary: "the values of a matrix cannot be used", Page: syntaxPage + ", jobs.<job_id>.strategy.matrix",
		Text: "Every variable of a matrix is a list with at least one value; include and exclude are lists of mappings, and exclude names variables of the matrix only. What an expression gives (fromJSON) must have that form.",
	},
	{
		Code: CodeMatrixSize, Summary: "a matrix has more than 256 jobs", Page: "Actions limits",
		Text: "GitHub makes at most 256 jobs of one matrix. Take combinations away with exclude, or split the job.",
	},
	{Code: CodeTooMany, Summary: "the workflows have too many jobs", Text: "A plan may have 100,000 jobs."},
	{
		Code: CodeExpression, Summary: "an expression cannot be evaluated", Page: "Evaluate expressions in workflows and actions",
		Text: "The message says what the expression made of the values that it read.",
	},
	{
		Code: CodeJobValue, Summary: "a key of a job has a value of another kind than it takes", Page: syntaxPage,
		Text: "timeout-minutes and max-parallel are numbers, continue-on-error, fail-fast and cancel-in-progress are true or false, also where an expression gives them. fromJSON makes a number or a boolean of a text.",
	},
	{Code: CodeRunsOn, Summary: "runs-on is empty", Page: syntaxPage + ", jobs.<job_id>.runs-on", Text: "The expression gave no label. Every job says what it runs on."},
	{
		Code: CodeOtherSystem, Summary: "a job wants another system than this machine's and is left out", Page: syntaxPage + ", jobs.<job_id>.runs-on",
		Text: "Jobs run on this machine: a label such as windows-latest cannot be had on Linux. The other legs of its matrix run. `--platform windows-latest=shell` runs the job here all the same, `--platform LABEL=IMAGE` in a container.",
	},
	{
		Code: CodeLabel, Summary: "a label of runs-on is not known", Page: syntaxPage + ", jobs.<job_id>.runs-on",
		Text: "Labels of larger or of your own runners say nothing about this machine, which takes the job. --platform LABEL=shell says that this is right, --platform LABEL=IMAGE runs it in a container.",
	},
	{Code: CodeGroup, Summary: "a runner group has no meaning here", Page: syntaxPage + ", jobs.<job_id>.runs-on", Text: "Groups of runners are kept on GitHub. This machine takes the job."},
	{
		Code: CodeConcurrency, Summary: "the name of a concurrency group is empty or too long", Page: syntaxPage + ", concurrency",
		Text: "The name has 1 to 400 characters after its expressions are evaluated.",
	},
	{
		Code: CodeCall, Summary: "the workflow cannot be called", Page: reusePage,
		Text: "`uses: ./.github/workflows/FILE` calls a workflow of the same repository, `uses: OWNER/REPOSITORY/.github/workflows/FILE@REF` one of another. The file called has workflow_call among its events.",
	},
	{
		Code: CodeCallSource, Summary: "the repository of a reusable workflow cannot be had", Page: reusePage,
		Text: "Other repositories come from --local-repository OWNER/REPOSITORY@REF=DIR, from the cache (`sluice action add`) or from a mirror; the network is not used unasked.",
	},
	{
		Code: CodeCallHere, Summary: "a workflow of this very repository is taken from the work tree", Page: reusePage,
		Text: "The call names this repository at a ref that is not kept here. The file of the work tree is used.",
	},
	{
		Code: CodeCallDepth, Summary: "workflows call each other in a circle, too deep, or too many", Page: reusePage + ", limitations",
		Text: "GitHub connects at most ten levels of workflows, the one that the event triggers included, and at most fifty different ones below it. A workflow that calls itself never ends.",
	},
	{
		Code: CodeCallInput, Summary: "an input passed to a reusable workflow is missing or not known", Page: syntaxPage + ", jobs.<job_id>.with",
		Text: "with: names inputs that the called workflow declares below on.workflow_call.inputs; those with required: true must be there.",
	},
	{
		Code: CodeCallSecret, Summary: "a secret passed to a reusable workflow is missing or not known", Page: syntaxPage + ", jobs.<job_id>.secrets",
		Text: "secrets: names secrets that the called workflow declares below on.workflow_call.secrets; those with required: true must be there. secrets: inherit passes all that the caller has.",
	},
	{
		Code: CodeCallPermission, Summary: "a reusable workflow asks for more permissions than its caller has", Page: reusePage,
		Text: "The permissions of the token can only become fewer from workflow to workflow. Give the calling job the permissions that the message names.",
	},
	{
		Code: CodeSkip, Summary: "GitHub would skip the workflows because of the commit's message", Page: "Skipping workflow runs",
		Text: "[skip ci] and its like in the message keep GitHub from running workflows for a push or a pull request. Here they run, since somebody asked for it.",
	},
	{
		Code: CodeCallGroup, Summary: "a called workflow's concurrency group is not held here", Page: syntaxPage + ", concurrency",
		Text: "The job that calls holds one group for the whole call: its own, else that of the called workflow. Where both have one, or where the called workflow's is only known late, the latter is not held.",
	},
	{
		Code: CodeDeadlock, Summary: "a job waits for a concurrency group that its own workflow holds", Page: reusePage,
		Text: "github.workflow is the caller's name in a called workflow, too, so a group made of it is the same in both. GitHub finds the deadlock and cancels the run. Here the inner group is left out, since the outer one is held anyway. Give them different names.",
	},
	{Code: CodeNotLate, Summary: "a job is bound that waits for nothing", Text: "This is a mistake of the program that runs the plan."},
}, programDocs...)
