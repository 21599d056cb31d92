package gitlab

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/variable"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// restoreCaches brings back each cache that the job may pull: under its key, else its fallback keys, else
// CACHE_FALLBACK_KEY (CI/CD YAML syntax reference, cache:fallback_keys).
func (j *job) restoreCaches() {
	if j.stopped() {
		return
	}
	var pulls []plan.Cache
	for _, c := range j.Job.Caches {
		if policy := j.policy(c); policy == "pull" || policy == "pull-push" {
			pulls = append(pulls, c)
		}
	}
	if len(pulls) == 0 {
		return
	}
	j.section("restore_cache", "Restoring cache", func() {
		for _, c := range pulls {
			keys := j.cacheKeys(c)
			j.say("Checking cache for %s...", keys[0])
			j.ask(program.RestoreCache{Keys: keys}, func(o program.Outcome) {
				switch {
				case o.Failure != "":
					j.first(program.Say{Text: "the cache was not restored: " + o.Message, Warning: true})
				case o.Text == "":
					j.first(program.Say{Text: "No cache found"})
				default:
					j.first(program.Say{Text: "Successfully extracted cache " + o.Text})
				}
			})
		}
	})
}

// policy is cache:policy with its variables filled in.
func (j *job) policy(c plan.Cache) string { return j.vars.expand(c.Policy) }

// cacheKeys are the keys under which a cache is looked for, best first. A key of CACHE_FALLBACK_KEY that ends with
// -protected is refused, as in GitLab's runner: any branch could read a protected branch's cache by it.
func (j *job) cacheKeys(c plan.Cache) []string {
	keys := []string{j.vars.expand(c.Key)}
	add := func(key string) {
		if key = strings.TrimSpace(key); key != "" {
			keys = append(keys, key)
		}
	}
	for _, k := range c.FallbackKeys {
		add(j.vars.expand(k))
	}
	if k := j.vars.get("CACHE_FALLBACK_KEY"); !strings.HasSuffix(k, "-protected") {
		add(k)
	}
	return keys
}

// restoreArtifacts unpacks what the jobs before left behind.
func (j *job) restoreArtifacts() {
	if j.stopped() || len(j.From) == 0 {
		return
	}
	j.section("download_artifacts", "Downloading artifacts", func() {
		j.ask(program.RestoreArtifacts{Jobs: j.From}, func(o program.Outcome) {
			if o.Failure != "" {
				j.fail(o)
			}
		})
	})
}

// saveCaches keeps each cache that the job may push and whose when fits how the job went.
func (j *job) saveCaches() {
	if j.over {
		return
	}
	var pushes []plan.Cache
	for _, c := range j.Job.Caches {
		if policy := j.policy(c); (policy == "push" || policy == "pull-push") && j.wants(c.When) {
			pushes = append(pushes, c)
		}
	}
	if len(pushes) == 0 {
		return
	}
	j.section("archive_cache", "Saving cache for "+j.outcomeName()+" job", func() {
		for _, c := range pushes {
			key := j.vars.expand(c.Key)
			j.say("Creating cache %s...", key)
			j.ask(program.SaveCache{Key: key, Select: program.Select{Paths: j.expandAll(c.Paths), Untracked: c.Untracked}}, func(o program.Outcome) {
				switch {
				case o.Failure != "":
					j.first(program.Say{Text: "the cache was not saved: " + o.Message, Warning: true})
				case o.Text != "":
					j.first(program.Say{Text: "no files to cache", Warning: true})
				}
			})
		}
	})
}

func (j *job) outcomeName() string {
	if j.result.Failure == "" {
		return "successful"
	}
	return "failed"
}

// saveArtifacts keeps the job's files where its when fits, and its reports in any case (CI/CD YAML syntax reference,
// artifacts:when and artifacts:reports).
func (j *job) saveArtifacts() {
	a := j.Job.Artifacts
	if a == nil || j.over {
		return
	}
	archive := (len(a.Paths) > 0 || a.Untracked) && j.wants(a.When)
	if !archive && len(a.Reports) == 0 {
		return
	}
	j.section("upload_artifacts_on_"+map[bool]string{true: "success", false: "failure"}[j.result.Failure == ""],
		"Uploading artifacts for "+j.outcomeName()+" job", func() {
			if archive {
				j.saveOne("archive", j.vars.expand(a.Name), program.Select{Paths: j.expandAll(a.Paths), Exclude: j.expandAll(a.Exclude), Untracked: a.Untracked})
			}
			for _, r := range a.Reports {
				j.saveOne(r.Kind, j.vars.expand(a.Name), program.Select{Paths: j.expandAll(r.Paths)})
			}
		})
}

// saveOne keeps one archive. Finding nothing is no failure; a store that fails is.
func (j *job) saveOne(kind, name string, s program.Select) {
	j.ask(program.SaveArtifacts{Kind: kind, Name: name, Select: s, Expire: j.Job.Artifacts.ExpireIn}, func(o program.Outcome) {
		switch {
		case o.Failure != "":
			j.fail(o)
		case o.Text != "" && kind == "archive":
			j.first(program.Say{Text: "ERROR: No files to upload"})
		}
	})
}

func (j *job) expandAll(patterns []string) []string {
	out := make([]string, 0, len(patterns))
	for _, p := range patterns {
		path, err := variable.ExpandPath(p, j.vars.get)
		if err != nil {
			j.warn("%v", err)
			continue
		}
		if path != "" {
			out = append(out, j.relative(path))
		}
	}
	return out
}

// relative takes the project folder off a pattern that names it in full ($CI_PROJECT_DIR/build).
func (j *job) relative(pattern string) string {
	root := strings.TrimSuffix(j.Paths.JobWorkspace, "/")
	if root == "" {
		return pattern
	}
	if pattern == root {
		return "."
	}
	if rest, ok := strings.CutPrefix(pattern, root+"/"); ok {
		return rest
	}
	return pattern
}
