package pod

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/objects"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

const (
	// logSize is how large a log becomes before it is put aside; one older part is kept.
	logSize = 10 << 20
	// logLine is the longest line that is written as one; longer ones are cut into parts that are joined when read.
	logLine = 16 << 10
)

// logs are what one container printed, a file for each of its last two runs, in the form that kubelets write: time, stream, F
// for a whole line and P for a part, text.
type logs struct {
	dir string
	mu  sync.Mutex
	now *logWriter
}

func newLogs(dir, container string) *logs { return &logs{dir: filepath.Join(dir, "logs", container)} }

func logName(n int32) string { return strconv.Itoa(int(n)) + ".log" }

// begin opens the log of the n-th run.
func (l *logs) begin(n int32) (*logWriter, error) {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return nil, refuse("CreateContainerError", "%w", err)
	}
	for _, old := range []string{logName(n - 2), logName(n-2) + ".1"} {
		_ = os.Remove(filepath.Join(l.dir, old))
	}
	path := filepath.Join(l.dir, logName(n))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, refuse("CreateContainerError", "%w", err)
	}
	w := &logWriter{path: path, file: f}
	if info, err := f.Stat(); err == nil {
		w.size = info.Size()
	}
	l.mu.Lock()
	l.now = w
	l.mu.Unlock()
	return w, nil
}

// writing says whether the n-th run still writes.
func (l *logs) writing(path string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now != nil && l.now.path == path && !l.now.closed()
}

// current is the path of the newest log, and whether its end says that an address is in use (EADDRINUSE, in the words of the
// C library, Go, Node.js and others).
func (l *logs) current() (path string, taken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now == nil {
		return l.dir, false
	}
	data, _ := os.ReadFile(l.now.path) // it may be gone
	end := strings.ToLower(string(data[max(0, len(data)-4096):]))
	return l.now.path, strings.Contains(end, "address already in use") || strings.Contains(end, "eaddrinuse")
}

type logWriter struct {
	path string
	mu   sync.Mutex
	file *os.File
	size int64
	done bool
}

func (w *logWriter) closed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.done
}

// Close ends the log.
func (w *logWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return nil
	}
	w.done = true
	return w.file.Close()
}

// copy writes what a stream says until it ends.
func (w *logWriter) copy(stream string, r io.Reader) {
	b := bufio.NewReaderSize(r, logLine)
	for {
		line, err := b.ReadSlice('\n')
		flag := "F"
		if errors.Is(err, bufio.ErrBufferFull) {
			flag, err = "P", nil
		}
		if len(line) > 0 {
			w.line(stream, flag, strings.TrimSuffix(string(line), "\n"))
		}
		if err != nil {
			return
		}
	}
}

func (w *logWriter) line(stream, flag, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return
	}
	if w.size > logSize {
		w.rotate()
	}
	n, _ := fmt.Fprintf(w.file, "%s %s %s %s\n", time.Now().UTC().Format(time.RFC3339Nano), stream, flag, text)
	w.size += int64(n)
}

func (w *logWriter) rotate() {
	f, err := os.OpenFile(w.path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return
	}
	if os.Rename(w.path, w.path+".1") != nil || os.Rename(w.path+".new", w.path) != nil {
		_ = f.Close()
		return
	}
	_ = w.file.Close()
	w.file, w.size = f, 0
}

// Logs writes what a pod's container printed.
func (m *Manager) Logs(ctx context.Context, pod manifest.Object, o objects.LogOptions, out io.Writer) error {
	name, err := containerOf(pod, o.Container)
	if err != nil {
		return err
	}
	uid := pod.UID()
	if !filepath.IsLocal(uid) {
		return &manifest.Refusal{Code: 400, Reason: "BadRequest", Message: "the pod has no uid"}
	}
	l := newLogs(filepath.Join(m.c.Dir, "pods", uid), name)
	m.mu.Lock()
	if life := m.pods[uid]; life != nil {
		for _, c := range life.containers {
			if c.spec.Name == name {
				l = c.log
			}
		}
	}
	m.mu.Unlock()
	n := l.newest()
	if o.Previous {
		n--
	}
	path := filepath.Join(l.dir, logName(n))
	if _, err := os.Stat(path); n < 0 || err != nil {
		if o.Previous {
			return &manifest.Refusal{Code: 400, Reason: "BadRequest", Message: fmt.Sprintf("previous terminated container %q in pod %q not found", name, pod.Name())}
		}
		return &manifest.Refusal{Code: 400, Reason: "BadRequest", Message: fmt.Sprintf("container %q in pod %q is waiting to start", name, pod.Name())}
	}
	r := &reading{o: o, out: out, path: path, alive: func() bool { return l.writing(path) }}
	return r.run(ctx)
}

