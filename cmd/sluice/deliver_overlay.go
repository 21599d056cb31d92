package main

import (
	"context"
	"slices"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// besideCluster is a cluster beside which a delivery keeps its own objects: Applications, their projects and sets always,
// so that no other controller of the cluster takes them up; the other kinds of argoproj.io where the cluster does not define
// them.
type besideCluster struct {
	*cluster.Overlaid

	home cluster.API
}

func overlaid(home, away cluster.API) besideCluster {
	return besideCluster{cluster.Overlay(home, away), home}
}

var homely = []string{"Application", "ApplicationSet", "AppProject"}

func (b besideCluster) of(k manifest.Kind) cluster.API {
	if k.Group == applicationKind.Group && slices.Contains(homely, k.Kind) {
		return b.home
	}
	return b.Overlaid
}

// Get reads from where the kind is kept.
func (b besideCluster) Get(ctx context.Context, kind manifest.Kind, namespace, name string) (manifest.Object, error) {
	return b.of(kind).Get(ctx, kind, namespace, name)
}

// List lists from where the kind is kept.
func (b besideCluster) List(ctx context.Context, kind manifest.Kind, namespace, selector string) ([]manifest.Object, error) {
	return b.of(kind).List(ctx, kind, namespace, selector)
}

// Create makes an object where its kind is kept.
func (b besideCluster) Create(ctx context.Context, o manifest.Object, w manifest.Writing) (manifest.Object, error) {
	return b.of(o.Kind()).Create(ctx, o, w)
}

// Update replaces an object where its kind is kept.
func (b besideCluster) Update(ctx context.Context, o manifest.Object, sub string, w manifest.Writing) (manifest.Object, error) {
	return b.of(o.Kind()).Update(ctx, o, sub, w)
}

// Patch changes an object where its kind is kept.
func (b besideCluster) Patch(ctx context.Context, kind manifest.Kind, namespace, name string, p manifest.Patch, w manifest.Writing) (manifest.Object, error) {
	return b.of(kind).Patch(ctx, kind, namespace, name, p, w)
}

// Delete deletes an object where its kind is kept.
func (b besideCluster) Delete(ctx context.Context, kind manifest.Kind, namespace, name string, w manifest.Writing) error {
	return b.of(kind).Delete(ctx, kind, namespace, name, w)
}

// Watch follows a kind where it is kept.
func (b besideCluster) Watch(ctx context.Context, kind manifest.Kind, namespace, selector string, each func(manifest.Change)) error {
	return b.of(kind).Watch(ctx, kind, namespace, selector, each)
}
