package main

import (
	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/edge/render"
	"github.com/sluice-delivery/sluice/internal/edge/sandbox"
)

// evaluations are what a child process of ours evaluates for us, by kind.
var evaluations = sandbox.Kinds{
	"lua":       serveLua,
	render.Kind: render.Serve,
}

// newSandbox is the child's side of edge/sandbox. No person calls it.
func newSandbox(s *streams) *cobra.Command {
	return &cobra.Command{
		Use:    "sandbox KIND",
		Short:  "Evaluate templates and scripts for a parent process",
		Hidden: true,
		Args:   args(1, 1),
		RunE: func(_ *cobra.Command, given []string) error {
			return sandbox.Main(evaluations, given[0], s.in, s.out)
		},
	}
}
