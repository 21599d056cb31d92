package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"k8s.io/client-go/transport"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

const (
	tries   = 4
	pause   = 250 * time.Millisecond // before the second try; doubled for each further one
	longest = 10 * time.Second       // a server that asks for more is told of to the caller
	apart   = 220 * time.Millisecond // tries of one object after a failure: five a second
	largest = 1 << 30                // bytes of an answer

	patience = 15 * time.Second // of all tries for what no webhook holds up: the server's version
)

// call is one request. twice says that it may be sent again though the first may have been carried out; stale that a
// conflict only means that another write came between.
type call struct {
	method, path string
	kind         manifest.Kind
	query        url.Values
	media        string
	body         []byte
	accept       string
	twice, stale bool
	as           string // the user that it is done as; "" for our own
	secret       bool   // what the server says of it may quote a Secret's data
}

// do sends a request, again where that can help, and gives the body of the answer.
func (c *Cluster) do(ctx context.Context, r call) ([]byte, error) {
	for try := 1; ; try++ {
		data, err := c.once(ctx, r)
		if err == nil {
			c.pace.passed(r.path)
			return data, nil
		}
		if r.method == http.MethodDelete && try > 1 && manifest.Is(err, manifest.ReasonNotFound) {
			return nil, nil // the first one was carried out and its answer was lost
		}
		if again := c.pace.failed(r.path); try == tries || !r.again(err) {
			return nil, err
		} else if wait := max(again, backoff(try, err)); wait > 2*longest {
			return nil, err
		} else if sleep(ctx, wait) != nil {
			return nil, err // what the server said tells more than the end of ctx
		}
	}
}

// again reports whether a request that failed so may be sent once more.
func (r call) again(err error) bool {
	refusal, ok := errors.AsType[*manifest.Refusal](err)
	switch {
	case !ok:
		return false
	case refusal.RetryAfter > longest:
		return false
	case refusal.Reason == manifest.ReasonThrottled: // not carried out
		return true
	case refusal.Reason == manifest.ReasonConflict:
		return r.stale
	case refusal.Reason == manifest.ReasonUnreachable, refusal.Code >= 500:
		return r.twice
	}
	return false
}

func backoff(try int, err error) time.Duration {
	wait := pause << (try - 1)
	if refusal, ok := errors.AsType[*manifest.Refusal](err); ok {
		wait = max(wait, refusal.RetryAfter)
	}
	return jitter(wait)
}

// jitter is the duration or up to half more.
func jitter(d time.Duration) time.Duration { return d + rand.N(d/2+1) }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// once sends a request a single time.
func (c *Cluster) once(ctx context.Context, r call) ([]byte, error) {
	ctx, stop := context.WithTimeoutCause(ctx, c.options.Timeout, errSlow)
	defer stop()
	answer, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(answer.Body, largest))
	switch {
	case err != nil:
		return nil, lost(ctx, r, err)
	case answer.StatusCode < 200 || answer.StatusCode > 299:
		return nil, refusal(r, answer, data)
	}
	return data, nil
}

var errSlow = errors.New("no answer in time")

// send sends a request when its turn has come. The caller closes the answer's body.
func (c *Cluster) send(ctx context.Context, r call) (*http.Response, error) {
	if err := c.pace.wait(ctx, r.path); err != nil {
		return nil, err
	}
	if err := c.limit.Wait(ctx); err != nil {
		return nil, lost(ctx, r, err)
	}
	u := *c.base
	at, err := url.Parse(r.path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.path, err)
	}
	u = *u.JoinPath(at.EscapedPath())
	u.RawQuery = r.query.Encode()
	request, err := http.NewRequestWithContext(ctx, r.method, u.String(), bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", or(r.accept, "application/json"))
	if r.media != "" {
		request.Header.Set("Content-Type", r.media)
	}
	if r.as != "" {
		request.Header.Set(transport.ImpersonateUserHeader, r.as)
	}
	answer, err := c.client.Do(request)
	if asked := c.options.Asked; asked != nil {
		switch {
		case err == nil:
			asked(c.Server, request, answer.StatusCode)
		case !errors.Is(context.Cause(ctx), context.Canceled):
			asked(c.Server, request, 0)
		}
	}
	if err != nil {
		return nil, lost(ctx, r, err)
	}
	return answer, nil
}

// lost is a request without an answer. The end of the caller's ctx is that and no refusal.
func lost(ctx context.Context, r call, err error) error {
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, errSlow):
		err = errSlow
	case cause != nil:
		return cause
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return &manifest.Refusal{Reason: manifest.ReasonUnreachable, Message: fmt.Sprintf("%s %s: %v", r.method, r.path, err)}
}

// unreadable is an answer that is not what the API promises.
func unreadable(path string, err error) error {
	return &manifest.Refusal{Code: http.StatusBadGateway, Reason: "Unreadable", Message: fmt.Sprintf("%s: the answer cannot be read: %v", path, err)}
}

// pacer keeps requests for one path apart once one of them has failed, whoever sends them, so that no loop of any caller can
// press a server that is in need.
type pacer struct {
	mu   sync.Mutex
	next map[string]time.Time
}

// wait waits for the path's turn and takes it.
func (p *pacer) wait(ctx context.Context, path string) error {
	p.mu.Lock()
	at, waits := p.next[path]
	if !waits {
		p.mu.Unlock()
		return nil
	}
	now := time.Now()
	if at.Before(now) {
		at = now
	}
	p.next[path] = at.Add(apart)
	p.mu.Unlock()
	return sleep(ctx, at.Sub(now))
}

// failed notes a failure and tells when the path's next turn is.
func (p *pacer) failed(path string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.next == nil {
		p.next = map[string]time.Time{}
	}
	if len(p.next) > 10_000 { // objects that are never asked for again
		for k, at := range p.next {
			if now.Sub(at) > time.Second {
				delete(p.next, k)
			}
		}
	}
	at := now.Add(jitter(apart))
	if at.Before(p.next[path]) {
		at = p.next[path]
	}
	p.next[path] = at
	return at.Sub(now)
}

func (p *pacer) passed(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.next, path)
}
