package keyword

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of this package. Those below SL1250 are mistakes, the others remarks.
const (
	CodeType      = "SL1201"
	CodeUnknown   = "SL1202"
	CodeMisplaced = "SL1203"
	CodeRefused   = "SL1204"
	CodeChoice    = "SL1205"
	CodeLimit     = "SL1206"
	CodeMissing   = "SL1207"
	CodeTogether  = "SL1208"
	CodeNoScript  = "SL1209"
	CodeNoJobs    = "SL1210"
	CodeJobName   = "SL1211"
	CodeName      = "SL1212"
	CodeCommand   = "SL1213"
	CodeNesting   = "SL1214"
	CodePattern   = "SL1215"
	CodeSpan      = "SL1216"
	CodeVariable  = "SL1217"
	CodeMatrix    = "SL1218"
	CodeStage     = "SL1219"
	CodeUndefined = "SL1220"
	CodeLater     = "SL1221"
	CodeCycle     = "SL1222"
	CodeDuplicate = "SL1223"
	CodeNotNeeded = "SL1224"
	CodeOnStop    = "SL1225"

	CodeServer       = "SL1250"
	CodeDeprecated   = "SL1251"
	CodeNoEffect     = "SL1252"
	CodeVariableName = "SL1253"
	CodeTwice        = "SL1254"
)

const page = "CI/CD YAML syntax reference"

