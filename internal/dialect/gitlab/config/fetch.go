package config

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// fetched is a file that an include names, with what its own includes are resolved in.
type fetched struct {
	origin  *origin
	content []byte
}

// each fetches the files of one include and hands them on in order.
func (l *loader) each(ctx context.Context, e *entry, o *origin, do func(*fetched)) {
	switch e.kind {
	case "local":
		l.eachLocal(ctx, e, o, do)
	case "project":
		l.eachOfProject(ctx, e, o, do)
	case "remote":
		l.remote(ctx, e, o, do)
	case "template":
		l.template(ctx, e, o, do)
	case "component":
		l.componentFile(ctx, e, o, do)
	case "artifact":
		l.artifact(ctx, e, o, do)
	}
}

// enter counts a file and looks for a circle; false means that it is not read.
func (l *loader) enter(e *entry, child, o *origin) bool {
	if l.stopped {
		return false
	}
	child.parent, child.at, child.parentIndex, child.depth = o, e.place, o.index, o.depth+1
	for a := o; a != nil; a = a.parent {
		if a.name == child.name && yamlx.Equal(a.inputs, e.inputs) {
			l.tell(CodeCircle, e.place, "the includes go in a circle: %s", circle(a, o, child.name)).
				WithHint("remove one of them, or let rules end the circle")
			return false
		}
	}
	if l.count++; l.count > MaxIncludes {
		l.tell(CodeTooManyIncludes, e.place, "more than %d files are included, counting every time", MaxIncludes).
			WithHint("GitLab's limit is the same")
		l.stopped = true
		return false
	}
	if child.depth > MaxIncludeDepth {
		l.tell(CodeTooManyIncludes, e.place, "files include one another more than %d levels deep", MaxIncludeDepth)
		l.stopped = true
		return false
	}
	return true
}

// circle names the files from a down to o and then again the first one.
func circle(a, o *origin, again string) string {
	names := []string{again}
	for ; o != nil; o = o.parent {
		names = append(names, o.name)
		if o == a {
			break
		}
	}
	slices.Reverse(names)
	return strings.Join(names, " → ")
}

// eachLocal takes a file of the same project, or all that match a pattern.
func (l *loader) eachLocal(ctx context.Context, e *entry, o *origin, do func(*fetched)) {
	if o.files == nil {
		l.tell(CodeNoProject, e.value.Place, "%s has no project, so it cannot include the local file %s", o.name, e.text).
			WithHint("remote files and templates can include remote files, templates and projects")
		return
	}
	file, f := clean(e.text, e.value.Place)
	if f != nil {
		l.faults.Add(f)
		return
	}
	paths := []string{file}
	if strings.Contains(file, "*") {
		if paths = l.matching(ctx, file, e, o); paths == nil {
			return
		}
	} else if !isYAML(file) {
		l.extension(e.value.Place, file)
		return
	}
	for _, p := range paths {
		child := &origin{kind: "local", name: o.prefix + p, prefix: o.prefix, path: p, files: o.files, variables: o.variables, component: o.component}
		if !l.enter(e, child, o) {
			continue
		}
		if content := l.cached(child, func() []byte { return l.read(ctx, o.files, p, e.value.Place, child.name) }); content != nil {
			do(&fetched{child, content})
		}
	}
}

