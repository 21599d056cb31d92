package application

import (
	"encoding/json"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Application is an Argo CD Application as it was read: Object is what the rest was decoded from. Fields and defaults are
// those of Argo CD's specification (https://argo-cd.readthedocs.io/en/stable/user-guide/application-specification/).
type Application struct {
	Object    manifest.Object
	Spec      Spec
	Operation *Operation
	Status    Status
}

// Spec is an Application's spec.
type Spec struct {
	Source               *Source         `json:"source,omitempty"`
	Sources              []Source        `json:"sources,omitempty"`
	SourceHydrator       json.RawMessage `json:"sourceHydrator,omitempty"` // refused
	Destination          Destination     `json:"destination"`
	Project              string          `json:"project"`
	SyncPolicy           *SyncPolicy     `json:"syncPolicy,omitempty"`
	IgnoreDifferences    []Ignore        `json:"ignoreDifferences,omitempty"`
	Info                 []Info          `json:"info,omitempty"`
	RevisionHistoryLimit *int64          `json:"revisionHistoryLimit,omitempty"`
}

// All are the sources, one or many.
func (s Spec) All() []Source {
	if len(s.Sources) > 0 {
		return s.Sources
	}
	if s.Source != nil {
		return []Source{*s.Source}
	}
	return nil
}

// Source is where manifests come from.
type Source struct {
	RepoURL        string          `json:"repoURL"`
	Path           string          `json:"path,omitempty"`
	TargetRevision string          `json:"targetRevision,omitempty"` // branch, tag, commit, semver range; "" is HEAD
	TagPrefix      string          `json:"tagPrefix,omitempty"`      // of the tags that a range of versions is matched against
	Chart          string          `json:"chart,omitempty"`
	Ref            string          `json:"ref,omitempty"`
	Name           string          `json:"name,omitempty"`
	Helm           *Helm           `json:"helm,omitempty"`
	Kustomize      *Kustomize      `json:"kustomize,omitempty"`
	Directory      *Directory      `json:"directory,omitempty"`
	Plugin         json.RawMessage `json:"plugin,omitempty"` // refused
}

// Helm is how a chart is rendered.
type Helm struct {
	ValueFiles              []string        `json:"valueFiles,omitempty"`
	Parameters              []HelmParameter `json:"parameters,omitempty"`
	ReleaseName             string          `json:"releaseName,omitempty"`
	Values                  string          `json:"values,omitempty"`
	ValuesObject            manifest.Object `json:"valuesObject,omitempty"`
	FileParameters          []HelmFile      `json:"fileParameters,omitempty"`
	Version                 string          `json:"version,omitempty"`
	PassCredentials         bool            `json:"passCredentials,omitempty"`
	IgnoreMissingValueFiles bool            `json:"ignoreMissingValueFiles,omitempty"`
	SkipCrds                bool            `json:"skipCrds,omitempty"`
	Namespace               string          `json:"namespace,omitempty"`
	KubeVersion             string          `json:"kubeVersion,omitempty"`
	APIVersions             []string        `json:"apiVersions,omitempty"`
	SkipTests               bool            `json:"skipTests,omitempty"`
	SkipSchemaValidation    bool            `json:"skipSchemaValidation,omitempty"`
}

// HelmParameter is a --set.
type HelmParameter struct {
	Name        string `json:"name,omitempty"`
	Value       string `json:"value,omitempty"`
	ForceString bool   `json:"forceString,omitempty"`
}

// HelmFile is a --set-file.
type HelmFile struct {
	Name string `json:"name,omitempty"`
	Path string `json:"path,omitempty"`
}

// Kustomize is what is changed of a kustomization before it is built.
type Kustomize struct {
	NamePrefix                string             `json:"namePrefix,omitempty"`
	NameSuffix                string             `json:"nameSuffix,omitempty"`
	Images                    []string           `json:"images,omitempty"`
	CommonLabels              map[string]string  `json:"commonLabels,omitempty"`
	Version                   string             `json:"version,omitempty"`
	CommonAnnotations         map[string]string  `json:"commonAnnotations,omitempty"`
	ForceCommonLabels         bool               `json:"forceCommonLabels,omitempty"`
	ForceCommonAnnotations    bool               `json:"forceCommonAnnotations,omitempty"`
	Namespace                 string             `json:"namespace,omitempty"`
	CommonAnnotationsEnvsubst bool               `json:"commonAnnotationsEnvsubst,omitempty"`
	Replicas                  []KustomizeReplica `json:"replicas,omitempty"`
	Patches                   []KustomizePatch   `json:"patches,omitempty"`
	Components                []string           `json:"components,omitempty"`
	IgnoreMissingComponents   bool               `json:"ignoreMissingComponents,omitempty"`
	LabelWithoutSelector      bool               `json:"labelWithoutSelector,omitempty"`
	LabelIncludeTemplates     bool               `json:"labelIncludeTemplates,omitempty"`
	KubeVersion               string             `json:"kubeVersion,omitempty"`
	APIVersions               []string           `json:"apiVersions,omitempty"`
}

// KustomizeReplica sets a workload's replicas. Count is a number or a string.
type KustomizeReplica struct {
	Name  string `json:"name"`
	Count any    `json:"count"`
}

// KustomizePatch is an inline or a file's patch.
type KustomizePatch struct {
	Path    string          `json:"path,omitempty"`
	Patch   string          `json:"patch,omitempty"`
	Target  manifest.Object `json:"target,omitempty"`
	Options map[string]bool `json:"options,omitempty"`
}

// Directory is how a folder of manifests is read. Include and Exclude are globs; {a,b} gives several.
type Directory struct {
	Recurse bool    `json:"recurse,omitempty"`
	Jsonnet Jsonnet `json:"jsonnet,omitzero"`
	Exclude string  `json:"exclude,omitempty"`
	Include string  `json:"include,omitempty"`
}

// Jsonnet is what .jsonnet files are given.
type Jsonnet struct {
	ExtVars []JsonnetVar `json:"extVars,omitempty"`
	TLAs    []JsonnetVar `json:"tlas,omitempty"`
	Libs    []string     `json:"libs,omitempty"`
}

// JsonnetVar is a variable; Code says that the value is Jsonnet.
type JsonnetVar struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Code  bool   `json:"code,omitempty"`
}

