package gitlab

import (
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/variable"
	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// zeros is the commit before the first.
const zeros = "0000000000000000000000000000000000000000"

// predefinedFor are the predefined variables of a pipeline, from what the repository and the event say (GitLab
// documentation, predefined CI/CD variables reference). Text that others write (messages, names of branches) is taken
// literally: a $ in it is no reference.
func predefinedFor(in *Input, name string, protected bool) []plan.Variable {
	var out []plan.Variable
	add := func(name, value string) {
		out = append(out, plan.Variable{Name: name, Value: value, Level: plan.Predefined, Raw: true})
	}
	o := &in.Occasion
	add("CI", "true")
	add("GITLAB_CI", "true")
	addServer(o, add)
	addProject(o, add)
	add("CI_CONFIG_PATH", in.File)
	add("CI_PIPELINE_ID", strconv.Itoa(max(o.Number, 1)))
	add("CI_PIPELINE_IID", strconv.Itoa(max(o.Number, 1)))
	add("CI_PIPELINE_SOURCE", sourceOf(o.Name))
	add("CI_PIPELINE_CREATED_AT", o.At.UTC().Format(time.RFC3339))
	add("CI_PIPELINE_URL", projectURL(o)+"/-/pipelines/"+strconv.Itoa(max(o.Number, 1)))
	if name != "" {
		add("CI_PIPELINE_NAME", name)
	}
	if o.Name == event.Trigger {
		add("CI_PIPELINE_TRIGGERED", "true")
	}
	if in.parents.depth > 0 {
		add("CI_PIPELINE_TRIGGERED", "true")
	}
	addCommit(o, protected, add)
	if o.Merge != nil {
		addMerge(o, protected, add)
	}
	add("GITLAB_USER_ID", "1")
	add("GITLAB_USER_LOGIN", login(o.Actor))
	add("GITLAB_USER_NAME", o.Actor.Name)
	add("GITLAB_USER_EMAIL", o.Actor.Email)
	if len(o.Payload) > 0 {
		out = append(out, plan.Variable{Name: "TRIGGER_PAYLOAD", Value: string(o.Payload), Level: plan.Predefined, Raw: true, File: true})
	}
	return out
}

func login(p event.Person) string {
	if p.Login != "" {
		return p.Login
	}
	user, _, _ := strings.Cut(p.Email, "@")
	return user
}

// addServer describes the server that the repository came from; without a remote, one that cannot be.
func addServer(o *event.Occasion, add func(string, string)) {
	host := serverHost(o)
	protocol, port := "https", "443"
	if u, err := url.Parse(o.Repository.URL); err == nil && u.Host != "" {
		if u.Scheme == "http" {
			protocol, port = "http", "80"
		}
		if u.Port() != "" {
			port = u.Port()
		}
	}
	address := protocol + "://" + host
	fqdn := host
	if port != "443" && port != "80" {
		address, fqdn = address+":"+port, host+":"+port
	}
	add("CI_SERVER_URL", address)
	add("CI_SERVER_HOST", host)
	add("CI_SERVER_FQDN", fqdn)
	add("CI_SERVER_PORT", port)
	add("CI_SERVER_PROTOCOL", protocol)
	add("CI_SERVER_SHELL_SSH_HOST", host)
	add("CI_SERVER_SHELL_SSH_PORT", "22")
	add("CI_SERVER_NAME", "GitLab")
	add("CI_SERVER_VERSION", "18.6.0")
	add("CI_SERVER_VERSION_MAJOR", "18")
	add("CI_SERVER_VERSION_MINOR", "6")
	add("CI_SERVER_VERSION_PATCH", "0")
	add("CI_SERVER_REVISION", "sluice")
	add("CI_API_V4_URL", address+"/api/v4")
	add("CI_API_GRAPHQL_URL", address+"/api/graphql")
	add("CI_TEMPLATE_REGISTRY_HOST", "registry.gitlab.com")
	add("GITLAB_FEATURES", "")
}

func serverHost(o *event.Occasion) string {
	if u, err := url.Parse(o.Repository.URL); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	host, _, _ := strings.Cut(o.Repository.Host, ":")
	if host == "" {
		return "localhost"
	}
	return host
}

func projectURL(o *event.Occasion) string {
	if o.Repository.URL != "" {
		return o.Repository.URL
	}
	return "https://" + serverHost(o) + "/" + o.Repository.Path
}

func addProject(o *event.Occasion, add func(string, string)) {
	p := o.Repository.Path
	namespace := path.Dir(p)
	if namespace == "." {
		namespace = ""
	}
	root, _, _ := strings.Cut(namespace, "/")
	add("CI_PROJECT_ID", "1")
	add("CI_PROJECT_NAME", path.Base(p))
	add("CI_PROJECT_TITLE", path.Base(p))
	add("CI_PROJECT_DESCRIPTION", "")
	add("CI_PROJECT_PATH", p)
	add("CI_PROJECT_PATH_SLUG", variable.Slug(p))
	add("CI_PROJECT_NAMESPACE", namespace)
	add("CI_PROJECT_NAMESPACE_ID", "1")
	add("CI_PROJECT_NAMESPACE_SLUG", variable.Slug(namespace))
	add("CI_PROJECT_ROOT_NAMESPACE", root)
	add("CI_PROJECT_URL", projectURL(o))
	add("CI_PROJECT_VISIBILITY", "private")
	add("CI_PROJECT_REPOSITORY_LANGUAGES", "")
	add("CI_PROJECT_CLASSIFICATION_LABEL", "")
	add("CI_REPOSITORY_URL", projectURL(o)+".git")
	add("CI_DEFAULT_BRANCH", o.Repository.DefaultBranch)
	add("CI_DEFAULT_BRANCH_SLUG", variable.Slug(o.Repository.DefaultBranch))
	registry := "registry." + serverHost(o)
	add("CI_REGISTRY", registry)
	add("CI_REGISTRY_IMAGE", registry+"/"+strings.ToLower(p))
	add("CI_DEPENDENCY_PROXY_SERVER", serverHost(o)+":443")
	add("CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX", serverHost(o)+":443/"+strings.ToLower(root)+"/dependency_proxy/containers")
	add("CI_DEPENDENCY_PROXY_DIRECT_GROUP_IMAGE_PREFIX", serverHost(o)+":443/"+strings.ToLower(namespace)+"/dependency_proxy/containers")
	add("CI_PAGES_DOMAIN", "pages."+serverHost(o))
	add("CI_PAGES_URL", "https://"+root+".pages."+serverHost(o)+"/"+path.Base(p))
}

func addCommit(o *event.Occasion, protected bool, add func(string, string)) {
	ref := o.Branch
	if o.Tag != "" && o.Merge == nil {
		ref = o.Tag
	}
	before := o.Before
	if before == "" || o.Merge != nil {
		before = zeros
	}
	add("CI_COMMIT_SHA", o.Commit.SHA)
	add("CI_COMMIT_SHORT_SHA", o.Commit.SHA[:min(8, len(o.Commit.SHA))])
	add("CI_COMMIT_BEFORE_SHA", before)
	add("CI_COMMIT_REF_NAME", ref)
	add("CI_COMMIT_REF_SLUG", variable.Slug(ref))
	add("CI_COMMIT_REF_PROTECTED", strconv.FormatBool(protected))
	switch {
	case o.Merge != nil:
	case o.Tag != "":
		add("CI_COMMIT_TAG", o.Tag)
		add("CI_COMMIT_TAG_MESSAGE", o.TagMessage)
	case o.Branch != "":
		add("CI_COMMIT_BRANCH", o.Branch)
	}
	add("CI_COMMIT_MESSAGE", o.Commit.Message)
	add("CI_COMMIT_MESSAGE_IS_TRUNCATED", "false")
	add("CI_COMMIT_TITLE", o.Commit.Title)
	add("CI_COMMIT_DESCRIPTION", description(o.Commit))
	add("CI_COMMIT_TIMESTAMP", o.Commit.At.Format(time.RFC3339))
	add("CI_COMMIT_AUTHOR", strings.TrimSpace(o.Commit.Author.Name+" <"+o.Commit.Author.Email+">"))
}

// description is the message without its first line, or all of it where that line is a long one.
func description(c event.Commit) string {
	if len(c.Title) >= 100 {
		return c.Message
	}
	_, rest, _ := strings.Cut(c.Message, "\n")
	return strings.TrimLeft(rest, "\n")
}

func addMerge(o *event.Occasion, protected bool, add func(string, string)) {
	m := o.Merge
	number := strconv.Itoa(max(m.Number, 1))
	add("CI_MERGE_REQUEST_ID", number)
	add("CI_MERGE_REQUEST_IID", number)
	add("CI_MERGE_REQUEST_REF_PATH", "refs/merge-requests/"+number+"/head")
	add("CI_MERGE_REQUEST_PROJECT_ID", "1")
	add("CI_MERGE_REQUEST_PROJECT_PATH", o.Repository.Path)
	add("CI_MERGE_REQUEST_PROJECT_URL", projectURL(o))
	add("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "1")
	add("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", o.Repository.Path)
	add("CI_MERGE_REQUEST_SOURCE_PROJECT_URL", projectURL(o))
	add("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", o.Branch)
	add("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "")
	add("CI_MERGE_REQUEST_SOURCE_BRANCH_PROTECTED", strconv.FormatBool(o.Branch != "" && o.Branch == o.Repository.DefaultBranch))
	add("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", m.Target)
	add("CI_MERGE_REQUEST_TARGET_BRANCH_SHA", "")
	add("CI_MERGE_REQUEST_TARGET_BRANCH_PROTECTED", strconv.FormatBool(m.Target == o.Repository.DefaultBranch))
	add("CI_MERGE_REQUEST_DIFF_BASE_SHA", m.BaseSHA)
	add("CI_MERGE_REQUEST_DIFF_ID", number)
	add("CI_MERGE_REQUEST_EVENT_TYPE", "detached")
	add("CI_MERGE_REQUEST_TITLE", m.Title)
	add("CI_MERGE_REQUEST_DESCRIPTION", "")
	add("CI_MERGE_REQUEST_DESCRIPTION_IS_TRUNCATED", "false")
	add("CI_MERGE_REQUEST_DRAFT", strconv.FormatBool(m.Draft))
	add("CI_MERGE_REQUEST_SQUASH_ON_MERGE", "false")
	if len(m.Labels) > 0 {
		add("CI_MERGE_REQUEST_LABELS", strings.Join(m.Labels, ","))
	}
	add("CI_OPEN_MERGE_REQUESTS", o.Repository.Path+"!"+number)
}
