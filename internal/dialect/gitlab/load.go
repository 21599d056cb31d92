package gitlab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/config"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/variable"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/event"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Input is everything that a pipeline is compiled from.
type Input struct {
	File    string        // of the project: ".gitlab-ci.yml"
	Content []byte        // the text of File; nil: read from Files
	Files   config.Files  // the project's files
	Source  config.Source // other projects, components, remote files and templates; nil: none
	Project Project       // what else is asked of the work tree; nil: it has no files and nothing to compare with

	Occasion event.Occasion
	Given    Given
	Inputs   *yamlx.Node // values of the pipeline's inputs (config.Given); nil: none
	// ChangedSince says that the caller named what to compare with, so that rules:changes compares for every event.
	ChangedSince bool
	// All asks for the plan of the whole file, which decides nothing by the event: every job with its rules as written
	// (plan.Plan.Whole). It is for translating a file, not for running it.
	All bool

	parents parentage
	// artifact reads a file that a job of the parent pipeline left behind.
	artifact func(ctx context.Context, job, path string) ([]byte, error)
}

// Compile turns a pipeline file and an occasion into a plan. All mistakes are collected; where one is an error, the
// plan is as far as it came (for explanations) and must not be run. The plan is nil where the file could not be read.
func Compile(ctx context.Context, in Input) (*plan.Plan, fault.Faults) {
	loaded, faults := config.Load(ctx, config.Input{
		File: in.File, Content: in.Content, Files: in.Files, Source: in.Source, Inputs: in.Inputs,
		Variables: in.includeVariables(), Rules: in.includeRules, Parent: in.artifact,
	})
	if faults.HasErrors() || loaded.Root == nil {
		return nil, faults.Sorted()
	}
	file := in.read(loaded.Root, faults)
	if faults.HasErrors() {
		return nil, faults.Sorted()
	}
	c := newCompiler(&in, file, faults)
	var p *plan.Plan
	if in.All {
		p = c.whole()
	} else {
		p = c.compile(ctx)
	}
	for _, f := range loaded.Files {
		p.Sources = append(p.Sources, plan.Source{Kind: f.Kind, Name: f.Name, Digest: digest(f.Content), Place: f.At})
	}
	return p, faults.Sorted()
}

// read makes the typed file. In a child pipeline needs:pipeline does bring artifacts, so the remark that it needs a
// server is not told.
func (in *Input) read(root *yamlx.Node, faults *fault.List) *keyword.File {
	if in.parents.parent == nil {
		return keyword.Read(root, faults)
	}
	var told fault.List
	file := keyword.Read(root, &told)
	for _, f := range told.Sorted() {
		if f.Code != keyword.CodeServer || !strings.Contains(f.Message, "needs:pipeline:") {
			faults.Add(f)
		}
	}
	return file
}

// includeVariables are what include may use: predefined variables that are known before the pipeline, the project's
// and the pipeline's (GitLab documentation, use variables with include).
func (in *Input) includeVariables() func(string) (config.Variable, bool) {
	shared := variable.ForInclude(in.facts(""))
	shared = append(shared, leveled(in.Given.Project, plan.Project)...)
	shared = append(shared, leveled(in.Given.Pipeline, plan.Pipeline)...)
	vars, _ := variable.New(shared...).Expand(variable.Options{})
	return func(name string) (config.Variable, bool) {
		v, ok := vars.Get(name)
		return config.Variable{Value: v.Value, Masked: v.Masked}, ok
	}
}

// includeRules decides include:rules, where if, exists and changes can stand, with never or always (CI/CD YAML syntax
// reference, include:rules).
func (in *Input) includeRules(ctx context.Context, rules *yamlx.Node, within config.Scope) (bool, []*fault.Fault) {
	var faults fault.List
	c := newCompiler(in, nil, &faults)
	c.surround("")
	if within.Files != nil && within.Files != in.Files {
		c.elsewhere = within.Files
	}
	read := readRules(rules, &faults)
	if faults.HasErrors() {
		return false, faults.Sorted()
	}
	v := c.rules(ctx, read, plan.Always, c.scopeOf(nil), "include")
	return v.in, faults.Sorted()
}

// readRules reads a list of include:rules by the rules of workflow:rules, which are the same.
func readRules(n *yamlx.Node, faults *fault.List) *keyword.Rules {
	at := n.At()
	pair := func(key string, value *yamlx.Node) *yamlx.Node {
		return yamlx.NewMapping([]yamlx.Pair{{Key: yamlx.NewString(key, at), Value: value}}, at)
	}
	tree := pair("workflow", pair("rules", n)).With(yamlx.NewString("job", at), pair("script", yamlx.NewString("true", at)))
	var told fault.List
	file := keyword.Read(tree, &told)
	for _, f := range told.Sorted() {
		f.Message = strings.ReplaceAll(f.Message, "workflow:rules", "include:rules")
		faults.Add(f)
	}
	if file.Workflow.Rules == nil {
		return &keyword.Rules{Place: at}
	}
	return file.Workflow.Rules
}

// digest is the sha256 of a text.
func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
