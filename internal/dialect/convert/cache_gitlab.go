package convert

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// caches are actions/cache and its two halves. A half that restores and one that saves the same are one cache.
func (w *gitlabWriter) caches(s *scope, u *uses) {
	type cache struct {
		step       *plan.Step
		pull, push bool
		when       string
		prefix     []string
	}
	var all []*cache
	for i := range s.job.Steps {
		step := &s.job.Steps[i]
		half, ok := strings.CutPrefix(actionOf(step), "actions/cache")
		if !ok || half != "" && half != "/restore" && half != "/save" {
			continue
		}
		c := &cache{step: step, pull: half != "/save", push: half != "/restore", when: uploadWhen(step.If), prefix: linesOf(with(step, "restore-keys"))}
		if c.when == "" {
			w.bad(CodeStep, step.Place, "GitLab keeps caches on success, on failure or always, not if %s", step.If)
		}
		if half == "/save" {
			if n := slices.IndexFunc(all, func(o *cache) bool {
				return !o.push && with(o.step, "key") == with(step, "key") && with(o.step, "path") == with(step, "path")
			}); n >= 0 {
				all[n].push, all[n].when = true, c.when
				continue
			}
		}
		if with(step, "fail-on-cache-miss") == "true" || with(step, "lookup-only") == "true" {
			w.bad(CodeAction, step.Place, "GitLab has nothing for fail-on-cache-miss and lookup-only")
		}
		all = append(all, c)
	}
	for _, c := range all {
		m := &mapping{}
		if !w.key(s, c.step, c.prefix, m) {
			continue
		}
		m.set("paths", stringsOf(w.cachePaths(s, c.step)))
		if !c.push {
			m.set("policy", "pull")
		} else if !c.pull {
			m.set("policy", "push")
		}
		if c.push && c.when != string(plan.OnSuccess) {
			m.set("when", c.when)
		}
		u.caches = append(u.caches, m)
	}
}

func (w *gitlabWriter) cachePaths(s *scope, step *plan.Step) (out []string) {
	for _, p := range linesOf(with(step, "path")) {
		text, ok := s.text(strings.TrimPrefix(p, "${{ github.workspace }}/"), step.Place)
		switch {
		case !ok:
		case strings.HasPrefix(text, "~") || strings.HasPrefix(text, "/"):
			w.lose(CodeAction, step.Place, "GitLab caches files of the project only: %s lies outside; tools can be told to keep their caches inside", text)
		default:
			out = append(out, text)
		}
	}
	return out
}

const rolling = "-${{ github.run_id }}"

// key writes the key of a cache. One that the run's number ends is a key that GitLab keeps anew each time; one of hashFiles
// is key:files.
func (w *gitlabWriter) key(s *scope, step *plan.Step, prefixes []string, m *mapping) bool {
	key := with(step, "key")
	if plainKey, ok := strings.CutSuffix(key, rolling); ok {
		prefixes = slices.DeleteFunc(prefixes, func(p string) bool { return p == plainKey+"-" })
		text, ok := s.text(plainKey, step.Place)
		if !ok {
			return false
		}
		m.set("key", text)
	} else if prefix, files, ok := hashed(key); ok {
		if len(files) > 2 {
			w.lose(CodeLost, step.Place, "GitLab makes a key of two files at most: %s are left out", strings.Join(files[2:], ", "))
			files = files[:2]
		}
		one := of("files", stringsOf(files))
		if prefix != "" {
			text, ok := s.text(prefix, step.Place)
			if !ok {
				return false
			}
			one.set("prefix", text)
		}
		m.set("key", one)
	} else {
		text, ok := s.text(key, step.Place)
		if !ok {
			return false
		}
		m.set("key", text)
	}
	var fallback list
	for _, p := range prefixes {
		if text, ok := s.text(strings.TrimSuffix(p, "-"), step.Place); ok && text != "" && !strings.HasPrefix(key, p) {
			fallback = append(fallback, text)
		} else if ok && strings.HasPrefix(key, p) {
			w.note(CodeLost, step.Place, "GitLab looks for keys as they are, not for what begins with %s", p)
		}
	}
	if len(fallback) > 0 {
		m.set("fallback_keys", fallback)
	}
	return true
}

// hashed takes a key apart that ends with hashFiles.
func hashed(key string) (prefix string, files []string, ok bool) {
	parts := segments(key)
	if len(parts) == 0 || !parts[len(parts)-1].expression {
		return "", nil, false
	}
	e, bad := expr.Parse(parts[len(parts)-1].text, nil)
	if bad != nil {
		return "", nil, false
	}
	call, is := e.Root().(*expr.Call)
	if !is || call.Name != "hashfiles" {
		return "", nil, false
	}
	for _, a := range call.Args {
		l, plain := a.(*expr.Literal)
		if !plain {
			return "", nil, false
		}
		files = append(files, l.Value.Text())
	}
	return strings.TrimSuffix(key[:strings.LastIndex(key, "${{")], "-"), files, true
}
