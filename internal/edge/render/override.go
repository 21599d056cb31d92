package render

import (
	"encoding/json"
	"errors"
	"io/fs"

	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// override merges .argocd-source.yaml and .argocd-source-APP.yaml of the source's folder over the source, as JSON merge
// patches. Where the source comes from is not theirs to say.
// https://argo-cd.readthedocs.io/en/stable/user-guide/parameters/#store-overrides-in-git
func (j *job) override(folder string) error {
	tree := j.in(mainTree)
	merged := j.Source
	for _, base := range []string{".argocd-source.yaml", ".argocd-source-" + j.Qualified + ".yaml"} {
		name := resolve(folder, base)
		if !tree.isFile(name) {
			continue
		}
		text, err := tree.read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		next, err := mergeSource(merged, text)
		if err != nil {
			return placed(CodeOverride, name, err).WithHint("it holds fields of the source: helm, kustomize, directory")
		}
		merged = next
	}
	merged.RepoURL, merged.Path, merged.Chart, merged.TargetRevision = j.Source.RepoURL, j.Source.Path, j.Source.Chart, j.Source.TargetRevision
	merged.Ref, merged.TagPrefix = j.Source.Ref, j.Source.TagPrefix
	j.Source = merged
	return nil
}

func mergeSource(s application.Source, text []byte) (application.Source, error) {
	data, err := yaml.YAMLToJSON(text)
	if err != nil {
		return s, err
	}
	var patch any
	if err := manifest.Decode(data, &patch); err != nil {
		return s, err
	}
	if patch == nil {
		return s, nil
	}
	fields, ok := patch.(map[string]any)
	if !ok {
		return s, errors.New("it is not a map of fields")
	}
	whole, err := manifest.From(s)
	if err != nil {
		return s, err
	}
	data, err = json.Marshal(manifest.Apply(whole, fields))
	if err != nil {
		return s, err
	}
	var out application.Source
	if err := json.Unmarshal(data, &out); err != nil {
		return s, err
	}
	return out, nil
}

// placed is a fault of a file, at the line that a YAML library tells in its words.
func placed(code, file string, err error) *fault.Fault {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f
	}
	line, text := yamlPlace(err.Error())
	return fault.At(code, fault.Place{File: file, Line: line}, "%s", text)
}