// containerOf is the container that is meant: the one that is named, the annotated default, or the only one.
func containerOf(pod manifest.Object, named string) (string, error) {
	var names []string
	for _, list := range []string{"initContainers", "containers"} {
		for _, c := range pod.List("spec", list) {
			m, _ := c.(map[string]any)
			n := manifest.Object(m).Text("name")
			if n == named && filepath.IsLocal(n) {
				return n, nil
			}
			if list == "containers" {
				names = append(names, n)
			}
		}
	}
	if named == "" {
		if d := pod.Annotation("kubectl.kubernetes.io/default-container"); d != "" {
			return containerOf(pod, d)
		}
		if len(names) == 1 {
			return names[0], nil
		}
		return "", &manifest.Refusal{Code: 400, Reason: "BadRequest", Message: fmt.Sprintf("a container name must be specified for pod %s, choose one of: %v", pod.Name(), names)}
	}
	return "", &manifest.Refusal{Code: 400, Reason: "BadRequest", Message: fmt.Sprintf("container %s is not valid for pod %s", named, pod.Name())}
}

// newest is the number of the last run that has a log, -1 for none.
func (l *logs) newest() int32 {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return -1
	}
	newest := int32(-1)
	for _, e := range entries {
		if n, err := strconv.ParseInt(strings.TrimSuffix(e.Name(), ".log"), 10, 32); err == nil {
			newest = max(newest, int32(n))
		}
	}
	return newest
}

// reading is one answer to who asks for logs.
type reading struct {
	o     objects.LogOptions
	out   io.Writer
	path  string
	alive func() bool
	sent  int64
	tail  []string // the last lines, while only they are wanted
	old   bool     // what is read was there before the tail was sent
	part  bool     // the last line was a part
}

var errEnough = errors.New("enough")

func (r *reading) run(ctx context.Context) error {
	r.old = true
	f, err := os.Open(r.path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if before, err := os.Open(r.path + ".1"); err == nil {
		err = r.lines(bufio.NewReader(before))
		_ = before.Close()
		if err != nil {
			return end(err)
		}
	}
	b := bufio.NewReader(f)
	for {
		alive := r.alive()
		if err := r.lines(b); err != nil {
			return end(err)
		}
		if err := r.flush(); err != nil {
			return end(err)
		}
		if !r.o.Follow || !alive {
			return nil
		}
		if now, err := os.Stat(r.path); err == nil {
			if then, err := f.Stat(); err == nil && !os.SameFile(now, then) {
				if err := r.lines(b); err != nil {
					return end(err)
				}
				_ = f.Close()
				if f, err = os.Open(r.path); err != nil {
					return end(err)
				}
				b = bufio.NewReader(f)
				continue
			}
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return nil
		}
	}
}

func end(err error) error {
	if errors.Is(err, errEnough) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// lines reads what is there. A line that is not finished is left for the next time.
func (r *reading) lines(b *bufio.Reader) error {
	for {
		line, err := b.ReadString('\n')
		if err != nil {
			return nil //nolint:nilerr // the writer writes whole lines at once: there is no more
		}
		stamp, rest, _ := strings.Cut(line, " ")
		_, rest, _ = strings.Cut(rest, " ")
		flag, text, _ := strings.Cut(rest, " ")
		if !r.o.Since.IsZero() {
			if t, err := time.Parse(time.RFC3339Nano, stamp); err == nil && t.Before(r.o.Since) {
				continue
			}
		}
		if flag == "P" {
			text = strings.TrimSuffix(text, "\n")
		}
		if r.o.Timestamps && !r.part {
			text = stamp + " " + text
		}
		r.part = flag == "P"
		if err := r.send(text); err != nil {
			return err
		}
	}
}

func (r *reading) send(text string) error {
	if r.old && r.o.Tail >= 0 {
		if len(r.tail) > 0 && !strings.HasSuffix(r.tail[len(r.tail)-1], "\n") {
			r.tail[len(r.tail)-1] += text
		} else {
			r.tail = append(r.tail, text)
		}
		if over := len(r.tail) - int(r.o.Tail); over > 1000 {
			r.tail = append([]string(nil), r.tail[over:]...)
		}
		return nil
	}
	if r.o.Limit > 0 && r.sent+int64(len(text)) > r.o.Limit {
		_, _ = io.WriteString(r.out, text[:r.o.Limit-r.sent])
		return errEnough
	}
	n, err := io.WriteString(r.out, text)
	r.sent += int64(n)
	return err
}

// flush sends the tail, once.
func (r *reading) flush() error {
	if !r.old {
		return nil
	}
	r.old = false
	tail := r.tail
	r.tail = nil
	if over := len(tail) - int(r.o.Tail); r.o.Tail >= 0 && over > 0 {
		tail = tail[over:]
	}
	for _, t := range tail {
		if err := r.send(t); err != nil {
			return err
		}
	}
	return nil
}
