package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/sluice-delivery/sluice/internal/edge/executor/docker"
	"github.com/sluice-delivery/sluice/internal/edge/executor/shell"
	"github.com/sluice-delivery/sluice/internal/edge/store"
)

// engineAnswers reports whether a container engine answers that jobs can run on.
func engineAnswers(ctx context.Context) error {
	x := docker.New(docker.Config{})
	return errors.Join(x.Available(ctx), x.Close(ctx))
}

// sweep removes what runs that crashed have left: processes, containers and workspaces. Without an engine there are no
// containers to look for.
func sweep(ctx context.Context, state string) error {
	dirs, err := filepath.Glob(filepath.Join(state, "work", "*", "*"))
	if err != nil {
		return err
	}
	err = shell.Sweep(ctx, dirs...)
	x := docker.New(docker.Config{})
	if x.Available(ctx) == nil {
		err = errors.Join(err, x.Sweep(ctx))
	}
	return errors.Join(err, x.Close(ctx))
}

// recoverCrashed removes what runs have left whose process is gone before they ended: killed, or the machine went down.
func recoverCrashed(ctx context.Context, state string) error {
	entries, err := os.ReadDir(filepath.Join(state, "work"))
	if err != nil {
		return nil //nolint:nilerr // nothing has run here yet
	}
	var crashed []string
	for _, e := range entries {
		r, err := store.Get(state, e.Name())
		if err == nil && r.Finished == nil && !alive(r) {
			crashed = append(crashed, filepath.Join(state, "work", e.Name()))
		}
	}
	if len(crashed) == 0 {
		return nil
	}
	return errors.Join(sweep(ctx, state), remove(crashed...))
}