// Docs explains them for `sluice explain`.
var Docs = []fault.Doc{
	{Code: CodeType, Page: page, Summary: "a keyword has a value of the wrong type", Text: "Each keyword takes values of certain types: text, a number, true or false, a list, or a mapping. " +
		"YAML reads yes, on, 1.20 and 08 as something else than text; quotes make text of anything.\n\n    image: \"1.20\"\n    tags: [docker]\n"},
	{Code: CodeUnknown, Page: page, Summary: "a keyword is not known", Text: "The word is not a keyword where it stands. Often it is misspelled or indented too far or too little. " +
		"At the top level every word that is no keyword is the name of a job, and a job is a mapping."},
	{Code: CodeMisplaced, Page: page, Summary: "a keyword stands where it is not allowed", Text: "The keyword exists, but in another part of the file: default: takes some keywords of jobs only, a job with trigger takes few of them, " +
		"and description and options of variables belong to the variables of the whole file. docs/gitlab.md lists what is allowed where."},
	{Code: CodeRefused, Page: page, Summary: "a keyword is refused", Text: "GitLab removed the keyword or refuses it in pipelines, so nothing could come of it. The message says what to write instead."},
	{Code: CodeChoice, Page: page, Summary: "a value is not one of those allowed", Text: "Some keywords take a few words only, such as when: on_success, on_failure, always, manual, delayed. They are written with small letters. And needs:pipeline takes any pipeline but the current one, whose jobs needs names without it."},
	{Code: CodeLimit, Page: page, Summary: "a value exceeds a limit", Text: "The limits are GitLab's: a job needs at most 50 others, parallel makes at most 200 jobs, retry is 0 to 2, start_in at most a week, a name at most 255 characters, " +
		"a job has at most four caches, fewer than 50 tags, and so on. What runs here would be refused there."},
	{Code: CodeMissing, Page: page, Summary: "something needed is missing or empty", Text: "Some keywords need others beside them (release needs tag_name and description, when: delayed needs start_in), and some must not be empty (script)."},
	{Code: CodeTogether, Page: page, Summary: "keywords exclude each other", Text: "Some keywords cannot be used together, for example rules with only or except, trigger with script, run with before_script, start_in without when: delayed, artifacts:access with artifacts:public."},
	{Code: CodeNoScript, Page: page, Summary: "a job has nothing to do", Text: "A job needs script, run or trigger. A template that only others extend has a name that begins with a dot and is never run:\n\n    .base:\n      image: alpine\n    test:\n      extends: .base\n      script: ./test.sh\n"},
	{Code: CodeNoJobs, Page: page, Summary: "the file has no job", Text: "A pipeline needs at least one job whose name does not begin with a dot."},
	{Code: CodeJobName, Page: "CI/CD jobs, job names", Summary: "the name of a job is not allowed", Text: "The name of a job is text of at most 255 characters. YAML reads 1, true, no and null as something else: put such names in quotes."},
	{Code: CodeName, Page: page, Summary: "a name has characters that are not allowed", Text: "Environments and resource groups can have letters, digits, spaces and -_/${}. in their names, and no / at the ends. " +
		"A cache key has no / and is not only dots. artifacts:expose_as has letters, digits, spaces, - and _. The name of a step has letters, digits and _."},
	{Code: CodeCommand, Page: "Scripts and job logs, use special characters with script", Summary: "a command is not text", Text: "Each command of a script is text. A colon followed by a space makes a mapping of it, and a number or true is no text either; quotes help:\n\n" +
		"    script:\n      - 'curl --header \"Accept: text/plain\" https://example.com'\n"},
	{Code: CodeNesting, Page: page, Summary: "lists are nested too deep", Text: "Lists in script, rules, stages and needs may hold lists (an anchor or !reference puts them there), up to ten levels."},
	{Code: CodePattern, Page: page, Summary: "a regular expression is not valid", Text: "Regular expressions have RE2 syntax: no look-around and no back references. coverage, and patterns in only and except, stand between slashes: /^v\\d+/."},
	{Code: CodeSpan, Page: page, Summary: "a length of time cannot be read", Text: "Lengths of time are words: 90, 3h 30m, 1 hour 20 minutes, 2h20min, 1.5 days, 3 weeks and 2 days, 6 mos, never (where something expires). A number alone counts seconds and must be in quotes. Zero is not allowed."},
	{Code: CodeVariable, Page: page + ", variables", Summary: "a variable is not defined as it should be", Text: "A variable is text, or for the whole file a mapping with value, description, options and expand. Its value must be one of its options. Variables of rules are text only."},
	{Code: CodeMatrix, Page: page + ", parallel:matrix", Summary: "a matrix is not right", Text: "A matrix is a list of mappings from variables to a value or a list of values. Each entry makes a job for every combination, at most 200 in all, and at least one. " +
		"needs:parallel:matrix picks legs of a job that has a matrix."},
	{Code: CodeStage, Page: page + ", stages", Summary: "a stage does not exist", Text: "The stage of a job must be in stages. Without stages there are build, test and deploy; .pre and .post are always there; a job without stage is in test."},
	{Code: CodeUndefined, Page: page + ", needs", Summary: "a job that is referred to does not exist", Text: "needs, dependencies, environment:on_stop and trigger:include:job name jobs of the file. A job that an include or a rule may leave out can be needed with optional: true."},
	{Code: CodeLater, Page: page + ", needs", Summary: "a job refers to a job of a later stage", Text: "needs and dependencies name jobs of the same or of earlier stages."},
	{Code: CodeCycle, Page: page + ", needs", Summary: "jobs wait for each other", Text: "Jobs that need each other in a circle could never start. Take one of the needs away."},
	{Code: CodeDuplicate, Page: page + ", needs", Summary: "a job is needed twice", Text: "needs names each job once. Several legs of one matrix are listed in one needs:parallel:matrix, or in items that all have one."},
	{Code: CodeNotNeeded, Page: page + ", dependencies", Summary: "dependencies names a job that needs does not", Text: "A job that has both may bring in artifacts of the jobs it needs only. needs:artifacts: false keeps artifacts away, so dependencies is rarely wanted beside needs."},
	{Code: CodeOnStop, Page: page + ", environment:on_stop", Summary: "environment:on_stop does not name a job that stops the environment", Text: "The job that stops an environment has the same environment:name and environment:action: stop."},

	{Code: CodeServer, Page: page, Summary: "a keyword does less here than on a GitLab server", Text: "The keyword is valid and needs something that only a GitLab server has: its runners, its vaults, its other projects, its pages. The message says what happens here instead. docs/gitlab.md lists all such keywords."},
	{Code: CodeDeprecated, Page: "Deprecated keywords", Summary: "a keyword is deprecated in GitLab", Text: "The keyword still works, there and here. The hint names what GitLab recommends instead."},
	{Code: CodeNoEffect, Page: page, Summary: "a keyword has no effect where it is", Text: "The keyword is allowed there and changes nothing, in GitLab as well as here; so it is probably not what was meant."},
	{Code: CodeVariableName, Page: page + ", variables", Summary: "no shell can read a variable of this name", Text: "The name of a variable has letters, digits and _ only, and no digit first. Other names are passed on but $NAME cannot read them."},
	{Code: CodeTwice, Page: "Specify when jobs run with rules, avoid duplicate pipelines", Summary: "a job may run twice for one push", Text: "A last rule of when alone lets a job into pipelines of branches and of merge requests alike, so that a push to a branch with a merge request starts two. workflow:rules chooses one of them."},
}
