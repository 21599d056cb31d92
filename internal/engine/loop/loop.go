// Package loop is a keyed work queue: whoever sees something change adds its key, and the loop hands each key to one worker
// at a time until it is done. It knows nothing of what a key means, keeps nothing on disk, and drops no key.
package loop

import (
	"container/heap"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// The waits after an error. A key is tried at most five times a second while it fails, whoever adds it, and at least
// every half minute.
const (
	least = 200 * time.Millisecond
	most  = 20 * time.Second
)

// Handle works on a key. After is when to work on it anew though nobody adds it; zero is never. It replaces every earlier
// wait for the key. With an error the key is tried again after a growing wait with jitter, and not before After (a server's
// Retry-After).
type Handle[K comparable] func(ctx context.Context, key K) (after time.Duration, err error)

// Panic is the error of a handle that panicked.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("a mistake in Sluice: panic: %v", p.Value) }

// Meter counts what a queue does. Its methods return at once.
type Meter interface {
	Added()                     // a key that was not waiting waits now
	Taken(waited time.Duration) // for so long after it was due
	Worked(took time.Duration)
	Again() // it failed and is tried again
}

// Load is what a queue has to do at one moment.
type Load struct {
	Due              int           // keys that wait for a worker
	Unfinished, Most time.Duration // how long those are worked on so far, in all and the longest
}

// Loop is the queue. New makes one; its methods may be called from everywhere, before Run and while it runs.
type Loop[K comparable] struct {
	// Failed, where it is set, is told of each error: the key, how often it failed in a row, and when it is tried again at
	// the latest.
	Failed func(key K, err error, tries int, again time.Duration)
	// Meter may be nil.
	Meter Meter

	mu    sync.Mutex
	items map[K]*item[K]
	due   waiting[K]
	count uint64
	wake  chan struct{}
}

// item is one key that waits or is worked on.
type item[K comparable] struct {
	key     K
	due     time.Time
	order   uint64 // the first added is the first taken where both are due
	place   int    // in the heap, -1 outside
	running bool
	began   time.Time // while a worker has it
	again   time.Time // asked for while it is worked on; zero for not
	floor   time.Time // no try before: the key failed
	tries   int
}

// New is an empty queue.
func New[K comparable]() *Loop[K] {
	return &Loop[K]{items: map[K]*item[K]{}, wake: make(chan struct{}, 1)}
}

// Add asks for a key to be worked on now. While it is worked on already, it is worked on once more afterwards.
func (l *Loop[K]) Add(key K) { l.AddAfter(key, 0) }

// AddAfter asks for a key to be worked on after a while, unless it is due sooner.
func (l *Loop[K]) AddAfter(key K, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := time.Now().Add(max(wait, 0))
	it := l.items[key]
	if it == nil {
		it = &item[K]{key: key, place: -1}
		l.items[key] = it
	}
	if it.running {
		if it.again.IsZero() || at.Before(it.again) {
			it.again = at
		}
		return
	}
	l.put(it, at)
}

// Len is how many keys wait or are worked on.
func (l *Loop[K]) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.items)
}

// Load is what the queue has to do now.
func (l *Loop[K]) Load() Load {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out Load
	now := time.Now()
	for _, it := range l.items {
		switch {
		case !it.began.IsZero():
			took := now.Sub(it.began)
			out.Unfinished += took
			out.Most = max(out.Most, took)
		case it.running, !it.due.After(now):
			out.Due++
		}
	}
	return out
}

