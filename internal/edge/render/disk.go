package render

import (
	"errors"
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

// disk is a tree as Kustomize's file system: its top is mount, nothing can be written, and kustomizations are looked at
// before they are used. The one that was changed for the Application stands in changed.
type disk struct {
	files   *files
	changed map[string][]byte
	retire  func()
	wrong   error // the first refusal; Kustomize would wrap it beyond recognition
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
func (d *disk) IsDir(name string) bool               { return d.files.isFolder(inTree(name)) }

func (d *disk) Exists(name string) bool {
	_, err := d.files.stat(inTree(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.note(err)
	}
	return err == nil
}

// mount is where the tree lies for Kustomize: not at the very top, so that a path that leaves it is seen to.
const mount = "/repository"

// inTree is a tree's name for Kustomize's. A path outside the tree stays one, to be refused.
func inTree(name string) string {
	name = path.Clean(name)
	if name == mount {
		return ""
	}
	if rest, ok := strings.CutPrefix(name, mount+"/"); ok {
		return rest
	}
	return "../" + strings.TrimLeft(name, "/")
}

func (d *disk) note(err error) error {
	if d.wrong == nil && fault.CodeOf(err) != "" {
		d.wrong = err
	}
	return err
}

func (d *disk) ReadDir(name string) ([]string, error) {
	list, err := d.files.list(inTree(name))
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
	s, err := d.files.stat(inTree(name))
	if err != nil {
		return "", "", d.note(err)
	}
	if s.Sort == source.Folder {
		return filesys.ConfirmedDir(path.Join(mount, s.Real)), "", nil
	}
	return filesys.ConfirmedDir(path.Join(mount, path.Dir(s.Real))), path.Base(s.Real), nil
}

func (d *disk) ReadFile(name string) ([]byte, error) {
	at := inTree(name)
	if text, ok := d.changed[at]; ok {
		return text, nil
	}
	text, err := d.files.read(at)
	if err != nil {
		return nil, d.note(err)
	}
	if slices.Contains(kustomizations, path.Base(at)) {
		if err := d.inspect(at, text); err != nil {
			return nil, d.note(err)
		}
	}
	return text, nil
}

// remotes are the lists of a kustomization that may name what lies elsewhere.
var remotes = []string{"resources", "bases", "components", "crds", "configurations", "generators", "transformers", "validators", "patchesStrategicMerge"}

// inspect refuses what a kustomization would fetch or start, with its line.
func (d *disk) inspect(name string, text []byte) error {
	var fields map[string]any
	if yaml.Unmarshal(text, &fields) != nil {
		return nil // Kustomize says it in its words
	}
	for _, field := range []string{"helmCharts", "helmChartInflationGenerator", "helmGlobals"} {
		if fields[field] != nil {
			return fault.At(CodeRefused, fault.Place{File: name, Line: lineOf(text, field+":")}, "%s starts the helm program, which rendering does not do", field).
				WithHint("give the chart as a source of its own")
		}
	}
	if fields["openapi"] != nil {
		d.retire() // a schema of one build stays in the process
	}
	for _, field := range remotes {
		list, _ := fields[field].([]any)
		for _, e := range list {
			named, _ := e.(string)
			if !isRemote(named) {
				continue
			}
			if s, err := d.files.stat(resolve(path.Dir(name), named)); err == nil && s.Sort != "" {
				continue
			}
			return fault.At(CodeRefused, fault.Place{File: name, Line: lineOf(text, named)}, "%s: %q is fetched from elsewhere, which rendering does not do", field, named).
				WithHint("commit what it fetches, or give its repository as a source of its own")
		}
	}
	return nil
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
