package archive

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The faults of this package.
const (
	CodeUnsafe  = "SL2301" // an entry would leave the folder
	CodeTooBig  = "SL2302" // more than the limits allow
	CodeDamaged = "SL2303" // not an archive, or cut short
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeUnsafe, Summary: "an archive entry would leave its folder", Text: "The archive holds a path with \"..\", an absolute path, a device, a hard link, or a link through which a later entry would be written outside. Nothing of it was written outside; the archive is not to be trusted."},
	{Code: CodeTooBig, Summary: "an archive is larger than allowed", Text: "The archive holds more bytes or entries than the limits allow, as an archive bomb does. Unpacking stopped at the limit."},
	{Code: CodeDamaged, Summary: "an archive cannot be read", Text: "The file is not a zstd-compressed tar archive or it was cut short, for example by a full disk. Remove it with `sluice clean` and let the job write it again."},
}
