package program

import (
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Lens looks at a step's output line by line while it runs, before it is masked and kept: what is written there may be
// meant for the machinery (GitHub's workflow commands, problem matchers). It is used by one goroutine at a time.
type Lens interface {
	// Line says what becomes of a line, which comes without its end. A line longer than an agent holds comes in pieces.
	Line(s Stream, text string) Seen
}

// Seen is what becomes of a line.
type Seen struct {
	Keep    bool     // the line is shown as it is; Show is not used
	Show    string   // shown in its place, where not empty; may hold escapes of ours for color
	Warning bool     // Show is a warning of ours
	Mask    []string // hidden from the job's output from now on
	Section *Section // begins or ends a fold
}

// ReadPrivate returns the text of files in the job's private folder (those that Files wrote and steps wrote to), at most
// Limit bytes each, in Outcome.Files in the order of Names. A file that is not there is left out. Clear empties those
// that are not empty after they were read.
type ReadPrivate struct {
	Names []string
	Limit int64
	Clear bool
}

// HashFiles asks for GitHub's hashFiles of patterns in the workspace: the SHA-256 of the SHA-256 of every file, in order.
// Outcome.Text is hexadecimal, "" where no file matches; Count is how many did.
type HashFiles struct {
	Patterns []string
}

// Resolve brings an action, which is kept outside of the repository, into the job: the files of Repository at Ref.
// Outcome.Text is the folder of Path in it as the job's commands see it, Values the folder as this process sees it and
// the commit or digest that it came to; Files holds its action.yml, action.yaml or Dockerfile, whichever is there first.
// Repository "" is a folder of the workspace: then Path is relative to it and nothing is copied.
type Resolve struct {
	Repository string // owner/repo
	Path       string // folder in it, "" for its top
	Ref        string
}

// Fetch puts a repository into the workspace, as actions/checkout does; the fields are its inputs with their defaults
// filled in (README of actions/checkout v4). Outcome.Values are the commit and the ref that were checked out.
type Fetch struct {
	Repository string // "" is the run's own
	Ref        string // "" is what the run is about
	Path       string // relative to the workspace
	Depth      int    // 0 is the whole history
	Tags       bool
	Filter     string
	Sparse     []string
	ConeMode   bool
	Clean      bool
	LFS        bool
	Submodules string // "", "true", "recursive"
	Persist    bool   // persist-credentials
	SetSafe    bool   // set-safe-directory
	Token      string
	Server     string // github-server-url
	// Filled says that the workspace was filled when the job was opened (Order.Checkout) and nothing has run there since:
	// only its references, HEAD and depth become those that actions/checkout leaves.
	Filled bool
	// Current says that Ref names what the event is about, for which the work tree stands, whether or not the clone has
	// anything of that name. As is the full reference to have checked out then, "" for none.
	Current bool   `json:",omitempty"`
	As      string `json:",omitempty"`
}

// Find looks for a tool on this machine (or in the job's container): go, node, python, java, and others by name.
// Outcome.Values are the version found, the folder to put on PATH, the tool's home, and what it is called; Failure is
// UnmetPrerequisites, with a Message that says what is there, where no version fits.
type Find struct {
	Tool    string
	Version string // a range as the setup action documents it: 1.22, ^1.21, 20.x, lts/*, stable, >=3.9 <3.12
	Arch    string
}

// Publish keeps files as a named artifact of the run (actions/upload-artifact v4). Paths are its path input, a line
// each, `!` taking out. Outcome.Values are the artifact's ID, digest and URL; Count is how many files it has; Text says
// why nothing was kept.
type Publish struct {
	Name      string
	Paths     []string
	Hidden    bool // include-hidden-files
	Overwrite bool
	Level     int // compression-level
	Expire    time.Duration
}

// Collect brings named artifacts of the run into the workspace (actions/download-artifact v4). Values are their names
// and the folder they went to, last. Missing ones fail with MissingDependency.
type Collect struct {
	Name    string
	Pattern string
	IDs     []string
	Path    string // relative to the workspace, or absolute within it
	Merge   bool
	Run     string // another run's, by its number or id; "" is this one
}

// Serve asks for the services that official toolkits talk to: artifacts, caches, tokens of identity. Outcome.Values is
// the environment, NAME=value, by which a step reaches them. They last as long as the job.
type Serve struct {
	IDToken bool // permissions: id-token: write
	Claims  map[string]string
}

// Contain runs a container beside the job, in its network, with its workspace: a Docker action, or a step with
// `uses: docker://…`. Image names one to pull, or Build a folder (as Resolve's Values name it) with its Dockerfile.
type Contain struct {
	Step       string
	Image      string
	Build      string
	Dockerfile string
	Entrypoint string
	Args       []string
	Env        []string // NAME=value; folders in it are the container's
	Lens       Lens
	Timeout    time.Duration
	Always     bool
}

// Before is a job that another one waits for, as it stands when that one's turn has come.
type Before struct {
	ID, Key, Name string
	Job           *plan.Job
	Status        string          // success, failed, canceled, skipped, as flow/run names them
	Allowed       bool            // it failed and may
	Outputs       []plan.Variable // that it set
	Inner         []Before        // the jobs that a late job became
	Scope         *plan.Plan      // their plan
}
