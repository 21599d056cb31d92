package keyword_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// documented is every keyword that has a heading or a list entry in GitLab's CI/CD YAML syntax reference, its page of
// artifacts reports and that of deprecated keywords, or a place in the schema of the pipeline editor.
const documented = `
default include include:component include:local include:project include:file include:ref include:remote
include:template include:inputs include:rules include:rules:if include:rules:changes include:rules:exists
include:rules:when include:integrity stages workflow workflow:auto_cancel workflow:auto_cancel:on_new_commit
workflow:auto_cancel:on_job_failure workflow:name workflow:rules workflow:rules:if workflow:rules:changes
workflow:rules:exists workflow:rules:when workflow:rules:variables workflow:rules:auto_cancel
workflow:rules:auto_cancel:on_new_commit workflow:rules:auto_cancel:on_job_failure
spec spec:inputs spec:inputs:<name>:default spec:inputs:<name>:description spec:inputs:<name>:options
spec:inputs:<name>:regex spec:inputs:<name>:type spec:inputs:<name>:rules spec:include spec:component
after_script allow_failure allow_failure:exit_codes artifacts artifacts:paths artifacts:exclude artifacts:expire_in
artifacts:expose_as artifacts:name artifacts:public artifacts:access artifacts:reports artifacts:untracked
artifacts:when before_script cache cache:paths cache:key cache:key:files cache:key:files_commits cache:key:prefix
cache:untracked cache:unprotect cache:when cache:policy cache:fallback_keys coverage dast_configuration
dast_configuration:site_profile dast_configuration:scanner_profile dependencies environment environment:name
environment:url environment:on_stop environment:action environment:auto_stop_in environment:kubernetes
environment:kubernetes:agent environment:kubernetes:dashboard environment:kubernetes:dashboard:namespace
environment:kubernetes:dashboard:flux_resource_path environment:kubernetes:managed_resources
environment:kubernetes:managed_resources:enabled environment:kubernetes:namespace
environment:kubernetes:flux_resource_path environment:deployment_tier extends hooks hooks:pre_get_sources_script
identity id_tokens id_tokens:<name>:aud image image:name image:entrypoint image:docker image:docker:platform
image:docker:user image:kubernetes image:kubernetes:user image:pull_policy inherit inherit:default inherit:variables
inputs inputs:<name>:default inputs:<name>:type inputs:<name>:description inputs:<name>:options inputs:<name>:regex
interruptible manual_confirmation needs needs:job needs:artifacts needs:project needs:ref needs:pipeline
needs:optional needs:parallel needs:parallel:matrix pages pages:publish pages:path_prefix pages:expire_in parallel
parallel:matrix publish release release:tag_name release:tag_message release:name release:description release:ref
release:milestones release:released_at release:assets release:assets:links release:assets:links:name
release:assets:links:url release:assets:links:filepath release:assets:links:link_type resource_group retry retry:max
retry:when retry:exit_codes rules rules:if rules:changes rules:changes:paths rules:changes:compare_to rules:exists
rules:exists:paths rules:exists:project rules:exists:ref rules:when rules:start_in rules:allow_failure rules:needs
rules:needs:job rules:needs:artifacts rules:needs:optional rules:variables rules:interruptible run run:name
run:script run:step run:env run:inputs run:action run:exec run:exec:command run:exec:work_dir run:run run:steps
run:outputs run:delegate run:step:git run:step:git:url run:step:git:rev run:step:git:dir run:step:oci script secrets
secrets:<name>:vault secrets:<name>:vault:engine secrets:<name>:vault:engine:name secrets:<name>:vault:engine:path
secrets:<name>:vault:path secrets:<name>:vault:field secrets:<name>:gcp_secret_manager
secrets:<name>:gcp_secret_manager:name secrets:<name>:gcp_secret_manager:version secrets:<name>:azure_key_vault
secrets:<name>:azure_key_vault:name secrets:<name>:azure_key_vault:version secrets:<name>:aws_secrets_manager
secrets:<name>:aws_secrets_manager:secret_id secrets:<name>:aws_secrets_manager:field secrets:<name>:akeyless
secrets:<name>:file secrets:<name>:token services services:name services:alias services:command services:entrypoint
services:docker services:docker:platform services:docker:user services:kubernetes services:kubernetes:user
services:pull_policy services:variables stage start_in tags timeout trigger trigger:project trigger:branch
trigger:strategy trigger:forward trigger:forward:yaml_variables trigger:forward:pipeline_variables trigger:inputs
trigger:include trigger:include:local trigger:include:artifact trigger:include:job trigger:include:project
trigger:include:file trigger:include:ref trigger:include:remote trigger:include:template trigger:include:component
trigger:include:inputs when variables variables:<name>:description variables:<name>:value variables:<name>:options
variables:<name>:expand only only:refs only:variables only:changes only:kubernetes except except:refs
except:variables except:changes except:kubernetes $schema
artifacts:reports:accessibility artifacts:reports:annotations artifacts:reports:api_fuzzing
artifacts:reports:browser_performance artifacts:reports:cluster_image_scanning artifacts:reports:codequality
artifacts:reports:container_scanning artifacts:reports:coverage_fuzzing artifacts:reports:coverage_report
artifacts:reports:coverage_report:coverage_format artifacts:reports:coverage_report:path artifacts:reports:cyclonedx
artifacts:reports:dast artifacts:reports:dependency_scanning artifacts:reports:dotenv artifacts:reports:junit
artifacts:reports:license_management artifacts:reports:license_scanning artifacts:reports:load_performance
artifacts:reports:lsif artifacts:reports:metrics artifacts:reports:performance artifacts:reports:repository_xray
artifacts:reports:requirements artifacts:reports:requirements_v2 artifacts:reports:sast
artifacts:reports:secret_detection artifacts:reports:terraform
`

