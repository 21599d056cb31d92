package pod

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The faults of this package.
const (
	CodeFolder = "SL5951" // the pods' folder cannot be used
	CodeChild  = "SL5952" // a helper process cannot be started
	CodeEngine = "SL5953" // the container engine does not answer
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeFolder, Summary: "the pods' folder cannot be used", Text: "Volumes and logs of pods are kept in the state folder (.sluice/up). The disk may be full or the folder not yours."},
	{Code: CodeChild, Summary: "a helper process cannot be started", Text: "Sluice starts itself once more to prepare a pod's mounts and to end its processes if it is killed itself. This machine refused that."},
	{Code: CodeEngine, Summary: "the container engine does not answer", Text: "Containers were asked for and no Docker engine answers. Start it, or run the containers' commands as processes of this machine: `sluice up --containers=never`."},
}
