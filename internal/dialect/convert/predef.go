package convert

import "github.com/sluice-delivery/sluice/internal/dialect/github/expr"

// predefined is a value that both forges have under names of their own: a predefined variable of GitLab, the expression by
// which GitHub has it, and the environment variable there. A script that reads the one on the other forge gets it from an
// env block (a variables: block), so scripts stay as they are. docs/convert.md shows this table.
type predefined struct {
	gitlab string
	expr   string // without ${{ }}; "" where only a shell on the runner knows
	env    string // GITHUB_…, RUNNER_…; "" where there is none
	shell  string // GitHub: what a step of the job evaluates for it; "" where expr says it
}

// table is ordered: the first entry of an expression or variable is the one that is written.
var table = []predefined{
	{"CI_COMMIT_SHA", "github.sha", "GITHUB_SHA", ""},
	{"CI_COMMIT_SHORT_SHA", "", "", "${GITHUB_SHA:0:8}"},
	{"CI_COMMIT_REF_NAME", "github.head_ref || github.ref_name", "", ""},
	{"CI_COMMIT_REF_NAME", "github.ref_name", "GITHUB_REF_NAME", ""},
	{"CI_COMMIT_BRANCH", "startsWith(github.ref, 'refs/heads/') && github.ref_name || ''", "", ""},
	{"CI_COMMIT_TAG", "startsWith(github.ref, 'refs/tags/') && github.ref_name || ''", "", ""},
	{"CI_COMMIT_REF_SLUG", "", "", "$(printf %s \"${GITHUB_HEAD_REF:-$GITHUB_REF_NAME}\" | tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9]/-/g' | cut -c1-63 | sed -E 's/^-+//; s/-+$//')"},
	{"CI_COMMIT_BEFORE_SHA", "github.event.before", "", ""},
	{"CI_COMMIT_MESSAGE", "github.event.head_commit.message", "", ""},
	{"CI_DEFAULT_BRANCH", "github.event.repository.default_branch", "", ""},
	{"CI_PROJECT_DIR", "github.workspace", "GITHUB_WORKSPACE", "$GITHUB_WORKSPACE"},
	{"CI_BUILDS_DIR", "", "", "$(dirname \"$GITHUB_WORKSPACE\")"},
	{"CI_PROJECT_PATH", "github.repository", "GITHUB_REPOSITORY", ""},
	{"CI_PROJECT_NAME", "github.event.repository.name", "", ""},
	{"CI_PROJECT_NAMESPACE", "github.repository_owner", "GITHUB_REPOSITORY_OWNER", ""},
	{"CI_PROJECT_ID", "github.repository_id", "GITHUB_REPOSITORY_ID", ""},
	{"CI_PROJECT_URL", "format('{0}/{1}', github.server_url, github.repository)", "", ""},
	{"CI_REPOSITORY_URL", "github.repositoryUrl", "", ""},
	{"CI_SERVER_URL", "github.server_url", "GITHUB_SERVER_URL", ""},
	{"CI_PIPELINE_ID", "github.run_id", "GITHUB_RUN_ID", ""},
	{"CI_PIPELINE_IID", "github.run_number", "GITHUB_RUN_NUMBER", ""},
	{"CI_PIPELINE_URL", "format('{0}/{1}/actions/runs/{2}', github.server_url, github.repository, github.run_id)", "", ""},
	{"CI_PIPELINE_SOURCE", "github.event_name == 'pull_request' && 'merge_request_event' || github.event_name == 'workflow_dispatch' && 'web' || github.event_name == 'repository_dispatch' && 'trigger' || github.event_name", "", ""},
	{"CI_JOB_NAME", "github.job", "GITHUB_JOB", ""},
	{"CI_JOB_STATUS", "job.status", "", ""},
	{"CI_JOB_TOKEN", "github.token", "GITHUB_TOKEN", ""},
	{"CI_MERGE_REQUEST_IID", "github.event.pull_request.number", "", ""},
	{"CI_MERGE_REQUEST_TITLE", "github.event.pull_request.title", "", ""},
	{"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "github.head_ref", "GITHUB_HEAD_REF", ""},
	{"CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "github.base_ref", "GITHUB_BASE_REF", ""},
	{"CI_NODE_INDEX", "strategy.job-index", "", "$((SLUICE_JOB_INDEX + 1))"},
	{"CI_NODE_TOTAL", "strategy.job-total", "", ""},
	{"GITLAB_USER_LOGIN", "github.actor", "GITHUB_ACTOR", ""},
}

// alike are the variables that both forges set alike; they need no entry.
var alike = map[string]bool{"CI": true}

// ofGitLab is the entry of a predefined variable of GitLab.
func ofGitLab(name string) (predefined, bool) {
	for _, p := range table {
		if p.gitlab == name {
			return p, true
		}
	}
	return predefined{}, false
}

// ofGitHub is the variable of GitLab for an environment variable of GitHub's runner.
func ofGitHub(name string) (string, bool) {
	for _, p := range table {
		if p.env == name {
			return p.gitlab, true
		}
	}
	return "", false
}

// exprOf finds the variable of GitLab for an expression of GitHub.
func exprOf(n expr.Node) (string, bool) {
	text := n.String()
	for i, p := range table {
		if p.expr != "" && printed[i] == text && p.gitlab != "CI_NODE_INDEX" {
			return p.gitlab, true
		}
	}
	return "", false
}

// printed are the expressions of the table as the parser prints them.
var printed = func() []string {
	out := make([]string, len(table))
	for i, p := range table {
		if e, err := expr.Parse(p.expr, nil); err == nil {
			out[i] = e.Root().String()
		}
	}
	return out
}()
