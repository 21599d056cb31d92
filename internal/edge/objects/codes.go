package objects

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The faults of the object store.
const (
	CodeState   = "SL5940" // the store's files cannot be read or written
	CodeDamaged = "SL5941" // the store's file is damaged
	CodeInUse   = "SL5942" // another process holds the store
	CodeAddress = "SL5943" // the REST interface was to listen beyond this machine
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeState, Summary: "the object store cannot be read or written", Text: "The local target keeps its objects in a file of the state folder (.sluice/up). The disk may be full or the folder not yours."},
	{Code: CodeDamaged, Summary: "the object store's file is damaged", Text: "Each line of objects.log carries a checksum. A line that was cut off at the end, as by a killed process, is dropped and told of by nobody: its write was never answered. A wrong line before the end means that something else wrote to the file. Move it away and run `sluice up` again: the objects come back from your manifests."},
	{Code: CodeInUse, Summary: "another process holds the object store", Text: "One process at a time keeps the objects of a state folder. See with `sluice down` whether a `sluice up` is running there."},
	{Code: CodeAddress, Summary: "the REST interface listens on loopback only", Text: "The objects hold Secrets, and whoever may write them runs commands on this machine. So the interface is served on 127.0.0.1 or ::1, with a bearer token."},
}
