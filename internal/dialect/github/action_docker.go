package github

import (
	"path"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// image runs a step with uses: docker://image. Its inputs entrypoint and args say what is started.
func (w *walk) image(at *step, u *use) ending {
	return w.contain(at, u, program.Contain{
		Image: u.ref.image, Entrypoint: u.input("entrypoint"), Args: words(u.input("args")),
	}, nil)
}

// docker runs a part of a Docker action: main, pre or post (GitHub documentation, "Metadata syntax reference", runs for
// Docker container actions).
func (w *walk) docker(at *step, u *use, stage string) ending {
	inputs := expr.ObjectBuilder{}
	for _, name := range u.inputs.names {
		inputs.Set(name, expr.String(u.inputs.get(name)))
	}
	s := &scope{w: w, outer: at.scope, inputs: inputs.Value(), action: source{path: u.dir, repository: u.ref.repository, ref: u.ref.ref}, state: success}
	c := program.Contain{}
	if image := u.meta.Image.Value; strings.HasPrefix(image, "docker://") {
		c.Image = strings.TrimPrefix(image, "docker://")
	} else {
		c.Build, c.Dockerfile = path.Join(u.host, path.Dir(image)), path.Base(image)
	}
	if u.meta.Args != nil {
		for _, a := range u.meta.Args {
			value, err := s.text(a, at)
			if err != nil {
				return w.invalid(at, err)
			}
			c.Args = append(c.Args, value)
		}
	} else {
		c.Args = words(u.input("args"))
	}
	switch stage {
	case "pre":
		c.Entrypoint = u.meta.PreEntrypoint.Value
	case "post":
		c.Entrypoint = u.meta.PostEntrypoint.Value
	default:
		c.Entrypoint = first(u.meta.Entrypoint.Value, u.input("entrypoint"))
	}
	own, err := s.variables(u.meta.Env, at)
	if err != nil {
		return w.invalid(at, err)
	}
	return w.contain(at, u, c, &own)
}

// contain runs a container for a step. The action's own variables stand below those of the workflow.
func (w *walk) contain(at *step, u *use, c program.Contain, own *environ) ending {
	if v := w.open(); v.status != success {
		return v
	}
	services, v := w.serve()
	if v.status != success {
		return v
	}
	e := at.env.clone()
	w.fill(&e, at, u)
	if own != nil {
		for _, name := range own.names {
			if !e.has(name) {
				e.set(name, own.get(name))
			}
		}
	}
	e.export(w.githubContext(at.scope, at), w.runner)
	e.addPairs(services)
	lens := w.lens(at)
	c.Step, c.Env, c.Lens, c.Timeout, c.Always = at.title, e.pairs(), lens, at.limit, at.always
	o := w.do(c)
	w.closeFolds(lens)
	return w.told(at, lens, w.verdictFor(at, o, "Docker run failed with exit code %d"))
}

// input is an input of the action by its name in any case.
func (u *use) input(name string) string {
	for _, n := range u.inputs.names {
		if strings.EqualFold(n, name) {
			return u.inputs.get(n)
		}
	}
	return ""
}

// words are the arguments in a text: blanks part them but between quotes.
func words(text string) []string {
	var out []string
	var word strings.Builder
	begun, quote := false, rune(0)
	for _, c := range text {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '"' || c == '\'':
			quote, begun = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if begun {
				out = append(out, word.String())
				word.Reset()
				begun = false
			}
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	if begun {
		out = append(out, word.String())
	}
	return out
}

var _ workflow.Text
