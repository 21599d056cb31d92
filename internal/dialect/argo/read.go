// Package argo reads files of Kubernetes manifests and holds those of argoproj.io against the models of flow: what a field
// may hold, what Argo says of it, and what of it Sluice does not do, each with its place in the file. It changes no object
// and reads no cluster: what was applied already is judged by the models alone.
package argo

import (
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The faults of this package.
const (
	CodeShape   = "SL5501" // a document is no Kubernetes object
	CodeField   = "SL5502" // a field is not known
	CodeType    = "SL5503" // a field holds something else than it must
	CodeInvalid = "SL5504" // a value that Argo refuses
	CodeRefused = "SL5505" // a field that Sluice does not do
	CodeNoted   = "SL5506" // a field that has no effect here
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeShape, Summary: "a document is no Kubernetes object", Text: "Every document of a manifest has apiVersion, kind and metadata.name (or generateName), or is a List of such."},
	{Code: CodeField, Summary: "a manifest of Argo has a field that is not known", Text: "Kubernetes drops such a field without a word when the object is applied. It may be misspelled, stand one level too deep, or be of another version."},
	{Code: CodeType, Summary: "a field of a manifest holds the wrong type", Text: "The cluster would refuse the object. Often a number or a yes/no wants quotes, or a list has become a mapping."},
	{Code: CodeInvalid, Summary: "a manifest of Argo has a value that Argo refuses", Text: "The message is what the Argo controllers would put into the object's status."},
	{Code: CodeRefused, Summary: "a manifest of Argo asks for something that Sluice does not do", Text: "docs/argo.md lists what is supported. The object is not delivered by halves: take the field out, or keep this one with Argo."},
	{Code: CodeNoted, Summary: "a field of a manifest of Argo has no effect here", Text: "The rest of the object is delivered as it says. docs/argo.md lists these fields with the reason."},
}

// Document is one object of a file, with the place of each of its fields.
type Document struct {
	Object manifest.Object
	node   *yamlx.Node
}

// Read reads the documents of a file; Lists are taken apart. JSON is read as the YAML that it is. What is no object is
// told to faults and left out, empty documents are passed over.
func Read(file string, data []byte, faults *fault.List) []Document {
	var out []Document
	for _, n := range yamlx.Parse(data, yamlx.Options{File: file, Schema: yamlx.Core, Duplicate: fault.Error}, faults) {
		if !n.IsNull() {
			out = object(n, faults, out)
		}
	}
	return out
}

func object(n *yamlx.Node, faults *fault.List, out []Document) []Document {
	if !n.IsMapping() {
		faults.Add(fault.At(CodeShape, n.At(), "this is %s, not a Kubernetes object", n.Describe()))
		return out
	}
	kind, _ := n.Get("kind").Str()
	if version, _ := n.Get("apiVersion").Str(); version == "" || kind == "" {
		faults.Add(fault.At(CodeShape, n.At(), "a Kubernetes object needs apiVersion and kind").WithHint("exclude files that are no manifests"))
		return out
	}
	if version, _ := n.Get("apiVersion").Str(); strings.HasPrefix(version, "kustomize.config.k8s.io/") {
		return out // an instruction to kustomize, not an object
	}
	if items := n.Get("items"); strings.HasSuffix(kind, "List") && items.IsSequence() {
		for _, i := range items.Items {
			out = object(i, faults, out)
		}
		return out
	}
	data, err := n.MarshalJSON()
	if err != nil {
		faults.Add(fault.At(CodeShape, n.At(), "this cannot be said in JSON: %v", err))
		return out
	}
	o, err := manifest.Parse(data)
	if err != nil {
		faults.Add(fault.At(CodeShape, n.At(), "this cannot be said in JSON: %v", err))
		return out
	}
	if o.Name() == "" && o.GenerateName() == "" {
		faults.Add(fault.At(CodeShape, n.At(), "the %s has no metadata.name", kind))
		return out
	}
	return append(out, Document{o, n})
}

// At is the place of a field, named as Kubernetes names it ("spec.strategy.canary.steps[0].setWeight"). Where it is not
// there, it is the place of the deepest part of the path that is.
func (d Document) At(path string) fault.Place {
	n := d.node
	best := n.At()
	if rest, ok := strings.CutPrefix(path, "spec.strategy.steps"); ok { // as Argo names them
		path = "spec.strategy.canary.steps" + rest
	}
	for _, step := range steps(path) {
		var next *yamlx.Node
		if i, err := strconv.Atoi(step); err == nil && n.IsSequence() && i >= 0 && i < len(n.Items) {
			next = n.Items[i]
			best = next.At()
		} else if p, ok := n.Find(step); ok {
			next = p.Value
			best = p.Key.At()
		}
		if next == nil {
			return best
		}
		n = next
	}
	return best
}

// steps takes a path apart: "a.b[0].c[x.y]" has the steps a, b, 0, c and x.y.
func steps(path string) []string {
	var out []string
	for path != "" {
		switch i := strings.IndexAny(path, ".["); {
		case path[0] == '.':
			path = path[1:]
		case path[0] == '[':
			inside, rest, ok := strings.Cut(path[1:], "]")
			if !ok {
				return append(out, path)
			}
			out = append(out, strings.Trim(inside, `"`))
			path = rest
		case i < 0:
			return append(out, path)
		default:
			out = append(out, path[:i])
			path = path[i:]
		}
	}
	return out
}
