package proxy

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// begun is a client's connection of which some bytes were read already.
type begun struct {
	net.Conn
	first   []byte
	from    string       // the client's address
	two     bool         // it speaks HTTP/2
	closing *atomic.Bool // the listener asks clients to leave
	// handed is closed when another protocol that took the connection over has ended; nil while none has.
	handed chan struct{}
	ended  sync.Once

	mu          sync.Mutex
	wanted, set time.Time // when a Read is to end, and when it will
}

// SetReadDeadline sets when a Read ends. Servers move that on with every request, so a later one is set only when the one
// before has come.
func (b *begun) SetReadDeadline(t time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wanted = t
	if b.set.IsZero() && t.IsZero() || !b.set.IsZero() && (t.IsZero() || !t.Before(b.set)) {
		return nil
	}
	b.set = t
	return b.Conn.SetReadDeadline(t)
}

// SetDeadline sets when a Read and when a Write ends.
func (b *begun) SetDeadline(t time.Time) error {
	return errors.Join(b.SetReadDeadline(t), b.SetWriteDeadline(t))
}

// renewed reports whether a deadline that has come is not the one that is wanted, which it sets. A connection that waits for a
// request of a listener that closes has waited long enough.
func (b *begun) renewed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.wanted.IsZero() && (b.closing.Load() || !time.Now().Before(b.wanted)) {
		return false
	}
	b.set = b.wanted
	return b.Conn.SetReadDeadline(b.wanted) == nil
}

// receive reads from the network.
func (b *begun) receive(p []byte) (int, error) {
	for {
		n, err := b.Conn.Read(p)
		if err == nil || n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !b.renewed() {
			return n, err
		}
	}
}

// Close ends the connection and tells whoever handed it over.
func (b *begun) Close() error {
	if b.two {
		b.ended.Do(func() { close(b.handed) })
	}
	return b.Conn.Close()
}

func (b *begun) Read(p []byte) (int, error) {
	if len(b.first) > 0 {
		n := copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	}
	return b.receive(p)
}

// watch calls left when the client leaves while it is being answered, until the returned function is called. What the
// client sends meanwhile is kept for the next Read.
func (b *begun) watch(left func()) (stop func()) {
	if len(b.first) > 0 {
		return func() {} // it has sent its next request: it is there
	}
	var done sync.WaitGroup
	var stopped bool
	var mu sync.Mutex
	done.Go(func() {
		ahead := make([]byte, 4096)
		n, err := b.receive(ahead)
		mu.Lock()
		defer mu.Unlock()
		b.first = ahead[:n]
		if err != nil && !stopped {
			left()
		}
	})
	return func() {
		mu.Lock()
		stopped = true
		mu.Unlock()
		_ = b.SetReadDeadline(time.Unix(1, 0))
		done.Wait()
		_ = b.SetReadDeadline(time.Time{})
	}
}

// upward is a connection to an endpoint that its backend can find.
type upward struct {
	net.Conn
	of    *backend
	timed bool // it has had a deadline
}

// SetReadDeadline sets when a Read ends; most requests have no end, and none is set for them again and again.
func (u *upward) SetReadDeadline(t time.Time) error {
	if t.IsZero() && !u.timed {
		return nil
	}
	u.timed = true
	return u.Conn.SetReadDeadline(t)
}

// SetWriteDeadline sets when a Write ends, like SetReadDeadline.
func (u *upward) SetWriteDeadline(t time.Time) error {
	if t.IsZero() && !u.timed {
		return nil
	}
	u.timed = true
	return u.Conn.SetWriteDeadline(t)
}

func (u *upward) Close() error {
	u.of.conns.Delete(u.LocalAddr().String())
	return u.Conn.Close()
}

// cut closes the connection to the endpoint that has a local address.
func (b *backend) cut(local net.Addr) {
	if local == nil {
		return
	}
	if c, ok := b.conns.Load(local.String()); ok {
		_ = c.(*upward).Close()
	}
}
