package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// patience is what a child has to start, and to end when it is told to.
const patience = 30 * time.Second

// worker is one child.
type worker struct {
	cmd    *exec.Cmd
	lines  *lines
	in     io.Closer
	stderr *tail
	dir    string
	base   int64 // memory that it has before any request, in bytes
	memory int64
	uses   int
	broken atomic.Bool
	timer  *time.Timer
	once   sync.Once
}

func start(ctx context.Context, o Options) (*worker, error) {
	dir, err := os.MkdirTemp(o.Dir, "sluice-sandbox-")
	if err != nil {
		return nil, fault.New(CodeStart, "the evaluation has no folder to stand in: %v", err)
	}
	w := &worker{dir: dir, memory: o.Memory, stderr: &tail{}}
	w.cmd = exec.Command(o.Command[0], append(append([]string{}, o.Command[1:]...), o.Kind)...)
	w.cmd.Env, w.cmd.Dir, w.cmd.Stderr = []string{}, dir, w.stderr
	in, err := w.cmd.StdinPipe()
	if err == nil {
		var out io.ReadCloser
		if out, err = w.cmd.StdoutPipe(); err == nil {
			w.in, w.lines = in, newLines(out, in, maxLine)
			err = w.cmd.Start()
		}
	}
	if err != nil {
		return nil, errors.Join(fault.New(CodeStart, "the evaluation cannot be started: %v", err), os.Remove(dir))
	}
	var ready fromChild
	err = w.guard(ctx, patience, 0, func() error {
		if err := w.lines.write(hello{Memory: o.Memory}); err != nil {
			return err
		}
		return w.lines.read(&ready)
	})
	if err == nil && ready.Error != nil {
		err = ready.Error.unpack()
	}
	if err == nil && !ready.Ready {
		err = fault.New(CodeStart, "the evaluation does not answer as one of ours")
	}
	if err != nil {
		w.end()
		return nil, err
	}
	w.base = status(fmt.Sprint(w.cmd.Process.Pid)).own
	return w, nil
}

// do has the child serve one request.
func (w *worker) do(ctx context.Context, request json.RawMessage, limit time.Duration, answerer Answerer) (answer json.RawMessage, err error) {
	err = w.guard(ctx, limit, w.memory, func() error {
		message := toChild{Request: request}
		for {
			if err := w.lines.write(message); err != nil {
				return err
			}
			var m fromChild
			if err := w.lines.read(&m); err != nil {
				return err
			}
			if m.Ask == "" {
				if m.Retire {
					w.broken.Store(true)
				}
				if m.Error != nil {
					return &told{m.Error.unpack()}
				}
				answer = m.Answer
				return nil
			}
			message = reply(answerer, m)
		}
	})
	if t, ok := errors.AsType[*told](err); ok {
		return nil, t.error
	}
	if err != nil {
		w.broken.Store(true)
	}
	return answer, err
}

// told is an error that the evaluator gave: the child itself is well.
type told struct{ error }

func reply(answerer Answerer, m fromChild) toChild {
	if answerer == nil {
		return toChild{Error: pack(errors.New("nothing may be asked for"))}
	}
	v, err := answerer(m.Ask, m.With)
	if err != nil {
		return toChild{Error: pack(err)}
	}
	data, err := json.Marshal(v)
	if err != nil {
		return toChild{Error: pack(err)}
	}
	return toChild{Reply: data}
}

// guard watches over talk: it kills the child when ctx ends, the time is up or the memory is used up (0 is without
// bound), and says which it was.
func (w *worker) guard(ctx context.Context, limit time.Duration, memory int64, talk func() error) error {
	done := make(chan error, 1)
	go func() { done <- talk() }()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	var why error
	for {
		select {
		case err := <-done:
			return w.explain(err)
		case <-ctx.Done():
			why = context.Cause(ctx)
		case <-deadline.C:
			why = fault.New(CodeTime, "the evaluation takes longer than %v", limit).WithHint("look for a loop that does not end")
		case <-look.C:
			if memory == 0 || status(fmt.Sprint(w.cmd.Process.Pid)).own < w.base+memory {
				continue
			}
			why = tooMuch(memory)
		}
		w.end()
		<-done
		return why
	}
}

// explain turns the end of a child that nobody ended into what happened to it.
func (w *worker) explain(err error) error {
	if _, ok := errors.AsType[*told](err); ok || err == nil || fault.CodeOf(err) != "" {
		return err
	}
	w.end()
	said := w.stderr.String()
	for _, words := range []string{"out of memory", "cannot allocate memory", "ThreadSanitizer failed to allocate"} { // the last in builds with -race
		if strings.Contains(said, words) {
			return tooMuch(w.memory)
		}
	}
	first, _, _ := strings.Cut(strings.TrimSpace(said), "\n")
	if strings.Contains(said, "stack exceeds") || strings.Contains(said, "stack overflow") {
		return fault.New(CodeMemory, "the evaluation calls itself without end").WithHint("look for a template or function that includes itself")
	}
	if first == "" {
		first = err.Error()
	}
	return fault.New(CodeCrash, "the evaluation ended without an answer: %s", first)
}

func tooMuch(memory int64) error {
	return fault.New(CodeMemory, "the evaluation takes more than %d MiB of memory", memory>>20).
		WithHint("look for text that is repeated very often, or for recursion without end")
}

// end kills the child and waits for it. It may be called more than once.
func (w *worker) end() {
	w.broken.Store(true)
	w.once.Do(func() {
		_ = w.cmd.Process.Kill() // it may have ended by itself
		_ = w.in.Close()
		_ = w.cmd.Wait() // how it ended is told by what it wrote
		_ = os.RemoveAll(w.dir)
	})
}

// tail keeps the beginning of what a child writes, where Go says what a crash was.
type tail struct {
	mu   sync.Mutex
	text strings.Builder
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := 16<<10 - t.text.Len(); room > 0 {
		t.text.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
