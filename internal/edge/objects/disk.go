package objects

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

const (
	logName  = "objects.log"
	lockName = "objects.lock"
	// compactAt is how much may be appended before the file is written anew, and twice what it held then.
	compactAt = 4 << 20
)

// record is one line of the file: the change of one object. The line begins with the CRC-32 of the rest in hexadecimal.
type record struct {
	Rev    int64           `json:"rev"`
	Change string          `json:"change"` // ADDED, MODIFIED or DELETED; BOOKMARK tells only the revision
	Object manifest.Object `json:"object,omitempty"`
}

// disk is the file. A write is in the system's memory before it is answered, so a killed process loses nothing; it is on the disk
// a second later, so a machine that loses power loses a second.
type disk struct {
	dir    string
	lock   *os.File
	file   *os.File
	size   int64 // appended since the file was written anew
	base   int64 // its size then
	broken error // after a write that failed half: nothing more is written

	mu    sync.Mutex // guards dirty and file against the flusher
	dirty bool
	stop  chan struct{}
	done  sync.WaitGroup
}

func openDisk(dir string, s *Store) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.New(CodeState, "%v", err)
	}
	d := &disk{dir: dir, stop: make(chan struct{})}
	var err error
	if d.lock, err = os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600); err != nil {
		return nil, fault.New(CodeState, "%v", err)
	}
	if err := unix.Flock(int(d.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = d.lock.Close()
		return nil, fault.New(CodeInUse, "%s is held by another process", dir)
	}
	if err := d.load(s); err != nil {
		_ = d.lock.Close()
		return nil, err
	}
	d.done.Go(d.flush)
	return d, nil
}

// load reads the file and cuts off a last line that was not finished.
func (d *disk) load(s *Store) error {
	path := filepath.Join(d.dir, logName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fault.New(CodeState, "%v", err)
	}
	good, err := d.read(s, f, path)
	if err == nil {
		if err = f.Truncate(good); err == nil {
			_, err = f.Seek(good, io.SeekStart)
		}
		if err != nil {
			err = fault.New(CodeState, "%v", err)
		}
	}
	if err != nil {
		_ = f.Close()
		return err
	}
	d.file, d.base = f, good
	return nil
}

func (d *disk) read(s *Store, f io.Reader, path string) (good int64, err error) {
	r := bufio.NewReaderSize(f, 1<<20)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return good, nil // a last line without an end was never answered
		}
		if err != nil {
			return 0, fault.New(CodeState, "%v", err)
		}
		rec, ok := decode(line)
		if !ok {
			if _, err := r.ReadByte(); errors.Is(err, io.EOF) {
				return good, nil
			}
			return 0, fault.At(CodeDamaged, fault.Place{File: path, Line: n}, "the line's checksum is wrong").WithHint("move the file away; `sluice up` makes the objects anew from the manifests")
		}
		s.restore(rec)
		good += int64(len(line))
	}
}

// restore makes a change that was read true.
func (s *Store) restore(rec record) {
	s.rev = max(s.rev, rec.Rev)
	if rec.Object == nil {
		return
	}
	key := rec.Object.Key()
	s.keep(rec.Change, s.objects[sort{key.Group, key.Kind}][name{key.Namespace, key.Name}], rec.Object)
}

func decode(line []byte) (record, bool) {
	var rec record
	const head = 9 // eight digits and a space
	if len(line) <= head {
		return rec, false
	}
	var sum uint32
	body := line[head : len(line)-1]
	if _, err := fmt.Sscanf(string(line[:head]), "%08x ", &sum); err != nil || crc32.ChecksumIEEE(body) != sum {
		return rec, false
	}
	var raw struct {
		Rev    int64           `json:"rev"`
		Change string          `json:"change"`
		Object json.RawMessage `json:"object"`
	}
	if json.Unmarshal(body, &raw) != nil {
		return rec, false
	}
	rec.Rev, rec.Change = raw.Rev, raw.Change
	if len(raw.Object) > 0 {
		o, err := manifest.Parse(raw.Object)
		if err != nil {
			return rec, false
		}
		rec.Object = o
	}
	return rec, true
}

func encodeRecord(rec record) ([]byte, error) {
	body, err := json.Marshal(rec)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE(body), body), nil
}

// write appends a change. Where that fails half, the half is cut off.
func (d *disk) write(rev int64, change string, o manifest.Object) error {
	if d.broken != nil {
		return d.broken
	}
	if change == manifest.Deleted {
		o = manifest.Object{"apiVersion": o["apiVersion"], "kind": o["kind"], "metadata": map[string]any{"name": o.Name(), "namespace": o.Namespace(), "uid": o.UID()}}
	}
	line, err := encodeRecord(record{rev, change, o})
	if err != nil {
		return fault.New(CodeState, "write an object: %v", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.file.Write(line); err != nil {
		end := d.base + d.size
		if e := d.file.Truncate(end); e != nil {
			d.broken = fault.New(CodeState, "%v; then %v", err, e)
		} else if _, e := d.file.Seek(end, io.SeekStart); e != nil {
			d.broken = fault.New(CodeState, "%v; then %v", err, e)
		}
		return fault.New(CodeState, "%v", err)
	}
	d.size += int64(len(line))
	d.dirty = true
	return nil
}

// compact writes the file anew when it has grown to more than it needs. A failure leaves the old one, which is whole.
func (d *disk) compact(s *Store) {
	if d.size < max(compactAt, 2*d.base) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	path := filepath.Join(d.dir, logName)
	f, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return
	}
	n, err := snapshot(f, s)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(path + ".new")
		return
	}
	_ = d.file.Close()
	d.file, d.base, d.size = f, n, 0
	syncDir(d.dir)
}

func snapshot(f io.Writer, s *Store) (int64, error) {
	w := bufio.NewWriterSize(f, 1<<20)
	var n int64
	put := func(rec record) error {
		line, err := encodeRecord(rec)
		if err == nil {
			_, err = w.Write(line)
			n += int64(len(line))
		}
		return err
	}
	if err := put(record{Rev: s.rev, Change: manifest.Bookmark}); err != nil {
		return 0, err
	}
	for _, all := range s.objects {
		for _, o := range all {
			if err := put(record{Rev: s.rev, Change: manifest.Added, Object: o}); err != nil {
				return 0, err
			}
		}
	}
	return n, w.Flush()
}

func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// flush brings what was written to the disk, each second.
func (d *disk) flush() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-d.stop:
			return
		case <-tick.C:
			d.sync()
		}
	}
}

func (d *disk) sync() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dirty {
		d.dirty = false
		_ = d.file.Sync()
	}
}

// close ends the file; a second time it does nothing.
func (d *disk) close() error {
	if errors.Is(d.broken, errClosed) {
		return nil
	}
	d.broken = errClosed
	close(d.stop)
	d.done.Wait()
	d.sync()
	return errors.Join(d.file.Close(), d.lock.Close())
}

var errClosed = errors.New("the object store is closed")
