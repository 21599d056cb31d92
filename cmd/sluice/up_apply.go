package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// upLabel marks what `sluice up` applied, so that what leaves the files can leave the target.
const upLabel = "sluice.dev/up"

// upManager is the field manager of what `sluice up` applies.
const upManager = "sluice-up"

// applyOrder is the order in which kinds are applied; all others come between Services and workloads.
var applyOrder = []string{"Namespace", "AppProject", "ServiceAccount", "Secret", "ConfigMap", "PersistentVolumeClaim", "Service"}

var workloadOrder = []string{"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Rollout", "ApplicationSet", "Application"}

func rank(o manifest.Object) int {
	if i := slices.Index(applyOrder, o.Text("kind")); i >= 0 {
		return i
	}
	if i := slices.Index(workloadOrder, o.Text("kind")); i >= 0 {
		return 200 + i
	}
	return 100
}

// applyUp makes a target hold the objects, and no more what an earlier call applied. It tells what changed.
func applyUp(ctx context.Context, c deliver.Cluster, objects []manifest.Object, namespace string, out io.Writer) error {
	kinds, err := c.Kinds(ctx)
	if err != nil {
		return err
	}
	objects = append(spaces(objects), objects...)
	slices.SortStableFunc(objects, func(a, b manifest.Object) int { return cmp.Compare(rank(a), rank(b)) })
	wanted := map[manifest.Key]bool{}
	var wrong fault.List
	for _, o := range objects {
		key, err := applyOne(ctx, c, kinds, o.Copy(), namespace, out)
		if err != nil {
			wrong.Add(fault.New(codeUp, "%s: %v", o.Text("kind")+" "+o.Name(), err).Exits(exitFailed))
			continue
		}
		wanted[key] = true
	}
	if err := wrong.Err(); err != nil {
		return err
	}
	return pruneUp(ctx, c, kinds, wanted, out)
}

func applyOne(ctx context.Context, c deliver.Cluster, kinds []manifest.Discovered, o manifest.Object, namespace string, out io.Writer) (manifest.Key, error) {
	i := slices.IndexFunc(kinds, func(d manifest.Discovered) bool { return d.Kind == o.Kind() })
	if i < 0 {
		return manifest.Key{}, fmt.Errorf("the local target does not serve %s of %s", o.Text("kind"), o.Text("apiVersion"))
	}
	if o.Namespace() == "" && kinds[i].Namespaced {
		o.Set(namespace, "metadata", "namespace")
	}
	o.SetLabel(upLabel, "true")
	w := manifest.Writing{Manager: upManager, Validation: "Strict"}
	if o.Name() == "" && o.GenerateName() != "" {
		made, err := c.Create(ctx, o, w)
		if err == nil {
			fmt.Fprintf(out, "created %s\n", describe(made))
		}
		return made.Key(), err
	}
	before, err := c.Get(ctx, o.Kind(), o.Namespace(), o.Name())
	if err != nil && !manifest.NotFound(err) {
		return o.Key(), err
	}
	after, err := c.Patch(ctx, o.Kind(), o.Namespace(), o.Name(), manifest.Patch{Kind: manifest.ApplyPatch, Data: o.JSON(), Force: true}, w)
	switch {
	case err != nil:
		return o.Key(), err
	case before == nil:
		fmt.Fprintf(out, "created %s\n", describe(after))
	case before.Revision() != after.Revision():
		fmt.Fprintf(out, "changed %s\n", describe(after))
	}
	return after.Key(), nil
}

// pruneUp removes what an earlier call applied and the files do not hold any more.
func pruneUp(ctx context.Context, c deliver.Cluster, kinds []manifest.Discovered, wanted map[manifest.Key]bool, out io.Writer) error {
	for _, k := range kinds {
		list, err := c.List(ctx, k.Kind, "", upLabel+"=true")
		if err != nil {
			return fmt.Errorf("list %s: %w", k.Kind, err)
		}
		for _, o := range list {
			// A ReplicaSet has the labels of its Deployment: what is owned goes with its owner.
			if _, owned := o.Controller(); owned || wanted[o.Key()] || o.Deleting() {
				continue
			}
			if err := c.Delete(ctx, k.Kind, o.Namespace(), o.Name(), manifest.Writing{UID: o.UID(), Propagation: "Background"}); err != nil && !manifest.NotFound(err) {
				return fmt.Errorf("remove %s: %w", describe(o), err)
			}
			fmt.Fprintf(out, "removed %s\n", describe(o))
		}
	}
	return nil
}

func describe(o manifest.Object) string {
	text := o.Text("kind") + " " + o.Name()
	if ns := o.Namespace(); ns != "" && ns != "default" {
		text += " in " + ns
	}
	return text
}

// upAgain applies the files to the target that runs already.
func (s *streams) upAgain(ctx context.Context, u *upState, f upFlags, objects []manifest.Object) error {
	pid, folder, err := u.holder()
	if err != nil {
		return err
	}
	if folder != u.folder {
		return fault.New(codeUp, "a local target runs here for another folder: %s (process %d)", folder, pid).WithHint("end it with `sluice down` first")
	}
	c, err := cluster.OpenWith(u.kubeconfig(), "", cluster.Options{QPS: 500, Burst: 1000})
	if err != nil {
		return err
	}
	if _, err := c.Version(ctx); err != nil {
		return fault.New(codeUp, "process %d runs the local target and does not answer: %v", pid, err).Exits(exitUnreachable)
	}
	objects, _ = u.completed(objects, f.namespace)
	count := &counting{w: s.out}
	if err := applyUp(ctx, c, objects, f.namespace, count); err != nil {
		return err
	}
	if count.n == 0 {
		fmt.Fprintln(s.out, "nothing changed")
	}
	return nil
}

// counting counts what is written.
type counting struct {
	w io.Writer
	n int
}

func (c *counting) Write(p []byte) (int, error) {
	c.n += len(p)
	return c.w.Write(p)
}