// Destination is the cluster, by URL or name, and the namespace for what names none.
type Destination struct {
	Server    string `json:"server,omitempty"`
	Name      string `json:"name,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

// SyncPolicy is when and how to sync.
type SyncPolicy struct {
	Automated                *Automated     `json:"automated,omitempty"`
	SyncOptions              []string       `json:"syncOptions,omitempty"`
	Retry                    *Retry         `json:"retry,omitempty"`
	ManagedNamespaceMetadata *NamespaceMeta `json:"managedNamespaceMetadata,omitempty"`
}

// Automated syncs without being asked. Enabled nil is true.
type Automated struct {
	Prune      bool  `json:"prune,omitempty"`
	SelfHeal   bool  `json:"selfHeal,omitempty"`
	AllowEmpty bool  `json:"allowEmpty,omitempty"`
	Enabled    *bool `json:"enabled,omitempty"`
}

// Retry is how a failed sync is tried again; Limit < 0 is for ever.
type Retry struct {
	Limit   int64    `json:"limit,omitempty"`
	Backoff *Backoff `json:"backoff,omitempty"`
	Refresh bool     `json:"refresh,omitempty"` // each try takes the newest commit
}

// Backoff holds Go durations ("5s"; a bare number is seconds).
type Backoff struct {
	Duration    string `json:"duration,omitempty"`
	Factor      *int64 `json:"factor,omitempty"`
	MaxDuration string `json:"maxDuration,omitempty"`
}

// NamespaceMeta is what CreateNamespace=true gives the namespace.
type NamespaceMeta struct {
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Ignore leaves fields out of the comparison.
type Ignore struct {
	Group                 string   `json:"group,omitempty"`
	Kind                  string   `json:"kind"`
	Name                  string   `json:"name,omitempty"`
	Namespace             string   `json:"namespace,omitempty"`
	JSONPointers          []string `json:"jsonPointers,omitempty"`
	JQPathExpressions     []string `json:"jqPathExpressions,omitempty"`
	ManagedFieldsManagers []string `json:"managedFieldsManagers,omitempty"`
}

// Info is shown with the application.
type Info struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Operation asks for something to be done now.
type Operation struct {
	Sync        *SyncOperation `json:"sync,omitempty"`
	InitiatedBy Initiator      `json:"initiatedBy,omitzero"`
	Info        []Info         `json:"info,omitempty"`
	Retry       Retry          `json:"retry,omitzero"`
}

// SyncOperation is a sync: of which revision, which resources, and how.
type SyncOperation struct {
	Revision              string        `json:"revision,omitempty"`
	Revisions             []string      `json:"revisions,omitempty"`
	Prune                 bool          `json:"prune,omitempty"`
	DryRun                bool          `json:"dryRun,omitempty"`
	SyncStrategy          *SyncStrategy `json:"syncStrategy,omitempty"`
	Resources             []Chosen      `json:"resources,omitempty"`
	Source                *Source       `json:"source,omitempty"`
	Sources               []Source      `json:"sources,omitempty"`
	Manifests             []string      `json:"manifests,omitempty"` // JSON objects, of a local folder
	SyncOptions           []string      `json:"syncOptions,omitempty"`
	AutoHealAttemptsCount int64         `json:"autoHealAttemptsCount,omitempty"`
	SelfHealAttemptsCount int64         `json:"selfHealAttemptsCount,omitempty"`
}

// SyncStrategy is hook (the default) or apply, which runs no hooks.
type SyncStrategy struct {
	Apply *ApplyStrategy `json:"apply,omitempty"`
	Hook  *ApplyStrategy `json:"hook,omitempty"`
}

// ApplyStrategy is how a strategy applies. Force deletes and makes anew what cannot be patched.
type ApplyStrategy struct {
	Force bool `json:"force,omitempty"`
}

// Chosen is a resource of a selective sync.
type Chosen struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
	Exclude   bool   `json:"exclude,omitempty"`
}

// Initiator is who asked.
type Initiator struct {
	Username  string `json:"username,omitempty"`
	Automated bool   `json:"automated,omitempty"`
}

// SyncCode says whether live is as desired.
type SyncCode string

// The sync codes.
const (
	Unknown   SyncCode = "Unknown"
	Synced    SyncCode = "Synced"
	OutOfSync SyncCode = "OutOfSync"
)

// OperationPhase is how far an operation is.
type OperationPhase string

// The phases of operations and hooks.
const (
	Running     OperationPhase = "Running"
	Terminating OperationPhase = "Terminating"
	Failed      OperationPhase = "Failed"
	Errored     OperationPhase = "Error"
	Succeeded   OperationPhase = "Succeeded"
)

// Completed reports whether a phase is final.
func (p OperationPhase) Completed() bool { return p == Failed || p == Errored || p == Succeeded }

// Health is a health status with its reason; Status is one of flow/health's.
type Health struct {
	Status             string     `json:"status,omitempty"`
	Message            string     `json:"message,omitempty"`
	LastTransitionTime *time.Time `json:"lastTransitionTime,omitempty"`
}

// Status is an Application's status under Argo CD's names.
type Status struct {
	Resources            []Resource      `json:"resources,omitempty"`
	Sync                 SyncStatus      `json:"sync,omitzero"`
	Health               Health          `json:"health,omitzero"`
	History              []History       `json:"history,omitempty"`
	Conditions           []Condition     `json:"conditions,omitempty"`
	ReconciledAt         *time.Time      `json:"reconciledAt,omitempty"`
	OperationState       *OperationState `json:"operationState,omitempty"`
	ObservedAt           *time.Time      `json:"observedAt,omitempty"`
	SourceType           string          `json:"sourceType,omitempty"`
	SourceTypes          []string        `json:"sourceTypes,omitempty"`
	Summary              Summary         `json:"summary,omitzero"`
	ResourceHealthSource string          `json:"resourceHealthSource,omitempty"`
	ControllerNamespace  string          `json:"controllerNamespace,omitempty"`
}

// Summary is what the application runs.
type Summary struct {
	ExternalURLs []string `json:"externalURLs,omitempty"`
	Images       []string `json:"images,omitempty"`
}

// Resource is one resource of an application and how it stands.
type Resource struct {
	Group                        string   `json:"group,omitempty"`
	Version                      string   `json:"version,omitempty"`
	Kind                         string   `json:"kind,omitempty"`
	Namespace                    string   `json:"namespace,omitempty"`
	Name                         string   `json:"name,omitempty"`
	Status                       SyncCode `json:"status,omitempty"`
	Health                       *Health  `json:"health,omitempty"`
	Hook                         bool     `json:"hook,omitempty"`
	RequiresPruning              bool     `json:"requiresPruning,omitempty"`
	SyncWave                     int64    `json:"syncWave,omitempty"`
	RequiresDeletionConfirmation bool     `json:"requiresDeletionConfirmation,omitempty"`
}

// SyncStatus is the comparison.
type SyncStatus struct {
	Status     SyncCode   `json:"status"`
	ComparedTo ComparedTo `json:"comparedTo,omitzero"`
	Revision   string     `json:"revision,omitempty"`
	Revisions  []string   `json:"revisions,omitempty"`
}

// ComparedTo is what was compared with.
type ComparedTo struct {
	Source            Source      `json:"source,omitzero"`
	Sources           []Source    `json:"sources,omitempty"`
	Destination       Destination `json:"destination"`
	IgnoreDifferences []Ignore    `json:"ignoreDifferences,omitempty"`
}

// History is one sync that was done.
type History struct {
	Revision        string     `json:"revision,omitempty"`
	Revisions       []string   `json:"revisions,omitempty"`
	DeployedAt      time.Time  `json:"deployedAt"`
	ID              int64      `json:"id"`
	Source          Source     `json:"source,omitzero"`
	Sources         []Source   `json:"sources,omitempty"`
	DeployStartedAt *time.Time `json:"deployStartedAt,omitempty"`
	InitiatedBy     Initiator  `json:"initiatedBy,omitzero"`
}

// Condition is something worth telling of the application. The types are Argo CD's (ComparisonError, SyncError,
// InvalidSpecError, SharedResourceWarning, OrphanedResourceWarning, ExcludedResourceWarning, DeletionError, …).
type Condition struct {
	Type               string     `json:"type"`
	Message            string     `json:"message"`
	LastTransitionTime *time.Time `json:"lastTransitionTime,omitempty"`
}

// OperationState is the operation that runs or the last that ran.
type OperationState struct {
	Operation  Operation      `json:"operation"`
	Phase      OperationPhase `json:"phase"`
	Message    string         `json:"message,omitempty"`
	SyncResult *SyncResult    `json:"syncResult,omitempty"`
	StartedAt  time.Time      `json:"startedAt"`
	FinishedAt *time.Time     `json:"finishedAt,omitempty"`
	RetryCount int64          `json:"retryCount,omitempty"`
}

// SyncResult is what a sync did.
type SyncResult struct {
	Resources                []ResourceResult `json:"resources,omitempty"`
	Revision                 string           `json:"revision"`
	Revisions                []string         `json:"revisions,omitempty"`
	Source                   Source           `json:"source,omitzero"`
	Sources                  []Source         `json:"sources,omitempty"`
	ManagedNamespaceMetadata *NamespaceMeta   `json:"managedNamespaceMetadata,omitempty"`
}

// ResourceResult is what a sync did to one resource. Status is Synced, SyncFailed, Pruned or PruneSkipped; of a hook,
// HookPhase tells.
type ResourceResult struct {
	Group     string         `json:"group"`
	Version   string         `json:"version"`
	Kind      string         `json:"kind"`
	Namespace string         `json:"namespace"`
	Name      string         `json:"name"`
	Status    string         `json:"status,omitempty"`
	Message   string         `json:"message,omitempty"`
	HookType  string         `json:"hookType,omitempty"`
	HookPhase OperationPhase `json:"hookPhase,omitempty"`
	SyncPhase string         `json:"syncPhase,omitempty"`
	Images    []string       `json:"images,omitempty"`
}
