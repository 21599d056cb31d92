package config

import (
	"context"
	"errors"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Errors by which a port says why something cannot be had. A file that is missing is fs.ErrNotExist.
var (
	// ErrOutside means that a path leaves the project, through .. or a symbolic link.
	ErrOutside = errors.New("outside of the project")
	// ErrNotConfigured means that nothing says where a project, a component or a template is.
	ErrNotConfigured = errors.New("not configured")
)

// Files is the tree of one project at one revision. Paths are relative to its root, with slashes, without a leading
// one and without dots.
type Files interface {
	// Read is the content of a file. fs.ErrNotExist and ErrOutside say why there is none. An implementation reads no
	// more than yamlx.MaxBytes+1 bytes.
	Read(ctx context.Context, path string) ([]byte, error)
	// Glob lists the files that a pattern with * and ** matches; MatchPath has the rules.
	Glob(ctx context.Context, pattern string) ([]string, error)
}

// Source finds what is outside of the project.
type Source interface {
	// Project is the tree of another project; ref "" means its HEAD. fs.ErrNotExist: no such project or ref.
	Project(ctx context.Context, path, ref string) (Files, error)
	// Component is the project of a component at a version: a SHA, a tag, a branch, ~latest or a part of a semantic
	// version such as 1 or 1.2 (CI/CD components, "Component versions").
	Component(ctx context.Context, c Component) (Release, error)
	// Remote is the content behind a URL of http or https.
	Remote(ctx context.Context, r Remote) ([]byte, error)
	// Template is the text of a GitLab template, such as "Auto-DevOps.gitlab-ci.yml".
	Template(ctx context.Context, name string) ([]byte, error)
}

// Component is the address of a component: Host/Project/Name@Version.
type Component struct {
	Host, Project, Name, Version string
}

// Release is the project of a component at the version asked for.
type Release struct {
	Files   Files
	SHA     string
	Version string // the semantic version that it resolved to, "" where it was a branch or a SHA
}

// Remote is a file on the web. Cache is include:cache as written ("true", "1 day"), "" for none; the pin of
// include:integrity is checked here and not by the port.
type Remote struct {
	URL, Cache string
}

// Variable is the value of a variable that include may use.
type Variable struct {
	Value  string
	Masked bool // it may not be written into the configuration by expand_vars
}

// Rules decides whether an include is taken: rules is the list as written, checked for its keys, and scope is what
// it is decided in. Mistakes in the rules are returned as faults.
type Rules func(ctx context.Context, rules *yamlx.Node, scope Scope) (bool, []*fault.Fault)

// Scope is where an include stands.
type Scope struct {
	// Files is the project of the file that the include stands in: exists looks there. nil in remote files and templates.
	Files Files
	// Variables are those that the include may use; in remote files and templates there are none.
	Variables func(name string) (Variable, bool)
}

// origin is a file while it is read, with what its includes are resolved in.
type origin struct {
	kind        string
	name        string // in places
	prefix      string // of the names of files of the same project
	path        string // in files
	files       Files  // nil in remote files and templates: there is no project
	variables   func(name string) (Variable, bool)
	component   map[string]*yamlx.Node // values of $[[ component.x ]]; nil outside of components
	inputs      *yamlx.Node
	at          fault.Place
	parent      *origin
	depth       int
	index       int // in Config.Files
	parentIndex int
}

func (o *origin) scope() Scope { return Scope{Files: o.files, Variables: o.variables} }
