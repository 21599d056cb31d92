package program

import (
	"context"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Executor opens a host for each attempt of a job. Implementations: this machine's shell, a Docker container, later
// a Kubernetes pod; one conformance suite holds them all to this contract. Safe for concurrent use.
type Executor interface {
	// Open prepares the workspace (and containers). It fails with a *fault.Fault or an error that wraps an *Error
	// whose Failure says what kind of failure the job has. What Open made before failing, it has removed.
	Open(ctx context.Context, o Order, out Output) (Host, error)
}

// Host is where one attempt of one job runs. It is used by one goroutine at a time.
type Host interface {
	// Paths are where things are, as this process and as the job sees them.
	Paths() Paths
	// Exec runs one shell to its end. Canceling ctx stops it: first gracefully, after a grace hard; everything that the
	// shell started is gone when Exec returns. A non-zero exit is no error.
	Exec(ctx context.Context, e Exec, out Output) (exit int, err error)
	// Close removes what Open made and kills what is left. keep leaves the workspace where it is, for a look inside.
	Close(ctx context.Context, keep bool) error
}

// Paths are the folders of a host. Those with Job are as the job's commands see them; they differ in containers.
type Paths struct {
	Workspace    string // the project folder, on this machine
	JobWorkspace string
	Private      string // for file variables, scripts and such; not part of the project
	JobPrivate   string
	Shell        string // "bash" or "sh", as found
	// Container is the job's own, Network the one that it and its services are in; "" for none.
	Container, Network string
	Services           []Beside
	// Path is the PATH that commands have in the job's container by themselves; "" on this machine.
	Path string
	// Machine is the address by which the job reaches servers of this machine; "" is its loopback, 127.0.0.1.
	Machine string
}

// Beside is a service container of a job that runs.
type Beside struct {
	ID    string            // its container's
	Name  string            // as the job calls it (GitHub: the service's key)
	Ports map[string]string // port in the container ("5432" or "53/udp") -> port by which the job reaches it
}

// Order asks for a host.
type Order struct {
	Run     string // id of the run
	Job     *plan.Job
	ID      string // of the job in the run
	Attempt int    // from 1
	// Image and Services are expanded; both empty for a job on this machine.
	Image    *plan.Container
	Services []plan.Service
	// Env is what services and the container's own start see: NAME=value.
	Env []string
	// Checkout says what is in the workspace.
	Checkout Checkout
	// Outlive lets processes that took a session of their own live on after the job: only deployments may.
	Outlive bool
	// Lasting says that the job's container lives as long as the job (GitHub): its own command is replaced by one that
	// waits, steps are started in it beside, and what they leave running stays until the job's end. A service is waited
	// for where it has a health check, and fails the job when it is unhealthy. Otherwise each step is one start of the
	// container and ends all that it started; services are waited for until they listen, and warned of (GitLab).
	Lasting bool
	// Project is the project's path, group/project: a container's project folder is named after it.
	Project string
	// Key names the job's folder: safe as a file name, unique in the run.
	Key string
	// Spare are files in the private folder that every job of this dialect writes before its first step. A folder that
	// one job hands on to the next may have them, empty. Paths with slashes, without links.
	Spare []string
}

// Checkout says what is in a workspace. The zero value is the snapshot of the repository without its submodules.
// Workspaces of equal checkouts of one snapshot are the same.
type Checkout struct {
	// Strategy is "clone", "fetch" or "" for the snapshot of the repository, "none" or "empty" for no file.
	Strategy string
	// Submodules says whose files are there: "none" or "" for no submodule's (their folders are empty), "normal" for
	// those of the repository itself, "recursive" for theirs too.
	Submodules string
	// Paths chooses among the submodules of the repository itself: git's pathspecs, with blanks between; "" is all.
	Paths string
}

// Empty says whether a workspace has no file at all.
func (c Checkout) Empty() bool { return c.Strategy == "none" || c.Strategy == "empty" }

// Stream says who wrote a chunk of output.
type Stream string

// The streams of a job's output, as `--format json` names them.
const (
	Stdout  Stream = "stdout"
	Stderr  Stream = "stderr"
	Command Stream = "command" // an echoed script line, without prompt
	System  Stream = "system"  // ours
)

// Output takes what a job writes, in order. Chunks of Stdout and Stderr are arbitrary pieces of bytes; a chunk of
// Command or System is one whole text without a line end. The chunk is only valid during the call. Safe for one
// caller at a time.
type Output interface {
	Write(s Stream, chunk []byte) error
}

// Error is a failure of the machinery, with its kind.
type Error struct {
	Failure Failure
	Err     error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }
