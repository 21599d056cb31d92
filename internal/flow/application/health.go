package application

import (
	"maps"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// worst orders health from best to worst (https://argo-cd.readthedocs.io/en/stable/operator-manual/health/, "Health Checks").
var worst = []string{"Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown"}

// health is the worst of an application's resources. Hooks do not count, nor what is annotated with ignore-healthcheck, nor
// a child application that is missing or unknown.
func health(pairs []Pair) Health {
	out := 0
	for _, p := range pairs {
		if p.Health == nil || ignoresHealth(p) { // hooks have none
			continue
		}
		if app := p.Kind.Group == "argoproj.io" && p.Kind.Kind == "Application"; app && (p.Health.Status == "Missing" || p.Health.Status == "Unknown") {
			continue
		}
		out = max(out, slices.Index(worst, p.Health.Status))
	}
	return Health{Status: worst[out]}
}

func ignoresHealth(p Pair) bool {
	o := p.Live
	if o == nil {
		o = p.Target
	}
	return o.Annotation(AnnotationIgnoreHealth) == "true"
}

// summary is what the application runs and where it can be seen
// (https://argo-cd.readthedocs.io/en/stable/user-guide/external-url/).
func (c *comparer) summary(pairs []Pair) (pictures, urls []string) {
	seenImages, seenURLs := map[string]bool{}, map[string]bool{}
	var visit func(o manifest.Object, depth int)
	visit = func(o manifest.Object, depth int) {
		for _, i := range Images(o) {
			seenImages[i] = true
		}
		for _, u := range links(o) {
			seenURLs[u] = true
		}
		if depth > 10 {
			return
		}
		for _, child := range c.Live.Children[o.UID()] {
			visit(child, depth+1)
		}
	}
	for _, p := range pairs {
		if p.Live != nil {
			visit(p.Live, 0)
		}
	}
	return slices.Sorted(maps.Keys(seenImages)), slices.Sorted(maps.Keys(seenURLs))
}

// Images are the images of an object's pod: its own containers', its template's, its job template's.
func Images(o manifest.Object) []string {
	var out []string
	for _, at := range [][]string{{"spec"}, {"spec", "template", "spec"}, {"spec", "jobTemplate", "spec", "template", "spec"}} {
		for _, list := range []string{"initContainers", "containers"} {
			for _, e := range o.Sub(at...).List(list) {
				if m, ok := e.(map[string]any); ok {
					if image := manifest.Object(m).Text("image"); image != "" && !slices.Contains(out, image) {
						out = append(out, image)
					}
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// links are the addresses of an object: its external-link annotation, or an Ingress' hosts.
func links(o manifest.Object) []string {
	if link := o.Annotation(AnnotationLink); link != "" {
		if _, url, ok := strings.Cut(link, "|"); ok {
			link = url
		}
		return []string{strings.TrimSpace(link)}
	}
	k := o.Kind()
	if k.Kind != "Ingress" || k.Group != "networking.k8s.io" {
		return nil
	}
	secure := map[string]bool{}
	for _, e := range o.List("spec", "tls") {
		if m, ok := e.(map[string]any); ok {
			for _, h := range manifest.Object(m).List("hosts") {
				if h, ok := h.(string); ok {
					secure[h] = true
				}
			}
		}
	}
	var out []string
	for _, e := range o.List("spec", "rules") {
		m, ok := e.(map[string]any)
		if !ok || manifest.Object(m).Text("host") == "" {
			continue
		}
		host, scheme := manifest.Object(m).Text("host"), "http://"
		if secure[host] {
			scheme = "https://"
		}
		out = append(out, scheme+host+"/")
	}
	return out
}

// orphans are live objects of the destination namespace that belong to nothing
// (https://argo-cd.readthedocs.io/en/stable/user-guide/orphaned-resources/).
func (c *comparer) orphans(out *Comparison) {
	if !c.Settings.Orphaned {
		return
	}
	held := map[manifest.Key]bool{}
	for _, p := range out.Pairs {
		held[p.Key] = true
	}
	for _, k := range manifest.Keys(c.Live.Objects) {
		o := c.Live.Objects[k]
		if held[k] || k.Namespace == "" || k.Namespace != c.App.Spec.Destination.Namespace || c.Tracking.Owner(o) != "" ||
			len(o.Owners()) > 0 || everywhere(k) || c.orphanIgnored(k) ||
			c.Permitted != nil && !c.Permitted(o.Kind(), k.Namespace, k.Name) {
			continue
		}
		out.Orphans = append(out.Orphans, k)
	}
	if n := len(out.Orphans); n > 0 && c.Settings.OrphanedWarn {
		c.warn("OrphanedResourceWarning", "Application has %d orphaned resources", n)
		out.Conditions = c.conditions
	}
}

// everywhere reports whether Kubernetes itself puts an object into every namespace.
func everywhere(k manifest.Key) bool {
	switch k.Group + "/" + k.Kind {
	case "/ServiceAccount":
		return k.Name == "default"
	case "/Secret":
		return strings.HasPrefix(k.Name, "default-token-")
	case "/ConfigMap":
		return k.Name == "kube-root-ca.crt"
	case "/Service", "discovery.k8s.io/EndpointSlice", "/Endpoints":
		return k.Name == "kubernetes" && k.Namespace == "default"
	case "/Event", "events.k8s.io/Event":
		return true
	}
	return false
}

func (c *comparer) orphanIgnored(k manifest.Key) bool {
	for _, i := range c.Settings.OrphanedIgnore {
		if glob(i.Group, k.Group) && glob(i.Kind, k.Kind) && (i.Name == "" || glob(i.Name, k.Name)) {
			return true
		}
	}
	return false
}
