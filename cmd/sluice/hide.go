package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"

	"github.com/sluice-delivery/sluice/internal/edge/blob"
	"github.com/sluice-delivery/sluice/internal/edge/store"
	"github.com/sluice-delivery/sluice/internal/engine/agent"
	"github.com/sluice-delivery/sluice/internal/engine/dispatch"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/program"
	"github.com/sluice-delivery/sluice/internal/web/terminal"
)

// What a job prints is masked on its way (edge/store). Here stands what hides secrets in all else: mistakes that quote a
// value, names of what is kept, the summary.

// hiding is a writer that shows no secret. Every text is written whole.
type hiding struct {
	to   io.Writer
	mask *logs.Mask
}

func (h hiding) Write(p []byte) (int, error) {
	if _, err := io.WriteString(h.to, h.mask.Text(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// bare is the writer behind a hiding one: for those that mask themselves, and to ask whether it is a terminal.
func bare(w io.Writer) io.Writer {
	if h, ok := w.(hiding); ok {
		return h.to
	}
	return w
}

// hide keeps the pipeline's secrets out of what is written from here on.
func (s *streams) hide(l *pipeline) {
	if l.mask.Longest() > 0 {
		s.out, s.err = hiding{bare(s.out), l.mask}, hiding{bare(s.err), l.mask}
	}
}

// unnamed is a name for something kept that shows no secret: one that would, is told apart by its hash.
func unnamed(mask *logs.Mask, name string) string {
	shown := mask.Text(name)
	if shown == name {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return shown + "-" + hex.EncodeToString(sum[:8])
}

// shelf is the store of a run's artifacts and caches, under names that show no secret (agent.Store).
type shelf struct {
	*blob.Store
	mask   *logs.Mask
	scopes []string // of caches with a version: the one that they are saved in, then those looked in besides
}

// SaveArtifacts keeps artifacts; see blob.Store.
func (s shelf) SaveArtifacts(ctx context.Context, run, job string, a program.SaveArtifacts, root string) (program.Saved, error) {
	a.Name = unnamed(s.mask, a.Name)
	return s.Store.SaveArtifacts(ctx, run, job, a, root)
}

// SaveCache keeps a cache; see blob.Store.
func (s shelf) SaveCache(ctx context.Context, a program.SaveCache, site agent.Site) (program.Saved, error) {
	a.Key = unnamed(s.mask, a.Key)
	return s.KeepCache(ctx, a, s.where(site))
}

// RestoreCache brings a cache back; see blob.Store. What is found is told by the name that was asked for.
func (s shelf) RestoreCache(ctx context.Context, a program.RestoreCache, site agent.Site) (string, int, error) {
	asked := map[string]string{}
	hidden := func(names []string) []string {
		out := make([]string, len(names))
		for i, name := range names {
			out[i] = unnamed(s.mask, name)
			asked[out[i]] = name
		}
		return out
	}
	a.Keys, a.Prefixes = hidden(a.Keys), hidden(a.Prefixes)
	found, files, err := s.BringCache(ctx, a, s.where(site))
	if name, ok := asked[found]; ok {
		found = name
	}
	return found, files, err
}

func (s shelf) where(site agent.Site) blob.Where {
	w := blob.Where{Paths: site.Paths, Home: homeOf(site.Paths)}
	if len(s.scopes) > 0 {
		w.Scope, w.Scopes = s.scopes[0], s.scopes[1:]
	}
	return w
}

// groups are the locks of resource groups, under names that show no secret (dispatch.Groups).
type groups struct {
	store.Groups
	mask *logs.Mask
}

// Lock waits for a group; see store.Groups.
func (g groups) Lock(ctx context.Context, c dispatch.Claim) (func(), error) {
	c.Group, c.Job = unnamed(g.mask, c.Group), g.mask.Text(c.Job)
	return g.Groups.Lock(ctx, store.Claim(c))
}

// unsaid are faults that show no secret.
func unsaid(mask *logs.Mask, fs fault.Faults) fault.Faults {
	out := make(fault.Faults, len(fs))
	for i, f := range fs {
		shown := *f
		shown.Message, shown.Hint = mask.Text(f.Message), mask.Text(f.Hint)
		out[i] = &shown
	}
	return out
}

// masked is a summary that shows no secret. Logs and reports have been masked where they were read.
func masked(mask *logs.Mask, s terminal.Summary) terminal.Summary {
	for i, j := range s.Jobs {
		j.Message, j.Rerun = mask.Text(j.Message), mask.Text(j.Rerun)
		s.Jobs[i] = j
	}
	for i, l := range s.Links {
		s.Links[i] = program.Link{Label: mask.Text(l.Label), URL: mask.Text(l.URL)}
	}
	return s
}
