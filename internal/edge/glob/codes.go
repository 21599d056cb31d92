package glob

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The faults of this package.
const CodePattern = "SL2835" // a pattern of files that cannot be used

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodePattern, Summary: "a pattern of files cannot be used", Text: "Patterns of upload-artifact, cache and hashFiles are those of @actions/glob: *, ?, [...], ** between slashes, ! at the start to take out, # for a comment, ~ for the home folder. A pattern must not be empty and must not have . or .. in it, except ./ at its start."},
}
