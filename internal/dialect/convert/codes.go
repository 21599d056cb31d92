package convert

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of what a translation loses or cannot say.
const (
	CodeLost      = "SL1870"
	CodeCondition = "SL1871"
	CodeText      = "SL1872"
	CodeAction    = "SL1873"
	CodeManual    = "SL1874"
	CodePaths     = "SL1875"
	CodeTrigger   = "SL1876"
	CodeStep      = "SL1877"
	CodeJob       = "SL1878"
	CodeArtifact  = "SL1879"
	CodeRunner    = "SL1880"
	CodeSettings  = "SL1881"
	CodeFile      = "SL1882"
	CodeShell     = "SL1883"
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{
		Code: CodeLost, Summary: "the other format has no word for a key",
		Text: "The key is left out of the file that is written. The job does the same work without it, but something around it is gone: a retry, a " +
			"report in the forge's pages, a limit. Look whether the other forge offers it in its settings.",
	},
	{
		Code: CodeCondition, Summary: "a condition cannot be translated",
		Text: "Conditions on branches, tags, events, variables and inputs have a form in both formats; look-around in patterns, results of other jobs and " +
			"most of the event's payload have not. The job is written so that it never runs; write its condition by hand.",
	},
	{
		Code: CodeText, Summary: "an expression or variable cannot be translated",
		Text: "The text holds ${{ }} or a predefined variable that the other forge has nothing for. It is left out of the file, never copied.",
	},
	{
		Code: CodeAction, Summary: "a step uses an action",
		Text: "GitLab runs no actions. Checkout, cache, upload-artifact and download-artifact become GitLab's own keys; every other step with uses is kept as " +
			"a comment. For a setup action choose an image that brings the tool.",
	},
	{
		Code: CodeManual, Summary: "a manual job becomes an input",
		Text: "GitHub has no jobs that a person starts one by one. The job runs when the workflow is started by hand (Run workflow) with the input of " +
			"its name. An environment with required reviewers, in the repository's settings, is the other way to let a person decide.",
		Page: "GitHub documentation, Manually running a workflow",
	},
	{
		Code: CodePaths, Summary: "a condition on files is lost",
		Text: "GitLab decides for each job by changed and existing files; GitHub by changed files, for the whole workflow. Where all jobs have the same " +
			"changes: they become paths of the events. Else the clause is taken as fulfilled and the job runs more often.",
	},
	{
		Code: CodeTrigger, Summary: "an event cannot be translated",
		Text: "The other forge does not start pipelines by this event, or keeps it in its settings: GitLab's schedules stand there, not in the file, and " +
			"GitHub's in the file, not in the settings.",
	},
	{
		Code: CodeStep, Summary: "a step would mean something else",
		Text: "A job of GitLab is one script with an after_script. A step with a condition of its own between others, another shell or another time limit has " +
			"no place there. The step is kept as a comment.",
	},
	{
		Code: CodeJob, Summary: "a job cannot be translated",
		Text: "Child pipelines, reusable workflows, releases, pages and matrices that another job computes need the forge that they were written for. The job is " +
			"kept as a comment.",
	},
	{
		Code: CodeArtifact, Summary: "artifacts would lie elsewhere, or differ",
		Text: "GitLab unpacks artifacts where they were packed. GitHub's actions let a job choose another folder, and give files without their permissions.",
	},
	{
		Code: CodeRunner, Summary: "a label of a runner is taken over as it is",
		Text: "Tags and runs-on name runners of the one forge. Write the labels of those that you have on the other.",
	},
	{
		Code: CodeSettings, Summary: "a value must be set in the settings of the other forge",
		Text: "Secrets, configuration variables, reviewers of environments and schedules are kept by the forge. The message names what the file expects there.",
	},
	{
		Code: CodeFile, Summary: "the file cannot be converted",
		Text: "One pipeline becomes one file: of several workflows name one with --file. A file that is already in the format asked for needs no conversion.",
	},
	{
		Code: CodeShell, Summary: "the shells of the two forges differ",
		Text: "GitLab's runner ends a script where any part of a pipe fails; GitHub's default shell looks at the last part only. `shell: bash` is the same as " +
			"GitLab's.",
		Page: "GitHub documentation, Workflow syntax, jobs.<job_id>.steps[*].shell",
	},
}
