package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// values reads what --variable and its kin give.
func (p *pipelineFlags) values() (given, error) {
	g := given{inputs: map[string]string{}, local: map[string]string{}, platforms: map[string]string{}, templates: p.templates, mirror: p.mirror}
	for _, kv := range p.variables {
		v, err := assignment("--variable", kv)
		if err != nil {
			return g, err
		}
		v.Level = plan.Pipeline
		g.pipeline = append(g.pipeline, v)
	}
	for _, path := range p.varFiles {
		vs, err := variableFile(p.path(path))
		if err != nil {
			return g, err
		}
		g.project = append(g.project, vs...)
	}
	for _, kv := range p.secrets {
		v, err := assignment("--secret", kv)
		if err != nil {
			return g, err
		}
		v.Level, v.Masked, v.Raw = plan.Project, true, true
		g.project, g.secrets = append(g.project, v), append(g.secrets, v)
	}
	var err error
	if g.vars, err = assignments("--var", p.vars); err != nil {
		return g, err
	}
	if g.env, err = assignments("--env", p.envs); err != nil {
		return g, err
	}
	for _, kv := range p.platforms {
		v, err := assignment("--platform", kv)
		if err != nil {
			return g, err
		}
		g.platforms[strings.ToLower(v.Name)] = v.Value
	}
	for _, kv := range p.inputs {
		v, err := assignment("--input", kv)
		if err != nil {
			return g, err
		}
		g.inputs[v.Name] = v.Value
	}
	for _, dir := range p.actionPaths {
		abs, err := filepath.Abs(p.path(dir))
		if err != nil {
			return g, err
		}
		if info, err := os.Stat(abs); err != nil || !info.IsDir() {
			return g, fault.New(codeUsage, "--action-path: there is no folder %s", dir)
		}
		g.actionPaths = append(g.actionPaths, abs)
	}
	for _, kv := range p.localRepositories {
		v, err := assignment("--local-repository", kv)
		if err != nil {
			return g, err
		}
		if info, err := os.Stat(p.path(v.Value)); err != nil || !info.IsDir() {
			return g, fault.New(codeUsage, "--local-repository %s: there is no folder %s", v.Name, v.Value)
		}
		if g.local[v.Name], err = filepath.Abs(p.path(v.Value)); err != nil {
			return g, err
		}
	}
	return g, nil
}

// assignment takes K=V apart.
func assignment(flag, text string) (plan.Variable, error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return plan.Variable{}, fault.New(codeUsage, "%s %q is not of the form NAME=VALUE", flag, text)
	}
	return plan.Variable{Name: name, Value: value}, nil
}

// assignments takes each K=V apart.
func assignments(flag string, texts []string) ([]plan.Variable, error) {
	var out []plan.Variable
	for _, kv := range texts {
		v, err := assignment(flag, kv)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// variableFile reads project variables: a YAML mapping, or lines of NAME=VALUE with # comments.
func variableFile(path string) ([]plan.Variable, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(codeUsage, "--variable-file: %v", err)
	}
	if ext := filepath.Ext(path); ext == ".yml" || ext == ".yaml" {
		return yamlVariables(path, text)
	}
	var out []plan.Variable
	scan := bufio.NewScanner(strings.NewReader(string(text)))
	scan.Buffer(nil, 16<<20)
	for n := 1; scan.Scan(); n++ {
		line := strings.TrimSpace(scan.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if !ok || name == "" {
			return nil, fault.At(codeUsage, fault.Place{File: path, Line: n}, "the line is not of the form NAME=VALUE")
		}
		out = append(out, plan.Variable{Name: strings.TrimSpace(name), Value: unquote(value), Level: plan.Project})
	}
	return out, scan.Err()
}

// unquote takes one pair of quotes off a value, as dotenv files have them.
func unquote(value string) string {
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		return value[1 : n-1]
	}
	return value
}

// yamlVariables reads a mapping of names to values, or to mappings that say more (variableParts).
func yamlVariables(path string, text []byte) ([]plan.Variable, error) {
	var found fault.List
	docs := yamlx.Parse(text, yamlx.Options{File: path}, &found)
	if err := found.Err(); err != nil || len(docs) == 0 {
		return nil, err
	}
	if !docs[0].IsMapping() {
		return nil, fault.At(codeUsage, docs[0].At(), "the file is not a mapping of names to values")
	}
	var out []plan.Variable
	for _, pair := range docs[0].Pairs {
		v := plan.Variable{Name: pair.Key.Value, Value: pair.Value.Text(), Level: plan.Project}
		if err := fillVariable(&v, pair); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// variableParts are what can be said of a variable, in the words of GitLab's API for the variables of a project.
var variableParts = []string{"value", "variable_type", "masked", "raw", "description"}

// fillVariable reads a variable that is a mapping.
func fillVariable(v *plan.Variable, pair yamlx.Pair) error {
	switch {
	case pair.Value.IsScalar(), pair.Value.IsNull():
		return nil
	case !pair.Value.IsMapping():
		return fault.At(codeUsage, pair.Key.At(), "the value of %s is not a text", v.Name)
	case pair.Value.Get("value") == nil:
		return fault.At(codeUsage, pair.Key.At(), "%s has no value", v.Name)
	}
	for _, part := range pair.Value.Pairs {
		ok := part.Value.IsScalar() || part.Value.IsNull()
		switch part.Key.Value {
		case "value":
			v.Value = part.Value.Text()
		case "variable_type":
			v.File = part.Value.Text() == "file"
			ok = v.File || part.Value.Text() == "env_var"
		case "masked":
			v.Masked, ok = part.Value.Bool()
		case "raw":
			v.Raw, ok = part.Value.Bool()
		case "description":
		default:
			f := fault.At(codeUsage, part.Key.At(), "%s cannot have %q", v.Name, part.Key.Value)
			if near := fault.Nearest(part.Key.Value, variableParts); near != "" {
				return f.WithHint("did you mean %s?", near)
			}
			return f.WithHint("it can have %s", strings.Join(variableParts, ", "))
		}
		if !ok {
			return fault.At(codeUsage, part.Value.At(), "the %s of %s cannot be that", part.Key.Value, v.Name).
				WithHint("value and description are text, variable_type is env_var or file, masked and raw are true or false")
		}
	}
	return nil
}

// The bounds of an event's payload: its bytes, of which GitHub sends 25 MB at most, and about how many values it has, each
// of which costs some hundred bytes of memory.
const (
	maxPayload       = 32 << 20
	maxPayloadValues = 400_000
)

// readPayload reads a file of --event-path, which may be the pipe of a shell's <(…). It waits for nobody who has still to
// open the other end, and reads no more than a payload can be.
func readPayload(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxPayload+1))
	if err == nil && len(text) > maxPayload {
		err = fmt.Errorf("%s has more than %d MiB", path, maxPayload>>20)
	}
	if err == nil && bytes.Count(text, []byte(","))+bytes.Count(text, []byte("[")) > maxPayloadValues {
		err = fmt.Errorf("%s has more than %d values", path, maxPayloadValues)
	}
	return text, err
}
