package render

import (
	"encoding/json"

	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Kind is the name of the evaluator in a sandbox.
const Kind = "render"

// main is the tree of the source itself; those of $ref sources go by their ref.
const mainTree = ""

// request is what a child renders: one source of one application. Files are asked for.
type request struct {
	Source      application.Source `json:"source"`
	App         string             `json:"app"` // the name without a namespace
	Qualified   string             `json:"qualified"`
	Namespace   string             `json:"namespace"`
	Project     string             `json:"project"`
	Revision    string             `json:"revision"`
	KubeVersion string             `json:"kubeVersion,omitempty"`
	APIVersions []string           `json:"apiVersions,omitempty"`
	Refs        []string           `json:"refs,omitempty"` // the trees that $name/path may name
	Rules       Rules              `json:"rules,omitzero"`
}

// Rules are what Argo CD's settings say of rendering.
type Rules struct {
	Off     []string `json:"off,omitempty"`     // tools that no folder is taken for: Helm, Kustomize, Jsonnet
	Unbound bool     `json:"unbound,omitempty"` // Kustomize may read files above a kustomization, inside of the repository
}

// answer is what came of it. Objects are JSON, one each.
type answer struct {
	Type     string            `json:"type"`
	Objects  []json.RawMessage `json:"objects"`
	Revision bool              `json:"revision,omitempty"` // the commit's own name stands in the objects
	Warnings []*fault.Fault    `json:"warnings,omitempty"`
}

// The questions of a child.
const (
	askStat  = "stat"
	askList  = "list"
	askWalk  = "walk"
	askRead  = "read"
	askChart = "chart"
	askBase  = "base"
)

// place names a file of a tree.
type place struct {
	Tree string `json:"tree,omitempty"`
	Name string `json:"name"`
}

// found is where a name leads without links.
type found struct {
	Real string      `json:"real"`
	Sort source.Sort `json:"sort"`
}

// several names files of a tree.
type several struct {
	Tree  string   `json:"tree,omitempty"`
	Names []string `json:"names"`
}

// content is one file's text, or why there is none.
type content struct {
	Text    []byte       `json:"text,omitempty"`
	Missing bool         `json:"missing,omitempty"`
	Fault   *fault.Fault `json:"fault,omitempty"`
	Error   string       `json:"error,omitempty"`
}

// dependency names a chart of a repository.
type dependency struct {
	Repository string `json:"repository"`
	Name       string `json:"name"`
	Version    string `json:"version"`
}
