package workflow

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of this package. SL1001 to SL1012 are those of YAML, SL1600 to SL1616 those of expressions, SL1640 to
// SL1642 those of filter patterns.
const (
	CodeFile         = "SL1650" // the file as a whole
	CodeUnknownKey   = "SL1651"
	CodeMissing      = "SL1652"
	CodeType         = "SL1653"
	CodeEmpty        = "SL1654"
	CodeDuplicate    = "SL1655"
	CodeID           = "SL1656"
	CodeSameID       = "SL1657"
	CodeEvent        = "SL1658"
	CodeActivity     = "SL1659"
	CodeFilter       = "SL1660"
	CodeBothFilters  = "SL1661"
	CodeCron         = "SL1662"
	CodeTimezone     = "SL1663"
	CodeInput        = "SL1664"
	CodeDefault      = "SL1665"
	CodeOptions      = "SL1666"
	CodePermission   = "SL1667"
	CodeShell        = "SL1668"
	CodeNeeds        = "SL1669"
	CodeCycle        = "SL1670"
	CodeStep         = "SL1671"
	CodeUses         = "SL1672"
	CodeCall         = "SL1673"
	CodeMatrix       = "SL1674"
	CodeNoExpression = "SL1675"
	CodeValue        = "SL1676"
	CodeName         = "SL1677"
	CodePort         = "SL1678"
	CodeRefused      = "SL1679"
	CodeNoted        = "SL1680"
	CodeUseless      = "SL1681"
	CodeUsing        = "SL1682"
	CodeLimit        = "SL1683"
	CodeMore         = "SL1684"
	CodeMerge        = "SL1685"
)

const (
	syntaxPage   = "Workflow syntax for GitHub Actions"
	eventsPage   = "Events that trigger workflows"
	metadataPage = "Metadata syntax reference"
)

