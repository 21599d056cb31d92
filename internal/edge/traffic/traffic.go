// Package traffic shares out the requests of a Rollout by changing the objects that its trafficRouting names: NGINX Ingresses,
// Istio VirtualServices and DestinationRules, Gateway API routes. Each kind is a pure change of an object; this file reads
// and writes. It decides no weight, keeps what others wrote in those objects, and refuses the providers it does not know
// by name (https://argo-rollouts.readthedocs.io/en/stable/features/traffic-management/).
package traffic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
)

// The faults of this package.
const (
	CodeProvider = "SL5980" // a provider that Sluice does not move
	CodeShape    = "SL5981" // the object does not have what the Rollout says of it
	CodeOwned    = "SL5982" // the object belongs to somebody else
	CodeManaged  = "SL5983" // a managed route cannot be made
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeProvider, Summary: "a provider of trafficRouting is not supported", Text: "Sluice moves the traffic of NGINX Ingresses (nginx), of Istio (istio) and of Gateway API routes (plugins: argoproj-labs/gatewayAPI). ALB, SMI, Ambassador, App Mesh, Traefik, APISIX and other plugins are refused by name: a rollout that asks for them would ship without the protection that its steps promise."},
	{Code: CodeShape, Summary: "an object that weighs traffic lacks what the Rollout names", Text: "The route, the two destinations or the two subsets that spec.strategy.canary.trafficRouting names must stand in the object already: Sluice changes weights, it does not invent routes. The message says which one is missing."},
	{Code: CodeOwned, Summary: "an object that Sluice would change belongs to somebody else", Text: "The canary Ingress is named after the Rollout and the stable Ingress. Where an Ingress of that name is there and is not controlled by this Rollout, it is left alone and the rollout stops."},
	{Code: CodeManaged, Summary: "a managed route cannot be made", Text: "setHeaderRoute and setMirrorRoute work with Istio's HTTP routes and with HTTPRoutes of the Gateway API v1.2 and newer (their rules have names). The route's name must stand in trafficRouting.managedRoutes."},
}

// The names that Argo Rollouts writes.
const (
	hashLabel = "rollouts-pod-template-hash"
	managedBy = "argo-rollouts.argoproj.io/managed-by-rollouts"
)

// Cluster is what is read and written.
type Cluster interface {
	Get(ctx context.Context, kind manifest.Kind, namespace, name string) (manifest.Object, error)
	List(ctx context.Context, kind manifest.Kind, namespace, selector string) ([]manifest.Object, error)
	Create(ctx context.Context, o manifest.Object, w manifest.Writing) (manifest.Object, error)
	Update(ctx context.Context, o manifest.Object, sub string, w manifest.Writing) (manifest.Object, error)
}

// Driver moves the traffic of rollouts in one cluster. A Rollout without trafficRouting is served by its replica counts:
// there is nothing to do then.
type Driver struct{ Cluster Cluster }

// part is one object that a rollout's traffic depends on, and how it is to be.
type part struct {
	kinds     []manifest.Kind // the versions to try, the first served counts
	namespace string
	name      string
	needed    string // how a missing one is told: "Ingress web"; "" where it is made
	change    func(context.Context, manifest.Object) (manifest.Object, error)
	create    func(ctx context.Context) (manifest.Object, error)
}

// Route makes the traffic so: all objects of all providers that the Rollout names, destinations before weights. What is so
// already is not written.
func (d Driver) Route(ctx context.Context, r rollout.Rollout, t rollout.Traffic) error {
	parts, err := d.parts(r, t)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := d.settle(ctx, p); err != nil {
			return fmt.Errorf("route traffic: %w", err)
		}
	}
	return nil
}

// Verified is nil: none of these providers tells when its weights are in force.
func (d Driver) Verified(context.Context, rollout.Rollout, rollout.Traffic) (*bool, error) {
	return nil, nil
}

