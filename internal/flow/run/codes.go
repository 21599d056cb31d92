package run

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of facts that a run refuses.
const (
	CodeMove    = "SL1311"
	CodeNoJob   = "SL1312"
	CodeOver    = "SL1313"
	CodeStale   = "SL1314"
	CodeBind    = "SL1315"
	CodeRestore = "SL1316"
	CodeFact    = "SL1317"
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{
		Code: CodeMove, Summary: "a job cannot make this move from the state that it is in",
		Text: "A job that has ended does not start, one that has not begun does not finish, and only a manual or a delayed job can be played. " +
			"The job's state has changed meanwhile, most likely; look again and ask again.",
	},
	{
		Code: CodeNoJob, Summary: "the run has no such job",
		Text: "The job's ID is not one of the run's. Jobs of a child pipeline are called PARENT/CHILD, and exist only once the parent was bound.",
	},
	{
		Code: CodeOver, Summary: "the run is over",
		Text: "Every job has ended, and this run cannot be taken up again. Start a new run.",
	},
	{
		Code: CodeStale, Summary: "the message is about another run or an earlier attempt",
		Text: "An agent reported on an attempt that is not the current one, for example because it lost touch and the job was started again elsewhere. The report is refused.",
	},
	{
		Code: CodeBind, Summary: "the job cannot be bound",
		Text: "Only a trigger or a matrix job that has become ready can become other jobs, and only once for each attempt.",
	},
	{
		Code: CodeRestore, Summary: "the recorded changes are not those of this plan",
		Text: "The run's record names a job that the plan does not have, or a move that does not follow from the one before. The plan or the record was changed.",
	},
	{
		Code: CodeFact, Summary: "this kind of fact says nothing to a run",
		Text: "Facts that a run takes in are queued, waiting, started, finished, played, timed, canceled, retried and skipped.",
	},
}
