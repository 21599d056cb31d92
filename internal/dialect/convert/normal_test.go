package convert_test

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// The normal form of a plan: what two forges must agree on, as text. It hides
//
//   - names that only the forge shows: of legs, stages, workflows, artifacts; a job is its key with letters that both
//     forges allow, and the values of its leg;
//   - how the graph is written: edges are who waits for whom in the end, through jobs that are left out too;
//   - how a job is left out: GitLab leaves it out of the plan, GitHub's plan has it with When Never, and so has what
//     waits for such a job on success;
//   - that GitHub asks some conditions only when the needs are done: Late.Like stands for them (with a plan.Late that is
//     like nothing, the condition itself stands there);
//   - a manual job and one whose condition is the input of its name: both are "asked", and what they do is compared for
//     the events by which they do it;
//   - the steps and keys by which sources, artifacts, caches and variables come and go; what they bring is compared;
//   - the lists of programs that a converted workflow keeps with its artifacts, since GitHub's keep no permissions;
//   - predefined variables: those of the two forges that mean the same have one word, and blocks that only give one
//     forge's name to the other's value are gone;
//   - the variables of a leg's own matrix; GitHub's default of six hours and GitLab's of none; labels of GitHub's own
//     runners; the shell bash, which is GitLab's; in which order groups take those that wait.
//
// Everything else is compared as it is.
type normal struct {
	p      *plan.Plan
	github bool
	played bool                       // the person who is asked said yes
	out    map[string]bool            // IDs of jobs that are left out
	before map[string]map[string]bool // by ID, all before it
}

func normalOf(p *plan.Plan, played bool) string {
	n := &normal{p: p, played: played, github: p.Dialect == "github", out: map[string]bool{}, before: map[string]map[string]bool{}}
	n.edges()
	n.leave()
	var texts []string
	for _, j := range p.Jobs {
		if !n.out[j.ID] {
			texts = append(texts, n.job(j))
		}
	}
	slices.Sort(texts)
	if len(texts) == 0 {
		return "nothing\n"
	}
	return fmt.Sprintf("a newer run cancels an older one: %t\n", n.cancels()) + strings.Join(texts, "")
}

// cancels reports whether a newer run of the same ref cancels this one: on GitHub a concurrency group of the workflow, on
// GitLab jobs that are all interruptible.
func (n *normal) cancels() bool {
	if n.github {
		return slices.ContainsFunc(n.p.Workflows, func(w plan.Workflow) bool { return w.Group != nil && w.Group.Cancel })
	}
	none := n.p.Cancel != nil && n.p.Cancel.OnNewCommit == "none"
	return !none && !slices.ContainsFunc(n.p.Jobs, func(j *plan.Job) bool { return !j.Interruptible })
}

var odd = regexp.MustCompile(`[^A-Za-z0-9_]+`)

func keyOf(j *plan.Job) string { return strings.Trim(odd.ReplaceAllString(j.Key, "-"), "-") }

func (n *normal) edges() {
	stage := plan.StageOf(n.p)
	var before func(j *plan.Job) map[string]bool
	before = func(j *plan.Job) map[string]bool {
		if b, ok := n.before[j.ID]; ok {
			return b
		}
		b := map[string]bool{}
		n.before[j.ID] = b
		add := func(other *plan.Job) {
			b[other.ID] = true
			maps.Copy(b, before(other))
		}
		for _, need := range j.Needs {
			add(n.p.Job(need.Job))
		}
		for _, other := range n.p.Jobs {
			if !j.Graph && stage[other.Stage] < stage[j.Stage] {
				add(other)
			}
		}
		return b
	}
	for _, j := range n.p.Jobs {
		before(j)
	}
}

// asked reports whether a person decides: GitHub's form of that is an input of the job's name.
func (n *normal) asked(j *plan.Job) bool {
	return j.When == plan.Manual || n.github && strings.Contains(j.Why.Text, "inputs."+j.Key)
}

func (n *normal) leave() {
	for changed := true; changed; {
		changed = false
		for _, j := range n.p.Jobs {
			gone := j.When == plan.Never && !n.asked(j)
			if n.github && (j.When == plan.OnSuccess && j.Late == nil) {
				for _, need := range j.Needs {
					gone = gone || n.out[need.Job]
				}
			}
			if gone && !n.out[j.ID] {
				n.out[j.ID], changed = true, true
			}
		}
	}
}

