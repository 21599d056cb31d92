// Package applicationset makes Applications of an ApplicationSet: parameters of its generators, Applications of its template,
// what of them is to be created, changed and removed, and which of them may be synced now. Rules and names are those of
// Argo CD (https://argo-cd.readthedocs.io/en/stable/operator-manual/applicationset/). What generators must be told of the
// world is asked of the caller; the package itself looks at nothing.
package applicationset

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The faults of this package.
const (
	CodeRefused  = "SL5191" // a generator that Sluice does not have
	CodeGenerate = "SL5192" // parameters cannot be made
	CodeTemplate = "SL5193" // an Application cannot be made of the template
	CodeOrder    = "SL5194" // an annotation of the promotion order is wrong
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeRefused, Summary: "a generator of an ApplicationSet is not supported", Text: "Sluice has the generators list, clusters, git, matrix, merge, pullRequest and scmProvider (GitHub, GitLab and Gitea). Others are refused, so that no Application is removed because its generator was not understood."},
	{Code: CodeGenerate, Summary: "a generator of an ApplicationSet gives no parameters", Text: "The message says which generator and why. While it fails, the Applications that are there stay as they are."},
	{Code: CodeTemplate, Summary: "the template of an ApplicationSet cannot be filled in", Text: "The message names the field. With goTemplateOptions: [missingkey=error] a parameter that is not there is such an error."},
	{Code: CodeOrder, Summary: "an annotation of the promotion order across clusters is wrong", Text: "sluice.dev/soak takes durations (10m, or 1=10m,2=1h by step), sluice.dev/analysis names of AnalysisTemplates (errors, or 1=errors,latency;2=cluster:slow), sluice.dev/analysis-args name=value, sluice.dev/cut-over the word together. They need the strategy RollingSync. Nothing is synced while one is wrong."},
}

// Set is an ApplicationSet as it was read.
type Set struct {
	Object manifest.Object
	Spec   Spec
	Status Status
}

// Decode reads an ApplicationSet.
func Decode(o manifest.Object) (Set, error) {
	s := Set{Object: o}
	var all struct {
		Spec   *Spec   `json:"spec"`
		Status *Status `json:"status"`
	}
	all.Spec, all.Status = &s.Spec, &s.Status
	if err := o.Into(&all); err != nil {
		return s, fault.New(CodeGenerate, "ApplicationSet %s: %v", o.Name(), err)
	}
	return s, nil
}

// Spec is an ApplicationSet's spec.
type Spec struct {
	GoTemplate                   bool            `json:"goTemplate,omitempty"`
	GoTemplateOptions            []string        `json:"goTemplateOptions,omitempty"`
	Generators                   []Generator     `json:"generators"`
	Template                     manifest.Object `json:"template"`
	TemplatePatch                *string         `json:"templatePatch,omitempty"`
	SyncPolicy                   *SyncPolicy     `json:"syncPolicy,omitempty"`
	Strategy                     *Strategy       `json:"strategy,omitempty"`
	PreservedFields              *Preserved      `json:"preservedFields,omitempty"`
	ApplyNestedSelectors         bool            `json:"applyNestedSelectors,omitempty"` // always so since Argo CD 3
	IgnoreApplicationDifferences []Ignore        `json:"ignoreApplicationDifferences,omitempty"`
}

// SyncPolicy is what may be done to the Applications: ApplicationsSync is sync, create-only, create-update or create-delete.
type SyncPolicy struct {
	PreserveResourcesOnDeletion bool   `json:"preserveResourcesOnDeletion,omitempty"`
	ApplicationsSync            string `json:"applicationsSync,omitempty"`
}

// Strategy is in which order the Applications are synced (Type AllAtOnce, RollingSync) and deleted (DeletionOrder AllAtOnce, Reverse).
type Strategy struct {
	Type          string   `json:"type,omitempty"`
	RollingSync   *Rolling `json:"rollingSync,omitempty"`
	DeletionOrder string   `json:"deletionOrder,omitempty"`
}

// Rolling is the steps of a progressive sync.
type Rolling struct {
	Steps []RollingStep `json:"steps,omitempty"`
}

// RollingStep is the Applications whose labels match, at most MaxUpdate of them at once (a number or a percentage; all
// without one).
type RollingStep struct {
	MatchExpressions []Expression        `json:"matchExpressions,omitempty"`
	MaxUpdate        *intstr.IntOrString `json:"maxUpdate,omitempty"`
}

// Expression is In or NotIn over a label's values.
type Expression struct {
	Key      string   `json:"key,omitempty"`
	Operator string   `json:"operator,omitempty"`
	Values   []string `json:"values,omitempty"`
}

