// Package application decides what an Application needs: whether live is as desired, what a sync does next, whether one
// may begin now, and why. Its input is what was rendered and what was read; its output is data that engine/deliver carries
// out. Rules, names and messages are those of Argo CD (https://argo-cd.readthedocs.io/en/stable/). It touches nothing and
// keeps no clock.
package application

import (
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application/diff"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Tracking is how an object is known to belong to an application: by label, annotation or both (resource tracking).
type Tracking struct {
	Method   string // "annotation" (the default since Argo CD 3), "label", "annotation+label"
	Label    string // the label's name, app.kubernetes.io/instance unless told
	Instance string // installation id, "" for none
	App      string // the application's name, with its namespace before it ("ns_name") where that is not Argo's own
}

// Desired is what was rendered of all sources.
type Desired struct {
	Objects   []manifest.Object
	Revisions []string // the commit (or chart version) of each source
	Types     []string // Helm, Kustomize, Directory of each source
}

// Live is what the cluster holds.
type Live struct {
	// Objects are those that were rendered or that carry the application's tracking mark, by key.
	Objects map[manifest.Key]manifest.Object
	// Owners maps a UID to its object for ownership (Deployment → ReplicaSet → Pod), where the tree was read.
	Children map[string][]manifest.Object
}

// Comparing is the input of Compare.
type Comparing struct {
	App      Application
	Tracking Tracking
	Desired  Desired
	Live     Live
	// Scope tells of a kind whether the cluster serves it and whether its objects live in namespaces.
	Scope func(manifest.Kind) (namespaced, known bool)
	// Predicted are server-side dry-run results by key, where the comparison is server-side; nil for three-way comparison.
	Predicted map[manifest.Key]manifest.Object
	// Health assesses an object: built-in rules or Lua. Status "" means that its kind has none.
	Health func(manifest.Object) Health
	// Settings are the rules for all applications (argocd-cm's resource.customizations.ignoreDifferences and the like).
	Settings Settings
	// Permitted tells whether the project lets the application hold a live object that the sources do not name; what it
	// does not permit is passed over, so it is never pruned. Nil permits all.
	Permitted func(kind manifest.Kind, namespace, name string) bool
}

// Settings are what argocd-cm holds that a comparison needs.
type Settings struct {
	IgnoreDifferences     []Ignore // Group and Kind may be "*"
	IgnoreAggregatedRoles bool
	IgnoreResourceStatus  string // crd, all, none; all is the default of Argo CD 3
	ResourceExclusions    []Exclusion
	ResourceInclusions    []Exclusion
	Orphaned              bool // tell of live objects of the destination namespace that belong to no application
	OrphanedWarn          bool // and warn of them
	OrphanedIgnore        []Chosen
	KnownTypes            []KnownType // resource.customizations.knownTypeFields
	MaskedAnnotations     []string    // of Secrets (resource.sensitive.mask.annotations)
	Cluster               string      // the destination's URL, for exclusions by cluster
}

// KnownType says that a field of a custom kind has a type of Kubernetes' own (core/v1/PodSpec), so that it is read as the
// API server reads it (https://argo-cd.readthedocs.io/en/stable/user-guide/diffing/, "Known Kubernetes types in CRDs").
type KnownType struct {
	Group, Kind string
	Field       string // spec.template.spec
	Type        string // core/v1/PodSpec
}

// Exclusion leaves kinds out everywhere; globs.
type Exclusion struct {
	APIGroups []string `json:"apiGroups,omitempty"`
	Kinds     []string `json:"kinds,omitempty"`
	Clusters  []string `json:"clusters,omitempty"`
}

// Pair is one resource: what is wanted, what is there, and how the two differ. Target, Live and Merged hold Secrets' data as
// they are and are left out of its JSON form; Wanted, Found and Differences are masked.
type Pair struct {
	Key    manifest.Key    `json:"key"`
	Kind   manifest.Kind   `json:"kind"`
	Target manifest.Object `json:"-"` // as it will be applied (namespace and tracking mark set), nil where only live has it
	Live   manifest.Object `json:"-"` // nil where it is missing
	// Merged is Target with the ignored fields as live has them, for RespectIgnoreDifferences=true; nil where none is ignored.
	Merged manifest.Object `json:"-"`
	Hook   bool            `json:"hook,omitempty"`
	Status SyncCode        `json:"status,omitempty"`
	// Prune: live has it, the sources do not, and it is this application's.
	Prune bool `json:"prune,omitempty"`
	// Shared names the other application that tracks the live object, "" for none.
	Shared string `json:"shared,omitempty"`
	// Wanted and Found are both sides after normalisation, for a diff that a person reads. Wanted is what live would be after
	// the sync. Secrets are masked.
	Wanted      manifest.Object `json:"wanted,omitempty"`
	Found       manifest.Object `json:"found,omitempty"`
	Differences []Difference    `json:"differences,omitempty"`
	Health      *Health         `json:"health,omitempty"`
	Wave        int64           `json:"wave,omitempty"`
}

// Difference is one field that differs, or one that would and is ignored.
type Difference = diff.Difference

// Comparison is what Compare found.
type Comparison struct {
	Pairs      []Pair         `json:"pairs"` // hooks included, ordered by key
	Status     SyncCode       `json:"status"`
	Health     Health         `json:"health"`
	Conditions []Condition    `json:"conditions,omitempty"`
	Orphans    []manifest.Key `json:"orphans,omitempty"`
	Images     []string       `json:"images,omitempty"`
	URLs       []string       `json:"urls,omitempty"`
}

// Syncing is the input of Next: the operation as far as it is and the world now.
type Syncing struct {
	App        Application
	Operation  Operation
	State      OperationState
	Comparison Comparison
	// Hooks are the hook objects of this very operation that the cluster holds.
	Hooks []manifest.Object
	// Answered are the results of the actions that the last decision asked for, in its order.
	Answered []Answer
	Health   func(manifest.Object) Health
	Scope    func(manifest.Kind) (namespaced, known bool)
	Now      time.Time
	// Namespace is the destination's namespace as the cluster holds it, nil where it is missing. It is read only where
	// CreatesNamespace says so.
	Namespace manifest.Object
	// Applied is SyncDecision.Applied of the decision before; zero at the first and after a restart.
	Applied time.Time
	// WaveDelay is the pause between waves: zero for Argo CD's 2 s, less for none.
	WaveDelay time.Duration
	// Tracking marks the hooks that are named at the sync.
	Tracking Tracking
	// Permit tells whether the project lets an object be synced; nil permits all.
	Permit func(target manifest.Object) error
}

// Answer is how an action went. Object is what the cluster then held.
type Answer struct {
	Action SyncAction
	Object manifest.Object
	Err    error
}

// SyncDecision is what a sync does next: the actions (which may run at once), then State is kept. Done when State.Phase is final.
type SyncDecision struct {
	Actions []SyncAction
	State   OperationState
	After   time.Duration // when to look again though nothing changed; zero for never
	Applied time.Time     // hand it to the next Next: when the newest wave was applied
}

// SyncAction is one thing that a sync does to the cluster. The engine carries it out.
type SyncAction interface{ syncAction() }

// The actions.
type (
	// Apply brings an object to the cluster.
	Apply struct {
		Object         manifest.Object
		Live           manifest.Object // what the client-side three-way merge starts from, nil for a new one
		DryRun         bool
		ServerSide     bool   // server-side apply by the manager argocd-controller
		Replace        bool   // replace or create instead of patching
		Force          bool   // delete and make anew when the patch is refused
		Validation     bool   // false: skip validation
		Create         bool   // create only
		Hook           string // the hook type, "" for a resource
		MigrateManager string // client-side manager to move to server-side apply, "" for none
	}
	// Remove deletes an object.
	Remove struct {
		Key         manifest.Key
		Kind        manifest.Kind
		UID         string
		Propagation string
		DryRun      bool
		Why         string // prune, hook, terminate
	}
	// Release takes a finalizer off an object. An object that is gone is released.
	Release struct {
		Key       manifest.Key
		Kind      manifest.Kind
		UID       string
		Finalizer string
	}
)

func (Apply) syncAction()   {}
func (Remove) syncAction()  {}
func (Release) syncAction() {}
