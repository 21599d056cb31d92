package convert

import (
	"path"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// An artifact of GitHub keeps no permissions, and GitLab's do. So a job whose files others take leaves a list of those
// that are programs with them, and who takes them makes them programs again.

// data are the endings of files that no job runs.
var data = []string{".xml", ".json", ".html", ".txt", ".env", ".log", ".plan", ".out", ".md", ".csv", ".yml", ".yaml", ".gz", ".zip", ".pdf", ".png", ".svg"}

// hasPrograms reports whether there may be programs among the files of a job's artifact, and jobs that take them.
func (w *githubWriter) hasPrograms(b *job) bool {
	if b.Artifacts == nil || !slices.ContainsFunc(b.Artifacts.Paths, func(p string) bool { return !slices.Contains(data, path.Ext(p)) }) {
		return false
	}
	if w.taken == nil {
		w.taken = &set{}
		for _, j := range w.jobs {
			for _, from := range j.sources(w.jobs) {
				w.taken.add(from)
			}
		}
	}
	return w.taken.has(b)
}

// modesFile is the list of a job's programs, in the folder of its artifact.
func (w *githubWriter) modesFile(b *job) string {
	return path.Join(w.root(b), "."+modesID+"-"+b.artifact())
}

// keepModes writes the list.
func (w *githubWriter) keepModes(j *job, when plan.When) list {
	if !w.hasPrograms(j) {
		return nil
	}
	step := of("id", modesID)
	switch when {
	case plan.Always:
		step.set("if", "always()")
	case plan.OnFailure:
		step.set("if", "failure()")
	}
	root := shellWord(w.root(j))
	where := w.searched(j)
	find := "find " + where + " -type f -perm -u+x"
	if where == "." {
		find += " -not -path './.git/*'"
	}
	run := find + " > " + shellName(w.modesFile(j)) + " 2> /dev/null || true"
	if root != "." {
		run = "if [ -d " + root + " ]; then " + run + "; fi"
	}
	return list{step.set("run", run)}
}

// searched are the places where there may be programs: the paths of the artifact, or their folder where they are patterns.
func (w *githubWriter) searched(j *job) string {
	v := w.view(j)
	var out []string
	for _, p := range j.Artifacts.Paths {
		p = v.inside(p, j.Artifacts)
		if strings.ContainsAny(p, "*?[$") {
			return shellWord(w.root(j))
		}
		out = append(out, shellWord(p))
	}
	return strings.Join(out, " ")
}

// shellName is a word of a shell that may hold an expression.
func shellName(s string) string {
	if dynamic(s) {
		return "'" + s + "'"
	}
	return shellWord(s)
}

// restoreModes makes the files that were programs programs again.
func (w *githubWriter) restoreModes(j *job) list {
	var lists []string
	for _, b := range j.sources(w.jobs) {
		if !w.hasPrograms(b) {
			continue
		}
		file := path.Join(w.root(b), "."+modesID+"-"+b.id)
		if b.Index > 0 {
			file = shellWord(file+".") + "*"
		} else {
			file = shellWord(file)
		}
		lists = append(lists, file)
	}
	if len(lists) == 0 {
		return nil
	}
	run := "cat " + strings.Join(lists, " ") + " 2> /dev/null | while IFS= read -r file; do if [ -f \"$file\" ]; then chmod +x \"$file\"; fi; done || true"
	return list{of("id", modesID+"-again").set("run", run)}
}
