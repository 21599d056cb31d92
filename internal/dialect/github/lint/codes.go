package lint

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of this package. Findings about expressions have those of package expr, SL1600 to SL1616, and unused
// anchors that of package yamlx, SL1013.
const (
	CodeConstant   = "SL1820"
	CodeVariable   = "SL1821"
	CodeKind       = "SL1822"
	CodeCommand    = "SL1823"
	CodeCredential = "SL1824"
	CodeLabel      = "SL1825"
	CodeLabels     = "SL1826"
	CodeShell      = "SL1827"
	CodeInput      = "SL1828"
	CodeRequired   = "SL1829"
	CodeDeprecated = "SL1830"
	CodeOutdated   = "SL1831"
	CodeLocal      = "SL1832"
	CodeAction     = "SL1833"
	CodeImage      = "SL1834"
	CodeCalled     = "SL1835"
	CodeCallInput  = "SL1836"
	CodeCallSecret = "SL1837"
	CodeRepeated   = "SL1838"
	CodeNever      = "SL1839"
	CodeCheckout   = "SL1840"
	CodeUnread     = "SL1841"
	CodeConfig     = "SL1842"
	CodePath       = "SL1843"
	CodeIcon       = "SL1844"
	CodeShellcheck = "SL1845"
	CodePyflakes   = "SL1846"
	CodeNull       = "SL1847"
	CodeMore       = "SL1848"
)

const (
	syntaxPage   = "Workflow syntax for GitHub Actions"
	metadataPage = "Metadata syntax reference"
	securePage   = "Secure use reference"
	reusePage    = "Reuse workflows"
	runnersPage  = "GitHub-hosted runners reference"
)

