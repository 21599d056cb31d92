package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/dialect/argo"
	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// manifestTree is the files that manifests are looked for in: a folder of this machine, or a commit. Names are
// slash-separated and begin at its top.
type manifestTree interface {
	read(ctx context.Context, name string) ([]byte, error)
	list(ctx context.Context, folder string) (files, folders []string, err error)
}

// onDisk is a folder of this machine.
type onDisk struct{ fs.FS }

// largestManifest bounds a file that is looked at, in bytes.
const largestManifest = 16 << 20

func (d onDisk) read(_ context.Context, name string) ([]byte, error) {
	info, err := fs.Stat(d.FS, path.Clean(name))
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("is not a file")}
	case info.Size() > largestManifest:
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("is larger than %d MiB", largestManifest>>20)}
	}
	return fs.ReadFile(d.FS, path.Clean(name))
}

func (d onDisk) list(_ context.Context, folder string) (files, folders []string, err error) {
	entries, err := fs.ReadDir(d.FS, path.Clean(folder))
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		info, err := fs.Stat(d.FS, name) // a link counts as what it leads to
		switch {
		case err != nil:
		case info.IsDir() && e.IsDir():
			folders = append(folders, name)
		case info.Mode().IsRegular():
			files = append(files, name)
		}
	}
	return files, folders, err
}

// inCommit is the tree of a commit.
type inCommit struct{ *source.Tree }

func (c inCommit) read(ctx context.Context, name string) ([]byte, error) { return c.Read(ctx, name) }

func (c inCommit) list(ctx context.Context, folder string) (files, folders []string, err error) {
	entries, err := c.List(ctx, strings.TrimPrefix(path.Clean("/"+folder), "/"))
	for _, e := range entries {
		switch name := path.Join(folder, e.Name); e.Sort {
		case source.File:
			files = append(files, name)
		case source.Folder:
			folders = append(folders, name)
		}
	}
	return files, folders, err
}

// manifestCheck looks through manifests and holds those of argoproj.io against what is documented.
type manifestCheck struct {
	tree    manifestTree
	under   string // where the tree lies, put before names in what is told
	as      argo.Reading
	found   fault.List
	seen    map[string]bool
	checked int                // objects
	charts  []string           // folders whose manifests are known only when they are rendered
	apps    []application.Spec // the Applications among them
}

