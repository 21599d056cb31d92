package keyword

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// maxJobName is the longest name of a job, in characters.
const maxJobName = 255

// jobs reads every entry of the top level that is a job and not hidden.
func (r *reader) jobs(f *File, root *yamlx.Node) {
	for _, pair := range root.Pairs {
		if isJob(pair.Key.Value, pair.Value) && !strings.HasPrefix(pair.Key.Value, ".") {
			if j := r.job(f, pair); j != nil {
				f.Jobs = append(f.Jobs, j)
				f.index[j.Name] = j
			}
		}
	}
	r.owner, r.part = "", InGlobal
	if len(f.Jobs) == 0 && !r.faults.HasErrors() {
		r.fail(CodeNoJobs, root, "the file has no visible job").WithHint("add a job with a script; names that begin with a dot are hidden")
	}
}

// job reads one job; nil where the entry is none.
func (r *reader) job(f *File, pair yamlx.Pair) *Job {
	name, n := pair.Key.Value, pair.Value
	r.owner, r.part = name, InJob
	j := &Job{Name: name, Place: pair.Key.At(), Kind: ScriptJob, Stage: Text{Value: DefaultStage}}
	j.When.Value = plan.OnSuccess
	r.jobName(pair.Key)
	switch {
	case !n.IsMapping():
		r.noMapping(pair)
		return nil
	case n.Has("trigger"):
		j.Kind, r.part = TriggerJob, InBridge
	case n.Has("run"):
		j.Kind = StepsJob
	case !n.Has("script") && mirrors(n.Get("needs")):
		j.Kind, r.part = TriggerJob, InBridge
	case !n.Has("script"):
		r.idle(pair)
	}
	for key, p := range r.fields(n, scopeOf(""), "") {
		r.keyword(j, key, p.Value)
	}
	r.combinations(j, n)
	r.inheritInto(j, f.Default)
	return j
}

// jobName checks a job's name. GitLab takes text only: 1:, true: and null: are refused unless in quotes.
func (r *reader) jobName(key *yamlx.Node) {
	switch {
	case key.Type != yamlx.Str:
		r.fail(CodeJobName, key, "the name of a job should be text, not %s", key.Describe()).WithHint("put it in quotes: %q", key.Value)
	case strings.TrimSpace(key.Value) == "":
		r.fail(CodeJobName, key, "a job needs a name")
	case len([]rune(key.Value)) > maxJobName:
		r.fail(CodeJobName, key, "the name of a job has at most %d characters, this one has %d", maxJobName, len([]rune(key.Value)))
	}
}

// noMapping tells of a top-level entry that is neither a keyword nor a job.
func (r *reader) noMapping(pair yamlx.Pair) {
	r.part, r.owner = InGlobal, ""
	name := pair.Key.Value
	f := r.fail(CodeUnknown, pair.Key, "%q is no keyword, and a job should be a mapping, not %s", name, pair.Value.Describe())
	if near := fault.Nearest(name, globalNames()); near != "" {
		f.WithHint("did you mean %q?", near)
	} else if k := scopeOf("").kids[name]; k != nil {
		f.WithHint("%s is allowed in: %s", name, strings.Join(k.In.Places(), ", "))
	}
}

// idle tells of a job that does nothing.
func (r *reader) idle(pair yamlx.Pair) {
	f := r.fail(CodeNoScript, pair.Key, "it has no script, run or trigger")
	name := pair.Key.Value
	if k := scopeOf("").kids[name]; k != nil {
		f.WithHint("%s is a keyword of: %s; it may be indented too little", name, strings.Join(k.In.Places(), ", "))
		return
	}
	if near := fault.Nearest(name, globalNames()); near != "" {
		f.WithHint("did you mean the keyword %q? A template that no job runs begins with a dot", near)
		return
	}
	for _, key := range pair.Value.Keys() {
		if near := fault.Nearest(key, []string{"script", "trigger"}); near != "" && scopeOf("").kids[key] == nil {
			f.WithHint("did you mean %q where it says %q?", near, key)
			return
		}
	}
	f.WithHint("add a script; a template that no job runs begins with a dot: .%s", name)
}

func globalNames() []string {
	var out []string
	for _, name := range scopeOf("").names {
		if scopeOf("").kids[name].In&InGlobal != 0 {
			out = append(out, name)
		}
	}
	return out
}

