package application

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The annotations that Argo CD reads and writes
// (https://argo-cd.readthedocs.io/en/stable/user-guide/annotations-and-labels/).
const (
	AnnotationTracking       = "argocd.argoproj.io/tracking-id"
	AnnotationInstallation   = "argocd.argoproj.io/installation-id"
	AnnotationCompareOptions = "argocd.argoproj.io/compare-options"
	AnnotationSyncOptions    = "argocd.argoproj.io/sync-options"
	AnnotationSyncWave       = "argocd.argoproj.io/sync-wave"
	AnnotationHook           = "argocd.argoproj.io/hook"
	AnnotationHookDelete     = "argocd.argoproj.io/hook-delete-policy"
	AnnotationApproved       = "argocd.argoproj.io/deletion-approved"
	AnnotationIgnoreHealth   = "argocd.argoproj.io/ignore-healthcheck"
	AnnotationRefresh        = "argocd.argoproj.io/refresh"
	AnnotationMigration      = "argocd.argoproj.io/client-side-apply-migration-manager"
	AnnotationLink           = "link.argocd.argoproj.io/external-link"
	AnnotationLastApplied    = "kubectl.kubernetes.io/last-applied-configuration"
	HookFinalizer            = "argocd.argoproj.io/hook-finalizer"
	LabelInstance            = "app.kubernetes.io/instance"
)

const (
	helmHook       = "helm.sh/hook"
	helmHookDelete = "helm.sh/hook-delete-policy"
	helmHookWeight = "helm.sh/hook-weight"
	helmPolicy     = "helm.sh/resource-policy"
)

// AnnotationOperation is our own, at a hook: the operation, its try and the phase that made it. A controller that takes an
// operation over knows by it the hooks whose making the one before could not record, and does not make them again.
const AnnotationOperation = "sluice.dev/operation"

// SyncManager is the field manager of syncs, as Argo CD names its own, so that an application may move either way.
const SyncManager = "argocd-controller"

// words are the entries of an annotation: a comma-separated list, blanks around them cut.
func words(text string) []string {
	var out []string
	for w := range strings.SplitSeq(text, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// setting is the value of name in a list of name=value; the last one holds.
func setting(list []string, name string) (string, bool) {
	for _, entry := range slices.Backward(list) {
		if k, v, _ := strings.Cut(entry, "="); strings.TrimSpace(k) == name {
			return strings.TrimSpace(v), true
		}
	}
	return "", false
}

// SyncOptions are the options of the application with those of the operation, which hold where both speak.
func (a Application) SyncOptions(op *SyncOperation) []string {
	var out []string
	if p := a.Spec.SyncPolicy; p != nil {
		out = append(out, p.SyncOptions...)
	}
	if op != nil {
		out = append(out, op.SyncOptions...)
	}
	return out
}

// ServerSideDiff reports whether the comparison is to be made by server-side dry runs: what the application's
// compare-options annotation says, else the setting for all
// (https://argo-cd.readthedocs.io/en/stable/user-guide/diff-strategies/).
func (a Application) ServerSideDiff(all bool) bool {
	switch v, _ := setting(a.compareOptions(), "ServerSideDiff"); v {
	case "true":
		return true
	case "false":
		return false
	}
	return all
}

func (a Application) compareOptions() []string {
	return words(a.Object.Annotation(AnnotationCompareOptions))
}

func (a Application) webhooksCount() bool {
	v, _ := setting(a.compareOptions(), "IncludeMutationWebhook")
	return v == "true"
}

// option is a sync option for one object: its annotation's, else the application's or the operation's.
func option(o manifest.Object, all []string, name string) string {
	if v, ok := setting(words(o.Annotation(AnnotationSyncOptions)), name); ok {
		return v
	}
	v, _ := setting(all, name)
	return v
}

// keeps reports whether an object is to outlive its application: Delete=false, or Helm's resource-policy keep.
func keeps(o manifest.Object, all []string) bool {
	return option(o, all, "Delete") == "false" || o.Annotation(helmPolicy) == "keep"
}

// QualifiedName is namespace/name, as conditions name an application.
func (a Application) QualifiedName() string {
	if ns := a.Object.Namespace(); ns != "" {
		return ns + "/" + a.Object.Name()
	}
	return a.Object.Name()
}
