package variable

import (
	"encoding/json"
	"net/url"
	"strconv"
)

// jobTable are the variables about a job.
var jobTable = []Entry{
	{Name: "CI_JOB_NAME", Phase: InPipeline, Text: "The name of the job.", job: ofJob(func(_ *Facts, j *Job) string { return j.Name })},
	{Name: "CI_JOB_NAME_SLUG", Phase: InPipeline, Text: "CI_JOB_NAME fit for paths: lower case, at most 63 bytes of a-z, 0-9 and -.", job: ofJob(func(_ *Facts, j *Job) string { return Slug(j.Name) })},
	{Name: "CI_JOB_GROUP_NAME", Phase: InPipeline, Text: "The name that the job shares with others of parallel, parallel:matrix or a group; else CI_JOB_NAME.", job: ofJob(func(_ *Facts, j *Job) string { return GroupName(j.Name) })},
	{Name: "CI_JOB_STAGE", Phase: InPipeline, Text: "The job's stage.", job: ofJob(func(_ *Facts, j *Job) string { return j.Stage })},
	{Name: "CI_JOB_MANUAL", Phase: InPipeline, When: "in manual jobs", Text: "true.", job: func(_ *Facts, j *Job) (string, bool) { return "true", j.Manual }},
	{Name: "CI_NODE_INDEX", Phase: InPipeline, When: "in jobs with parallel", Text: "The number of the job among its like, from 1.", job: func(_ *Facts, j *Job) (string, bool) { return strconv.Itoa(j.Index), j.Index > 0 }},
	{Name: "CI_NODE_TOTAL", Phase: InPipeline, Text: "How many jobs parallel makes, 1 without it.", job: ofJob(func(_ *Facts, j *Job) string { return strconv.Itoa(max(j.Total, 1)) })},
	{Name: "CI_ENVIRONMENT_ID", Phase: InPipeline, When: "in jobs with an environment", Text: "The number of the environment.", job: ofEnvironment(func(e *Environment) string { return e.ID })},
	{Name: "CI_ENVIRONMENT_NAME", Phase: InPipeline, When: "in jobs with an environment", Text: "The name of the environment.", job: ofEnvironment(func(e *Environment) string { return e.Name })},
	{Name: "CI_ENVIRONMENT_SLUG", Phase: InPipeline, When: "in jobs with an environment, not in rules", Text: "The name of the environment fit for host names: at most 24 bytes, with six characters of a digest where the name had to be changed.", Persisted: true, job: ofEnvironment(func(e *Environment) string {
		if e.Name == "" {
			return ""
		}
		return EnvironmentSlug(e.Name)
	})},
	{Name: "CI_ENVIRONMENT_URL", Phase: InPipeline, When: "in jobs with environment:url", Text: "The address of the environment.", job: ofEnvironment(func(e *Environment) string { return e.URL })},
	{Name: "CI_ENVIRONMENT_ACTION", Phase: InPipeline, When: "in jobs with an environment", Text: "start, prepare, stop, verify or access.", job: ofEnvironment(func(e *Environment) string { return orElse(e.Action, "start") })},
	{Name: "CI_ENVIRONMENT_TIER", Phase: InPipeline, When: "in jobs with an environment", Text: "production, staging, testing, development or other.", job: ofEnvironment(func(e *Environment) string { return orElse(e.Tier, Tier(e.Name)) })},
	{Name: "CI_JOB_ID", Phase: JobOnly, Persisted: true, Text: "The number of the job on this instance.", job: ofJob(func(_ *Facts, j *Job) string { return j.ID })},
	{Name: "CI_JOB_URL", Phase: JobOnly, Persisted: true, Text: "The address of the job's page.", job: ofJob(func(f *Facts, j *Job) string {
		if j.ID == "" {
			return ""
		}
		return projectURL(f) + "/-/jobs/" + j.ID
	})},
	{Name: "CI_JOB_IMAGE", Phase: JobOnly, When: "in jobs with an image", Text: "The image that the job runs in.", job: ofJob(func(_ *Facts, j *Job) string { return j.Image })},
	{Name: "CI_JOB_STATUS", Phase: JobOnly, Text: "The status of the job so far: running, and in after_script success, failed or canceled.", job: ofJob(func(_ *Facts, j *Job) string { return j.Status })},
	{Name: "CI_JOB_TIMEOUT", Phase: JobOnly, Text: "How long the job may take, in seconds.", job: func(_ *Facts, j *Job) (string, bool) {
		return strconv.Itoa(int(j.Timeout.Seconds())), j.Timeout > 0
	}},
	{Name: "CI_JOB_STARTED_AT", Phase: JobOnly, Persisted: true, Text: "When the job started, as 2022-01-31T16:47:55Z.", job: ofJob(func(_ *Facts, j *Job) string { return stamp(j.Started) })},
	{Name: "CI_JOB_STARTED_AT_SLUG", Phase: JobOnly, Text: "CI_JOB_STARTED_AT fit for image tags.", job: ofJob(func(_ *Facts, j *Job) string { return Slug(stamp(j.Started)) })},
	{Name: "CI_JOB_TOKEN", Phase: JobOnly, Persisted: true, Text: "A token for the API of the instance while the job runs.", masked: true, job: ofJob(func(_ *Facts, j *Job) string { return j.Token })},
	{Name: "CI_REGISTRY_USER", Phase: JobOnly, Persisted: true, When: "where there is a container registry", Text: "The user name for the project's container registry.", job: ofJob(func(f *Facts, j *Job) string { return tokenUser(f.Project.Registry, j) })},
	{Name: "CI_REGISTRY_PASSWORD", Phase: JobOnly, Persisted: true, When: "where there is a container registry", Text: "The password for the project's container registry.", masked: true, job: ofJob(func(f *Facts, j *Job) string {
		if f.Project.Registry == "" {
			return ""
		}
		return j.Token
	})},
	{Name: "CI_DEPENDENCY_PROXY_USER", Phase: InPipeline, Persisted: true, When: "where the job has a token", Text: "The user name for the dependency proxy.", job: ofJob(func(_ *Facts, j *Job) string { return tokenUser("proxy", j) })},
	{Name: "CI_DEPENDENCY_PROXY_PASSWORD", Phase: InPipeline, Persisted: true, When: "where the job has a token", Text: "The password for the dependency proxy.", masked: true, job: ofJob(func(_ *Facts, j *Job) string { return j.Token })},
	{Name: "CI_DEPLOY_USER", Phase: JobOnly, Persisted: true, When: "where the project has a deploy token", Text: "The user name of the deploy token.", job: ofJob(func(_ *Facts, j *Job) string { return j.Deploy.Login })},
	{Name: "CI_DEPLOY_PASSWORD", Phase: JobOnly, Persisted: true, When: "where the project has a deploy token", Text: "The deploy token.", masked: true, job: ofJob(func(_ *Facts, j *Job) string { return j.Deploy.ID })},
	{Name: "CI_REPOSITORY_URL", Phase: JobOnly, Persisted: true, Text: "The address to clone the repository from, with the job's token where there is one.", job: ofJob(repositoryURL)},
}

