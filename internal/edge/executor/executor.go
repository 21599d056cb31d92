// Package executor is what the executors have in common: the port through which they fill workspaces, and the codes of
// their faults. The contract itself is flow/program's Executor and Host; executortest holds every executor to it. The
// package starts nothing and knows no dialect.
package executor

import (
	"context"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Source fills workspaces; edge/workspace's Snapshot is one.
type Source interface {
	// Fill makes dest a job's workspace. It may be called by several goroutines at once.
	Fill(ctx context.Context, dest string, c program.Checkout) error
	// Refill says whether a workspace that Fill made for the same checkout and a job has used is still as Fill made it.
	Refill(ctx context.Context, dest string, c program.Checkout) bool
	// Remarks are sentences for the job's log: what the checkout asks for and Fill cannot give.
	Remarks(c program.Checkout) []string
	// Objects are folders outside of the workspaces that git reads from there; containers get them read-only.
	Objects() []string
}
