package github

import (
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
)

// reference is what uses: names (GitHub documentation, "Workflow syntax", jobs.<job_id>.steps[*].uses).
type reference struct {
	written    string
	local      bool   // ./dir of the workspace
	self       bool   // $/dir: of the repository that the file is in, at the commit that runs
	image      string // docker://image
	repository string // owner/repo
	path       string // folder, "" for the top
	ref        string
}

// String is the reference as it was written.
func (r reference) String() string { return r.written }

// readReference reads the text of a step's uses.
func readReference(text string) (reference, error) {
	r := reference{written: text}
	switch {
	case strings.HasPrefix(text, "docker://"):
		if r.image = strings.TrimPrefix(text, "docker://"); r.image == "" {
			return r, fmt.Errorf("uses: %s names no image", text)
		}
		return r, nil
	case strings.HasPrefix(text, "./"), text == ".", strings.HasPrefix(text, `.\`):
		r.local, r.path = true, strings.TrimPrefix(strings.ReplaceAll(text, `\`, "/"), "./")
		return r, nil
	case strings.HasPrefix(text, "$/"):
		r.self, r.path = true, strings.TrimPrefix(text, "$/")
		return r, nil
	}
	name, ref, ok := strings.Cut(text, "@")
	parts := strings.SplitN(name, "/", 3)
	if !ok || ref == "" || len(parts) < 2 || parts[0] == "" || parts[1] == "" {
		return r, fmt.Errorf("uses: %q is none of owner/repo@ref, owner/repo/path@ref, ./path and docker://image", text)
	}
	r.repository, r.ref = parts[0]+"/"+parts[1], ref
	if len(parts) == 3 {
		r.path = strings.Trim(parts[2], "/")
	}
	return r, nil
}

// use is a step's use of an action, from the set up of the job to its post part.
type use struct {
	def   *workflow.Step
	ref   reference
	in    *use // the composite action that the step is part of, nil for the job's own
	depth int  // composite actions around it

	native *native
	meta   *workflow.Action
	dir    string // as the job's commands see it
	host   string // as this process sees it
	plain  bool   // a Dockerfile without metadata
	inner  []*use // of a composite action, for each of its steps; nil for those that use none
	ready  bool   // it was brought in

	state  environ // what it saved for its later parts
	inputs environ
	scope  *scope // of a composite action whose parts have begun to run
	later  bool   // its post part is noted
	called string // github.action, the same in all its parts
}

// source is what github.action_repository and its like say of it.
func (u *use) source() source { return source{repository: u.ref.repository, ref: u.ref.ref} }

// maxDepth is how deep composite actions may use each other.
const maxDepth = 10

// uses reads what steps use.
func (w *walk) uses(defs []*workflow.Step, in *use, depth int) ([]*use, error) {
	out := make([]*use, len(defs))
	for i, def := range defs {
		if !def.Uses.Set {
			continue
		}
		ref, err := readReference(strings.TrimSpace(def.Uses.Value))
		if err != nil {
			return nil, faultAt(CodeAction, def.Uses, "%v", err)
		}
		u := &use{def: def, ref: ref, in: in, depth: depth}
		if !w.Real && ref.repository != "" {
			u.native = natives[strings.ToLower(strings.TrimSuffix(ref.repository+"/"+ref.path, "/"))]
		}
		u.ready = u.native != nil || ref.image != ""
		out[i] = u
	}
	return out, nil
}

// part is a part of an action that runs apart from its step: pre or post.
type part struct {
	word string // Pre, Post
	cond *workflow.Condition
	run  func(at *step) ending
}

// apart runs a pre or post part as a step of its own.
func (w *walk) apart(s *scope, u *use, title string, p part) {
	at := w.begin(s, u.def, u)
	at.title, at.source, at.state, at.ran = p.word+" "+title, u.source(), &u.state, &ran{}
	vars, err := s.variables(u.def.Env, at)
	at.env.add(&vars)
	if err != nil {
		w.settle(s, at.title, w.invalid(at, err))
		return
	}
	ok := true
	now := both(w.status)
	if p.cond != nil && p.cond.Cond != nil {
		if ok, err = s.holds(p.cond, at, now); err != nil {
			w.settle(s, at.title, w.invalid(at, err))
			return
		}
	}
	if !ok {
		return
	}
	at.always, at.apart = true, true
	end := w.fold(fmt.Sprintf("step-%d", at.number), at.title)
	v := p.run(at)
	end()
	if v.status == failure {
		if allowed, err := s.truth(u.def.ContinueOnError, at); err == nil && allowed {
			return
		}
	}
	w.settle(s, at.title, v)
}

// unwind runs the post parts of a scope, the last first.
func (w *walk) unwind(s *scope) {
	for len(s.posts) > 0 {
		last := s.posts[len(s.posts)-1]
		s.posts = s.posts[:len(s.posts)-1]
		last()
	}
}
