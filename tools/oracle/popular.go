package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
)

// popularHeader begins the table, as the licence of actionlint asks.
const popularHeader = `# Names of inputs and outputs of popular actions: facts gathered by actionlint (github.com/rhysd/actionlint, v1.7.12).
# The MIT License, Copyright (c) 2021 rhysd. Permission is granted to use, copy, modify, merge, publish and distribute
# it with this notice; it is provided "as is", without warranty of any kind.
# Made by: go run -C tools/oracle . popular > internal/dialect/github/lint/popular.json.gz
`

// popularAction is one line of the table. Inputs that must be given end with !.
type popularAction struct {
	Uses       string            `json:"uses"`
	Inputs     []string          `json:"in,omitempty"`
	Outputs    []string          `json:"out,omitempty"`
	Deprecated map[string]string `json:"old,omitempty"` // inputs with what their authors say
	AnyInput   bool              `json:"anyIn,omitempty"`
	AnyOutput  bool              `json:"anyOut,omitempty"`
	Outdated   bool              `json:"outdated,omitempty"` // needs a Node that GitHub no longer has
}

// popular writes the table, compressed.
func popular(out io.Writer) error {
	z, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return fmt.Errorf("compress the table: %w", err)
	}
	if _, err := io.WriteString(z, popularHeader); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	lines := json.NewEncoder(z)
	lines.SetEscapeHTML(false)
	for _, uses := range slices.Sorted(maps.Keys(actionlint.PopularActions)) {
		if err := lines.Encode(popularLine(uses, actionlint.PopularActions[uses])); err != nil {
			return fmt.Errorf("write the table: %w", err)
		}
	}
	for _, uses := range slices.Sorted(maps.Keys(actionlint.OutdatedPopularActionSpecs)) {
		if err := lines.Encode(popularAction{Uses: uses, Outdated: true}); err != nil {
			return fmt.Errorf("write the table: %w", err)
		}
	}
	return z.Close()
}

func popularLine(uses string, meta *actionlint.ActionMetadata) popularAction {
	a := popularAction{Uses: uses, AnyInput: meta.SkipInputs, AnyOutput: meta.SkipOutputs}
	for _, id := range slices.Sorted(maps.Keys(meta.Inputs)) {
		in := meta.Inputs[id]
		name := in.Name
		if in.Required {
			name += "!"
		}
		a.Inputs = append(a.Inputs, name)
		if in.Deprecated {
			if a.Deprecated == nil {
				a.Deprecated = map[string]string{}
			}
			a.Deprecated[in.Name] = strings.Join(strings.Fields(in.DeprecationMessage), " ")
		}
	}
	for _, id := range slices.Sorted(maps.Keys(meta.Outputs)) {
		a.Outputs = append(a.Outputs, meta.Outputs[id].Name)
	}
	return a
}
