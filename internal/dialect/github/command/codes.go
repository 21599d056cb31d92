package command

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of this package.
const (
	CodeFile     = "SL1760"
	CodeRetired  = "SL1761"
	CodeDisabled = "SL1762"
	CodeMatcher  = "SL1763"
	CodeSummary  = "SL1764"
	CodeStop     = "SL1765"
	CodeForm     = "SL1766"
	CodeLimit    = "SL1767"
	CodeName     = "SL1768"
)

const page = "Workflow commands for GitHub Actions"

// Docs explains the codes.
var Docs = []fault.Doc{
	{
		Code: CodeFile, Summary: "a step wrote something to GITHUB_ENV, GITHUB_OUTPUT or GITHUB_STATE that has not the documented form", Page: page,
		Text: "Each line is name=value. A value of several lines is written as name<<WORD, its lines, and WORD alone on a line; WORD must not occur in the value. The usual cause is `echo \"name=$value\"` with a value that has line breaks.",
	},
	{
		Code: CodeRetired, Summary: "a step uses ::set-output:: or ::save-state::", Page: page,
		Text: "GitHub has deprecated both, because anything that writes to the output can use them. They still work. Write `echo \"name=value\" >> \"$GITHUB_OUTPUT\"` or `>> \"$GITHUB_STATE\"`.",
	},
	{
		Code: CodeDisabled, Summary: "a step uses ::set-env:: or ::add-path::, which GitHub has turned off", Page: page,
		Text: "A program that prints text of others could have set any variable that way (CVE-2020-15228). Write to the files that GITHUB_ENV and GITHUB_PATH name. ACTIONS_ALLOW_UNSECURE_COMMANDS: true in env: turns them on again, as on GitHub.",
	},
	{
		Code: CodeMatcher, Summary: "a problem matcher cannot be used", Page: "problem-matchers.md of actions/toolkit",
		Text: "The file that ::add-matcher:: names must be JSON with problemMatcher: a list with owner and pattern. Patterns are JavaScript regular expressions; those that look ahead or behind or refer back to a group do not work here, because they may take unlimited time on a step's output.",
	},
	{
		Code: CodeSummary, Summary: "a step's summary is larger than 1 MiB", Page: page,
		Text: "What a step writes to GITHUB_STEP_SUMMARY may have 1 MiB; a larger summary is left out. Keep reports in an artifact and the summary to a table.",
	},
	{
		Code: CodeStop, Summary: "the word that ends ::stop-commands:: is not allowed", Page: page,
		Text: "The word must not be empty, pause-logging or the name of a command, or output could turn commands on again by chance. Take a random one: `::stop-commands::$(uuidgen)`.",
	},
	{Code: CodeForm, Summary: "a workflow command lacks something", Page: page, Text: "Commands have the form ::name key=value,key=value::data. The message says what is missing."},
	{
		Code: CodeLimit, Summary: "a step says more than the machinery takes", Page: page,
		Text: "A step may hide 10,000 values and set 16 MiB of values by its output, and as much by each of its files. The bound protects the machine from output that runs wild.",
	},
	{
		Code: CodeName, Summary: "a variable may not be set through GITHUB_ENV", Page: page,
		Text: "NODE_OPTIONS would make every later step that runs Node load code of this step's choice, so GitHub says so and passes the line over; set it in env: of the steps that need it. The variables that GitHub sets itself (GITHUB_*, RUNNER_*) keep their values whatever is written.",
	},
}
