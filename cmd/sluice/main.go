// Command sluice takes a commit to production: it runs the pipelines that a repository already has.
// This package wires: flags and configuration, and which driver stands behind which port.
package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func main() { os.Exit(Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// The exit codes, one table for every command (run-interface).
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitTimeout     = 3
	exitForbidden   = 4
	exitUnreachable = 5
	exitCanceled    = 6
	exitApproval    = 7
	exitDifferent   = 8
	exitInterrupted = 130
)

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// exitError ends a command with a code; what is to be said has been said where err is nil.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// Main runs one command and returns its exit code. It is what the tests run.
func Main(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	s := &streams{in: in, out: out, err: errs}
	root := newRoot(s)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	return s.exit(root.ExecuteContext(ctx))
}

// exit shows an error, the only place that does, and says with which code to end.
func (s *streams) exit(err error) int {
	if err == nil {
		return exitOK
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		if e.err != nil {
			s.complain(e.err)
		}
		return e.code
	}
	err = cluster.Fault("", err)
	s.complain(err)
	if fs, ok := errors.AsType[fault.Faults](err); ok {
		for _, f := range fs {
			if f.Exit != 0 {
				return f.Exit
			}
		}
		return exitUsage
	}
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		if f.Exit != 0 {
			return f.Exit
		}
		return exitUsage
	}
	return exitFailed
}
