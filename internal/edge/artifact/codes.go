package artifact

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The faults of this package.
const (
	CodeName    = "SL2820" // a name that an artifact cannot have
	CodeExists  = "SL2821" // the run has one of that name
	CodeMissing = "SL2822" // the run has none
	CodePath    = "SL2823" // a file whose path cannot be in an artifact
	CodeTooBig  = "SL2824" // more than the limits allow
	CodeDamaged = "SL2825" // not a zip, or not what was uploaded
	CodeUnsafe  = "SL2826" // an entry would leave its folder
	CodeFolder  = "SL2827" // a download into a folder that the job does not share with this machine
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeName, Summary: "a name that an artifact cannot have", Text: "Names of artifacts must not be empty and must not hold \" : < > | * ? \\ / or line ends, since some file systems do not take them. GitHub documentation: actions/upload-artifact, inputs."},
	{Code: CodeExists, Summary: "the run has an artifact of that name already", Text: "Artifacts do not change once they are uploaded. In a matrix, put a value of the matrix into the name and download with pattern and merge-multiple; or set overwrite: true, which deletes the earlier one. GitHub documentation: actions/upload-artifact, Not uploading to the same artifact."},
	{Code: CodeMissing, Summary: "the run has no such artifact", Text: "No job of the run uploaded an artifact of that name or number, or it has expired, or the job that uploads it is not in `needs` and has not come so far."},
	{Code: CodePath, Summary: "a file whose path cannot be in an artifact", Text: "Paths in artifacts must not hold \" : < > | * ? or line ends, since some file systems do not take them. Rename the file or pack it into an archive first."},
	{Code: CodeTooBig, Summary: "an artifact is larger than allowed", Text: "The artifact holds more bytes or files than the limits allow, or unpacks to more than a zip of its size can hold, as an archive bomb does; or the run has too many artifacts."},
	{Code: CodeDamaged, Summary: "an artifact cannot be read", Text: "The stored file is not a whole zip, or its content is not what was uploaded: its SHA-256 differs. Run the job that uploads it again."},
	{Code: CodeUnsafe, Summary: "an artifact's entry would leave its folder", Text: "The zip holds a path with \"..\", an absolute path, a link or a device. Nothing of it was written outside; the artifact is not to be trusted."},
	{Code: CodeFolder, Summary: "artifacts cannot be brought to that folder", Text: "The path is not in a folder that the job shares with this machine. In a container only the workspace is."},
}
