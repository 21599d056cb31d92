package gitlab

import (
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Attempt is what is known when a job's attempt starts. Order needs all but Paths, NewProgram all.
type Attempt struct {
	Plan     *plan.Plan
	Job      *plan.Job
	Occasion event.Occasion // of the event, also in a child pipeline
	Run      string         // id of the run
	ID       string         // of the job in the run
	Key      string         // of the job's folder
	Number   int            // the job's number in the run, from 1: CI_JOB_ID
	Attempt  int            // from 1
	At       time.Time
	Timeout  time.Duration // that holds for the job
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

// checkoutOf is what GIT_STRATEGY and the GIT_SUBMODULE variables ask of the workspace. Clone and fetch give the same
// here: the snapshot of the repository. Where there is no checkout there are no submodules either (GitLab documentation,
// Configure runners, Git strategy and Git submodule strategy).
func checkoutOf(vars values) program.Checkout {
	c := program.Checkout{Strategy: "clone", Submodules: "none"}
	switch s := vars.get("GIT_STRATEGY"); s {
	case "none", "empty":
		c.Strategy = s
		return c
	}
	switch s := vars.get("GIT_SUBMODULE_STRATEGY"); s {
	case "normal", "recursive":
		c.Submodules = s
		c.Paths = vars.get("GIT_SUBMODULE_PATHS")
	}
	return c
}

// parent is the folder that a folder is in.
func parent(dir string) string {
	if i := strings.LastIndexByte(dir, '/'); i > 0 {
		return dir[:i]
	}
	return "/"
}
