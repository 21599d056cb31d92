package proxy

import (
	"net"
	"sync"
	"time"
)

// begun is a client's connection of which some bytes were read already.
type begun struct {
	net.Conn
	first []byte
	two   bool // it speaks HTTP/2
	// handed is closed when another protocol that took the connection over has ended; nil while none has.
	handed chan struct{}
	ended  sync.Once
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
	return b.Conn.Read(p)
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
		n, err := b.Conn.Read(ahead)
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
	of *backend
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
