package docker

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync"

	"github.com/moby/moby/client"
)

// relay lets containers reach one server of this machine that listens on its loopback: it listens where they see this
// machine, in their network, and passes on what comes.
type relay struct {
	to       string
	listener net.Listener
	work     sync.WaitGroup

	mu     sync.Mutex
	open   map[net.Conn]bool
	closed bool
}

func newRelay(here, to string) (*relay, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(here, "0"))
	if err != nil {
		return nil, err
	}
	r := &relay{to: to, listener: l, open: map[net.Conn]bool{}}
	r.work.Go(r.accept)
	return r, nil
}

func (r *relay) accept() {
	for {
		in, err := r.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", r.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		if !r.keep(in, out) {
			return
		}
		var both sync.WaitGroup
		both.Go(func() { pass(in, out) })
		both.Go(func() { pass(out, in) })
		r.work.Go(func() {
			both.Wait()
			r.drop(in, out)
		})
	}
}

// pass copies one direction to its end and tells the other side.
func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if c, ok := to.(*net.TCPConn); ok {
		_ = c.CloseWrite()
	}
}

func (r *relay) keep(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		if r.closed {
			_ = c.Close()
			continue
		}
		r.open[c] = true
	}
	return !r.closed
}

func (r *relay) drop(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(r.open, c)
	}
}

func (r *relay) close() error {
	err := r.listener.Close()
	r.mu.Lock()
	r.closed = true
	for c := range r.open {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.work.Wait()
	return err
}

// reach gives the variables by which official toolkits find their services (ACTIONS_…_URL) addresses that a container can
// use, where they name the loopback of this machine. Where the engine's networks are not this machine's they stay.
func (t *site) reach(ctx context.Context, env []string) ([]string, error) {
	out := make([]string, len(env))
	for i, kv := range env {
		out[i] = kv
		name, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "ACTIONS_") || !strings.HasSuffix(name, "_URL") {
			continue
		}
		u, err := url.Parse(value)
		if err != nil || u.Port() == "" || u.Hostname() != "127.0.0.1" && u.Hostname() != "localhost" {
			continue
		}
		if err := t.gateway(ctx); err != nil {
			return nil, err
		}
		if t.machine == "" {
			continue
		}
		r := t.relays[u.Host]
		if r == nil {
			if r, err = newRelay(t.machine, u.Host); err != nil {
				continue // another network of the engine's than this machine's after all
			}
			t.relays[u.Host] = r
		}
		u.Host = r.listener.Addr().String()
		out[i] = name + "=" + u.String()
	}
	return out, nil
}

// gateway finds the address of this machine in the job's network, where the engine's networks are this machine's.
func (t *site) gateway(ctx context.Context) error {
	if t.looked {
		return nil
	}
	name := t.network
	if name == "" {
		name = "bridge"
	}
	got, err := t.engine.NetworkInspect(ctx, name, client.NetworkInspectOptions{})
	if err != nil {
		return err
	}
	ours := map[netip.Addr]bool{}
	addresses, err := net.InterfaceAddrs()
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			ours[p.Addr().Unmap()] = true
		}
	}
	for _, c := range got.Network.IPAM.Config {
		if ours[c.Gateway.Unmap()] && t.machine == "" {
			t.machine = c.Gateway.String()
		}
	}
	t.looked = true
	return err
}

// silence ends the relays.
func (t *site) silence() error {
	var errs []error
	for to, r := range t.relays {
		errs = append(errs, r.close())
		delete(t.relays, to)
	}
	return errors.Join(errs...)
}
