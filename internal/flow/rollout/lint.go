package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// gatewayPlugin is the traffic plugin that Sluice does the work of itself.
const gatewayPlugin = "argoproj-labs/gatewayAPI"

// Lint is what is wrong with a Rollout by itself and what of it Sluice does not do, without a cluster. The template of a
// workloadRef is not looked at.
func Lint(r Rollout) fault.Faults {
	var out fault.Faults
	if r.Spec.WorkloadRef != nil && r.Spec.hasTemplate() {
		out = append(out, fault.New(CodeInvalid, "spec.template: template must be empty for workload reference rollout"))
	}
	for _, e := range Validate(r) {
		out = append(out, fault.New(CodeInvalid, "%s", e.Error()))
	}
	return append(out, Unsupported(r)...)
}

// Unsupported tells of each part of a spec that Sluice does not do, by name.
func Unsupported(r Rollout) fault.Faults {
	var out fault.Faults
	refuse := func(path, format string, args ...any) {
		out = append(out, fault.New(CodeUnsupported, "%s: %s", path, fmt.Sprintf(format, args...)))
	}
	for i, s := range r.Spec.steps() {
		if s.Plugin != nil {
			refuse(fmt.Sprintf("spec.strategy.canary.steps[%d].plugin", i), "step plugin %q is not supported", s.Plugin.Name)
		}
	}
	if !r.Spec.routed() {
		return out
	}
	t := r.Spec.Strategy.Canary.TrafficRouting
	routers := map[string]bool{
		"alb": t.ALB != nil, "smi": t.SMI != nil, "ambassador": t.Ambassador != nil, "appMesh": t.AppMesh != nil,
		"traefik": t.Traefik != nil, "apisix": t.Apisix != nil,
	}
	for _, name := range slices.Sorted(maps.Keys(routers)) {
		if routers[name] {
			refuse("spec.strategy.canary.trafficRouting."+name, "this router is not supported: use plugins.%s, istio or nginx", gatewayPlugin)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.Plugins)) {
		if !strings.EqualFold(name, gatewayPlugin) {
			refuse("spec.strategy.canary.trafficRouting.plugins", "traffic plugin %q is not supported, only %s is", name, gatewayPlugin)
		}
	}
	return out
}
