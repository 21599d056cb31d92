package workflow

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// workflow reads the top level of a workflow file.
func (r *reader) workflow(f *File, root *yamlx.Node) {
	r.fields(root, "the workflow", "", func(name string, key, v *yamlx.Node) {
		switch name {
		case "name":
			f.Name = r.plain(v, "name")
		case "run-name":
			f.RunName = r.text(v, "run-name", "run-name")
		case "on":
			f.On = r.on(v)
		case "permissions":
			f.Permissions = r.permissions(v)
		case "env":
			f.Env = r.env(v, "env", "env")
		case "defaults":
			f.Defaults = r.defaults(v, "defaults", "")
		case "concurrency":
			f.Concurrency = r.concurrency(v, key, "concurrency")
		case "jobs":
			f.Jobs = r.jobs(v)
		}
	})
	if !root.Has("on") {
		r.mistake(CodeMissing, root.Place, "the workflow has no on").WithHint("name the events that trigger it: on: push")
	}
	if !root.Has("jobs") {
		r.mistake(CodeMissing, root.Place, "the workflow has no jobs")
	}
}

// env is a mapping of variables, or an expression that gives one.
func (r *reader) env(n *yamlx.Node, what, available string) Env {
	e := Env{Node: n}
	if available != "" {
		if t, ok := r.whole(n, what, available); ok {
			e.Expr = t
			return e
		}
	}
	e.Vars = r.named(n, what, available, available, func(name Text) { r.variable(name, what) })
	return e
}

// variable tells names of variables that have no effect.
func (r *reader) variable(name Text, what string) {
	upper := strings.ToUpper(name.Value)
	switch {
	case strings.ContainsAny(name.Value, "= \t\n\x00"):
		r.warn(CodeName, name.At(), "the name %q in %s has a character that no variable's name can have", name.Value, what)
	case strings.HasPrefix(upper, "GITHUB_") && upper != "GITHUB_TOKEN" && known[upper] || strings.HasPrefix(upper, "RUNNER_") && known[upper]:
		r.warn(CodeName, name.At(), "%s is set by the runner: the value in %s has no effect", name.Value, what)
	}
}

// known are the variables that the runner sets before each step (Variables reference, default environment variables).
var known = func() map[string]bool {
	out := map[string]bool{}
	for _, name := range strings.Fields("ACTION ACTIONS ACTION_PATH ACTION_REPOSITORY ACTOR ACTOR_ID API_URL BASE_REF ENV EVENT_NAME EVENT_PATH GRAPHQL_URL HEAD_REF JOB OUTPUT PATH REF REF_NAME REF_PROTECTED REF_TYPE " +
		"REPOSITORY REPOSITORY_ID REPOSITORY_OWNER REPOSITORY_OWNER_ID RETENTION_DAYS RUN_ATTEMPT RUN_ID RUN_NUMBER SERVER_URL SHA STATE STEP_SUMMARY TRIGGERING_ACTOR WORKFLOW WORKFLOW_REF WORKFLOW_SHA WORKSPACE") {
		out["GITHUB_"+name] = true
	}
	for _, name := range strings.Fields("ARCH DEBUG ENVIRONMENT NAME OS TEMP TOOL_CACHE") {
		out["RUNNER_"+name] = true
	}
	return out
}()

// permissions are read-all, write-all, or scopes with levels.
func (r *reader) permissions(n *yamlx.Node) Permissions {
	p := Permissions{Set: true, Node: n}
	if n.IsScalar() {
		t := r.plain(n, "permissions")
		switch t.Value {
		case "read-all", "write-all":
			p.All = t.Value
		default:
			if strings.Contains(t.Value, open) {
				break // told already
			}
			f := r.mistake(CodePermission, n.Place, "permissions is read-all, write-all or a mapping of scopes, not %q", t.Value)
			if t.Value == "none" {
				f.WithHint("for no permission at all write {}")
			} else if near := nearest(t.Value, []string{"read-all", "write-all"}); near != "" {
				f.WithHint("did you mean %s?", near)
			}
		}
		return p
	}
	if !r.mapping(n, "permissions") {
		return p
	}
	for _, pair := range n.Pairs {
		if name, ok := r.name(pair.Key, "permissions"); ok {
			r.scope(&p, name, pair.Value)
		}
	}
	return p
}

func (r *reader) scope(p *Permissions, name Text, v *yamlx.Node) {
	var scope *Scope
	names := make([]string, len(PermissionScopes))
	for i := range PermissionScopes {
		if names[i] = PermissionScopes[i].Name; names[i] == name.Value {
			scope = &PermissionScopes[i]
		}
	}
	if scope == nil {
		f := r.mistake(CodePermission, name.At(), "there is no permission %q", name.Value)
		if near := nearest(name.Value, names); near != "" {
			f.WithHint("did you mean %s?", near)
		} else {
			f.WithHint("known are %s", strings.Join(names, ", "))
		}
		return
	}
	level := r.plain(v, "permissions."+scope.Name)
	if !level.Set {
		return
	}
	p.Scopes = append(p.Scopes, Named{name, level})
	for _, l := range scope.Levels {
		if l == level.Value || strings.Contains(level.Value, open) {
			return
		}
	}
	r.mistake(CodePermission, v.Place, "%s is one of %s, not %q", scope.Name, strings.Join(scope.Levels, ", "), level.Value)
}

