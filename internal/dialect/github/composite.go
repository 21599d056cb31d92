package github

import (
	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
)

// composite runs the steps of a composite action (GitHub documentation, "Metadata syntax reference", runs for composite
// actions). They see the inputs of the action and each other's outputs, and nothing of the steps around.
func (w *walk) composite(at *step, u *use) ending {
	inner := w.inside(at, u)
	for i, def := range u.meta.Steps {
		w.step(inner, def, u.inner[i])
	}
	w.afterwards(at, u)
	for _, out := range u.meta.Outputs {
		value, err := inner.text(out.Value, nil)
		if err != nil {
			w.complainOf(err)
			if inner.state == success {
				inner.state, inner.bad = failure, broken("runner_unsupported", "the output %s of %s cannot be evaluated: %v", out.Name.Value, u.ref, err)
			}
			continue
		}
		at.ran.outputs.set(out.Name.Value, value)
	}
	return inner.ending()
}

// afterwards notes, once, that what the action uses has post parts.
func (w *walk) afterwards(at *step, u *use) {
	if len(u.scope.posts) == 0 || u.later {
		return
	}
	u.later = true
	outer, title := at.scope, at.title
	outer.posts = append(outer.posts, func() { w.after(outer, u, title) })
}

// inside is the scope of a composite action's steps. It is the one that their pre parts had, where some had any: their
// post parts are noted in it.
func (w *walk) inside(at *step, u *use) *scope {
	inputs := expr.ObjectBuilder{}
	for _, name := range u.inputs.names {
		inputs.Set(name, expr.String(u.inputs.get(name)))
	}
	inner := &scope{
		w: w, outer: at.scope, inputs: inputs.Value(), state: success, at: at,
		action: source{path: u.dir, repository: u.ref.repository, ref: u.ref.ref},
	}
	inner.env.add(&at.scope.env)
	inner.env.add(&at.own)
	if u.scope == nil {
		u.scope = inner
	} else {
		inner.posts = u.scope.posts
		*u.scope = *inner
	}
	return u.scope
}

// ending is how the steps of a composite action went.
func (s *scope) ending() ending {
	if s.state == success {
		return fine
	}
	v := s.bad
	v.status = s.state
	return v
}

// after runs the post parts of what a composite action uses, as the one post part of its step.
func (w *walk) after(outer *scope, u *use, title string) {
	w.apart(outer, u, title, part{"Post", nil, func(at *step) ending {
		u.scope.state, u.scope.bad, u.scope.at = success, ending{}, at
		w.unwind(u.scope)
		return u.scope.ending()
	}})
}
