package sandbox

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The faults of this package.
const (
	CodeTime   = "SL5801" // the evaluation took too long
	CodeMemory = "SL5802" // the evaluation took too much memory
	CodeCrash  = "SL5803" // the child ended without an answer
	CodeStart  = "SL5804" // the child could not be started or shut in
	CodeLarge  = "SL5805" // a message was longer than allowed
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeTime, Summary: "an evaluation took too long", Text: "Templates, kustomizations, Jsonnet and Lua are evaluated in a child process with a time limit. It was reached, and the child was ended: look for a loop without an end, or for a range over a very large number."},
	{Code: CodeMemory, Summary: "an evaluation took too much memory", Text: "Templates, kustomizations, Jsonnet and Lua are evaluated in a child process with a memory limit. It was reached, and the child was ended: look for text that is repeated very often, or for recursion that builds a list."},
	{Code: CodeCrash, Summary: "an evaluation ended without an answer", Text: "The child process that evaluates templates and scripts ended by itself. Nothing else is harmed. The message holds the last line that it wrote; please report it together with the files."},
	{Code: CodeStart, Summary: "the process for evaluations cannot be shut in", Text: "Templates and scripts are evaluated in a child process that may open no file, reach no network and start no program. On Linux that takes a kernel with seccomp filters (CONFIG_SECCOMP_FILTER), which every distribution has; a container runtime may forbid them with a profile of its own."},
	{Code: CodeLarge, Summary: "an evaluation gave more than is taken", Text: "What an evaluation is given and what it answers is bounded. Split the application, or leave out what it need not render."},
}
