package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-delivery/sluice/internal/dialect/github"
	"github.com/sluice-delivery/sluice/internal/dialect/github/lint"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/edge/action"
	"github.com/sluice-delivery/sluice/internal/edge/tree"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// lint finds mistakes in every file that was named, or in all of the repository's workflows and actions, whatever the
// event. compiled is what compiling for the event found; what reading found again is told once.
func (d *githubDialect) lint(ctx context.Context, compiled fault.Faults, tools scriptTools) (fault.Faults, error) {
	own := tree.Open(d.repo.Root, d.repo.Dir != "")
	names := d.found.files
	if names == nil {
		names = append(workflowFiles(d.repo.Root), actionFiles(ctx, own)...)
	}
	l := linter{own: own, read: d.read(ctx, own), source: others{d.sources()}, tools: tools}
	found, err := l.files(ctx, names)
	if err != nil {
		return nil, err
	}
	for _, f := range compiled {
		// What is said of this run and this machine is no mistake of the files.
		if f.Severity == fault.Error && f.Code != github.CodeInput && f.Code != github.CodePayload {
			found = append(found, f)
		}
	}
	return once(found), nil
}

// linter checks workflows and metadata files of actions.
type linter struct {
	own    lint.Files // the repository
	read   map[string]github.Reading
	source lint.Source // other repositories, as far as they are here
	tools  scriptTools
}

// files reads and checks the files named, relative to the repository. Everything that the reader finds is told, too. The
// error says that a file or a tool cannot be had.
func (l linter) files(ctx context.Context, names []string) (fault.Faults, error) {
	var found fault.List
	config, err := l.config(ctx, &found)
	if err != nil {
		return nil, err
	}
	checked := make([]checkedFile, len(names))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, name := range names {
		group.Go(func() (err error) { checked[i], err = l.file(ctx, name, config); return err })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var scripts []lint.Script
	for _, c := range checked {
		found.Add(c.found...)
		scripts = append(scripts, c.scripts...)
	}
	said, err := l.tools.check(ctx, scripts)
	found.Add(said...)
	return found.Sorted(), err
}

// checkedFile is what was found in a file, and its scripts.
type checkedFile struct {
	found   fault.Faults
	scripts []lint.Script
}

func (l linter) file(ctx context.Context, name string, config *lint.Config) (checkedFile, error) {
	in := lint.Input{Files: l.own, Source: l.source, Config: config}
	r, ok := l.read[name]
	if in.Text = r.Text; !ok {
		var err error
		if in.Text, err = l.own.Read(ctx, name); err != nil {
			return checkedFile{}, fault.New(codeNoFile, "read %s: %v", name, err)
		}
	}
	var c checkedFile
	switch {
	case isActionFile(name):
		in.Action, c.found = workflow.ReadAction(name, in.Text)
		c.scripts = lint.ActionScripts(in.Action, in.Text)
	case ok:
		in.File, c.found = r.File, r.Faults
	default:
		in.File, c.found = workflow.Read(name, in.Text)
	}
	if in.File != nil {
		c.scripts = lint.Scripts(in.File, in.Text)
	}
	c.found = append(c.found[:len(c.found):len(c.found)], lint.Check(ctx, in)...)
	return c, nil
}

// config is the repository's configuration of actionlint; nil where there is none.
func (l linter) config(ctx context.Context, found *fault.List) (*lint.Config, error) {
	for _, name := range lint.ConfigPaths {
		text, err := l.own.Read(ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fault.New(codeNoFile, "read %s: %v", name, err)
		}
		c, told := lint.ReadConfig(name, text)
		found.Add(told...)
		return c, nil
	}
	return nil, nil
}

// actionFiles are the metadata files of the repository's own actions: at its top and below .github.
func actionFiles(ctx context.Context, own *tree.Tree) []string {
	paths, err := own.Paths(ctx)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool {
		return !isActionFile(p) || path.Dir(p) != "." && !strings.HasPrefix(p, ".github/")
	})
}

// isActionFile reports whether a file is the metadata of an action, by its name.
func isActionFile(name string) bool {
	base := path.Base(name)
	return base == "action.yml" || base == "action.yaml"
}

// others reads files of other repositories that are at hand (lint.Source).
type others struct{ sources *action.Sources }

// Read is a file's text.
func (o others) Read(ctx context.Context, repository, ref, name string) ([]byte, error) {
	files, err := o.sources.Tree(ctx, repository, ref)
	if err != nil {
		return nil, errors.Join(fs.ErrNotExist, fmt.Errorf("find %s@%s: %w", repository, ref, err))
	}
	return files.Read(ctx, name)
}

// once leaves each finding in once, and sorts them by file and place.
func once(found fault.Faults) fault.Faults {
	type key struct {
		code, message string
		at            fault.Place
	}
	seen := map[key]bool{}
	var list fault.List
	for _, f := range found {
		k := key{f.Code, f.Message, f.Place}
		if !seen[k] {
			seen[k] = true
			list.Add(f)
		}
	}
	return list.Sorted()
}
