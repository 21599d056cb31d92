package render

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-jsonnet"

	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// maxStack bounds how deep Jsonnet calls itself; it is the tool's own default.
const maxStack = 500

// jsonnet evaluates a file to an object or a list of objects.
func (j *job) jsonnet(folder, name string, settings application.Jsonnet) ([]object, error) {
	vm := jsonnet.MakeVM()
	vm.MaxStack = maxStack
	for _, v := range settings.TLAs {
		if v.Code {
			vm.TLACode(v.Name, j.env.expand(v.Value))
		} else {
			vm.TLAVar(v.Name, j.env.expand(v.Value))
		}
	}
	for _, v := range settings.ExtVars {
		if v.Code {
			vm.ExtCode(v.Name, j.env.expand(v.Value))
		} else {
			vm.ExtVar(v.Name, j.env.expand(v.Value))
		}
	}
	libs := []string{folder}
	for _, lib := range settings.Libs {
		libs = append(libs, resolve("", lib))
	}
	imports := &importer{files: j.in(mainTree), libs: libs, read: map[string]jsonnet.Contents{}}
	vm.Importer(imports)
	text, err := vm.EvaluateFile(name)
	if err != nil && imports.wrong != nil {
		return nil, imports.wrong // Jsonnet would tell its words alone
	}
	if err != nil {
		return nil, jsonnetFault(name, err)
	}
	var v any
	if err := manifest.Decode([]byte(text), &v); err != nil {
		return nil, fault.At(CodeJsonnet, fault.Place{File: name}, "what it gives cannot be read: %v", err)
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var out []object
	for _, e := range list {
		o, ok := e.(map[string]any)
		if !ok && e != nil {
			return nil, fault.At(CodeJsonnet, fault.Place{File: name}, "it gives a %s where an object or a list of objects must be", kindOf(e))
		}
		if ok && object(o).Text("kind") == "" {
			return nil, fault.At(CodeJsonnet, fault.Place{File: name}, "an object that it gives has no kind")
		}
		if ok {
			out = append(out, o)
		}
	}
	return out, nil
}

var jsonnetPlace = regexp.MustCompile(`(?m)(?:^|\s)([^\s:][^:\n]*):\(?(\d+)(?::(\d+))?`)

// jsonnetFault takes the place out of Jsonnet's message.
func jsonnetFault(name string, err error) error {
	message := err.Error()
	first, trace, _ := strings.Cut(message, "\n")
	at := fault.Place{File: name}
	for _, part := range []string{first, trace} {
		if m := jsonnetPlace.FindStringSubmatch(part); m != nil && !strings.HasPrefix(m[1], "<") {
			at.File = m[1]
			at.Line, _ = strconv.Atoi(m[2])
			at.Column, _ = strconv.Atoi(m[3])
			break
		}
	}
	return fault.At(CodeJsonnet, at, "%s", first)
}

// importer finds imports inside the repository: beside the file that imports, then in the libraries, last one first.
type importer struct {
	files *files
	libs  []string
	read  map[string]jsonnet.Contents
	wrong error // why the first import that failed did
}

func (i *importer) Import(from, name string) (jsonnet.Contents, string, error) {
	c, at, err := i.find(from, name)
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Place.IsZero() {
		f.Place.File = from
	}
	if err != nil && i.wrong == nil {
		i.wrong = err
	}
	return c, at, err
}

func (i *importer) find(from, name string) (jsonnet.Contents, string, error) {
	if path.IsAbs(name) {
		return jsonnet.Contents{}, "", fault.At(CodeRefused, fault.Place{File: from}, "the import %q begins with a slash: nothing outside the repository is read", name).
			WithHint("write it from the file's own folder, or name a library folder in directory.jsonnet.libs")
	}
	places := []string{strings.TrimSuffix(path.Dir(from), ".")}
	if from == "" {
		places = []string{""}
	}
	if from != "" {
		for _, lib := range slices.Backward(i.libs) {
			places = append(places, lib)
		}
	}
	for _, folder := range places {
		at := resolve(folder, name)
		s, err := i.files.stat(at)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return jsonnet.Contents{}, "", err
		}
		if s.Sort != source.File {
			return jsonnet.Contents{}, "", fault.At(CodeJsonnet, fault.Place{File: from}, "the import %q is not a file", name)
		}
		at = clean(at)
		if c, ok := i.read[at]; ok {
			return c, at, nil
		}
		text, err := i.files.read(at)
		if err != nil {
			return jsonnet.Contents{}, "", err
		}
		c := jsonnet.MakeContentsRaw(bytes.Clone(text))
		i.read[at] = c
		return c, at, nil
	}
	return jsonnet.Contents{}, "", fault.At(CodeJsonnet, fault.Place{File: from}, "the import %q is not there", name).
		WithHint("it is searched beside the file, in directory.jsonnet.libs, and in the source's folder")
}