// matching are the files that a pattern means, in order, without the file that the include stands in.
func (l *loader) matching(ctx context.Context, pattern string, e *entry, o *origin) []string {
	found, err := o.files.Glob(ctx, pattern)
	if err != nil {
		l.tell(CodeFetch, e.value.Place, "files for %s cannot be looked for: %v", pattern, err)
		return nil
	}
	var out []string
	for _, p := range found {
		if MatchPath(pattern, p) && p != o.path {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) == 0 {
		l.tell(CodeNothing, e.value.Place, "no file matches %s, so nothing is included", pattern).
			WithHint("* stays within a folder, ** goes into folders").WithSeverity(fault.Warning)
		return nil
	}
	for i, p := range out {
		if !isYAML(p) {
			l.extension(e.value.Place, p)
			return out[:i]
		}
	}
	return out
}

// eachOfProject takes files of another project.
func (l *loader) eachOfProject(ctx context.Context, e *entry, o *origin, do func(*fetched)) {
	list := e.node.Get("file")
	if list.IsNull() || list.IsSequence() && len(list.Items) == 0 {
		l.tell(CodeInclude, e.place, "an include of a project needs the file to take from it").WithHint("add file: /path/to/file.yml")
		return
	}
	ref := ""
	if r := e.node.Get("ref"); !r.IsNull() {
		ref = l.expanded(r.Text(), o)
	}
	files := l.project(ctx, e, ref)
	if files == nil {
		return
	}
	prefix := e.text + ":"
	if ref != "" {
		prefix = e.text + "@" + ref + ":"
	}
	for _, item := range listed(list) {
		text, ok := item.Str()
		if !ok {
			l.tell(CodeInclude, item.Place, "file is %s, but must be a path or a list of paths", item.Describe())
			continue
		}
		p, f := clean(l.expanded(text, o), item.Place)
		if f != nil {
			l.faults.Add(f)
			continue
		}
		if !isYAML(p) {
			l.extension(item.Place, p)
			continue
		}
		child := &origin{kind: "project", name: prefix + p, prefix: prefix, path: p, files: files, variables: o.variables}
		if !l.enter(e, child, o) {
			continue
		}
		if content := l.cached(child, func() []byte { return l.read(ctx, files, p, item.Place, child.name) }); content != nil {
			do(&fetched{child, content})
		}
	}
}

// project is the tree of another project, or nil with the fault told.
func (l *loader) project(ctx context.Context, e *entry, ref string) Files {
	name := e.text
	if ref != "" {
		name += "@" + ref
	}
	hint := "say where it is: --local-repository " + name + "=DIR, or --mirror DIR with a clone of it at DIR/" + e.text
	var files Files
	err := ErrNotConfigured
	if l.in.Source != nil {
		files, err = l.in.Source.Project(ctx, e.text, ref)
	}
	if err == nil && files != nil {
		return files
	}
	if !slices.Contains(l.lacking, name) { // twenty files of one project are one thing to give
		l.lacking = append(l.lacking, name)
		l.unavailable(err, CodeProject, e, "the project "+name, hint)
	}
	return nil
}

// unavailable tells why a source does not have something.
func (l *loader) unavailable(err error, code string, e *entry, what, hint string) {
	switch {
	case err == nil, errors.Is(err, ErrNotConfigured):
		l.tell(code, e.value.Place, "it is not known where %s is", what).WithHint("%s", hint)
	case errors.Is(err, fs.ErrNotExist):
		l.tell(code, e.value.Place, "%s does not exist", what).WithHint("%s", hint)
	default:
		f := l.tell(CodeFetch, e.value.Place, "%s cannot be had: %v", what, err)
		if cause, ok := errors.AsType[*fault.Fault](err); ok { // its code would stand beside this one's
			f.Message = what + " cannot be had: " + strings.TrimPrefix(cause.Message, "fetch "+what+": ")
			f.Hint = cause.Hint
		}
	}
}

// cached is the content of a file that was read before, or what read gives.
func (l *loader) cached(o *origin, read func() []byte) []byte {
	for i := range l.config.Files {
		if f := &l.config.Files[i]; f.Name == o.name {
			return f.Content
		}
	}
	return read()
}

// clean is a path without its leading slashes. A path that leaves the project is refused before anything is opened.
func clean(p string, at fault.Place) (string, *fault.Fault) {
	p = strings.TrimLeft(p, "/")
	switch {
	case p == "":
		return "", fault.At(CodeInclude, at, "the path is empty").WithHint("a variable that include cannot use is empty")
	case strings.ContainsAny(p, "\x00\\"):
		return "", fault.At(CodeInclude, at, "%q is no path", p)
	case slices.Contains(strings.Split(p, "/"), ".."):
		return "", fault.At(CodeOutside, at, "%s goes up with .., which include does not follow", p).
			WithHint("write the path from the root of the project")
	}
	return path.Clean(p), nil
}

// isYAML is GitLab's test of a name: it ends with .yml or .yaml.
func isYAML(name string) bool {
	base := strings.ToLower(path.Base(name))
	return strings.HasSuffix(base, ".yml") && base != ".yml" || strings.HasSuffix(base, ".yaml") && base != ".yaml"
}

func (l *loader) extension(at fault.Place, name string) {
	l.tell(CodeExtension, at, "%s cannot be included, because it does not end with .yml or .yaml", name)
}

func isURL(s string) bool {
	s = strings.ToLower(s)
	return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")
}
