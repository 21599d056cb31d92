package convert

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// uses are what the actions of a job's steps do that GitLab has keys for.
type uses struct {
	checkout   bool
	depth      string
	submodules string
	uploads    []*plan.Step
	from       []*job // whose files or dotenv variables are taken
	caches     list
	dotenv     []string // files of a dotenv report that was one on GitLab before
}

// actionOf is the action of a step without its version, in lower case.
func actionOf(s *plan.Step) string {
	name, _, _ := strings.Cut(s.Uses, "@")
	return strings.ToLower(name)
}

// with is an input of a step's action.
func with(s *plan.Step, name string) string {
	for _, v := range s.With {
		if strings.EqualFold(v.Name, name) {
			return strings.TrimSpace(v.Value)
		}
	}
	return ""
}

func linesOf(text string) (out []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// native reports whether the step is one that GitLab does by its own keys.
func native(s *plan.Step) bool {
	switch actionOf(s) {
	case "actions/checkout", "actions/upload-artifact", "actions/download-artifact", "actions/cache", "actions/cache/restore", "actions/cache/save":
		return true
	}
	return strings.HasPrefix(s.ID, glue)
}

// actions reads the steps that become keys.
func (w *gitlabWriter) actions(j *job) *uses {
	u, s := &uses{}, &scope{w, j}
	for i := range j.Steps {
		step := &j.Steps[i]
		switch actionOf(step) {
		case "actions/checkout":
			w.checkout(u, step)
		case "actions/upload-artifact":
			u.uploads = append(u.uploads, step)
		case "actions/download-artifact":
			w.download(j, u, step)
		}
		switch step.ID {
		case dotenvID:
			u.dotenv = dotenvFiles(step)
		case earlierID:
			for _, v := range step.Env {
				if id, ok := strings.CutSuffix(strings.TrimPrefix(v.Value, "${{ needs."), ".outputs.dotenv }}"); ok {
					u.from = append(u.from, w.find(id)...)
				}
			}
		}
	}
	w.caches(s, u)
	return u
}

func (w *gitlabWriter) find(id string) []*job {
	for _, j := range w.jobs {
		if strings.EqualFold(j.Key, id) {
			return []*job{j}
		}
	}
	return nil
}

var catFiles = regexp.MustCompile(`(?m)^  cat (.+)$`)

// dotenvFiles are the files that the step of that name hands on.
func dotenvFiles(s *plan.Step) []string {
	m := catFiles.FindStringSubmatch(strings.Join(s.Lines, "\n"))
	if m == nil {
		return nil
	}
	var out []string
	for _, f := range strings.Fields(m[1]) {
		out = append(out, strings.Trim(f, "'"))
	}
	return out
}

func (w *gitlabWriter) checkout(u *uses, s *plan.Step) {
	u.checkout = true
	u.depth = with(s, "fetch-depth")
	switch with(s, "submodules") {
	case "true":
		u.submodules = "normal"
	case "recursive":
		u.submodules = "recursive"
	}
	for _, name := range []string{"repository", "ref", "path", "sparse-checkout"} {
		if value := with(s, name); value != "" && !(name == "path" && path.Clean(value) == ".") {
			w.bad(CodeAction, s.Place, "GitLab fetches the project itself: %s: %s of actions/checkout has no key", name, value)
		}
	}
	if s.If != "" {
		w.bad(CodeStep, s.Place, "GitLab fetches the sources before the script, whatever a condition says: %s", s.If)
	}
}

// mask is a name of an artifact with * for what is only known later.
func mask(name string) string {
	var b strings.Builder
	for _, p := range segments(name) {
		if p.expression {
			b.WriteByte('*')
		} else {
			b.WriteString(p.text)
		}
	}
	return b.String()
}

// download finds whose files a step takes. GitLab puts them where they were.
func (w *gitlabWriter) download(j *job, u *uses, s *plan.Step) {
	if s.If != "" {
		w.bad(CodeStep, s.Place, "GitLab brings artifacts in before the script, whatever a condition says: %s", s.If)
	}
	for _, name := range []string{"run-id", "repository", "artifact-ids"} {
		if with(s, name) != "" {
			w.bad(CodeArtifact, s.Place, "GitLab takes artifacts of jobs of the same pipeline only: %s of actions/download-artifact has no key", name)
			return
		}
	}
	name, pattern := with(s, "name"), with(s, "pattern")
	count := 0
	for _, b := range w.jobs {
		if !j.before.has(b) {
			continue
		}
		for i := range b.Steps {
			up := &b.Steps[i]
			if actionOf(up) != "actions/upload-artifact" || !taken(artifactName(up), name, pattern) {
				continue
			}
			count++
			if !slices.Contains(u.from, b) {
				u.from = append(u.from, b)
			}
			w.layout(j, b, s, up, name == "" && with(s, "merge-multiple") != "true")
		}
	}
	if count == 0 {
		w.bad(CodeArtifact, s.Place, "no job before %q uploads the artifact %s", j.Key, name+pattern)
	}
}

func artifactName(s *plan.Step) string {
	if name := with(s, "name"); name != "" {
		return name
	}
	return "artifact"
}

// taken reports whether a download takes an artifact of this name; what is computed counts as fitting.
func taken(artifact, name, pattern string) bool {
	if name == "" && pattern == "" {
		return true
	}
	artifact = mask(artifact)
	for _, want := range []string{mask(name), mask(pattern)} {
		if want == "" {
			continue
		}
		if want == artifact {
			return true
		}
		if ok, err := path.Match(want, artifact); err == nil && ok {
			return true
		}
		if ok, err := path.Match(artifact, want); err == nil && ok && strings.Contains(artifact, "*") {
			return true
		}
	}
	return false
}

// layout tells where files would not lie where the step puts them.
func (w *gitlabWriter) layout(j, b *job, down, up *plan.Step, apart bool) {
	var paths []string
	for _, p := range linesOf(with(up, "path")) {
		if !strings.HasPrefix(p, "!") {
			paths = append(paths, strings.TrimPrefix(p, "./"))
		}
	}
	root, to := commonRoot(paths), with(down, "path")
	if to == "" {
		to = "."
	}
	if to = path.Clean(strings.TrimPrefix(to, "${{ github.workspace }}/")); apart {
		to = path.Join(to, artifactName(up))
	}
	if mask(root) != mask(to) {
		w.bad(CodeArtifact, down.Place, "GitLab unpacks the files of %q to %s, where they were packed; job %q wants them in %s", b.Key, root, j.Key, to)
	}
}

// artifacts are the files that the job keeps, and the variables that it hands on.
func (w *gitlabWriter) artifacts(s *scope, u *uses) *mapping {
	m := &mapping{}
	j := s.job
	var paths, exclude list
	when, expire := "", ""
	for i, up := range u.uploads {
		for _, p := range linesOf(with(up, "path")) {
			rest, leaves := strings.CutPrefix(p, "!")
			if strings.Contains(p, "."+modesID) {
				continue
			}
			text, ok := s.text(strings.TrimPrefix(strings.TrimPrefix(rest, "./"), "${{ github.workspace }}/"), up.Place)
			switch {
			case !ok:
			case strings.HasPrefix(text, "/") || strings.HasPrefix(text, "~") || strings.HasPrefix(text, ".."):
				w.bad(CodeArtifact, up.Place, "GitLab keeps files of the project only: %s lies outside", rest)
			case leaves:
				exclude = append(exclude, text)
			default:
				paths = append(paths, text)
			}
		}
		is := uploadWhen(up.If)
		if is == "" {
			w.bad(CodeStep, up.Place, "GitLab keeps artifacts on success, on failure or always, not if %s", up.If)
		}
		if i > 0 && is != when {
			w.lose(CodeArtifact, up.Place, "a job of GitLab keeps all its artifacts at the same condition: those of %q are kept %s", j.Key, when)
			is = when
		}
		when = is
		if days := with(up, "retention-days"); days != "" && !dynamic(days) {
			expire = days + " days"
		}
		if with(up, "if-no-files-found") == "error" {
			w.lose(CodeArtifact, up.Place, "a job of GitLab does not fail where it has no artifacts (if-no-files-found of %q)", j.Key)
		}
	}
	if len(paths) > 0 {
		m.set("paths", paths)
	}
	if len(exclude) > 0 {
		m.set("exclude", exclude)
	}
	if when != "" && when != string(plan.OnSuccess) {
		m.set("when", when)
	}
	if expire != "" {
		m.set("expire_in", expire)
	}
	files := u.dotenv
	if files == nil && len(w.handsOn(j)) > 0 {
		files = []string{outputsEnv}
	}
	if len(files) == 1 {
		m.set("reports", of("dotenv", files[0]))
	} else if len(files) > 1 {
		m.set("reports", of("dotenv", stringsOf(files)))
	}
	return m
}

// uploadWhen is the condition of an upload as artifacts:when, "" where it has no such form.
func uploadWhen(cond string) string {
	cond = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(cond), "${{"), "}}"))
	switch strings.ReplaceAll(cond, " ", "") {
	case "", "success()":
		return string(plan.OnSuccess)
	case "failure()":
		return string(plan.OnFailure)
	case "always()", "!cancelled()", "success()||failure()":
		return string(plan.Always)
	}
	return ""
}

// address is the URL of an environment, which is filled in when the steps are done: it may read outputs of them.
func (s *scope) address(url string, at fault.Place) (string, bool) {
	var b strings.Builder
	for _, p := range segments(url) {
		if p.expression {
			if id, name, ok := stepOutput(p.text); ok {
				b.WriteString("$" + outputVariable(s.job.Key, s.keep(id, name)))
				continue
			}
			text, ok := s.text("${{ "+p.text+" }}", at)
			if !ok {
				return "", false
			}
			b.WriteString(text)
			continue
		}
		b.WriteString(strings.ReplaceAll(p.text, "$", "$$"))
	}
	return b.String(), true
}
