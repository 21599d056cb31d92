package gitlab

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/variable"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Attempt is what is known when a job's attempt starts. Order needs all but Paths, NewProgram all.
type Attempt struct {
	Plan    *plan.Plan
	Job     *plan.Job
	Run     string // id of the run
	ID      string // of the job in the run
	Key     string // of the job's folder
	Number  int    // the job's number in the run, from 1: CI_JOB_ID
	Attempt int    // from 1
	At      time.Time
	Timeout time.Duration // that holds for the job
	// From are the jobs whose artifacts are restored, by their ids in the run, in the order of the plan.
	From []string
	// Outputs are the dotenv variables of those jobs, in the same order.
	Outputs []plan.Variable
	// Extra are given for this job alone, when a person starts it by hand.
	Extra []plan.Variable
	// Base is the environment of the user, which the job's commands see below its own variables: NAME=value. It is
	// empty for a job in a container.
	Base      []string
	Container bool // the job runs in a container, not on this machine
	Paths     program.Paths
	Version   string // of this program
}

// Order is the host that the attempt wants: its image and services with variables filled in.
func (in Attempt) Order() program.Order {
	vars := in.variables()
	o := program.Order{
		Run: in.Run, Job: in.Job, ID: in.ID, Attempt: in.Attempt, Key: in.Key,
		Env: vars.environ(in.Base), Checkout: checkoutOf(vars), Outlive: in.outlives(),
	}
	if c := in.Job.Image; c != nil {
		image := expandContainer(*c, vars)
		o.Image = &image
	}
	for _, s := range in.Job.Services {
		own := vars.with(s.Variables)
		service := plan.Service{Container: expandContainer(s.Container, own), Command: s.Command}
		for _, a := range s.Aliases {
			service.Aliases = append(service.Aliases, own.expand(a))
		}
		for _, v := range s.Variables {
			service.Variables = append(service.Variables, plan.Variable{Name: v.Name, Value: own.get(v.Name), Level: v.Level, Raw: true})
		}
		o.Services = append(o.Services, service)
	}
	return o
}

// outlives reports whether processes may live on after the job: those of a deployment that starts something.
func (in Attempt) outlives() bool {
	e := in.Job.Environment
	return e != nil && (e.Action == "start" || e.Action == "")
}

func expandContainer(c plan.Container, vars values) plan.Container {
	c.Name = vars.expand(c.Name)
	c.User = vars.expand(c.User)
	c.Platform = vars.expand(c.Platform)
	return c
}

// checkoutOf is what GIT_STRATEGY and GIT_CHECKOUT ask of the workspace. Clone and fetch give the same here: the
// snapshot of the repository (GitLab Runner documentation, Git strategy).
func checkoutOf(vars values) string {
	switch vars.get("GIT_STRATEGY") {
	case "none", "empty":
		return vars.get("GIT_STRATEGY")
	default:
		return "clone"
	}
}

// predefinedOf are the predefined variables that a job's place in the pipeline gives it.
func predefinedOf(j *plan.Job) []plan.Variable {
	out := []plan.Variable{
		{Name: "CI_JOB_NAME", Value: j.Name, Raw: true},
		{Name: "CI_JOB_NAME_SLUG", Value: variable.Slug(j.Name)},
		{Name: "CI_JOB_GROUP_NAME", Value: variable.GroupName(j.Name), Raw: true},
		{Name: "CI_JOB_STAGE", Value: j.Stage, Raw: true},
		{Name: "CI_NODE_TOTAL", Value: strconv.Itoa(max(j.Total, 1))},
	}
	add := func(name, value string) { out = append(out, plan.Variable{Name: name, Value: value, Raw: true}) }
	if j.Index > 0 {
		add("CI_NODE_INDEX", strconv.Itoa(j.Index))
	}
	if j.When == plan.Manual || j.When == plan.Delayed {
		add("CI_JOB_MANUAL", "true")
	}
	if j.Image != nil {
		out = append(out, plan.Variable{Name: "CI_JOB_IMAGE", Value: j.Image.Name})
	}
	if e := j.Environment; e != nil {
		add("CI_ENVIRONMENT_NAME", e.Name)
		add("CI_ENVIRONMENT_SLUG", variable.EnvironmentSlug(e.Name))
		add("CI_ENVIRONMENT_ACTION", e.Action)
		add("CI_ENVIRONMENT_TIER", e.Tier)
		if e.URL != "" {
			out = append(out, plan.Variable{Name: "CI_ENVIRONMENT_URL", Value: e.URL})
		}
	}
	return out
}

// persisted are the variables that the server knows once the job has started.
func (in Attempt) persisted() []plan.Variable {
	literal := func(name, value string) plan.Variable { return plan.Variable{Name: name, Value: value, Raw: true} }
	number := strconv.Itoa(max(in.Number, 1))
	return []plan.Variable{
		literal("CI_JOB_ID", number),
		{Name: "CI_JOB_URL", Value: "$CI_PROJECT_URL/-/jobs/" + number},
		literal("CI_JOB_STARTED_AT", in.At.UTC().Format(time.RFC3339)),
	}
}

// runnerVariables are those that only the runner knows.
func (in Attempt) runnerVariables() []plan.Variable {
	var out []plan.Variable
	add := func(name, value string) { out = append(out, plan.Variable{Name: name, Value: value, Raw: true}) }
	add("CI_JOB_STATUS", "running")
	add("CI_JOB_TIMEOUT", strconv.Itoa(int(in.Timeout.Seconds())))
	add("CI_CONCURRENT_ID", "0")
	add("CI_CONCURRENT_PROJECT_ID", "0")
	add("CI_SERVER", "yes")
	add("CI_RUNNER_ID", "1")
	add("CI_RUNNER_DESCRIPTION", "sluice")
	add("CI_RUNNER_VERSION", in.Version)
	if tags, err := json.Marshal(append([]string{}, in.Job.Tags...)); err == nil {
		add("CI_RUNNER_TAGS", string(tags))
	}
	if in.Container {
		add("CI_DISPOSABLE_ENVIRONMENT", "true")
	} else {
		add("CI_SHARED_ENVIRONMENT", "true")
	}
	if dir := in.Paths.JobWorkspace; dir != "" {
		add("CI_PROJECT_DIR", dir)
		add("CI_BUILDS_DIR", parent(dir))
	}
	return out
}

func parent(dir string) string {
	if i := strings.LastIndexByte(dir, '/'); i > 0 {
		return dir[:i]
	}
	return "/"
}
