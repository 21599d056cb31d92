package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/meter"
	"github.com/sluice-delivery/sluice/internal/edge/objects"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/workload"
)

// How the local target measures: often, since its rollouts are short.
const (
	sampleEvery = time.Second
	samplesKept = time.Hour
)

// upMetrics is the local target's own metric store, behind Prometheus' query interface on a loopback address.
type upMetrics struct {
	store    *meter.Store
	pods     *objects.Store
	listener net.Listener
}

func newUpMetrics(pods *objects.Store) (*upMetrics, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for metrics: %w", err)
	}
	return &upMetrics{store: meter.New(samplesKept), pods: pods, listener: l}, nil
}

func (m *upMetrics) address() string { return m.listener.Addr().String() }

// run samples and answers until ctx ends.
func (m *upMetrics) run(ctx context.Context) {
	s := &http.Server{Handler: m.store.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = s.Close()
	}()
	go m.store.Run(ctx, sampleEvery, func() []meter.Target { return m.targets(ctx) })
	_ = s.Serve(m.listener)
}

// targets are the pods that ask to be scraped, by the annotations that Prometheus' own example for Kubernetes reads.
func (m *upMetrics) targets(ctx context.Context) []meter.Target {
	pods, err := m.pods.List(ctx, workload.Pod, "", "")
	if err != nil {
		return nil
	}
	var out []meter.Target
	for _, p := range pods {
		ip := p.Text("status", "podIP")
		if p.Annotation("prometheus.io/scrape") != "true" || p.Text("status", "phase") != "Running" || ip == "" {
			continue
		}
		port := cmp.Or(p.Annotation("prometheus.io/port"), firstPort(p), "80")
		out = append(out, meter.Target{
			URL: cmp.Or(p.Annotation("prometheus.io/scheme"), "http") + "://" + net.JoinHostPort(ip, port) + cmp.Or(p.Annotation("prometheus.io/path"), "/metrics"),
			Labels: map[string]string{
				"namespace": p.Namespace(), "pod": p.Name(), "instance": net.JoinHostPort(ip, port), "job": "pods",
				"rollouts_pod_template_hash": p.Labels()["rollouts-pod-template-hash"],
			},
		})
	}
	return out
}

func firstPort(pod manifest.Object) string {
	for _, c := range pod.List("spec", "containers") {
		m, _ := c.(map[string]any)
		for _, p := range manifest.Object(m).List("ports") {
			if port, ok := p.(map[string]any); ok {
				return fmt.Sprint(port["containerPort"])
			}
		}
	}
	return ""
}
