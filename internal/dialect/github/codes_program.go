package github

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of a running job.
const (
	CodeSecretOutput = "SL1780"
	CodeOutputSize   = "SL1781"
	CodeContext      = "SL1782"
	CodeHashFiles    = "SL1783"
	CodeValue        = "SL1784"
	CodeShell        = "SL1785"
	CodeAction       = "SL1786"
	CodeActionFile   = "SL1787"
	CodeDepth        = "SL1788"
	CodeNode         = "SL1789"
	CodeInputs       = "SL1790"
	CodeLocalPre     = "SL1791"
	CodeNativeInput  = "SL1792"
	CodeTool         = "SL1793"
	CodeArtifact     = "SL1794"
	CodeCacheStep    = "SL1795"
	CodeCheckout     = "SL1796"
	CodeScript       = "SL1797"
)

// programDocs explains them.
var programDocs = []fault.Doc{
	{
		Code: CodeSecretOutput, Summary: "an output of a job holds a secret and is left out", Page: "Workflow syntax, jobs.<job_id>.outputs",
		Text: "GitHub does not pass outputs on that hold a value which is hidden in the log: a secret, or what ::add-mask:: named. Pass a reference to the secret instead, or read it again in the other job.",
	},
	{Code: CodeOutputSize, Summary: "an output of a job is larger than 1 MiB", Page: "Workflow syntax, jobs.<job_id>.outputs", Text: "Keep large results in an artifact and pass its name."},
	{
		Code: CodeContext, Summary: "an expression names a context that is not available there", Page: "Contexts reference, Context availability",
		Text: "Steps of an action see github, inputs, strategy, matrix, steps, job, runner and env, and neither secrets nor needs: give those as inputs.",
	},
	{Code: CodeHashFiles, Summary: "hashFiles could not read the files", Page: "Evaluate expressions, hashFiles", Text: "The patterns are relative to GITHUB_WORKSPACE; files outside of it are not read. The message says what went wrong."},
	{Code: CodeValue, Summary: "an expression gives a value that does not fit", Page: "Workflow syntax", Text: "continue-on-error wants true or false, timeout-minutes a number, env an object of texts."},
	{
		Code: CodeShell, Summary: "the shell of a step is not known", Page: "Workflow syntax, jobs.<job_id>.steps[*].shell",
		Text: "shell is bash, sh, python, pwsh, powershell or cmd, or a command with {0} where the script's file goes: `shell: perl {0}`.",
	},
	{
		Code: CodeAction, Summary: "an action cannot be had", Page: "Workflow syntax, jobs.<job_id>.steps[*].uses",
		Text: "Actions of other repositories come from the local cache (`sluice action add owner/repo@ref`), from --action-path, from --local-repository or from a mirror; the network is not used unasked. A local action (./dir) must be in the workspace: a checkout step has to come first.",
	},
	{Code: CodeActionFile, Summary: "the metadata of an action cannot be used", Page: "Metadata syntax reference", Text: "The message names the place in action.yml and what is wrong there."},
	{Code: CodeDepth, Summary: "composite actions use each other more than ten deep", Page: "Metadata syntax reference, runs.steps[*].uses", Text: "GitHub allows ten levels. An action that uses itself never ends."},
	{
		Code: CodeNode, Summary: "the Node.js that an action needs is not on this machine", Page: "Metadata syntax reference, runs.using",
		Text: "JavaScript actions run on this machine's node: the newest that is found, which should be at least as new as the action's `using: nodeNN` says. An older one, from Node.js 16 on, is taken with a warning. Install Node.js, or put a newer one in PATH.",
	},
	{Code: CodeInputs, Summary: "a step gives an action inputs that it does not have, or lacks one that it must have", Page: "Metadata syntax reference, inputs", Text: "GitHub warns and goes on. Names are compared without regard to case."},
	{Code: CodeLocalPre, Summary: "the pre part of a local action does not run", Page: "Metadata syntax reference, runs.pre", Text: "A local action is read when its step's turn comes, so nothing of it can run before."},
	{Code: CodeNativeInput, Summary: "an input of a built-in action has no effect here", Text: "The action is built in and does the same work in another way; --no-native uses the real one."},
	{
		Code: CodeTool, Summary: "the version that a setup action asks for is not on this machine",
		Text: "setup-go, setup-node, setup-python and setup-java find what is installed and download nothing. Install the version that the message names, ask for one that is there, or use --no-native for the real action.",
	},
	{Code: CodeArtifact, Summary: "an artifact cannot be kept or found", Page: "Store and share data with workflow artifacts", Text: "The message says why. if-no-files-found: ignore or warn makes an empty one no failure."},
	{Code: CodeCacheStep, Summary: "a cache could not be restored or saved", Page: "Dependency caching reference", Text: "A cache that cannot be saved does not fail the job, as on GitHub; fail-on-cache-miss: true makes a missing one fail."},
	{Code: CodeCheckout, Summary: "a repository could not be checked out", Text: "Without repository: the checkout is this work tree. Other repositories come from --local-repository or a mirror."},
	{
		Code: CodeScript, Summary: "actions/github-script lacks something here",
		Text: "The script runs on this machine's node. core, exec, io and glob need the npm packages @actions/…, github needs @actions/github: install them where node finds them (NODE_PATH, or node_modules of the repository), or use --no-native.",
	},
}
