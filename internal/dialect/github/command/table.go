package command

// Entry is one line of the documentation: a workflow command or a command file, and what becomes of it here.
type Entry struct {
	Name    string
	Support string // works, works with a note, refused
	Note    string
}

// Table are all workflow commands and command files of GitHub's page "Workflow commands for GitHub Actions".
var Table = []Entry{
	{"::" + addMask + "::", "works", "the lines of a value that has several are hidden each; a value shorter than four characters is shown"},
	{"::" + addMatcher + "::", "works with a note", "the expressions are RE2: one that looks ahead or back is told and left out"},
	{"::" + removeMatcher + "::", "works", ""},
	{"::" + addPath + "::", "refused", "as on GitHub since 2020; write to GITHUB_PATH. ACTIONS_ALLOW_UNSECURE_COMMANDS=true allows it, as there"},
	{"::" + setEnv + "::", "refused", "as on GitHub since 2020; write to GITHUB_ENV. ACTIONS_ALLOW_UNSECURE_COMMANDS=true allows it, as there"},
	{"::" + debug + "::", "works", "shown where the secret or variable ACTIONS_STEP_DEBUG is true"},
	{"::" + echo + "::", "works", ""},
	{"::" + errorNote + "::", "works", "shown at the end of the run, with its place"},
	{"::" + warning + "::", "works", "as error"},
	{"::" + notice + "::", "works", "as error"},
	{"::" + group + "::", "works", ""},
	{"::" + endGroup + "::", "works", ""},
	{"::" + saveState + "::", "works with a note", "deprecated on GitHub, and told so; write to GITHUB_STATE"},
	{"::" + setOutput + "::", "works with a note", "deprecated on GitHub, and told so; write to GITHUB_OUTPUT"},
	{"::" + stopCommands + "::", "works", ""},
	{"GITHUB_ENV", "works", "NODE_OPTIONS, GITHUB_* and RUNNER_* cannot be set, as on GitHub"},
	{"GITHUB_OUTPUT", "works", ""},
	{"GITHUB_PATH", "works", ""},
	{"GITHUB_STATE", "works", ""},
	{"GITHUB_STEP_SUMMARY", "works", "at most 1 MiB for each step; kept as Markdown beside the log"},
}
