package variable

import (
	"net/url"
	"strings"
)

// commitTable are the variables about the commit and the ref.
var commitTable = []Entry{
	{Name: "CI_COMMIT_SHA", Phase: PrePipeline, Text: "The commit that the pipeline runs for.", pipeline: given(func(f *Facts) string { return f.Commit.SHA })},
	{Name: "CI_COMMIT_SHORT_SHA", Phase: PrePipeline, Text: "The first eight characters of CI_COMMIT_SHA.", pipeline: given(func(f *Facts) string { return f.Commit.SHA[:min(len(f.Commit.SHA), 8)] })},
	{Name: "CI_COMMIT_BEFORE_SHA", Phase: PrePipeline, Text: "The commit that the branch or tag was at before the push; zeros in merge request and scheduled pipelines, for the first pipeline of a ref and where a person started it.", pipeline: always(before)},
	{Name: "CI_COMMIT_REF_NAME", Phase: PrePipeline, Text: "The branch or tag; in merge request pipelines the source branch.", pipeline: always(ref)},
	{Name: "CI_COMMIT_REF_SLUG", Phase: PrePipeline, Text: "CI_COMMIT_REF_NAME fit for host names: lower case, at most 63 bytes of a-z, 0-9 and -.", pipeline: always(func(f *Facts) string { return Slug(ref(f)) })},
	{Name: "CI_COMMIT_REF_PROTECTED", Phase: PrePipeline, Text: "true where the ref is protected, else false.", pipeline: always(func(f *Facts) string { return truth(f.Protected) })},
	{Name: "CI_COMMIT_BRANCH", Phase: PrePipeline, When: "in branch pipelines: not for tags and merge requests", Text: "The branch.", pipeline: given(branch)},
	{Name: "CI_COMMIT_TAG", Phase: PrePipeline, When: "in tag pipelines", Text: "The tag.", pipeline: given(func(f *Facts) string { return f.Tag })},
	{Name: "CI_COMMIT_TAG_MESSAGE", Phase: PrePipeline, When: "in tag pipelines", Text: "The message of the tag.", pipeline: func(f *Facts) (string, bool) { return f.TagMessage, f.Tag != "" }},
	{Name: "CI_COMMIT_MESSAGE", Phase: PrePipeline, Text: "The whole message of the commit, at most 100,000 bytes.", pipeline: always(func(f *Facts) string { return cut(f.Commit.Message) })},
	{Name: "CI_COMMIT_MESSAGE_IS_TRUNCATED", Phase: PrePipeline, Text: "true where the message was cut, else false.", pipeline: always(func(f *Facts) string { return truth(len(f.Commit.Message) > maxMessage) })},
	{Name: "CI_COMMIT_TITLE", Phase: PrePipeline, Text: "The first line of the message.", pipeline: always(func(f *Facts) string { return cut(title(f)) })},
	{Name: "CI_COMMIT_DESCRIPTION", Phase: PrePipeline, Text: "The message without its first line; the whole message where that line has 100 characters or more.", pipeline: always(func(f *Facts) string { return cut(description(f)) })},
	{Name: "CI_COMMIT_AUTHOR", Phase: PrePipeline, Text: "The author of the commit, as Name <email>.", pipeline: always(func(f *Facts) string { return f.Commit.Author })},
	{Name: "CI_COMMIT_USER_LOGIN", Phase: PrePipeline, Text: "The author's user name where it is public, else empty.", pipeline: always(func(f *Facts) string { return f.Commit.Login })},
	{Name: "CI_COMMIT_TIMESTAMP", Phase: PrePipeline, Text: "When the commit was made, as 2022-01-31T16:47:55Z.", pipeline: given(func(f *Facts) string { return stamp(f.Commit.At) })},
}

const (
	maxMessage = 100_000
	noCommit   = "0000000000000000000000000000000000000000"
)

func ref(f *Facts) string {
	if f.Tag != "" && f.Merge == nil {
		return f.Tag
	}
	return f.Branch
}

func branch(f *Facts) string {
	if f.Tag != "" || f.Merge != nil {
		return ""
	}
	return f.Branch
}

func before(f *Facts) string {
	if f.Source != "push" || f.Merge != nil {
		return noCommit
	}
	return orElse(f.Before, noCommit)
}

// cut shortens a text to the longest message, at the end of a character.
func cut(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "")
}

func title(f *Facts) string {
	m := f.Commit.Message
	if strings.TrimSpace(m) == "" {
		return "No commit message"
	}
	if at := strings.IndexAny(m, "\r\n"); at >= 0 {
		return m[:at]
	}
	return m
}

