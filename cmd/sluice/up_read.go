package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/sluice-delivery/sluice/internal/edge/pod"
	"github.com/sluice-delivery/sluice/internal/edge/render"
	"github.com/sluice-delivery/sluice/internal/edge/sandbox"
	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/workload"
)

// upObject is one object of the files, with where it stands.
type upObject struct {
	manifest.Object
	at func(path []string) fault.Place // of a field: the nearest that stands there
}

// readUp reads the objects of a folder and tells what of them cannot be honoured. Warnings are written, errors are the answer.
func (s *streams) readUp(ctx context.Context, u *upState, f upFlags, engine bool) ([]manifest.Object, error) {
	var all []upObject
	var err error
	if kind := rendered(u.folder); kind != "" {
		all, err = s.renderUp(ctx, u, f, kind)
	} else {
		all, err = plainUp(u, f)
	}
	if err != nil {
		return nil, err
	}
	var found fault.List
	found.Add(lintUp(ctx, fromHere(u.folder), f.recurse)...)
	out := make([]manifest.Object, len(all))
	for i, o := range all {
		out[i] = o.Object
		for _, x := range workload.Check(o.Object) {
			fault := fault.At(x.Code, o.at(x.Path), "%s %s: %s", o.Text("kind"), o.Name(), x.What)
			if fault.Hint = x.Hint; !x.Error {
				fault.Severity = "warning"
			}
			found.Add(fault)
		}
		if !engine {
			checkCommands(o, &found)
		}
	}
	faults := found.Sorted()
	if faults.HasErrors() {
		return nil, faults
	}
	writeFaults(s.err, faults, "")
	return out, nil
}

// checkCommands refuses containers that only an image could run.
func checkCommands(o upObject, found *fault.List) {
	pod := podPathOf(o.Object)
	for _, list := range []string{"initContainers", "containers"} {
		for i, c := range o.List(append(slices.Clone(pod), list)...) {
			m, _ := c.(map[string]any)
			if pod == nil || len(manifest.Object(m).List("command")) > 0 {
				continue
			}
			at := o.at(append(slices.Clone(pod), list, strconv.Itoa(i)))
			found.Add(fault.At(codeCommand, at, "%s %s: container %s has no command, and no container engine is there to run its image", o.Text("kind"), o.Name(), manifest.Object(m).Text("name")).
				WithHint("say under command what to run on this machine, or start Docker"))
		}
	}
}

// podPathOf is where an object has its pod's spec, nil where it has none.
func podPathOf(o manifest.Object) []string {
	for _, path := range [][]string{{"spec"}, {"spec", "template", "spec"}, {"spec", "jobTemplate", "spec", "template", "spec"}} {
		if o.Sub(path...).List("containers") != nil {
			return path
		}
	}
	return nil
}

// rendered is the file that makes a folder a kustomization or a chart, "" for plain manifests.
func rendered(dir string) string {
	for _, n := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization", "Chart.yaml"} {
		if info, err := os.Stat(filepath.Join(dir, n)); err == nil && info.Mode().IsRegular() {
			return n
		}
	}
	return ""
}

// renderUp makes the objects of a kustomization or a chart, of the files as they stand.
func (s *streams) renderUp(ctx context.Context, u *upState, f upFlags, kind string) ([]upObject, error) {
	cache := source.Open(source.Options{Dir: filepath.Join(u.dir, "sources")})
	defer cache.Close()
	pool := sandbox.New(sandbox.Options{Kind: render.Kind})
	defer pool.Close()
	r := &render.Sources{Cache: cache, Pool: pool, Work: true, Warn: func(_ string, f *fault.Fault) { writeFaults(s.err, fault.Faults{f}, "") }}
	name := notName.ReplaceAllString(strings.ToLower(filepath.Base(u.folder)), "-")
	app := application.Application{Object: manifest.Object{"metadata": map[string]any{"name": strings.Trim(name, "-")}}}
	sources := []application.Source{{RepoURL: u.repo, Path: u.path}}
	revisions, err := r.Resolve(ctx, app, sources)
	if err != nil {
		return nil, err
	}
	d, err := r.Render(ctx, app, sources, revisions, render.Target{KubeVersion: "v1.35.4", Namespace: f.namespace})
	if err != nil {
		return nil, err
	}
	place := fault.Place{File: fromHere(filepath.Join(u.folder, kind))}
	out := make([]upObject, len(d.Objects))
	for i, o := range d.Objects {
		out[i] = upObject{o, func([]string) fault.Place { return place }}
	}
	return out, nil
}

// fromHere is a path as the user would write it.
func fromHere(path string) string {
	if dir, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(dir, path); err == nil && !strings.HasPrefix(rel, "..") {
			return rel
		}
	}
	return path
}

