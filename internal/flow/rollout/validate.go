package rollout

import (
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Validate is what is wrong with a Rollout by itself, in Argo Rollouts' words; the first is what a controller tells. What
// it names in the cluster is looked at by Next.
func Validate(r Rollout) field.ErrorList {
	var v validation
	path := field.NewPath("spec")
	v.pods(r, path)
	strategy := path.Child("strategy")
	switch s := r.Spec.Strategy; {
	case s.BlueGreen == nil && s.Canary == nil:
		v.add(field.Required(strategy.Child("strategy"), missing(".spec.strategy.canary or .spec.strategy.blueGreen")))
	case s.BlueGreen != nil && s.Canary != nil:
		v.invalid(strategy.Child("strategy"), "blueGreen: true canary: true", "Multiple Strategies can not be listed")
	case s.BlueGreen != nil:
		v.blueGreen(r.Spec, strategy)
	default:
		v.canary(r, strategy)
	}
	return v.errs
}

type validation struct{ errs field.ErrorList }

func (v *validation) add(e *field.Error) { v.errs = append(v.errs, e) }

func (v *validation) invalid(path *field.Path, value any, format string, args ...any) {
	v.add(field.Invalid(path, value, fmt.Sprintf(format, args...)))
}

func (v *validation) notNegative(path *field.Path, n int32) {
	if n < 0 {
		v.invalid(path, int64(n), "must be greater than or equal to 0")
	}
}

func missing(what string) string { return fmt.Sprintf("Rollout has missing field '%s'", what) }

// pods looks at the selector, the pod template and the numbers.
func (v *validation) pods(r Rollout, path *field.Path) {
	s := r.Spec
	v.notNegative(path.Child("replicas"), s.replicas())
	resolved := s.WorkloadRef == nil || len(s.Template) > 0
	if s.WorkloadRef == nil || s.Selector != nil {
		v.selector(s.Selector, path.Child("selector"))
	}
	if selector, err := metav1.LabelSelectorAsSelector(s.Selector); err != nil {
		v.invalid(path.Child("selector"), s.Selector, "invalid label selector")
	} else if resolved {
		v.template(s, selector, path.Child("template"))
	}
	v.notNegative(path.Child("minReadySeconds"), s.MinReadySeconds)
	v.notNegative(path.Child("revisionHistoryLimit"), s.history())
	v.notNegative(path.Child("progressDeadlineSeconds"), s.deadline())
	if s.deadline() <= s.MinReadySeconds {
		v.invalid(path.Child("progressDeadlineSeconds"), s.deadline(), "must be greater than minReadySeconds")
	}
}

func (v *validation) selector(s *metav1.LabelSelector, path *field.Path) {
	if s == nil {
		v.add(field.Required(path, missing(".spec.selector")))
		return
	}
	v.errs = append(v.errs, metavalidation.ValidateLabelSelector(s, metavalidation.LabelSelectorValidationOptions{}, path)...)
	if len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		v.invalid(path, s, "empty selector is invalid for deployment")
	}
}

// template looks at what every pod template must have; the rest is the API server's to refuse.
func (v *validation) template(s Spec, selector labels.Selector, path *field.Path) {
	t, err := podTemplate(s.Template)
	if err != nil {
		v.add(field.InternalError(path, err))
		return
	}
	if !selector.Empty() && !selector.Matches(labels.Set(t.Labels)) {
		v.invalid(path.Child("metadata", "labels"), t.Labels, "`selector` does not match template `labels`")
	}
	spec := path.Child("spec")
	if len(t.Spec.Containers) == 0 {
		v.add(field.Required(spec.Child("containers"), ""))
	}
	seen := map[string]bool{}
	for i, c := range t.Spec.Containers {
		at := spec.Child("containers").Index(i)
		switch {
		case c.Name == "":
			v.add(field.Required(at.Child("name"), ""))
		case seen[c.Name]:
			v.add(field.Duplicate(at.Child("name"), c.Name))
		}
		for _, msg := range content.IsDNS1123Label(c.Name) {
			if c.Name != "" {
				v.invalid(at.Child("name"), c.Name, "%s", msg)
			}
		}
		seen[c.Name] = true
		if c.Image == "" {
			v.add(field.Required(at.Child("image"), ""))
		}
	}
	if p := t.Spec.RestartPolicy; p != "" && p != "Always" {
		v.add(field.NotSupported(spec.Child("restartPolicy"), p, []string{"Always"}))
	}
	if t.Spec.ActiveDeadlineSeconds != nil {
		v.add(field.Forbidden(spec.Child("activeDeadlineSeconds"), "activeDeadlineSeconds in ReplicaSet is not Supported"))
	}
}

func (v *validation) blueGreen(s Spec, path *field.Path) {
	b := s.Strategy.BlueGreen
	if b.ActiveService == b.PreviewService {
		v.invalid(path.Child("activeService"), b.ActiveService,
			"This rollout uses the same service for the active and preview services, but two different services are required.")
	}
	if n := b.ScaleDownDelayRevisionLimit; n != nil && s.history() < *n {
		v.invalid(path.Child("scaleDownDelayRevisionLimit"), *n,
			"This rollout's revision history limit can not be smaller than the rollout's scale down limit")
	}
	v.antiAffinity(b.AntiAffinity, path.Child("antiAffinity"))
}

func (v *validation) antiAffinity(a *AntiAffinity, path *field.Path) {
	if a == nil {
		return
	}
	if (a.Preferred == nil) == (a.Required == nil) {
		v.invalid(path, fmt.Sprintf("antiAffinity.PreferredDuringSchedulingIgnoredDuringExecution: %t antiAffinity.RequiredDuringSchedulingIgnoredDuringExecution: %t",
			a.Preferred != nil, a.Required != nil), "AntiAffinity must have exactly one strategy listed")
	}
	if a.Preferred != nil && (a.Preferred.Weight < 1 || a.Preferred.Weight > 100) {
		v.invalid(path.Child("weight"), a.Preferred.Weight, "AntiAffinity weight must be between 1-100")
	}
}

func (v *validation) canary(r Rollout, path *field.Path) {
	s, c := r.Spec, r.Spec.Strategy.Canary
	if plain(s.surge()) == 0 && plain(s.unavailable()) == 0 {
		surge := s.surge()
		v.invalid(path.Child("maxSurge"), surge.String(), "MaxSurge and MaxUnavailable both can not be zero")
	}
	if c.CanaryService != "" && c.CanaryService == c.StableService {
		v.invalid(path.Child("stableService"), c.StableService,
			"This rollout uses the same service for the stable and canary services, but two different services are required.")
	}
	v.pingPong(*c, path)
	if c.needsServices() {
		for _, s := range []struct{ field, name string }{{"stableService", c.StableService}, {"canaryService", c.CanaryService}} {
			if s.name == "" {
				v.invalid(path.Child(s.field), s.name, "Canary service and Stable service must to be set to use Traffic Routing")
			}
		}
	}
	v.routing(*c, path)
	for i, step := range c.Steps {
		v.step(r, step, path.Child("steps").Index(i), path)
	}
	v.antiAffinity(c.AntiAffinity, path.Child("antiAffinity"))
}

// plain is a number, or a percentage's number; what is neither is 0.
func plain(v intstr.IntOrString) int {
	if v.Type == intstr.Int {
		return v.IntValue()
	}
	n, err := strconv.Atoi(strings.TrimSuffix(v.StrVal, "%"))
	if err != nil {
		return 0
	}
	return n
}

func (v *validation) pingPong(c Canary, path *field.Path) {
	p := c.PingPong
	if p == nil {
		return
	}
	at := path.Child("pingPong")
	if t := c.TrafficRouting; t != nil && t.ALB == nil && t.Istio == nil {
		v.add(field.Invalid(path.Child("trafficRouting").Child("alb"), nil, "Ping-pong feature works with the ALB and Istio traffic routers only"))
	}
	for _, s := range []struct{ field, name string }{{"pingService", p.PingService}, {"pongService", p.PongService}} {
		if s.name == "" {
			v.invalid(at.Child(s.field), s.name, "Ping service and Pong service must to be set to use Ping-Pong feature")
		}
	}
	if p.PingService == p.PongService {
		v.invalid(at.Child("pingService"), p.PingService,
			"This rollout uses the same service for the ping and pong services, but two different services are required.")
	}
}

// needsServices reports whether the router weighs Services and not subsets of one.
func (c Canary) needsServices() bool {
	t := c.TrafficRouting
	if t == nil {
		return false
	}
	return t.ALB != nil && c.PingPong == nil ||
		t.Istio != nil && t.Istio.DestinationRule == nil && c.PingPong == nil ||
		t.SMI != nil || t.Apisix != nil || t.Ambassador != nil || t.Nginx != nil || t.AppMesh != nil || t.Traefik != nil
}

func (v *validation) routing(c Canary, path *field.Path) {
	t := c.TrafficRouting
	delay := c.ScaleDownDelaySeconds
	switch {
	case t == nil && delay != nil:
		v.invalid(path.Child("scaleDownDelaySeconds"), *delay, "Canary scaleDownDelaySeconds can only be used with traffic routing")
	case t != nil && delay != nil && c.DynamicStableScale:
		v.invalid(path.Child("dynamicStableScale"), true, "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds")
	}
	if t == nil && c.DynamicStableScale {
		v.invalid(path.Child("dynamicStableScale"), true, "Canary dynamicStableScale can only be used with traffic routing")
	}
	if t == nil {
		return
	}
	if n := t.MaxTrafficWeight; n != nil {
		at := path.Child("trafficRouting").Child("maxTrafficWeight")
		if t.Nginx == nil && len(t.Plugins) == 0 {
			v.invalid(at, *n, "Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins")
		}
		if *n <= 0 {
			v.invalid(at, *n, "must be greater than 0")
		}
	}
}
