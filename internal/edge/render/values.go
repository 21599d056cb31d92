package render

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/strvals"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// values are the user's values of a chart. Later ones win: files in their order, values or valuesObject, parameters.
// https://argo-cd.readthedocs.io/en/stable/user-guide/helm/#helm-value-precedence
func (j *job) values(folder string, h application.Helm) (map[string]any, error) {
	out := map[string]any{}
	names, err := j.valueFiles(folder, h)
	if err != nil {
		return nil, err
	}
	for _, f := range names {
		text, err := j.in(f.Tree).read(f.Name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fault.New(CodeValues, "open %s: no such file or directory", f.shown()).WithHint("set helm.ignoreMissingValueFiles: true where it may be missing")
		}
		if err != nil {
			return nil, err
		}
		if text, err = decode(text); err != nil {
			return nil, placed(CodeValues, f.shown(), err)
		}
		some, err := loader.LoadValues(strings.NewReader(string(text)))
		if err != nil {
			return nil, placed(CodeValues, f.shown(), err)
		}
		out = loader.MergeMaps(out, some)
	}
	switch {
	case len(h.ValuesObject) > 0:
		some, err := loader.LoadValues(bytes.NewReader(h.ValuesObject.JSON()))
		if err != nil {
			return nil, fault.New(CodeValues, "helm.valuesObject cannot be read: %v", err)
		}
		out = loader.MergeMaps(out, some)
	case h.Values != "":
		some, err := loader.LoadValues(strings.NewReader(h.Values))
		if err != nil {
			line, words := yamlPlace(err.Error())
			return nil, fault.New(CodeValues, "helm.values cannot be read at its line %d: %s", line, words)
		}
		out = loader.MergeMaps(out, some)
	}
	return out, j.parameters(folder, h, out)
}

// parameters sets single values, as helm's --set, --set-string and --set-file do, in this order.
func (j *job) parameters(folder string, h application.Helm, into map[string]any) error {
	for _, forced := range []bool{false, true} {
		for _, p := range h.Parameters {
			if p.ForceString != forced {
				continue
			}
			set := strvals.ParseInto
			if forced {
				set = strvals.ParseIntoString
			}
			if err := set(p.Name+"="+escape(j.env.expand(p.Value)), into); err != nil {
				return fault.New(CodeValues, "the parameter %q cannot be set: %v", p.Name, err).WithHint("a name has dots between its parts and brackets around numbers: a.b[0].c")
			}
		}
	}
	for _, p := range h.FileParameters {
		at, err := j.locate(folder, p.Path)
		if err != nil {
			return err
		}
		read := func([]rune) (any, error) {
			text, err := j.in(at.Tree).read(at.Name)
			return string(text), err
		}
		if err := strvals.ParseIntoFile(p.Name+"=file", into, read); err != nil {
			if f, ok := errors.AsType[*fault.Fault](err); ok {
				return f
			}
			if errors.Is(err, fs.ErrNotExist) {
				return fault.New(CodeValues, "the file %s of the parameter %q is not there", at.shown(), p.Name)
			}
			return fault.New(CodeValues, "the parameter %q cannot be set from %s: %v", p.Name, at.shown(), err)
		}
	}
	return nil
}

// escape keeps commas in a value from ending it; a list in braces needs them.
func escape(value string) string {
	if strings.HasPrefix(value, "{") && strings.HasSuffix(value, "}") {
		return value
	}
	var b strings.Builder
	var before rune
	for _, c := range value {
		if c == ',' && before != '\\' {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
		before = c
	}
	return b.String()
}

// shown is a file's name for a message: $ref/path of another source.
func (p place) shown() string {
	if p.Tree != mainTree {
		return "$" + p.Tree + "/" + clean(p.Name)
	}
	return clean(p.Name)
}

// valueFiles are the value files in the order in which they are merged; patterns are replaced by what they match.
// https://argo-cd.readthedocs.io/en/stable/user-guide/helm/#glob-patterns-in-value-files
func (j *job) valueFiles(folder string, h application.Helm) ([]place, error) {
	explicit := map[place]bool{}
	located := make([]place, len(h.ValueFiles))
	for i, raw := range h.ValueFiles {
		at, err := j.locate(folder, raw)
		if err != nil {
			return nil, err
		}
		located[i] = at
		if !isPattern(at.Name) {
			explicit[place{at.Tree, clean(at.Name)}] = true
		}
	}
	var out []place
	seen := map[place]bool{}
	add := func(at place) {
		key := place{at.Tree, clean(at.Name)}
		if !seen[key] {
			seen[key] = true
			out = append(out, at)
		}
	}
	for i, at := range located {
		if isPattern(at.Name) {
			matches, err := j.matching(h.ValueFiles[i], at)
			if err != nil {
				return nil, err
			}
			if len(matches) == 0 && !h.IgnoreMissingValueFiles {
				return nil, fault.New(CodeValues, "values file glob %q matched no files", h.ValueFiles[i]).WithHint("set helm.ignoreMissingValueFiles: true where there may be none")
			}
			for _, m := range matches {
				if !explicit[m] {
					add(m)
				}
			}
			continue
		}
		_, err := j.in(at.Tree).stat(at.Name)
		if errors.Is(err, fs.ErrNotExist) && h.IgnoreMissingValueFiles {
			continue
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		add(at)
	}
	return out, nil
}

func isPattern(name string) bool { return strings.ContainsAny(name, "*?[") }

func (j *job) matching(raw string, at place) ([]place, error) {
	base, pattern := doublestar.SplitPattern(clean(at.Name))
	if base == "." {
		base = ""
	}
	if strings.HasPrefix(clean(at.Name), "..") {
		return nil, fault.New(CodeRefused, "the pattern %q leaves the repository", raw)
	}
	tree := j.in(at.Tree)
	if !tree.isFolder(base) {
		return nil, nil
	}
	names, err := doublestar.Glob(tree.under(base), pattern)
	if err != nil {
		return nil, fault.New(CodeValues, "the pattern %q cannot be read: %v", raw, err)
	}
	var out []place
	for _, name := range names {
		full := path.Join(base, name)
		if _, err := tree.stat(full); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err // a link that leads out
		}
		if tree.isFile(full) {
			out = append(out, place{at.Tree, full})
		}
	}
	return out, nil
}

// locate says where a path of a value file leads: $ref/path into another source, a slash before it to the repository's
// top, else into the source's folder.
func (j *job) locate(folder, raw string) (place, error) {
	if strings.HasPrefix(raw, "$") {
		ref, rest, _ := strings.Cut(raw[1:], "/")
		if slices.Contains(j.Refs, ref) {
			return place{ref, strings.TrimLeft(j.env.expand(rest), "/")}, nil
		}
		if _, known := j.env.values[strings.Trim(ref, "{}")]; !known {
			f := fault.New(CodeValues, "%q names the source $%s, and no source has ref: %s", raw, ref, ref)
			if near := fault.Nearest(ref, j.Refs); near != "" {
				return place{}, f.WithHint("did you mean $%s?", near)
			}
			return place{}, f.WithHint("give the source of the file a ref")
		}
	}
	name := j.env.expand(raw)
	if scheme, _, ok := strings.Cut(name, "://"); ok {
		return place{}, fault.New(CodeRefused, "the value file %q is fetched over %s, which rendering does not do", name, scheme).
			WithHint("commit the file, or give its repository as a source with a ref and name $ref/path")
	}
	return place{mainTree, resolve(folder, name)}, nil
}
