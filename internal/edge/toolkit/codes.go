package toolkit

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The faults of this package.
const (
	CodeListen = "SL2800" // no address to listen on
	CodeJob    = "SL2801" // a job that cannot be served
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeListen, Summary: "the services of Actions cannot be reached", Text: "The services that the @actions/* packages talk to (artifacts, caches, ID tokens) could not be started: no port of the loopback address, or of the containers' bridge, could be listened on. Steps that need them fail; the others go on."},
	{Code: CodeJob, Summary: "the services of Actions are closed", Text: "A job asked for the services that the @actions/* packages talk to after the run had closed them. This is a mistake of Sluice."},
}