// Check tells which objects that the Rollout's trafficRouting names are not there ("Ingress web"), and what in it Sluice
// does not do.
func (d Driver) Check(ctx context.Context, r rollout.Rollout) (missing []string, refused fault.Faults, err error) {
	refused = Refused(r)
	parts, err := d.parts(r, rollout.Traffic{})
	if fs, ok := errors.AsType[*fault.Fault](err); ok {
		return nil, append(refused, fs), nil
	}
	if err != nil {
		return nil, nil, err
	}
	for _, p := range parts {
		if p.needed == "" {
			continue
		}
		if _, err := d.get(ctx, p); manifest.NotFound(err) {
			missing = append(missing, p.needed)
		} else if err != nil {
			return nil, nil, err
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing), refused, nil
}

// Refused names the providers in a Rollout that Sluice does not move, and the steps that its provider cannot do.
func Refused(r rollout.Rollout) fault.Faults {
	tr := routing(r)
	if tr == nil {
		return nil
	}
	var out fault.Faults
	for _, p := range []struct {
		name string
		set  bool
	}{
		{"alb", tr.ALB != nil},
		{"smi", tr.SMI != nil},
		{"ambassador", tr.Ambassador != nil},
		{"appMesh", tr.AppMesh != nil},
		{"traefik", tr.Traefik != nil},
		{"apisix", tr.Apisix != nil},
	} {
		if p.set {
			out = append(out, refusal("spec.strategy.canary.trafficRouting."+p.name))
		}
	}
	for _, name := range sorted(tr.Plugins) {
		if name != gatewayPlugin {
			out = append(out, refusal("spec.strategy.canary.trafficRouting.plugins["+name+"]"))
		}
	}
	return out
}

func refusal(field string) *fault.Fault {
	return fault.New(CodeProvider, "%s: Sluice does not move this provider's traffic", field).
		WithHint("nginx, istio and the plugin %s are supported", gatewayPlugin)
}

// Release undoes in other objects what the Rollout no longer asks for: a DestinationRule that it marked and does not name
// any more loses the hashes and the mark.
func (d Driver) Release(ctx context.Context, r rollout.Rollout) error {
	for _, kind := range destinationRules {
		rules, err := d.Cluster.List(ctx, kind, r.Object.Namespace(), "")
		if manifest.Is(err, manifest.ReasonNoKind) || manifest.Is(err, manifest.ReasonNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("look for destination rules of rollout %s: %w", r.Object.Name(), err)
		}
		for _, o := range rules {
			if o.Annotation(managedBy) != r.Object.Name() || namesRule(r, o.Name()) {
				continue
			}
			p := part{kinds: []manifest.Kind{kind}, namespace: o.Namespace(), name: o.Name(), change: released}
			if err := d.settle(ctx, p); err != nil && !manifest.NotFound(err) {
				return err
			}
		}
		return nil
	}
	return nil
}

// parts are the objects of all providers of a rollout.
func (d Driver) parts(r rollout.Rollout, t rollout.Traffic) ([]part, error) {
	tr := routing(r)
	if tr == nil {
		return nil, nil
	}
	var out []part
	if tr.Istio != nil {
		out = append(out, istioParts(r, t)...)
	}
	if tr.Nginx != nil {
		out = append(out, d.nginxParts(r, t)...)
	}
	if config, ok := tr.Plugins[gatewayPlugin]; ok {
		some, err := gatewayParts(r, t, config)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

// settle brings one object to what it is to be, and begins anew where somebody else wrote in between.
func (d Driver) settle(ctx context.Context, p part) error {
	var err error
	for range 5 {
		if err = d.try(ctx, p); !manifest.Is(err, manifest.ReasonConflict) && !manifest.Is(err, manifest.ReasonExists) {
			return err
		}
	}
	return err
}

func (d Driver) try(ctx context.Context, p part) error {
	was, err := d.get(ctx, p)
	if manifest.Is(err, manifest.ReasonNotFound) && p.create != nil {
		o, err := p.create(ctx)
		if err != nil || o == nil {
			return err
		}
		_, err = d.Cluster.Create(ctx, o, manifest.Writing{})
		return err
	}
	if err != nil {
		return err
	}
	is, err := p.change(ctx, was.Copy())
	if err != nil {
		return err
	}
	if bytes.Equal(was.JSON(), is.JSON()) {
		return nil
	}
	_, err = d.Cluster.Update(ctx, is, "", manifest.Writing{})
	return err
}

// get reads a part in the first version that the cluster serves.
func (d Driver) get(ctx context.Context, p part) (manifest.Object, error) {
	var err error
	for _, kind := range p.kinds {
		var o manifest.Object
		if o, err = d.Cluster.Get(ctx, kind, p.namespace, p.name); !manifest.Is(err, manifest.ReasonNoKind) {
			return o, err
		}
	}
	return nil, err
}

func routing(r rollout.Rollout) *rollout.TrafficRouting {
	if r.Spec.Strategy.Canary == nil {
		return nil
	}
	return r.Spec.Strategy.Canary.TrafficRouting
}

// Services are the names of the stable and the canary Service: those of the traffic, else those of the spec, where ping and
// pong take turns by the status.
func Services(r rollout.Rollout, t rollout.Traffic) (stable, canary string) {
	c := r.Spec.Strategy.Canary
	stable, canary = t.Weights.Stable.ServiceName, t.Weights.Canary.ServiceName
	if c == nil || stable != "" && canary != "" {
		return stable, canary
	}
	if c.StableService != "" || c.CanaryService != "" || c.PingPong == nil {
		return c.StableService, c.CanaryService
	}
	if r.Status.Canary.StablePingPong == "pong" {
		return c.PingPong.PongService, c.PingPong.PingService
	}
	return c.PingPong.PingService, c.PingPong.PongService
}

func shape(o manifest.Object, format string, args ...any) *fault.Fault {
	return fault.New(CodeShape, "%s %s: %s", o.Text("kind"), where(o), fmt.Sprintf(format, args...))
}

func where(o manifest.Object) string {
	if o.Namespace() == "" {
		return o.Name()
	}
	return o.Namespace() + "/" + o.Name()
}

func sorted[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// hostname is a destination's Service: "web" of "web.shop.svc.cluster.local".
func hostname(host string) string {
	name, _, _ := strings.Cut(host, ".")
	return name
}