// Preserved are annotations and labels of Applications that are left as they are.
type Preserved struct {
	Annotations []string `json:"annotations,omitempty"`
	Labels      []string `json:"labels,omitempty"`
}

// Ignore leaves fields of Applications as they are; Name "" is every Application.
type Ignore struct {
	Name              string   `json:"name,omitempty"`
	JSONPointers      []string `json:"jsonPointers,omitempty"`
	JQPathExpressions []string `json:"jqPathExpressions,omitempty"`
}

// Generator is one of its fields; Selector keeps only the parameters that match.
type Generator struct {
	List        *List                 `json:"list,omitempty"`
	Clusters    *Clusters             `json:"clusters,omitempty"`
	Git         *Git                  `json:"git,omitempty"`
	SCMProvider *SCMProvider          `json:"scmProvider,omitempty"`
	PullRequest *PullRequest          `json:"pullRequest,omitempty"`
	Matrix      *Combination          `json:"matrix,omitempty"`
	Merge       *Combination          `json:"merge,omitempty"`
	Decision    json.RawMessage       `json:"clusterDecisionResource,omitempty"` // refused
	Plugin      json.RawMessage       `json:"plugin,omitempty"`                  // refused
	Selector    *metav1.LabelSelector `json:"selector,omitempty"`

	unknown []string // what else stands there
}

// UnmarshalJSON remembers fields that no generator has, so that they are refused and not taken for nothing.
func (g *Generator) UnmarshalJSON(data []byte) error {
	type plain Generator
	if err := json.Unmarshal(data, (*plain)(g)); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	for name, raw := range all {
		if !slices.Contains(generatorNames, name) && string(raw) != "null" {
			g.unknown = append(g.unknown, name)
		}
	}
	slices.Sort(g.unknown)
	return nil
}

var generatorNames = []string{"list", "clusters", "git", "scmProvider", "pullRequest", "matrix", "merge", "clusterDecisionResource", "plugin", "selector"}

// List gives its elements.
type List struct {
	Elements     []map[string]any `json:"elements,omitempty"`
	ElementsYAML string           `json:"elementsYaml,omitempty"`
	Template     manifest.Object  `json:"template,omitempty"`
}

// Clusters gives the clusters whose Secrets match; FlatList gives one set of parameters with all of them.
type Clusters struct {
	Selector metav1.LabelSelector `json:"selector,omitempty"`
	Template manifest.Object      `json:"template,omitempty"`
	Values   map[string]string    `json:"values,omitempty"`
	FlatList bool                 `json:"flatList,omitempty"`
}

// Git gives directories or files of a repository.
type Git struct {
	RepoURL             string            `json:"repoURL"`
	Directories         []GitPath         `json:"directories,omitempty"`
	Files               []GitPath         `json:"files,omitempty"`
	Revision            string            `json:"revision"`
	RequeueAfterSeconds *int64            `json:"requeueAfterSeconds,omitempty"`
	Template            manifest.Object   `json:"template,omitempty"`
	PathParamPrefix     string            `json:"pathParamPrefix,omitempty"`
	Values              map[string]string `json:"values,omitempty"`
}

// GitPath is a glob; what an excluding one matches is left out whatever else matches.
type GitPath struct {
	Path    string `json:"path"`
	Exclude bool   `json:"exclude,omitempty"`
}

// Combination is a matrix (two generators) or a merge (the first is the base).
type Combination struct {
	Generators []Generator     `json:"generators"`
	MergeKeys  []string        `json:"mergeKeys,omitempty"`
	Template   manifest.Object `json:"template,omitempty"`
}

// SCMProvider gives the repositories of an organization. The provider's own part is kept for whoever asks it.
type SCMProvider struct {
	GitHub              manifest.Object   `json:"github,omitempty"`
	GitLab              manifest.Object   `json:"gitlab,omitempty"`
	Gitea               manifest.Object   `json:"gitea,omitempty"`
	Bitbucket           manifest.Object   `json:"bitbucket,omitempty"`
	BitbucketServer     manifest.Object   `json:"bitbucketServer,omitempty"`
	AzureDevOps         manifest.Object   `json:"azureDevOps,omitempty"`
	AWSCodeCommit       manifest.Object   `json:"awsCodeCommit,omitempty"`
	Filters             []SCMFilter       `json:"filters,omitempty"`
	CloneProtocol       string            `json:"cloneProtocol,omitempty"` // ssh or https
	RequeueAfterSeconds *int64            `json:"requeueAfterSeconds,omitempty"`
	Template            manifest.Object   `json:"template,omitempty"`
	Values              map[string]string `json:"values,omitempty"`
}

