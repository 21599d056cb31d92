package rollout

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
)

// arguments gives the arguments of an analysis their values: as written, a version's pod template hash, or a field of the
// Rollout (https://argo-rollouts.readthedocs.io/en/stable/features/analysis/, "Rollout Analysis Template Arguments").
func (r Rollout) arguments(args []analysis.Argument, stable, latest string) ([]analysis.Argument, error) {
	out := make([]analysis.Argument, 0, len(args))
	for _, arg := range args {
		value := ""
		if arg.Value != nil {
			value = *arg.Value
		}
		if from := arg.ValueFrom; from != nil {
			switch {
			case from.PodTemplateHashValue == "Latest":
				value = latest
			case from.PodTemplateHashValue == "Stable":
				value = stable
			case from.FieldRef != nil:
				v, err := r.field(from.FieldRef.FieldPath)
				if err != nil {
					return nil, err
				}
				value = v
			}
		}
		out = append(out, analysis.Argument{Name: arg.Name, Value: &value})
	}
	return out, nil
}

// field is a field of the Rollout as a text.
func (r Rollout) field(path string) (string, error) {
	if strings.HasPrefix(path, "metadata") {
		return r.metadataField(path)
	}
	return r.valueAt(path)
}

var subscript = regexp.MustCompile(`^metadata\.(labels|annotations)\['(.*)'\]$`)

// metadataField is what the downward API gives of an object.
func (r Rollout) metadataField(path string) (string, error) {
	if m := subscript.FindStringSubmatch(path); m != nil {
		return r.Object.Text("metadata", m[1], m[2]), nil
	}
	switch path {
	case "metadata.name", "metadata.namespace", "metadata.uid":
		return r.Object.Text(strings.Split(path, ".")...), nil
	case "metadata.labels":
		return listed(r.Object.Labels()), nil
	case "metadata.annotations":
		return listed(r.Object.Annotations()), nil
	}
	return "", fmt.Errorf("unsupported fieldPath: %v", path)
}

// listed is a map as the downward API writes it: one key="value" a line, in order.
func listed(m map[string]string) string {
	var lines []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		lines = append(lines, fmt.Sprintf("%v=%q", k, m[k]))
	}
	return strings.Join(lines, "\n")
}

var separators = regexp.MustCompile(`[.\[\]]+`)

// valueAt is a number, a text or a truth at a path such as spec.template.spec.containers[0].image.
func (r Rollout) valueAt(path string) (string, error) {
	var at any = map[string]any(r.Object)
	for _, part := range separators.Split(path, -1) {
		if part == "" {
			continue
		}
		switch v := at.(type) {
		case map[string]any:
			at = v[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil {
				return "", fmt.Errorf("invalid index '%s'", part)
			}
			if i < 0 || i >= len(v) {
				return "", fmt.Errorf("index %d out of range", i)
			}
			at = v[i]
		default:
			return "", fmt.Errorf("invalid path %s in rollout", path)
		}
	}
	switch at.(type) {
	case nil:
		return "", fmt.Errorf("invalid path %s in rollout", path)
	case map[string]any, []any:
		return "", fmt.Errorf("path %s in rollout must terminate in a primitive value", path)
	}
	return fmt.Sprint(at), nil
}