// Docs explain the codes.
var Docs = []fault.Doc{
	{Code: CodeFile, Summary: "The file holds no workflow or action.", Page: syntaxPage, Text: `A workflow file and an action.yml are one YAML document that is a mapping:

    on: push
    jobs:
      test:
        runs-on: ubuntu-latest
        steps:
          - run: make test
`},
	{Code: CodeUnknownKey, Summary: "A key is not known at this place.", Page: syntaxPage, Text: `GitHub refuses files with keys that it does not know. Often a key is misspelled or indented too far or not far enough:
working-directory belongs to a step or to defaults.run, timeout-minutes to a job or a step, branches to an event. Below an
event, and below an input of workflow_dispatch, GitHub accepts any key and passes over it, so that this is a warning there.`},
	{Code: CodeMissing, Summary: "A key is missing.", Page: syntaxPage, Text: `A workflow needs on and jobs, a job needs runs-on and steps (or uses), a step needs run or uses.`},
	{Code: CodeType, Summary: "A value is of the wrong kind.", Page: syntaxPage, Text: `For example a list where text is wanted, or "true" in quotes where true is: in quotes it is text, which GitHub does not take for a boolean.`},
	{Code: CodeEmpty, Summary: "A value is missing after its key.", Page: syntaxPage, Text: `The key stands there without a value. GitHub says "Unexpected value ''". Write a value or remove the key; an empty mapping is {} and an empty list [].`},
	{Code: CodeDuplicate, Summary: "A key is written twice in one mapping.", Page: syntaxPage, Text: `GitHub compares keys without regard to upper and lower case, so Test and test are the same job, and token and TOKEN the same variable.`},
	{Code: CodeID, Summary: "An identifier is not valid.", Page: syntaxPage + ", jobs.<job_id>", Text: `Ids of jobs, steps, inputs and outputs begin with a letter or _ and hold letters, digits, - and _. Job and step ids are shorter than 100 characters and do not begin with __, which GitHub keeps for itself.`},
	{Code: CodeSameID, Summary: "Two steps of a job have the same id.", Page: syntaxPage + ", jobs.<job_id>.steps[*].id", Text: `Step ids are unique in their job, whatever their case.`},
	{Code: CodeEvent, Summary: "An event is not known.", Page: eventsPage, Text: `Only the events of that page trigger workflows; not every webhook does. The name of an event is written with underscores: pull_request.`},
	{Code: CodeActivity, Summary: "The event has no such activity type.", Page: eventsPage, Text: `types: lists activities of the event, such as opened or closed of pull_request. Events without activities take no types. GitHub accepts a type
that it does not know, and it matches nothing, so that this is a warning.`},
	{Code: CodeFilter, Summary: "The event takes no such filter.", Page: syntaxPage + ", on", Text: `branches is known to push, pull_request, pull_request_target, merge_group and workflow_run; tags to push; paths to push, pull_request and pull_request_target; workflows to workflow_run.
GitHub accepts other filters and passes over them, so that this is a warning: on: create with branches runs for every branch.`},
	{Code: CodeBothFilters, Summary: "A filter and its -ignore form stand together.", Page: syntaxPage + ", on.push.<branches|tags|branches-ignore|tags-ignore>", Text: `branches and branches-ignore (tags and tags-ignore, paths and paths-ignore) cannot both be used for one event. Use patterns that start with ! instead:

    branches: ['release/**', '!release/**-alpha']
`},
	{Code: CodeCron, Summary: "A cron line is not valid.", Page: eventsPage + ", schedule", Text: `Five fields: minute (0-59), hour (0-23), day of the month (1-31), month (1-12 or JAN-DEC), day of the week (0-6 or SUN-SAT). Each may be *, a value, a range a-b, a list a,b and a step */n.
@daily and the like do not exist. GitHub starts scheduled workflows every five minutes at most.`},
	{Code: CodeTimezone, Summary: "A time zone is not valid.", Page: syntaxPage + ", on.schedule", Text: `timezone is a name of the IANA database, such as Europe/Berlin or UTC.`},
	{Code: CodeInput, Summary: "An input is not well defined.", Page: syntaxPage + ", on.workflow_dispatch.inputs", Text: `Inputs of workflow_dispatch are of type string, boolean, number, choice or environment; those of workflow_call of type string, boolean or number, and there the type must be written.`},
	{Code: CodeDefault, Summary: "A default does not fit the type of its input.", Page: syntaxPage + ", on.workflow_call.inputs", Text: `A boolean's default is true or false, a number's a number, that of a choice one of its options.`},
	{Code: CodeOptions, Summary: "Options and type of an input do not fit.", Page: syntaxPage + ", on.workflow_dispatch.inputs.<input_id>.type", Text: `An input of type choice has options, each once; other inputs have none.`},
	{Code: CodePermission, Summary: "A permission is not known.", Page: syntaxPage + ", permissions", Text: `permissions is read-all, write-all, {} or a mapping of scopes to read, write or none. id-token is write or none; models and vulnerability-alerts are read or none.`},
	{Code: CodeShell, Summary: "A shell is not known or not well formed.", Page: syntaxPage + ", jobs.<job_id>.steps[*].shell", Text: `Known by name are bash, sh, pwsh, python, cmd and powershell. Any other shell is a command with {0}, where the script's file is put in: perl {0}`},
	{Code: CodeNeeds, Summary: "A job needs one that does not exist.", Page: syntaxPage + ", jobs.<job_id>.needs", Text: `needs names jobs of the same file by their ids (the keys under jobs), not by their name.`},
	{Code: CodeCycle, Summary: "Jobs need each other in a circle.", Page: syntaxPage + ", jobs.<job_id>.needs", Text: `None of them could ever start. At least one job of a workflow needs no other.`},
	{Code: CodeStep, Summary: "A step is neither a script nor an action, or both.", Page: syntaxPage + ", jobs.<job_id>.steps", Text: `A step has run or uses. with goes with uses; shell and working-directory go with run.`},
	{Code: CodeUses, Summary: "uses names no action or workflow.", Page: syntaxPage + ", jobs.<job_id>.steps[*].uses", Text: `An action is owner/repo@ref, owner/repo/path@ref, ./path, $/path or docker://image. A reusable workflow is ./.github/workflows/file.yml or owner/repo/.github/workflows/file.yml@ref.`},
	{Code: CodeCall, Summary: "A job that calls a workflow has a key that it cannot have.", Page: "Reusing workflow configurations", Text: `Such a job has name, uses, with, secrets, strategy, needs, if, concurrency and permissions. Where it runs, its steps, environment and variables are those of the called workflow.`},
	{Code: CodeMatrix, Summary: "A matrix is not well formed.", Page: syntaxPage + ", jobs.<job_id>.strategy.matrix", Text: `A matrix is a mapping of variables to lists that are not empty, or an expression that gives one. include and exclude are lists of mappings; exclude names variables of the matrix.`},
	{Code: CodeNoExpression, Summary: "An expression stands where none is read.", Page: "Contexts reference, context availability", Text: `GitHub reads ${{ }} only at some keys. Ids, needs, uses and shell of a step, permissions and on: (but for defaults and outputs of workflow_call) hold none.`},
	{Code: CodeValue, Summary: "A value is not one of those possible.", Page: syntaxPage, Text: `The message names the values that the key takes.`},
	{Code: CodeName, Summary: "A name cannot be used, or has no effect.", Page: "Store information in variables", Text: `Variables whose names begin with GITHUB_ or RUNNER_ are set by the runner and cannot be set in env. A secret cannot be called github_token.`},
	{Code: CodePort, Summary: "A port is not well formed.", Page: syntaxPage + ", jobs.<job_id>.services.<service_id>.ports", Text: `A port is 80, 8080:80, 127.0.0.1:8080:80, or a range 8000-8010:9000-9010, each with /tcp or /udp at will.`},
	{Code: CodeRefused, Summary: "A key of GitHub's is known and not supported.", Text: `The workflow would not do here what it does on GitHub, so it is not run.`},
	{Code: CodeNoted, Summary: "A key works differently here.", Text: `The key needs GitHub's servers. The message says what happens instead.`},
	{Code: CodeUseless, Summary: "GitHub accepts this, and it has no effect or an unexpected one.", Page: syntaxPage, Text: `For example a list of branches that is empty, or one with nothing but ! patterns: no branch matches it.`},
	{Code: CodeUsing, Summary: "An action is of an unknown kind.", Page: metadataPage + ", runs", Text: `runs.using is node24, node20, docker or composite. The older node12 and node16 are run by node20, as GitHub does. node22 runs here and is unknown to GitHub.`},
	{Code: CodeLimit, Summary: "The file has more of something than GitHub allows.", Page: "Actions limits", Text: `For example 25 inputs of workflow_dispatch, or 256 jobs of one matrix.`},
	{Code: CodeMore, Summary: "The file has more mistakes than are told.", Text: `The first ones are told. Mend them and look again.`},
	{Code: CodeMerge, Summary: "A merge key (<<) is used.", Page: syntaxPage + ", about YAML syntax for workflows", Text: `GitHub reads YAML anchors and aliases, and no merge keys. Repeat the entries, or give the whole mapping by an alias.`},
}