// put makes an item due at a time or sooner. The lock is held.
func (l *Loop[K]) put(it *item[K], at time.Time) {
	if at.Before(it.floor) {
		at = it.floor
	}
	switch {
	case it.place < 0:
		l.count++
		it.due, it.order = at, l.count
		heap.Push(&l.due, it)
		if l.Meter != nil {
			l.Meter.Added()
		}
	case at.Before(it.due):
		it.due = at
		heap.Fix(&l.due, it.place)
	default:
		return
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run works on keys with so many workers until ctx ends; then it waits for those at work and returns ctx's cause. What
// waits then stays in the queue.
func (l *Loop[K]) Run(ctx context.Context, workers int, handle Handle[K]) error {
	ready := make(chan *item[K])
	var group sync.WaitGroup
	for range max(workers, 1) {
		group.Go(func() {
			for it := range ready {
				l.work(ctx, it, handle)
			}
		})
	}
	l.dispatch(ctx, ready)
	close(ready)
	group.Wait()
	return context.Cause(ctx)
}

// dispatch hands out items as they become due.
func (l *Loop[K]) dispatch(ctx context.Context, ready chan<- *item[K]) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		it, wait := l.take()
		if it != nil {
			select {
			case ready <- it:
			case <-ctx.Done():
				l.giveBack(it)
				return
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-l.wake:
		case <-ctx.Done():
			return
		}
	}
}

// take is the item that is due, or how long to wait for one.
func (l *Loop[K]) take() (*item[K], time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.due) == 0 {
		return nil, time.Hour
	}
	if wait := time.Until(l.due[0].due); wait > 0 {
		return nil, wait
	}
	it := heap.Pop(&l.due).(*item[K])
	it.running, it.again = true, time.Time{}
	return it, 0
}

func (l *Loop[K]) giveBack(it *item[K]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	it.running = false
	l.put(it, it.due)
}

// work handles one item and says when it is due next. Failed is told before the key can be worked on again.
func (l *Loop[K]) work(ctx context.Context, it *item[K], handle Handle[K]) {
	began := time.Now()
	l.mu.Lock()
	it.began = began
	l.mu.Unlock()
	if l.Meter != nil {
		l.Meter.Taken(began.Sub(it.due))
	}
	after, err := contain(ctx, it.key, handle)
	ended := time.Now()
	if l.Meter != nil {
		l.Meter.Worked(ended.Sub(began))
		if err != nil {
			l.Meter.Again()
		}
	}
	next := it.next(began, ended, after, err)
	if err != nil && l.Failed != nil && ctx.Err() == nil {
		l.Failed(it.key, err, it.tries, time.Until(next))
	}
	l.release(it, next)
}

// contain makes an error of a panic.
func contain[K comparable](ctx context.Context, key K, handle Handle[K]) (after time.Duration, err error) {
	defer func() {
		if v := recover(); v != nil {
			after, err = 0, &Panic{v, debug.Stack()}
		}
	}()
	return handle(ctx, key)
}

// next is when an item is due by what its handle said, zero for not; only its worker calls it.
func (it *item[K]) next(began, now time.Time, after time.Duration, err error) time.Time {
	if err != nil {
		it.tries++
		it.floor = later(began.Add(least), now.Add(after))
		return later(now.Add(backoff(it.tries)), it.floor)
	}
	it.tries, it.floor = 0, time.Time{}
	if after > 0 {
		return now.Add(after)
	}
	return time.Time{}
}

// release makes an item due at a moment, or sooner where somebody asked for it meanwhile; the key may be worked on again.
func (l *Loop[K]) release(it *item[K], next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	it.running, it.began = false, time.Time{}
	if !it.again.IsZero() && (next.IsZero() || it.again.Before(next)) {
		next = it.again
	}
	if next.IsZero() {
		delete(l.items, it.key)
		return
	}
	l.put(it, next)
}

// backoff doubles with each try and has up to a half more of jitter, so that keys that failed together part.
func backoff(tries int) time.Duration {
	wait := most
	if tries < 8 {
		wait = min(least<<(tries-1), most)
	}
	return wait + rand.N(wait/2)
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// waiting is the heap of the items that wait, the next one first.
type waiting[K comparable] []*item[K]

func (w waiting[K]) Len() int { return len(w) }
func (w waiting[K]) Less(i, j int) bool {
	if !w[i].due.Equal(w[j].due) {
		return w[i].due.Before(w[j].due)
	}
	return w[i].order < w[j].order
}

func (w waiting[K]) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].place, w[j].place = i, j
}

func (w *waiting[K]) Push(x any) {
	it := x.(*item[K])
	it.place = len(*w)
	*w = append(*w, it)
}

func (w *waiting[K]) Pop() any {
	last := len(*w) - 1
	it := (*w)[last]
	(*w)[last] = nil
	*w = (*w)[:last]
	it.place = -1
	return it
}
