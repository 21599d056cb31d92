package pod

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// probe runs a container's probes until ctx ends: the startup probe first, then liveness and readiness
// (https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/).
func (c *member) probe(ctx context.Context, r run, because func(string)) {
	if p := c.spec.StartupProbe; p != nil {
		ok := false
		c.repeat(ctx, "Startup", p, r, func(good bool) bool {
			if ok = good; !good {
				because("startup probe failed")
			}
			return false
		})
		if !ok {
			return
		}
		c.change(func() { c.started, c.ready = true, c.spec.ReadinessProbe == nil })
	}
	var group sync.WaitGroup
	if p := c.spec.LivenessProbe; p != nil {
		group.Go(func() {
			c.repeat(ctx, "Liveness", p, r, func(good bool) bool {
				if !good {
					c.l.m.event(c.l, false, "Killing", fmt.Sprintf("Container %s failed liveness probe, will be restarted", c.spec.Name))
					because("liveness probe failed")
				}
				return good
			})
		})
	}
	if p := c.spec.ReadinessProbe; p != nil {
		group.Go(func() {
			c.repeat(ctx, "Readiness", p, r, func(good bool) bool {
				c.change(func() { c.ready = good && c.state.Running != nil && ctx.Err() == nil })
				return true
			})
		})
	}
	group.Wait()
}

// repeat probes in the probe's period. verdict is told when enough successes or failures came in a row; it says whether to
// go on.
func (c *member) repeat(ctx context.Context, name string, p *corev1.Probe, r run, verdict func(good bool) bool) {
	if !sleep(ctx, time.Duration(p.InitialDelaySeconds)*time.Second) {
		return
	}
	good, bad, known, state := int32(0), int32(0), false, false
	for {
		err := c.check(ctx, p, r)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			good, bad = 0, bad+1
			c.l.m.event(c.l, true, "Unhealthy", fmt.Sprintf("%s probe failed: %v", name, err))
		} else {
			good, bad = good+1, 0
		}
		now, decided := state, true
		switch {
		case good >= max(p.SuccessThreshold, 1):
			now = true
		case bad >= max(p.FailureThreshold, 1):
			now = false
		default:
			decided = false
		}
		if decided && (!known || now != state) {
			known, state = true, now
			if !verdict(now) {
				return
			}
		}
		period := time.Duration(max(p.PeriodSeconds, 1)) * time.Second
		if !known && name != "Liveness" { // before the first verdict it is asked more often: nobody likes to wait
			period = min(period, time.Second)
		}
		if !sleep(ctx, period) {
			return
		}
	}
}

// check asks once.
func (c *member) check(ctx context.Context, p *corev1.Probe, r run) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(max(p.TimeoutSeconds, 1))*time.Second)
	defer cancel()
	switch {
	case p.Exec != nil:
		code, out, err := r.exec(ctx, p.Exec.Command)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("command timed out after %ds", max(p.TimeoutSeconds, 1))
		case err != nil:
			return err
		case code != 0:
			return fmt.Errorf("command exited with %d: %s", code, out)
		}
		return nil
	case p.HTTPGet != nil:
		return c.get(ctx, p.HTTPGet)
	case p.TCPSocket != nil:
		port, err := c.port(p.TCPSocket.Port)
		if err != nil {
			return err
		}
		return c.dial(ctx, p.TCPSocket.Host, port)
	case p.GRPC != nil:
		return c.serving(ctx, p.GRPC)
	}
	return errors.New("the probe asks nothing that is supported")
}

// port is a number, or the name of one of the container's ports.
func (c *member) port(p intstr.IntOrString) (string, error) {
	if p.Type == intstr.Int {
		return strconv.Itoa(int(p.IntVal)), nil
	}
	for _, cp := range c.spec.Ports {
		if cp.Name == p.StrVal {
			return strconv.Itoa(int(cp.ContainerPort)), nil
		}
	}
	if _, err := strconv.Atoi(p.StrVal); err == nil {
		return p.StrVal, nil
	}
	return "", fmt.Errorf("the container has no port %q", p.StrVal)
}

