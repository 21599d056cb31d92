package gitlab

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// jobExpression is ${{ … }}, and jobInputName what may stand in it here (GitLab documentation, job inputs).
var (
	jobExpression = lazy.Pattern(`\$\{\{\s*(.*?)\s*\}\}`)
	jobInputName  = lazy.Pattern(`^job\.inputs\.([A-Za-z0-9_-]+)$`)
)

// jobInputs puts the values of the job's inputs into what it runs and keeps. Each has its default: nobody is asked for
// another one here. A job that declares no inputs is left alone, whatever braces its script has.
func (c *compiler) jobInputs(k *keyword.Job, each func(*plan.Job, func(*string)), j *plan.Job) {
	if len(k.Inputs) == 0 {
		return
	}
	values := make(map[string]string, len(k.Inputs))
	for _, in := range k.Inputs {
		values[in.Name] = inputText(in.Default)
	}
	fill := func(text *string) {
		if !strings.Contains(*text, "${{") {
			return
		}
		*text = jobExpression.ReplaceAllStringFunc(*text, func(whole string) string {
			inner := jobExpression.FindStringSubmatch(whole)[1]
			name := jobInputName.FindStringSubmatch(inner)
			if name == nil {
				c.faults.Add(fault.At(CodeJobInput, k.Place, "job %q: %s is more than an input, which needs GitLab's runner", k.Name, whole).
					WithHint("work the value out in the script"))
				return whole
			}
			value, ok := values[name[1]]
			if !ok {
				f := fault.At(CodeJobInput, k.Place, "job %q has no input %q", k.Name, name[1])
				if near := fault.Nearest(name[1], inputNames(k)); near != "" {
					f.WithHint("did you mean %q?", near)
				}
				c.faults.Add(f)
			}
			return value
		})
	}
	each(j, fill)
}

func inputNames(k *keyword.Job) []string {
	out := make([]string, len(k.Inputs))
	for i, in := range k.Inputs {
		out[i] = in.Name
	}
	return out
}

// inputText is a value as it stands in a text: lists as JSON.
func inputText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// eachText visits what all legs of a job share and may hold its inputs: scripts, image, services and artifacts.
func eachText(j *plan.Job, visit func(*string)) {
	all := func(texts []string) {
		for i := range texts {
			visit(&texts[i])
		}
	}
	container := func(c *plan.Container) {
		visit(&c.Name)
		visit(&c.User)
		all(c.Entrypoint)
	}
	for i := range j.Steps {
		all(j.Steps[i].Lines)
	}
	if j.Image != nil {
		container(j.Image)
	}
	for i := range j.Services {
		s := &j.Services[i]
		container(&s.Container)
		all(s.Command)
		for n := range s.Variables {
			visit(&s.Variables[n].Value)
		}
	}
	if a := j.Artifacts; a != nil {
		visit(&a.Name)
		all(a.Paths)
		all(a.Exclude)
		for i := range a.Reports {
			all(a.Reports[i].Paths)
		}
	}
}

// eachCache visits what of a job's caches may hold its inputs.
func eachCache(j *plan.Job, visit func(*string)) {
	for i := range j.Caches {
		c := &j.Caches[i]
		visit(&c.Key)
		for _, texts := range [][]string{c.FallbackKeys, c.Paths} {
			for n := range texts {
				visit(&texts[n])
			}
		}
	}
}
