package workflow

// Scope is a permission of the token (Workflow syntax, permissions).
type Scope struct {
	Name   string
	Levels []string // that it takes
	Means  string
}

var (
	allLevels = []string{"read", "write", "none"}
	readOnly  = []string{"read", "none"}
)

// PermissionScopes are the permissions that GitHub knows, by the alphabet.
var PermissionScopes = []Scope{
	{"actions", allLevels, "workflows, runs and artifacts"},
	{"artifact-metadata", allLevels, "storage and deployment records of artifacts"},
	{"attestations", allLevels, "attestations of artifacts"},
	{"checks", allLevels, "check runs and suites"},
	{"code-quality", allLevels, "code quality findings"},
	{"contents", allLevels, "commits, branches, tags, releases"},
	{"copilot-requests", []string{"write", "none"}, "requests to Copilot"},
	{"deployments", allLevels, "deployments and their statuses"},
	{"discussions", allLevels, "discussions"},
	{"id-token", []string{"write", "none"}, "OpenID Connect tokens"},
	{"issues", allLevels, "issues"},
	{"models", readOnly, "GitHub Models"},
	{"packages", allLevels, "packages"},
	{"pages", allLevels, "GitHub Pages"},
	{"pull-requests", allLevels, "pull requests"},
	{"repository-projects", allLevels, "projects (classic)"},
	{"security-events", allLevels, "code scanning alerts"},
	{"statuses", allLevels, "commit statuses"},
	{"vulnerability-alerts", readOnly, "Dependabot alerts"},
}

// Shell is a shell that is known by its name (Workflow syntax, jobs.<job_id>.steps[*].shell).
type Shell struct {
	Name    string
	Command string // how GitHub starts it; {0} is the script's file
	Systems []string
}

var (
	unixes  = []string{"Linux", "macOS"}
	systems = []string{"Linux", "macOS", "Windows"}
	windows = []string{"Windows"}
)

// Shells are the shells that are known by name. Where no shell is written, it is bash -e {0} (sh -e {0} without bash),
// on Windows pwsh.
var Shells = []Shell{
	{"bash", "bash --noprofile --norc -eo pipefail {0}", systems},
	{"pwsh", `pwsh -command ". '{0}'"`, systems},
	{"python", "python {0}", systems},
	{"sh", "sh -e {0}", unixes},
	{"cmd", `%ComSpec% /D /E:ON /V:OFF /S /C "CALL "{0}""`, windows},
	{"powershell", `powershell -command ". '{0}'"`, windows},
}

// The kinds of inputs.
var (
	DispatchTypes = []string{"string", "boolean", "number", "choice", "environment"}
	CallTypes     = []string{"string", "boolean", "number"}
)

// Runtimes are the values of runs.using that run JavaScript: those of GitHub first, then those that it has retired and
// runs on node20, and node22, which GitHub never had and which runs here on the machine's Node.
var Runtimes = []string{"node24", "node20", "node16", "node12", "node22"}

// Limits of GitHub's own (Actions limits).
const (
	MaxInputs      = 25  // of workflow_dispatch
	MaxMatrix      = 256 // jobs of one matrix
	MaxID          = 99  // characters of the id of a job or step
	MaxConcurrency = 400 // characters of a concurrency group
	MaxRun         = 21000
)