// folder looks at a folder as delivery does: a kustomization says which files are its own, a chart's are made when it is
// rendered, else all manifests are, with recurse those of the folders in it too.
func (m *manifestCheck) folder(ctx context.Context, dir string, recurse bool) error {
	if key := fmt.Sprint(path.Clean(dir), recurse); m.seen[key] {
		return nil
	} else {
		m.seen[key] = true
	}
	files, folders, err := m.tree.list(ctx, dir)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, f := range files {
		switch path.Base(f) {
		case "kustomization.yaml", "kustomization.yml", "Kustomization":
			return m.kustomization(ctx, dir, f)
		case "Chart.yaml":
			m.charts = append(m.charts, path.Join(m.under, dir))
			return nil
		}
	}
	for _, f := range files {
		if slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(f)) {
			if err := m.file(ctx, f, false); err != nil {
				return err
			}
		}
	}
	for _, f := range folders {
		if recurse && !strings.HasPrefix(path.Base(f), ".") {
			if err := m.folder(ctx, f, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// kustomization looks at what a kustomization lists; patches are parts of objects and not looked at.
func (m *manifestCheck) kustomization(ctx context.Context, dir, file string) error {
	text, err := m.tree.read(ctx, file)
	if err != nil {
		return err
	}
	var k struct {
		Resources, Bases, Components []string
	}
	if yaml.Unmarshal(text, &k) != nil {
		return nil // rendering says what is wrong with it
	}
	for _, r := range slices.Concat(k.Resources, k.Bases, k.Components) {
		if strings.Contains(r, "://") || path.IsAbs(r) {
			continue
		}
		at := path.Join(dir, r)
		_, _, err := m.tree.list(ctx, at)
		if err == nil {
			err = m.folder(ctx, at, false)
		} else {
			err = m.file(ctx, at, false)
		}
		if err != nil && ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// file looks at one file. One that is not named by a person may be no manifest: it is looked at where it speaks of Argo.
func (m *manifestCheck) file(ctx context.Context, name string, named bool) error {
	if m.seen[name] {
		return nil
	}
	m.seen[name] = true
	text, err := m.tree.read(ctx, name)
	if err != nil {
		return err
	}
	if !named && (!ofArgo(text) || bytes.Contains(text, []byte("+argocd:skip-file-rendering"))) {
		return nil
	}
	m.text(path.Join(m.under, name), text, named)
	return nil
}

// ofArgo reports whether a text may hold something that Check judges.
func ofArgo(text []byte) bool {
	return bytes.Contains(text, []byte(argo.Group+"/")) || bytes.Contains(text, []byte(rollout.StrategyAnnotation))
}

func (m *manifestCheck) text(name string, text []byte, named bool) {
	var told fault.List
	documents := argo.Read(name, text, &told)
	judged := 0
	for _, d := range documents {
		if !argo.Is(d) {
			continue
		}
		judged++
		argo.Check(d, m.as, &told)
		var spec application.Spec
		if k := d.Object.Kind(); k.Kind == "Application" && k.Group == argo.Group && d.Object.Sub("spec").Into(&spec) == nil {
			m.apps = append(m.apps, spec)
		}
	}
	m.checked += judged
	for _, f := range told.Sorted() {
		if named || judged > 0 || f.Code != argo.CodeShape {
			m.found.Add(f)
		}
	}
}

// checkFolder checks the manifests of a folder of this machine; a kustomization in it may name folders beside it.
func checkFolder(ctx context.Context, dir string, recurse bool, as argo.Reading) (*manifestCheck, error) {
	top, rel := dir, "."
	if filepath.IsLocal(dir) {
		top, rel = ".", filepath.ToSlash(filepath.Clean(dir))
	}
	root, err := os.OpenRoot(top)
	if err != nil {
		return nil, fault.New(codeNoFile, "%v", err)
	}
	defer root.Close()
	m := &manifestCheck{tree: onDisk{root.FS()}, as: as, seen: map[string]bool{}}
	if top != "." {
		m.under = filepath.ToSlash(top)
	}
	if err := m.folder(ctx, rel, recurse); err != nil {
		return nil, fault.New(codeNoFile, "look through %s: %v", dir, err)
	}
	return m, nil
}

// manifests says whether the file or folder given to lint is one of manifests, which need no repository around them.
func (p *pipelineFlags) manifests() (at string, folder, ok bool) {
	if p.file == "" || p.dialect != "" && p.dialect != "argo" {
		return "", false, false
	}
	at = filepath.Clean(p.path(p.file))
	asked := p.dialect == "argo"
	info, err := os.Stat(at)
	if err != nil {
		return at, false, asked // reading says what is wrong with it
	}
	abs, err := filepath.Abs(at)
	if err != nil {
		return at, info.IsDir(), asked
	}
	slashed := filepath.ToSlash(abs)
	if info.IsDir() {
		return at, true, asked || !strings.HasSuffix(slashed, "/.github") && !strings.HasSuffix(slashed, "/"+workflowsDir)
	}
	pipeline := strings.HasSuffix(slashed, ".gitlab-ci.yml") || strings.Contains(slashed, "/"+workflowsDir+"/") || isActionFile(slashed)
	if asked || pipeline || !info.Mode().IsRegular() || info.Size() > largestManifest {
		return at, false, asked
	}
	text, err := os.ReadFile(at)
	return at, false, err == nil && isManifest(text)
}

// isManifest reports whether a text says at its top level, in YAML or JSON, what every Kubernetes object says. A pipeline may
// hold an object in a script, further in.
func isManifest(text []byte) bool {
	if json := bytes.TrimSpace(text); bytes.HasPrefix(json, []byte("{")) {
		return bytes.Contains(json, []byte(`"apiVersion"`)) && bytes.Contains(json, []byte(`"kind"`))
	}
	version, kind := false, false
	for line := range bytes.Lines(text) {
		key, _, _ := bytes.Cut(line, []byte(":"))
		version = version || string(key) == "apiVersion"
		kind = kind || string(key) == "kind"
	}
	return version && kind
}

// lintManifests checks a file or folder of manifests and writes what was found.
func (s *streams) lintManifests(ctx context.Context, at string, folder bool, write lintFormat) error {
	var m *manifestCheck
	if folder {
		var err error
		if m, err = checkFolder(ctx, at, true, argo.Reading{}); err != nil {
			return err
		}
		if m.checked == 0 && !m.found.HasErrors() {
			return fault.New(codeNoFile, "%s holds no manifest of %s", at, argo.Group).WithHint("name a pipeline's file, or a folder with Applications or Rollouts; what a chart renders is not looked at")
		}
	} else {
		text, err := readManifest(s.in, at, codeNoFile)
		if err != nil {
			return err
		}
		m = &manifestCheck{seen: map[string]bool{}}
		m.text(filepath.ToSlash(at), text, true)
	}
	found := m.found.Sorted()
	if err := write(s.out, found, ""); err != nil {
		return fmt.Errorf("write the findings: %w", err)
	}
	if len(m.charts) > 0 {
		fmt.Fprintf(s.err, "not looked at, since they are rendered first: %s\n", strings.Join(m.charts, ", "))
	}
	if found.HasErrors() {
		return &exitError{code: exitUsage}
	}
	if m.checked == 0 {
		fmt.Fprintf(s.err, "%s holds no object of Argo, and others are not checked\n", at)
		return nil
	}
	fmt.Fprintf(s.err, "%s is valid: %s of Argo\n", at, counted(m.checked, "object"))
	return nil
}

// readManifest is a file's text; - is standard input.
func readManifest(in io.Reader, name, code string) ([]byte, error) {
	var text []byte
	var err error
	if name == "-" {
		text, err = io.ReadAll(io.LimitReader(in, largestManifest))
	} else {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, fault.New(code, "%v", err)
	}
	return text, nil
}

// lintDelivery checks what a delivery would bring, before it begins: the folder's manifests, and those of folders of the
// same repository that its Applications name. Warnings are told, an error ends it. What cannot be had now is passed over:
// delivery tells of it and tries again.
func (s *streams) lintDelivery(ctx context.Context, parts *deliveryParts, d delivered, f deliverFlags) error {
	want := source.Want{RepoURL: d.repo, Revision: d.revision}
	commit, _, err := parts.cache.Resolve(ctx, want)
	if err != nil {
		return ctx.Err()
	}
	tree, err := parts.cache.Tree(ctx, want, commit)
	if err != nil {
		return ctx.Err()
	}
	m := &manifestCheck{tree: inCommit{tree}, as: argo.Reading{Home: true}, seen: map[string]bool{}}
	if err := m.folder(ctx, d.path, f.recurse); err != nil {
		return ctx.Err()
	}
	for i := 0; i < len(m.apps); i++ { // an Application may hold others
		for _, one := range m.apps[i].All() {
			own := (relative(one.RepoURL) || source.Normal(one.RepoURL) == source.Normal(d.repo)) && (one.TargetRevision == "" || one.TargetRevision == d.revision)
			dir := orZero(one.Directory)
			if !own || one.Path == "" || one.Helm != nil || dir.Include+dir.Exclude != "" {
				continue
			}
			if err := m.folder(ctx, one.Path, dir.Recurse); err != nil && ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	root := d.repo
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		root = os.DevNull // of a repository elsewhere no lines are shown
	}
	found := m.found.Sorted()
	writeFaults(s.err, found, root)
	if found.HasErrors() {
		return &exitError{code: exitUsage}
	}
	return nil
}

// lintUp is what is found in the manifests of a folder that `sluice up` is to run. What cannot be read its own reader tells.
func lintUp(ctx context.Context, folder string, recurse bool) fault.Faults {
	m, err := checkFolder(ctx, folder, recurse, argo.Reading{Home: true})
	if err != nil {
		return nil
	}
	return m.found.Sorted()
}

func orZero[T any](p *T) (out T) {
	if p != nil {
		out = *p
	}
	return out
}
