package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/rhysd/actionlint"
)

type finding struct {
	Kind    string `json:"kind"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

type findings struct {
	Findings []finding `json:"findings"`
	Error    string    `json:"error,omitempty"`
}

// lintFile lints one workflow file as actionlint does: with a linter of its own, because actionlint tells mistakes of
// local actions and reusable workflows only once.
func lintFile(line []byte) (any, error) {
	var q struct {
		Root   string `json:"root"`   // the repository
		File   string `json:"file"`   // the workflow
		Config string `json:"config"` // actionlint.yaml where it is not in .github of root
	}
	if err := json.Unmarshal(line, &q); err != nil {
		return nil, fmt.Errorf("read question: %w", err)
	}
	project, err := actionlint.NewProject(q.Root)
	if err != nil {
		return findings{Error: err.Error()}, nil
	}
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{WorkingDir: q.Root, ConfigFile: q.Config})
	if err != nil {
		return findings{Error: err.Error()}, nil
	}
	found, err := linter.LintFile(q.File, project)
	if err != nil {
		return findings{Error: err.Error()}, nil
	}
	out := findings{Findings: []finding{}}
	for _, f := range found {
		out.Findings = append(out.Findings, finding{f.Kind, f.Line, f.Column, f.Message})
	}
	slices.SortStableFunc(out.Findings, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return out, nil
}