// plainUp reads the manifests of a folder.
func plainUp(u *upState, f upFlags) ([]upObject, error) {
	var out []upObject
	var wrong fault.List
	err := filepath.WalkDir(u.folder, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != u.folder && (!f.recurse || strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case !d.Type().IsRegular() || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)):
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		some, err := placedObjects(fromHere(path), data)
		wrong.AddError(err)
		sub, err := filepath.Rel(u.folder, filepath.Dir(path))
		for _, o := range some {
			if at := podPathOf(o.Object); err == nil && sub != "." && len(at) > 1 {
				o.Set(sub, append(slices.Clone(at[:len(at)-1]), "metadata", "annotations", pod.FolderAnnotation)...)
			}
			out = append(out, o)
		}
		return nil
	})
	if err != nil {
		return nil, fault.New(codeUp, "%s cannot be read: %v", u.folder, plainError(err))
	}
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fault.New(codeUp, "there are no manifests in %s", u.folder).WithHint("give the folder that holds them, or --recurse for the folders in it")
	}
	return out, nil
}

// placedObjects reads the objects of a file with their places.
func placedObjects(name string, data []byte) ([]upObject, error) {
	var out []upObject
	var wrong fault.List
	for _, d := range documents(data) {
		start := fault.Place{File: name, Line: d.line + blank(d.text)}
		o, f := readObject(start, d)
		if f != nil || o == nil {
			wrong.Add(f)
			continue
		}
		var node yaml.Node
		_ = yaml.Unmarshal(d.text, &node) // it was read once already
		some, f := unfold(o, start)
		wrong.Add(f)
		for i, one := range some {
			var prefix []string
			if len(some) > 1 || !sameObject(one, o) {
				prefix = []string{"items", strconv.Itoa(i)}
			}
			out = append(out, upObject{one, func(path []string) fault.Place {
				return find(&node, append(slices.Clone(prefix), path...), fault.Place{File: name, Line: start.Line}, d.line)
			}})
		}
	}
	return out, wrong.Err()
}

func sameObject(a, b manifest.Object) bool { return bytes.Equal(a.JSON(), b.JSON()) }

// find is the place of the field that a path leads to, or as far along it as the file goes. Lines of the document count from
// the file's line first.
func find(n *yaml.Node, path []string, at fault.Place, first int) fault.Place {
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	for _, p := range path {
		var next *yaml.Node
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == p {
					next = n.Content[i+1]
					at.Line, at.Column = first+n.Content[i].Line-1, n.Content[i].Column
				}
			}
		case yaml.SequenceNode:
			if i, err := strconv.Atoi(p); err == nil && i < len(n.Content) {
				next = n.Content[i]
				at.Line, at.Column = first+next.Line-1, next.Column
			}
		}
		if next == nil {
			return at
		}
		if n = next; n.Kind == yaml.AliasNode {
			n = n.Alias
		}
	}
	return at
}

// completed fills in what Applications among the objects leave open: that they mean this repository and this target.
func (u *upState) completed(objects []manifest.Object, namespace string) ([]manifest.Object, *rooted) {
	root := &rooted{repo: u.repo, path: u.path, namespace: namespace}
	if !slices.ContainsFunc(objects, declares) {
		return objects, root
	}
	return root.own(objects), root
}

// spaces are the namespaces that objects are in and that none of them makes.
func spaces(objects []manifest.Object) []manifest.Object {
	seen := map[string]bool{"default": true, "": true}
	for _, o := range objects {
		if o.Kind() == (manifest.Kind{Version: "v1", Kind: "Namespace"}) {
			seen[o.Name()] = true
		}
	}
	var out []manifest.Object
	add := func(n string) {
		if !seen[n] {
			seen[n] = true
			out = append(out, manifest.Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": n}})
		}
	}
	for _, o := range objects {
		add(o.Namespace())
		if declares(o) {
			add(deliver.DefaultNamespace)
		}
	}
	return out
}

var errNoEngine = errors.New("no container engine")

// upEngine opens the container engine that --containers asks for; nil for none.
func upEngine(ctx context.Context, which string) (*pod.Engine, error) {
	switch which {
	case "never":
		return nil, nil
	case "auto", "always":
	default:
		return nil, fault.New(codeUsage, "--containers %s: there is no such choice", which).WithHint("the choices are auto, always and never")
	}
	e, err := pod.OpenEngine(ctx)
	if err != nil && which == "always" {
		return nil, fault.New(pod.CodeEngine, "%v", fmt.Errorf("%w: %w", errNoEngine, err)).Exits(exitUnreachable).WithHint("start Docker, or leave --containers out")
	}
	if err != nil {
		return nil, nil //nolint:nilerr // auto: there is none
	}
	return e, nil
}