func description(f *Facts) string {
	m := f.Commit.Message
	if strings.TrimSpace(m) == "" {
		return "No commit message"
	}
	if len([]rune(title(f))) >= 100 {
		return m
	}
	_, rest, _ := strings.Cut(m, "\n")
	return strings.TrimSuffix(strings.TrimSuffix(rest, "\n"), "\r")
}

// projectTable are the variables about the project.
var projectTable = []Entry{
	{Name: "CI_PROJECT_ID", Phase: PrePipeline, Text: "The number of the project; here one that is made from its path.", pipeline: given(func(f *Facts) string { return f.Project.ID })},
	{Name: "CI_PROJECT_NAME", Phase: PrePipeline, Text: "The last part of the project's path.", pipeline: given(projectName)},
	{Name: "CI_PROJECT_TITLE", Phase: PrePipeline, Text: "The project's name for people.", pipeline: given(func(f *Facts) string { return orElse(f.Project.Title, projectName(f)) })},
	{Name: "CI_PROJECT_DESCRIPTION", Phase: PrePipeline, Text: "The project's description.", pipeline: always(func(f *Facts) string { return f.Project.Description })},
	{Name: "CI_PROJECT_PATH", Phase: PrePipeline, Text: "The project's path, group/project.", pipeline: given(func(f *Facts) string { return f.Project.Path })},
	{Name: "CI_PROJECT_PATH_SLUG", Phase: PrePipeline, Text: "CI_PROJECT_PATH fit for host names.", pipeline: given(func(f *Facts) string { return Slug(f.Project.Path) })},
	{Name: "CI_PROJECT_NAMESPACE", Phase: PrePipeline, Text: "The group or user that the project belongs to.", pipeline: given(namespace)},
	{Name: "CI_PROJECT_NAMESPACE_ID", Phase: PrePipeline, Text: "The number of that group or user; here one that is made from its path.", pipeline: given(func(f *Facts) string { return f.Project.NamespaceID })},
	{Name: "CI_PROJECT_NAMESPACE_SLUG", Phase: PrePipeline, Text: "CI_PROJECT_NAMESPACE fit for host names.", pipeline: given(func(f *Facts) string { return Slug(namespace(f)) })},
	{Name: "CI_PROJECT_ROOT_NAMESPACE", Phase: PrePipeline, Text: "The first part of the project's path.", pipeline: given(rootNamespace)},
	{Name: "CI_PROJECT_URL", Phase: PrePipeline, Text: "The address of the project.", pipeline: given(projectURL)},
	{Name: "CI_PROJECT_VISIBILITY", Phase: PrePipeline, Text: "internal, private or public.", pipeline: always(func(f *Facts) string { return orElse(f.Project.Visibility, "private") })},
	{Name: "CI_PROJECT_REPOSITORY_LANGUAGES", Phase: PrePipeline, Text: "At most five languages of the repository, in lower case, separated by commas.", pipeline: always(func(f *Facts) string { return list(f.Project.Languages, 5) })},
	{Name: "CI_PROJECT_TOPICS", Phase: PrePipeline, Text: "At most twenty topics of the project, in lower case, separated by commas.", pipeline: always(func(f *Facts) string { return list(f.Project.Topics, 20) })},
	{Name: "CI_PROJECT_CLASSIFICATION_LABEL", Phase: PrePipeline, Text: "The project's label for external authorization.", pipeline: always(func(f *Facts) string { return f.Project.ClassificationLabel })},
	{Name: "CI_DEFAULT_BRANCH", Phase: PrePipeline, Text: "The project's default branch.", pipeline: given(func(f *Facts) string { return f.Project.DefaultBranch })},
	{Name: "CI_DEFAULT_BRANCH_SLUG", Phase: PrePipeline, Text: "CI_DEFAULT_BRANCH fit for host names.", pipeline: given(func(f *Facts) string { return Slug(f.Project.DefaultBranch) })},
	{Name: "CI_CONFIG_PATH", Phase: PrePipeline, Text: "The pipeline's file, .gitlab-ci.yml where nothing else is set.", pipeline: always(configPath)},
	{Name: "CI_CONFIG_REF_URI", Phase: InPipeline, When: "where the ref is known", Text: "The pipeline's file with its place: host/group/project//file@ref.", pipeline: given(configURI)},
	{Name: "CI_REGISTRY", Phase: PrePipeline, When: "where there is a container registry", Text: "The address of the container registry.", pipeline: given(func(f *Facts) string { return f.Project.Registry })},
	{Name: "CI_REGISTRY_IMAGE", Phase: PrePipeline, When: "where there is a container registry", Text: "The address of the project's images.", pipeline: given(registryImage)},
	{Name: "CI_PAGES_DOMAIN", Phase: PrePipeline, When: "where there is GitLab Pages", Text: "The domain of GitLab Pages.", pipeline: given(func(f *Facts) string { return f.Project.Pages })},
	{Name: "CI_PAGES_HOSTNAME", Phase: JobOnly, When: "where there is GitLab Pages", Text: "The host of the project's site.", pipeline: given(pagesHost)},
	{Name: "CI_PAGES_URL", Phase: JobOnly, When: "where there is GitLab Pages", Text: "The address of the project's site.", pipeline: given(pagesURL)},
}

