package analysis

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Decode reads an AnalysisRun. An error says which field has a wrong type.
func Decode(o manifest.Object) (Run, error) {
	var body struct {
		Spec   Spec   `json:"spec"`
		Status Status `json:"status"`
	}
	if err := o.Into(&body); err != nil {
		return Run{}, fmt.Errorf("read AnalysisRun %s: %w", o.Name(), err)
	}
	created, _ := time.Parse(time.RFC3339, o.Text("metadata", "creationTimestamp"))
	return Run{
		Name:        o.Name(),
		Namespace:   o.Namespace(),
		UID:         o.UID(),
		Created:     created,
		Labels:      o.Labels(),
		Annotations: o.Annotations(),
		Spec:        body.Spec,
		Status:      body.Status,
	}, nil
}

// DecodeTemplate reads the spec of an AnalysisTemplate or a ClusterAnalysisTemplate.
func DecodeTemplate(o manifest.Object) (Spec, error) {
	var body struct {
		Spec Spec `json:"spec"`
	}
	if err := o.Into(&body); err != nil {
		return Spec{}, fmt.Errorf("read %s %s: %w", o.Text("kind"), o.Name(), err)
	}
	return body.Spec, nil
}

// Object is the spec as it stands in a manifest, under "spec".
func (s Spec) Object() manifest.Object {
	o, err := manifest.From(s)
	if err != nil {
		panic(fmt.Sprintf("an analysis spec that JSON cannot say: %v", err)) // it came from JSON
	}
	return o
}

// StatusPatch is the merge patch of the status resource that turns before into after; nil where nothing changed.
func StatusPatch(before, after Status) manifest.Object {
	was, err := manifest.From(before)
	if err != nil {
		return nil
	}
	is, err := manifest.From(after)
	if err != nil {
		return nil
	}
	patch := manifest.Merge(was, is)
	if len(patch) == 0 {
		return nil
	}
	return manifest.Object{"status": map[string]any(patch)}
}

// names of the providers that this package knows the fields of.
const (
	prometheusProvider = "prometheus"
	webProvider        = "web"
	jobProvider        = "job"
)

// UnmarshalJSON keeps what it does not know in Other.
func (p *Provider) UnmarshalJSON(data []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	*p = Provider{}
	for name, raw := range all {
		if string(raw) == "null" {
			continue
		}
		var err error
		switch name {
		case prometheusProvider:
			err = json.Unmarshal(raw, &p.Prometheus)
		case webProvider:
			err = json.Unmarshal(raw, &p.Web)
		case jobProvider:
			err = json.Unmarshal(raw, &p.Job)
		default:
			if p.Other == nil {
				p.Other = map[string]json.RawMessage{}
			}
			p.Other[name] = raw
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// MarshalJSON writes the known providers and those of Other.
func (p Provider) MarshalJSON() ([]byte, error) {
	all := map[string]any{}
	for name, raw := range p.Other {
		all[name] = raw
	}
	if p.Prometheus != nil {
		all[prometheusProvider] = p.Prometheus
	}
	if p.Web != nil {
		all[webProvider] = p.Web
	}
	if p.Job != nil {
		all[jobProvider] = p.Job
	}
	return json.Marshal(all)
}

// Names are the names of the providers that are set, in order; a plugin counts under its own name.
func (p Provider) Names() []string {
	var out []string
	if p.Prometheus != nil {
		out = append(out, prometheusProvider)
	}
	if p.Web != nil {
		out = append(out, webProvider)
	}
	if p.Job != nil {
		out = append(out, jobProvider)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Other)) {
		if name != "plugin" {
			out = append(out, name)
			continue
		}
		var plugins map[string]json.RawMessage
		if json.Unmarshal(p.Other[name], &plugins) != nil {
			out = append(out, name)
		}
		for _, n := range slices.Sorted(maps.Keys(plugins)) {
			out = append(out, "plugin "+n)
		}
	}
	return out
}
