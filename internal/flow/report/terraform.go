package report

import (
	"strconv"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

// Terraform is how many resources a plan would create, update and delete. A resource that is replaced counts as one
// deleted and one created.
type Terraform struct {
	Create int `json:"create"`
	Update int `json:"update"`
	Delete int `json:"delete"`
}

// mostResources is where GitLab stops counting.
const mostResources = 999_999

var resourceCount = lazy.Pattern(`^[0-9]{1,6}$`)

// readTerraform reads the counts of a plan ("OpenTofu integration in merge requests"), or counts a whole plan as
// `terraform show -json` writes it.
func readTerraform(s *source) {
	t := newTree(s)
	counts := map[string]int{}
	var plan Terraform
	raw := false
	ok := t.object(func(key string) {
		switch key {
		case "create", "update", "delete":
			at, text := t.decoder.InputOffset(), t.text()
			n, ok := resources(text)
			if !ok && !t.failed {
				s.fault(CodeShape, at, "%s is no number of resources: %q", key, name(text))
			}
			counts[key] = n
		case "resource_changes":
			raw = t.array(func() { readChange(t, &plan) })
		default:
			t.skip()
		}
	})
	t.end()
	switch {
	case len(counts) == 3 && s.faults.HasErrors():
	case len(counts) == 3:
		s.report.Terraform = &Terraform{Create: counts["create"], Update: counts["update"], Delete: counts["delete"]}
	case raw:
		s.report.Terraform = &plan
		s.remark(fault.Warning, CodeRawPlan, -1, "the terraform report is a whole plan; GitLab wants the counts create, update and delete").
			WithHint("GitLab's documentation makes them with jq; a whole plan holds the values of secrets too")
	case !t.failed:
		f := s.fault(CodeShape, 0, "the terraform report lacks create, update or delete")
		if !ok {
			f.WithHint(`it is a JSON object: {"create": 1, "update": 0, "delete": 0}`)
		}
	}
}

// resources reads a count as GitLab does: a number, or up to six digits in a string.
func resources(text string) (int, bool) {
	if resourceCount.MatchString(text) {
		n, err := strconv.Atoi(text)
		return n, err == nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f >= 0) {
		return 0, false
	}
	return int(min(f, mostResources)), true
}

// readChange counts the actions of one resource. No-op and read change nothing.
func readChange(t *tree, plan *Terraform) {
	t.object(func(key string) {
		t.either(key == "change", func() {
			t.object(func(key string) {
				t.either(key == "actions", func() {
					t.array(func() {
						switch t.text() {
						case "create":
							plan.Create++
						case "update":
							plan.Update++
						case "delete":
							plan.Delete++
						}
					})
				})
			})
		})
	})
}
