package main

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/edge/action"
	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/edge/tree"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// placed says where in the repository's workflows a missing action is used.
func placed(err error, at fault.Place) error {
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || at.IsZero() {
		return err
	}
	there := *f
	there.Place = at
	return &there
}

// usedHere lists what the workflows of the repository use, with the actions and workflows of the repository itself, and
// where they use it first.
func (f actionFlags) usedHere(ctx context.Context) ([]action.Name, map[action.Name]fault.Place, error) {
	repo, err := git.Open(ctx, f.dir)
	if err != nil {
		return nil, nil, err
	}
	files := tree.Open(repo.Root, repo.Dir != "")
	all, err := files.Paths(ctx)
	if err != nil {
		return nil, nil, err
	}
	var next []string
	for _, p := range all {
		if ok, _ := path.Match(".github/workflows/*.y*ml", p); ok {
			next = append(next, p)
		}
	}
	if len(next) == 0 {
		return nil, nil, fault.New(codeNoFile, "there is no workflow in %s", filepath.Join(repo.Root, ".github/workflows")).
			WithHint("name an action: sluice action add OWNER/REPO@REF")
	}
	var out []action.Name
	places, seen := map[action.Name]fault.Place{}, map[string]bool{}
	for ; len(next) > 0; next = next[1:] {
		text, err := files.Read(ctx, next[0])
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, err
		}
		for _, t := range usesOf(next[0], text) {
			uses := strings.TrimSpace(t.Value)
			if seen[uses] || strings.HasPrefix(uses, "docker://") || strings.Contains(uses, "${{") || !f.all && builtIn(uses) {
				continue
			}
			seen[uses] = true
			if local, ok := strings.CutPrefix(uses, "./"); ok {
				next = append(next, path.Join(local, "action.yml"), path.Join(local, "action.yaml"))
				continue
			}
			n, err := action.Parse(uses)
			if err != nil {
				return nil, nil, placed(err, t.At())
			}
			out, places[n] = append(out, n), t.At()
		}
	}
	return out, places, nil
}

// builtIn says whether an action is one of ours.
func builtIn(uses string) bool {
	name, _, _ := strings.Cut(uses, "@")
	return github.Native(name)
}

// usesOf lists what a workflow or an action's metadata uses, in order. What is wrong with the file is for others to say.
func usesOf(file string, text []byte) []workflow.Text {
	var out []workflow.Text
	add := func(t workflow.Text) {
		if strings.TrimSpace(t.Value) != "" {
			out = append(out, t)
		}
	}
	var steps func(list []*workflow.Step)
	steps = func(list []*workflow.Step) {
		for _, step := range list {
			add(step.Uses)
			steps(step.Parallel)
		}
	}
	switch base := path.Base(file); {
	case base == "Dockerfile":
	case base == "action.yml" || base == "action.yaml":
		if a, _ := workflow.ReadAction(file, text); a != nil {
			steps(a.Steps)
		}
	default:
		w, _ := workflow.Read(file, text)
		if w == nil {
			break
		}
		for _, j := range w.Jobs {
			add(j.Uses)
			steps(j.Steps)
		}
	}
	return out
}