func list(items []string, most int) string {
	return strings.ToLower(strings.Join(items[:min(len(items), most)], ","))
}

func projectName(f *Facts) string {
	return f.Project.Path[strings.LastIndexByte(f.Project.Path, '/')+1:]
}

func namespace(f *Facts) string { return parent(f.Project.Path) }

func rootNamespace(f *Facts) string {
	root, _, found := strings.Cut(f.Project.Path, "/")
	if !found {
		return ""
	}
	return root
}

func projectURL(f *Facts) string {
	if f.Project.URL != "" || f.Project.Path == "" {
		return f.Project.URL
	}
	return serverURL(f) + "/" + f.Project.Path
}

func configPath(f *Facts) string { return orElse(f.Project.ConfigPath, ".gitlab-ci.yml") }

func configURI(f *Facts) string {
	name := "refs/heads/" + f.Branch
	switch {
	case f.Merge != nil:
		name = "refs/merge-requests/" + f.Merge.IID + "/head"
	case f.Tag != "":
		name = "refs/tags/" + f.Tag
	case f.Branch == "":
		return ""
	}
	return hostPort(f) + "/" + f.Project.Path + "//" + configPath(f) + "@" + name
}

func registryImage(f *Facts) string {
	if f.Project.Registry == "" || f.Project.Path == "" {
		return ""
	}
	return f.Project.Registry + "/" + strings.ToLower(f.Project.Path)
}

func pagesHost(f *Facts) string {
	if f.Project.Pages == "" || rootNamespace(f) == "" {
		return ""
	}
	return strings.ToLower(rootNamespace(f)) + "." + f.Project.Pages
}

func pagesURL(f *Facts) string {
	host := pagesHost(f)
	if host == "" {
		return ""
	}
	u := server(f).Scheme + "://" + host
	if below := strings.TrimPrefix(f.Project.Path, rootNamespace(f)+"/"); !strings.EqualFold(below, host) {
		u += "/" + below
	}
	return u
}

