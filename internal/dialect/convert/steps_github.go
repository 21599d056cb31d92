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