// mirrors reports whether needs: has the form that takes over another pipeline's status.
func mirrors(n *yamlx.Node) bool {
	if n.IsMapping() {
		return n.Has("pipeline") && !n.Has("job")
	}
	if !n.IsSequence() {
		return false
	}
	return slices.ContainsFunc(n.Items, func(item *yamlx.Node) bool { return item.IsMapping() && mirrors(item) })
}

// keyword reads one keyword of a job.
func (r *reader) keyword(j *Job, key string, n *yamlx.Node) {
	switch key {
	case "script":
		j.Script = r.script(n, key)
	case "before_script":
		j.BeforeScript = r.script(n, key)
	case "after_script":
		j.AfterScript = r.script(n, key)
	case "run":
		j.Run = r.steps(n, key)
	case "trigger":
		j.Trigger = r.trigger(n)
	case "hooks":
		j.Hooks = r.hooks(n)
	case "stage":
		j.Stage = r.limited(n, key, 255)
	case "extends":
		j.Extends = r.oneOrMore(n, key)
	case "inherit":
		j.Inherit = r.inherit(n)
	case "rules":
		j.Rules = r.rules(n, key)
	case "only":
		j.Only = r.policy(n, key)
	case "except":
		j.Except = r.policy(n, key)
	case "when":
		r.when(j, n)
	case "start_in":
		j.StartIn = r.startIn(n)
	case "manual_confirmation":
		j.Confirm = r.text(n, key)
	case "allow_failure":
		j.AllowFailure = r.allowFailure(n)
	case "retry":
		j.Retry = r.retry(n)
	case "timeout":
		j.Timeout = r.timeout(n)
	case "needs":
		j.Needs = r.needs(n, key)
	case "dependencies":
		j.Dependencies = r.texts(n, key)
	case "parallel":
		j.Parallel = r.parallel(n)
	default:
		r.surrounding(j, key, n)
	}
}

// surrounding reads the keywords that describe what surrounds the work of a job.
func (r *reader) surrounding(j *Job, key string, n *yamlx.Node) {
	switch key {
	case "image":
		j.Image = r.image(n)
	case "services":
		j.Services = r.services(n)
	case "tags":
		j.Tags = r.tags(n)
	case "variables":
		j.Variables = r.variables(n, key)
	case "interruptible":
		j.Interruptible = r.flag(n, key)
	case "resource_group":
		j.ResourceGroup = r.resourceGroup(n)
	case "environment":
		j.Environment = r.environment(n)
	case "coverage":
		j.Coverage = r.coverage(n)
	case "artifacts":
		j.Artifacts = r.artifacts(n)
	case "cache":
		j.Cache = r.caches(n)
	case "release":
		j.Release = r.release(n)
	case "pages":
		j.Pages = r.pages(n)
	case "publish":
		j.Publish = r.text(n, key)
	case "secrets":
		j.Secrets = r.secrets(n)
	case "id_tokens":
		j.IDTokens = r.idTokens(n)
	case "identity":
		j.Identity = r.choice(n, key, identities)
	case "inputs":
		j.Inputs = r.jobInputs(n)
	case "dast_configuration":
		j.Dast = r.dast(n)
	}
}

// inheritInto gives a job the defaults that it does not have and does not refuse (CI/CD YAML syntax reference, default
// and inherit:default). A keyword is taken whole or not at all. A trigger job takes interruptible alone.
func (r *reader) inheritInto(j *Job, d *Defaults) {
	if d == nil || j.Inherit.Default.None {
		return
	}
	has := j.Inherit.Default.Has
	if !j.Interruptible.Set && has("interruptible") {
		j.Interruptible = d.Interruptible
	}
	if j.Kind == TriggerJob {
		return
	}
	if j.Kind == ScriptJob {
		inherit(&j.BeforeScript, d.BeforeScript, has("before_script"))
		inherit(&j.AfterScript, d.AfterScript, has("after_script"))
	}
	inherit(&j.Hooks, d.Hooks, has("hooks"))
	inherit(&j.Image, d.Image, has("image"))
	inherit(&j.Services, d.Services, has("services"))
	inherit(&j.Cache, d.Cache, has("cache"))
	inherit(&j.Artifacts, d.Artifacts, has("artifacts"))
	inherit(&j.Retry, d.Retry, has("retry"))
	inherit(&j.Tags, d.Tags, has("tags"))
	if j.IDTokens == nil && has("id_tokens") {
		j.IDTokens = d.IDTokens
	}
	if !j.Identity.Set && has("identity") {
		j.Identity = d.Identity
	}
}

// inherit sets what is not set yet.
func inherit[T any](to **T, from *T, allowed bool) {
	if *to == nil && allowed {
		*to = from
	}
}
