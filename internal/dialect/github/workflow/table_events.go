package workflow

import "slices"

// Stand says what `sluice run --event NAME` makes of an event.
type Stand string

// The kinds of stand-ins.
const (
	// StandsAlone: the event and its payload are made from the repository as it is here.
	StandsAlone Stand = "made here"
	// StandsWithPayload: the event happens on GitHub only; its payload is what --event-path gives, else only what the
	// repository says.
	StandsWithPayload Stand = "with a payload"
	// StandsCalled: the event is another workflow's call.
	StandsCalled Stand = "by a call"
	// StandsNever: what the event is about exists on GitHub's servers only.
	StandsNever Stand = "refused"
)

// Event is one event that triggers workflows, as GitHub's page "Events that trigger workflows" lists it.
type Event struct {
	Name string
	// Types are its activity types in the order of the documentation; nil where it has none.
	Types []string
	// Defaults are the types that trigger where types is not written; nil means all.
	Defaults []string
	// AnyType: the types are chosen by the sender.
	AnyType bool
	// Keys are what may stand below the event: types, branches, paths, inputs, …
	Keys []string
	// Stand says whether it can be tried here.
	Stand Stand
	// Note is for a person: what is special about it, "" where nothing is.
	Note string
	// Retired events trigger nothing any more.
	Retired bool
}

// Fires reports whether the activity type triggers a workflow that wrote these types; nil ones are the defaults.
func (e *Event) Fires(activity string, types []string) bool {
	if types == nil {
		types = e.Defaults
	}
	return types == nil || slices.Contains(types, activity)
}

var (
	typesOnly    = []string{"types"}
	pullKeys     = []string{"types", "branches", "branches-ignore", "paths", "paths-ignore"}
	branchKeys   = []string{"types", "branches", "branches-ignore"}
	pullTypes    = []string{"assigned", "unassigned", "labeled", "unlabeled", "opened", "edited", "closed", "reopened", "synchronize", "converted_to_draft", "locked", "unlocked", "enqueued", "dequeued", "milestoned", "demilestoned", "ready_for_review", "review_requested", "review_request_removed", "auto_merge_enabled", "auto_merge_disabled"}
	pullDefaults = []string{"opened", "synchronize", "reopened"}
	changeTypes  = []string{"created", "edited", "deleted"}
)

