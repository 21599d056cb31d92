package github

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Order is the host that the attempt wants. The workspace is that of the checkout where the job begins with a plain one,
// so that it is filled when the host is opened; else it is empty and the checkout fills it when its turn comes.
func (in Attempt) Order() (program.Order, error) {
	image, services, err := in.containers()
	if err != nil {
		return program.Order{}, err
	}
	o := program.Order{
		Run: in.Run, Job: in.Job, ID: in.ID, Attempt: in.Attempt, Key: in.Key, Lasting: true,
		Checkout: program.Checkout{Strategy: "empty"}, Image: image, Services: services,
		Project: in.Occasion.Repository.Path, Spare: spare(),
		// What a deployment starts stays, as in GitLab's (docs/decisions/0004). GitHub's machines go away with the job.
		Outlive: in.Job.Environment != nil,
	}
	own := OwnOf(in.Job)
	if own == nil {
		return o, nil
	}
	if !in.Real && own.Job != nil && plainCheckout(own.Job.Steps) {
		o.Checkout = program.Checkout{Strategy: "clone", Submodules: "none"}
	}
	return o, nil
}

// spare are the private files that every job writes before its first step: the payload and the first command files.
func spare() []string {
	out := []string{eventFile}
	for _, f := range commandFiles {
		out = append(out, f.name(0))
	}
	return out
}

// plainCheckout reports whether the first step that uses or runs anything is a checkout of the run's own repository into
// the workspace that takes no input which changes the files.
func plainCheckout(steps []*workflow.Step) bool {
	if len(steps) == 0 {
		return false
	}
	s := steps[0]
	if !s.Uses.Set || s.If != nil {
		return false
	}
	ref, err := readReference(strings.TrimSpace(s.Uses.Value))
	return err == nil && strings.EqualFold(ref.repository, "actions/checkout") && ref.path == "" && plainInputs(s.With)
}

// neutral are inputs of checkout that change nothing about the files of the run's own commit.
var neutral = map[string]bool{
	"fetch-depth": true, "fetch-tags": true, "token": true, "persist-credentials": true, "show-progress": true, "clean": true,
	"set-safe-directory": true, "ssh-key": true, "ssh-known-hosts": true, "ssh-strict": true, "ssh-user": true, "github-server-url": true,
	"reference": true,
}

func plainInputs(with []workflow.Named) bool {
	for i := range with {
		name, value := strings.ToLower(with[i].Name.Value), strings.TrimSpace(with[i].Value.Value)
		switch {
		case neutral[name], value == "":
		case (name == "submodules" || name == "lfs") && value == "false":
		case name == "path" && (value == "." || value == "./"):
		default:
			return false
		}
	}
	return true
}
