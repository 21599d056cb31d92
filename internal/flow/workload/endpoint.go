package workload

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The labels of pods that tell revisions apart.
const (
	HashLabel        = "pod-template-hash"
	RolloutHashLabel = "rollouts-pod-template-hash"
)

// Endpoint is one address behind a port of a Service.
type Endpoint struct {
	Pod     string
	Address string // "127.1.0.4:8080"
	Hash    string // the pod's template hash, "" without one
	Ready   bool   // may be sent new requests
	Leaving bool   // is being deleted; what is in flight ends
}

// Backend is a port of a Service with what is behind it.
type Backend struct {
	Name        string // the port's name
	Port        int32
	NodePort    int32
	Protocol    string // TCP or UDP
	AppProtocol string
	Endpoints   []Endpoint
}

// Backends finds what is behind each port of a Service: the pods of its namespace that its selector matches and that have an
// address. publishNotReadyAddresses takes those that are not ready as ready.
func Backends(service manifest.Object, pods []manifest.Object) ([]Backend, error) {
	s, err := read[corev1.Service](service)
	if err != nil {
		return nil, err
	}
	list, err := selected(s, pods)
	if err != nil {
		return nil, err
	}
	var out []Backend
	for _, p := range s.Spec.Ports {
		b := Backend{Name: p.Name, Port: p.Port, NodePort: p.NodePort, Protocol: string(cmp.Or(p.Protocol, corev1.ProtocolTCP))}
		if p.AppProtocol != nil {
			b.AppProtocol = *p.AppProtocol
		}
		for _, pod := range list {
			port, ok := targetPort(p, pod)
			if !ok {
				continue
			}
			ready, _ := Ready(pod)
			b.Endpoints = append(b.Endpoints, Endpoint{
				Pod: pod.Name, Address: fmt.Sprintf("%s:%d", pod.Status.PodIP, port), Hash: cmp.Or(pod.Labels[RolloutHashLabel], pod.Labels[HashLabel]),
				Ready: (ready || s.Spec.PublishNotReadyAddresses) && pod.DeletionTimestamp == nil, Leaving: pod.DeletionTimestamp != nil,
			})
		}
		out = append(out, b)
	}
	return out, nil
}

// selected are the pods behind a Service, by name.
func selected(s corev1.Service, pods []manifest.Object) ([]*corev1.Pod, error) {
	if len(s.Spec.Selector) == 0 {
		return nil, nil
	}
	selector := labels.SelectorFromSet(s.Spec.Selector)
	var out []*corev1.Pod
	for _, o := range pods {
		if o.Namespace() != s.Namespace || !selector.Matches(labels.Set(o.Labels())) || o.Text("status", "podIP") == "" {
			continue
		}
		p, err := read[corev1.Pod](o)
		if err != nil {
			return nil, err
		}
		if p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
			out = append(out, &p)
		}
	}
	slices.SortFunc(out, func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// targetPort is where a pod listens for a Service's port: a number, or the name of a container's port.
func targetPort(p corev1.ServicePort, pod *corev1.Pod) (int32, bool) {
	if p.TargetPort.Type == intstr.Int {
		return cmp.Or(p.TargetPort.IntVal, p.Port), true
	}
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for _, c := range list {
			for _, cp := range c.Ports {
				if cp.Name == p.TargetPort.StrVal && cmp.Or(cp.Protocol, corev1.ProtocolTCP) == cmp.Or(p.Protocol, corev1.ProtocolTCP) {
					return cp.ContainerPort, true
				}
			}
		}
	}
	return 0, false
}

// EndpointsWorld is what a decision on a Service's endpoints rests on: the pods of its namespace, and its slices.
type EndpointsWorld struct {
	Service manifest.Object
	Pods    []manifest.Object
	Slices  []manifest.Object
}

// Endpoints decides on the EndpointSlices of a Service: one for each set of ports that its pods have
// (https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/).
func Endpoints(w EndpointsWorld) (Decision, error) {
	var d Decision
	s, err := read[corev1.Service](w.Service)
	if err != nil || len(s.Spec.Selector) == 0 {
		return d, err
	}
	wanted := map[string]manifest.Object{}
	if s.DeletionTimestamp == nil {
		if wanted, err = endpointSlices(s, w.Pods); err != nil {
			return d, err
		}
	}
	for _, o := range w.Slices {
		want, ok := wanted[o.Name()]
		delete(wanted, o.Name())
		switch {
		case !ok:
			d.do(Delete{Kind: EndpointSlice, Name: o.Name(), UID: o.UID(), Propagation: "Background"})
		case string(manifest.Object{"e": want["endpoints"], "p": want["ports"]}.JSON()) != string(manifest.Object{"e": o["endpoints"], "p": o["ports"]}.JSON()):
			d.do(Patch{Kind: EndpointSlice, Name: o.Name(), Patch: manifest.Object{"endpoints": want["endpoints"], "ports": want["ports"]}})
		}
	}
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for n := range wanted {
			if !yield(n) {
				return
			}
		}
	}) {
		d.do(Create{wanted[name]})
	}
	return d, nil
}

func endpointSlices(s corev1.Service, pods []manifest.Object) (map[string]manifest.Object, error) {
	list, err := selected(s, pods)
	if err != nil {
		return nil, err
	}
	made := map[string]*discoveryv1.EndpointSlice{}
	for _, p := range list {
		var ports []discoveryv1.EndpointPort
		var key strings.Builder
		for _, sp := range s.Spec.Ports {
			if n, ok := targetPort(sp, p); ok {
				name, protocol := sp.Name, cmp.Or(sp.Protocol, corev1.ProtocolTCP)
				ports = append(ports, discoveryv1.EndpointPort{Name: &name, Port: &n, Protocol: &protocol, AppProtocol: sp.AppProtocol})
				fmt.Fprintf(&key, "%s=%d/%s,", name, n, protocol)
			}
		}
		hash, err := digest(key.String(), nil)
		if err != nil {
			return nil, err
		}
		slice := made[hash]
		if slice == nil {
			slice = &discoveryv1.EndpointSlice{
				ObjectMeta: metav1.ObjectMeta{
					Name: base(s.Name) + hash, Namespace: s.Namespace, OwnerReferences: owner(Service, s.ObjectMeta),
					Labels: map[string]string{discoveryv1.LabelServiceName: s.Name, discoveryv1.LabelManagedBy: "sluice"},
				},
				AddressType: discoveryv1.AddressTypeIPv4, Ports: ports,
			}
			made[hash] = slice
		}
		slice.Endpoints = append(slice.Endpoints, endpoint(s, p))
	}
	out := map[string]manifest.Object{}
	for _, slice := range made {
		o, err := write(EndpointSlice, slice)
		if err != nil {
			return nil, err
		}
		out[slice.Name] = o
	}
	return out, nil
}

func endpoint(s corev1.Service, p *corev1.Pod) discoveryv1.Endpoint {
	serving, _ := Ready(p)
	leaving := p.DeletionTimestamp != nil
	ready, node := (serving || s.Spec.PublishNotReadyAddresses) && !leaving, Node
	return discoveryv1.Endpoint{
		Addresses: []string{p.Status.PodIP}, NodeName: &node,
		Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &serving, Terminating: &leaving},
		TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID},
	}
}
