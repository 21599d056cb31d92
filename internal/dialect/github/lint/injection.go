package lint

import (
	"maps"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// tainted are variables of env that hold text of strangers, by lower-case name, with where that comes from. As
// variables of the shell they are harmless; ${{ env.NAME }} puts them into the script all the same.
type tainted map[string]string

// with adds the variables of an env. One that is set anew to something else is harmless again.
func (t tainted) with(e workflow.Env) tainted {
	if len(e.Vars) == 0 {
		return t
	}
	out := maps.Clone(t)
	for _, v := range e.Vars {
		name := strings.ToLower(v.Name.Value)
		delete(out, name)
		for _, x := range v.Value.Template.Expressions() {
			if found := expr.Untrusted(x); len(found) > 0 {
				out[name] = strings.Join(found[0].Paths, ", ")
			} else if from := t.read(x); from != "" {
				out[name] = from
			}
		}
	}
	return out
}

// read is where the text of a stranger comes from that an expression takes from env; "" where it takes none.
func (t tainted) read(e *expr.Expr) string {
	for _, path := range e.Uses().Paths() {
		if path[0] != "env" {
			continue
		}
		if len(path) > 1 && path[1] != "*" {
			if from := t[path[1]]; from != "" {
				return from
			}
		} else if len(t) > 0 {
			return t[slices.Sorted(maps.Keys(t))[0]]
		}
	}
	return ""
}

// injected tells text of strangers in a script. What is only compared there is a note: it becomes true or false.
func (c *checker) injected(script workflow.Text, env tainted) {
	for _, e := range script.Template.Expressions() {
		told := map[fault.Place]bool{}
		for _, found := range expr.Untrusted(e) {
			told[found.Place] = true
			c.tell(found.Fault())
		}
		for _, found := range expr.UntrustedReads(e) {
			if !told[found.Place] {
				f := found.Fault()
				f.Message += "; here it is asked and does not get into the script"
				c.tell(f.WithSeverity(fault.Note))
			}
		}
		if from := env.read(e); from != "" && result(e.Root()) {
			c.warn(expr.CodeUntrusted, e.Place(), "the variable holds what a stranger can choose (%s), and ${{ }} puts it into the script", from).
				WithHint("read it as a variable of the shell: \"$NAME\", not ${{ env.NAME }}")
		}
	}
}

// result reports whether an expression may give text that it reads.
func result(n expr.Node) bool {
	switch n := n.(type) {
	case *expr.Not:
		return false
	case *expr.Binary:
		return n.Op == "&&" || n.Op == "||"
	case *expr.Call:
		return n.Name != "contains" && n.Name != "startswith" && n.Name != "endswith" && n.Name != "hashfiles"
	}
	return true
}

// scripts are inputs of actions that are run as a script, by owner/repo in lower case.
var scripts = map[string][]string{
	"actions/github-script":                  {"script"},
	"appleboy/ssh-action":                    {"script"},
	"azure/cli":                              {"inlinescript"},
	"azure/powershell":                       {"inlinescript"},
	"cross-platform-actions/action":          {"run"},
	"gabrielbb/xvfb-action":                  {"run"},
	"coactions/setup-xvfb":                   {"run"},
	"nick-fields/retry":                      {"command", "new_command_on_retry", "on_retry_command"},
	"nick-invision/retry":                    {"command", "new_command_on_retry", "on_retry_command"},
	"reactivecircus/android-emulator-runner": {"script", "pre-emulator-launch-script"},
	"uraimo/run-on-arch-action":              {"run", "install", "setup"},
	"vmactions/freebsd-vm":                   {"run", "prepare"},
	"wandalen/wretry.action":                 {"command"},
}

// privileged are the events whose runs have secrets although a stranger can cause them with code of his own.
var privileged = []string{"pull_request_target", "workflow_run"}

// heads are what names the code of a pull request.
var heads = [][]string{
	{"github", "event", "pull_request", "head"},
	{"github", "head_ref"},
	{"github", "event", "workflow_run", "head_sha"},
	{"github", "event", "workflow_run", "head_branch"},
	{"github", "event", "workflow_run", "head_commit"},
	{"github", "event", "workflow_run", "head_repository"},
	{"github", "event", "number"},
	{"github", "event", "pull_request", "number"},
}

// stranger tells a checkout of code of strangers in a run that has secrets.
func (c *checker) stranger(st *workflow.Step) {
	if c.in.File == nil {
		return
	}
	i := slices.IndexFunc(c.in.File.On, func(t workflow.Trigger) bool { return slices.Contains(privileged, t.Event) })
	if i < 0 {
		return
	}
	for _, in := range st.With {
		if name := strings.ToLower(in.Name.Value); (name != "ref" && name != "repository") || in.Value.Template == nil {
			continue
		}
		uses := in.Value.Template.Uses()
		if slices.ContainsFunc(heads, func(path []string) bool { return uses.Mentions(path[0], path[1:]...) }) {
			c.note(CodeCheckout, in.Value.At(), "%s runs with the repository's secrets, and this checks out code of whoever opened the pull request", c.in.File.On[i].Event).
				WithHint("do not build or run it in this job")
			return
		}
	}
}