func tokenUser(what string, j *Job) string {
	if what == "" || j.Token == "" {
		return ""
	}
	return "gitlab-ci-token"
}

func repositoryURL(f *Facts, j *Job) string {
	u, err := url.Parse(projectURL(f))
	if err != nil || u.Host == "" {
		return ""
	}
	if j.Token != "" {
		u.User = url.UserPassword("gitlab-ci-token", j.Token)
	}
	u.Path += ".git"
	return u.String()
}

// runnerTable are the variables about the runner.
var runnerTable = []Entry{
	{Name: "CI_SERVER", Phase: JobOnly, Text: "yes in every job of a pipeline.", job: ofJob(func(*Facts, *Job) string { return "yes" })},
	{Name: "CI_BUILDS_DIR", Phase: JobOnly, Text: "The folder that project folders are made in.", job: ofJob(func(_ *Facts, j *Job) string { return j.Runner.BuildsDir })},
	{Name: "CI_PROJECT_DIR", Phase: JobOnly, Text: "The project folder: where the repository is and the job starts.", job: ofJob(func(_ *Facts, j *Job) string { return j.Runner.ProjectDir })},
	{Name: "CI_CONCURRENT_ID", Phase: JobOnly, Text: "The slot of the job among those that run at one time.", job: ofJob(func(_ *Facts, j *Job) string { return strconv.Itoa(j.Runner.Concurrent) })},
	{Name: "CI_CONCURRENT_PROJECT_ID", Phase: JobOnly, Text: "The slot of the job among those of the project that run at one time.", job: ofJob(func(_ *Facts, j *Job) string { return strconv.Itoa(j.Runner.ConcurrentProject) })},
	{Name: "CI_RUNNER_ID", Phase: JobOnly, Text: "The number of the runner.", job: ofJob(func(_ *Facts, j *Job) string { return j.Runner.ID })},
	{Name: "CI_RUNNER_DESCRIPTION", Phase: JobOnly, Text: "The description of the runner.", job: ofJob(func(_ *Facts, j *Job) string { return j.Runner.Description })},
	{Name: "CI_RUNNER_EXECUTABLE_ARCH", Phase: JobOnly, Text: "The system and architecture that the runner was built for, linux/amd64.", job: ofJob(func(_ *Facts, j *Job) string { return j.Runner.Arch })},
	{Name: "CI_RUNNER_VERSION", Phase: JobOnly, Text: "The version of the runner.", job: ofJob(func(_ *Facts, j *Job) string { return j.Runner.Version })},
	{Name: "CI_RUNNER_REVISION", Phase: JobOnly, Text: "The commit that the runner was built from.", job: ofJob(func(_ *Facts, j *Job) string { return j.Runner.Revision })},
	{Name: "CI_RUNNER_SHORT_TOKEN", Phase: JobOnly, Text: "The beginning of the runner's token.", job: ofJob(func(_ *Facts, j *Job) string { return j.Runner.ShortToken[:min(len(j.Runner.ShortToken), 17)] })},
	{Name: "CI_RUNNER_TAGS", Phase: JobOnly, Text: "The tags of the runner, as a JSON array.", job: ofJob(func(_ *Facts, j *Job) string { return tags(j.Runner.Tags) })},
	{Name: "CI_SHARED_ENVIRONMENT", Phase: JobOnly, When: "where what a job leaves behind stays, as with the shell executor", Text: "true.", job: func(_ *Facts, j *Job) (string, bool) { return "true", j.Runner.Shared }},
	{Name: "CI_DISPOSABLE_ENVIRONMENT", Phase: JobOnly, When: "where the job's surroundings are made for it alone, as with Docker", Text: "true.", job: func(_ *Facts, j *Job) (string, bool) { return "true", !j.Runner.Shared }},
}

