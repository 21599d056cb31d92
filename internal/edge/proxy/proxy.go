// Package proxy shares out the requests of Services to the processes behind them: HTTP/1.1, HTTP/2 without TLS, WebSocket
// and plain TCP; by weight, by header and cookie, with sessions that stay, with mirrors and without dropping what is in
// flight. It counts what it does for Prometheus. It decides no weights, opens nothing but the addresses it is told, and
// ends no TLS.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The faults of this package.
const (
	CodeListen = "SL5971" // an address cannot be listened on
	CodeRule   = "SL5972" // a rule cannot be kept
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeListen, Summary: "the address of a Service cannot be listened on", Text: "Another program holds the port, or the port is below 1024 and needs rights. Change the Service's port, or end the other program; port 0 takes any that is free."},
	{Code: CodeRule, Summary: "a Service's routing cannot be kept", Text: "A route names a group that the Service does not have, an expression is none, or a weight is negative."},
}

// Proxy is all Services of one local target. New makes one; the zero value is not usable.
type Proxy struct {
	meter *meter

	mu       sync.Mutex
	services map[string]*listener
	closed   bool

	backends sync.Map // address → *backend
}

// GCPercent is what a program that serves through a proxy does well to set (runtime/debug.SetGCPercent): a request leaves a
// few hundred bytes behind, the rest of the program little, and a collection is what the slowest requests wait for.
const GCPercent = 400

// New makes a proxy without Services. Its metrics are registered with reg.
func New(reg prometheus.Registerer) *Proxy {
	return &Proxy{meter: newMeter(reg), services: map[string]*listener{}}
}

// Set makes a Service so, from the next request on, and returns the address that it listens on. Requests in flight end
// where they are. A Service keeps its address while Listen stays the same; port 0 is chosen once.
func (p *Proxy) Set(name string, s Service) (net.Addr, error) {
	t, err := p.compile(name, s)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errors.New("the proxy is closed")
	}
	if l, ok := p.services[name]; ok {
		if l.wanted == s.Listen && l.protocol == s.Protocol {
			l.table.Store(t)
			p.forget()
			return l.net.Addr(), nil
		}
		l.close()
		delete(p.services, name)
	}
	n, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return nil, fault.New(CodeListen, "Service %s cannot listen on %s: %v", name, s.Listen, err)
	}
	l := &listener{proxy: p, name: name, net: n, wanted: s.Listen, protocol: s.Protocol, open: map[net.Conn]struct{}{}}
	l.table.Store(t)
	l.http1 = l.server()
	l.speaks2 = &handed{conns: make(chan net.Conn), done: make(chan struct{}), addr: n.Addr()}
	l.two = l.server2()
	p.services[name] = l
	l.done.Go(l.accept)
	return n.Addr(), nil
}

// Drop closes a Service's address; what is in flight is given grace.
func (p *Proxy) Drop(name string) {
	p.mu.Lock()
	l, ok := p.services[name]
	delete(p.services, name)
	p.mu.Unlock()
	if ok {
		l.close()
		p.forget()
	}
}

// Close closes every Service and waits until what is in flight has ended or ctx has.
func (p *Proxy) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	all := p.services
	p.services = map[string]*listener{}
	p.mu.Unlock()
	for _, l := range all {
		l.close()
	}
	quiet := make(chan struct{})
	go func() {
		for _, l := range all {
			l.done.Wait()
		}
		close(quiet)
	}()
	select {
	case <-quiet:
	case <-ctx.Done():
		for _, l := range all {
			l.cut()
		}
		<-quiet
	}
	p.backends.Range(func(_, b any) bool { b.(*backend).client.CloseIdleConnections(); return true })
	return ctx.Err()
}

// InFlight is how many requests and connections an endpoint ("127.0.0.1:8080") serves now.
func (p *Proxy) InFlight(endpoint string) int {
	if b, ok := p.backends.Load(endpoint); ok {
		return int(b.(*backend).flight.Load())
	}
	return 0
}

