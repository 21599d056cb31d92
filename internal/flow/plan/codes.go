package plan

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of what can be wrong with a plan or a selection of its jobs.
const (
	CodeNoSuchJob   = "SL1301"
	CodeUnknownNeed = "SL1302"
	CodeCycle       = "SL1303"
	CodeTwice       = "SL1304"
	CodeLeftOut     = "SL1305"
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{
		Code: CodeNoSuchJob, Summary: "no job of that name is in the pipeline",
		Text: "A job can be named as the forge shows it (`test 1/2`), by its key in the file (`test` means all its legs) or by a " +
			"pattern in which `*` stands for any text and `?` for one letter. `sluice run --list` prints the names.",
	},
	{
		Code: CodeUnknownNeed, Summary: "a job needs another that is not in the plan",
		Text: "Every need must be a job of the same plan. A need that may be absent is written with `optional: true`.",
		Page: "CI/CD YAML syntax reference, needs:optional",
	},
	{
		Code: CodeCycle, Summary: "jobs wait for each other in a circle",
		Text: "A job waits for the jobs that it needs, and a job without `needs` waits for every job of the earlier stages. The " +
			"message shows the circle; take one of its arrows away.",
		Page: "CI/CD YAML syntax reference, needs",
	},
	{
		Code: CodeTwice, Summary: "two jobs of a plan have the same ID",
		Text: "Each job of a plan has an ID of its own. This is a mistake of the program that made the plan.",
	},
	{
		Code: CodeLeftOut, Summary: "the job is in the file, but not in this pipeline",
		Text: "The job's rules leave it out for this event. `sluice explain JOB` says which rule decided and what it saw; " +
			"`--event`, `--branch` and `--variable` change what the rules see.",
		Page: "CI/CD YAML syntax reference, rules",
	},
}
