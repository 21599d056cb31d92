package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/blob"
	"github.com/sluice-delivery/sluice/internal/edge/store"
)

// clean removes old runs. Runs that are still on are left alone.
func (s *streams) clean(ctx context.Context, state string, keep int, caches, all bool) error {
	if err := sound(state); err != nil {
		return err
	}
	records, err := store.List(state)
	if err != nil {
		return err
	}
	gone := dead(records, keep)
	if err := sweep(ctx, state); err != nil {
		fmt.Fprintf(s.err, "sluice: what earlier runs left: %v\n", err)
	}
	for _, r := range gone {
		if err := remove(filepath.Join(state, "runs", r.ID), filepath.Join(state, "work", r.ID)); err != nil {
			return err
		}
	}
	expired, err := (&blob.Store{Dir: state}).Expire(ctx, time.Now())
	if err != nil {
		return err
	}
	if caches {
		if err := remove(filepath.Join(state, "cache")); err != nil {
			return err
		}
	}
	if all && len(gone) == len(records) {
		if err := remove(state); err != nil {
			return err
		}
	}
	left := len(records) - len(gone)
	fmt.Fprintf(s.out, "removed %d runs, kept %d\n", len(gone), left)
	if expired.Sets > 0 {
		fmt.Fprintf(s.out, "removed %d expired artifacts of the runs kept\n", expired.Sets)
	}
	return nil
}

// remove removes folders whole, also those whose own modes forbid it (a module cache's).
func remove(paths ...string) error {
	for _, p := range paths {
		err := os.RemoveAll(p)
		if errors.Is(err, fs.ErrPermission) {
			_ = filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					return os.Chmod(path, 0o700)
				}
				return nil
			})
			err = os.RemoveAll(p)
		}
		if err != nil {
			return fmt.Errorf("remove %s: %w", p, err)
		}
	}
	return nil
}
