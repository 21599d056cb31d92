package pod

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

var (
	configMapKind = manifest.Kind{Version: "v1", Kind: "ConfigMap"}
	secretKind    = manifest.Kind{Version: "v1", Kind: "Secret"}
	serviceKind   = manifest.Kind{Version: "v1", Kind: "Service"}
	claimKind     = manifest.Kind{Version: "v1", Kind: "PersistentVolumeClaim"}
)

// environment is a container's environment: that of the Services of its namespace, then envFrom, then env, where $(NAME)
// stands for what came before (https://kubernetes.io/docs/tasks/inject-data-application/). Each name once, the last one counts.
func (c *member) environment(ctx context.Context) ([]corev1.EnvVar, error) {
	values := map[string]string{}
	var order []string
	set := func(name, value string) {
		if _, ok := values[name]; !ok {
			order = append(order, name)
		}
		values[name] = value
	}
	if links := c.l.pod.Spec.EnableServiceLinks; links == nil || *links {
		services, err := c.l.m.c.Lookup.List(ctx, serviceKind, c.l.pod.Namespace, "")
		if err != nil {
			return nil, refuse("CreateContainerConfigError", "read the Services: %w", err)
		}
		for _, s := range services {
			serviceEnv(s, set)
		}
	}
	for _, from := range c.spec.EnvFrom {
		if err := c.envFrom(ctx, from, set); err != nil {
			return nil, err
		}
	}
	for _, e := range c.spec.Env {
		v, ok, err := c.value(ctx, e, values)
		if err != nil {
			return nil, err
		}
		if ok {
			set(e.Name, v)
		}
	}
	out := make([]corev1.EnvVar, len(order))
	for i, name := range order {
		out[i] = corev1.EnvVar{Name: name, Value: values[name]}
	}
	return out, nil
}

// serviceEnv are the variables by which a pod finds a Service: WEB_SERVICE_HOST, WEB_SERVICE_PORT, WEB_SERVICE_PORT_HTTP.
func serviceEnv(s manifest.Object, set func(name, value string)) {
	ip := s.Text("spec", "clusterIP")
	if ip == "" || ip == "None" {
		return
	}
	prefix := strings.ToUpper(strings.ReplaceAll(s.Name(), "-", "_"))
	set(prefix+"_SERVICE_HOST", ip)
	for i, p := range s.List("spec", "ports") {
		m, _ := p.(map[string]any)
		port := manifest.Object(m)
		n := strconv.FormatInt(port.Int(0, "port"), 10)
		if i == 0 {
			set(prefix+"_SERVICE_PORT", n)
		}
		if pn := port.Text("name"); pn != "" {
			set(prefix+"_SERVICE_PORT_"+strings.ToUpper(strings.ReplaceAll(pn, "-", "_")), n)
		}
	}
}

func (c *member) envFrom(ctx context.Context, from corev1.EnvFromSource, set func(name, value string)) error {
	kind, name, optional := configMapKind, "", false
	switch {
	case from.ConfigMapRef != nil:
		name, optional = from.ConfigMapRef.Name, from.ConfigMapRef.Optional != nil && *from.ConfigMapRef.Optional
	case from.SecretRef != nil:
		kind, name, optional = secretKind, from.SecretRef.Name, from.SecretRef.Optional != nil && *from.SecretRef.Optional
	default:
		return nil
	}
	o, err := c.l.m.c.Lookup.Get(ctx, kind, c.l.pod.Namespace, name)
	if err != nil {
		if optional && manifest.NotFound(err) {
			return nil
		}
		return refuse("CreateContainerConfigError", "%w", err)
	}
	data, err := dataOf(o)
	if err != nil {
		return refuse("CreateContainerConfigError", "%w", err)
	}
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if full := from.Prefix + key; full != "" && !strings.ContainsAny(full, "=\x00") {
			set(full, string(data[key]))
		}
	}
	return nil
}

// value is one variable; false where what it refers to is optional and missing.
func (c *member) value(ctx context.Context, e corev1.EnvVar, values map[string]string) (string, bool, error) {
	from := e.ValueFrom
	switch {
	case from == nil:
		return substitute(e.Value, values), true, nil
	case from.FieldRef != nil:
		v, err := c.l.field(from.FieldRef.FieldPath)
		return v, true, err
	case from.ResourceFieldRef != nil:
		v, err := c.l.resource(c.spec, from.ResourceFieldRef)
		return v, true, err
	case from.ConfigMapKeyRef != nil:
		r := from.ConfigMapKeyRef
		return c.key(ctx, configMapKind, r.Name, r.Key, r.Optional)
	case from.SecretKeyRef != nil:
		r := from.SecretKeyRef
		return c.key(ctx, secretKind, r.Name, r.Key, r.Optional)
	}
	return "", false, refuse("CreateContainerConfigError", "variable %s takes its value from something that is not supported", e.Name)
}

