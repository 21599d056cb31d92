package local

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The faults of the local target's engine.
const (
	CodeAddresses = "SL5751" // no loopback address is left
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeAddresses, Summary: "no loopback address is left", Text: "Each pod and each Service of a local target has a loopback address of its own, out of 65,024. All are taken: is something making pods without end?"},
}
