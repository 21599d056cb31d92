package variable

import (
	"fmt"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The codes of this package.
const (
	CodeCycle = "SL1111"
	CodeSize  = "SL1112"
	CodePath  = "SL1114"
)

// Docs explains them for `sluice explain`.
var Docs = []fault.Doc{
	{
		Code: CodeCycle, Summary: "variables refer to each other in a circle", Page: "Where variables can be used, nested variable expansion",
		Text: "The value of each of these variables refers to the next, and the last to the first, so none of them can be worked out. GitLab does not create such a pipeline. " +
			"A variable may refer to itself: that means its weaker namesake, such as the project's variable of that name. Where a $ is meant literally, write $$ or set expand: false.",
	},
	{
		Code: CodeSize, Summary: "a value grows too large when its references are followed", Page: "Where variables can be used, nested variable expansion",
		Text: fmt.Sprintf("A variable may have at most %d bytes once all references are replaced. Values that refer to each other twice double at every step.", MaxValue),
	},
	{
		Code: CodePath, Summary: "a path of artifacts or cache holds something that cannot be expanded", Page: "Where variables can be used, GitLab Runner internal variable expansion mechanism",
		Text: "Paths of artifacts and caches may use $NAME, ${NAME} and a shell's parameter expansion such as ${NAME:-default} or ${NAME%.txt}. Commands in $( ) or backquotes are not run.",
	},
}
