package terminal

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// paper is what all views for people write with.
type paper struct {
	ink
	play func(run.Job) string
}

// told is a change of a job in words, with its sign; ok is false for changes that are no news to a person.
func (p paper) told(c run.Change, j run.Job) (m mark, text string, ok bool) {
	if c.Job == "" || c.Cancel || c.From == c.To && !c.Retry {
		return mark{}, "", false
	}
	if c.Retry {
		return again, fmt.Sprintf("%s%s, trying again (attempt %d)", why(c.Failure, c.Exit, c.Reason), in(c, j), c.Attempt), true
	}
	m = markOf(c.To, c.Allowed)
	switch c.To {
	case run.Running:
		return m, started(j), c.From != run.Success && c.From != run.Failed && c.From != run.Canceled && c.From != run.Skipped
	case run.Success:
		return m, "succeeded" + in(c, j), true
	case run.Failed:
		text = why(c.Failure, c.Exit, c.Reason) + in(c, j)
		if c.Allowed {
			text += " (allowed)"
		}
		return m, text, true
	case run.Canceled:
		return m, with("canceled"+in(c, j), c.Reason), true
	case run.Skipped:
		return m, with("skipped", c.Reason), !j.Unselected
	case run.Manual:
		return m, "waits for a person: " + clean(p.play(j)), true
	case run.Delayed:
		return m, later(c), true
	case run.Waiting:
		return m, with("waits for its turn", c.Reason), true
	default:
		return mark{}, "", false
	}
}

func started(j run.Job) string {
	text := "started"
	if j.Late {
		text = "started its pipeline"
	}
	if j.Attempt > 1 {
		text += fmt.Sprintf(" (attempt %d)", j.Attempt)
	}
	return text
}

// in is how long an attempt took, where it ran.
func in(c run.Change, j run.Job) string {
	if j.Started.IsZero() || c.At.Before(j.Started) || c.From == run.Manual {
		return ""
	}
	return " in " + length(c.At.Sub(j.Started))
}

func with(text, reason string) string {
	if reason = clean(reason); reason != "" {
		return text + ": " + reason
	}
	return text
}

func later(c run.Change) string {
	if c.Until == nil {
		return "starts later"
	}
	return fmt.Sprintf("starts at %s (in %s)", c.Until.Local().Format("15:04:05"), length(c.Until.Sub(c.At).Round(time.Second)))
}

// reasons are GitLab's names of failures in words (CI/CD YAML syntax reference, retry:when).
var reasons = map[string]string{
	string(program.ScriptFailure):            "its script failed",
	string(program.ExecutionTimeout):         "timed out",
	string(program.SystemFailure):            "the machine failed it",
	string(program.MissingDependency):        "artifacts that it needs are missing",
	string(program.ImagePull):                "its image could not be pulled",
	string(program.UnmetPrerequisites):       "its prerequisites are not met",
	string(program.DataIntegrity):            "its data is not intact",
	string(program.UnknownFailure):           "unknown failure",
	string(program.ConfigurationFailed):      "not possible here",
	"downstream_pipeline_creation_failed":    "its child pipeline could not be made",
	"stale_schedule":                         "its schedule is out of date",
	"scheduler_failure":                      "it could not be given to an agent",
	"stuck_or_timeout_failure":               "it hung",
	"archived_failure":                       "it is archived",
	"api_failure":                            "the server did not answer",
	"bridge_pipeline_is_child_pipeline":      "child pipelines are nested too deep",
	"insufficient_bridge_permissions":        "it may not start that pipeline",
	"invalid_bridge_trigger":                 "its trigger is not valid",
	"upstream_bridge_project_not_found":      "the upstream project is not known",
	"downstream_bridge_project_not_found":    "the downstream project is not known",
	"reached_max_descendant_pipelines_depth": "child pipelines are nested too deep",
}

// why is how an attempt failed: with an exit code where its script ended by itself, else with the reason.
func why(failure string, exit *int, reason string) string {
	reason = clean(reason)
	if end, ok := strings.CutPrefix(reason, "the child pipeline: "); ok {
		reason = "its child pipeline " + end
	}
	if exit != nil && *exit != 0 && (failure == "" || failure == string(program.ScriptFailure)) {
		code := fmt.Sprintf("exit code %d", *exit)
		if step, ok := strings.CutSuffix(reason, ": "+code); ok {
			return "failed at \"" + step + "\" with " + code
		}
		if reason == "" || strings.Contains(reason, code) {
			return "failed with " + code
		}
		return "failed with " + code + ": " + reason
	}
	said := reasons[failure]
	if said == "" {
		said = strings.ReplaceAll(clean(failure), "_", " ")
	}
	switch {
	case reason == "" && said == "":
		return "failed"
	case reason == "":
		return "failed: " + said
	case said == "" || strings.Contains(reason, said) || failure == string(program.ScriptFailure) || failure == string(program.SystemFailure) || failure == string(program.UnmetPrerequisites):
		return "failed: " + reason
	default:
		return "failed: " + said + ": " + reason
	}
}

// opening is the line before the first job: what runs, on what, and why.
func (p paper) opening(h Head) string {
	var parts []string
	at := clean(h.Ref)
	if h.SHA != "" {
		at = strings.TrimSpace(p.on(bold, at) + " " + clean(h.SHA[:min(len(h.SHA), 8)]))
	} else {
		at = p.on(bold, at)
	}
	if at != "" {
		parts = append(parts, at)
	}
	if h.Plan != nil && h.Plan.Name != "" {
		parts = append(parts, clean(h.Plan.Name))
	}
	if h.Event != "" {
		parts = append(parts, clean(h.Event))
	}
	if h.Dirty {
		parts = append(parts, "uncommitted work included")
	}
	if h.Plan != nil {
		jobs := count(len(h.Plan.Jobs), "job", "jobs")
		if h.Selected > 0 && h.Selected < len(h.Plan.Jobs) {
			jobs = fmt.Sprintf("%d of %s", h.Selected, jobs)
		}
		parts = append(parts, jobs)
	}
	if h.RunID != "" {
		parts = append(parts, "run "+clean(h.RunID))
	}
	return strings.Join(parts, " · ")
}

// notes are the remarks of ours.
func (p paper) notes(h Head) []string {
	var out []string
	for _, n := range h.Notes {
		out = append(out, p.on(dim, clean(n)))
	}
	return out
}
