package keyword

import "github.com/sluice-delivery/sluice/internal/flow/fault"

const instead = "use default: instead"

// globals are the keywords outside of jobs (CI/CD YAML syntax reference, global keywords and header keywords).
var globals = []Keyword{
	{Path: "spec", In: InHeader},
	{Path: "spec:inputs"},
	{Path: "spec:inputs:<name>:default"},
	{Path: "spec:inputs:<name>:description"},
	{Path: "spec:inputs:<name>:options"},
	{Path: "spec:inputs:<name>:regex"},
	{Path: "spec:inputs:<name>:type"},
	{Path: "spec:inputs:<name>:rules"},
	{Path: "spec:include", Note: "local and remote files; files of another project need a configured clone"},
	{Path: "spec:component", Note: "name, reference and sha are known; version is the reference where no catalog can be asked"},
	{Path: "spec:description"},

	{Path: "default", In: InGlobal},
	{Path: "include", In: InGlobal},
	{Path: "include:local", In: InInclude},
	{Path: "include:project", In: InInclude, Note: "read from a configured clone or mirror of the project"},
	{Path: "include:file", In: InInclude},
	{Path: "include:ref", In: InInclude},
	{Path: "include:remote", In: InInclude},
	{Path: "include:integrity", In: InInclude},
	{Path: "include:template", In: InInclude, Note: "templates are read from a configured clone of GitLab's template collection"},
	{Path: "include:component", In: InInclude, Note: "read from a configured clone or mirror of the component's project"},
	{Path: "include:inputs", In: InInclude},
	{Path: "include:rules", In: InInclude},
	{Path: "include:rules:if", In: InInclude},
	{Path: "include:rules:changes", In: InInclude},
	{Path: "include:rules:exists", In: InInclude},
	{Path: "include:rules:when", In: InInclude},
	{Path: "stages", In: InGlobal},
	{Path: "variables", In: InGlobal | inJobs},
	{Path: "variables:<name>:value"},
	{Path: "variables:<name>:description", In: InGlobal},
	{Path: "variables:<name>:options", In: InGlobal},
	{Path: "variables:<name>:expand"},
	{Path: "workflow", In: InGlobal},
	{Path: "$schema", In: InGlobal, Note: "for editors"},
	{Path: "types", In: InGlobal, Support: Refused, Note: "types was removed in GitLab 15.0; use stages"},
}

// workflow is the keywords below workflow:.
var workflow = []Keyword{
	{Path: "workflow:name", In: InWorkflow},
	{Path: "workflow:auto_cancel", In: InWorkflow},
	{Path: "workflow:auto_cancel:on_new_commit", Note: "no server watches for newer commits here: a run goes on until it ends or is interrupted"},
	{Path: "workflow:auto_cancel:on_job_failure"},
	{Path: "workflow:rules", In: InWorkflow},
	{Path: "workflow:rules:if", In: InRule},
	{Path: "workflow:rules:changes", In: InRule},
	{Path: "workflow:rules:changes:paths"},
	{Path: "workflow:rules:changes:compare_to"},
	{Path: "workflow:rules:changes:regexp"},
	{Path: "workflow:rules:exists", In: InRule},
	{Path: "workflow:rules:exists:paths"},
	{Path: "workflow:rules:exists:regexp"},
	{Path: "workflow:rules:exists:project", Note: needsProject},
	{Path: "workflow:rules:exists:ref"},
	{Path: "workflow:rules:when", In: InRule},
	{Path: "workflow:rules:variables", In: InRule},
	{Path: "workflow:rules:auto_cancel", In: InRule},
	{Path: "workflow:rules:auto_cancel:on_new_commit", Note: "no server watches for newer commits here: a run goes on until it ends or is interrupted"},
	{Path: "workflow:rules:auto_cancel:on_job_failure"},
	{Path: "workflow:rules:start_in", In: InRule, Note: noEffect, Tell: fault.Warning},
	{Path: "workflow:rules:allow_failure", In: InRule, Note: noEffect, Tell: fault.Warning},
	{Path: "workflow:rules:needs", In: InRule, Note: noEffect, Tell: fault.Warning},
}

const (
	noEffect = "it has no effect in workflow:rules, as in GitLab"
	// needsProject is told by package gitlab, when it comes to the rule.
	needsProject = "the project is looked for in `--local-repository` and `--mirror`; without them the rule does not match"
)
