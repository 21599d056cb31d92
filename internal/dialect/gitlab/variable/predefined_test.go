package variable_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/variable"
	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

var occasion = event.Occasion{
	Name: event.Push, Branch: "Feature/X", Before: strings.Repeat("b", 40),
	Repository: event.Repository{Path: "Group/sub/project", URL: "https://gitlab.example.com:8443/Group/sub/project", DefaultBranch: "main"},
	Commit:     event.Commit{SHA: strings.Repeat("a", 40), Message: "Title line\n\nbody\n", Author: event.Person{Name: "Ada", Email: "ada@example.com"}, At: time.Date(2022, 1, 31, 16, 47, 55, 0, time.UTC)},
	Actor:      event.Person{Name: "Grace", Email: "grace@example.com"}, At: time.Date(2026, 11, 22, 1, 2, 3, 0, time.FixedZone("", 3600)), Number: 7,
}

func with(change func(*event.Occasion)) variable.Facts {
	o := occasion
	change(&o)
	return variable.FactsOf(o)
}

const zeros = "0000000000000000000000000000000000000000"

func TestPredefinedOfPipelines(t *testing.T) {
	tag := func(o *event.Occasion) { o.Name, o.Branch, o.Tag, o.TagMessage = event.Tag, "", "v1.0", "first" }
	merge := func(o *event.Occasion) {
		o.Name, o.Merge = event.MergeRequest, &event.Merge{Number: 3, Title: "Draft: x", Target: "main", TargetSHA: "t", BaseSHA: "base", Labels: []string{"b", "a"}, Draft: true}
	}
	for name, row := range map[string]struct {
		facts   variable.Facts
		has     map[string]string
		missing string
	}{
		"a push": {with(func(*event.Occasion) {}), map[string]string{
			"CI": "true", "GITLAB_CI": "true", "CI_PIPELINE_SOURCE": "push", "CI_PIPELINE_IID": "7", "CI_COMMIT_SHA": strings.Repeat("a", 40), "CI_COMMIT_SHORT_SHA": "aaaaaaaa", "CI_COMMIT_BEFORE_SHA": strings.Repeat("b", 40),
			"CI_COMMIT_BRANCH": "Feature/X", "CI_COMMIT_REF_NAME": "Feature/X", "CI_COMMIT_REF_SLUG": "feature-x", "CI_COMMIT_REF_PROTECTED": "false", "CI_COMMIT_TITLE": "Title line", "CI_COMMIT_MESSAGE": "Title line\n\nbody\n", "CI_COMMIT_DESCRIPTION": "\nbody",
			"CI_COMMIT_MESSAGE_IS_TRUNCATED": "false", "CI_COMMIT_AUTHOR": "Ada <ada@example.com>", "CI_COMMIT_TIMESTAMP": "2022-01-31T16:47:55Z", "CI_COMMIT_USER_LOGIN": "",
			"CI_PROJECT_NAME": "project", "CI_PROJECT_TITLE": "project", "CI_PROJECT_PATH": "Group/sub/project", "CI_PROJECT_PATH_SLUG": "group-sub-project", "CI_PROJECT_NAMESPACE": "Group/sub", "CI_PROJECT_NAMESPACE_SLUG": "group-sub", "CI_PROJECT_ROOT_NAMESPACE": "Group",
			"CI_PROJECT_URL": "https://gitlab.example.com:8443/Group/sub/project", "CI_PROJECT_VISIBILITY": "private", "CI_DEFAULT_BRANCH": "main", "CI_DEFAULT_BRANCH_SLUG": "main", "CI_CONFIG_PATH": ".gitlab-ci.yml",
			"CI_CONFIG_REF_URI": "gitlab.example.com:8443/Group/sub/project//.gitlab-ci.yml@refs/heads/Feature/X",
			"CI_SERVER_URL":     "https://gitlab.example.com:8443", "CI_SERVER_HOST": "gitlab.example.com", "CI_SERVER_PORT": "8443", "CI_SERVER_PROTOCOL": "https", "CI_SERVER_FQDN": "gitlab.example.com:8443", "CI_SERVER_NAME": "GitLab", "CI_SERVER_SHELL_SSH_HOST": "gitlab.example.com", "CI_SERVER_SHELL_SSH_PORT": "22",
			"CI_API_V4_URL": "https://gitlab.example.com:8443/api/v4", "CI_API_GRAPHQL_URL": "https://gitlab.example.com:8443/api/graphql", "CI_TEMPLATE_REGISTRY_HOST": "registry.gitlab.com", "GITLAB_FEATURES": "",
			"CI_DEPENDENCY_PROXY_SERVER": "gitlab.example.com:8443", "CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX": "gitlab.example.com:8443/group/dependency_proxy/containers", "CI_DEPENDENCY_PROXY_DIRECT_GROUP_IMAGE_PREFIX": "gitlab.example.com:8443/group/sub/dependency_proxy/containers",
			"GITLAB_USER_LOGIN": "grace", "GITLAB_USER_NAME": "Grace", "GITLAB_USER_EMAIL": "grace@example.com",
		}, "CI_COMMIT_TAG CI_COMMIT_TAG_MESSAGE CI_MERGE_REQUEST_IID CI_PIPELINE_ID CI_PIPELINE_URL CI_PIPELINE_CREATED_AT CI_PIPELINE_NAME CI_PIPELINE_SCHEDULE_DESCRIPTION CI_PIPELINE_TRIGGERED CI_OPEN_MERGE_REQUESTS CI_REGISTRY CI_PAGES_URL CI_DEBUG_TRACE CI_JOB_NAME CI_EXTERNAL_PULL_REQUEST_IID CI_SERVER CI_SERVER_VERSION CI_UPSTREAM_JOB_ID"},
		"a tag": {with(tag), map[string]string{
			"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_TAG": "v1.0", "CI_COMMIT_TAG_MESSAGE": "first", "CI_COMMIT_REF_NAME": "v1.0", "CI_COMMIT_REF_SLUG": "v1-0", "CI_CONFIG_REF_URI": "gitlab.example.com:8443/Group/sub/project//.gitlab-ci.yml@refs/tags/v1.0",
		}, "CI_COMMIT_BRANCH CI_MERGE_REQUEST_ID CI_RELEASE_DESCRIPTION"},
		"a light tag": {with(func(o *event.Occasion) { tag(o); o.TagMessage = "" }), map[string]string{"CI_COMMIT_TAG_MESSAGE": ""}, ""},
		"a merge request": {with(merge), map[string]string{
			"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_REF_NAME": "Feature/X", "CI_COMMIT_BEFORE_SHA": zeros, "CI_MERGE_REQUEST_IID": "3", "CI_MERGE_REQUEST_REF_PATH": "refs/merge-requests/3/head", "CI_MERGE_REQUEST_TITLE": "Draft: x", "CI_MERGE_REQUEST_DRAFT": "true",
			"CI_MERGE_REQUEST_LABELS": "a,b", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "Feature/X", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "", "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "", "CI_MERGE_REQUEST_DIFF_BASE_SHA": "base", "CI_MERGE_REQUEST_EVENT_TYPE": "detached",
			"CI_MERGE_REQUEST_DESCRIPTION": "", "CI_MERGE_REQUEST_DESCRIPTION_IS_TRUNCATED": "false", "CI_MERGE_REQUEST_SQUASH_ON_MERGE": "false", "CI_MERGE_REQUEST_SOURCE_BRANCH_PROTECTED": "false", "CI_MERGE_REQUEST_PROJECT_PATH": "Group/sub/project", "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "Group/sub/project",
			"CI_MERGE_REQUEST_SOURCE_PROJECT_URL": "https://gitlab.example.com:8443/Group/sub/project", "CI_OPEN_MERGE_REQUESTS": "Group/sub/project!3",
		}, "CI_COMMIT_BRANCH CI_COMMIT_TAG CI_MERGE_REQUEST_APPROVED CI_MERGE_REQUEST_ASSIGNEES CI_MERGE_REQUEST_MILESTONE"},
		"a merged result": {func() variable.Facts {
			f := with(merge)
			f.Merge.Event, f.Merge.SourceSHA, f.Merge.SourceProject, f.Merge.Approved, f.Merge.Assignees, f.Merge.Description = "merged_result", "s", "fork/p", true, []string{"a", "b"}, strings.Repeat("é", 2701)
			return f
		}(), map[string]string{
			"CI_MERGE_REQUEST_EVENT_TYPE": "merged_result", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": "s", "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": "t", "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "fork/p", "CI_MERGE_REQUEST_SOURCE_PROJECT_URL": "https://gitlab.example.com:8443/fork/p",
			"CI_MERGE_REQUEST_APPROVED": "true", "CI_MERGE_REQUEST_ASSIGNEES": "a,b", "CI_MERGE_REQUEST_DESCRIPTION": strings.Repeat("é", 2697) + "...", "CI_MERGE_REQUEST_DESCRIPTION_IS_TRUNCATED": "true",
		}, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID"},
		"a schedule": {func() variable.Facts {
			f := with(func(o *event.Occasion) { o.Name = event.Schedule })
			f.Schedule = "nightly"
			return f
		}(), map[string]string{"CI_PIPELINE_SOURCE": "schedule", "CI_PIPELINE_SCHEDULE_DESCRIPTION": "nightly", "CI_COMMIT_BEFORE_SHA": zeros, "CI_COMMIT_BRANCH": "Feature/X"}, ""},
		"by hand":        {with(func(o *event.Occasion) { o.Name = event.Web }), map[string]string{"CI_PIPELINE_SOURCE": "web", "CI_COMMIT_BEFORE_SHA": zeros}, ""},
		"a first push":   {with(func(o *event.Occasion) { o.Before = "" }), map[string]string{"CI_COMMIT_BEFORE_SHA": zeros}, ""},
		"a trigger":      {with(func(o *event.Occasion) { o.Name, o.Payload = event.Trigger, []byte(`{"a":1}`) }), map[string]string{"CI_PIPELINE_TRIGGERED": "true", "TRIGGER_PAYLOAD": `{"a":1}`}, ""},
		"a long title":   {with(func(o *event.Occasion) { o.Commit.Message = strings.Repeat("x", 100) + "\nbody" }), map[string]string{"CI_COMMIT_TITLE": strings.Repeat("x", 100), "CI_COMMIT_DESCRIPTION": strings.Repeat("x", 100) + "\nbody"}, ""},
		"a title only":   {with(func(o *event.Occasion) { o.Commit.Message = "t" }), map[string]string{"CI_COMMIT_TITLE": "t", "CI_COMMIT_DESCRIPTION": "", "CI_COMMIT_MESSAGE": "t"}, ""},
		"no message":     {with(func(o *event.Occasion) { o.Commit.Message = "\n" }), map[string]string{"CI_COMMIT_TITLE": "No commit message"}, ""},
		"a huge message": {with(func(o *event.Occasion) { o.Commit.Message = strings.Repeat("é", 60_000) }), map[string]string{"CI_COMMIT_MESSAGE_IS_TRUNCATED": "true", "CI_COMMIT_MESSAGE": strings.Repeat("é", 50_000)}, ""},
		"an instance of its own": {variable.Facts{
			Source: "external_pull_request_event", Branch: "b", Server: variable.Server{URL: "http://ci.example.com/", Version: "18.5.1-ee", FIPS: true, Features: []string{"a", "b"}, SSHHost: "ssh.example.com"},
			Project: variable.Project{Path: "Acme/site", Registry: "registry.example.com", Pages: "pages.example.com", Topics: []string{"A", "b"}, Languages: []string{"Go", "C", "D", "E", "F", "G"}}, Pull: &variable.Pull{Number: "5", Source: "b", TargetSHA: "t"},
			OpenMerges: []string{"a!1", "a!2", "a!3", "a!4", "a!5"}, Upstream: variable.Upstream{JobID: "1", PipelineID: "2", ProjectID: "3"}, Debug: true, Protected: true, Kubernetes: true,
		}, map[string]string{
			"CI_SERVER_URL": "http://ci.example.com", "CI_SERVER_PORT": "80", "CI_SERVER_FQDN": "ci.example.com", "CI_SERVER_VERSION": "18.5.1-ee", "CI_SERVER_VERSION_MAJOR": "18", "CI_SERVER_VERSION_MINOR": "5", "CI_SERVER_VERSION_PATCH": "1", "CI_GITLAB_FIPS_MODE": "true", "GITLAB_FEATURES": "a,b", "CI_SERVER_SHELL_SSH_HOST": "ssh.example.com",
			"CI_PROJECT_URL": "http://ci.example.com/Acme/site", "CI_REGISTRY": "registry.example.com", "CI_REGISTRY_IMAGE": "registry.example.com/acme/site", "CI_PAGES_DOMAIN": "pages.example.com", "CI_PROJECT_TOPICS": "a,b", "CI_PROJECT_REPOSITORY_LANGUAGES": "go,c,d,e,f",
			"CI_EXTERNAL_PULL_REQUEST_IID": "5", "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME": "b", "CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_SHA": "t", "CI_OPEN_MERGE_REQUESTS": "a!1,a!2,a!3,a!4", "CI_UPSTREAM_JOB_ID": "1", "CI_DEBUG_TRACE": "true", "CI_COMMIT_REF_PROTECTED": "true", "CI_KUBERNETES_ACTIVE": "true",
		}, "CI_COMMIT_SHA CI_COMMIT_TIMESTAMP CI_DEBUG_SERVICES CI_PAGES_URL"},
		"no facts at all": {variable.Facts{}, map[string]string{"CI": "true", "CI_SERVER_URL": "https://gitlab.com", "CI_SERVER_FQDN": "gitlab.com", "CI_SERVER_PORT": "443"}, "CI_COMMIT_SHA CI_PROJECT_PATH CI_PROJECT_URL CI_PIPELINE_SOURCE CI_CONFIG_REF_URI"},
	} {
		t.Run(name, func(t *testing.T) {
			check(t, variable.New(variable.ForPipeline(row.facts)...), row.has, row.missing)
		})
	}
}

func check(t *testing.T, c *variable.Collection, has map[string]string, missing string) {
	t.Helper()
	for name, want := range has {
		if got, ok := c.Value(name); !ok || got != want {
			t.Errorf("%s = %.200q (%v), want %.200q", name, got, ok, want)
		}
	}
	for _, name := range strings.Fields(missing) {
		if got, ok := c.Value(name); ok {
			t.Errorf("%s = %q, should not exist", name, got)
		}
	}
}

func TestPredefinedOfJobs(t *testing.T) {
	f := with(func(*event.Occasion) {})
	f.Project.Registry, f.Project.Pages = "registry.example.com", "pages.example.com"
	j := variable.Job{
		Name: "Build: [a, b]", Stage: "test", Index: 2, Total: 5, Manual: true, Environment: &variable.Environment{Name: "review/X", URL: "https://x.example.com"}, ID: "42", Image: "golang:1", Timeout: time.Hour,
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Status: "running", Token: "secret-token", Runner: variable.Runner{ProjectDir: "/builds/p", BuildsDir: "/builds", Arch: "linux/amd64", Tags: []string{"a", "b"}, Shared: true, Concurrent: 3},
	}
	rules := map[string]string{
		"CI_JOB_NAME": "Build: [a, b]", "CI_JOB_NAME_SLUG": "build---a--b", "CI_JOB_GROUP_NAME": "Build", "CI_JOB_STAGE": "test", "CI_JOB_MANUAL": "true", "CI_NODE_INDEX": "2", "CI_NODE_TOTAL": "5",
		"CI_ENVIRONMENT_NAME": "review/X", "CI_ENVIRONMENT_ACTION": "start", "CI_ENVIRONMENT_TIER": "development", "CI_ENVIRONMENT_URL": "https://x.example.com",
	}
	check(t, variable.New(variable.ForRules(f, j)...), rules, "CI_JOB_ID CI_JOB_URL CI_JOB_TOKEN CI_JOB_STARTED_AT CI_PIPELINE_ID CI_PIPELINE_URL CI_PROJECT_DIR CI_ENVIRONMENT_SLUG CI_SERVER CI_JOB_IMAGE CI_SHARED_ENVIRONMENT CI_DISPOSABLE_ENVIRONMENT CI_DEPENDENCY_PROXY_PASSWORD CI_COMMIT_SHA")
	c := variable.New(variable.ForPipeline(f)...).With(variable.ForJob(f, j)...)
	check(t, c, rules, "CI_DISPOSABLE_ENVIRONMENT CI_DEPLOY_USER CI_RUNNER_VERSION")
	check(t, c, map[string]string{
		"CI_JOB_ID": "42", "CI_JOB_URL": "https://gitlab.example.com:8443/Group/sub/project/-/jobs/42", "CI_JOB_IMAGE": "golang:1", "CI_JOB_STATUS": "running", "CI_JOB_TIMEOUT": "3600", "CI_JOB_STARTED_AT": "2026-01-02T03:04:05Z", "CI_JOB_STARTED_AT_SLUG": "2026-01-02t03-04-05z", "CI_JOB_TOKEN": "secret-token",
		"CI_REGISTRY_USER": "gitlab-ci-token", "CI_REGISTRY_PASSWORD": "secret-token", "CI_REPOSITORY_URL": "https://gitlab-ci-token:secret-token@gitlab.example.com:8443/Group/sub/project.git", "CI_PIPELINE_ID": "7", "CI_PIPELINE_URL": "https://gitlab.example.com:8443/Group/sub/project/-/pipelines/7",
		"CI_PIPELINE_CREATED_AT": "2026-11-22T01:02:03+01:00", "CI_PROJECT_DIR": "/builds/p", "CI_BUILDS_DIR": "/builds", "CI_SERVER": "yes", "CI_RUNNER_TAGS": `["a","b"]`, "CI_RUNNER_EXECUTABLE_ARCH": "linux/amd64", "CI_SHARED_ENVIRONMENT": "true", "CI_CONCURRENT_ID": "3", "CI_CONCURRENT_PROJECT_ID": "0",
		"CI_PAGES_URL": "https://group.pages.example.com/sub/project", "CI_PAGES_HOSTNAME": "group.pages.example.com", "CI_DEPENDENCY_PROXY_USER": "gitlab-ci-token",
	}, "")
	if got := c.Masked(); !slices.Equal(got, []string{"secret-token"}) {
		t.Errorf("masked: %v", got)
	}
	if slug, _ := c.Value("CI_ENVIRONMENT_SLUG"); !strings.HasPrefix(slug, "review-x-") {
		t.Errorf("CI_ENVIRONMENT_SLUG = %q", slug)
	}
	plain := variable.New(variable.ForJob(f, variable.Job{Name: "a", Stage: "test"})...)
	check(t, plain, map[string]string{"CI_NODE_TOTAL": "1", "CI_DISPOSABLE_ENVIRONMENT": "true", "CI_REPOSITORY_URL": "https://gitlab.example.com:8443/Group/sub/project.git", "CI_RUNNER_TAGS": "[]"}, "CI_NODE_INDEX CI_JOB_MANUAL CI_ENVIRONMENT_NAME CI_ENVIRONMENT_TIER CI_JOB_TOKEN CI_JOB_TIMEOUT CI_SHARED_ENVIRONMENT")
}

func TestIncludeSeesOnlyWhatIsThereBeforeThePipeline(t *testing.T) {
	c := variable.New(variable.ForInclude(with(func(*event.Occasion) {}))...)
	check(t, c, map[string]string{"CI_COMMIT_BRANCH": "Feature/X", "CI_PROJECT_PATH": "Group/sub/project"}, "CI_PIPELINE_IID GITLAB_USER_LOGIN CI_CONFIG_REF_URI CI_JOB_NAME CI_PIPELINE_ID")
}

// documented are all names of the predefined variables reference.
var documented = strings.Fields(`CHAT_CHANNEL CHAT_INPUT CHAT_USER_ID CI CI_API_V4_URL CI_API_GRAPHQL_URL CI_BUILDS_DIR CI_COMMIT_AUTHOR CI_COMMIT_BEFORE_SHA CI_COMMIT_BRANCH CI_COMMIT_DESCRIPTION CI_COMMIT_MESSAGE
CI_COMMIT_MESSAGE_IS_TRUNCATED CI_COMMIT_REF_NAME CI_COMMIT_REF_PROTECTED CI_COMMIT_REF_SLUG CI_COMMIT_SHA CI_COMMIT_SHORT_SHA CI_COMMIT_TAG CI_COMMIT_TAG_MESSAGE CI_COMMIT_TIMESTAMP CI_COMMIT_TITLE CI_COMMIT_USER_LOGIN
CI_CONCURRENT_ID CI_CONCURRENT_PROJECT_ID CI_CONFIG_PATH CI_CONFIG_REF_URI CI_DEBUG_TRACE CI_DEBUG_SERVICES CI_DEFAULT_BRANCH CI_DEFAULT_BRANCH_SLUG CI_DEPENDENCY_PROXY_DIRECT_GROUP_IMAGE_PREFIX CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX
CI_DEPENDENCY_PROXY_PASSWORD CI_DEPENDENCY_PROXY_SERVER CI_DEPENDENCY_PROXY_USER CI_DEPLOY_FREEZE CI_DEPLOY_PASSWORD CI_DEPLOY_USER CI_DISPOSABLE_ENVIRONMENT CI_ENVIRONMENT_ID CI_ENVIRONMENT_NAME CI_ENVIRONMENT_SLUG CI_ENVIRONMENT_URL
CI_ENVIRONMENT_ACTION CI_ENVIRONMENT_TIER CI_GITLAB_FIPS_MODE CI_HAS_OPEN_REQUIREMENTS CI_JOB_GROUP_NAME CI_JOB_ID CI_JOB_IMAGE CI_JOB_MANUAL CI_JOB_NAME CI_JOB_NAME_SLUG CI_JOB_STAGE CI_JOB_STATUS CI_JOB_TIMEOUT CI_JOB_TOKEN CI_JOB_URL
CI_JOB_STARTED_AT CI_JOB_STARTED_AT_SLUG CI_KUBERNETES_ACTIVE CI_NODE_INDEX CI_NODE_TOTAL CI_OPEN_MERGE_REQUESTS CI_PAGES_DOMAIN CI_PAGES_HOSTNAME CI_PAGES_URL CI_PIPELINE_ID CI_PIPELINE_IID CI_PIPELINE_SOURCE CI_PIPELINE_TRIGGERED
CI_PIPELINE_URL CI_PIPELINE_CREATED_AT CI_PIPELINE_NAME CI_PIPELINE_SCHEDULE_DESCRIPTION CI_PROJECT_DIR CI_PROJECT_ID CI_PROJECT_NAME CI_PROJECT_NAMESPACE CI_PROJECT_NAMESPACE_ID CI_PROJECT_NAMESPACE_SLUG CI_PROJECT_PATH_SLUG CI_PROJECT_PATH
CI_PROJECT_REPOSITORY_LANGUAGES CI_PROJECT_ROOT_NAMESPACE CI_PROJECT_TITLE CI_PROJECT_DESCRIPTION CI_PROJECT_TOPICS CI_PROJECT_URL CI_PROJECT_VISIBILITY CI_PROJECT_CLASSIFICATION_LABEL CI_REGISTRY CI_REGISTRY_IMAGE CI_REGISTRY_PASSWORD
CI_REGISTRY_USER CI_RELEASE_DESCRIPTION CI_REPOSITORY_URL CI_RUNNER_DESCRIPTION CI_RUNNER_EXECUTABLE_ARCH CI_RUNNER_ID CI_RUNNER_REVISION CI_RUNNER_SHORT_TOKEN CI_RUNNER_TAGS CI_RUNNER_VERSION CI_SERVER_FQDN CI_SERVER_HOST CI_SERVER_NAME
CI_SERVER_PORT CI_SERVER_PROTOCOL CI_SERVER_SHELL_SSH_HOST CI_SERVER_SHELL_SSH_PORT CI_SERVER_REVISION CI_SERVER_TLS_CA_FILE CI_SERVER_TLS_CERT_FILE CI_SERVER_TLS_KEY_FILE CI_SERVER_URL CI_SERVER_VERSION_MAJOR CI_SERVER_VERSION_MINOR
CI_SERVER_VERSION_PATCH CI_SERVER_VERSION CI_SERVER CI_SHARED_ENVIRONMENT CI_TEMPLATE_REGISTRY_HOST CI_TRIGGER_SHORT_TOKEN CI_UPSTREAM_JOB_ID CI_UPSTREAM_PIPELINE_ID CI_UPSTREAM_PROJECT_ID GITLAB_CI GITLAB_FEATURES GITLAB_USER_EMAIL
GITLAB_USER_ID GITLAB_USER_LOGIN GITLAB_USER_NAME KUBECONFIG TRIGGER_PAYLOAD CI_MERGE_REQUEST_APPROVED CI_MERGE_REQUEST_ASSIGNEES CI_MERGE_REQUEST_DIFF_BASE_SHA CI_MERGE_REQUEST_DIFF_ID CI_MERGE_REQUEST_EVENT_TYPE CI_MERGE_REQUEST_DESCRIPTION
CI_MERGE_REQUEST_DESCRIPTION_IS_TRUNCATED CI_MERGE_REQUEST_ID CI_MERGE_REQUEST_IID CI_MERGE_REQUEST_LABELS CI_MERGE_REQUEST_MILESTONE CI_MERGE_REQUEST_PROJECT_ID CI_MERGE_REQUEST_PROJECT_PATH CI_MERGE_REQUEST_PROJECT_URL
CI_MERGE_REQUEST_REF_PATH CI_MERGE_REQUEST_SOURCE_BRANCH_NAME CI_MERGE_REQUEST_SOURCE_BRANCH_PROTECTED CI_MERGE_REQUEST_SOURCE_BRANCH_SHA CI_MERGE_REQUEST_SOURCE_PROJECT_ID CI_MERGE_REQUEST_SOURCE_PROJECT_PATH CI_MERGE_REQUEST_SOURCE_PROJECT_URL
CI_MERGE_REQUEST_SQUASH_ON_MERGE CI_MERGE_REQUEST_TARGET_BRANCH_NAME CI_MERGE_REQUEST_TARGET_BRANCH_PROTECTED CI_MERGE_REQUEST_TARGET_BRANCH_SHA CI_MERGE_REQUEST_TITLE CI_MERGE_REQUEST_DRAFT CI_EXTERNAL_PULL_REQUEST_IID
CI_EXTERNAL_PULL_REQUEST_SOURCE_REPOSITORY CI_EXTERNAL_PULL_REQUEST_TARGET_REPOSITORY CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_SHA CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_NAME CI_EXTERNAL_PULL_REQUEST_TARGET_BRANCH_SHA`)

func TestTableIsTheDocumentation(t *testing.T) {
	for _, name := range documented {
		if !slices.ContainsFunc(variable.Table, func(e variable.Entry) bool { return e.Name == name && e.Text != "" && e.Phase != "" }) {
			t.Errorf("%s is not in the table", name)
		}
	}
	for i, e := range variable.Table {
		if i > 0 && variable.Table[i-1].Name >= e.Name {
			t.Errorf("%s stands twice or in the wrong place", e.Name)
		}
		if e.Absent == "" && !slices.Contains(documented, e.Name) {
			t.Errorf("%s is not documented", e.Name)
		}
	}
}

func TestCollectionPrecedence(t *testing.T) {
	c := variable.New(
		plan.Variable{Name: "A", Value: "pipeline", Level: plan.Pipeline}, plan.Variable{Name: "A", Value: "default", Level: plan.Default}, plan.Variable{Name: "A", Value: "project", Level: plan.Project},
		plan.Variable{Name: "B", Value: "1", Level: plan.JobLevel}, plan.Variable{Name: "B", Value: "2", Level: plan.JobLevel}, plan.Variable{Name: "C", Level: plan.Predefined},
	)
	child := c.With(plan.Variable{Name: "A", Value: "job", Level: plan.JobLevel}, plan.Variable{Name: "B", Value: "3", Level: plan.JobLevel}, plan.Variable{Name: "D", Value: "dotenv", Level: plan.Dotenv})
	for name, want := range map[string]string{"A": "pipeline", "B": "3", "C": "", "D": "dotenv"} {
		if got, ok := child.Value(name); !ok || got != want {
			t.Errorf("%s = %q (%v), want %q", name, got, ok, want)
		}
		if got := child.Map()[name]; got != want {
			t.Errorf("map: %s = %q, want %q", name, got, want)
		}
	}
	if got, _ := c.Value("B"); got != "2" {
		t.Errorf("the base has B = %q", got)
	}
	if len(child.All()) != 9 || len(child.Effective()) != 4 {
		t.Errorf("%d, %d", len(child.All()), len(child.Effective()))
	}
	for i, v := range child.All() {
		if i > 0 && v.Level < child.All()[i-1].Level {
			t.Errorf("%v stands too late", v)
		}
	}
	var none *variable.Collection
	if _, ok := none.Get("A"); ok || len(none.All()) != 0 {
		t.Error("nil is not empty")
	}
	if v, ok := none.With(plan.Variable{Name: "A"}).Get("A"); !ok || v.Name != "A" {
		t.Error("nil cannot be added to")
	}
}

func TestMasked(t *testing.T) {
	c := variable.New(vars("masked:A=short", "masked:B=longer one", "masked:C=", "D=open", "masked:E=short")...)
	if got := c.Masked(); !slices.Equal(got, []string{"longer one", "short"}) {
		t.Errorf("%q", got)
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{"A": true, "_a1": true, "1A": false, "A-B": false, "é": false, "": false, "A B": false} {
		if variable.Exportable(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestEveryCodeIsExplained(t *testing.T) {
	for _, code := range []string{variable.CodeCycle, variable.CodeSize, variable.CodePath} {
		if !slices.ContainsFunc(variable.Docs, func(d fault.Doc) bool { return d.Code == code && d.Summary != "" && d.Text != "" }) {
			t.Errorf("%s has no explanation", code)
		}
	}
}
