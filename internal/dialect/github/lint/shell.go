package lint

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
)

// system is what a job's labels say about its machine: Linux, macOS, Windows, or "" where they do not say.
type system string

// systemOf reads the labels of a job.
func systemOf(j *workflow.Job) system {
	out := system("")
	for _, t := range j.RunsOn.Labels {
		s := systemNamed(t.Value)
		if s == "" {
			continue
		}
		if out != "" && out != s {
			return ""
		}
		out = s
	}
	return out
}

func systemNamed(label string) system {
	lower := strings.ToLower(label)
	switch {
	case lower == "windows" || strings.HasPrefix(lower, "windows-"):
		return "Windows"
	case lower == "macos" || strings.HasPrefix(lower, "macos-"):
		return "macOS"
	case lower == "linux" || strings.HasPrefix(lower, "ubuntu-"):
		return "Linux"
	}
	return ""
}

// shell tells a shell that the system does not have.
func (c *checker) shell(t workflow.Text, on system) {
	if !t.Set || on == "" || t.Dynamic() {
		return
	}
	for _, s := range workflow.Shells {
		if strings.EqualFold(s.Name, t.Value) && !slices.Contains(s.Systems, string(on)) {
			c.warn(CodeShell, t.At(), "the job runs on %s, which has no shell %s", on, s.Name).WithHint("write bash or pwsh")
		}
	}
}

// shellOf is the shell of a step's script as it was written: of the step, of the job, of the workflow, else that of the
// system. "" is a shell that an expression gives.
func shellOf(st *workflow.Step, defaults []workflow.Defaults, on system) string {
	if st.Shell.Set {
		return fixed(st.Shell)
	}
	for _, d := range defaults {
		switch {
		case d.Expr.Set:
			return ""
		case d.Shell.Set:
			return fixed(d.Shell)
		}
	}
	if on == "Windows" {
		return "pwsh"
	}
	return "bash"
}

func fixed(t workflow.Text) string {
	if t.Dynamic() {
		return ""
	}
	return t.Value
}
