// Package render makes objects of an Application's sources: plain YAML and JSON, Jsonnet, Kustomize and Helm charts, with
// the tools' own libraries and by the rules of Argo CD (https://argo-cd.readthedocs.io/en/stable/user-guide/).
//
// Sources.Render runs in the parent: it resolves trees, keeps what was rendered, and answers a child's questions for
// files. Serve runs in a child of edge/sandbox, which can open nothing by itself: what a source reads comes from its own
// repository, or from those that it names with $ref. Remote bases, plugins, helmCharts of Kustomize, post renderers and
// config management plugins are refused in words.
package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	_ "time/tzdata" // templates name time zones, and a child opens no file

	"github.com/sluice-delivery/sluice/internal/edge/sandbox"
	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Serve is the evaluator of kind Kind, for sandbox.Kinds.
func Serve() (sandbox.Serve, error) {
	return func(c *sandbox.Call) (any, error) {
		var r request
		if err := c.Read(&r); err != nil {
			return nil, err
		}
		j := &job{request: r, ask: c.Ask, retire: c.Retire, trees: map[string]*files{}}
		return j.render()
	}, nil
}

// job is the rendering of one source.
type job struct {
	request
	ask      asker
	retire   func()
	trees    map[string]*files
	env      *environ
	warnings []*fault.Fault
}

// in is a tree: the source's own, or that of a ref.
func (j *job) in(tree string) *files {
	f, ok := j.trees[tree]
	if !ok {
		f = newFiles(j.ask, tree)
		j.trees[tree] = f
	}
	return f
}

// The tools, by Argo CD's names.
const (
	typeHelm      = "Helm"
	typeKustomize = "Kustomize"
	typeDirectory = "Directory"
)

func (j *job) render() (answer, error) {
	folder, err := j.folder()
	if err != nil {
		return answer{}, err
	}
	if err := j.override(folder); err != nil {
		return answer{}, err
	}
	j.env = newEnviron(j.request)
	tool, err := j.tool(folder)
	if err != nil {
		return answer{}, err
	}
	var objects []object
	switch tool {
	case typeHelm:
		objects, err = j.helm(folder)
	case typeKustomize:
		objects, err = j.kustomize(folder)
	default:
		objects, err = j.directory(folder)
	}
	if err != nil {
		return answer{}, err
	}
	out := answer{Type: tool, Objects: []json.RawMessage{}, Revision: j.env.revision, Warnings: j.warnings}
	for _, o := range objects {
		data, err := json.Marshal(map[string]any(o))
		if err != nil {
			return answer{}, fmt.Errorf("say an object: %w", err)
		}
		out.Objects = append(out.Objects, data)
	}
	return out, nil
}

// folder is the source's folder in its tree, which must be there.
func (j *job) folder() (string, error) {
	if j.Source.Chart != "" {
		return "", nil
	}
	name := j.Source.Path
	if path.IsAbs(name) {
		return "", fault.New(CodePath, "the path %q begins with a slash", name).WithHint("write it from the repository's top: %q", strings.TrimLeft(name, "/"))
	}
	tree := j.in(mainTree)
	s, err := tree.stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f := fault.New(CodePath, "%s: app path does not exist", name)
		if near := j.near(name); near != "" {
			f.WithHint("did you mean %q?", near)
		}
		return "", f
	case err != nil:
		return "", err
	case s.Sort != source.Folder:
		return "", fault.New(CodePath, "the path %q is a file", name).WithHint("name the folder that it is in: %q", path.Dir(name))
	}
	return s.Real, nil
}

// near is a folder with a name like one that is not there.
func (j *job) near(name string) string {
	above := path.Dir(clean(name))
	if above == "." {
		above = ""
	}
	list, err := j.in(mainTree).list(above)
	if err != nil {
		return ""
	}
	var names []string
	for _, e := range list {
		if e.Sort != source.File {
			names = append(names, path.Join(above, e.Name))
		}
	}
	return fault.Nearest(clean(name), names)
}

// kustomizations are the names by which Kustomize finds its file.
var kustomizations = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// tool is what the source names, or what its folder looks like.
func (j *job) tool(folder string) (string, error) {
	var named []string
	for name, there := range map[string]bool{typeHelm: j.Source.Helm != nil, typeKustomize: j.Source.Kustomize != nil, typeDirectory: j.Source.Directory != nil, "Plugin": len(j.Source.Plugin) > 0} {
		if there {
			named = append(named, name)
		}
	}
	slices.Sort(named)
	switch {
	case len(j.Source.Plugin) > 0:
		return "", fault.New(CodeLater, "config management plugins are not supported").WithHint("render in a pipeline, and commit what comes of it")
	case len(named) > 1:
		return "", fault.New(CodeSource, "the source names several tools: %s", strings.Join(named, ", ")).WithHint("leave one")
	case len(named) == 1:
		return named[0], nil
	case j.Source.Chart != "":
		return typeHelm, nil
	}
	list, err := j.in(mainTree).list(folder)
	if err != nil {
		return "", err
	}
	tool := typeDirectory
	for _, e := range list {
		if e.Sort == source.Folder {
			continue
		}
		if strings.HasSuffix(e.Name, "Chart.yaml") && !slices.Contains(j.Rules.Off, typeHelm) {
			return typeHelm, nil
		}
		if slices.Contains(kustomizations, e.Name) && !slices.Contains(j.Rules.Off, typeKustomize) {
			tool = typeKustomize
		}
	}
	return tool, nil
}

// helmOf and the like give a tool's settings, empty where there are none.
func helmOf(s application.Source) application.Helm {
	if s.Helm == nil {
		return application.Helm{}
	}
	return *s.Helm
}

func kustomizeOf(s application.Source) application.Kustomize {
	if s.Kustomize == nil {
		return application.Kustomize{}
	}
	return *s.Kustomize
}

func directoryOf(s application.Source) application.Directory {
	if s.Directory == nil {
		return application.Directory{}
	}
	return *s.Directory
}
