package toolkit

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/sluice-delivery/sluice/internal/edge/artifact"
	"github.com/sluice-delivery/sluice/internal/edge/blob"
)

// upload is a blob that a client writes: in blocks that it then puts in order, or at once. Only its job can.
type upload struct {
	id, sig string
	number  int64 // by which older clients call it
	job     *job
	limits  Limits
	dir     string

	artifact *artifact.New // what it becomes: this
	cache    *blob.CacheID // or this
	declared int64         // its size as an older client said, or 0

	count atomic.Int64 // names files
	bytes atomic.Int64 // on disk

	mu      sync.Mutex
	dropped bool
	blocks  map[string]block
	content *content
}

// block is a piece of an upload in a file of its own.
type block struct {
	file string
	size int64
	at   int64 // where it begins, of older clients
}

// content is an upload as a whole.
type content struct {
	file, digest string
	size         int64
}

// begin makes an upload. The caller holds the job alive.
func (s *Service) begin(u *upload) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for id, other := range s.uploads {
		if other.same(u) {
			if other.job != u.job {
				return errTaken
			}
			delete(s.uploads, id) // the client tries again
			other.drop()
			continue
		}
		if other.job == u.job {
			n++
		}
	}
	if n >= s.limits.Uploads {
		return refuse(http.StatusBadRequest, "resource_exhausted", "the job has %d uploads that are not finished, and may have no more", n)
	}
	dir, err := os.MkdirTemp(s.dir, "upload-")
	if err != nil {
		return fmt.Errorf("make the upload's folder: %w", err)
	}
	u.dir, u.limits, u.blocks = dir, s.limits, map[string]block{}
	u.id, u.sig = rand.Text(), rand.Text()
	s.lastUpload++
	u.number = s.lastUpload
	s.uploads[u.id] = u
	return nil
}

// errTaken says that another job is uploading the same.
var errTaken = errors.New("another job uploads it")

func (u *upload) same(other *upload) bool {
	switch {
	case u.artifact != nil && other.artifact != nil:
		return u.artifact.Run == other.artifact.Run && u.artifact.Name == other.artifact.Name
	case u.cache != nil && other.cache != nil:
		return *u.cache == *other.cache
	}
	return false
}

// pending finds the upload of a job that becomes what is asked for.
func (s *Service) pending(j *job, fits func(*upload) bool) *upload {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.uploads {
		if u.job == j && fits(u) {
			return u
		}
	}
	return nil
}

// finish takes an upload off the list; its files go where they are wanted before, and the rest is removed.
func (s *Service) finish(u *upload) {
	s.mu.Lock()
	delete(s.uploads, u.id)
	s.mu.Unlock()
	u.drop()
}

// drop removes all that was uploaded. Who is still writing writes into files that are gone.
func (u *upload) drop() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.dropped = true
	u.job.bytes.Add(-u.bytes.Swap(0))
	_ = os.RemoveAll(u.dir) // what stays goes with the run's folder
}

// signed checks the signature of an address.
func signed(r *http.Request, sig string) bool {
	return subtle.ConstantTimeCompare([]byte(r.URL.Query().Get("sig")), []byte(sig)) == 1
}

// take writes a body to a file of its own, within the bounds.
func (u *upload) take(body io.Reader, also ...io.Writer) (b block, err error) {
	b.file = filepath.Join(u.dir, "b"+strconv.FormatInt(u.count.Add(1), 10))
	out, err := os.OpenFile(b.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return b, fmt.Errorf("make the block's file: %w", err)
	}
	sink := io.MultiWriter(append([]io.Writer{out}, also...)...)
	buf := make([]byte, 256<<10)
	for err == nil {
		var n int
		n, err = body.Read(buf)
		if n > 0 {
			b.size += int64(n)
			if more := u.grow(int64(n)); more != nil {
				err = more
			} else if _, werr := sink.Write(buf[:n]); werr != nil {
				err = fmt.Errorf("write the block: %w", werr)
			}
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err = errors.Join(err, out.Close()); err != nil {
		u.forget(b)
	}
	return b, err
}

// grow counts bytes that come to the disk.
func (u *upload) grow(n int64) error {
	upload, job := u.bytes.Add(n), u.job.bytes.Add(n)
	if upload > u.limits.Bytes || job > u.limits.JobBytes {
		return errTooLarge
	}
	return nil
}

var errTooLarge = errors.New("the upload is larger than allowed")

// forget removes a block's file and what was counted for it.
func (u *upload) forget(b block) {
	_ = os.Remove(b.file) // gone already, or it goes with the run's folder
	u.bytes.Add(-b.size)
	u.job.bytes.Add(-b.size)
}

// stage keeps a block under an id, in place of an earlier one.
func (u *upload) stage(id string, b block) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	old, again := u.blocks[id]
	if u.dropped || !again && len(u.blocks) >= u.limits.Blocks {
		u.forget(b)
		return errTooLarge
	}
	if again {
		u.forget(old)
	}
	u.blocks[id] = b
	return nil
}

// errUnknownBlock says that a list names a block that was not uploaded.
var errUnknownBlock = errors.New("the list names a block that was not uploaded")

// commit makes one content of blocks, in their order, and removes them all.
func (u *upload) commit(ids []string) (*content, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, id := range ids {
		if _, ok := u.blocks[id]; !ok {
			return nil, errUnknownBlock
		}
	}
	if u.dropped {
		return nil, errUnknownBlock
	}
	h := sha256.New()
	c := &content{file: filepath.Join(u.dir, "content"+strconv.FormatInt(u.count.Add(1), 10))}
	out, err := os.OpenFile(c.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("make the upload's file: %w", err)
	}
	last := map[string]int{}
	for i, id := range ids {
		last[id] = i
	}
	for i, id := range ids {
		b := u.blocks[id]
		if c.size += b.size; c.size > u.limits.Bytes {
			return nil, errors.Join(errTooLarge, out.Close())
		}
		if err := join(io.MultiWriter(out, h), b.file); err != nil {
			return nil, errors.Join(err, out.Close())
		}
		if last[id] == i {
			_ = os.Remove(b.file) // so that all is on the disk only once
		}
	}
	if err := out.Close(); err != nil {
		return nil, fmt.Errorf("write the upload: %w", err)
	}
	c.digest = hex.EncodeToString(h.Sum(nil))
	u.settle(c)
	return c, nil
}

func join(out io.Writer, name string) error {
	in, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read a block: %w", err)
	}
	defer in.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, make([]byte, 256<<10)); err != nil {
		return fmt.Errorf("put blocks together: %w", err)
	}
	return nil
}

// whole keeps a body that came at once.
func (u *upload) whole(b block, digest string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.dropped {
		u.forget(b)
		return errTooLarge
	}
	u.settle(&content{file: b.file, digest: digest, size: b.size})
	return nil
}

// settle makes c what the upload holds, and nothing else.
func (u *upload) settle(c *content) {
	for _, b := range u.blocks {
		_ = os.Remove(b.file)
	}
	if u.content != nil {
		_ = os.Remove(u.content.file)
	}
	u.blocks, u.content = map[string]block{}, c
	u.job.bytes.Add(c.size - u.bytes.Swap(c.size))
}

// done is the content, nil where none was committed.
func (u *upload) done() *content {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.content
}