func TestTableHasEveryDocumentedKeyword(t *testing.T) {
	known := map[string]bool{}
	for _, k := range keyword.Table() {
		if known[k.Path] {
			t.Errorf("%s is in the table twice", k.Path)
		}
		known[k.Path] = true
	}
	for _, path := range strings.Fields(documented) {
		if !known[path] {
			t.Errorf("%s is not in the table", path)
		}
	}
}

func TestTableIsWhole(t *testing.T) {
	paths := map[string]bool{}
	for _, k := range keyword.Table() {
		paths[k.Path] = true
	}
	for _, k := range keyword.Table() {
		if len(k.In.Places()) == 0 {
			t.Errorf("%s stands nowhere", k.Path)
		}
		if parent := k.Parent(); parent != "" && !paths[parent] && !strings.HasSuffix(parent, ":<name>") {
			t.Errorf("%s has no parent in the table", k.Path)
		}
		if (k.Support == keyword.Works) != (k.Note == "") {
			t.Errorf("%s: support %q does not go with the note %q", k.Path, k.Support, k.Note)
		}
		if k.Tell == fault.Error {
			t.Errorf("%s: what is an error is refused", k.Path)
		}
	}
}

// TestDefaultKeywords holds the list of the documentation (CI/CD YAML syntax reference, default), and identity, which
// its own section adds.
func TestDefaultKeywords(t *testing.T) {
	want := []string{
		"after_script", "artifacts", "before_script", "cache", "hooks", "id_tokens", "identity", "image", "interruptible",
		"retry", "services", "tags", "timeout",
	}
	if got := keyword.DefaultKeywords(); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestTriggerKeywords holds what a job with trigger may use (CI/CD YAML syntax reference, trigger), and inherit and
// interruptible, whose own sections add them.
func TestTriggerKeywords(t *testing.T) {
	want := []string{
		"allow_failure", "environment", "except", "extends", "inherit", "interruptible", "needs", "only", "parallel",
		"resource_group", "rules", "stage", "trigger", "variables", "when",
	}
	var got []string
	for _, k := range keyword.Table() {
		if k.Parent() == "" && k.In&keyword.InBridge != 0 {
			got = append(got, k.Path)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestEveryCodeIsExplained(t *testing.T) {
	codes := []string{
		keyword.CodeType, keyword.CodeUnknown, keyword.CodeMisplaced, keyword.CodeRefused, keyword.CodeChoice,
		keyword.CodeLimit, keyword.CodeMissing, keyword.CodeTogether, keyword.CodeNoScript, keyword.CodeNoJobs,
		keyword.CodeJobName, keyword.CodeName, keyword.CodeCommand, keyword.CodeNesting, keyword.CodePattern,
		keyword.CodeSpan, keyword.CodeVariable, keyword.CodeMatrix, keyword.CodeStage, keyword.CodeUndefined,
		keyword.CodeLater, keyword.CodeCycle, keyword.CodeDuplicate, keyword.CodeNotNeeded, keyword.CodeOnStop,
		keyword.CodeServer, keyword.CodeDeprecated, keyword.CodeNoEffect, keyword.CodeVariableName, keyword.CodeTwice,
	}
	for i, code := range codes {
		if i >= len(keyword.Docs) || keyword.Docs[i].Code != code || keyword.Docs[i].Summary == "" || keyword.Docs[i].Text == "" {
			t.Errorf("%s is not explained in its place", code)
		}
		if !strings.HasPrefix(code, "SL12") || slices.Index(codes, code) != i {
			t.Errorf("code %s is out of range or taken", code)
		}
	}
	if len(keyword.Docs) != len(codes) {
		t.Errorf("%d codes, %d explanations", len(codes), len(keyword.Docs))
	}
}
