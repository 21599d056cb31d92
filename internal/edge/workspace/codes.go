package workspace

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of this package.
const (
	CodeUnreadable = "SL2101" // a file of the work tree cannot be read
	CodeUnwritable = "SL2102" // the workspace cannot be written
	CodeChanged    = "SL2103" // a file changed during the run and its first state is nowhere kept
	CodeRepository = "SL2104" // the repository's own files are damaged or of an unknown form
	CodeSkipped    = "SL2105" // something in the work tree is left out of the snapshot
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{
		Code: CodeUnreadable, Summary: "a file of the work tree cannot be read",
		Text: "Every job works on a copy of your work tree as it was when the run began. The file named belongs to that copy and this user may not read it. Give yourself read permission, or let .gitignore name it if jobs do not need it.",
	},
	{
		Code: CodeUnwritable, Summary: "the workspace of a job cannot be written",
		Text: "The folder for workspaces is full, read-only or belongs to someone else. Free some space (`sluice clean` removes what earlier runs kept) or choose another folder.",
	},
	{
		Code: CodeChanged, Summary: "a file changed during the run",
		Text: "A run sees one state of the work tree: the one it began with. Unchanged tracked files are not copied at the start, since git keeps their content; this file was changed later, and what git keeps is not what lay on disk (line ends, Git LFS or another filter convert it). Start the run again.",
	},
	{
		Code: CodeRepository, Summary: "the repository cannot be read",
		Text: "HEAD, the index or the references of the repository are damaged, or of a form that this version does not know. `git status` and `git fsck` tell more.",
	},
	{
		Code: CodeSkipped, Summary: "something in the work tree is not part of the snapshot",
		Text: "Sockets, devices, named pipes and untracked files that this user may not read are left out of the jobs' workspaces.",
	},
}