func (c *member) dial(ctx context.Context, host, port string) error {
	if host == "" {
		host = c.l.address
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return err
	}
	return conn.Close()
}

// serving is a gRPC probe: the service says SERVING by gRPC's health checking protocol, without TLS, as the kubelet asks it.
func (c *member) serving(ctx context.Context, g *corev1.GRPCAction) error {
	conn, err := grpc.NewClient("passthrough:///"+net.JoinHostPort(c.l.address, strconv.Itoa(int(g.Port))), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	request := &healthpb.HealthCheckRequest{}
	if g.Service != nil {
		request.Service = *g.Service
	}
	answer, err := healthpb.NewHealthClient(conn).Check(ctx, request)
	if err != nil {
		return err
	}
	if s := answer.GetStatus(); s != healthpb.HealthCheckResponse_SERVING {
		return fmt.Errorf("service unhealthy (responded with %q)", s)
	}
	return nil
}

// get is an HTTP probe: every status from 200 to 399 is good; redirects to other hosts are not followed, certificates not
// checked, as by the kubelet.
func (c *member) get(ctx context.Context, g *corev1.HTTPGetAction) error {
	port, err := c.port(g.Port)
	if err != nil {
		return err
	}
	scheme, host := "http", g.Host
	if g.Scheme == corev1.URISchemeHTTPS {
		scheme = "https"
	}
	if host == "" {
		host = c.l.address
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(host, port), nil)
	if err != nil {
		return err
	}
	if r.URL, err = r.URL.Parse(orSlash(g.Path)); err != nil {
		return err
	}
	r.Header.Set("User-Agent", "kube-probe/sluice")
	r.Header.Set("Accept", "*/*")
	for _, h := range g.HTTPHeaders {
		if http.CanonicalHeaderKey(h.Name) == "Host" {
			r.Host = h.Value
		}
		r.Header.Add(h.Name, h.Value)
	}
	client := &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}, //nolint:gosec // as the kubelet
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			if next.URL.Hostname() != via[0].URL.Hostname() || len(via) > 10 {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	a, err := client.Do(r)
	if err != nil {
		return err
	}
	_, _ = io.CopyN(io.Discard, a.Body, 10<<10)
	_ = a.Body.Close()
	if a.StatusCode < 200 || a.StatusCode >= 400 {
		return fmt.Errorf("HTTP probe failed with statuscode: %d", a.StatusCode)
	}
	return nil
}

func orSlash(path string) string {
	if path == "" || path[0] != '/' {
		return "/" + path
	}
	return path
}

// afterStart runs the postStart hook.
func (c *member) afterStart(ctx context.Context, r run) error {
	if c.spec.Lifecycle == nil || c.spec.Lifecycle.PostStart == nil {
		return nil
	}
	return c.hook(ctx, c.spec.Lifecycle.PostStart, r)
}

// beforeStop runs the preStop hook, for as long as the grace lasts.
func (c *member) beforeStop(grace context.Context, r run) error {
	if c.spec.Lifecycle == nil || c.spec.Lifecycle.PreStop == nil || grace.Err() != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(grace)
	defer cancel()
	undo := context.AfterFunc(grace, cancel)
	defer undo()
	go func() { // a run that has ended needs no hook; ends with ctx
		select {
		case <-r.ended():
			cancel()
		case <-ctx.Done():
		}
	}()
	return c.hook(ctx, c.spec.Lifecycle.PreStop, r)
}

func (c *member) hook(ctx context.Context, h *corev1.LifecycleHandler, r run) error {
	switch {
	case h.Exec != nil:
		code, out, err := r.exec(ctx, h.Exec.Command)
		if err == nil && code != 0 {
			err = fmt.Errorf("command exited with %d: %s", code, out)
		}
		return err
	case h.HTTPGet != nil:
		return c.get(ctx, h.HTTPGet)
	case h.Sleep != nil:
		sleep(ctx, time.Duration(h.Sleep.Seconds)*time.Second)
		return nil
	case h.TCPSocket != nil:
		port, err := c.port(h.TCPSocket.Port)
		if err != nil {
			return err
		}
		return c.dial(ctx, h.TCPSocket.Host, port)
	}
	return nil
}
