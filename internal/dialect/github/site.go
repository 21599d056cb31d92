package github

import (
	"path"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// site is where a job runs.
type site struct {
	labels []string
	image  *plan.Container // nil: on this machine
	out    string          // why this machine is not made for the job
	label  string          // that says so
}

// systems are the labels of GitHub's runners and of self-hosted ones, by the machine that has them (page "Choosing the
// runner for a job").
var systems = map[string]string{"linux": "Linux", "macos": "macOS", "windows": "Windows"}

var architectures = map[string]string{"x64": "X64", "x86": "X86", "arm": "ARM", "arm64": "ARM64"}

// site reads runs-on and decides what its labels mean here: what --platform says first, then this machine.
func (c *compiler) site(s *scene, env *expr.Env) (site, bool) {
	var at site
	for _, l := range s.job.RunsOn.Labels {
		v, err := valueOf(l, env)
		if err != nil {
			return at, c.fail(l.At(), err)
		}
		if v.Kind() == expr.KindObject { // {group: …, labels: …} from an expression
			v = v.Get("labels")
		}
		if v.Kind() == expr.KindArray {
			for _, item := range v.Items() {
				at.labels = append(at.labels, item.Text())
			}
			continue
		}
		at.labels = append(at.labels, v.Text())
	}
	place := s.job.RunsOn.Node.At()
	if s.job.RunsOn.Group.Set {
		group, ok := c.text(s.job.RunsOn.Group, env)
		if !ok {
			return at, false
		}
		c.once(fault.At(CodeGroup, place, "the runner group %s is GitHub's; this machine takes the job", group).WithSeverity(fault.Note))
	} else if strings.Join(at.labels, "") == "" {
		return at, c.mistake(CodeRunsOn, place, "runs-on of job %q is empty", s.job.ID)
	}
	for _, l := range at.labels {
		if means, ok := c.platform(l); ok {
			if means != "shell" {
				at.image = &plan.Container{Name: means, Place: place}
			}
			return at, true
		}
	}
	hosted := contains(lower(at.labels), "self-hosted")
	for _, l := range at.labels {
		c.fits(l, hosted, place, &at)
	}
	return at, at.out == ""
}

// fits decides whether this machine has a label.
func (c *compiler) fits(label string, hosted bool, place fault.Place, at *site) {
	l := strings.ToLower(label)
	family, _, versioned := strings.Cut(l, "-")
	switch {
	case l == "self-hosted" || family == "ubuntu":
	case systems[family] != "" && (versioned || l == family):
		if systems[family] != first(c.in.Machine.OS, "Linux") && at.out == "" {
			at.out, at.label = "it wants "+label+", and this machine runs "+first(c.in.Machine.OS, "Linux"), label
		}
	case architectures[l] != "":
		if architectures[l] != first(c.in.Machine.Arch, "X64") && at.out == "" {
			at.out, at.label = "it wants "+label+", and this machine is "+first(c.in.Machine.Arch, "X64"), label
		}
	case !hosted:
		c.once(fault.At(CodeLabel, place, "nothing says what the label %q means, so this machine takes the job", label).WithSeverity(fault.Note).
			WithHint("--platform %s=shell says that it is right, --platform %s=IMAGE runs it in a container", label, label))
	}
}

// platform is what --platform says of a label: its name, else the longest pattern with * that fits.
func (c *compiler) platform(label string) (string, bool) {
	l := strings.ToLower(label)
	if means, ok := c.in.Platforms[l]; ok {
		return means, true
	}
	best, found := "", false
	for pattern := range c.in.Platforms {
		if ok, err := path.Match(pattern, l); err == nil && ok && strings.Contains(pattern, "*") && (len(pattern) > len(best) || len(pattern) == len(best) && pattern < best) {
			best, found = pattern, true
		}
	}
	return c.in.Platforms[best], found
}

func lower(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = strings.ToLower(s)
	}
	return out
}

// once tells a remark, however many legs give it.
func (c *compiler) once(f *fault.Fault) {
	key := f.Place.String() + f.Message
	if !c.told[key] {
		c.told[key] = true
		c.faults.Add(f)
	}
}
