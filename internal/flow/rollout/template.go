package rollout

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// equal reports whether two pod templates mean the same: labels of hashes apart, and with the defaults that the API server
// fills in. It finds the replica set of a template whose hash another release has computed in another way.
func equal(a, b manifest.Object) bool {
	ta, err := podTemplate(a)
	if err != nil {
		return false
	}
	tb, err := podTemplate(b)
	if err != nil {
		return false
	}
	for _, t := range []*corev1.PodTemplateSpec{&ta, &tb} {
		delete(t.Labels, HashLabel)
		t.Spec.DeprecatedServiceAccount = ""
		fillDefaults(&t.Spec)
	}
	return equality.Semantic.DeepEqual(ta, tb)
}

func preset[T comparable](v *T, other T) {
	var none T
	if *v == none {
		*v = other
	}
}

func presetPointer[T any](v **T, other T) {
	if *v == nil {
		*v = &other
	}
}

// fillDefaults sets what the API server sets in a replica set's pod template
// (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/).
func fillDefaults(s *corev1.PodSpec) {
	preset(&s.DNSPolicy, corev1.DNSClusterFirst)
	preset(&s.RestartPolicy, corev1.RestartPolicyAlways)
	preset(&s.SchedulerName, corev1.DefaultSchedulerName)
	presetPointer(&s.SecurityContext, corev1.PodSecurityContext{})
	presetPointer(&s.TerminationGracePeriodSeconds, corev1.DefaultTerminationGracePeriodSeconds)
	for _, list := range [][]corev1.Container{s.InitContainers, s.Containers} {
		for i := range list {
			fillContainer(&list[i], s.HostNetwork)
		}
	}
	for i := range s.Volumes {
		fillVolume(&s.Volumes[i].VolumeSource)
	}
}

func fillContainer(c *corev1.Container, hostNetwork bool) {
	preset(&c.TerminationMessagePath, corev1.TerminationMessagePathDefault)
	preset(&c.TerminationMessagePolicy, corev1.TerminationMessageReadFile)
	preset(&c.ImagePullPolicy, pullPolicy(c.Image))
	for i := range c.Ports {
		preset(&c.Ports[i].Protocol, corev1.ProtocolTCP)
		if hostNetwork {
			preset(&c.Ports[i].HostPort, c.Ports[i].ContainerPort)
		}
	}
	for i := range c.Env {
		if f := c.Env[i].ValueFrom; f != nil && f.FieldRef != nil {
			preset(&f.FieldRef.APIVersion, "v1")
		}
	}
	for _, p := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		if p == nil {
			continue
		}
		preset(&p.TimeoutSeconds, 1)
		preset(&p.PeriodSeconds, 10)
		preset(&p.SuccessThreshold, 1)
		preset(&p.FailureThreshold, 3)
		fillGet(p.HTTPGet)
		if p.GRPC != nil {
			presetPointer(&p.GRPC.Service, "")
		}
	}
	if l := c.Lifecycle; l != nil {
		for _, h := range []*corev1.LifecycleHandler{l.PostStart, l.PreStop} {
			if h != nil {
				fillGet(h.HTTPGet)
			}
		}
	}
}

// pullPolicy is Always for an image without a tag or with latest.
func pullPolicy(image string) corev1.PullPolicy {
	name := image[strings.LastIndex(image, "/")+1:]
	_, tag, tagged := strings.Cut(name, ":")
	if strings.Contains(name, "@") || tagged && tag != "latest" {
		return corev1.PullIfNotPresent
	}
	return corev1.PullAlways
}

func fillGet(g *corev1.HTTPGetAction) {
	if g == nil {
		return
	}
	preset(&g.Path, "/")
	preset(&g.Scheme, corev1.URISchemeHTTP)
}

