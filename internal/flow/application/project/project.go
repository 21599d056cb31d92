// Package project is an Argo CD AppProject as a value: what its applications may take manifests from, bring where and hold,
// and the windows of time in which they may sync
// (https://argo-cd.readthedocs.io/en/stable/user-guide/projects/, https://argo-cd.readthedocs.io/en/stable/user-guide/sync_windows/).
// It keeps no clock. Roles are read, not enforced: who may call Sluice is decided where it is called.
package project

import (
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Project is an AppProject.
type Project struct {
	Name      string
	Namespace string
	Labels    map[string]string
	Spec      Spec
}

// Spec is an AppProject's spec.
type Spec struct {
	Description                     string            `json:"description,omitempty"`
	SourceRepos                     []string          `json:"sourceRepos,omitempty"`
	Destinations                    []Destination     `json:"destinations,omitempty"`
	Roles                           []Role            `json:"roles,omitempty"`
	ClusterResourceWhitelist        []Restriction     `json:"clusterResourceWhitelist,omitempty"`
	ClusterResourceBlacklist        []Restriction     `json:"clusterResourceBlacklist,omitempty"`
	NamespaceResourceBlacklist      []Restriction     `json:"namespaceResourceBlacklist,omitempty"`
	NamespaceResourceWhitelist      []Restriction     `json:"namespaceResourceWhitelist,omitempty"`
	OrphanedResources               *Orphaned         `json:"orphanedResources,omitempty"`
	SyncWindows                     []Window          `json:"syncWindows,omitempty"`
	SourceNamespaces                []string          `json:"sourceNamespaces,omitempty"`
	PermitOnlyProjectScopedClusters bool              `json:"permitOnlyProjectScopedClusters,omitempty"`
	DestinationServiceAccounts      []ServiceAccount  `json:"destinationServiceAccounts,omitempty"`
	SignatureKeys                   []manifest.Object `json:"signatureKeys,omitempty"`   // refused
	SourceIntegrity                 manifest.Object   `json:"sourceIntegrity,omitempty"` // refused
}

// Destination is where applications may deploy; globs, "!" before one denies.
type Destination struct {
	Server    string `json:"server,omitempty"`
	Name      string `json:"name,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

// ServiceAccount is the account that syncs to a destination are done as, where that is enabled; Server and Namespace are globs.
type ServiceAccount struct {
	Server    string `json:"server"`
	Namespace string `json:"namespace,omitempty"`
	Default   string `json:"defaultServiceAccount"`
}

// Restriction names kinds; globs. Name "" is every object of the kind.
type Restriction struct {
	Group string `json:"group"`
	Kind  string `json:"kind"`
	Name  string `json:"name,omitempty"`
}

// Role is a role of the project.
type Role struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Policies    []string          `json:"policies,omitempty"`
	Groups      []string          `json:"groups,omitempty"`
	JWTTokens   []manifest.Object `json:"jwtTokens,omitempty"`
}

// Orphaned asks to tell of objects that belong to no application. Warn nil is true.
type Orphaned struct {
	Warn   *bool         `json:"warn,omitempty"`
	Ignore []Restriction `json:"ignore,omitempty"`
}

// Window is a time in which syncs are allowed or denied. Schedule is a cron expression of five fields, Duration a Go duration.
type Window struct {
	Kind           string   `json:"kind,omitempty"` // allow or deny
	Schedule       string   `json:"schedule,omitempty"`
	Duration       string   `json:"duration,omitempty"`
	Applications   []string `json:"applications,omitempty"`
	Namespaces     []string `json:"namespaces,omitempty"`
	Clusters       []string `json:"clusters,omitempty"`
	ManualSync     bool     `json:"manualSync,omitempty"`
	TimeZone       string   `json:"timeZone,omitempty"` // "" is UTC
	UseAndOperator bool     `json:"andOperator,omitempty"`
	Description    string   `json:"description,omitempty"`
	SyncOverrun    bool     `json:"syncOverrun,omitempty"`
}

// Target is an application as its project sees it: its name, and the destination's cluster (URL and name) and namespace.
type Target struct {
	App       string
	Server    string
	Cluster   string
	Namespace string
}

// Windowed is whether a sync may begin or go on.
type Windowed struct {
	Allowed bool
	Why     string    // in a sentence, "" where no window applies
	Next    time.Time // when the answer changes next; zero where no window will change it
	Windows []Active  // every window that applies
}

// Active is a window that applies to an application.
type Active struct {
	Window Window
	Active bool
	Until  time.Time // end of an active window; zero where none is near, because its turns overlap
	From   time.Time // next start of one that is not
}
