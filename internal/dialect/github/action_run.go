package github

import (
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// useMain runs a step that uses an action.
func (w *walk) useMain(at *step, u *use) ending {
	if !u.ready {
		if v := w.bring(u); v.status != success {
			return v
		}
		if u.meta.Pre.Set || u.meta.PreEntrypoint.Set {
			w.caution("`pre` execution is not supported for local action from '%s' [%s]", u.ref, CodeLocalPre)
		}
	}
	at.source, at.state = u.source(), &u.state
	if err := w.inputs(at, u); err != nil {
		return w.invalid(at, err)
	}
	switch {
	case u.native != nil:
		return w.native(at, u)
	case u.ref.image != "":
		return w.image(at, u)
	case u.meta.Using.Value == "composite":
		return w.composite(at, u)
	case strings.EqualFold(u.meta.Using.Value, "docker"):
		w.later(at, u, u.meta.PostEntrypoint.Set, u.meta.PostIf)
		return w.docker(at, u, "main")
	default:
		w.later(at, u, u.meta.Post.Set, u.meta.PostIf)
		return w.node(at, u, u.meta.Main)
	}
}

// later notes the post part of an action, which runs whatever becomes of its main part.
func (w *walk) later(at *step, u *use, has bool, cond *workflow.Condition) {
	if !has || u.later {
		return
	}
	u.later = true
	s, title := at.scope, at.title
	s.posts = append(s.posts, func() {
		w.apart(s, u, title, part{"Post", cond, func(at *step) ending { return w.post(at, u) }})
	})
}

// pre runs the pre part of an action, of a composite one those of what it uses. The post part runs then too, whether or
// not the main part does.
func (w *walk) pre(at *step, u *use) ending {
	at.source = u.source()
	title := at.title
	at.title = strings.TrimPrefix(title, "Pre ")
	w.later(at, u, u.meta.Post.Set || u.meta.PostEntrypoint.Set, u.meta.PostIf)
	at.title = title
	if err := w.inputs(at, u); err != nil {
		return w.invalid(at, err)
	}
	switch {
	case u.meta.Using.Value == "composite":
		inner := w.inside(at, u)
		for _, i := range u.inner {
			if i != nil && i.hasPre() {
				w.apart(inner, i, plainTitle(i.def), part{"Pre", i.preIf(), func(at *step) ending { return w.pre(at, i) }})
			}
		}
		at.title = strings.TrimPrefix(title, "Pre ")
		w.afterwards(at, u)
		at.title = title
		return inner.ending()
	case u.meta.PreEntrypoint.Set:
		return w.docker(at, u, "pre")
	default:
		return w.node(at, u, u.meta.Pre)
	}
}

// post runs the post part of an action.
func (w *walk) post(at *step, u *use) ending {
	at.source = u.source()
	if err := w.inputs(at, u); err != nil {
		return w.invalid(at, err)
	}
	if u.meta.PostEntrypoint.Set {
		return w.docker(at, u, "post")
	}
	return w.node(at, u, u.meta.Post)
}

// inputs evaluates what the step gives the action, and the defaults of what it does not give.
func (w *walk) inputs(at *step, u *use) error {
	u.inputs = environ{}
	given := map[string]bool{}
	declared := u.declared()
	for i := range u.def.With {
		in := &u.def.With[i]
		value, err := at.scope.text(in.Value, at)
		if err != nil {
			return err
		}
		name, key := in.Name.Value, strings.ToLower(in.Name.Value)
		given[key] = true
		if d := declared[key]; d != nil {
			name = d.Name.Value
			if d.DeprecationMessage.Value != "" && !at.apart {
				w.caution("Input '%s' has been deprecated with message: %s", name, d.DeprecationMessage.Value)
			}
		}
		u.inputs.set(name, value)
	}
	if u.meta == nil {
		return nil
	}
	w.unexpected(at, u, declared)
	for _, in := range u.meta.Inputs {
		if given[strings.ToLower(in.Name.Value)] {
			continue
		}
		value, err := at.scope.text(in.Default, at)
		if err != nil {
			return err
		}
		u.inputs.set(in.Name.Value, value)
		if in.Required && !in.Default.Set && !at.apart {
			w.caution("Input required and not supplied: %s (%s) [%s]", in.Name.Value, u.ref, CodeInputs)
		}
	}
	return nil
}

// declared are the inputs of the action's metadata, by lower-case name.
func (u *use) declared() map[string]*workflow.ActionInput {
	if u.meta == nil {
		return nil
	}
	out := make(map[string]*workflow.ActionInput, len(u.meta.Inputs))
	for _, in := range u.meta.Inputs {
		out[strings.ToLower(in.Name.Value)] = in
	}
	return out
}

// unexpected warns of inputs that the action does not have. entryPoint and args are those of every Docker action.
func (w *walk) unexpected(at *step, u *use, declared map[string]*workflow.ActionInput) {
	if u.plain || at.apart {
		return
	}
	docker := strings.EqualFold(u.meta.Using.Value, "docker")
	var odd, valid []string
	for _, name := range u.inputs.names {
		if key := strings.ToLower(name); declared[key] == nil && (!docker || key != "entrypoint" && key != "args") {
			odd = append(odd, name)
		}
	}
	if len(odd) == 0 {
		return
	}
	if docker {
		valid = append(valid, "entryPoint", "args")
	}
	for _, in := range u.meta.Inputs {
		valid = append(valid, in.Name.Value)
	}
	w.caution("%s", unexpectedText(odd, valid))
}

func unexpectedText(odd, valid []string) string {
	return fmt.Sprintf("Unexpected input(s) '%s', valid inputs are ['%s'] [%s]", strings.Join(odd, "', '"), strings.Join(valid, "', '"), CodeInputs)
}

// fill adds an action's own variables to those of a process: its inputs as INPUT_NAME, what it saved as STATE_name.
func (w *walk) fill(e *environ, at *step, u *use) {
	for _, name := range u.inputs.names {
		e.set("INPUT_"+strings.ToUpper(strings.ReplaceAll(name, " ", "_")), u.inputs.get(name))
	}
	for _, name := range at.state.names {
		e.set("STATE_"+name, at.state.get(name))
	}
}

// started is the environment of an action's process on this machine or in the job's container.
func (w *walk) started(at *step, u *use) ([]string, ending) {
	services, v := w.serve()
	if v.status != success {
		return nil, v
	}
	var e environ
	e.addPairs(w.process(at))
	w.fill(&e, at, u)
	e.addPairs(services)
	return e.pairs(), fine
}

// serve asks for the services that official toolkits talk to, once, when the first action needs them.
func (w *walk) serve() ([]string, ending) {
	if !w.served {
		o := w.do(program.Serve{IDToken: w.own.Permissions["id-token"] == "write", Claims: w.claims()})
		if o.Failure != "" {
			w.complain("the services for actions cannot be started: %s", o.Message)
			return nil, broken(o.Failure, "the services for actions cannot be started: %s", o.Message)
		}
		w.served, w.services = true, o.Values
		for _, kv := range o.Values {
			if name, value, _ := strings.Cut(kv, "="); strings.HasSuffix(name, "_TOKEN") {
				w.mask(value)
			}
		}
	}
	return w.services, fine
}

// claims are what a token of identity says of the job (GitHub documentation, "OpenID Connect reference").
func (w *walk) claims() map[string]string {
	out := map[string]string{"job_workflow_ref": w.own.Frame.JobWorkflowRef(), "job_workflow_sha": w.own.Frame.Event.SHA, "runner_environment": "self-hosted"}
	for _, name := range []string{
		"actor", "actor_id", "base_ref", "event_name", "head_ref", "ref", "ref_protected", "ref_type", "repository", "repository_id",
		"repository_owner", "repository_owner_id", "run_attempt", "run_id", "run_number", "sha", "workflow", "workflow_ref", "workflow_sha",
	} {
		out[name] = w.github.Get(name).Text()
	}
	subject := "ref:" + out["ref"]
	if out["event_name"] == "pull_request" {
		subject = "pull_request"
	}
	if e := w.Job.Environment; e != nil && e.Name != "" {
		out["environment"] = e.Name
		subject = "environment:" + e.Name
	}
	out["sub"] = "repo:" + out["repository"] + ":" + subject
	return out
}
