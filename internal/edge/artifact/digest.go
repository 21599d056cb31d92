package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// digester takes the SHA-256 of what is written to it on a core of its own: that is slower than all else that is done
// to an artifact. Sum waits for it and must be called.
type digester struct {
	full, free chan []byte
	sum        chan string
}

// How many pieces of what size wait at a time.
const (
	pieces = 8
	piece  = 256 << 10
)

func newDigester() *digester {
	d := &digester{full: make(chan []byte, pieces), free: make(chan []byte, pieces), sum: make(chan string, 1)}
	for range pieces {
		d.free <- make([]byte, 0, piece)
	}
	go func() {
		h := sha256.New()
		for p := range d.full {
			_, _ = h.Write(p) // a hash takes everything
			d.free <- p
		}
		d.sum <- hex.EncodeToString(h.Sum(nil))
	}()
	return d
}

func (d *digester) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		buf := <-d.free
		n := copy(buf[:cap(buf)], rest)
		d.full <- buf[:n]
		rest = rest[n:]
	}
	return len(p), nil
}

// Sum ends the writing and gives the digest in hexadecimal.
func (d *digester) Sum() string {
	close(d.full)
	return <-d.sum
}

// seen remembers the files whose digest this process has taken, so that what several jobs download is looked through
// once. A file with the same number and change time is the same file with the same content: nobody can set the latter.
type seen struct {
	mu    sync.Mutex
	files map[mark]string
}

type mark struct {
	device, inode uint64
	change, size  int64
}

func markOf(file *os.File) (mark, bool) {
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		return mark{}, false
	}
	return mark{uint64(st.Dev), st.Ino, st.Ctim.Nano(), st.Size}, true
}

func (s *seen) add(m mark, digest string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == nil || len(s.files) > 100_000 {
		s.files = map[mark]string{}
	}
	s.files[m] = digest
}

func (s *seen) digest(m mark) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files[m]
}
