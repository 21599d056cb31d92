package github

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// prepare reads what the job's steps use and brings in the actions of other repositories, those that they use too, and
// runs their pre parts. Where one cannot be had no step runs, as on GitHub.
func (w *walk) prepare() bool {
	uses, err := w.uses(w.own.Job.Steps, nil, 0)
	if err != nil {
		w.complainOf(err)
		w.fail(program.ConfigurationFailed, err.Error(), nil)
		return false
	}
	w.used = uses
	for _, u := range uses {
		if u == nil || u.ready || u.ref.local || w.never(u.def) {
			continue
		}
		if v := w.bring(u); v.status != success {
			if v.status == failure {
				w.fail(v.failure, v.message, nil)
			}
			return false
		}
	}
	for _, u := range uses {
		if u != nil && u.hasPre() {
			w.apart(w.top, u, plainTitle(u.def), part{"Pre", u.preIf(), func(at *step) ending { return w.pre(at, u) }})
		}
	}
	return true
}

// settled are the contexts that stay as they are while a job runs.
var settled = []string{"github", "needs", "strategy", "matrix", "vars", "inputs", "runner"}

// never reports whether a step's condition is known to hold in no case: what it uses is not needed then. GitHub, which has
// all actions at hand, brings them in anyway.
func (w *walk) never(def *workflow.Step) bool {
	if def.If == nil || def.If.Cond == nil {
		return false
	}
	uses := def.If.Cond.Uses()
	if uses.Function("hashFiles") || slices.ContainsFunc(uses.Contexts, func(c string) bool { return !slices.Contains(settled, c) }) {
		return false
	}
	return !slices.ContainsFunc([]status{success, failure, cancelled}, func(s status) bool {
		ok, err := w.top.holds(def.If, nil, both(s))
		return ok || err != nil
	})
}

// bring brings an action in, and what it uses of other repositories.
func (w *walk) bring(u *use) ending {
	ask := w.question(u)
	key := ask.Repository + "@" + ask.Ref + ":" + ask.Path
	o, known := w.resolved[key]
	if !known || ask.Repository == "" {
		if ask.Repository != "" {
			w.say("Prepare the action %s", strings.TrimSuffix(ask.Repository+"/"+ask.Path, "/")+"@"+ask.Ref)
		}
		if o = w.do(ask); o.Failure != "" {
			message := o.Message
			if !strings.Contains(message, u.ref.written) && ask.Repository != "" {
				message = fmt.Sprintf("the action %s cannot be had: %s", u.ref, o.Message)
			}
			f := faultAt(CodeAction, u.def.Uses, "%s", message)
			if coded.MatchString(message) {
				f.Code = "" // it has one of its own, with a hint
			}
			w.complainOf(f)
			return broken(o.Failure, "%s", message)
		}
		w.resolved[key] = o
	}
	u.dir = o.Text
	if len(o.Values) > 0 {
		u.host = o.Values[0]
	}
	if len(o.Files) == 0 {
		f := faultAt(CodeAction, u.def.Uses, "there is no action.yml, action.yaml or Dockerfile in %s", u.ref)
		w.complainOf(f)
		return broken(program.UnmetPrerequisites, "%s", f.Message)
	}
	return w.read(u, o.Files[0])
}

// question is how the action is asked for. $/ is the repository of the file that the step stands in.
func (w *walk) question(u *use) program.Resolve {
	switch {
	case u.ref.local:
		return program.Resolve{Path: first(u.ref.path, ".")}
	case u.ref.self && u.in != nil && u.in.ref.repository != "":
		return program.Resolve{Repository: u.in.ref.repository, Path: u.ref.path, Ref: u.in.ref.ref}
	case u.ref.self:
		f := w.own.Frame
		return program.Resolve{Repository: first(f.Repository, f.Event.Repository()), Path: u.ref.path, Ref: first(f.Ref, f.Event.SHA)}
	default:
		return program.Resolve{Repository: u.ref.repository, Path: u.ref.path, Ref: u.ref.ref}
	}
}

// read reads the metadata, and goes on to what a composite action uses.
func (w *walk) read(u *use, found program.FoundFile) ending {
	if strings.EqualFold(path.Base(found.Path), "Dockerfile") {
		u.plain, u.ready = true, true
		u.meta = &workflow.Action{Using: workflow.Text{Set: true, Value: "docker"}, Image: workflow.Text{Set: true, Value: "Dockerfile"}}
		return fine
	}
	name := strings.TrimPrefix(path.Join(first(u.ref.path, "."), path.Base(found.Path)), "./")
	if u.ref.repository != "" {
		name = u.ref.written + "/" + path.Base(found.Path)
	}
	meta, told := w.metadata(name, found)
	for _, f := range told {
		if f.Severity == fault.Error { // what is only remarkable is lint's to say
			w.complainOf(f)
		}
	}
	if told.HasErrors() {
		return broken(program.ConfigurationFailed, "the metadata of %s cannot be used: %v", u.ref, told)
	}
	u.meta, u.ready = meta, true
	if meta.Using.Value != "composite" {
		return fine
	}
	if u.depth >= maxDepth {
		f := faultAt(CodeDepth, u.def.Uses, "composite actions use each other more than %d deep at %s", maxDepth, u.ref)
		w.complainOf(f)
		return broken(program.ConfigurationFailed, "%s", f.Message)
	}
	inner, err := w.uses(meta.Steps, u, u.depth+1)
	if err != nil {
		w.complainOf(err)
		return broken(program.ConfigurationFailed, "%v", err)
	}
	u.inner = inner
	for _, i := range inner {
		if i == nil || i.ready || i.ref.local {
			continue
		}
		if v := w.bring(i); v.status != success {
			return v
		}
	}
	return fine
}

// metadata is the action's file, read once for as often as it is used. Its faults are told the first time.
func (w *walk) metadata(name string, found program.FoundFile) (*workflow.Action, fault.Faults) {
	key := name + "\x00" + string(found.Content)
	if m, ok := w.metas[key]; ok {
		return m, nil
	}
	m, told := workflow.ReadAction(name, found.Content)
	if found.Truncated {
		told = append(told, fault.At(CodeActionFile, fault.Place{File: name}, "the file is too large"))
	}
	if !told.HasErrors() {
		w.metas[key] = m
	}
	return m, told
}

// hasPre reports whether something of the action runs before the job's steps: of a composite one, of what it uses.
func (u *use) hasPre() bool {
	if u.meta == nil || u.ref.local {
		return false
	}
	for _, i := range u.inner {
		if i != nil && i.hasPre() {
			return true
		}
	}
	return u.meta.Pre.Set || u.meta.PreEntrypoint.Set
}

func (u *use) preIf() *workflow.Condition { return u.meta.PreIf }

// faultAt is a fault at the place of a text.
func faultAt(code string, t workflow.Text, format string, args ...any) *fault.Fault {
	at := fault.Place{}
	if t.Node != nil {
		at = t.At()
	}
	return fault.At(code, at, format, args...)
}
