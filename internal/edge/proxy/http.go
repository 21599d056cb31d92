package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// The bounds of a connection. A request or an answer may take as long as it likes; only beginnings and idle ends are timed.
const (
	headerTimeout = 60 * time.Second // a client's first byte, and between two requests
	idleGrace     = 100 * time.Millisecond
	dialTimeout   = 2 * time.Second
	idleUpstream  = 2 * time.Second // shorter than what servers keep, so that none closes under a request
	headerSize    = 64 << 10
	bodyAtOnce    = 64 << 10 // bodies up to this are held, larger ones flow
	mirrorSize    = 1 << 20  // a larger body is not mirrored
	tries         = 3        // endpoints tried while none could be connected to
	maxConns      = 1 << 16
)

func (l *listener) server() *fasthttp.Server {
	return &fasthttp.Server{
		Handler:                      l.handle,
		ErrorHandler:                 refuse,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		StreamRequestBody:            true,
		MaxRequestBodySize:           bodyAtOnce,
		ReadBufferSize:               headerSize,
		IdleTimeout:                  headerTimeout,
		Concurrency:                  maxConns,
		KeepHijackedConns:            false,
		DisablePreParseMultipartForm: true,
		SecureErrorLogMessage:        true,
		Logger:                       silent{},
	}
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// refuse answers what is no request.
func refuse(ctx *fasthttp.RequestCtx, err error) {
	code := fasthttp.StatusBadRequest
	if _, ok := errors.AsType[*fasthttp.ErrSmallBuffer](err); ok {
		code = fasthttp.StatusRequestHeaderFieldsTooLarge
	}
	ctx.Error(fasthttp.StatusMessage(code), code)
	ctx.SetConnectionClose()
}

// dialError is a connection that was not made: the request was not sent, so another endpoint may have it.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

func (b *backend) newClient() *fasthttp.HostClient {
	return &fasthttp.HostClient{
		Addr:                     b.address,
		NoDefaultUserAgentHeader: true,
		DisablePathNormalizing:   true,
		StreamResponseBody:       true,
		MaxResponseBodySize:      bodyAtOnce,
		ReadBufferSize:           headerSize,
		MaxIdleConnDuration:      idleUpstream,
		MaxConns:                 maxConns,
		Dial: func(a string) (net.Conn, error) {
			c, err := net.DialTimeout("tcp", a, dialTimeout)
			if err != nil {
				return nil, &dialError{err}
			}
			u := &upward{Conn: c, of: b}
			b.conns.Store(c.LocalAddr().String(), u)
			return u, nil
		},
	}
}

// fast is a request of HTTP/1.1 for routing.
type fast struct{ h *fasthttp.RequestHeader }

func (f fast) method() string { return string(f.h.Method()) }

func (f fast) path() string {
	p, _, _ := bytes.Cut(f.h.RequestURI(), []byte("?"))
	return string(p)
}

func (f fast) header(name string) (string, bool) {
	if strings.EqualFold(name, "host") {
		return string(f.h.Host()), true
	}
	v := f.h.Peek(name)
	return string(v), v != nil
}

func (f fast) cookie(name string) (string, bool) {
	v := f.h.Cookie(name)
	return string(v), v != nil
}

func (l *listener) handle(ctx *fasthttp.RequestCtx) {
	if ctx.IsConnect() {
		ctx.Error("CONNECT is not served", fasthttp.StatusMethodNotAllowed)
		return
	}
	t := l.table.Load()
	q := fast{&ctx.Request.Header}
	g, stay := t.choose(q)
	if g == nil {
		nobody(ctx, t.name)
		return
	}
	if ctx.Request.Header.ConnectionUpgrade() && len(ctx.Request.Header.Peek("Upgrade")) > 0 {
		l.upgrade(ctx, g)
		return
	}
	prepare(ctx)
	if len(t.mirrors) > 0 {
		l.mirror(&ctx.Request, t.mirrored(q))
	}
	since := g.meter.begin()
	got := fasthttp.AcquireResponse()
	b, err := forward(&ctx.Request, got, g)
	switch {
	case err != nil:
		failed(ctx, t.name, b, err)
		g.served(b, got, since, ctx.Response.StatusCode())
	case flows(ctx, got):
		head(ctx, got)
		stream(ctx, got, func() { b.cut(got.LocalAddr()) }, func() { g.served(b, got, since, ctx.Response.StatusCode()) })
	default:
		head(ctx, got)
		if ctx.Response.SkipBody = ctx.IsHead(); !ctx.IsHead() {
			ctx.Response.SetBody(got.Body())
		}
		g.served(b, got, since, ctx.Response.StatusCode())
	}
	if err == nil && stay != "" {
		remember(ctx, t.sticky, stay)
	}
	if l.closing.Load() {
		ctx.SetConnectionClose()
	}
}

// served counts a request out.
func (g *group) served(b *backend, got *fasthttp.Response, since time.Time, code int) {
	b.flight.Add(-1)
	g.meter.end(since, code)
	fasthttp.ReleaseResponse(got)
}

// head hands the head of an endpoint's answer to the client.
func head(ctx *fasthttp.RequestCtx, got *fasthttp.Response) {
	h := &ctx.Response.Header
	got.Header.CopyTo(h)
	h.ResetConnectionClose()
	hop(h.Peek("Connection"), h)
}

// flows reports whether a body is handed on as it comes.
func flows(ctx *fasthttp.RequestCtx, got *fasthttp.Response) bool {
	size := got.Header.ContentLength()
	return !ctx.IsHead() && got.IsBodyStream() && (size < 0 || size > bodyAtOnce)
}

// stream hands a body to the client. cut ends an answer when the client has left, end is called when all of it has gone.
func stream(ctx *fasthttp.RequestCtx, got *fasthttp.Response, cut, end func()) {
	stop := ctx.Conn().(*begun).watch(cut)
	ctx.Response.ImmediateHeaderFlush = true
	ctx.Response.SetBodyStream(&counted{Reader: got.BodyStream(), end: func(err error) {
		stop()
		if err != nil {
			got.SetConnectionClose() // what is left unread must not become the next request's answer
		}
		end()
	}}, max(got.Header.ContentLength(), -1))
}

// forward sends the request to an endpoint of the group, to another where one cannot be connected to. The endpoint that it
// returns is counted as serving.
func forward(req *fasthttp.Request, resp *fasthttp.Response, g *group) (*backend, error) {
	var b *backend
	var err error
	for range tries {
		b = g.next()
		b.flight.Add(1)
		if err = b.client.Do(req, resp); err == nil {
			return b, nil
		}
		if _, ok := errors.AsType[*dialError](err); !ok {
			return b, err
		}
		b.flight.Add(-1)
	}
	b.flight.Add(1)
	return b, err
}

// prepare makes the client's request ours: what is for one hop stays, who asked is told.
func prepare(ctx *fasthttp.RequestCtx) {
	h := &ctx.Request.Header
	hop(h.Peek("Connection"), h)
	h.ResetConnectionClose()
	ctx.Request.UseHostHeader = true
	from := ctx.Conn().(*begun).from
	if before := h.Peek("X-Forwarded-For"); len(before) > 0 {
		from = string(before) + ", " + from
	}
	h.Set("X-Forwarded-For", from)
	if len(h.Peek("X-Forwarded-Proto")) == 0 {
		h.Set("X-Forwarded-Proto", "http")
	}
	if len(h.Peek("X-Forwarded-Host")) == 0 {
		h.SetBytesV("X-Forwarded-Host", h.Host())
	}
}

// hop removes the headers that are for one connection only (RFC 9110, section 7.6.1).
func hop(connection []byte, h interface{ Del(name string) }) {
	if len(connection) > 0 {
		for name := range strings.SplitSeq(string(connection), ",") {
			h.Del(strings.TrimSpace(name))
		}
		h.Del("Connection")
	}
	h.Del("Keep-Alive")
	h.Del("Proxy-Connection")
	h.Del("Upgrade")
}

func nobody(ctx *fasthttp.RequestCtx, service string) {
	ctx.Error(fmt.Sprintf("no endpoint of Service %s is ready\n", service), fasthttp.StatusServiceUnavailable)
	ctx.Response.Header.Set("Retry-After", "1")
}

func failed(ctx *fasthttp.RequestCtx, service string, b *backend, err error) {
	code := fasthttp.StatusBadGateway
	if errors.Is(err, fasthttp.ErrTimeout) {
		code = fasthttp.StatusGatewayTimeout
	}
	ctx.Response.Reset()
	ctx.Error(fmt.Sprintf("Service %s: %s did not answer: %v\n", service, b.address, err), code)
}

func remember(ctx *fasthttp.RequestCtx, s *Sticky, value string) {
	var c fasthttp.Cookie
	c.SetKey(s.Cookie)
	c.SetValue(value)
	c.SetPath("/")
	c.SetHTTPOnly(true)
	c.SetSameSite(fasthttp.CookieSameSiteLaxMode)
	if s.MaxAge > 0 {
		c.SetMaxAge(s.MaxAge)
	}
	ctx.Response.Header.SetCookie(&c)
}

// counted is a body on its way; end is called once, when it has gone or cannot go on. It closes what it reads.
type counted struct {
	io.Reader
	end  func(error)
	once sync.Once
}

// CloseWithError is what fasthttp calls, with what went wrong on the way.
func (c *counted) CloseWithError(err error) error {
	c.once.Do(func() { c.end(err) })
	return nil
}

// mirror sends copies without waiting. A request whose body flows is not copied.
func (l *listener) mirror(req *fasthttp.Request, to []*group) {
	for _, g := range to {
		if req.IsBodyStream() && req.Header.ContentLength() != 0 && (req.Header.ContentLength() < 0 || req.Header.ContentLength() > bodyAtOnce) {
			g.meter.mirror("dropped")
			continue
		}
		copied, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
		req.CopyTo(copied)
		copied.UseHostHeader = true
		b := g.next()
		b.flight.Add(1)
		l.done.Go(func() {
			defer func() {
				b.flight.Add(-1)
				fasthttp.ReleaseRequest(copied)
				fasthttp.ReleaseResponse(resp)
			}()
			if err := b.client.DoTimeout(copied, resp, mirrorTimeout); err != nil {
				g.meter.mirror("failed")
				return
			}
			_ = resp.CloseBodyStream()
			g.meter.mirror("sent")
		})
	}
}

const mirrorTimeout = 10 * time.Second
