package render

import (
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// kustomize builds a kustomization, changed as the Application says
// (https://argo-cd.readthedocs.io/en/stable/user-guide/kustomize/).
func (j *job) kustomize(folder string) (out []object, err error) {
	tree := j.in(mainTree)
	file := ""
	for _, base := range kustomizations {
		if name := resolve(folder, base); tree.isFile(name) {
			if file != "" {
				return nil, fault.At(CodeKustomize, fault.Place{File: name}, "there are two kustomizations in %q", j.Source.Path).WithHint("leave one")
			}
			file = name
		}
	}
	if file == "" {
		return nil, fault.New(CodeKustomize, "there is no kustomization in %q", j.Source.Path).WithHint("name it kustomization.yaml; leave kustomize out for plain manifests")
	}
	text, err := tree.read(file)
	if err != nil {
		return nil, err
	}
	d := &disk{files: tree, in: j.in, changed: map[string][]byte{}, retire: j.retire}
	if text, err = d.inspect(path.Join(mount, file), text); err != nil {
		return nil, err
	}
	changed, err := j.edit(folder, file, text)
	if err != nil {
		return nil, err
	}
	if changed != nil {
		d.changed[path.Join(mount, file)] = changed
	}
	defer func() {
		if p := recover(); p != nil { // libraries below Kustomize do that on odd input
			j.retire()
			out, err = nil, fault.At(CodeKustomize, fault.Place{File: file}, "Kustomize broke down: %v", p)
		}
	}()
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsRootOnly
	if j.Rules.Unbound {
		options.LoadRestrictions = types.LoadRestrictionsNone // the disk holds the repository and nothing else
	}
	options.PluginConfig = types.DisabledPluginConfig()
	built, err := krusty.MakeKustomizer(options).Run(d, path.Join(mount, folder))
	if err != nil {
		if d.wrong != nil {
			return nil, d.wrong
		}
		return nil, kustomizeFault(file, err)
	}
	for _, r := range built.Resources() {
		data, err := r.MarshalJSON()
		if err != nil {
			return nil, kustomizeFault(file, err)
		}
		o, err := manifest.Parse(data)
		if err != nil {
			return nil, kustomizeFault(file, err)
		}
		out = append(out, o)
	}
	return flatten(out)
}

var (
	kustomizePath = regexp.MustCompile(mount + `/([^\s'":]+)`)
	kustomizeFile = regexp.MustCompile(`in File: (\S+)`)
	kustomizeLine = regexp.MustCompile(`yaml: (?:unmarshal errors:\s+)?line (\d+)`)
)

// kustomizeFault takes a file out of Kustomize's message, and says names from the repository's top.
func kustomizeFault(file string, err error) error {
	message := strings.Join(strings.Fields(err.Error()), " ")
	message = strings.ReplaceAll(message, fs.ErrNotExist.Error(), "no such file or directory") // as a real disk says it
	at := fault.Place{File: file}
	for _, m := range kustomizePath.FindAllStringSubmatch(message, -1) {
		if ext := path.Ext(m[1]); ext == ".yaml" || ext == ".yml" || ext == ".json" {
			at.File = m[1]
		}
	}
	if m := kustomizeFile.FindStringSubmatch(message); m != nil && path.Dir(at.File) == path.Dir(file) {
		at.File = path.Join(path.Dir(file), m[1])
	}
	if m := kustomizeLine.FindStringSubmatch(message); m != nil {
		at.Line, _ = strconv.Atoi(m[1])
	}
	f := fault.At(CodeKustomize, at, "%s", strings.ReplaceAll(message, mount+"/", ""))
	switch {
	case strings.Contains(message, "security; file"):
		f.Code = CodeRefused
		f.Hint = "files are loaded from the kustomization's own folder; move it there, or make its folder a base"
	case strings.Contains(message, "external plugins disabled"):
		f.Code = CodeRefused
		f.Hint = "generators and transformers that start programs or containers are refused"
	}
	return f
}

// kustomization is the file's fields while they are changed.
type kustomization struct {
	fields  map[string]any
	changed bool
}

func (k *kustomization) set(name string, value any) {
	k.fields[name] = value
	k.changed = true
}

func (k *kustomization) list(name string) []any {
	l, _ := k.fields[name].([]any)
	return l
}

// edit is the kustomization with the Application's changes, nil where there are none.
func (j *job) edit(folder, file string, text []byte) ([]byte, error) {
	s := kustomizeOf(j.Source)
	k := &kustomization{}
	if err := yaml.Unmarshal(text, &k.fields); err != nil {
		return nil, placed(CodeKustomize, file, err)
	}
	if k.fields == nil {
		k.fields = map[string]any{}
	}
	for name, value := range map[string]string{"namePrefix": s.NamePrefix, "nameSuffix": s.NameSuffix, "namespace": s.Namespace} {
		if value != "" {
			k.set(name, value)
		}
	}
	var wrong fault.List
	for _, image := range s.Images {
		wrong.AddError(k.image(j.env.expand(image)))
	}
	for _, r := range s.Replicas {
		wrong.AddError(k.replicas(r))
	}
	wrong.AddError(k.labels(file, s, j.env))
	wrong.AddError(k.annotations(file, s, j.env))
	if len(s.Patches) > 0 {
		list := k.list("patches")
		for _, p := range s.Patches {
			o, err := manifest.From(p)
			if err != nil {
				return nil, err
			}
			list = append(list, map[string]any(o))
		}
		k.set("patches", list)
	}
	for _, c := range s.Components {
		if isRemote(c) {
			wrong.Add(fault.New(CodeRefused, "kustomize.components: %q is fetched from elsewhere, which rendering does not do", c))
			continue
		}
		if s.IgnoreMissingComponents && !j.in(mainTree).isFolder(resolve(folder, c)) {
			continue
		}
		if list := k.list("components"); !contains(list, c) {
			k.set("components", append(list, c))
		}
	}
	if err := wrong.Err(); err != nil || !k.changed {
		return nil, err
	}
	return yaml.Marshal(k.fields)
}

func contains(list []any, text string) bool {
	for _, e := range list {
		if e == text {
			return true
		}
	}
	return false
}
