package render

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/gobwas/glob"

	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// skipMarker in a file says that it is no manifest.
const skipMarker = "+argocd:skip-file-rendering"

// maxManifests bounds the text of all manifests of one folder, in bytes. Argo CD's own bound is 10 MiB unless told.
const maxManifests = 64 << 20

var manifestFile = regexp.MustCompile(`\.(yaml|yml|json|jsonnet)$`)

// directory reads the manifests of a folder (https://argo-cd.readthedocs.io/en/stable/user-guide/directory/).
func (j *job) directory(folder string) ([]object, error) {
	d := directoryOf(j.Source)
	names, err := j.manifests(folder, d.Recurse, d.Include, d.Exclude)
	if err != nil {
		return nil, err
	}
	tree := j.in(mainTree)
	if err := tree.fetch(names); err != nil {
		return nil, err
	}
	var out []object
	var wrong fault.List
	size := 0
	for _, name := range names {
		text, err := tree.read(name)
		if err == nil {
			text, err = decode(text)
		}
		if err != nil {
			wrong.AddError(placed(CodeManifest, name, err))
			continue
		}
		if bytes.Contains(text, []byte(skipMarker)) {
			continue
		}
		if size += len(text); size > maxManifests {
			return nil, fault.New(CodeManifest, "the manifests of %q have more than %d MiB together", j.Source.Path, maxManifests>>20).WithHint("split the application, or leave files out with directory.exclude")
		}
		objects, err := j.file(folder, name, text, d)
		if err == nil {
			objects, err = flatten(objects)
		}
		if err != nil {
			wrong.AddError(placed(CodeManifest, name, err))
			continue
		}
		out = append(out, objects...)
	}
	return out, wrong.Err()
}

// manifests are the files of a folder that may hold some, in the order of their names.
func (j *job) manifests(folder string, recurse bool, include, exclude string) ([]string, error) {
	included, err := pattern("include", include)
	if err != nil {
		return nil, err
	}
	excluded, err := pattern("exclude", exclude)
	if err != nil {
		return nil, err
	}
	tree := j.in(mainTree)
	list := tree.list
	if recurse {
		list = tree.walk
	}
	entries, err := list(folder)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		name := e.Name
		if !recurse {
			name = path.Join(folder, name)
		}
		if e.Sort == source.Folder || e.Sort == source.Submodule || !manifestFile.MatchString(name) || path.Ext(name) == ".jsonnet" && slices.Contains(j.Rules.Off, "Jsonnet") {
			continue
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(name, folder), "/")
		if exclude != "" && excluded.Match(rel) || include != "" && !included.Match(rel) {
			continue
		}
		if e.Sort != source.File {
			s, err := tree.stat(name)
			if errors.Is(err, fs.ErrNotExist) {
				j.warn(fault.At(CodeManifest, fault.Place{File: name}, "the symbolic link leads nowhere; it is passed over"))
				continue
			}
			if err != nil {
				return nil, err
			}
			if s.Sort != source.File {
				continue
			}
		}
		out = append(out, name)
	}
	return out, nil
}

func pattern(field, text string) (glob.Glob, error) {
	if text == "" {
		return nil, nil
	}
	g, err := glob.Compile(text)
	if err != nil {
		return nil, fault.New(CodeSource, "directory.%s: %q is not a pattern: %v", field, text, err).WithHint("several stand in braces: {a.yaml,b/*}")
	}
	return g, nil
}

func (j *job) warn(f *fault.Fault) { j.warnings = append(j.warnings, f.WithSeverity(fault.Warning)) }

// file reads one file by its ending.
func (j *job) file(folder, name string, text []byte, d directorySettings) ([]object, error) {
	switch path.Ext(name) {
	case ".jsonnet":
		return j.jsonnet(folder, name, d.Jsonnet)
	case ".json":
		return parseJSON(name, text)
	}
	objects, err := parse(name, text)
	if err == nil {
		return objects, nil
	}
	// YAML that is nothing of Kubernetes may lie beside manifests; what looks like one must be one.
	if len(objects) > 0 || bytes.Contains(text, []byte("apiVersion:")) && bytes.Contains(text, []byte("kind:")) && bytes.Contains(text, []byte("metadata:")) {
		return nil, err
	}
	return nil, nil
}

// parseJSON reads one object; an image's manifest of an OCI registry is no manifest of Kubernetes.
func parseJSON(name string, text []byte) ([]object, error) {
	var v any
	d := bytes.TrimSpace(text)
	if err := manifest.Decode(d, &v); err != nil {
		return nil, fault.At(CodeManifest, fault.Place{File: name, Line: jsonLine(text, err)}, "%v", err)
	}
	if more(d) {
		return nil, fault.At(CodeManifest, fault.Place{File: name}, "a JSON file holds one object, and this one holds several").WithHint("put them into a List, or into several files")
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, fault.At(CodeManifest, fault.Place{File: name, Line: 1}, "the JSON is not an object")
	}
	if object(o).Text("kind") == "" {
		if object(o).Text("mediaType") != "" || o["schemaVersion"] != nil && o["layers"] != nil {
			return nil, nil
		}
		return nil, fault.At(CodeManifest, fault.Place{File: name, Line: 1}, "the object has no kind").WithHint("leave the file out with directory.exclude where it is no manifest")
	}
	return []object{o}, nil
}