// defaults are defaults.run. base is the path above, "" or that of a job.
func (r *reader) defaults(n *yamlx.Node, what, base string) Defaults {
	var d Defaults
	path, available := "defaults", ""
	if base != "" {
		path, available = base+".defaults", base+".defaults.run"
	}
	r.fields(n, what, path, func(_ string, _, v *yamlx.Node) {
		if available != "" {
			if t, ok := r.whole(v, "defaults.run", available); ok {
				d.Expr = t
				return
			}
		}
		r.fields(v, "defaults.run", path+".run", func(name string, _, v *yamlx.Node) {
			var t Text
			if available == "" {
				t = r.filled(r.plain(v, name), name)
			} else {
				t = r.filled(r.text(v, name, available), name)
			}
			if name == "shell" {
				d.Shell = r.shell(t)
			} else {
				d.WorkingDirectory = t
			}
		})
	})
	return d
}

// shell tells names that are none: a shell that is not known by name is a command with {0}.
func (r *reader) shell(t Text) Text {
	if !t.Set || t.Value == "" || hasExpression(t) || strings.Contains(t.Value, open) || strings.Contains(t.Value, "{0}") {
		return t
	}
	names := make([]string, len(Shells))
	for i, s := range Shells {
		if strings.EqualFold(s.Name, t.Value) {
			return t
		}
		names[i] = s.Name
	}
	f := r.mistake(CodeShell, t.At(), "%q is no shell that is known by name, and has no {0} for the script's file", t.Value)
	if near := nearest(t.Value, names); near != "" {
		f.WithHint("did you mean %s?", near)
	} else {
		f.WithHint("known are %s; of another one write the command: %s {0}", strings.Join(names, ", "), t.Value)
	}
	return t
}

// concurrency is a group's name, or a mapping. path is where it stands: concurrency or jobs.<job_id>.concurrency.
func (r *reader) concurrency(n, key *yamlx.Node, path string) *Concurrency {
	c := &Concurrency{Place: key.Place}
	if !n.IsMapping() {
		c.Group = r.filled(r.text(n, "concurrency", path), "concurrency") // text, or one expression
		if single(c.Group) {
			c.Expr = c.Group
		}
		r.group(c.Group)
		return c
	}
	r.fields(n, "concurrency", path, func(name string, _, v *yamlx.Node) {
		switch name {
		case "group":
			c.Group = r.filled(r.text(v, "group", path), "group")
			r.group(c.Group)
		case "cancel-in-progress":
			c.CancelInProgress = r.boolean(v, "cancel-in-progress", path)
		case "queue":
			c.Queue = r.text(v, "queue", path)
			r.oneOf(c.Queue, "queue", "single", "max")
		}
	})
	r.need(n, key.Place, "concurrency", "group")
	if c.Queue.Value == "max" && c.CancelInProgress.Value == "true" {
		r.mistake(CodeValue, c.Queue.At(), "queue: max and cancel-in-progress: true exclude each other").
			WithHint("what waits in a queue cannot also end what runs: remove one of them")
	}
	return c
}

func (r *reader) group(t Text) {
	if t.Set && !hasExpression(t) && len(t.Value) > MaxConcurrency {
		r.mistake(CodeLimit, t.At(), "the name of a concurrency group has at most %d characters", MaxConcurrency)
	}
}

// oneOf tells a text without expressions that is none of the values.
func (r *reader) oneOf(t Text, what string, values ...string) {
	if !t.Set || hasExpression(t) || strings.Contains(t.Value, open) {
		return
	}
	for _, v := range values {
		if v == t.Value {
			return
		}
	}
	f := r.mistake(CodeValue, t.At(), "%s is one of %s, not %q", what, strings.Join(values, ", "), t.Value)
	if near := nearest(t.Value, values); near != "" {
		f.WithHint("did you mean %s?", near)
	}
}

// validID is what GitHub takes for the id of a job, a step, an input, an output.
func validID(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

// id tells what is no id of a job or step.
func (r *reader) id(id string, at fault.Place, what string) bool {
	switch {
	case !validID(id):
		r.mistake(CodeID, at, "%q cannot be the id of %s", id, what).
			WithHint("ids begin with a letter or _ and hold letters, digits, - and _")
	case len(id) > MaxID:
		r.mistake(CodeID, at, "the id of %s has %d characters; at most %d are possible", what, len(id), MaxID)
	case strings.HasPrefix(id, "__"):
		r.mistake(CodeID, at, "ids that begin with __ are GitHub's own").WithHint("write %q", "_"+strings.TrimLeft(id, "_"))
	default:
		return true
	}
	return false
}
