package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"
	kyaml "sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

func newRolloutLint(s *streams) *cobra.Command {
	var files []string
	cmd := &cobra.Command{
		Use: "lint -f FILE...", Short: "Check files of Rollouts and analysis templates, without a cluster",
		Long: `Check the Rollouts, AnalysisTemplates and ClusterAnalysisTemplates of files: unknown fields, values that contradict each
other, and what Sluice does not do. Exit 0 where nothing is wrong, 2 with each mistake at its place.`,
		Args: args(0, -1),
		RunE: func(_ *cobra.Command, given []string) error {
			files = append(files, given...)
			if len(files) == 0 {
				return fault.New(codeUsage, "no file is given").WithHint("sluice rollout lint -f rollout.yaml")
			}
			var found fault.List
			checked := 0
			for _, f := range files {
				data, err := os.ReadFile(f)
				if f == "-" {
					data, err = io.ReadAll(s.in)
				}
				if err != nil {
					return fault.New(codeRolloutFile, "%v", err)
				}
				checked += lintRollouts(f, data, &found)
			}
			if err := found.Err(); err != nil {
				return err
			}
			return said(s, "%d objects checked, nothing is wrong", checked)
		},
	}
	cmd.Flags().StringSliceVarP(&files, "filename", "f", nil, "files to check (- is standard input)")
	_ = cmd.MarkFlagFilename("filename", "yaml", "yml", "json")
	return cmd
}

// lintRollouts checks the documents of a file and says how many there were to check.
func lintRollouts(file string, data []byte, found *fault.List) int {
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		found.Add(fault.At(codeRolloutFile, fault.Place{File: file}, "%v", err))
		return 0
	}
	checked := 0
	for {
		var doc yaml.Node
		err := loader.Load(&doc)
		if errors.Is(err, io.EOF) {
			return checked
		}
		if err != nil {
			at := fault.Place{File: file}
			if l, ok := errors.AsType[*yaml.LoadError](err); ok {
				at.Line, at.Column = l.Mark.Line, l.Mark.Column
			}
			found.Add(fault.At(codeRolloutFile, at, "%v", err))
			return checked
		}
		if lintDocument(file, &doc, found) {
			checked++
		}
	}
}

// lintDocument checks one document; false where it is of another kind.
func lintDocument(file string, doc *yaml.Node, found *fault.List) bool {
	at := place(file, doc)
	text, err := yaml.Marshal(doc)
	if err != nil {
		found.Add(fault.At(codeRolloutFile, at, "%v", err))
		return false
	}
	raw, err := kyaml.YAMLToJSON(text)
	if err != nil {
		found.Add(fault.At(codeRolloutFile, at, "%v", err))
		return false
	}
	o, err := manifest.Parse(raw)
	if err != nil || !strings.HasPrefix(o.Text("apiVersion"), "argoproj.io/") {
		return false
	}
	var faults fault.Faults
	switch o.Text("kind") {
	case "Rollout":
		if faults = strict(raw, &rollout.Spec{}); faults == nil {
			r, err := rollout.Decode(o)
			if err == nil {
				faults = rollout.Lint(r)
			} else {
				faults = fault.Faults{fault.New(codeRolloutFile, "%v", err)}
			}
		}
	case "AnalysisTemplate", "ClusterAnalysisTemplate":
		if faults = strict(raw, &analysis.Spec{}); faults == nil {
			spec, err := analysis.DecodeTemplate(o)
			if err == nil {
				err = analysis.Validate(spec.Metrics)
			}
			if err != nil {
				faults = append(faults, fault.New(codeRolloutFile, "%v", err))
			}
			faults = append(faults, analysis.Unsupported(o.Name(), spec)...)
		}
	default:
		return false
	}
	for _, f := range faults {
		one := *f
		one.Place = at
		if n := locate(doc, one.Message); n != nil {
			one.Place = place(file, n)
		}
		one.Message = fmt.Sprintf("%s %s: %s", o.Text("kind"), o.Name(), one.Message)
		found.Add(&one)
	}
	return true
}

// strict reads a spec and tells of fields that it does not have.
func strict(raw []byte, spec any) fault.Faults {
	body := struct {
		APIVersion string          `json:"apiVersion"`
		Kind       string          `json:"kind"`
		Metadata   json.RawMessage `json:"metadata"`
		Spec       any             `json:"spec"`
		Status     json.RawMessage `json:"status"`
	}{Spec: spec}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(&body)
	if err == nil {
		return nil
	}
	return fault.Faults{fault.New(codeRolloutFile, "%s", strings.TrimPrefix(err.Error(), "json: "))}
}

func place(file string, n *yaml.Node) fault.Place {
	for n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	return fault.Place{File: file, Line: n.Line, Column: n.Column}
}

var (
	pathStep     = regexp.MustCompile(`^\.?([A-Za-z0-9]+)|^\[(\d+)\]`)
	unknownField = regexp.MustCompile(`^unknown field "([^"]+)"`)
)

// locate finds the node that a message speaks of: the path that it begins with (spec.strategy.canary.steps[1]), or the
// unknown field that it names.
func locate(doc *yaml.Node, message string) *yaml.Node {
	if m := unknownField.FindStringSubmatch(message); m != nil {
		return keyNamed(doc, m[1])
	}
	n := doc
	for n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	var at *yaml.Node
	for {
		m := pathStep.FindStringSubmatch(message)
		if m == nil {
			return at
		}
		message = message[len(m[0]):]
		next := step(n, m[1], m[2])
		if next == nil {
			return at
		}
		n, at = next, next
	}
}

func step(n *yaml.Node, key, index string) *yaml.Node {
	if index != "" {
		i, err := strconv.Atoi(index)
		if err != nil || n.Kind != yaml.SequenceNode || i >= len(n.Content) {
			return nil
		}
		return n.Content[i]
	}
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// keyNamed is the first key of a name below spec.
func keyNamed(n *yaml.Node, name string) *yaml.Node {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				return n.Content[i]
			}
		}
	}
	for _, c := range n.Content {
		if found := keyNamed(c, name); found != nil {
			return found
		}
	}
	return nil
}
