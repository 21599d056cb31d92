package applicationset

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// list gives its elements (documentation page "List Generator").
func (g *generating) list(l List) ([]map[string]any, error) {
	var out []map[string]any
	for _, e := range l.Elements {
		params := map[string]any{}
		if g.set.Spec.GoTemplate {
			out = append(out, copied(e))
			continue
		}
		for key, v := range e {
			if key != "values" {
				s, ok := v.(string)
				if !ok {
					return nil, fmt.Errorf("error parsing value as string: %s of a list element; without goTemplate every value is one", key)
				}
				params[key] = s
				continue
			}
			values, ok := v.(map[string]any)
			if !ok {
				return nil, errors.New("error parsing values map")
			}
			for k, v := range values {
				s, ok := v.(string)
				if !ok {
					return nil, fmt.Errorf("error parsing value as string: values.%s of a list element; without goTemplate every value is one", k)
				}
				params["values."+k] = s
			}
		}
		out = append(out, params)
	}
	if l.ElementsYAML != "" {
		var more []map[string]any
		if err := yaml.Unmarshal([]byte(l.ElementsYAML), &more); err != nil {
			return nil, fmt.Errorf("error unmarshling decoded ElementsYaml %w", err)
		}
		for _, e := range more {
			if e == nil {
				e = map[string]any{}
			}
			out = append(out, e)
		}
	}
	return out, nil
}

// copied is a copy of what JSON gave.
func copied(v map[string]any) map[string]any {
	out := make(map[string]any, len(v))
	data, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	if err != nil {
		return maps.Clone(v)
	}
	return out
}

// hidden are annotations of a cluster's Secret that are state of Argo CD or kubectl (documentation page "Cluster Generator").
var hidden = []string{
	"argocd.argoproj.io/refresh", "argocd.argoproj.io/hydrate", "argocd.argoproj.io/tracking-id", "argocd.argoproj.io/installation-id",
	"kubectl.kubernetes.io/last-applied-configuration",
}

// clusters gives the clusters that a selector matches (documentation page "Cluster Generator"), by name.
func (g *generating) clusters(c Clusters) ([]map[string]any, error) {
	if g.world.Clusters == nil {
		return nil, errors.New("error getting cluster secrets: no clusters are known here")
	}
	all, err := g.world.Clusters()
	if err != nil {
		return nil, fmt.Errorf("error getting cluster secrets: %w", err)
	}
	selector, err := metav1.LabelSelectorAsSelector(&c.Selector)
	if err != nil {
		return nil, fmt.Errorf("error getting cluster secrets: error converting label selector: %w", err)
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Cluster) int { return strings.Compare(a.Name, b.Name) })
	var out []map[string]any
	for _, one := range all {
		// The cluster without a Secret has no labels to be selected by.
		if one.Labels == nil && !selector.Empty() || one.Labels != nil && !selector.Matches(labels.Set(one.Labels)) {
			continue
		}
		params := g.cluster(one)
		if err := g.values(c.Values, params); err != nil {
			return nil, fmt.Errorf("error appending templated values for cluster: %w", err)
		}
		out = append(out, params)
	}
	if !c.FlatList {
		return out, nil
	}
	flat := make([]any, len(out))
	for i, p := range out {
		flat[i] = p
	}
	return []map[string]any{{"clusters": flat}}, nil
}

func (g *generating) cluster(c Cluster) map[string]any {
	params := map[string]any{"name": c.Name, "nameNormalized": normalize(c.Name), "server": c.Server, "project": c.Project}
	notes := maps.Clone(c.Annotations)
	maps.DeleteFunc(notes, func(k, _ string) bool { return slices.Contains(hidden, k) })
	if !g.set.Spec.GoTemplate {
		for k, v := range notes {
			params["metadata.annotations."+k] = v
		}
		for k, v := range c.Labels {
			params["metadata.labels."+k] = v
		}
		return params
	}
	if c.Labels == nil {
		return params
	}
	meta := map[string]any{"labels": maps.Clone(c.Labels)}
	if len(c.Annotations) > 0 {
		meta["annotations"] = notes
	}
	params["metadata"] = meta
	return params
}

// values adds what the generator's field values gives, each filled with the parameters and none with another of them.
func (g *generating) values(values map[string]string, params map[string]any) error {
	if len(values) == 0 {
		return nil
	}
	filled := make(map[string]string, len(values))
	for _, k := range slices.Sorted(maps.Keys(values)) {
		var err error
		if filled[k], err = g.fill.text(values[k], params); err != nil {
			return fmt.Errorf("failed to replace templated string: failed to replace templated string with rendered values: %w", err)
		}
	}
	if g.set.Spec.GoTemplate {
		params["values"] = filled
		return nil
	}
	for k, v := range filled {
		params["values."+k] = v
	}
	return nil
}
