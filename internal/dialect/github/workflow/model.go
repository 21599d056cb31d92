// Package workflow is the model of GitHub's workflow files and of the metadata files of actions (action.yml): Read and
// ReadAction turn a file into typed values in which every text knows its place and its expressions. Every key of the
// reference is known; one that is not, or that does not fit, is told with its place. The package evaluates nothing,
// looks into no other file, and decides nothing about events.
package workflow

import (
	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Text is a scalar that may hold ${{ }}. A zero Text was not written.
type Text struct {
	Set      bool
	Value    string // as GitHub makes text of it: 1.10 is 1.1, True is true, nothing is ""
	Node     *yamlx.Node
	Template *expr.Template // nil where Set is false, the place takes no expressions, or one of them cannot be read
}

// At is where the text stands.
func (t Text) At() fault.Place { return t.Node.At() }

// Dynamic reports whether the text holds an expression.
func (t Text) Dynamic() bool { return t.Template != nil && !t.Template.Static() }

// Named is a text with a name: env, with, outputs, inputs, secrets.
type Named struct {
	Name  Text // Dynamic only in an env and in the with of a step, where GitHub reads expressions in names, too
	Value Text
}

// Env is an env: a mapping, or an expression that gives one.
type Env struct {
	Vars []Named
	Expr Text // where the whole is one expression
	Node *yamlx.Node
}

// File is one workflow file.
type File struct {
	Path        string // relative to the repository, with slashes
	Node        *yamlx.Node
	Name        Text
	RunName     Text
	On          []Trigger
	Permissions Permissions
	Env         Env
	Defaults    Defaults
	Concurrency *Concurrency
	Jobs        []*Job
}

// Title is how GitHub calls the workflow: its name, else its path.
func (f *File) Title() string {
	if f.Name.Set && f.Name.Value != "" {
		return f.Name.Value
	}
	return f.Path
}

// Trigger is one event of on. Lists that were not written are nil; an empty list is not nil.
type Trigger struct {
	Event          string
	Place          fault.Place
	Types          []Text
	Branches       []Text
	BranchesIgnore []Text
	Tags           []Text
	TagsIgnore     []Text
	Paths          []Text
	PathsIgnore    []Text
	Workflows      []Text   // workflow_run
	Names          []Text   // image_version
	Versions       []Text   // image_version
	Crons          []Cron   // schedule
	Inputs         []*Input // workflow_dispatch, workflow_call
	Secrets        []*Secret
	Outputs        []*CallOutput
}

// Cron is one entry of schedule.
type Cron struct {
	Spec     Text
	Timezone Text
}

// Input is an input of workflow_dispatch or workflow_call.
type Input struct {
	Name               Text
	Description        Text
	DeprecationMessage Text
	Required           bool
	Default            Text
	Type               string // string, boolean, number, choice, environment; "" where it was not written
	Options            []Text
}

// Secret is a secret of workflow_call.
type Secret struct {
	Name        Text
	Description Text
	Required    bool
}

// CallOutput is an output of workflow_call.
type CallOutput struct {
	Name        Text
	Description Text
	Value       Text
}

// Permissions are of the token. All is read-all, write-all or "" where scopes are named; Set false: not written.
type Permissions struct {
	Set    bool
	All    string
	Scopes []Named
	Node   *yamlx.Node
}

// Defaults are defaults.run. Expr is set where the whole of a job's defaults.run is one expression.
type Defaults struct {
	Expr             Text
	Shell            Text
	WorkingDirectory Text
}

// Concurrency is a concurrency group.
type Concurrency struct {
	Group            Text
	CancelInProgress Text
	Queue            Text // single or max, where it was written
	Expr             Text // where the whole is one expression; then Group is the same
	Place            fault.Place
}

// Job is one job of a file: with steps, or a call of a reusable workflow (Uses).
type Job struct {
	ID              string
	Place           fault.Place // of its key
	Node            *yamlx.Node
	Name            Text
	Needs           []Text
	If              *Condition
	RunsOn          RunsOn
	Permissions     Permissions
	Environment     *Environment
	Concurrency     *Concurrency
	Outputs         []Named
	Env             Env
	Defaults        Defaults
	Steps           []*Step
	Snapshot        Text // the name of the image; none is made here
	SnapshotIf      *Condition
	TimeoutMinutes  Text
	ContinueOnError Text
	Strategy        *Strategy
	Container       *Container
	Services        []*Service
	ServicesExpr    Text // where services is one expression

	Uses           Text // of a reusable workflow
	With           []Named
	Secrets        []Named
	SecretsInherit bool
}

// Condition is an if.
type Condition struct {
	Text Text
	Cond *expr.Condition
}

// RunsOn is what a job runs on: labels, each may be an expression; one expression may give a list. Group is that of
// runs-on: {group, labels}.
type RunsOn struct {
	Labels []Text
	Group  Text
	Node   *yamlx.Node
}

// Environment is where a job deploys to. Where the whole is one expression, which may give text or {name, url}, it is
// Name.
type Environment struct {
	Name       Text
	URL        Text
	Deployment Text
	Place      fault.Place
}

// Strategy is a matrix with its rules. Expr is set where the whole is one expression.
type Strategy struct {
	Expr        Text
	Matrix      *Matrix
	FailFast    Text
	MaxParallel Text
	Place       fault.Place
}

// Matrix is a matrix. Expr is set where the whole is one expression.
type Matrix struct {
	Expr    Text
	Rows    []Row
	Include *Combinations
	Exclude *Combinations
	Place   fault.Place
}

// Row is one variable of a matrix, whose name may be an expression. Expr is set where its values are one expression; else Values are any YAML, whose
// scalars may hold expressions.
type Row struct {
	Name   Text
	Expr   Text
	Values []*yamlx.Node
}

// Combinations are include or exclude: a list of mappings, or an expression that gives one.
type Combinations struct {
	Expr  Text
	Items []*yamlx.Node
	Place fault.Place
}

// Container is the image that a job or service runs in. Short: the whole is Image, an image's name or one expression,
// which may give a name or a mapping.
type Container struct {
	Image       Text
	Short       bool
	Credentials *Credentials
	Env         Env
	Ports       []Text
	PortsExpr   Text // where ports is one expression
	Volumes     []Text
	VolumesExpr Text // where volumes is one expression
	Options     Text
	Entrypoint  Text // of services
	Command     Text // of services
	Place       fault.Place
}

// Credentials are of a registry. Expr is set where the whole is one expression.
type Credentials struct {
	Username, Password Text
	Expr               Text
	Place              fault.Place
}

// Service is a container beside a job.
type Service struct {
	Name      Text
	Container *Container
}

// Step is one step of a job or of a composite action.
type Step struct {
	Place            fault.Place
	Node             *yamlx.Node
	ID               Text
	Name             Text
	If               *Condition
	Uses             Text
	Run              Text
	Shell            Text
	WorkingDirectory Text
	With             []Named
	WithExpr         Text // where with is one expression
	Env              Env
	ContinueOnError  Text
	TimeoutMinutes   Text

	// Steps that run beside others. Table Keys refuses them so far.
	Background Text
	Wait       []Text // ids of background steps
	WaitAll    bool
	Cancel     Text // id of a background step
	Parallel   []*Step
}

// Action is the metadata of an action (action.yml).
type Action struct {
	Path        string
	Node        *yamlx.Node
	Name        Text
	Description Text
	Author      Text
	Inputs      []*ActionInput
	Outputs     []*ActionOutput
	Using       Text // node20, node24, docker, composite
	// JavaScript.
	Main, Pre, Post Text
	PreIf, PostIf   *Condition
	// Docker.
	Image                                     Text
	Entrypoint, PreEntrypoint, PostEntrypoint Text
	Args                                      []Text
	Env                                       Env
	// Composite.
	Steps []*Step
}

// ActionInput is an input of an action.
type ActionInput struct {
	Name               Text
	Description        Text
	DeprecationMessage Text
	Required           bool
	Default            Text
}

// ActionOutput is an output of an action; Value is that of composite ones.
type ActionOutput struct {
	Name        Text
	Description Text
	Value       Text
}
