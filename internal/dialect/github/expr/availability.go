package expr

import (
	"slices"
	"strings"
)

// contextNames are all contexts of the documentation's "Contexts reference".
var contextNames = []string{"github", "env", "vars", "job", "jobs", "steps", "runner", "secrets", "strategy", "matrix", "needs", "inputs"}

// ContextNames are the names of all contexts.
func ContextNames() []string { return slices.Clone(contextNames) }

// Availability says what may stand at a key.
type Availability struct {
	Contexts  []string // lower case
	Functions []string // the special ones only, lower case; all others may stand anywhere
}

// Lists that several keys share. The documentation's table "Context availability" names them key by key.
const (
	early    = "github inputs vars"
	planned  = early + " needs"
	expanded = planned + " strategy matrix"
	started  = expanded + " job runner env"
	stepping = started + " secrets steps"
	inAction = "github inputs strategy matrix steps job runner env"
	status   = "always cancelled success failure"
	hash     = "hashfiles"
)

// available is the table: what the documentation's "Context availability" says, then the places it leaves out, as the
// runner's schemas workflow-v1.0.json and action_yaml.json have them. Keys below a key share its line.
var available = map[string][2]string{
	"run-name":    {early},
	"concurrency": {early},
	"env":         {early + " secrets"},

	"on.workflow_call.inputs.<inputs_id>.default":     {early},
	"on.workflow_call.outputs.<output_id>.value":      {early + " jobs"},
	"jobs.<job_id>.concurrency":                       {expanded},
	"jobs.<job_id>.container":                         {expanded},
	"jobs.<job_id>.container.credentials":             {expanded + " env secrets"},
	"jobs.<job_id>.container.env":                     {started + " secrets"},
	"jobs.<job_id>.container.image":                   {expanded},
	"jobs.<job_id>.continue-on-error":                 {expanded},
	"jobs.<job_id>.defaults.run":                      {expanded + " env"},
	"jobs.<job_id>.env":                               {expanded + " secrets"},
	"jobs.<job_id>.environment":                       {expanded},
	"jobs.<job_id>.environment.url":                   {started + " steps"},
	"jobs.<job_id>.if":                                {planned, status},
	"jobs.<job_id>.name":                              {expanded},
	"jobs.<job_id>.outputs":                           {stepping},
	"jobs.<job_id>.runs-on":                           {expanded},
	"jobs.<job_id>.secrets":                           {expanded + " secrets"},
	"jobs.<job_id>.services":                          {expanded},
	"jobs.<job_id>.services.<service_id>.credentials": {expanded + " env secrets"},
	"jobs.<job_id>.services.<service_id>.env":         {started + " secrets"},
	"jobs.<job_id>.steps.continue-on-error":           {stepping, hash},
	"jobs.<job_id>.steps.env":                         {stepping, hash},
	"jobs.<job_id>.steps.if":                          {started + " steps", status + " " + hash},
	"jobs.<job_id>.steps.name":                        {stepping, hash},
	"jobs.<job_id>.steps.run":                         {stepping, hash},
	"jobs.<job_id>.steps.timeout-minutes":             {stepping, hash},
	"jobs.<job_id>.steps.with":                        {stepping, hash},
	"jobs.<job_id>.steps.working-directory":           {stepping, hash},
	"jobs.<job_id>.strategy":                          {planned},
	"jobs.<job_id>.timeout-minutes":                   {expanded},
	"jobs.<job_id>.with":                              {expanded},

	"jobs.<job_id>.cancel-timeout-minutes": {expanded},
	"jobs.<job_id>.snapshot":               {expanded},

	"inputs.<input_id>.default":    {"github strategy matrix job runner", hash},
	"outputs.<output_id>.value":    {inAction},
	"runs.args":                    {"inputs"},
	"runs.env":                     {"inputs"},
	"runs.pre-if":                  {"github inputs strategy matrix job runner env", status + " " + hash},
	"runs.post-if":                 {"github inputs strategy matrix job runner env", status + " " + hash},
	"runs.steps.if":                {inAction, status + " " + hash},
	"runs.steps.continue-on-error": {inAction, hash},
	"runs.steps.env":               {inAction, hash},
	"runs.steps.name":              {inAction, hash},
	"runs.steps.run":               {inAction, hash},
	"runs.steps.shell":             {inAction, hash},
	"runs.steps.timeout-minutes":   {inAction, hash},
	"runs.steps.with":              {inAction, hash},
	"runs.steps.working-directory": {inAction, hash},
}

// AvailableAt says which contexts and special functions may stand at a workflow key or, for action.yml, at an action
// key (runs.steps.run, outputs.<output_id>.value …). A key below one of the table shares its line:
// jobs.<job_id>.env.<env_id> is jobs.<job_id>.env. ok is false where no expression is evaluated at all.
func AvailableAt(key string) (a Availability, ok bool) {
	for at := key; at != ""; {
		if line, ok := available[at]; ok {
			return Availability{strings.Fields(line[0]), strings.Fields(line[1])}, true
		}
		dot := strings.LastIndexByte(at, '.')
		if dot < 0 {
			break
		}
		at = at[:dot]
	}
	return Availability{}, false
}

// AvailabilityKeys are the keys of the table, sorted.
func AvailabilityKeys() []string {
	out := make([]string, 0, len(available))
	for key := range available {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}