func tags(names []string) string {
	if names == nil {
		names = []string{}
	}
	text, err := json.Marshal(names)
	if err != nil {
		return "[]"
	}
	return string(text)
}

const (
	needsServer = "only a GitLab server knows it"
	needsSetup  = "an integration of the GitLab project sets it"
)

// absentTable are documented variables that nothing here can know. Give them with --variable where a script needs them.
var absentTable = absent(needsServer, map[string]string{
	"CI_HAS_OPEN_REQUIREMENTS": "true where the project has open requirements.",
	"KUBECONFIG":               "A file with the contexts of the agents for Kubernetes that the project may use.",
}, needsSetup, map[string]string{
	"AUTO_DEVOPS_EXPLICITLY_ENABLED": "1 where Auto DevOps is on.", "STAGING_ENABLED": "Whether Auto DevOps deploys to staging first.",
	"INCREMENTAL_ROLLOUT_MODE": "How Auto DevOps rolls out.", "INCREMENTAL_ROLLOUT_ENABLED": "Whether Auto DevOps rolls out in steps (deprecated).",
	"HARBOR_URL": "The address of Harbor.", "HARBOR_HOST": "The host of Harbor.", "HARBOR_OCI": "The OCI address of Harbor.", "HARBOR_PROJECT": "The project in Harbor.",
	"HARBOR_USERNAME": "The user name for Harbor.", "HARBOR_PASSWORD": "The password for Harbor.",
	"APP_STORE_CONNECT_API_KEY_ISSUER_ID": "The issuer of the App Store Connect key.", "APP_STORE_CONNECT_API_KEY_KEY_ID": "The name of the App Store Connect key.",
	"APP_STORE_CONNECT_API_KEY_KEY": "The App Store Connect key.", "APP_STORE_CONNECT_API_KEY_IS_KEY_CONTENT_BASE64": "true where that key is in base64.",
	"SUPPLY_PACKAGE_NAME": "The package for Google Play.", "SUPPLY_JSON_KEY_DATA": "The key for Google Play.",
	"DIFFBLUE_LICENSE_KEY": "The license of Diffblue Cover.", "DIFFBLUE_ACCESS_TOKEN_NAME": "The name of the token of Diffblue Cover.", "DIFFBLUE_ACCESS_TOKEN": "The token of Diffblue Cover.",
})

func absent(why string, server map[string]string, other string, integrations map[string]string) []Entry {
	var out []Entry
	for name, text := range server {
		out = append(out, Entry{Name: name, Phase: InPipeline, Text: text, Absent: why})
	}
	for name, text := range integrations {
		out = append(out, Entry{Name: name, Phase: JobOnly, Text: text, Absent: other})
	}
	return out
}
