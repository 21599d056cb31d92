package github

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
)

// environ is variables by name, in the order in which they were first set. Names differ by case, as on Linux and macOS.
// The zero value is empty and ready.
type environ struct {
	names  []string
	values map[string]string
}

// set gives a variable a value.
func (e *environ) set(name, value string) {
	if e.values == nil {
		e.values = map[string]string{}
	}
	if _, ok := e.values[name]; !ok {
		e.names = append(e.names, name)
	}
	e.values[name] = value
}

func (e *environ) get(name string) string { return e.values[name] }

func (e *environ) has(name string) bool {
	_, ok := e.values[name]
	return ok
}

// clone is a copy that changes alone.
func (e *environ) clone() environ {
	out := environ{names: append([]string(nil), e.names...), values: make(map[string]string, len(e.values)+8)}
	for k, v := range e.values {
		out.values[k] = v
	}
	return out
}

// add sets all variables of another one.
func (e *environ) add(more *environ) {
	for _, name := range more.names {
		e.set(name, more.values[name])
	}
}

// addPairs sets variables given as NAME=value.
func (e *environ) addPairs(pairs []string) {
	for _, kv := range pairs {
		if name, value, ok := strings.Cut(kv, "="); ok && name != "" {
			e.set(name, value)
		}
	}
}

// pairs is NAME=value for each. A process sees a value up to its first NUL, as on GitHub: nothing more fits in a string
// of its environment. A name with one has no process.
func (e *environ) pairs() []string {
	out := make([]string, 0, len(e.names))
	for _, name := range e.names {
		value, _, _ := strings.Cut(e.values[name], "\x00")
		if !strings.Contains(name, "\x00") {
			out = append(out, name+"="+value)
		}
	}
	return out
}

// value is the context env.
func (e *environ) value() expr.Value {
	b := expr.ObjectBuilder{Cased: true}
	for _, name := range e.names {
		b.Set(name, expr.String(e.values[name]))
	}
	return b.Value()
}

// exported are the properties of the github context that steps see as GITHUB_… variables (GitHub documentation,
// "Variables reference", Default environment variables; what the runner sets beyond that table is here too).
var exported = []string{
	"action", "action_path", "action_ref", "action_repository", "actor", "actor_id", "api_url", "base_ref", "env",
	"event_name", "event_path", "graphql_url", "head_ref", "job", "output", "path", "ref", "ref_name", "ref_protected",
	"ref_type", "repository", "repository_id", "repository_owner", "repository_owner_id", "retention_days", "run_attempt",
	"run_id", "run_number", "server_url", "sha", "state", "step_summary", "triggering_actor", "workflow", "workflow_ref",
	"workflow_sha", "workspace",
}

// export sets the variables of the contexts github and runner, over whatever has their names: a workflow cannot change
// them.
func (e *environ) export(github, runner expr.Value) {
	for _, name := range exported {
		if v, ok := github.Lookup(name); ok && !v.IsNull() {
			e.set("GITHUB_"+strings.ToUpper(name), v.Text())
		}
	}
	for _, p := range runner.Pairs() {
		if !p.Value.IsNull() {
			e.set("RUNNER_"+strings.ToUpper(p.Key), p.Value.Text())
		}
	}
	e.set("GITHUB_ACTIONS", "true")
	if !e.has("CI") {
		e.set("CI", "true")
	}
}