// Docs explain the codes.
var Docs = []fault.Doc{
	{Code: CodeConstant, Summary: "A condition is always true, or always false.", Page: syntaxPage + ", jobs.<job_id>.if", Text: `Nothing in the condition depends on the run. Remove it, or ask a context:

    if: github.ref == 'refs/heads/main'
`},
	{Code: CodeVariable, Summary: "A name in the context vars cannot exist.", Page: "Store information in variables, naming conventions", Text: `Names of configuration variables hold letters, digits and _, and do not begin with GITHUB_ or a digit.
Where .github/actionlint.yaml lists config-variables, other names are told too.`},
	{Code: CodeKind, Summary: "An expression gives a value of the wrong kind.", Page: syntaxPage, Text: `The key takes true or false, a number, a list or a mapping, and the expression gives something else. GitHub fails when it evaluates it.
Text becomes a value of another kind by fromJSON:

    timeout-minutes: ${{ fromJSON(vars.TIMEOUT) }}
`},
	{Code: CodeCommand, Summary: "A script uses a workflow command that is retired.", Page: "Workflow commands for GitHub Actions", Text: `set-env and add-path are refused by the runner; set-output and save-state are deprecated. Write to the files instead:

    echo "name=value" >> "$GITHUB_OUTPUT"
    echo "name=value" >> "$GITHUB_STATE"
    echo "NAME=value" >> "$GITHUB_ENV"
    echo "path" >> "$GITHUB_PATH"
`},
	{Code: CodeCredential, Summary: "A password stands in the file.", Page: securePage, Text: `Whoever can read the repository can read it. Make it a secret: password: ${{ secrets.REGISTRY_PASSWORD }}`},
	{Code: CodeLabel, Summary: "No runner is known by a label.", Page: runnersPage, Text: `The job would wait for a runner for ever. Labels of your own runners are known where .github/actionlint.yaml lists them:

    self-hosted-runner:
      labels: [gpu, builder-*]
`},
	{Code: CodeLabels, Summary: "No runner has all the labels of a job.", Page: syntaxPage + ", jobs.<job_id>.runs-on", Text: `A runner must have every label of the list. To run on each of several systems, use a matrix.`},
	{Code: CodeShell, Summary: "A shell does not exist on the system of the job.", Page: syntaxPage + ", jobs.<job_id>.steps[*].shell", Text: `cmd and powershell are of Windows; sh is of Linux and macOS. bash, pwsh and python are everywhere.`},
	{Code: CodeInput, Summary: "An action has no such input.", Page: syntaxPage + ", jobs.<job_id>.steps[*].with", Text: `GitHub warns at run time, and the value has no effect.`},
	{Code: CodeRequired, Summary: "An input that an action needs is not given.", Page: metadataPage + ", inputs", Text: `The action says that the input is required and has no default for it.`},
	{Code: CodeDeprecated, Summary: "An input of an action is deprecated.", Page: metadataPage + ", inputs.<input_id>.deprecationMessage", Text: `The action still knows the input, and its authors ask not to use it.`},
	{Code: CodeOutdated, Summary: "An action is too old.", Page: metadataPage + ", runs", Text: `It was made for a Node that GitHub no longer has (node12, node16), or for a service that it has switched off. Use a newer version.`},
	{Code: CodeLocal, Summary: "There is no action in a folder.", Page: syntaxPage + ", jobs.<job_id>.steps[*].uses", Text: `uses: ./path names a folder of the work tree with an action.yml, a path that begins at the top. The repository must be checked out by an earlier step.`},
	{Code: CodeAction, Summary: "An action of the repository has mistakes.", Page: metadataPage, Text: `The message has the first one. All are told by sluice lint path/to/action.yml`},
	{Code: CodeImage, Summary: "docker:// names no image.", Page: syntaxPage + ", jobs.<job_id>.steps[*].uses", Text: `Write docker://image:tag or docker://host/image:tag`},
	{Code: CodeCalled, Summary: "A called workflow does not exist or cannot be called.", Page: reusePage, Text: `The file must be there, in .github/workflows, without mistakes, and have on: workflow_call.`},
	{Code: CodeCallInput, Summary: "An input of a called workflow is missing, not known or of the wrong type.", Page: reusePage, Text: `GitHub refuses the file. Inputs are declared in on.workflow_call.inputs of the called workflow.`},
	{Code: CodeCallSecret, Summary: "A secret of a called workflow is missing or not known.", Page: reusePage, Text: `Secrets are declared in on.workflow_call.secrets of the called workflow. secrets: inherit hands over all.`},
	{Code: CodeRepeated, Summary: "A matrix has a value twice.", Page: syntaxPage + ", jobs.<job_id>.strategy.matrix", Text: `The same job would run twice.`},
	{Code: CodeNever, Summary: "A comparison with a value that never occurs.", Page: "Contexts reference", Text: `The property takes only certain values, or values of another kind, and the comparison is with none of them. For example the result of a job is success, failure, cancelled or skipped, and
the boolean input of a workflow is true, not 'true'.`},
	{Code: CodeCheckout, Summary: "Code of strangers is checked out where secrets are known.", Page: securePage + ", pull_request_target", Text: `pull_request_target and workflow_run run with the secrets and the token of the repository. A step that checks out the head of a pull request and then builds or runs it gives them to whoever opened it.
Use pull_request, or keep what is checked out as data only.`},
	{Code: CodeUnread, Summary: "Nobody reads an output of a job.", Page: syntaxPage + ", jobs.<job_id>.outputs", Text: `No job that needs this one reads the output, nor does the workflow hand it on. Remove it, or check the name where it is read.`},
	{Code: CodeConfig, Summary: "The configuration of actionlint cannot be read.", Text: `Of .github/actionlint.yaml the keys self-hosted-runner.labels and config-variables are read. The patterns below paths are about the messages of actionlint and have no effect here.`},
	{Code: CodePath, Summary: "An action names a file that does not exist.", Page: metadataPage + ", runs", Text: `main, pre, post, image and the entrypoints are paths from the folder of the action.yml. What is built must be committed, since GitHub runs what is in the repository.`},
	{Code: CodeIcon, Summary: "There is no such icon.", Page: metadataPage + ", branding.icon", Text: `Icons are those of Feather v4.28.0, but for some. The marketplace refuses the action.`},
	{Code: CodeShellcheck, Summary: "shellcheck finds fault with a script.", Text: `The message begins with the code of shellcheck; its wiki explains each. sluice lint --shellcheck=never leaves it out.`},
	{Code: CodePyflakes, Summary: "pyflakes finds fault with a script.", Text: `Scripts with shell: python are given to pyflakes where that is installed. sluice lint --pyflakes=never leaves it out.`},
	{Code: CodeNull, Summary: "An expression is always null.", Page: "Evaluate expressions in workflows and actions", Text: `null becomes empty text.`},
	{Code: CodeMore, Summary: "The file has more findings than are told.", Text: `The first ones are told. Mend them and look again.`},
}
