package application

import (
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The hook types, which are the phases of a sync too
// (https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/).
const (
	PreSync    = "PreSync"
	Sync       = "Sync"
	PostSync   = "PostSync"
	SyncFail   = "SyncFail"
	PreDelete  = "PreDelete"
	PostDelete = "PostDelete"
	Skip       = "Skip"
)

var hookTypes = []string{PreSync, Sync, PostSync, SyncFail, PreDelete, PostDelete, Skip}

var phases = []string{PreSync, Sync, PostSync, SyncFail}

// When a hook's object is deleted.
const (
	BeforeHookCreation = "BeforeHookCreation"
	HookSucceeded      = "HookSucceeded"
	HookFailed         = "HookFailed"
)

// helmHooks are Helm's hooks as Argo CD maps them (https://argo-cd.readthedocs.io/en/stable/user-guide/helm/#helm-hooks);
// those that are not here make an object no part of a sync.
var helmHooks = map[string]string{
	"pre-install": PreSync, "pre-upgrade": PreSync, "post-install": PostSync, "post-upgrade": PostSync,
	"pre-delete": PreDelete, "post-delete": PostDelete,
}

var helmPolicies = map[string]string{
	"before-hook-creation": BeforeHookCreation, "hook-succeeded": HookSucceeded, "hook-failed": HookFailed,
}

// Hooks are the types that an object is a hook of, none where it is a resource. A CustomResourceDefinition with Helm's
// crd-install is a resource; an object all of whose Helm hooks are unknown to Argo CD (test) is Skip.
func Hooks(o manifest.Object) []string {
	if text, ok := o.Annotations()[AnnotationHook]; ok {
		return slices.DeleteFunc(words(text), func(w string) bool { return !slices.Contains(hookTypes, w) })
	}
	text, ok := o.Annotations()[helmHook]
	if !ok {
		return nil
	}
	var out []string
	for _, w := range words(text) {
		if w == "crd-install" {
			return nil
		}
		if h := helmHooks[w]; h != "" && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	if len(out) == 0 {
		return []string{Skip}
	}
	return out
}

func isHook(o manifest.Object) bool { return len(Hooks(o)) > 0 }

// deletePolicies are when a hook's object is deleted; BeforeHookCreation where nothing is told.
func deletePolicies(o manifest.Object) []string {
	var out []string
	out = append(out, words(o.Annotation(AnnotationHookDelete))...)
	for _, w := range words(o.Annotation(helmHookDelete)) {
		if p := helmPolicies[w]; p != "" {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		out = []string{BeforeHookCreation}
	}
	return out
}

// wave is the sync wave of an object, Helm's hook weight where it names none; 0 where neither is a number.
func wave(o manifest.Object) int64 {
	for _, name := range []string{AnnotationSyncWave, helmHookWeight} {
		if text, ok := o.Annotations()[name]; ok {
			if n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32); err == nil {
				return n
			}
		}
	}
	return 0
}

// qualified turns "ns_name", as tracking writes an application, into "ns/name".
func qualified(owner string) string { return strings.Replace(owner, "_", "/", 1) }

// Resources are the pairs as an Application's status lists them.
func (c Comparison) Resources(app Application) []Resource {
	all := app.SyncOptions(nil)
	out := make([]Resource, 0, len(c.Pairs))
	for _, p := range c.Pairs {
		if p.Hook && p.Live == nil {
			continue
		}
		r := Resource{
			Group: p.Key.Group, Version: p.Kind.Version, Kind: p.Key.Kind, Namespace: p.Key.Namespace, Name: p.Key.Name,
			Status: p.Status, Health: p.Health, Hook: p.Hook, RequiresPruning: p.Prune, SyncWave: p.Wave,
		}
		o := p.Target
		if o == nil {
			o = p.Live
		}
		r.RequiresDeletionConfirmation = option(o, all, "Delete") == "confirm" || option(o, all, "Prune") == "confirm"
		out = append(out, r)
	}
	return out
}
