package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func newAppResources(s *streams, w *target) *cobra.Command {
	var f format
	cmd := &cobra.Command{
		Use: "resources NAME", Short: "Show the resources of an application as a tree", Args: args(1, 1), ValidArgsFunction: w.completeApps,
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := f.check(); err != nil {
				return err
			}
			home, o, err := w.app(cmd.Context(), given[0])
			if err != nil {
				return err
			}
			defer home.close()
			nodes, err := home.tree(cmd.Context(), o)
			if err != nil {
				return err
			}
			return f.write(s.out, nodes, func() []string {
				var out []string
				for _, n := range nodes {
					out = append(out, n.Key.String())
				}
				return out
			}, func(out io.Writer) error {
				var rows [][]string
				for _, n := range nodes {
					rows = append(rows, []string{strings.Repeat("  ", n.Depth) + n.Key.Kind + " " + n.Key.Name, n.Key.Namespace, n.Status, n.Health, n.Message})
				}
				return columns(out, "RESOURCE NAMESPACE STATUS HEALTH MESSAGE", rows)
			})
		},
	}
	f.flag(cmd)
	return cmd
}

// node is a resource in the tree of owners.
type node struct {
	Key     manifest.Key `json:"object"`
	Depth   int          `json:"depth"`
	Status  string       `json:"status,omitempty"`
	Health  string       `json:"health,omitempty"`
	Message string       `json:"message,omitempty"`
}

// tree is an application's resources, each before what it owns.
func (h *house) tree(ctx context.Context, o manifest.Object) ([]node, error) {
	c, err := h.inspector(ctx, o)
	if err != nil {
		return nil, err
	}
	in, err := c.Inspect(ctx, o, deliver.Look{})
	if in.Cluster == nil {
		return nil, err
	}
	out := []node{}
	var visit func(x manifest.Object, depth int)
	visit = func(x manifest.Object, depth int) {
		for _, child := range sortedObjects(in.Children[x.UID()]) {
			n := node{Key: child.Key(), Depth: depth}
			if a := in.Assess(child); a.Status != "" {
				n.Health, n.Message = a.Status, a.Message
			}
			out = append(out, n)
			if depth < 10 {
				visit(child, depth+1)
			}
		}
	}
	for _, p := range in.Comparison.Pairs {
		n := node{Key: p.Key, Status: string(p.Status)}
		if p.Hook {
			if p.Live == nil {
				continue
			}
			n.Status = "hook"
		}
		if p.Health != nil {
			n.Health, n.Message = p.Health.Status, p.Health.Message
		}
		out = append(out, n)
		if p.Live != nil {
			visit(p.Live, 1)
		}
	}
	for _, k := range in.Comparison.Orphans {
		out = append(out, node{Key: k, Status: "orphaned"})
	}
	return out, nil
}