// Events are all events that trigger workflows, by the alphabet.
var Events = []Event{
	{Name: "branch_protection_rule", Types: changeTypes, Keys: typesOnly, Stand: StandsWithPayload},
	{Name: "check_run", Types: []string{"created", "rerequested", "completed", "requested_action"}, Keys: typesOnly, Stand: StandsWithPayload},
	{Name: "check_suite", Types: []string{"completed"}, Keys: typesOnly, Stand: StandsWithPayload},
	{Name: "create", Stand: StandsAlone},
	{Name: "delete", Stand: StandsWithPayload},
	{Name: "deployment", Stand: StandsWithPayload},
	{Name: "deployment_status", Stand: StandsWithPayload},
	{Name: "discussion", Types: []string{"created", "edited", "deleted", "transferred", "pinned", "unpinned", "labeled", "unlabeled", "locked", "unlocked", "category_changed", "answered", "unanswered"}, Keys: typesOnly, Stand: StandsWithPayload},
	{Name: "discussion_comment", Types: changeTypes, Keys: typesOnly, Stand: StandsWithPayload},
	{Name: "fork", Stand: StandsWithPayload},
	{Name: "gollum", Stand: StandsWithPayload},
	{Name: "image_version", Keys: []string{"names", "versions"}, Stand: StandsNever, Note: "images of runners exist on GitHub only"},
	{Name: "issue_comment", Types: changeTypes, Keys: typesOnly, Stand: StandsWithPayload},
	{Name: "issues", Types: []string{"opened", "edited", "deleted", "transferred", "pinned", "unpinned", "closed", "reopened", "assigned", "unassigned", "labeled", "unlabeled", "locked", "unlocked", "milestoned", "demilestoned", "field_added", "field_removed", "typed", "untyped"}, Keys: typesOnly, Stand: StandsWithPayload},
	{Name: "label", Types: changeTypes, Keys: typesOnly, Stand: StandsWithPayload},
	{Name: "merge_group", Types: []string{"checks_requested"}, Keys: branchKeys, Stand: StandsAlone},
	{Name: "milestone", Types: []string{"created", "closed", "opened", "edited", "deleted"}, Keys: typesOnly, Stand: StandsWithPayload},
	{Name: "page_build", Stand: StandsWithPayload},
	{Name: "project", Types: []string{"created", "closed", "reopened", "edited", "deleted"}, Keys: typesOnly, Stand: StandsWithPayload, Note: "of projects (classic), which GitHub has retired", Retired: true},
	{Name: "project_card", Types: []string{"created", "moved", "converted", "edited", "deleted"}, Keys: typesOnly, Stand: StandsWithPayload, Note: "of projects (classic), which GitHub has retired", Retired: true},
	{Name: "project_column", Types: []string{"created", "updated", "moved", "deleted"}, Keys: typesOnly, Stand: StandsWithPayload, Note: "of projects (classic), which GitHub has retired", Retired: true},
	{Name: "public", Stand: StandsWithPayload},
	{Name: "pull_request", Types: pullTypes, Defaults: pullDefaults, Keys: pullKeys, Stand: StandsAlone},
	{Name: "pull_request_comment", Types: changeTypes, Keys: typesOnly, Stand: StandsWithPayload, Note: "replaced by issue_comment", Retired: true},
	{Name: "pull_request_review", Types: []string{"submitted", "edited", "dismissed"}, Keys: typesOnly, Stand: StandsWithPayload},
	{Name: "pull_request_review_comment", Types: changeTypes, Keys: typesOnly, Stand: StandsWithPayload},
	{Name: "pull_request_target", Types: pullTypes, Defaults: pullDefaults, Keys: pullKeys, Stand: StandsAlone},
	{Name: "push", Keys: []string{"branches", "branches-ignore", "tags", "tags-ignore", "paths", "paths-ignore"}, Stand: StandsAlone},
	{Name: "registry_package", Types: []string{"published", "updated"}, Keys: typesOnly, Stand: StandsWithPayload},
	{Name: "release", Types: []string{"published", "unpublished", "created", "edited", "deleted", "prereleased", "released"}, Keys: typesOnly, Stand: StandsAlone},
	{Name: "repository_dispatch", AnyType: true, Keys: typesOnly, Stand: StandsWithPayload},
	{Name: "schedule", Stand: StandsAlone},
	{Name: "status", Stand: StandsWithPayload},
	{Name: "watch", Types: []string{"started"}, Keys: typesOnly, Stand: StandsWithPayload},
	{Name: "workflow_call", Keys: []string{"inputs", "secrets", "outputs"}, Stand: StandsCalled},
	{Name: "workflow_dispatch", Keys: []string{"inputs"}, Stand: StandsAlone},
	{Name: "workflow_run", Types: []string{"completed", "requested", "in_progress"}, Keys: []string{"types", "workflows", "branches", "branches-ignore"}, Stand: StandsWithPayload},
}

// eventNames are those of Events.
var eventNames = func() []string {
	names := make([]string, len(Events))
	for i := range Events {
		names[i] = Events[i].Name
	}
	return names
}()

// EventNamed is the event of a name, or nil.
func EventNamed(name string) *Event {
	i, found := slices.BinarySearch(eventNames, name)
	if !found {
		return nil
	}
	return &Events[i]
}

// Webhooks are webhook events of GitHub's that trigger no workflow: a file that names one is told so.
var Webhooks = []string{
	"code_scanning_alert", "commit_comment", "custom_property", "custom_property_values", "dependabot_alert", "deploy_key",
	"deployment_protection_rule", "deployment_review", "github_app_authorization", "installation",
	"installation_repositories", "installation_target", "issue_dependencies", "marketplace_purchase", "member",
	"membership", "meta", "org_block", "organization", "package", "personal_access_token_request", "ping",
	"projects_v2", "projects_v2_item", "projects_v2_status_update", "pull_request_review_thread", "repository",
	"repository_advisory", "repository_import", "repository_ruleset", "repository_vulnerability_alert",
	"secret_scanning_alert", "secret_scanning_alert_location", "secret_scanning_scan", "security_advisory",
	"security_and_analysis", "sponsorship", "star", "sub_issues", "team", "team_add", "workflow_job",
}
