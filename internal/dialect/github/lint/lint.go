package lint

import (
	"context"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Files reads the repository. Paths are relative to its top, with slashes.
type Files interface {
	// Read is a file's text; the error is fs.ErrNotExist where there is none.
	Read(ctx context.Context, path string) ([]byte, error)
}

// Source reads other repositories, as far as they are at hand.
type Source interface {
	// Read is the text of a file of owner/repo at a ref. Any error means that it cannot be had: nothing is checked then.
	Read(ctx context.Context, repository, ref, path string) ([]byte, error)
}

// Input is what is checked, and what may be asked about it.
type Input struct {
	// File is a workflow that was read; Action an action.yml. One of them is set. What the reader told is not repeated.
	File   *workflow.File
	Action *workflow.Action
	// Text is the text of that file. Without it places inside of matrix values are those of the values, and anchors are
	// not looked at.
	Text []byte
	// Files is the repository; nil leaves out local actions and workflows.
	Files Files
	// Source has other repositories; nil leaves them out, but for popular actions.
	Source Source
	// Config is the repository's configuration of linters; nil is none.
	Config *Config

	nested bool // the action is looked at for a workflow that uses it: what it uses itself is not
}

// Check finds mistakes: errors where GitHub refuses the file or a run is sure to fail, warnings for what surely was not
// meant, notes about style and risk. They are sorted by place. ctx is handed to the ports.
func Check(ctx context.Context, in Input) fault.Faults {
	c := newChecker(ctx, in)
	switch {
	case in.File != nil:
		c.file = in.File.Path
		c.places = workflow.Places(c.file, in.Text)
		c.workflow()
	case in.Action != nil:
		c.file = in.Action.Path
		c.places = workflow.Places(c.file, in.Text)
		c.metadata()
	}
	c.anchors()
	return c.sorted()
}

// maxTold bounds the faults of one file.
const maxTold = 1000

// checker checks one file.
type checker struct {
	ctx     context.Context
	in      Input
	file    string
	places  func(*yamlx.Node) func(int) fault.Place
	faults  fault.List
	told    int
	actions map[string]*action // by uses; nil for what is not known
	calls   map[string]*callee // by uses
	jobs    map[string]*workflow.Job
	unsafe  bool // ACTIONS_ALLOW_UNSECURE_COMMANDS is set somewhere
}

func newChecker(ctx context.Context, in Input) *checker {
	return &checker{ctx: ctx, in: in, actions: map[string]*action{}, calls: map[string]*callee{}, jobs: map[string]*workflow.Job{}}
}

func (c *checker) tell(fs ...*fault.Fault) {
	for _, f := range fs {
		if c.told++; c.told <= maxTold {
			c.faults.Add(f)
		}
	}
}

func (c *checker) mistake(code string, at fault.Place, format string, args ...any) *fault.Fault {
	f := fault.At(code, at, format, args...)
	c.tell(f)
	return f
}

func (c *checker) warn(code string, at fault.Place, format string, args ...any) *fault.Fault {
	return c.mistake(code, at, format, args...).WithSeverity(fault.Warning)
}

func (c *checker) note(code string, at fault.Place, format string, args ...any) *fault.Fault {
	return c.mistake(code, at, format, args...).WithSeverity(fault.Note)
}

func (c *checker) sorted() fault.Faults {
	if extra := c.told - maxTold; extra > 0 {
		c.faults.Add(fault.At(CodeMore, fault.Place{File: c.file, Line: 1, Column: 1}, "the file has %d more findings than are told here", extra).
			WithSeverity(fault.Warning))
	}
	return c.faults.Sorted()
}

// anchors tells anchors that nothing names.
func (c *checker) anchors() {
	if !mayAnchor(c.in.Text) {
		return
	}
	var faults fault.List
	yamlx.Parse(c.in.Text, yamlx.Options{File: c.file, Schema: yamlx.Core, NoMerge: true, MaxSize: workflow.MaxValues, Unused: fault.Warning}, &faults)
	for _, f := range faults.Sorted() {
		if f.Code == yamlx.CodeUnused {
			c.tell(f)
		}
	}
}

// mayAnchor reports whether a text may have an anchor: an & before a name that does not stand in the middle of a word, as
// that of an address does. Most workflows have && only, and reading them a second time takes as long as all other checks.
func mayAnchor(text []byte) bool {
	for i, b := range text {
		if b != '&' || i+1 == len(text) || strings.IndexByte("& \t\r\n", text[i+1]) >= 0 {
			continue
		}
		before := byte('\n')
		if i > 0 {
			before = text[i-1]
		}
		if before != '&' && (before < '0' || before > '9') && (before|0x20 < 'a' || before|0x20 > 'z') {
			return true
		}
	}
	return false
}

// near is the known name that was probably meant, "" where none is near. Upper and lower case do not count.
func near(name string, names []string) string {
	for _, n := range names {
		if strings.EqualFold(strings.ReplaceAll(n, "_", "-"), strings.ReplaceAll(name, "_", "-")) {
			return n
		}
	}
	if len(name) < 4 {
		return "" // everything short is near
	}
	return fault.Nearest(strings.ToLower(name), names)
}

// single is the expression of a text that is nothing else.
func single(t workflow.Text) *expr.Expr {
	if t.Template == nil {
		return nil
	}
	return t.Template.Single()
}
