package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/dialect/argo/lua"
	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// pick is which resources of an application an action is about.
type pick struct {
	group, kind, namespace, name string
	scripts                      string
}

func (p *pick) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.group, "group", "", "only of this API group")
	cmd.Flags().StringVar(&p.kind, "kind", "", "only of this kind")
	cmd.Flags().StringVar(&p.namespace, "resource-namespace", "", "only of this namespace")
	cmd.Flags().StringVar(&p.name, "resource-name", "", "only of this name")
	cmd.Flags().StringVar(&p.scripts, "scripts", "", "a folder of scripts of your own, before those that come with Sluice")
	_ = cmd.MarkFlagDirname("scripts")
}

func (p *pick) is(o manifest.Object) bool {
	k := o.Key()
	return (p.group == "" || p.group == k.Group) && (p.kind == "" || strings.EqualFold(p.kind, k.Kind)) &&
		(p.namespace == "" || p.namespace == k.Namespace) && (p.name == "" || p.name == k.Name)
}

func newAppAction(s *streams, w *target) *cobra.Command {
	cmd := &cobra.Command{
		Use: "action", Short: "Do something to a resource of an application", Args: known,
		Long: "List and run the actions of a kind, such as a restart of a Deployment: scripts in Argo CD's layout, those that it ships and those of --scripts.",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAppActionList(s, w), newAppActionRun(s, w))
	return cmd
}

// offered is an action of a resource.
type offered struct {
	Object manifest.Key `json:"object"`
	lua.Action
}

func newAppActionList(s *streams, w *target) *cobra.Command {
	var f format
	var p pick
	cmd := &cobra.Command{
		Use: "list NAME", Short: "List what may be done to the resources of an application", Args: args(1, 1), ValidArgsFunction: w.completeApps,
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := f.check(); err != nil {
				return err
			}
			home, o, err := w.app(cmd.Context(), given[0])
			if err != nil {
				return err
			}
			defer home.close()
			found, _, err := home.resources(cmd.Context(), o, p)
			if err != nil {
				return err
			}
			checker, faults, done, err := home.checker(cmd.Context(), o, p.scripts)
			if err != nil {
				return err
			}
			defer done()
			writeFaults(s.err, faults, p.scripts)
			all := []offered{}
			for _, x := range found {
				actions, err := checker.Discover(cmd.Context(), x)
				if err != nil {
					return err
				}
				for _, a := range actions {
					all = append(all, offered{x.Key(), a})
				}
			}
			return f.write(s.out, all, func() []string {
				var out []string
				for _, a := range all {
					out = append(out, a.Name)
				}
				return out
			}, func(out io.Writer) error {
				var rows [][]string
				for _, a := range all {
					var params []string
					for _, param := range a.Params {
						params = append(params, param.Name)
					}
					rows = append(rows, []string{a.Object.Group, a.Object.Kind, a.Object.Namespace, a.Object.Name, a.Name, fmt.Sprint(a.Disabled), strings.Join(params, ",")})
				}
				return columns(out, "GROUP KIND NAMESPACE NAME ACTION DISABLED PARAMETERS", rows)
			})
		},
	}
	f.flag(cmd)
	p.flags(cmd)
	return cmd
}

func newAppActionRun(s *streams, w *target) *cobra.Command {
	var p pick
	var params []string
	var all, dry bool
	cmd := &cobra.Command{
		Use: "run NAME ACTION", Short: "Run an action", Args: args(2, 2), ValidArgsFunction: w.completeApps,
		RunE: func(cmd *cobra.Command, given []string) error {
			values := map[string]string{}
			for _, v := range params {
				k, text, ok := strings.Cut(v, "=")
				if !ok {
					return fault.New(codeUsage, "--param %s is not NAME=VALUE", v)
				}
				values[k] = text
			}
			home, o, err := w.app(cmd.Context(), given[0])
			if err != nil {
				return err
			}
			defer home.close()
			found, to, err := home.resources(cmd.Context(), o, p)
			if err != nil {
				return err
			}
			checker, faults, done, err := home.checker(cmd.Context(), o, p.scripts)
			if err != nil {
				return err
			}
			defer done()
			writeFaults(s.err, faults, p.scripts)
			able, err := ableTo(cmd.Context(), checker, found, given[1])
			if err != nil {
				return err
			}
			if len(able) > 1 && !all {
				return fault.New(codeUsage, "%d resources of %s have the action %q", len(able), given[0], given[1]).
					WithHint("choose one with --kind and --resource-name, or give --all")
			}
			for _, x := range able {
				impacts, err := checker.Act(cmd.Context(), x, given[1], values)
				if err != nil {
					return err
				}
				if err := s.doImpacts(cmd.Context(), to, x, impacts, dry); err != nil {
					return err
				}
				if !dry {
					_, _ = home.Create(cmd.Context(), deliver.Event(o, "Normal", "ResourceActionRan", fmt.Sprintf("%s ran action %s on resource %s/%s/%s",
						user(), given[1], x.Kind().Group, x.Kind().Kind, x.Name()), time.Now().UTC()), manifest.Writing{})
				}
			}
			return nil
		},
	}
	p.flags(cmd)
	cmd.Flags().StringArrayVar(&params, "param", nil, "NAME=VALUE for the action; may be given again")
	cmd.Flags().BoolVar(&all, "all", false, "run it on every resource that has it")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would change")
	return cmd
}