func (c *member) key(ctx context.Context, kind manifest.Kind, name, key string, optional *bool) (string, bool, error) {
	may := optional != nil && *optional
	o, err := c.l.m.c.Lookup.Get(ctx, kind, c.l.pod.Namespace, name)
	if err != nil {
		if may && manifest.NotFound(err) {
			return "", false, nil
		}
		return "", false, refuse("CreateContainerConfigError", "%w", err)
	}
	data, err := dataOf(o)
	if err != nil {
		return "", false, refuse("CreateContainerConfigError", "%w", err)
	}
	v, ok := data[key]
	if !ok && !may {
		return "", false, refuse("CreateContainerConfigError", "couldn't find key %s in %s %s/%s", key, kind.Kind, c.l.pod.Namespace, name)
	}
	return string(v), ok, nil
}

// field is a field of the pod that its containers may ask for.
func (l *life) field(path string) (string, error) {
	m := l.pod.ObjectMeta
	if name, ok := strings.CutPrefix(path, "metadata.labels['"); ok {
		return m.Labels[strings.TrimSuffix(name, "']")], nil
	}
	if name, ok := strings.CutPrefix(path, "metadata.annotations['"); ok {
		return m.Annotations[strings.TrimSuffix(name, "']")], nil
	}
	switch path {
	case "metadata.name":
		return m.Name, nil
	case "metadata.namespace":
		return m.Namespace, nil
	case "metadata.uid":
		return string(m.UID), nil
	case "metadata.labels":
		return lines(m.Labels), nil
	case "metadata.annotations":
		return lines(m.Annotations), nil
	case "spec.nodeName":
		return l.pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return orElse(l.pod.Spec.ServiceAccountName, "default"), nil
	case "status.podIP", "status.podIPs":
		return l.address, nil
	case "status.hostIP", "status.hostIPs":
		return "127.0.0.1", nil
	}
	return "", refuse("CreateContainerConfigError", "the field %s is not one that a container may ask for", path)
}

// lines are labels as the downward API writes them.
func lines(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%s=%q", k, m[k]))
	}
	return strings.Join(out, "\n")
}

// resource is a container's request or limit, in units of the divisor, rounded up; 0 where none is said.
func (l *life) resource(own *corev1.Container, r *corev1.ResourceFieldSelector) (string, error) {
	spec := own
	for _, list := range [][]corev1.Container{l.pod.Spec.Containers, l.pod.Spec.InitContainers} {
		for i := range list {
			if list[i].Name == r.ContainerName {
				spec = &list[i]
			}
		}
	}
	if spec == nil {
		return "", refuse("CreateContainerConfigError", "there is no container %q", r.ContainerName)
	}
	kind, name, _ := strings.Cut(r.Resource, ".")
	list := spec.Resources.Limits
	if kind == "requests" {
		list = spec.Resources.Requests
	}
	q, ok := list[corev1.ResourceName(name)]
	if !ok {
		return "0", nil
	}
	d := r.Divisor
	if d.IsZero() {
		d = resource.MustParse("1")
	}
	if name == "cpu" {
		return strconv.FormatInt(divideUp(q.MilliValue(), d.MilliValue()), 10), nil
	}
	return strconv.FormatInt(divideUp(q.Value(), d.Value()), 10), nil
}

func divideUp(a, b int64) int64 {
	if b <= 0 {
		return a
	}
	return (a + b - 1) / b
}

// expand substitutes in each word of a command.
func expand(words []string, env []corev1.EnvVar) []string {
	values := make(map[string]string, len(env))
	for _, e := range env {
		values[e.Name] = e.Value
	}
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = substitute(w, values)
	}
	return out
}

// substitute replaces $(NAME) by its value; an unknown name stays as it is, and $$(NAME) is $(NAME).
func substitute(text string, values map[string]string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		if text[i] != '$' || i+1 == len(text) {
			b.WriteByte(text[i])
			i++
			continue
		}
		switch text[i+1] {
		case '$':
			b.WriteByte('$')
			i += 2
		case '(':
			end := strings.IndexByte(text[i+2:], ')')
			if end < 0 {
				b.WriteString("$(")
				i += 2
				continue
			}
			name := text[i+2 : i+2+end]
			if v, ok := values[name]; ok {
				b.WriteString(v)
			} else {
				b.WriteString("$(" + name + ")")
			}
			i += end + 3
		default:
			b.WriteString(text[i : i+2])
			i += 2
		}
	}
	return b.String()
}
