package tool

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of this package.
const (
	CodeMissing = "SL2860" // no version of a tool fits
	CodeVersion = "SL2861" // a version or range cannot be read
	CodeArch    = "SL2862" // another architecture is asked for
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{
		Code: CodeMissing, Summary: "no version of a tool fits",
		Text: "setup-go, setup-node, setup-python and setup-java take what this machine has and download nothing. They look in PATH, in the tool cache (RUNNER_TOOL_CACHE), and where version managers put things: ~/sdk and the toolchains that go has downloaded, nvm, fnm, volta, n, pyenv, SDKMAN, asdf, mise, /usr/lib/jvm. The message lists what is there. Install a version that fits, widen the range, or run with --no-native to let the action download its own.",
	},
	{
		Code: CodeVersion, Summary: "a version cannot be read",
		Text: "Versions are ranges as the setup actions document them: 1.22, 1.22.x, ^1.21, >=3.9 <3.12, and names as stable, oldstable (Go), lts/*, lts/iron, latest (Node). PyPy, GraalPy, free-threaded builds and nightly builds are not looked for.",
		Page: "README of actions/setup-go, setup-node, setup-python and setup-java",
	},
	{
		Code: CodeArch, Summary: "a tool for another architecture is asked for",
		Text: "Steps run on this machine, whose programs are of one architecture. Leave the architecture input out, or run the job in a container of that platform.",
	},
}