func (n *normal) job(j *plan.Job) string {
	var b strings.Builder
	say := func(key, format string, args ...any) {
		if text := strings.TrimSpace(fmt.Sprintf(format, args...)); text != "" {
			fmt.Fprintf(&b, "  %s: %s\n", key, strings.ReplaceAll(text, "\n", "\n    "))
		}
	}
	b.WriteString("job " + keyOf(j))
	for _, v := range n.axes(j) {
		fmt.Fprintf(&b, " %s=%s", strings.ReplaceAll(v.Name, "-", "_"), v.Value)
	}
	b.WriteString("\n")
	say("after", "%s", strings.Join(n.after(j), " "))
	say("when", "%s", n.when(j))
	if n.asked(j) && !n.played {
		return b.String() // GitHub's plan does not say what a job would do that does not run
	}
	if j.AllowFailure.Any || len(j.AllowFailure.ExitCodes) > 0 {
		say("may fail", "%v", j.AllowFailure)
	}
	if j.Retry.Max > 0 {
		say("retry", "%v", j.Retry)
	}
	if j.Timeout != 0 && j.Timeout != 6*time.Hour {
		say("timeout", "%s", j.Timeout)
	}
	if s := j.Strategy; s != nil && (s.FailFast || s.Parallel > 0) {
		say("strategy", "fail fast %t, parallel %d", s.FailFast, s.Parallel)
	}
	if e := j.Environment; e != nil {
		say("environment", "%s %s %s", e.Name, words(e.URL), e.Action)
	}
	if g := j.Group; g != nil {
		mode := map[string]string{"": "all", "unordered": "all", "oldest_first": "all"}[g.Mode]
		say("group", "%s, of those that wait %s, cancel %t", strings.ToLower(g.Name), cmp.Or(mode, g.Mode), g.Cancel)
	}
	say("tags", "%s", n.tags(j))
	if j.Image != nil {
		image := words(j.Image.Name)
		for _, v := range j.Matrix {
			image = strings.ReplaceAll(image, "{"+v.Name+"}", v.Value)
		}
		say("image", "%s", image)
	}
	for _, s := range j.Services {
		say("service", "%s as %s %v %v", words(s.Name), hostOf(&s), n.texts(append(slices.Clone(s.Variables), s.Env...)), append(slices.Clone(s.Entrypoint), s.Command...))
	}
	n.work(j, say)
	if a := j.Artifacts; a != nil && len(a.Paths) > 0 {
		paths := slices.DeleteFunc(slices.Clone(a.Paths), func(p string) bool { return strings.Contains(p, ".sluice-modes-") })
		say("keeps", "%s without %v, %s for %s", words(strings.Join(paths, " ")), a.Exclude, a.When, a.ExpireIn)
	}
	if n.handsOn(j) {
		say("hands on", "variables")
	}
	say("takes", "%s", strings.Join(n.takes(j), " "))
	for _, c := range n.caches(j) {
		say("cache", "%s", c)
	}
	return b.String()
}

func (n *normal) axes(j *plan.Job) []plan.Variable {
	if j.Index > 0 && len(j.Matrix) == 0 {
		return []plan.Variable{{Name: "CI_NODE_INDEX", Value: fmt.Sprint(j.Index)}}
	}
	return j.Matrix
}

