package render

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// disk is the files as Kustomize's file system: the source's tree lies at mount, remote bases beside it, nothing can be
// written, and kustomizations are looked at before they are used. The one that was changed for the Application stands in
// changed.
type disk struct {
	files   *files
	in      func(tree string) *files
	bases   []*files // of remote bases, each at its own mount
	changed map[string][]byte
	retire  func()
	wrong   error // the first refusal; Kustomize would wrap it beyond recognition
}

// mount is where the tree lies for Kustomize: not at the very top, so that a path that leaves it is seen to.
const mount = "/repository"

// baseMount is where the nth remote base lies.
func baseMount(n int) string { return fmt.Sprintf("/base-%d", n) }

// at is a tree and the name in it for Kustomize's name, and where that tree lies. A path outside every tree stays one, to
// be refused.
func (d *disk) at(name string) (tree *files, in, top string) {
	name = path.Clean(name)
	for n := range len(d.bases) + 1 {
		tree, top = d.files, mount
		if n > 0 {
			tree, top = d.bases[n-1], baseMount(n-1)
		}
		if name == top {
			return tree, "", top
		}
		if rest, ok := strings.CutPrefix(name, top+"/"); ok {
			return tree, rest, top
		}
	}
	return d.files, "../" + strings.TrimLeft(name, "/"), mount
}

var errReadOnly = errors.New("nothing is written while rendering")

func (d *disk) Create(string) (filesys.File, error)  { return nil, errReadOnly }
func (d *disk) Mkdir(string) error                   { return errReadOnly }
func (d *disk) MkdirAll(string) error                { return errReadOnly }
func (d *disk) RemoveAll(string) error               { return errReadOnly }
func (d *disk) WriteFile(string, []byte) error       { return errReadOnly }
func (d *disk) Open(string) (filesys.File, error)    { return nil, errReadOnly }
func (d *disk) Glob(string) ([]string, error)        { return nil, errReadOnly }
func (d *disk) Walk(string, filepath.WalkFunc) error { return errReadOnly }

func (d *disk) IsDir(name string) bool {
	tree, in, _ := d.at(name)
	return tree.isFolder(in)
}

func (d *disk) Exists(name string) bool {
	tree, in, _ := d.at(name)
	_, err := tree.stat(in)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.note(err)
	}
	return err == nil
}

func (d *disk) note(err error) error {
	if d.wrong == nil && fault.CodeOf(err) != "" {
		d.wrong = err
	}
	return err
}

func (d *disk) ReadDir(name string) ([]string, error) {
	tree, in, _ := d.at(name)
	list, err := tree.list(in)
	if err != nil {
		return nil, d.note(err)
	}
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = e.Name
	}
	return out, nil
}

// CleanedAbs gives the folder without links, and the file's name where it is one.
func (d *disk) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	tree, in, top := d.at(name)
	s, err := tree.stat(in)
	if err != nil {
		return "", "", d.note(err)
	}
	if s.Sort == source.Folder {
		return filesys.ConfirmedDir(path.Join(top, s.Real)), "", nil
	}
	return filesys.ConfirmedDir(path.Join(top, path.Dir(s.Real))), path.Base(s.Real), nil
}

func (d *disk) ReadFile(name string) ([]byte, error) {
	tree, in, _ := d.at(name)
	if text, ok := d.changed[path.Clean(name)]; ok {
		return text, nil
	}
	text, err := tree.read(in)
	if err != nil {
		return nil, d.note(err)
	}
	if slices.Contains(kustomizations, path.Base(in)) {
		if text, err = d.inspect(path.Clean(name), text); err != nil {
			return nil, d.note(err)
		}
	}
	return text, nil
}

// remotes are the lists of a kustomization that may name what lies elsewhere.
var remotes = []string{"resources", "bases", "components", "crds", "configurations", "generators", "transformers", "validators", "patchesStrategicMerge"}

// inspect refuses what a kustomization would fetch or start, with its line, and names remote bases that may be had by
// where they lie.
func (d *disk) inspect(name string, text []byte) ([]byte, error) {
	var fields map[string]any
	if yaml.Unmarshal(text, &fields) != nil {
		return text, nil // Kustomize says it in its words
	}
	tree, in, _ := d.at(name)
	shown := strings.TrimPrefix(name, mount+"/")
	for _, field := range []string{"helmCharts", "helmChartInflationGenerator", "helmGlobals"} {
		if fields[field] != nil {
			return nil, fault.At(CodeRefused, fault.Place{File: shown, Line: lineOf(text, field+":")}, "%s starts the helm program, which rendering does not do", field).
				WithHint("give the chart as a source of its own")
		}
	}
	if fields["openapi"] != nil {
		d.retire() // a schema of one build stays in the process
	}
	changed := false
	for _, field := range remotes {
		list, _ := fields[field].([]any)
		for i, e := range list {
			named, _ := e.(string)
			if !isRemote(named) {
				continue
			}
			if _, err := tree.stat(resolve(path.Dir(in), named)); err == nil {
				continue
			}
			at, err := d.base(field, named)
			if err != nil {
				return nil, atLine(err, fault.Place{File: shown, Line: lineOf(text, named)}, field)
			}
			if list[i], err = filepath.Rel(path.Dir(name), at); err != nil {
				return nil, err
			}
			changed = true
		}
	}
	if !changed {
		return text, nil
	}
	return yaml.Marshal(fields)
}

// base is where a remote base lies; the parent decides whether it may be had.
func (d *disk) base(field, named string) (string, error) {
	if field != "resources" && field != "bases" && field != "components" || len(d.bases) >= 50 {
		return "", refusedBase(named)
	}
	var p place
	if err := d.files.ask(askBase, place{Name: named}, &p); err != nil {
		return "", err
	}
	n := slices.IndexFunc(d.bases, func(f *files) bool { return f.tree == p.Tree })
	if n < 0 {
		n = len(d.bases)
		d.bases = append(d.bases, d.in(p.Tree))
	}
	return path.Join(baseMount(n), p.Name), nil
}

// atLine gives a mistake the place of what asked for it.
func atLine(err error, at fault.Place, field string) error {
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		return fault.At(CodeKustomize, at, "%s: %v", field, err)
	}
	copied := *f
	copied.Place, copied.Message = at, field+": "+f.Message
	return &copied
}

// isRemote recognizes what Kustomize would clone or download.
func isRemote(name string) bool {
	if strings.Contains(name, "\n") {
		return false // a patch that stands inline
	}
	first, _, _ := strings.Cut(name, "/")
	switch {
	case strings.Contains(name, "://"), strings.HasPrefix(name, "git::"), strings.HasPrefix(name, "git@"), strings.Contains(first, "@") && strings.Contains(name, ":"):
		return true
	case strings.Contains(name, "?ref=") || strings.Contains(name, "?version=") || strings.Contains(name, ".git/") || strings.HasSuffix(name, ".git"):
		return true
	}
	return slices.Contains([]string{"github.com", "gitlab.com", "bitbucket.org", "dev.azure.com"}, strings.ToLower(first))
}

// lineOf is the line on which some text first stands, 0 where it does not.
func lineOf(text []byte, what string) int {
	at := strings.Index(string(text), what)
	if at < 0 {
		return 0
	}
	return 1 + strings.Count(string(text[:at]), "\n")
}
