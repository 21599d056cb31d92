package filter

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of patterns.
const (
	CodePattern = "SL1640"
	CodeRef     = "SL1641"
	CodePath    = "SL1642"
)

const page = "Workflow syntax for GitHub Actions, filter pattern cheat sheet"

// Docs explain the codes.
var Docs = []fault.Doc{
	{Code: CodePattern, Summary: "A filter pattern is not well formed.", Page: page, Text: `In patterns of branches, tags and paths * stands for any characters but /, ** for any characters, ? for none or one and + for one or more of the character before,
[a-z0-9] for one of these. A leading ! takes back what patterns before it took in. \ before one of these signs makes it ordinary. Regular expressions are not known.

    branches: [main, 'release/v[0-9]+.[0-9]+', '!release/v0.**']
`},
	{Code: CodeRef, Summary: "A pattern matches no branch or tag.", Page: page, Text: `The pattern holds something that git allows in no name of a branch or tag (see git check-ref-format), or the long form refs/heads/main. Branches and tags are matched by their short names: main.`},
	{Code: CodePath, Summary: "A pattern matches no file.", Page: page, Text: `Paths are matched as a whole, from the repository's top and without a leading / or ./; a folder is meant by folder/**.`},
}
