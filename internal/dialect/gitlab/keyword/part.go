package keyword

import (
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Image is the container that a job runs in. Name may hold variables.
type Image struct {
	Name       Text
	Entrypoint *Texts // nil: the image's own
	PullPolicy []Text // always, if-not-present, never
	Docker     Docker
	Kubernetes Kubernetes
	Place      fault.Place
}

// Docker is image:docker and services:docker.
type Docker struct {
	Platform Text
	User     Text
	Place    fault.Place
}

// Kubernetes is image:kubernetes and services:kubernetes.
type Kubernetes struct {
	User  Text // a number or a name, "1001" or "1001:1001"
	Place fault.Place
}

// Services is the list of containers beside a job. An empty list is a value: it takes the defaults away.
type Services struct {
	Items []Service
	Place fault.Place
}

// Service is one container beside a job.
type Service struct {
	Image
	Alias     Text // one name, or several parted by commas or spaces
	Aliases   []string
	Command   *Texts
	Variables []Variable
}

// Artifacts is what a job leaves behind.
type Artifacts struct {
	Name      Text
	Paths     []Text
	Exclude   []Text
	Untracked Flag
	When      Placed[plan.When] // on_success where not written
	ExpireIn  Span
	ExposeAs  Text
	Access    Text // all, developer, maintainer, none
	Public    Flag // the older form of access; true where not written
	Reports   []Report
	Place     fault.Place
}

// Report is one kind of artifacts:reports with its files. Format is set for coverage_report (cobertura, jacoco).
type Report struct {
	Kind   string
	Format Text
	Paths  []Text
	Place  fault.Place
}

// Caches is the list of a job's caches. An empty list is a value: it takes the defaults away.
type Caches struct {
	Items []Cache
	Place fault.Place
}

// Cache is one set of files kept between runs.
type Cache struct {
	Key          Key
	FallbackKeys []Text
	Paths        []Text
	Untracked    Flag
	When         Placed[plan.When] // on_success where not written
	Policy       Text              // pull-push where not written; may be a variable
	Unprotect    Flag
	Place        fault.Place
}

// Key names a cache: Text ("default" where nothing is written), or computed from Files.
type Key struct {
	Text    Text
	Files   []Text // paths or patterns
	Commits bool   // files_commits: by the last commit that changed each; files: by their content
	Prefix  Text
	Place   fault.Place
}

// Environment is where a job deploys to.
type Environment struct {
	Name       Text // may hold variables
	URL        Text
	OnStop     Text
	Action     Text // start where not written
	AutoStopIn Span
	Tier       Text
	Kubernetes *Cluster
	Place      fault.Place
}

// Cluster is environment:kubernetes. Namespace and FluxResourcePath are those of dashboard:, or the deprecated ones.
type Cluster struct {
	Agent            Text
	Namespace        Text
	FluxResourcePath Text
	ManagedResources Flag // managed_resources:enabled
	Place            fault.Place
}

// Release is what a job publishes when it succeeds.
type Release struct {
	TagName     Text
	TagMessage  Text
	Name        Text
	Description Text
	Ref         Text
	Milestones  []Text
	ReleasedAt  Text
	Links       []Link
	Place       fault.Place
}

// Link is one of release:assets:links.
type Link struct {
	Name, URL, FilePath, Type Text
	Place                     fault.Place
}

// Trigger starts another pipeline: of another project (Project), or a child of this one (Include). Upstream alone is
// the form needs:pipeline, which takes over the status of another project's latest pipeline.
type Trigger struct {
	Upstream Text
	Project  Text
	Branch   Text
	Strategy Text // depend, mirror; "" starts it and goes on
	Forward  Forward
	Inputs   []Input
	Include  []Include
	Node     *yamlx.Node // what trigger:include says, for package config; nil without include
	Place    fault.Place
}

// Forward is trigger:forward.
type Forward struct {
	YAMLVariables     Flag // true where not written
	PipelineVariables Flag
}

// Include is one file of a child pipeline: exactly one of Local, Remote, Project (with Files), Template, Component and
// Artifact (with Job) is set.
type Include struct {
	Local, Remote, Template, Component Text
	Project, Ref                       Text
	Files                              []Text
	Artifact, Job                      Text
	Integrity                          Text
	Inputs                             []Input
	Node                               *yamlx.Node // as written, for package config
	Place                              fault.Place
}

// Pages says that a job publishes a site. Enabled is false for pages: false.
type Pages struct {
	Enabled    bool
	Publish    Text
	PathPrefix Text
	ExpireIn   Span
	Place      fault.Place
}

// Secret is one variable that comes from a secret store. Provider is vault, azure_key_vault, gcp_secret_manager,
// aws_secrets_manager, akeyless or gitlab_secrets_manager.
type Secret struct {
	Name     string
	Provider string
	Fields   []Input // of the provider
	File     Flag    // true where not written
	Token    Text
	Place    fault.Place
}

// IDToken is one variable with a signed token for other systems.
type IDToken struct {
	Name     string
	Audience []Text
	Place    fault.Place
}

// Dast is dast_configuration.
type Dast struct {
	SiteProfile    Text
	ScannerProfile Text
	Place          fault.Place
}