func (n *normal) after(j *plan.Job) []string {
	seen := map[string]bool{}
	for id := range n.before[j.ID] {
		if !n.out[id] {
			seen[keyOf(n.p.Job(id))] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func (n *normal) when(j *plan.Job) string {
	switch {
	case n.asked(j):
		return "asked"
	case j.Late != nil && j.Late.Like != "":
		return string(j.Late.Like)
	case j.Late != nil:
		return "late " + j.Late.Kind + " " + j.Why.Text
	}
	return string(j.When)
}

func (n *normal) tags(j *plan.Job) string {
	var out []string
	for _, t := range j.Tags {
		if t != "self-hosted" && !strings.HasPrefix(t, "ubuntu-") {
			out = append(out, t)
		}
	}
	return strings.Join(out, " ")
}

func hostOf(s *plan.Service) string {
	if len(s.Aliases) > 0 {
		return s.Aliases[0]
	}
	return strings.ReplaceAll(regexp.MustCompile(`(:[^/]*|@.*)$`).ReplaceAllString(s.Name, ""), "/", "-")
}

var (
	expression = regexp.MustCompile(`\$\{\{\s*(.*?)\s*\}\}`)
	shell      = regexp.MustCompile(`\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)`)
	otherwise  = regexp.MustCompile(`^(?:vars|inputs)\.\w+ \|\| '(.*)'$`)
	named      = regexp.MustCompile(`^(?:matrix|env|vars|secrets|inputs)\.([\w-]+)$`)
	output     = regexp.MustCompile(`^needs\.([\w-]+)\.outputs\.([\w-]+)$`)
)

// meanings are the values that both forges have, as docs/convert.md lists them.
var meanings = map[string]string{
	"github.sha": "CI_COMMIT_SHA", "github.ref_name": "CI_COMMIT_REF_NAME", "github.head_ref || github.ref_name": "CI_COMMIT_REF_NAME",
	"github.run_id": "CI_PIPELINE_ID", "github.run_number": "CI_PIPELINE_IID", "github.repository": "CI_PROJECT_PATH",
	"github.workspace": "CI_PROJECT_DIR", "github.actor": "GITLAB_USER_LOGIN", "github.server_url": "CI_SERVER_URL",
	"github.base_ref": "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "github.event.repository.default_branch": "CI_DEFAULT_BRANCH",
	"github.event.repository.name": "CI_PROJECT_NAME",
	"GITHUB_SHA":                   "CI_COMMIT_SHA", "GITHUB_REF_NAME": "CI_COMMIT_REF_NAME", "GITHUB_RUN_ID": "CI_PIPELINE_ID", "GITHUB_RUN_NUMBER": "CI_PIPELINE_IID",
	"GITHUB_REPOSITORY": "CI_PROJECT_PATH", "GITHUB_WORKSPACE": "CI_PROJECT_DIR", "GITHUB_ACTOR": "GITLAB_USER_LOGIN",
}

// words puts one word in the place of every variable and expression.
func words(s string) string {
	s = expression.ReplaceAllStringFunc(s, func(m string) string {
		e := expression.FindStringSubmatch(m)[1]
		if is, ok := meanings[e]; ok {
			return "{" + is + "}"
		}
		if o := otherwise.FindStringSubmatch(e); o != nil {
			return o[1]
		}
		if o := named.FindStringSubmatch(e); o != nil {
			return "{" + strings.ReplaceAll(o[1], "-", "_") + "}"
		}
		if o := output.FindStringSubmatch(e); o != nil {
			return "{" + strings.ToUpper(strings.ReplaceAll(o[1]+"_"+o[2], "-", "_")) + "}"
		}
		return m
	})
	return shell.ReplaceAllStringFunc(s, func(m string) string {
		name := strings.Trim(m, "${}")
		if is, ok := meanings[name]; ok {
			name = is
		}
		return "{" + name + "}"
	})
}

// forges are variables that one forge sets, or reads itself.
func forges(name string) bool {
	return strings.HasPrefix(name, "CI_") || strings.HasPrefix(name, "GITHUB_") || strings.HasPrefix(name, "GITLAB_") || strings.HasPrefix(name, "GIT_") || strings.HasPrefix(name, "RUNNER_")
}

func (n *normal) texts(vs []plan.Variable) []string {
	values := map[string]string{}
	for _, v := range vs {
		if value := words(strings.ReplaceAll(v.Value, "$$", "$")); value != "{"+v.Name+"}" {
			values[v.Name] = value
		}
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		out = append(out, name+"="+values[name])
	}
	return out
}

// work are the scripts with what they see, and whether the sources are there.
func (n *normal) work(j *plan.Job, say func(key, format string, args ...any)) {
	own := map[string]bool{}
	for _, v := range j.Matrix {
		own[v.Name] = true
	}
	var vars []plan.Variable
	strategy := ""
	for _, v := range append(slices.Clone(n.p.Variables), j.Variables...) {
		if v.Name == "GIT_STRATEGY" {
			strategy = v.Value
		}
		if (v.Level == plan.Default || v.Level == plan.JobLevel) && !own[v.Name] && !forges(v.Name) && !slices.Contains(j.Hides, v.Name) {
			vars = append(vars, v)
		}
	}
	checkout := !n.github && strategy != "none"
	var script, after []string
	for _, s := range j.Steps {
		action, _, _ := strings.Cut(s.Uses, "@")
		checkout = checkout || action == "actions/checkout"
		if strings.HasPrefix(s.ID, "sluice-") || bringing(action) {
			continue
		}
		for _, v := range s.Env {
			if !forges(v.Name) {
				vars = append(vars, v)
			}
		}
		text := words(strings.TrimSpace(strings.Join(s.Lines, "\n")))
		if s.Uses != "" {
			text = "uses " + s.Uses
		}
		if s.Shell != "" && s.Shell != "bash" || s.Dir != "" || s.Limit != "" {
			text = fmt.Sprintf("[%s %s %s] ", s.Shell, s.Dir, s.Limit) + text
		}
		if n.github && s.Shell == "" && s.Uses == "" {
			text = "[without pipefail] " + text
		}
		switch {
		case s.After, s.If == "always()" && s.Allow == "true":
			after = append(after, text)
		case s.If != "" || s.Allow != "":
			script = append(script, "if "+s.If+" may fail "+s.Allow+": "+text)
		default:
			script = append(script, text)
		}
	}
	say("variables", "%s", strings.Join(n.texts(vars), "\n"))
	say("sources", "%t", checkout)
	say("script", "%s", strings.Join(script, "\n"))
	say("after_script", "%s", strings.Join(after, "\n"))
}

func bringing(action string) bool {
	return slices.Contains([]string{
		"actions/checkout", "actions/upload-artifact", "actions/download-artifact", "actions/cache", "actions/cache/restore", "actions/cache/save",
	}, action)
}

func (n *normal) handsOn(j *plan.Job) bool {
	if j.Artifacts != nil && slices.ContainsFunc(j.Artifacts.Reports, func(r plan.Report) bool { return r.Kind == "dotenv" }) {
		return true
	}
	return len(j.Outputs) > 0
}

// takes are the jobs whose artifacts are brought in.
func (n *normal) takes(j *plan.Job) []string {
	seen := map[string]bool{}
	for _, b := range n.p.Jobs {
		if n.out[b.ID] || !n.before[j.ID][b.ID] || b.Artifacts == nil || len(b.Artifacts.Paths) == 0 {
			continue
		}
		if !n.github && (j.InputsAll || slices.Contains(j.Inputs, b.ID)) || n.github && downloads(j, b) {
			seen[keyOf(b)] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func input(s plan.Step, name string) string {
	for _, v := range s.With {
		if v.Name == name {
			return expression.ReplaceAllString(v.Value, "*")
		}
	}
	return ""
}

func downloads(j, b *plan.Job) bool {
	for _, s := range j.Steps {
		if !strings.HasPrefix(s.Uses, "actions/download-artifact@") {
			continue
		}
		want := input(s, "name") + input(s, "pattern")
		for _, up := range b.Steps {
			if !strings.HasPrefix(up.Uses, "actions/upload-artifact@") {
				continue
			}
			name := input(up, "name")
			if ok, _ := path.Match(want, name); ok || want == "" || want == name {
				return true
			}
			if ok, _ := path.Match(name, want); ok {
				return true
			}
		}
	}
	return false
}

var hashFiles = regexp.MustCompile(`\$\{\{ hashFiles\((.*)\) \}\}`)

// caches are the job's caches by key and paths; two halves are one.
func (n *normal) caches(j *plan.Job) []string {
	policy := map[string]string{}
	var order []string
	for _, c := range j.Caches {
		key := c.Key
		for _, suffix := range []string{"-non_protected", "-protected", "-${{ github.run_id }}"} {
			key = strings.TrimSuffix(key, suffix)
		}
		if len(c.Files) > 0 {
			key = key[:strings.LastIndex(key, "-")] + "-files(" + strings.Join(c.Files, ", ") + ")"
		}
		if m := hashFiles.FindStringSubmatch(key); m != nil {
			key = strings.Replace(key, m[0], "files("+strings.ReplaceAll(m[1], "'", "")+")", 1)
		}
		id := words(key) + " of " + strings.Join(c.Paths, " ")
		if _, ok := policy[id]; !ok {
			order = append(order, id)
		}
		if c.Policy != "pull" {
			policy[id] += fmt.Sprintf(", saved %s", c.When)
		}
		if c.Policy != "push" {
			policy[id] = ", restored" + policy[id]
		}
	}
	for i, id := range order {
		order[i] += policy[id]
	}
	return order
}
