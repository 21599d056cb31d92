package main

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-delivery/sluice/internal/dialect/github"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
)

// read reads the workflow files that were named, or all of the repository's, several at once and each once. One that
// cannot be had is left out: who asks for it will be told why.
func (d *githubDialect) read(ctx context.Context, own github.Files) map[string]github.Reading {
	d.once.Do(func() {
		names := d.found.files
		if names == nil {
			names = workflowFiles(d.repo.Root)
		}
		all := make([]github.Reading, len(names))
		var group errgroup.Group
		group.SetLimit(runtime.GOMAXPROCS(0))
		for i, name := range names {
			if isActionFile(name) {
				continue
			}
			group.Go(func() error {
				if text, err := own.Read(ctx, name); err == nil {
					f, faults := workflow.Read(name, text)
					all[i] = github.Reading{Text: text, File: f, Faults: faults}
				}
				return nil
			})
		}
		_ = group.Wait()
		d.files = map[string]github.Reading{}
		for i, r := range all {
			if r.File != nil {
				d.files[names[i]] = r
			}
		}
	})
	return d.files
}