// serverTable are the variables about the GitLab instance.
var serverTable = []Entry{
	{Name: "CI_SERVER_URL", Phase: PrePipeline, Text: "The address of the GitLab instance.", pipeline: always(serverURL)},
	{Name: "CI_SERVER_HOST", Phase: PrePipeline, Text: "The host of CI_SERVER_URL.", pipeline: always(func(f *Facts) string { return server(f).Hostname() })},
	{Name: "CI_SERVER_FQDN", Phase: PrePipeline, Text: "The host of CI_SERVER_URL, with its port where that is not the usual one.", pipeline: always(hostPort)},
	{Name: "CI_SERVER_PORT", Phase: PrePipeline, Text: "The port of CI_SERVER_URL.", pipeline: always(serverPort)},
	{Name: "CI_SERVER_PROTOCOL", Phase: PrePipeline, Text: "http or https.", pipeline: always(func(f *Facts) string { return server(f).Scheme })},
	{Name: "CI_SERVER_NAME", Phase: PrePipeline, Text: "The name of the server that coordinates jobs.", pipeline: always(func(f *Facts) string { return orElse(f.Server.Name, "GitLab") })},
	{Name: "CI_SERVER_VERSION", Phase: PrePipeline, When: "where it is known", Text: "The version of the instance.", pipeline: given(func(f *Facts) string { return f.Server.Version })},
	{Name: "CI_SERVER_VERSION_MAJOR", Phase: PrePipeline, When: "where it is known", Text: "The first part of the version.", pipeline: given(func(f *Facts) string { return version(f, 0) })},
	{Name: "CI_SERVER_VERSION_MINOR", Phase: PrePipeline, When: "where it is known", Text: "The second part of the version.", pipeline: given(func(f *Facts) string { return version(f, 1) })},
	{Name: "CI_SERVER_VERSION_PATCH", Phase: PrePipeline, When: "where it is known", Text: "The third part of the version.", pipeline: given(func(f *Facts) string { return version(f, 2) })},
	{Name: "CI_SERVER_REVISION", Phase: PrePipeline, When: "where it is known", Text: "The commit that the instance was built from.", pipeline: given(func(f *Facts) string { return f.Server.Revision })},
	{Name: "CI_SERVER_SHELL_SSH_HOST", Phase: PrePipeline, Text: "The host for git over SSH.", pipeline: always(func(f *Facts) string { return orElse(f.Server.SSHHost, server(f).Hostname()) })},
	{Name: "CI_SERVER_SHELL_SSH_PORT", Phase: PrePipeline, Text: "The port for git over SSH.", pipeline: always(func(f *Facts) string { return orElse(f.Server.SSHPort, "22") })},
	{Name: "CI_SERVER_TLS_CA_FILE", Phase: InPipeline, When: "where the runner is set up with it", Text: "The file with the certificate authority of the instance.", pipeline: given(func(f *Facts) string { return f.Server.TLSCA })},
	{Name: "CI_SERVER_TLS_CERT_FILE", Phase: InPipeline, When: "where the runner is set up with it", Text: "The file with the runner's certificate.", pipeline: given(func(f *Facts) string { return f.Server.TLSCert })},
	{Name: "CI_SERVER_TLS_KEY_FILE", Phase: InPipeline, When: "where the runner is set up with it", Text: "The file with the runner's key.", pipeline: given(func(f *Facts) string { return f.Server.TLSKey })},
	{Name: "CI_API_V4_URL", Phase: PrePipeline, Text: "The root of the REST API.", pipeline: always(func(f *Facts) string { return serverURL(f) + "/api/v4" })},
	{Name: "CI_API_GRAPHQL_URL", Phase: PrePipeline, Text: "The root of the GraphQL API.", pipeline: always(func(f *Facts) string { return serverURL(f) + "/api/graphql" })},
	{Name: "CI_TEMPLATE_REGISTRY_HOST", Phase: PrePipeline, Text: "The registry that GitLab's own templates take their images from.", pipeline: always(func(*Facts) string { return "registry.gitlab.com" })},
	{Name: "CI_DEPENDENCY_PROXY_SERVER", Phase: PrePipeline, Text: "Where to log in to the dependency proxy: host and port.", pipeline: always(proxyServer)},
	{Name: "CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX", Phase: PrePipeline, Text: "The prefix of images through the dependency proxy of the topmost group.", pipeline: given(func(f *Facts) string { return proxyPrefix(f, rootNamespace(f)) })},
	{Name: "CI_DEPENDENCY_PROXY_DIRECT_GROUP_IMAGE_PREFIX", Phase: PrePipeline, Text: "The prefix of images through the dependency proxy of the project's group.", pipeline: given(func(f *Facts) string { return proxyPrefix(f, namespace(f)) })},
	{Name: "CI_GITLAB_FIPS_MODE", Phase: PrePipeline, When: "where the instance runs in FIPS mode", Text: "true.", pipeline: flag(func(f *Facts) bool { return f.Server.FIPS })},
	{Name: "GITLAB_FEATURES", Phase: PrePipeline, Text: "The licensed features of the instance, separated by commas.", pipeline: always(func(f *Facts) string { return strings.Join(f.Server.Features, ",") })},
}

func serverURL(f *Facts) string {
	return strings.TrimSuffix(orElse(f.Server.URL, "https://gitlab.com"), "/")
}

// server is the address in parts; what cannot be read counts as gitlab.com.
func server(f *Facts) *url.URL {
	u, err := url.Parse(serverURL(f))
	if err != nil || u.Host == "" {
		return &url.URL{Scheme: "https", Host: "gitlab.com"}
	}
	return u
}

func serverPort(f *Facts) string {
	u := server(f)
	if u.Port() != "" {
		return u.Port()
	}
	if u.Scheme == "http" {
		return "80"
	}
	return "443"
}

// hostPort leaves the usual port of the protocol out.
func hostPort(f *Facts) string {
	u := server(f)
	if u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" {
		return u.Hostname()
	}
	return u.Host
}

func proxyServer(f *Facts) string { return server(f).Hostname() + ":" + serverPort(f) }

func proxyPrefix(f *Facts, group string) string {
	if group == "" {
		return ""
	}
	return proxyServer(f) + "/" + strings.ToLower(group) + "/dependency_proxy/containers"
}

func version(f *Facts, part int) string {
	parts := strings.Split(strings.SplitN(f.Server.Version, "-", 2)[0], ".")
	if part >= len(parts) {
		return ""
	}
	return parts[part]
}
