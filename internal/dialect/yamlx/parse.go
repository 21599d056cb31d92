package yamlx

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v4"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The limits where Options name none. GitLab's own defaults are 2 MB and 100 levels (GitLab administration,
// "Maximum size and depth of CI/CD configuration YAML files").
const (
	MaxBytes  = 8 << 20   // of one file
	MaxDepth  = 100       // levels of nesting, aliases followed
	MaxValues = 1_000_000 // values written in one file
	MaxSize   = 5_000_000 // values in the tree when nothing is shared
	MaxMerged = 1_000_000 // entries that the merge keys of one file copy
)

// Options say how a dialect reads YAML. The zero value reads as GitLab does.
type Options struct {
	// File is the name that places carry.
	File string
	// Schema says which plain scalars are more than text.
	Schema Schema
	// Tags are the local tags that the dialect knows and that stay on the nodes, such as "!reference". Others are
	// reported and dropped.
	Tags []string
	// NoMerge leaves merge keys (<<) alone, as ordinary keys.
	NoMerge bool
	// Duplicate is the severity of a key that is written twice; the last one counts. "" means a warning.
	Duplicate fault.Severity
	// Unused is the severity of an anchor that no alias names; "" tells nothing of them.
	Unused fault.Severity
	// MaxBytes, MaxDepth and MaxSize replace the limits of the package where they are above zero.
	MaxBytes, MaxDepth, MaxSize int
}

func (o Options) filled() Options {
	if o.MaxBytes <= 0 {
		o.MaxBytes = MaxBytes
	}
	if o.MaxDepth <= 0 {
		o.MaxDepth = MaxDepth
	}
	if o.MaxSize <= 0 {
		o.MaxSize = MaxSize
	}
	if o.Duplicate == "" {
		o.Duplicate = fault.Warning
	}
	return o
}

// Parse reads all documents of a file. Mistakes go to faults with their places; after a mistake in the syntax or a
// limit the documents read so far are returned. An empty document is a null scalar; an empty file has no documents.
func Parse(src []byte, o Options, faults *fault.List) []*Node {
	o = o.filled()
	if f := tooLarge(src, o); f != nil {
		faults.Add(f)
		return nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(src), yaml.WithPlugin(limits{depth: 2*o.MaxDepth + 8}))
	if err != nil {
		faults.Add(fault.At(CodeSyntax, fault.Place{File: o.File}, "the YAML reader does not start: %v", err))
		return nil
	}
	var docs []*Node
	for {
		doc, err := load(loader)
		if errors.Is(err, io.EOF) {
			return docs
		}
		if err != nil {
			faults.Add(explain(err, src, o))
			return docs
		}
		b := builder{options: o, faults: faults}
		root := b.document(doc)
		if root == nil {
			return docs
		}
		docs = append(docs, root)
	}
}

// load reads one document. The library is young and reads hostile files, so a panic of its own becomes an error.
func load(loader *yaml.Loader) (doc *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, fmt.Errorf("the YAML reader gave up: %v", r)
		}
	}()
	doc = new(yaml.Node)
	if err := loader.Load(doc); err != nil {
		return nil, err
	}
	return doc, nil
}

// tooLarge refuses a file by its bytes alone, before anything is built from it.
func tooLarge(src []byte, o Options) *fault.Fault {
	at := fault.Place{File: o.File}
	if len(src) > o.MaxBytes {
		return fault.At(CodeLarge, at, "the file has %d bytes, more than the %d that are read", len(src), o.MaxBytes).
			WithHint("split it into several files")
	}
	if n := values(src); n > MaxValues {
		return fault.At(CodeLarge, at, "the file has about %d values, more than the %d that are read", n, MaxValues).
			WithHint("split it into several files")
	}
	return nil
}

// values is an upper estimate of the values that a file holds, from the characters that can start one.
func values(src []byte) int {
	n := 1
	for i, c := range src {
		switch c {
		case '\n':
			n++
		case ',', '[', '{':
			n += 2
		case ':', '-', '?':
			if i+1 == len(src) || src[i+1] <= ' ' {
				n++
			}
		}
	}
	return n
}

// errDeep is how the limit on nesting comes back from the library.
var errDeep = errors.New("nested too deep")

// limits stops the library from building a tree that is too deep to walk; what aliases make of it is checked later.
type limits struct{ depth int }

// CheckDepth is asked at each deeper level.
func (l limits) CheckDepth(depth int, _ *yaml.DepthContext) error {
	if depth > l.depth {
		return errDeep
	}
	return nil
}

// CheckAlias never refuses: aliases are not expanded here.
func (l limits) CheckAlias(int, int) error { return nil }