// Drain waits until an endpoint serves nothing, or ctx ends. The endpoint must have left every group before.
func (p *Proxy) Drain(ctx context.Context, endpoint string) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for p.InFlight(endpoint) > 0 {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	if b, ok := p.backends.LoadAndDelete(endpoint); ok {
		b.(*backend).client.CloseIdleConnections()
	}
	return nil
}

// backend is one endpoint, whatever the number of groups that it is in.
type backend struct {
	address string
	client  *fasthttp.HostClient
	flight  atomic.Int64
	conns   sync.Map // local address → *upward, those that client has open
}

func (p *Proxy) backend(address string) *backend {
	if b, ok := p.backends.Load(address); ok {
		return b.(*backend)
	}
	fresh := &backend{address: address}
	fresh.client = fresh.newClient()
	b, _ := p.backends.LoadOrStore(address, fresh)
	return b.(*backend)
}

// forget lets go of the endpoints that no group has and that serve nothing. p.mu is held or nothing else writes.
func (p *Proxy) forget() {
	used := map[string]bool{}
	for _, l := range p.services {
		for _, g := range l.table.Load().groups {
			for _, b := range g.backends {
				used[b.address] = true
			}
		}
	}
	p.backends.Range(func(k, v any) bool {
		if b := v.(*backend); !used[b.address] && b.flight.Load() == 0 {
			p.backends.Delete(k)
			b.client.CloseIdleConnections()
		}
		return true
	})
}

// listener is one Service's address.
type listener struct {
	proxy    *Proxy
	name     string
	net      net.Listener
	wanted   string
	protocol Protocol
	table    atomic.Pointer[table]
	http1    *fasthttp.Server
	two      *http.Server
	speaks2  *handed
	done     sync.WaitGroup
	closing  atomic.Bool

	mu   sync.Mutex
	open map[net.Conn]struct{}
}

func (l *listener) accept() {
	for {
		c, err := l.net.Accept()
		if err != nil {
			if l.closing.Load() {
				return
			}
			time.Sleep(5 * time.Millisecond) // too many open files: wait for some to close
			continue
		}
		l.mu.Lock()
		l.open[c] = struct{}{}
		l.mu.Unlock()
		l.done.Go(func() {
			defer func() {
				l.mu.Lock()
				delete(l.open, c)
				l.mu.Unlock()
				_ = c.Close()
			}()
			l.serve(c)
		})
	}
}

// serve speaks the protocol that the Service has or, over HTTP, the one that the client begins with.
func (l *listener) serve(c net.Conn) {
	if l.protocol == TCP {
		l.tunnel(c)
		return
	}
	first := make([]byte, 4096)
	_ = c.SetReadDeadline(time.Now().Add(headerTimeout))
	n, err := c.Read(first)
	if n == 0 || err != nil {
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	begun := &begun{Conn: c, first: first[:n], closing: &l.closing}
	begun.from, _, _ = net.SplitHostPort(c.RemoteAddr().String())
	if n >= 3 && string(first[:3]) == "PRI" {
		l.http2(begun)
		return
	}
	_ = l.http1.ServeConn(begun)
	if begun.handed != nil {
		<-begun.handed
	}
}

// close takes no more connections and asks clients to leave after their request.
func (l *listener) close() {
	l.closing.Store(true)
	_ = l.net.Close()
	close(l.speaks2.done)
	go func() { _ = l.two.Shutdown(context.Background()) }() // ends by itself, or by cut
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		// A connection that waits for its next request ends now; one that serves goes on, since writes have no deadline.
		_ = c.SetReadDeadline(time.Now().Add(idleGrace))
	}
}

func (l *listener) cut() {
	_ = l.two.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		_ = c.Close()
	}
}

func wrong(service, format string, args ...any) error {
	return fault.New(CodeRule, "Service %s: %s", service, fmt.Sprintf(format, args...))
}
