// Package program is the conversation between a job and its agent: what to do next, as data. A dialect writes the
// program; the agent carries out its actions on an executor and knows no dialect. The package holds the vocabulary
// and the contract of an executor; it starts nothing itself.
package program

import (
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Program decides a job's next action from how the last one went. Next is called with the zero Outcome first; ok is
// false when the program is done, and then Result tells how the job ended. A program is used by one goroutine.
type Program interface {
	Next(last Outcome) (next Action, ok bool)
	Result() Result
}

// Action is one thing that an agent does for a job.
type Action interface{ action() }

// Exec runs commands in the job's host, in a shell of their own.
type Exec struct {
	Step  string   // name shown: "script", "after_script"
	Shell string   // "" means bash, else sh, as GitLab's runner detects it; or a program with arguments
	Lines []string // commands, echoed one by one as they run; the shell stops at the first that fails
	Env   []string // NAME=value, whole: only these and what the host adds
	Dir   string   // relative to the project folder; "" is the folder itself
	// Timeout ends the step (0: none of its own; the job's deadline holds anyway).
	Timeout time.Duration
	// Quiet runs without echo.
	Quiet bool
	// Argv, where it is set, is a program with its arguments that is started directly; Shell and Lines are not used.
	Argv []string
	// Ext is the extension of the script's file, where the shell is given one (".ps1", ".py").
	Ext string
	// Lens looks at the output; nil lets it pass.
	Lens Lens
	// Always says that the step runs also where the job was canceled before it began (after_script). Without it an
	// agent answers Canceled or ExecutionTimeout and starts nothing.
	Always bool
}

// Files writes files into the job's private folder before its first step (variables of type file).
type Files struct {
	Files []File
}

// File is one file of Files: mode 0600, in Paths.Private.
type File struct {
	Name    string
	Content string
}

// Mask hides values from the job's output from now on.
type Mask struct{ Values []string }

// Watch asks that the last match of an RE2 pattern in the job's output be kept for Result (GitLab's coverage).
// The value kept is the last capture of a number in the match.
type Watch struct{ Pattern string }

// Matched asks what Watch saw: Outcome.Text is the whole match, "" when there was none.
type Matched struct{}

// Say writes a line of ours to the job's output. Command is shown as an echoed command.
type Say struct {
	Text    string
	Warning bool
}

// Section folds what follows until its end. Start false ends it.
type Section struct {
	Name   string
	Header string
	Start  bool
	Said   bool // Header is a line that the job itself wrote (GitHub's group)
}

// Select names files in the job's workspace.
type Select struct {
	Paths     []string // globs relative to the project folder; a folder means all below it
	Exclude   []string
	Untracked bool // also files that git does not track
}

// RestoreCache brings back the first of Keys that is stored, else the newest cache whose key begins with the first of
// Prefixes that has one. Outcome.Text is the key found, "" when none was.
type RestoreCache struct {
	Keys     []string
	Prefixes []string
	Version  string // keeps caches of different contents apart (GitHub: the paths); "" is GitLab's
	Look     bool   // only look whether there is one
}

// SaveCache stores files under Key for later jobs and runs.
type SaveCache struct {
	Key     string
	Version string // as in RestoreCache
	Once    bool   // a cache of that key stays as it is (GitHub); Outcome.Text says so
	Select  Select
}

// RestoreArtifacts unpacks what jobs of this run left behind, in the order given.
type RestoreArtifacts struct{ Jobs []string }

// SaveArtifacts keeps files of this job. Kind "archive" is what later jobs restore; the others are report kinds.
type SaveArtifacts struct {
	Kind   string
	Name   string
	Select Select
	Expire time.Duration // 0: for good
}

// ReadFiles returns the text of the files selected (reports), at most Limit bytes each, in Outcome.Files.
type ReadFiles struct {
	Select Select
	Limit  int64
}

func (Exec) action()             {}
func (Files) action()            {}
func (Mask) action()             {}
func (Watch) action()            {}
func (Matched) action()          {}
func (Say) action()              {}
func (Section) action()          {}
func (RestoreCache) action()     {}
func (SaveCache) action()        {}
func (RestoreArtifacts) action() {}
func (SaveArtifacts) action()    {}
func (ReadFiles) action()        {}
func (ReadPrivate) action()      {}
func (HashFiles) action()        {}
func (Resolve) action()          {}
func (Fetch) action()            {}
func (Find) action()             {}
func (Publish) action()          {}
func (Collect) action()          {}
func (Serve) action()            {}
func (Contain) action()          {}

// Outcome is how an action went.
type Outcome struct {
	Exit     int         // of Exec
	Failure  Failure     // "" when it went well; a non-zero exit is ScriptFailure
	Values   []string    // what an action answers beyond Text, in the order that its description gives
	Message  string      // why it failed, for a person
	Text     string      // RestoreCache, Matched; of SaveCache and SaveArtifacts why nothing was stored
	Files    []FoundFile // ReadFiles
	Count    int         // files saved or restored
	Duration time.Duration
}

// FoundFile is a file that ReadFiles found. Path is relative to the project folder.
type FoundFile struct {
	Path      string
	Content   []byte
	Truncated bool
}

// Saved tells what SaveCache or SaveArtifacts kept.
type Saved struct {
	Files   int
	Bytes   int64
	Unmet   []string // patterns that matched no file
	Skipped string   // why nothing was stored, "" when it was
}

// NoFiles is what Saved.Skipped and Outcome.Text say where nothing was stored because no pattern matched.
const NoFiles = "no files"

// Failure is why something failed, in GitLab's words (CI/CD YAML syntax reference, retry:when).
type Failure string

// The failures that this program can tell apart.
const (
	ScriptFailure       Failure = "script_failure"
	ExecutionTimeout    Failure = "job_execution_timeout"
	SystemFailure       Failure = "runner_system_failure"
	Canceled            Failure = "canceled"
	MissingDependency   Failure = "missing_dependency_failure"
	ImagePull           Failure = "image_pull_failure"
	UnmetPrerequisites  Failure = "unmet_prerequisites"
	DataIntegrity       Failure = "data_integrity_failure"
	UnknownFailure      Failure = "unknown_failure"
	ConfigurationFailed Failure = "runner_unsupported"
)

// Result is how a job ended.
type Result struct {
	Failure  Failure // "" is success
	Exit     *int    // of the script, where it ran to an end
	Message  string
	Outputs  []plan.Variable // for the jobs that take this one's artifacts (dotenv), or that need it (GitHub's outputs)
	Coverage string          // percentage as matched, "" for none
	Reports  []Report
	Links    []Link // annotations, environment URL, release
	Notes    []Note // what the job's steps had to say about lines of files
	Summary  string // Markdown (GitHub's GITHUB_STEP_SUMMARY), of all steps
}

// Note is an annotation: a message of a step, of a place in a file where it names one.
type Note struct {
	Level              string // error, warning, notice
	Title, Message     string
	File               string // relative to the project folder, "" for none
	Line, Column       int    // 0 for none
	EndLine, EndColumn int
}

// Report is a report file that a job left, still to be read.
type Report struct {
	Kind, Format, Path string
	Content            []byte
	Truncated          bool
}

// Link is an address that the end of the run shows.
type Link struct{ Label, URL string }
