package proxy

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// A deadline that moves on is kept, though the connection is told of it only when the one before has come.
func TestDeadlinesMove(t *testing.T) {
	const soon = 30 * time.Millisecond
	far := func() time.Time { return time.Now().Add(time.Hour) }
	for name, c := range map[string]struct {
		move    func(b *begun, closing *atomic.Bool) error
		expires bool
	}{
		"stays":              {func(*begun, *atomic.Bool) error { return nil }, true},
		"moves on a little":  {func(b *begun, _ *atomic.Bool) error { return b.SetReadDeadline(time.Now().Add(3 * soon)) }, true},
		"moves on":           {func(b *begun, _ *atomic.Bool) error { return b.SetReadDeadline(far()) }, false},
		"is taken away":      {func(b *begun, _ *atomic.Bool) error { return b.SetReadDeadline(time.Time{}) }, false},
		"all are taken away": {func(b *begun, _ *atomic.Bool) error { return b.SetDeadline(time.Time{}) }, false},
		"comes back": {func(b *begun, _ *atomic.Bool) error {
			return errors.Join(b.SetReadDeadline(far()), b.SetReadDeadline(time.Now()))
		}, true},
		"moves on, we close":    {func(b *begun, l *atomic.Bool) error { l.Store(true); return b.SetReadDeadline(far()) }, true},
		"no deadline, we close": {func(b *begun, l *atomic.Bool) error { l.Store(true); return b.SetReadDeadline(time.Time{}) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, server := net.Pipe()
			defer client.Close()
			var closing atomic.Bool
			b := &begun{Conn: server, closing: &closing}
			if err := errors.Join(b.SetReadDeadline(time.Now().Add(soon)), c.move(b, &closing)); err != nil {
				t.Fatal(err)
			}
			if !c.expires {
				time.AfterFunc(4*soon, func() { _, _ = client.Write([]byte("x")) })
			}
			n, err := b.Read(make([]byte, 1))
			if expired := errors.Is(err, os.ErrDeadlineExceeded); expired != c.expires || n != 1 && !expired {
				t.Errorf("read %d bytes, %v", n, err)
			}
		})
	}
}