// SCMFilter is met when all that is set in it is; a repository is taken when one filter is met.
type SCMFilter struct {
	RepositoryMatch *string  `json:"repositoryMatch,omitempty"`
	PathsExist      []string `json:"pathsExist,omitempty"`
	PathsDoNotExist []string `json:"pathsDoNotExist,omitempty"`
	LabelMatch      *string  `json:"labelMatch,omitempty"`
	BranchMatch     *string  `json:"branchMatch,omitempty"`
}

// PullRequest gives the open pull requests of a repository.
type PullRequest struct {
	GitHub                      manifest.Object   `json:"github,omitempty"`
	GitLab                      manifest.Object   `json:"gitlab,omitempty"`
	Gitea                       manifest.Object   `json:"gitea,omitempty"`
	Bitbucket                   manifest.Object   `json:"bitbucket,omitempty"`
	BitbucketServer             manifest.Object   `json:"bitbucketServer,omitempty"`
	AzureDevOps                 manifest.Object   `json:"azuredevops,omitempty"`
	Filters                     []PRFilter        `json:"filters,omitempty"`
	RequeueAfterSeconds         *int64            `json:"requeueAfterSeconds,omitempty"`
	ContinueOnRepoNotFoundError bool              `json:"continueOnRepoNotFoundError,omitempty"`
	Template                    manifest.Object   `json:"template,omitempty"`
	Values                      map[string]string `json:"values,omitempty"`
}

// PRFilter is met when all that is set in it is; expressions.
type PRFilter struct {
	BranchMatch       *string `json:"branchMatch,omitempty"`
	TargetBranchMatch *string `json:"targetBranchMatch,omitempty"`
	TitleMatch        *string `json:"titleMatch,omitempty"`
}

// Status is an ApplicationSet's status.
type Status struct {
	Conditions        []Condition            `json:"conditions,omitempty"`
	ApplicationStatus []ApplicationStatus    `json:"applicationStatus,omitempty"`
	Resources         []application.Resource `json:"resources,omitempty"`
	ResourcesCount    int64                  `json:"resourcesCount,omitempty"`
	Health            application.Health     `json:"health,omitzero"`
}

// Condition is one of ErrorOccurred, ParametersGenerated, ResourcesUpToDate, RolloutProgressing.
type Condition struct {
	Type               string     `json:"type"`
	Message            string     `json:"message"`
	LastTransitionTime *time.Time `json:"lastTransitionTime,omitempty"`
	Status             string     `json:"status"`
	Reason             string     `json:"reason"`
}

// ApplicationStatus is how far an Application is in a progressive sync: Waiting, Pending, Progressing, Healthy.
type ApplicationStatus struct {
	Application        string     `json:"application"`
	LastTransitionTime *time.Time `json:"lastTransitionTime,omitempty"`
	Message            string     `json:"message"`
	Status             string     `json:"status"`
	Step               string     `json:"step"`
	TargetRevisions    []string   `json:"targetRevisions"`
}

// World is what generators are told when they ask. What is nil is asked by no one: a generator that needs it is refused.
type World struct {
	// Clusters are those that Argo CD knows; the one it runs in is among them, with nil labels where it has no Secret.
	Clusters func() ([]Cluster, error)
	// Tree is a repository at a revision. project is the one whose credentials may be used, "" where it is templated, so that
	// only those of no project may.
	Tree func(repoURL, revision, project string) (Tree, error)
	// PullRequests asks a forge for those that are open; filters are applied by the package. ErrNoRepository says that there is
	// no such repository.
	PullRequests func(PullRequest) ([]Pull, error)
	// Repositories asks a forge for the branches of the repositories for which keep is true; other filters are applied by the
	// package.
	Repositories func(p SCMProvider, keep func(name string, labels []string) bool) ([]Repository, error)
	// NewGlobbing has the git file generator match as a path is read: * stops at a slash and ** does not
	// (documentation page "Git File Generator Globbing"). Argo CD's default, which is greedy, is false.
	NewGlobbing bool
}

// ErrNoRepository is in the error of a forge that does not have the repository.
var ErrNoRepository = errors.New("the repository was not found")

// Tree is the files of one commit.
type Tree interface {
	// Files are the paths of all files, without a leading slash, in order.
	Files() ([]string, error)
	Read(path string) ([]byte, error)
}

// Cluster is a cluster's Secret.
type Cluster struct {
	Name, Server, Project string
	Labels, Annotations   map[string]string
}

// Pull is an open pull request.
type Pull struct {
	Number                         int64
	Title, Branch, Target, HeadSHA string
	Author                         string
	Labels                         []string
}

// Repository is a branch of a repository. Exists tells whether it holds a file or folder.
type Repository struct {
	Organization, Name, URL, Branch, SHA string
	ID                                   int64
	Labels                               []string
	Exists                               func(path string) (bool, error)
}
