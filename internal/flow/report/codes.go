package report

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of this package.
const (
	CodeUnknownKind = "SL4020" // no kind of report
	CodeTooLarge    = "SL4021" // larger than its limit
	CodeMalformed   = "SL4022" // not XML, not JSON, or cut off
	CodeTooDeep     = "SL4023" // nested too deep, or one part too large
	CodeShape       = "SL4024" // well formed, but something else than it should be
	CodeEntry       = "SL4025" // an entry that lacks what it needs
	CodeTooMany     = "SL4026" // more entries than are kept
	CodeDuplicate   = "SL4027" // tests of the same name
	CodeNotRead     = "SL4028" // a kind that is kept and not read
	CodeScan        = "SL4029" // a scanner says that it failed
	CodeDotenv      = "SL4030" // a line of a dotenv report
	CodeVariables   = "SL4031" // too many variables
	CodeRawPlan     = "SL4032" // a whole plan instead of its counts
	CodeLink        = "SL4034" // a link that is not shown
)

// Docs explains the codes of this package.
var Docs = []fault.Doc{
	{
		Code: CodeUnknownKind, Summary: "there is no such kind of report",
		Text: "The key under artifacts:reports is none that GitLab knows. Look for a typing mistake; the hint names the nearest kind.",
		Page: "GitLab CI/CD artifacts reports types",
	},
	{
		Code: CodeTooLarge, Summary: "a report is larger than it may be",
		Text: `Only the beginning of the file was read. JUnit files must be smaller than 30 MB, dotenv files smaller than 5 KB, annotations no
larger than 80 KB; other reports are read up to 32 MiB. Write several files instead of one; a pattern under artifacts:reports takes them all.`,
		Page: "Unit test reports, File format and size limits",
	},
	{
		Code: CodeMalformed, Summary: "a report is broken or cut off",
		Text: `The file is not the XML or JSON that it should be, or it ends too early, as it does when the tool that writes it is killed. What
stands before the mistake was read and is counted.`,
	},
	{
		Code: CodeTooDeep, Summary: "a report is nested too deep",
		Text: "No tool writes reports like this; the file looks like an attack on its reader. What stands before the place was read.",
	},
	{
		Code: CodeShape, Summary: "a report is something else than its kind says",
		Text: `The file is well formed, but not what the key under artifacts:reports promises: a SARIF file under sast, say, or a report of
another test framework under junit. Use the key or the output format that fit; the hint says which, where that can be told.`,
	},
	{
		Code: CodeEntry, Summary: "entries of a report lack what they need",
		Text: `Some entries were left out because they lack a field without which they say nothing. A code quality entry needs description,
fingerprint, severity and location; a vulnerability needs a name.`,
		Page: "Code Quality, Code Quality report format",
	},
	{
		Code: CodeTooMany, Summary: "a report has more entries than are kept",
		Text: "The report was read and counted as a whole, but only its first entries are kept one by one.",
	},
	{
		Code: CodeDuplicate, Summary: "tests have the same name",
		Text: `Where several tests of a job have the same suite, class and name, only the first one counts, as in GitLab. Give them names of
their own, or their results cannot be told apart.`,
		Page: "Unit test reports, Test results are missing",
	},
	{
		Code: CodeNotRead, Summary: "a report is kept and not read",
		Text: "The file is saved with the job's artifacts. Sluice knows the kind, but shows nothing of it.",
	},
	{
		Code: CodeScan, Summary: "a scanner says that it failed",
		Text: "The security report says that the scan did not succeed. That it lists nothing does not mean that there is nothing.",
	},
	{
		Code: CodeDotenv, Summary: "a line of a dotenv report is not NAME=value",
		Text: `Every line of a dotenv report is NAME=value. Names have letters, digits and underscores. Empty lines, comments and values of
several lines are not supported, quotes belong to the value, and the file is UTF-8. GitLab refuses a file that breaks these
rules, and the job that wrote it fails.`,
		Page: "GitLab CI/CD artifacts reports types, artifacts:reports:dotenv",
	},
	{
		Code: CodeVariables, Summary: "a dotenv report has many variables",
		Text: `How many variables a job may hand on is set by the GitLab instance: 20 unless changed, on GitLab.com 50, 100 or 150 by
subscription. Above 20 this is a warning, above 150 an error.`,
		Page: "GitLab CI/CD artifacts reports types, artifacts:reports:dotenv",
	},
	{
		Code: CodeRawPlan, Summary: "a terraform report is a whole plan",
		Text: `GitLab wants the counts of a plan, {"create": 1, "update": 0, "delete": 0}, which its documentation makes with jq, and shows an error
for a whole plan. Sluice counts the plan itself. Mind that a whole plan holds every value, also those of secrets.`,
		Page: "OpenTofu integration in merge requests",
	},
	{
		Code: CodeLink, Summary: "a link of an annotations report is not shown",
		Text: "An external_link needs a label and an http or https URL. Others are left out, because a click on them might do anything.",
		Page: "GitLab CI/CD artifacts reports types, artifacts:reports:annotations",
	},
}
