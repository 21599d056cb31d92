package objects

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

func fillPod(s *corev1.PodSpec) {
	word(&s.RestartPolicy, corev1.RestartPolicyAlways)
	word(&s.DNSPolicy, corev1.DNSClusterFirst)
	word(&s.SchedulerName, corev1.DefaultSchedulerName)
	or(&s.TerminationGracePeriodSeconds, 30)
	or(&s.SecurityContext, corev1.PodSecurityContext{})
	s.DeprecatedServiceAccount, s.ServiceAccountName = agree(s.DeprecatedServiceAccount, s.ServiceAccountName)
	for i := range s.InitContainers {
		fillContainer(&s.InitContainers[i])
	}
	for i := range s.Containers {
		fillContainer(&s.Containers[i])
	}
	for i := range s.Volumes {
		fillVolume(&s.Volumes[i])
	}
}

// agree gives both names of one field the value that either has.
func agree(old, name string) (string, string) {
	if name == "" {
		name = old
	}
	return name, name
}

func fillContainer(c *corev1.Container) {
	word(&c.TerminationMessagePath, corev1.TerminationMessagePathDefault)
	word(&c.TerminationMessagePolicy, corev1.TerminationMessageReadFile)
	if c.ImagePullPolicy == "" {
		c.ImagePullPolicy = corev1.PullIfNotPresent
		if tag := c.Image[strings.LastIndex(c.Image, "/")+1:]; !strings.Contains(tag, "@") && (!strings.Contains(tag, ":") || strings.HasSuffix(tag, ":latest")) {
			c.ImagePullPolicy = corev1.PullAlways
		}
	}
	for i := range c.Ports {
		word(&c.Ports[i].Protocol, corev1.ProtocolTCP)
	}
	for i := range c.Env {
		if from := c.Env[i].ValueFrom; from != nil && from.FieldRef != nil {
			word(&from.FieldRef.APIVersion, "v1")
		}
	}
	for _, p := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		fillProbe(p)
	}
	if c.Lifecycle != nil {
		for _, h := range []*corev1.LifecycleHandler{c.Lifecycle.PostStart, c.Lifecycle.PreStop} {
			if h != nil && h.HTTPGet != nil {
				fillGet(h.HTTPGet)
			}
		}
	}
	for name, v := range c.Resources.Limits { // a limit is a request where none is made
		if _, ok := c.Resources.Requests[name]; !ok {
			if c.Resources.Requests == nil {
				c.Resources.Requests = corev1.ResourceList{}
			}
			c.Resources.Requests[name] = v
		}
	}
}

func fillProbe(p *corev1.Probe) {
	if p == nil {
		return
	}
	word(&p.TimeoutSeconds, 1)
	word(&p.PeriodSeconds, 10)
	word(&p.SuccessThreshold, 1)
	word(&p.FailureThreshold, 3)
	if p.HTTPGet != nil {
		fillGet(p.HTTPGet)
	}
	if p.GRPC != nil {
		or(&p.GRPC.Service, "")
	}
}

func fillGet(g *corev1.HTTPGetAction) {
	word(&g.Path, "/")
	word(&g.Scheme, corev1.URISchemeHTTP)
}

func fillVolume(v *corev1.Volume) {
	if v.VolumeSource == (corev1.VolumeSource{}) {
		v.EmptyDir = &corev1.EmptyDirVolumeSource{}
	}
	const mode = 0o644
	switch {
	case v.ConfigMap != nil:
		or(&v.ConfigMap.DefaultMode, mode)
	case v.Secret != nil:
		or(&v.Secret.DefaultMode, mode)
	case v.DownwardAPI != nil:
		or(&v.DownwardAPI.DefaultMode, mode)
		fillItems(v.DownwardAPI.Items)
	case v.Projected != nil:
		or(&v.Projected.DefaultMode, mode)
		for _, s := range v.Projected.Sources {
			if s.DownwardAPI != nil {
				fillItems(s.DownwardAPI.Items)
			}
		}
	case v.HostPath != nil:
		or(&v.HostPath.Type, corev1.HostPathUnset)
	}
}

func fillItems(items []corev1.DownwardAPIVolumeFile) {
	for i := range items {
		if items[i].FieldRef != nil {
			word(&items[i].FieldRef.APIVersion, "v1")
		}
	}
}
