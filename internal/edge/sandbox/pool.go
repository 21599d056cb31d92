package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

// Options say how a pool evaluates. The zero value of all but Kind works.
type Options struct {
	Kind    string
	Command []string      // what starts the child, before the kind; this binary's own `sandbox` unless told
	Dir     string        // where children's empty folders are made; the system's folder for such things unless told
	Memory  int64         // bytes that one evaluation may take; 256 MiB unless told
	Time    time.Duration // of one request; 30 s unless told
	Workers int           // children at once; as many as there are cores unless told
	Idle    time.Duration // after which an idle child ends; 20 s unless told
	Uses    int           // requests that one child serves; 500 unless told
}

func (o Options) orDefault() Options {
	if len(o.Command) == 0 {
		o.Command = []string{self(), "sandbox"}
	}
	if o.Memory == 0 {
		o.Memory = 256 << 20
	}
	if o.Time == 0 {
		o.Time = 30 * time.Second
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Idle == 0 {
		o.Idle = 20 * time.Second
	}
	if o.Uses == 0 {
		o.Uses = 500
	}
	return o
}

// self is this very binary, also where a new one was put in its place meanwhile.
func self() string {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe"
	}
	name, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return name
}

// Pool evaluates requests of one kind in children that it starts when they are needed and uses again. It is safe for
// concurrent use.
type Pool struct {
	options Options
	slots   chan struct{}

	mu     sync.Mutex
	idle   []*worker
	closed bool
}

// New makes a pool. No child is started before the first request.
func New(o Options) *Pool {
	o = o.orDefault()
	return &Pool{options: o, slots: make(chan struct{}, o.Workers)}
}

// Close ends the idle children; those at work end with their request.
func (p *Pool) Close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, w := range idle {
		w.end()
	}
}

// Do evaluates request in a child and fills answer, a pointer, from what it says. answerer may be nil where the kind asks
// for nothing. A bound that was reached is a fault of this package, what the evaluator says is its own.
func (p *Pool) Do(ctx context.Context, request, answer any, answerer Answerer) error {
	data, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("say the request: %w", err)
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	w, err := p.take(ctx)
	if err != nil {
		return err
	}
	raw, err := w.do(ctx, data, p.options.Time, answerer)
	p.giveBack(w)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, answer)
}

// take gives an idle child, or a new one.
func (p *Pool) take(ctx context.Context) (*worker, error) {
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return nil, errors.New("the sandbox is closed")
		}
		n := len(p.idle)
		if n == 0 {
			p.mu.Unlock()
			return start(ctx, p.options)
		}
		w := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		if w.timer.Stop() {
			return w, nil
		}
		// Its time is up this very moment: whoever ends it found it gone from the list, or will.
		w.end()
	}
}

func (p *Pool) giveBack(w *worker) {
	w.uses++
	p.mu.Lock()
	keep := !w.broken.Load() && w.uses < p.options.Uses && !p.closed
	if keep {
		w.timer = time.AfterFunc(p.options.Idle, func() { p.retire(w) })
		p.idle = append(p.idle, w)
	}
	p.mu.Unlock()
	if !keep {
		w.end()
	}
}

// retire ends a child that nobody has needed.
func (p *Pool) retire(w *worker) {
	p.mu.Lock()
	at := -1
	for i, other := range p.idle {
		if other == w {
			at = i
		}
	}
	if at >= 0 {
		p.idle = append(p.idle[:at], p.idle[at+1:]...)
	}
	p.mu.Unlock()
	if at >= 0 {
		w.end()
	}
}
