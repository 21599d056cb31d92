package convert

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// caches are the steps that restore caches, and those that save ones which a job only saves, or always. GitHub never
// changes a cache that is kept, so one with a fixed key is kept anew by every run and the newest is taken.
func (w *githubWriter) caches(j *job, v *view) (restore, save list) {
	for i, c := range j.Caches {
		key, keys := w.cacheKey(i, &c, v)
		var paths []string
		for _, p := range c.Paths {
			paths = append(paths, v.inside(p, &plan.Artifacts{Place: c.Place}))
		}
		with := func() *mapping { return of("path", several(paths)).set("key", key) }
		both := c.Policy == "pull-push" && c.When == plan.OnSuccess
		if both || c.Policy == "pull" || c.Policy == "pull-push" {
			in := with()
			if len(keys) > 0 {
				in.set("restore-keys", several(keys))
			}
			action := "actions/cache/restore@v4"
			if both {
				action = "actions/cache@v4"
			}
			restore = append(restore, of("uses", action).set("with", in))
		}
		if !both && (c.Policy == "push" || c.Policy == "pull-push") {
			step := of("uses", "actions/cache/save@v4")
			switch c.When {
			case plan.Always:
				step.set("if", "always()")
			case plan.OnFailure:
				step.set("if", "failure()")
			}
			save = append(save, step.set("with", with()))
		}
		if !slices.Contains([]string{"pull-push", "pull", "push"}, c.Policy) {
			w.bad(CodeText, c.Place, "the policy %s of a cache of job %q is not known", c.Policy, j.Name)
		}
		if c.Untracked {
			w.lose(CodeLost, c.Place, "GitHub has nothing for cache:untracked of job %q", j.Name)
		}
	}
	return restore, save
}

// cacheKey is the key with the keys to fall back to.
func (w *githubWriter) cacheKey(index int, c *plan.Cache, v *view) (key string, fallback []string) {
	for _, k := range c.FallbackKeys {
		fallback = append(fallback, v.text(k, c.Place)+"-")
	}
	key = v.text(c.Key, c.Place)
	if len(c.Files) == 0 {
		return key + "-${{ github.run_id }}", append([]string{key + "-"}, fallback...)
	}
	if key == "" {
		names := make([]string, len(c.Files))
		for i, f := range c.Files {
			names[i], _, _ = strings.Cut(f, ".")
		}
		key = strconv.Itoa(index) + "_" + strings.Join(names, "_")
	}
	files := make([]string, len(c.Files))
	for i, f := range c.Files {
		files[i] = quoted(f)
	}
	return key + "-${{ hashFiles(" + strings.Join(files, ", ") + ") }}", fallback
}
