package main

import (
	"bytes"
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// codeObjects is the fault of a file that holds no Kubernetes objects.
const codeObjects = "SL3101"

var objectDocs = []fault.Doc{
	{Code: codeObjects, Summary: "a file holds no Kubernetes objects", Text: "A file of manifests is YAML or JSON. Each document is an object with apiVersion and kind, or a List of such objects as kubectl get -o yaml writes it. Documents are parted by lines of ---; empty ones are passed over."},
}

// readObjects reads the objects of a file of YAML documents or JSON; those of a List stand in its place. name is the file
// as faults call it.
func readObjects(name string, data []byte) ([]manifest.Object, error) {
	var out []manifest.Object
	var list fault.List
	for _, d := range documents(data) {
		place := fault.Place{File: name, Line: d.line + blank(d.text)}
		o, f := readObject(place, d)
		switch {
		case f != nil:
			list.Add(f)
		case o != nil:
			some, f := unfold(o, place)
			list.Add(f)
			out = append(out, some...)
		}
	}
	if err := list.Err(); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fault.At(codeObjects, fault.Place{File: name}, "there are no objects in it")
	}
	return out, nil
}

// document is one of a file's: its text and the line that it begins on.
type document struct {
	text []byte
	line int
}

// documents parts a file at lines of "---".
func documents(data []byte) []document {
	out := []document{{line: 1}}
	start, line := 0, 0
	for at := 0; at < len(data); {
		end := bytes.IndexByte(data[at:], '\n') + 1
		if end == 0 {
			end = len(data) - at
		}
		text := data[at : at+end]
		line++
		if rest, ok := bytes.CutPrefix(text, []byte("---")); ok && (len(rest) == 0 || bytes.ContainsAny(rest[:1], " \t\r\n")) {
			out[len(out)-1].text = data[start:at]
			start = at + len("---")
			out = append(out, document{line: line})
		}
		at += end
	}
	out[len(out)-1].text = data[start:]
	return out
}

// atLine is how the reader of YAML says where a mistake is.
var atLine = lazy.Pattern(`^(?:error converting YAML to JSON: )?(?:yaml: )?(?:unmarshal errors:\s*)?(?:line (\d+): )?((?s:.*))$`)

// readObject reads a document whose first words are at place; nil where it is empty.
func readObject(place fault.Place, d document) (manifest.Object, *fault.Fault) {
	data, err := yaml.YAMLToJSON(d.text)
	if err != nil {
		m := atLine.FindStringSubmatch(err.Error())
		if n, err := strconv.Atoi(m[1]); err == nil {
			place.Line = d.line + n - 1
		}
		return nil, fault.At(codeObjects, place, "this is no YAML: %s", strings.TrimSpace(m[2]))
	}
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		return nil, nil
	}
	o, err := manifest.Parse(data)
	switch {
	case err != nil:
		return nil, fault.At(codeObjects, place, "a Kubernetes object is a mapping, and this is none")
	case o.Text("kind") == "":
		return nil, fault.At(codeObjects, place, "the object does not say its kind")
	case o.Text("apiVersion") == "":
		return nil, fault.At(codeObjects, place, "the object, a %s, does not say its apiVersion", o.Text("kind"))
	}
	return o, nil
}

var content = lazy.Pattern(`(?m)^[ \t]*[^\s#]`)

// blank is how many lines a text begins with that hold nothing or a comment.
func blank(text []byte) int {
	at := content.FindStringIndex(string(text))
	if at == nil {
		return 0
	}
	return bytes.Count(text[:at[0]], []byte("\n"))
}

// unfold gives the objects of a List, and any other object itself.
func unfold(o manifest.Object, at fault.Place) ([]manifest.Object, *fault.Fault) {
	items, ok := o["items"].([]any)
	of, list := strings.CutSuffix(o.Text("kind"), "List")
	if !ok || !list {
		return []manifest.Object{o}, nil
	}
	var out []manifest.Object
	for n, e := range items {
		item, _ := e.(map[string]any)
		i := manifest.Object(item)
		if item != nil && of != "" && i.Text("kind") == "" { // a DeploymentList need not say it again
			i["kind"], i["apiVersion"] = of, o.Text("apiVersion")
		}
		if i.Text("kind") == "" || i.Text("apiVersion") == "" {
			return nil, fault.At(codeObjects, at, "item %d of the list is no Kubernetes object: it lacks kind or apiVersion", n+1)
		}
		out = append(out, i)
	}
	return out, nil
}

// plainError is an error of a file without its path, which the place says.
func plainError(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
