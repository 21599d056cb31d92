package github

import (
	"slices"
	"strings"
)

// native is an action that is built in: it does with actions of flow/program what the real one does, without Node and
// without a download.
type native struct {
	inputs []string // that it has; others are warned of
	// idle are inputs that it has and that change nothing here, with why; "" says nothing.
	idle map[string]string
	main func(c *call) ending
	// post is nil where there is nothing to do at the job's end.
	post func(c *call) ending
	// onSuccess says that post runs only where the job went well.
	onSuccess bool
}

// natives are the built-in actions by owner/repo/path in lower case. Filled by init, since they run through the walk.
var natives map[string]*native

func init() {
	natives = map[string]*native{
		"actions/checkout": checkout, "actions/cache": cacheAction, "actions/cache/restore": cacheRestore, "actions/cache/save": cacheSave,
		"actions/upload-artifact": uploadArtifact, "actions/upload-artifact/merge": mergeArtifacts, "actions/download-artifact": downloadArtifact,
		"actions/setup-go": setupGo, "actions/setup-node": setupNode, "actions/setup-python": setupPython, "actions/setup-java": setupJava,
		"actions/github-script": githubScript,
	}
}

// call is one use of a built-in action.
type call struct {
	*walk
	at *step
	u  *use
}

// native runs the main part of a built-in action.
func (w *walk) native(at *step, u *use) ending {
	n, c := u.native, &call{w, at, u}
	var odd []string
	for _, name := range u.inputs.names {
		key := strings.ToLower(name)
		if !slices.Contains(n.inputs, key) {
			odd = append(odd, name)
		} else if why := n.idle[key]; why != "" {
			w.warn("%s has no effect here: %s [%s]", name, why, CodeNativeInput)
		}
	}
	if len(odd) > 0 {
		w.caution("%s", unexpectedText(odd, n.inputs))
	}
	if n.post != nil {
		s, title := at.scope, at.title
		s.posts = append(s.posts, func() {
			if n.onSuccess && w.status != success {
				return
			}
			w.apart(s, u, title, part{"Post", nil, func(at *step) ending { return n.post(&call{w, at, u}) }})
		})
	}
	return n.main(c)
}

// input is an input, without blanks around it, as @actions/core reads it.
func (c *call) input(name string) string { return strings.TrimSpace(c.u.input(name)) }

// given says whether the step names the input.
func (c *call) given(name string) bool {
	return slices.ContainsFunc(c.u.inputs.names, func(n string) bool { return strings.EqualFold(n, name) })
}

// lines are the lines of an input that are not empty.
func (c *call) lines(name string) []string {
	var out []string
	for line := range strings.SplitSeq(c.u.input(name), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// flag is an input that is true or false.
func (c *call) flag(name string, otherwise bool) bool {
	text := c.input(name)
	if text == "" {
		return otherwise
	}
	return strings.EqualFold(text, "true")
}

// output sets an output of the step.
func (c *call) output(name, value string) { c.at.ran.outputs.set(name, value) }

// error tells why the step fails, with a code where the message has none of its own.
func (c *call) error(own string, v ending) ending {
	if coded.MatchString(v.message) {
		c.complain("%s", v.message)
	} else {
		c.complain("%s [%s]", v.message, own)
	}
	return v
}

func equalTrue(s string) bool { return strings.EqualFold(strings.TrimSpace(s), "true") }
