package lint

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"strings"
	"sync"
)

// popularTable holds the names of inputs and outputs of popular actions by version: facts that actionlint has gathered
// (github.com/rhysd/actionlint v1.7.12, The MIT License, Copyright (c) 2021 rhysd). It is made anew by
//
//	go run -C tools/oracle . popular > internal/dialect/github/lint/popular.json.gz
//
//go:embed popular.json.gz
var popularTable []byte

// popularAction is a line of the table. Inputs that must be given end with !.
type popularAction struct {
	Uses       string            `json:"uses"`
	Inputs     []string          `json:"in"`
	Outputs    []string          `json:"out"`
	Deprecated map[string]string `json:"old"`
	AnyInput   bool              `json:"anyIn"`
	AnyOutput  bool              `json:"anyOut"`
	Outdated   bool              `json:"outdated"`
}

// popular is the table by uses, with the repository in lower case.
var popular = sync.OnceValue(func() map[string]popularAction {
	out := map[string]popularAction{}
	z, err := gzip.NewReader(bytes.NewReader(popularTable))
	if err != nil {
		return out
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a popularAction
		if json.Unmarshal(lines.Bytes(), &a) == nil && a.Uses != "" {
			out[lowerName(a.Uses)] = a
		}
	}
	return out
})

// lowerName is uses with its repository in lower case; the ref keeps its case.
func lowerName(uses string) string {
	name, ref, ok := strings.Cut(uses, "@")
	if !ok {
		return strings.ToLower(uses)
	}
	return strings.ToLower(name) + "@" + ref
}

// popularNamed is what the table knows of uses; nil where it is not there.
func popularNamed(uses string) *action {
	line, ok := popular()[lowerName(uses)]
	if !ok {
		return nil
	}
	a := &action{outdated: line.Outdated, anyInput: line.AnyInput, anyOutput: line.AnyOutput || line.Outdated, outputs: []string{}}
	for _, name := range line.Inputs {
		name, required := strings.CutSuffix(name, "!")
		message, old := line.Deprecated[name]
		a.inputs = append(a.inputs, actionInput{name: name, required: required, old: old, message: message})
	}
	a.outputs = append(a.outputs, line.Outputs...)
	return a
}