// ableTo are the resources that have an action that is not disabled.
func ableTo(ctx context.Context, c *lua.Checker, found []manifest.Object, action string) ([]manifest.Object, error) {
	var out []manifest.Object
	disabled, names := 0, []string{}
	for _, x := range found {
		actions, err := c.Discover(ctx, x)
		if err != nil {
			return nil, err
		}
		for _, a := range actions {
			names = append(names, a.Name)
			switch {
			case a.Name != action:
			case a.Disabled:
				disabled++
			default:
				out = append(out, x)
			}
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	if disabled > 0 {
		return nil, fault.New(codeUsage, "the action %q is disabled now", action).WithHint("see `sluice app action list`")
	}
	err := fault.New(codeUsage, "no resource has the action %q", action)
	if near := fault.Nearest(action, names); near != "" {
		return nil, err.WithHint("did you mean %q?", near)
	}
	return nil, err.WithHint("see `sluice app action list`")
}

// doImpacts brings what an action wants to the cluster.
func (s *streams) doImpacts(ctx context.Context, to deliver.Cluster, x manifest.Object, impacts []lua.Impact, dry bool) error {
	for _, i := range impacts {
		wr := manifest.Writing{DryRun: dry, Manager: "argocd-server"}
		if i.Operation == lua.Create {
			o, err := to.Create(ctx, i.Object, wr)
			if err != nil {
				return err
			}
			fmt.Fprintf(s.out, "%s created\n", oneLine(o.Key().String()))
			continue
		}
		patch := manifest.Merge(x, i.Object)
		if len(patch) == 0 {
			fmt.Fprintf(s.out, "%s unchanged\n", oneLine(x.Key().String()))
			continue
		}
		if err := patchParts(ctx, to, x, patch, wr); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s changed\n", oneLine(x.Key().String()))
	}
	return nil
}

// patchParts patches an object, and its status apart where its definition keeps that apart.
func patchParts(ctx context.Context, to deliver.Cluster, x manifest.Object, patch map[string]any, wr manifest.Writing) error {
	send := func(m map[string]any, sub string) error {
		data, err := json.Marshal(m)
		if err != nil {
			return err
		}
		_, err = to.Patch(ctx, x.Kind(), x.Namespace(), x.Name(), manifest.Patch{Kind: manifest.MergePatch, Data: data, Sub: sub}, wr)
		return err
	}
	status, has := patch["status"]
	if has {
		delete(patch, "status")
		err := send(map[string]any{"status": status}, "status")
		if manifest.NotFound(err) {
			patch["status"] = status // there is no such subresource
		} else if err != nil {
			return err
		}
	}
	if len(patch) == 0 {
		return nil
	}
	return send(patch, "")
}

// checker is what knows the actions of an Application's resources: those of a folder, of Argo CD's settings and the shipped.
func (h *house) checker(ctx context.Context, o manifest.Object, folder string) (*lua.Checker, fault.Faults, func(), error) {
	parts, err := h.parts(ctx, o)
	if err != nil {
		return nil, nil, nil, err
	}
	defer parts.close()
	var data map[string]string
	if parts.settings {
		if data, _, err = parts.configMap(ctx, settingsName); err != nil {
			return nil, nil, nil, err
		}
	}
	checker, faults, done := newCheckerOver(folder, data)
	return checker, faults, done, nil
}

func sortedObjects(list []manifest.Object) []manifest.Object {
	list = slices.Clone(list)
	manifest.Sort(list)
	return list
}

// resources are the live objects of an application that are chosen, with what they own, and the cluster that holds them.
func (h *house) resources(ctx context.Context, o manifest.Object, p pick) ([]manifest.Object, deliver.Cluster, error) {
	c, err := h.inspector(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	in, err := c.Inspect(ctx, o, deliver.Look{})
	if in.Cluster == nil {
		return nil, nil, err
	}
	var out []manifest.Object
	seen := map[manifest.Key]bool{}
	var visit func(x manifest.Object, depth int)
	visit = func(x manifest.Object, depth int) {
		if seen[x.Key()] || depth > 10 {
			return
		}
		seen[x.Key()] = true
		if p.is(x) {
			out = append(out, x)
		}
		for _, child := range sortedObjects(in.Children[x.UID()]) {
			visit(child, depth+1)
		}
	}
	for _, pair := range in.Comparison.Pairs {
		if pair.Live != nil {
			visit(pair.Live, 0)
		}
	}
	return out, in.Cluster, nil
}
