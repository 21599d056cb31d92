package convert

import (
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// The steps that carry what GitLab does by itself have these IDs; by them the way back knows them.
const (
	glue        = "sluice-"
	dotenvID    = glue + "dotenv"    // hands on the dotenv report
	earlierID   = glue + "earlier"   // takes those of earlier jobs
	variablesID = glue + "variables" // sets predefined variables that only a shell can make
	modesID     = glue + "modes"     // notes which files are programs, and makes them so again
)

// steps are those of the job: sources, files of earlier jobs, caches, the scripts, and what is kept of it all.
func (w *githubWriter) steps(j *job, v *view) list {
	var out list
	if step := w.checkout(v); step != nil {
		out = append(out, step)
	}
	out = append(out, w.downloads(j)...)
	out = append(out, w.restoreModes(j)...)
	restore, save := w.caches(j, v)
	out = append(out, restore...)
	out = append(out, w.earlier(j)...)
	out = append(out, w.variables(j)...)
	for i := range j.Steps {
		out = append(out, w.script(&j.Steps[i], j))
	}
	if r := report(j, "dotenv"); r != nil {
		out = append(out, w.dotenv(j, v, r))
	}
	out = append(out, save...)
	return append(out, w.uploads(j, v)...)
}

// checkout fetches the sources, as GitLab does before every job that does not say otherwise.
func (w *githubWriter) checkout(v *view) *mapping {
	if s := v.own["GIT_STRATEGY"].Value; s == "none" || s == "empty" {
		return nil
	}
	step, with := of("uses", "actions/checkout@v4"), &mapping{}
	if depth, err := strconv.Atoi(v.own["GIT_DEPTH"].Value); err == nil {
		with.set("fetch-depth", depth)
	}
	switch v.own["GIT_SUBMODULE_STRATEGY"].Value {
	case "normal":
		with.set("submodules", true)
	case "recursive":
		with.set("submodules", "recursive")
	}
	if !with.empty() {
		step.set("with", with)
	}
	return step
}

// script is a step for one of the job's scripts. Its lines run in one shell, as GitLab's do.
func (w *githubWriter) script(s *plan.Step, j *job) *mapping {
	step := &mapping{}
	if s.After {
		step.set("name", s.Name).set("if", "always()").set("continue-on-error", true)
		if slices.Contains(readBy(s.Lines), "CI_JOB_STATUS") {
			step.set("env", of("CI_JOB_STATUS", "${{ job.status == 'failure' && 'failed' || job.status == 'cancelled' && 'canceled' || job.status }}"))
		}
	}
	text := strings.Join(s.Lines, "\n")
	if strings.Contains(text, "\n") {
		text = strings.TrimRight(text, "\n") + "\n"
	}
	return step.set("run", escapeGitHub(text))
}

var scriptVariable = regexp.MustCompile(`\$\{?#?!?([A-Za-z_][A-Za-z0-9_]*)`)

// readBy are the names of the variables that a script reads, each once.
func readBy(lines []string) []string {
	var out []string
	for _, l := range lines {
		for _, m := range scriptVariable.FindAllStringSubmatch(l, -1) {
			if !slices.Contains(out, m[1]) {
				out = append(out, m[1])
			}
		}
	}
	return out
}

// reads are the variables that the scripts of a job read.
func (j *job) reads() []string {
	var lines []string
	for _, s := range j.Steps {
		lines = append(lines, s.Lines...)
	}
	return readBy(lines)
}

// variables sets the predefined variables that GitHub's expressions cannot make, and notes those that they can.
func (w *githubWriter) variables(j *job) list {
	v := w.view(j)
	var lines []string
	for _, name := range j.reads() {
		p, known := ofGitLab(name)
		own, set := v.own[name]
		switch {
		case set && own.Level == plan.Project:
			w.words[name] = true
		case set || v.matrix[name] || alike[name] || jobWords[name]:
		case known && p.shell != "" && name != indexAxis:
			lines = append(lines, `echo "`+name+"="+p.shell+`"`)
		case known && p.shell == "":
			w.words[name] = true
		case isGitLabs(name) && !(name == indexAxis && j.Index > 0 && len(j.Matrix) == 0):
			w.lose(CodeText, j.Place, "the script of job %q reads $%s, which GitHub has nothing for", j.Name, name)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	run := lines[0] + ` >> "$GITHUB_ENV"`
	if len(lines) > 1 {
		run = "{\n  " + strings.Join(lines, "\n  ") + "\n} >> \"$GITHUB_ENV\"\n"
	}
	return list{of("id", variablesID).set("run", run)}
}

// jobWords are predefined variables that differ from job to job.
var jobWords = map[string]bool{
	"CI_JOB_NAME": true, "CI_JOB_STAGE": true, "CI_JOB_STATUS": true, "CI_JOB_TOKEN": true, "CI_NODE_TOTAL": true,
	"CI_ENVIRONMENT_NAME": true, "CI_ENVIRONMENT_URL": true,
}

// ofJob are the predefined variables that differ from job to job and that its scripts read.
func (w *githubWriter) ofJob(j *job, v *view) *mapping {
	m := &mapping{}
	for _, name := range j.reads() {
		if _, own := v.own[name]; own || !jobWords[name] {
			continue
		}
		switch e := j.Environment; {
		case name == "CI_JOB_NAME":
			m.set(name, w.legName(j))
		case name == "CI_JOB_STAGE":
			m.set(name, escapeGitHub(j.Stage))
		case name == "CI_JOB_TOKEN":
			w.lose(CodeSettings, j.Place, "job %q reads $CI_JOB_TOKEN: it gets GitHub's token, which other services take", j.Name)
			m.set(name, "${{ github.token }}")
		case name == "CI_NODE_TOTAL":
			m.set(name, "${{ strategy.job-total }}")
		case name == "CI_ENVIRONMENT_NAME" && e != nil:
			m.set(name, v.text(e.Name, e.Place))
		case name == "CI_ENVIRONMENT_URL" && e != nil && e.URL != "" && report(j, "dotenv") == nil:
			m.set(name, v.text(e.URL, e.Place))
		case name != "CI_JOB_STATUS":
			w.lose(CodeText, j.Place, "the script of job %q reads $%s, which GitHub has nothing for", j.Name, name)
		}
	}
	return m
}

// legName is the name that GitLab gives to a job.
func (w *githubWriter) legName(j *job) string {
	name := escapeGitHub(j.Key)
	switch axes := j.axes(); {
	case len(axes) > 0:
		parts := make([]string, len(axes))
		for i, a := range axes {
			parts[i] = "${{ matrix." + a + " }}"
		}
		return name + ": [" + strings.Join(parts, ", ") + "]"
	case j.Index > 0:
		return name + " ${{ matrix." + indexAxis + " }}/${{ strategy.job-total }}"
	}
	return name
}

// report is a job's report of a kind, or nil.
func report(j *job, kind string) *plan.Report {
	if j.Artifacts == nil {
		return nil
	}
	for i := range j.Artifacts.Reports {
		if j.Artifacts.Reports[i].Kind == kind {
			return &j.Artifacts.Reports[i]
		}
	}
	return nil
}

// dotenv hands the variables of the job's dotenv report on, as one output: their names need not be known.
func (w *githubWriter) dotenv(j *job, v *view, r *plan.Report) *mapping {
	files := make([]string, len(r.Paths))
	for i, p := range r.Paths {
		files[i] = shellWord(v.text(p, j.Place))
	}
	run := "{\n  echo 'dotenv<<SLUICE_END'\n  cat " + strings.Join(files, " ") + "\n  echo SLUICE_END\n} >> \"$GITHUB_OUTPUT\"\n"
	if e := j.Environment; e != nil && strings.Contains(w.url(j, v), "${{ env.") {
		run += "cat " + strings.Join(files, " ") + " >> \"$GITHUB_ENV\"\n"
	}
	return of("id", dotenvID).set("run", run)
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./@%+,=:-]+$`)

// shellWord is one word of a shell.
func shellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// earlier brings in the dotenv variables of the jobs before.
func (w *githubWriter) earlier(j *job) list {
	var names []string
	env := &mapping{}
	for _, b := range j.sources(w.jobs) {
		if report(b, "dotenv") != nil {
			name := "DOTENV_" + inputVariable(b.id)
			env.set(name, "${{ needs."+b.id+".outputs.dotenv }}")
			names = append(names, `"$`+name+`"`)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return list{of("id", earlierID).set("env", env).set("run", `printf '%s\n' `+strings.Join(names, " ")+` >> "$GITHUB_ENV"`)}
}

// artifact is the name under which a job's files are kept; legs of a matrix keep theirs apart.
func (j *job) artifact() string {
	if j.Index > 0 {
		return j.id + ".${{ strategy.job-index }}"
	}
	return j.id
}

// uploads keep the files that the job leaves behind.
func (w *githubWriter) uploads(j *job, v *view) list {
	a := j.Artifacts
	if a == nil {
		return nil
	}
	for _, r := range a.Reports {
		if r.Kind != "dotenv" {
			w.lose(CodeLost, a.Place, "GitHub shows no report of the kind %s: that of job %q is not kept", r.Kind, j.Name)
		}
	}
	w.lostArtifacts(j, a)
	if len(a.Paths) == 0 {
		return nil
	}
	step := of("uses", "actions/upload-artifact@v4")
	switch a.When {
	case plan.Always:
		step.set("if", "always()")
	case plan.OnFailure:
		step.set("if", "failure()")
	}
	var lines []string
	for _, p := range a.Paths {
		lines = append(lines, v.inside(p, a))
	}
	for _, p := range a.Exclude {
		lines = append(lines, "!"+v.inside(p, a))
	}
	modes := w.keepModes(j, a.When)
	if len(modes) > 0 && !slices.Contains(lines, w.root(j)) && !slices.Contains(lines, w.root(j)+"/") {
		lines = append(lines, w.modesFile(j))
	}
	with := of("name", j.artifact()).set("path", several(lines)).set("include-hidden-files", true)
	if a.ExpireIn > 0 {
		days := int(math.Ceil(float64(a.ExpireIn) / float64(24*time.Hour)))
		if days > 90 {
			days = 90
			w.note(CodeArtifact, a.Place, "GitHub keeps the artifacts of job %q for 90 days at most", j.Name)
		} else if a.ExpireIn%(24*time.Hour) != 0 {
			w.note(CodeArtifact, a.Place, "GitHub counts days: the artifacts of job %q are kept for %d", j.Name, days)
		}
		with.set("retention-days", days)
	}
	return append(modes, step.set("with", with))
}

// inside is a path of an artifact or cache.
func (v *view) inside(p string, a *plan.Artifacts) string {
	p = strings.TrimPrefix(strings.TrimPrefix(p, "$CI_PROJECT_DIR/"), "${CI_PROJECT_DIR}/")
	return v.text(p, a.Place)
}

// several is a list that an action takes as lines.
func several(lines []string) string {
	if len(lines) == 1 {
		return lines[0]
	}
	return strings.Join(lines, "\n") + "\n"
}

func (w *githubWriter) lostArtifacts(j *job, a *plan.Artifacts) {
	if a.Untracked {
		w.lose(CodeArtifact, a.Place, "GitHub has nothing for artifacts:untracked of job %q", j.Name)
	}
	if a.ExposeAs != "" || a.Access != "" && a.Access != "all" {
		w.lose(CodeLost, a.Place, "GitHub has nothing for artifacts:expose_as and artifacts:access of job %q", j.Name)
	}
	if a.Name != "" && a.Name != "artifacts" {
		w.note(CodeArtifact, a.Place, "the artifacts of job %q are called %s, not %s", j.Name, j.artifact(), a.Name)
	}
}

// downloads bring the files of earlier jobs to where they were.
func (w *githubWriter) downloads(j *job) list {
	var out list
	for _, b := range j.sources(w.jobs) {
		if b.Artifacts == nil || len(b.Artifacts.Paths) == 0 {
			continue
		}
		with := &mapping{}
		switch {
		case b.Index > 0:
			with.set("pattern", b.id+".*").set("merge-multiple", true)
		case b.in.op == isTrue && b.Artifacts.When == plan.OnSuccess && len(b.classes) == 1 && b.classes[0].when == plan.OnSuccess || implied(j.in, b.in):
			with.set("name", b.id)
		default: // a pattern that nothing matches is no failure
			with.set("pattern", b.id).set("merge-multiple", true)
		}
		if root := w.root(b); root != "." {
			with.set("path", root)
		}
		out = append(out, of("uses", "actions/download-artifact@v4").set("with", with))
	}
	return out
}

// root is the folder to which the paths of a job's artifact are relative in it.
func (w *githubWriter) root(b *job) string {
	v := w.view(b)
	var lines []string
	for _, p := range b.Artifacts.Paths {
		lines = append(lines, v.inside(p, b.Artifacts))
	}
	root := commonRoot(lines)
	if p := lines[0]; len(lines) == 1 && w.hasPrograms(b) && !strings.HasSuffix(p, "/") && !strings.ContainsAny(p, "*?[") {
		root = path.Dir(path.Clean(p)) // it may be a file or a folder; with the list of programs beside it that is the same
	}
	if dynamic(root) {
		w.bad(CodeArtifact, b.Artifacts.Place, "the artifacts of job %q lie in a folder of its matrix, and an artifact of GitHub does not keep the folder", b.Name)
	}
	return root
}

// commonRoot is the folder below which actions/upload-artifact keeps files: the deepest one that all paths have in
// common, up to the first pattern; of a single file its folder.
func commonRoot(paths []string) string {
	var common []string
	for i, p := range paths {
		search := []string{}
		folder := strings.HasSuffix(p, "/")
		for part := range strings.SplitSeq(path.Clean(p), "/") {
			if strings.ContainsAny(part, "*?[") {
				folder = true
				break
			}
			if part != "." && part != "" {
				search = append(search, part)
			}
		}
		if !folder && len(search) > 0 && strings.Contains(search[len(search)-1], ".") && len(paths) == 1 {
			search = search[:len(search)-1]
		}
		if i == 0 {
			common = search
			continue
		}
		n := 0
		for n < len(common) && n < len(search) && common[n] == search[n] {
			n++
		}
		common = common[:n]
	}
	if len(common) == 0 {
		return "."
	}
	return strings.Join(common, "/")
}

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
