package config_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/config"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// files is a project in memory. The content "outside" stands for a link that leaves it.
type files map[string]string

func (f files) Read(_ context.Context, path string) ([]byte, error) {
	content, ok := f[path]
	switch {
	case !ok:
		return nil, fmt.Errorf("open %s: %w", path, fs.ErrNotExist)
	case content == "outside\n":
		return nil, config.ErrOutside
	}
	return []byte(content), nil
}

func (f files) Glob(_ context.Context, pattern string) ([]string, error) {
	var out []string
	for path := range f {
		if config.MatchPath(pattern, path) {
			out = append(out, path)
		}
	}
	return out, nil
}

// world is all that a case holds, by kind and name. It is the Source of the case.
type world struct {
	own      files
	projects map[string]files // "group/project@ref"
	texts    map[string]string
	vars     map[string]config.Variable
	inputs   *yamlx.Node
}

// read sorts the files of an archive: "project group/p@ref:path", "component host/group/p@version:path",
// "remote URL", "template NAME", "variables", "inputs"; all others are the project's own.
func read(t testing.TB, a *txtar.Archive) world {
	t.Helper()
	w := world{own: files{}, projects: map[string]files{}, texts: map[string]string{}, vars: map[string]config.Variable{}}
	for _, f := range a.Files {
		kind, rest, _ := strings.Cut(f.Name, " ")
		switch kind {
		case "project", "component":
			name, path, _ := strings.Cut(rest, ":")
			if w.projects[name] == nil {
				w.projects[name] = files{}
			}
			w.projects[name][path] = string(f.Data)
		case "remote", "template":
			w.texts[rest] = string(f.Data)
		case "variables":
			for line := range strings.Lines(string(f.Data)) {
				k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
				name, masked := strings.CutPrefix(k, "masked ")
				w.vars[name] = config.Variable{Value: v, Masked: masked}
			}
		case "inputs":
			values := map[string]string{}
			if err := json.Unmarshal(f.Data, &values); err != nil {
				t.Fatal(err)
			}
			w.inputs = config.Given(values)
		case "tree", "faults", "files", "jobs":
		default:
			w.own[f.Name] = string(f.Data)
		}
	}
	return w
}

func (w world) Project(_ context.Context, path, ref string) (config.Files, error) {
	if path == "group/secret" {
		return nil, config.ErrNotConfigured
	}
	if f, ok := w.projects[path+"@"+ref]; ok {
		return f, nil
	}
	return nil, fs.ErrNotExist
}

func (w world) Component(_ context.Context, c config.Component) (config.Release, error) {
	if f, ok := w.projects[c.Host+"/"+c.Project+"@"+c.Version]; ok {
		r := config.Release{Files: f, SHA: "5ca1ab1e"}
		if c.Version == "1" {
			r.Version = "1.2.0"
		}
		return r, nil
	}
	return config.Release{}, fs.ErrNotExist
}

func (w world) Remote(_ context.Context, r config.Remote) ([]byte, error) {
	if content, ok := w.texts[r.URL]; ok {
		return []byte(content), nil
	}
	return nil, errors.New("404 Not Found")
}

func (w world) Template(_ context.Context, name string) ([]byte, error) {
	if content, ok := w.texts[name]; ok {
		return []byte(content), nil
	}
	return nil, fs.ErrNotExist
}

// rules understands `if: $NAME` and `exists: [path]`, enough to see what the port is asked.
func (w world) rules(ctx context.Context, rules *yamlx.Node, scope config.Scope) (bool, []*fault.Fault) {
	for _, r := range rules.Items {
		ok := true
		if name, found := strings.CutPrefix(r.Get("if").Text(), "$"); found {
			ok = false
			if scope.Variables != nil {
				_, ok = scope.Variables(name)
			}
		}
		for _, path := range listOf(r.Get("exists")) {
			if scope.Files == nil {
				return false, []*fault.Fault{fault.At("TEST", path.Place, "no project to look in")}
			}
			if _, err := scope.Files.Read(ctx, path.Value); err != nil {
				ok = false
			}
		}
		if ok {
			return r.Get("when").Text() != "never", nil
		}
	}
	return false, nil
}

func listOf(n *yamlx.Node) []*yamlx.Node {
	if n == nil {
		return nil
	}
	return n.Items
}

func (w world) load(file string) (*config.Config, *fault.List) {
	return config.Load(context.Background(), config.Input{
		File: file, Files: w.own, Source: w, Inputs: w.inputs, Rules: w.rules,
		Variables: func(name string) (config.Variable, bool) { v, ok := w.vars[name]; return v, ok },
	})
}

// tree prints values with the places where they were written.
func tree(b *strings.Builder, n *yamlx.Node, indent string) {
	at := "  # " + n.Place.String()
	switch {
	case n.IsNull():
		b.WriteString("null" + at + "\n")
	case n.Kind == yamlx.Sequence:
		b.WriteString("list" + at + "\n")
		for _, c := range n.Items {
			b.WriteString(indent + "  - ")
			tree(b, c, indent+"    ")
		}
	case n.Kind == yamlx.Mapping:
		b.WriteString("mapping" + at + "\n")
		for _, p := range n.Pairs {
			fmt.Fprintf(b, "%s  %s: ", indent, p.Key.Value)
			tree(b, p.Value, indent+"  ")
		}
	case n.Type == yamlx.Str:
		fmt.Fprintf(b, "%q%s\n", n.Value, at)
	default:
		b.WriteString(n.Text() + at + "\n")
	}
}

func included(c *config.Config) string {
	var b strings.Builder
	for _, f := range c.Files {
		fmt.Fprintf(&b, "%s %s", f.Kind, f.Name)
		if f.Parent >= 0 {
			fmt.Fprintf(&b, " from %s at %d:%d", c.Files[f.Parent].Name, f.At.Line, f.At.Column)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func jobsOf(c *config.Config) string {
	var b strings.Builder
	for _, j := range c.Jobs {
		fmt.Fprintf(&b, "%s at %s", j.Name, j.Key.Place)
		if j.Hidden {
			b.WriteString(", hidden")
		}
		if len(j.Extends) > 0 {
			b.WriteString(", extends " + strings.Join(j.Extends, " "))
		}
		b.WriteString("\n")
	}
	return b.String()
}