func fillVolume(v *corev1.VolumeSource) {
	const readable = 0o644
	if equality.Semantic.DeepEqual(*v, corev1.VolumeSource{}) {
		v.EmptyDir = &corev1.EmptyDirVolumeSource{}
	}
	switch {
	case v.Secret != nil:
		presetPointer(&v.Secret.DefaultMode, readable)
	case v.ConfigMap != nil:
		presetPointer(&v.ConfigMap.DefaultMode, readable)
	case v.HostPath != nil:
		presetPointer(&v.HostPath.Type, corev1.HostPathUnset)
	case v.DownwardAPI != nil:
		presetPointer(&v.DownwardAPI.DefaultMode, readable)
		fillItems(v.DownwardAPI.Items)
	case v.Projected != nil:
		presetPointer(&v.Projected.DefaultMode, readable)
		for _, s := range v.Projected.Sources {
			if s.ServiceAccountToken != nil {
				presetPointer(&s.ServiceAccountToken.ExpirationSeconds, 3600)
			}
			if s.DownwardAPI != nil {
				fillItems(s.DownwardAPI.Items)
			}
		}
	case v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil:
		presetPointer(&v.Ephemeral.VolumeClaimTemplate.Spec.VolumeMode, corev1.PersistentVolumeFilesystem)
	}
}

func fillItems(items []corev1.DownwardAPIVolumeFile) {
	for _, i := range items {
		if i.FieldRef != nil {
			preset(&i.FieldRef.APIVersion, "v1")
		}
	}
}

// antiAffinity is the strategy's rule that keeps two versions' pods apart, nil without one.
func (s Spec) antiAffinity() *AntiAffinity {
	var a *AntiAffinity
	switch {
	case s.Strategy.Canary != nil:
		a = s.Strategy.Canary.AntiAffinity
	case s.Strategy.BlueGreen != nil:
		a = s.Strategy.BlueGreen.AntiAffinity
	}
	if a == nil || a.Preferred == nil && a.Required == nil {
		return nil
	}
	return a
}

const (
	preferredRule = "preferredDuringSchedulingIgnoredDuringExecution"
	requiredRule  = "requiredDuringSchedulingIgnoredDuringExecution"
)

// repel adds to a pod template that its pods keep off the nodes of the stable version's pods
// (https://argo-rollouts.readthedocs.io/en/stable/features/anti-affinity/anti-affinity/).
func (r Rollout) repel(template manifest.Object) {
	a := r.Spec.antiAffinity()
	term := map[string]any{
		"labelSelector": map[string]any{"matchExpressions": []any{map[string]any{
			"key": HashLabel, "operator": "In", "values": []any{r.Status.StableRS},
		}}},
		"namespaces":  []any{r.Object.Namespace()},
		"topologyKey": "kubernetes.io/hostname",
	}
	rule, entry := requiredRule, map[string]any(term)
	if a.Preferred != nil {
		rule = preferredRule
		entry = map[string]any{"weight": int64(a.Preferred.Weight), "podAffinityTerm": term}
	}
	path := []string{"spec", "affinity", "podAntiAffinity", rule}
	list := append([]any{}, template.List(path...)...)
	template.Set(append(list, entry), path...)
}

// repelled is the hash that an injected rule keeps a template's pods away from, "" without one.
func repelled(template manifest.Object) string {
	for _, rule := range []string{preferredRule, requiredRule} {
		for _, e := range template.List("spec", "affinity", "podAntiAffinity", rule) {
			if hash := repelledBy(e); hash != "" {
				return hash
			}
		}
	}
	return ""
}

func repelledBy(entry any) string {
	m, _ := entry.(map[string]any)
	o := manifest.Object(m)
	if term := o.Sub("podAffinityTerm"); term != nil {
		o = term
	}
	for _, x := range o.List("labelSelector", "matchExpressions") {
		e, _ := x.(map[string]any)
		if e["key"] != HashLabel {
			continue
		}
		if values, _ := e["values"].([]any); len(values) > 0 {
			hash, _ := values[0].(string)
			return hash
		}
	}
	return ""
}

// bare is a template without injected anti-affinity.
func bare(template manifest.Object) manifest.Object {
	out := template.Copy()
	base := []string{"spec", "affinity", "podAntiAffinity"}
	for _, rule := range []string{preferredRule, requiredRule} {
		var kept []any
		for _, e := range out.List(append(base, rule)...) {
			if repelledBy(e) == "" {
				kept = append(kept, e)
			}
		}
		if len(kept) == 0 {
			out.Drop(append(base, rule)...)
		} else {
			out.Set(kept, append(base, rule)...)
		}
	}
	for n := len(base); n > 1; n-- {
		if m := out.Sub(base[:n]...); m != nil && len(m) == 0 {
			out.Drop(base[:n]...)
		}
	}
	return out
}
