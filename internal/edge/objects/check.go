package objects

import (
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// check refuses what the API server would refuse of the mistakes that people make most: names, labels, selectors that do
// not match, containers without a name, fields that may not change. It is not the whole validation of Kubernetes. before is
// nil for a new object.
func check(k *Served, before, o manifest.Object) error {
	n := o.Name()
	if n == "" {
		return invalid(k, "", "metadata.name: Required value: name or generateName is required")
	}
	problems := validation.IsDNS1123Subdomain(n)
	if kind := k.Kind.Kind; kind == "Namespace" || kind == "Service" {
		problems = validation.IsDNS1123Label(n)
	}
	if k.Kind.Group == "rbac.authorization.k8s.io" {
		problems = nil
	}
	if len(problems) > 0 {
		return invalid(k, n, fmt.Sprintf("metadata.name: Invalid value: %q: %s", n, problems[0]))
	}
	for key, v := range o.Labels() {
		if p := validation.IsQualifiedName(key); len(p) > 0 {
			return invalid(k, n, fmt.Sprintf("metadata.labels: Invalid value: %q: %s", key, p[0]))
		}
		if p := validation.IsValidLabelValue(v); len(p) > 0 {
			return invalid(k, n, fmt.Sprintf("metadata.labels: Invalid value: %q: %s", v, p[0]))
		}
	}
	if before != nil {
		if before.Deleting() && len(o.List("metadata", "finalizers")) > len(before.List("metadata", "finalizers")) {
			return invalid(k, n, "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted")
		}
		if err := fixed(k, before, o); err != nil {
			return err
		}
	}
	if k.Kind.Group == "argoproj.io" {
		return nil
	}
	return checkKind(k, o)
}

func checkKind(k *Served, o manifest.Object) error {
	switch k.Kind.Kind {
	case "Pod":
		return checkPod(k, o.Name(), "spec", o.Sub("spec"))
	case "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet":
		if err := checkSelector(k, o); err != nil {
			return err
		}
		return checkPod(k, o.Name(), "spec.template.spec", o.Sub("spec", "template", "spec"))
	case "Job":
		return checkJob(k, o.Name(), "spec.template.spec", o.Sub("spec", "template", "spec"))
	case "CronJob":
		if o.Text("spec", "schedule") == "" {
			return invalid(k, o.Name(), "spec.schedule: Required value")
		}
		return checkJob(k, o.Name(), "spec.jobTemplate.spec.template.spec", o.Sub("spec", "jobTemplate", "spec", "template", "spec"))
	case "Service":
		if len(o.List("spec", "ports")) == 0 && o.Text("spec", "type") != "ExternalName" && o.Text("spec", "clusterIP") != "None" {
			return invalid(k, o.Name(), "spec.ports: Required value")
		}
	}
	return nil
}

func checkSelector(k *Served, o manifest.Object) error {
	want, labels := o.Sub("spec", "selector", "matchLabels"), o.Sub("spec", "template", "metadata", "labels")
	if len(want) == 0 && len(o.List("spec", "selector", "matchExpressions")) == 0 {
		return invalid(k, o.Name(), "spec.selector: Required value")
	}
	for key, v := range want {
		if labels[key] != v {
			return invalid(k, o.Name(), fmt.Sprintf("spec.template.metadata.labels: Invalid value: %v: `selector` does not match template `labels`", map[string]any(labels)))
		}
	}
	return nil
}

func checkJob(k *Served, n, path string, pod manifest.Object) error {
	if p := pod.Text("restartPolicy"); p != "Never" && p != "OnFailure" {
		return invalid(k, n, fmt.Sprintf("%s.restartPolicy: Unsupported value: %q: supported values: \"OnFailure\", \"Never\"", path, p))
	}
	return checkPod(k, n, path, pod)
}

func checkPod(k *Served, n, path string, pod manifest.Object) error {
	if len(pod.List("containers")) == 0 {
		return invalid(k, n, path+".containers: Required value")
	}
	volumes := map[string]bool{}
	for i, v := range pod.List("volumes") {
		m, _ := v.(map[string]any)
		vn := manifest.Object(m).Text("name")
		if volumes[vn] {
			return invalid(k, n, fmt.Sprintf("%s.volumes[%d].name: Duplicate value: %q", path, i, vn))
		}
		volumes[vn] = true
	}
	seen := map[string]bool{}
	for _, list := range []string{"initContainers", "containers"} {
		for i, c := range pod.List(list) {
			m, _ := c.(map[string]any)
			if err := checkContainer(k, n, fmt.Sprintf("%s.%s[%d]", path, list, i), m, seen, volumes); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkContainer(k *Served, n, at string, c manifest.Object, seen, volumes map[string]bool) error {
	cn := c.Text("name")
	switch {
	case cn == "":
		return invalid(k, n, at+".name: Required value")
	case len(validation.IsDNS1123Label(cn)) > 0:
		return invalid(k, n, fmt.Sprintf("%s.name: Invalid value: %q: %s", at, cn, validation.IsDNS1123Label(cn)[0]))
	case seen[cn]:
		return invalid(k, n, fmt.Sprintf("%s.name: Duplicate value: %q", at, cn))
	}
	seen[cn] = true
	for j, v := range c.List("volumeMounts") {
		m, _ := v.(map[string]any)
		if vn := manifest.Object(m).Text("name"); k.Kind.Kind != "StatefulSet" && !volumes[vn] {
			return invalid(k, n, fmt.Sprintf("%s.volumeMounts[%d].name: Not found: %q", at, j, vn))
		}
	}
	return nil
}

// mayChange are the fields of a StatefulSet's spec that an update may change; the message is the API server's.
var mayChange = []string{"replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy", "minReadySeconds"}

// fixed refuses a change of what may not change.
func fixed(k *Served, before, o manifest.Object) error {
	immutable := func(path ...string) error {
		was, _ := before.At(path...)
		is, _ := o.At(path...)
		if reflect.DeepEqual(was, is) {
			return nil
		}
		return invalid(k, o.Name(), strings.Join(path, ".")+": Invalid value: field is immutable")
	}
	switch k.Kind.String() {
	case "apps/Deployment", "apps/ReplicaSet", "apps/DaemonSet":
		return immutable("spec", "selector")
	case "apps/StatefulSet":
		a, b := before.Sub("spec").Copy(), o.Sub("spec").Copy()
		for _, f := range mayChange {
			delete(a, f)
			delete(b, f)
		}
		if !reflect.DeepEqual(a, b) {
			return invalid(k, o.Name(), "spec: Forbidden: updates to statefulset spec for fields other than '"+strings.Join(mayChange[:len(mayChange)-1], "', '")+"' and '"+mayChange[len(mayChange)-1]+"' are forbidden")
		}
	case "batch/Job":
		for _, f := range []string{"selector", "template", "completionMode"} {
			if suspended, _ := before.At("spec", "suspend"); f == "template" && suspended == true {
				continue
			}
			if err := immutable("spec", f); err != nil {
				return err
			}
		}
	case "Secret", "ConfigMap":
		if frozen, _ := before.At("immutable"); frozen == true {
			for _, f := range []string{"immutable", "data", "binaryData"} {
				if !reflect.DeepEqual(before[f], o[f]) {
					return invalid(k, o.Name(), f+": Forbidden: field is immutable when `immutable` is set")
				}
			}
		}
		if k.Kind.Kind == "Secret" && before.Text("type") != o.Text("type") {
			return invalid(k, o.Name(), "type: Invalid value: field is immutable")
		}
	}
	return nil
}
