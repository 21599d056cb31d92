// Package config turns a pipeline file and everything it includes into one tree: headers with inputs are read and
// interpolated, includes fetched and merged, extends and !reference resolved. Every value keeps the place where it was
// written, across files. It knows no keywords of jobs and applies no defaults: that is the next stage.
//
// It refuses what GitLab refuses, each mistake with its place, and anything that would grow without bound. It opens no
// files and no connections: ports hand it bytes.
package config

import (
	"context"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The limits of a configuration. Those on includes and inputs are GitLab's (CI/CD YAML syntax reference, include;
// CI/CD inputs).
const (
	MaxIncludes     = 150      // included files, each time counted
	MaxIncludeDepth = 100      // files that include one another in a row
	MaxTotalBytes   = 64 << 20 // text of all files together
	MaxExtends      = 11       // levels of extends
	MaxInputs       = 20       // values given to a pipeline
	MaxOptions      = 50       // options of one input
	MaxBlocks       = 10_000   // different $[[ ]] in a file
	MaxFunctions    = 3        // functions in one $[[ ]]
	usualBytes      = 2 << 20  // GitLab's default limit on one file
)

// Input is what Load needs.
type Input struct {
	// File is the path of the pipeline file in Files, such as ".gitlab-ci.yml".
	File string
	// Content is the text of File; nil means that it is read from Files.
	Content []byte
	// Include stands for a file that holds nothing but this include: the trigger:include of a child pipeline. File is
	// then only a name, and Content is not read.
	Include *yamlx.Node
	// Files is the project's own tree.
	Files Files
	// Source finds what is outside of the project; nil where nothing is configured.
	Source Source
	// Inputs is a mapping of values for the inputs of the pipeline file; see Given. nil gives none.
	Inputs *yamlx.Node
	// Variables are those that include may use (Use CI/CD configuration from other files, "Use variables with include").
	// nil defines none.
	Variables func(name string) (Variable, bool)
	// Rules decides include:rules. nil takes every include.
	Rules Rules
	// Parent has the artifacts of the jobs of the parent pipeline, where this is a child pipeline's file: include:artifact.
	Parent func(ctx context.Context, job, path string) ([]byte, error)
}

// Config is one resolved configuration.
type Config struct {
	// Root is the merged mapping: global keywords, jobs and hidden jobs, without include. Lists may be nested where
	// anchors and references put lists into lists, as in GitLab. nil where the file could not be read.
	Root *yamlx.Node
	// Jobs are the entries of Root that are no global keywords, in order, hidden ones too.
	Jobs []Job
	// Files are the files read, the pipeline file first, then in the order of inclusion.
	Files []File
	// Inputs are the inputs that the pipeline file declares.
	Inputs []Declared
}

// Job is one entry of the top level.
type Job struct {
	Name    string
	Hidden  bool        // its name starts with a dot
	Key     *yamlx.Node // the name where it was written
	Node    *yamlx.Node // what it says, extends and references resolved; not always a mapping
	Extends []string    // what it names in extends
}

// File is a file that the configuration was read from.
type File struct {
	Kind    string      // root, local, project, remote, template, component or artifact
	Name    string      // as in places
	At      fault.Place // the include; zero for the root
	Parent  int         // index of the file that includes it; -1 for the root
	Inputs  *yamlx.Node // values given; nil for none
	Content []byte
}

// Declared is an input that the pipeline file declares.
type Declared struct {
	Name, Type, Description string
	Required                bool
	Default                 *yamlx.Node   // nil for none
	Options                 []*yamlx.Node // nil for any value
	Value                   *yamlx.Node   // what it has in this run
	Place                   fault.Place
}

// globals are the entries of the top level that are no jobs (CI/CD YAML syntax reference, global keywords).
var globals = map[string]bool{
	"default": true, "include": true, "stages": true, "workflow": true, "variables": true, "image": true,
	"services": true, "before_script": true, "after_script": true, "cache": true, "types": true,
}

// Given makes the Inputs of a pipeline from name and text, as a command line gives them. Text becomes a number, true or
// false, or a list where the input is of that type.
func Given(values map[string]string) *yamlx.Node {
	plain := make(map[string]any, len(values))
	for k, v := range values {
		plain[k] = v
	}
	return yamlx.From(plain, fault.Place{})
}

// Load reads the pipeline file and all it includes. All mistakes are collected; the Config is never nil, so that what
// could be read can be shown, and is of use to the next stage only where the list has no errors.
func Load(ctx context.Context, in Input) (*Config, *fault.List) {
	l := &loader{in: in, faults: &fault.List{}, texts: map[string]*text{}}
	l.config = &Config{}
	tree := l.root(ctx)
	if l.faults.HasErrors() || tree == nil {
		return l.config, l.faults
	}
	tree = l.extend(tree)
	tree = l.refer(tree)
	l.config.Root = tree
	for _, p := range tree.Pairs {
		if !globals[p.Key.Value] {
			l.config.Jobs = append(l.config.Jobs, Job{
				Name: p.Key.Value, Hidden: strings.HasPrefix(p.Key.Value, "."), Key: p.Key, Node: p.Value, Extends: bases(p.Value),
			})
		}
	}
	return l.config, l.faults
}

// loader is the state of one Load.
type loader struct {
	in      Input
	config  *Config
	faults  *fault.List
	texts   map[string]*text // what was read, by name
	count   int              // includes so far
	bytes   int              // of all texts
	made    int              // bytes of text that interpolation made
	spliced int              // list items that interpolation copied
	lacking []string         // projects that were told to be unknown
	hints   int              // names compared in search of the nearest
	stopped bool             // a limit on includes was passed
}

// maxHints bounds the names that are compared in the search for nearest ones; a file can hold thousands of mistakes.
const maxHints = 20_000

// near is the name that was probably meant, or "".
func (l *loader) near(name string, names []string) string {
	if l.hints += len(names); l.hints > maxHints {
		return ""
	}
	return fault.Nearest(name, names)
}

// tell collects a mistake and returns it, so that a hint can follow.
func (l *loader) tell(code string, at fault.Place, format string, args ...any) *fault.Fault {
	f := fault.At(code, at, format, args...)
	l.faults.Add(f)
	return f
}

// root reads the pipeline file.
func (l *loader) root(ctx context.Context) *yamlx.Node {
	o := &origin{kind: "root", name: l.in.File, files: l.in.Files, variables: l.in.Variables, index: 0, parentIndex: -1}
	if l.in.Include != nil {
		o.index = -1
		return l.includes(ctx, l.in.Include, o)
	}
	at := fault.Place{File: l.in.File}
	content := l.in.Content
	if content == nil {
		path, f := clean(l.in.File, at)
		if f != nil {
			l.faults.Add(f)
			return nil
		}
		if content = l.read(ctx, l.in.Files, path, at, l.in.File); content == nil {
			return nil
		}
	}
	if l.in.Inputs != nil && len(l.in.Inputs.Pairs) > MaxInputs {
		l.tell(CodeTooManyInputs, at, "%d inputs are given; a pipeline takes at most %d", len(l.in.Inputs.Pairs), MaxInputs)
		return nil
	}
	return l.file(ctx, o, content, l.in.Inputs, at)
}
