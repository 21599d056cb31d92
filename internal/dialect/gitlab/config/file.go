package config

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// text is a file that was read: its header, where it has one, and its body.
type text struct {
	header *yamlx.Node // the mapping of the first document; nil for none
	body   *yamlx.Node // nil where the file is not of use; the faults are told
	blocks bool        // $[[ stands somewhere in it
}

// file reads a file that was fetched, with all that it includes, into one tree. nil where it is not of use.
func (l *loader) file(ctx context.Context, o *origin, content []byte, inputs *yamlx.Node, at fault.Place) *yamlx.Node {
	o.inputs, o.at, o.index = inputs, at, len(l.config.Files)
	l.config.Files = append(l.config.Files, File{
		Kind: o.kind, Name: o.name, At: includedAt(o), Parent: o.parentIndex, Inputs: inputs, Content: content,
	})
	t := l.parse(o, content, at)
	if t.body == nil {
		return nil
	}
	body := l.interpolated(ctx, o, t)
	if body == nil {
		return nil
	}
	include, ok := body.Find("include")
	if !ok {
		return body
	}
	tree := yamlx.Merge(l.includes(ctx, include.Value, o), body.Without("include"))
	if tree.Place != body.Place {
		tree = yamlx.NewMapping(tree.Pairs, body.Place)
	}
	return tree
}

func includedAt(o *origin) fault.Place {
	if o.parent == nil {
		return fault.Place{}
	}
	return o.at
}

// parse reads the documents of a file, each file once.
func (l *loader) parse(o *origin, content []byte, at fault.Place) *text {
	if t, ok := l.texts[o.name]; ok {
		return t
	}
	t := &text{blocks: hasBlock(content)}
	l.texts[o.name] = t
	here := fault.Place{File: o.name, Line: 1, Column: 1}
	if l.bytes += len(content); l.bytes > MaxTotalBytes {
		l.tell(CodeTotalSize, at, "the files of the configuration have more than %d MiB together", MaxTotalBytes>>20)
		l.stopped = true
		return t
	}
	if len(content) > usualBytes && len(content) <= yamlx.MaxBytes {
		l.tell(CodeUsualSize, here, "the file has more than 2 MB, which GitLab refuses by default").
			WithHint("an administrator can raise the limit; else split the file with include").WithSeverity(fault.Warning)
	}
	var faults fault.List
	docs := yamlx.Parse(content, yamlx.Options{File: o.name, Tags: []string{referenceTag}}, &faults)
	l.faults.Add(faults.Sorted()...)
	if faults.HasErrors() {
		return t
	}
	l.split(t, docs, o, here, at)
	return t
}

// split tells header and body apart: a header is a first document that has spec, with another document after it.
// Empty documents do not count (GitLab CI/CD YAML syntax reference, header keywords).
func (l *loader) split(t *text, docs []*yamlx.Node, o *origin, here, at fault.Place) {
	var full []*yamlx.Node
	for _, d := range docs {
		if !d.IsNull() && !(d.IsMapping() && len(d.Pairs) == 0) {
			full = append(full, d)
		}
	}
	if len(full) == 0 {
		if o.parent != nil {
			here = at
		}
		l.tell(CodeEmpty, here, "the file %s has no configuration", o.name).WithHint("a pipeline needs at least one job with a script")
		return
	}
	body := full[0]
	if len(full) > 1 && full[0].Has("spec") {
		t.header, body = full[0], full[len(full)-1]
		full = full[1:]
	}
	switch {
	case !body.IsMapping():
		l.tell(CodeNoMapping, body.Place, "the configuration is %s, but must be a mapping of keywords and jobs", body.Describe())
		return
	case t.header == nil && isHeader(body.Get("spec")):
		l.tell(CodeHeader, body.Get("spec").At(), "the header spec is not separated from the configuration").
			WithHint("write --- on a line of its own after the header, and the jobs below it")
		return
	}
	if len(full) > 1 {
		extra := full[1]
		if t.header != nil {
			extra = full[0]
		}
		l.tell(CodeDocuments, extra.Place, "this document is not read: besides a header a file has one document").
			WithHint("remove the --- between the documents").WithSeverity(fault.Warning)
	}
	t.body = body
}

// isHeader reports whether the value of a top-level spec is meant as a header and not as a job of that name.
func isHeader(n *yamlx.Node) bool {
	return n.IsMapping() && (n.Has("inputs") || n.Has("include") || n.Has("component")) && !n.Has("script") && !n.Has("trigger")
}

// read is the content of a file of a project, or nil with the fault told. shown is the file's name for people.
func (l *loader) read(ctx context.Context, files Files, path string, at fault.Place, shown string) []byte {
	content, err := files.Read(ctx, path)
	switch {
	case err == nil && content == nil:
		return []byte{}
	case err == nil:
		return content
	case errors.Is(err, fs.ErrNotExist):
		f := l.tell(CodeMissing, at, "there is no file %s", shown)
		if names, err := files.Glob(ctx, "**.y*ml"); err == nil {
			if near := l.nearFile(path, names); near != "" {
				f.WithHint("did you mean %q?", near)
			}
		}
	case errors.Is(err, ErrOutside):
		l.tell(CodeOutside, at, "%s is outside of the project", shown).WithHint("include takes files of the project only; links out of it are not followed")
	default:
		l.tell(CodeFetch, at, "%s cannot be read: %v", shown, err)
	}
	return nil
}

// nearFile is the file that was probably meant: one of that name in another folder, or one of a similar name beside it.
func (l *loader) nearFile(name string, files []string) string {
	var beside, elsewhere []string
	stems := map[string]string{}
	for _, f := range files {
		switch {
		case path.Base(f) == path.Base(name):
			elsewhere = append(elsewhere, f)
		case path.Dir(f) == path.Dir(name):
			stem := strings.TrimSuffix(path.Base(f), path.Ext(f))
			beside = append(beside, stem)
			stems[stem] = f
		}
	}
	if len(elsewhere) == 1 {
		return elsewhere[0]
	}
	if near := l.near(name, elsewhere); near != "" {
		return near
	}
	stem := strings.TrimSuffix(path.Base(name), path.Ext(name))
	if f, ok := stems[stem]; ok {
		return f
	}
	if near := l.near(stem, beside); near != "" {
		return stems[near]
	}
	return ""
}
