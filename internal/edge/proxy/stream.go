package proxy

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// upgrade hands a connection over to another protocol (WebSocket) and copies both ways until either side ends.
func (l *listener) upgrade(ctx *fasthttp.RequestCtx, g *group) {
	since := g.meter.begin()
	b, up, err := g.dial()
	if err != nil {
		failed(ctx, l.name, b, err)
		g.meter.end(since, ctx.Response.StatusCode())
		return
	}
	req := &ctx.Request
	upgrade := append([]byte(nil), req.Header.Peek("Upgrade")...)
	prepare(ctx)
	req.Header.SetBytesV("Upgrade", upgrade)
	req.Header.Set("Connection", "Upgrade")
	quit := func(err error) {
		_ = up.Close()
		b.flight.Add(-1)
		failed(ctx, l.name, b, err)
		g.meter.end(since, ctx.Response.StatusCode())
	}
	w := bufio.NewWriter(up)
	if err := req.Write(w); err != nil {
		quit(err)
		return
	}
	if err := w.Flush(); err != nil {
		quit(err)
		return
	}
	r := bufio.NewReaderSize(up, headerSize)
	if err := ctx.Response.Header.Read(r); err != nil {
		quit(err)
		return
	}
	code := ctx.Response.StatusCode()
	if code != fasthttp.StatusSwitchingProtocols {
		// Refused: an ordinary answer, whose body is read until its end.
		ctx.Response.SkipBody = false
		err := ctx.Response.ReadBody(r, 1<<20)
		_ = up.Close()
		b.flight.Add(-1)
		if err != nil {
			failed(ctx, l.name, b, err)
		}
		ctx.SetConnectionClose()
		g.meter.end(since, ctx.Response.StatusCode())
		return
	}
	handed := make(chan struct{})
	ctx.Conn().(*begun).handed = handed
	ctx.Hijack(func(down net.Conn) {
		defer close(handed)
		join(down, up, r)
		b.flight.Add(-1)
		g.meter.end(since, code)
	})
}

// tunnel joins a client to an endpoint of a TCP Service.
func (l *listener) tunnel(down net.Conn) {
	t := l.table.Load()
	g := t.weighed()
	if g == nil {
		return
	}
	since := g.meter.begin()
	b, up, err := g.dial()
	if err != nil {
		g.meter.end(since, http.StatusBadGateway)
		return
	}
	join(down, up, up)
	b.flight.Add(-1)
	g.meter.end(since, http.StatusOK)
}

// dial connects to an endpoint of the group and counts it as serving.
func (g *group) dial() (b *backend, c net.Conn, err error) {
	for range tries {
		b = g.next()
		if c, err = net.DialTimeout("tcp", b.address, dialTimeout); err == nil {
			b.flight.Add(1)
			return b, c, nil
		}
	}
	return b, nil, err
}

// join copies both ways and closes both when both have ended. A side that has said all is told so (half-close).
func join(down, up net.Conn, fromUp io.Reader) {
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(up, down)
		half(up)
	})
	both.Go(func() {
		_, _ = io.Copy(down, fromUp)
		half(down)
	})
	both.Wait()
	_ = up.Close()
	_ = down.Close()
}

func half(c net.Conn) {
	if b, ok := c.(*begun); ok {
		c = b.Conn
	}
	if w, ok := c.(interface{ CloseWrite() error }); ok {
		_ = w.CloseWrite()
		return
	}
	_ = c.Close()
}

// h2 is a request of HTTP/2 for routing.
type h2 struct{ *http.Request }

func (r h2) method() string { return r.Method }
func (r h2) path() string   { return r.URL.Path }

func (r h2) header(name string) (string, bool) {
	if http.CanonicalHeaderKey(name) == "Host" {
		return r.Host, true
	}
	v := r.Header.Values(name)
	if len(v) == 0 {
		return "", false
	}
	return v[0], true
}

func (r h2) cookie(name string) (string, bool) {
	c, err := r.Cookie(name)
	if err != nil {
		return "", false
	}
	return c.Value, true
}

// handed gives a server of net/http the connections that were found to speak HTTP/2.
type handed struct {
	conns chan net.Conn
	done  chan struct{}
	addr  net.Addr
}

func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

func (h *handed) Close() error   { return nil }
func (h *handed) Addr() net.Addr { return h.addr }

// plain2 is HTTP/2 without TLS and nothing else.
func plain2() *http.Protocols {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	return &p
}

// server2 serves HTTP/2 and speaks it to the endpoint too (gRPC needs its trailers).
func (l *listener) server2() *http.Server {
	s := &http.Server{Handler: http.HandlerFunc(l.stream), Protocols: plain2(), IdleTimeout: headerTimeout, ErrorLog: log.New(io.Discard, "", 0)}
	l.done.Go(func() { _ = s.Serve(l.speaks2) })
	return s
}

// http2 hands a connection over and waits for its end.
func (l *listener) http2(c *begun) {
	c.two, c.handed = true, make(chan struct{})
	l.mu.Lock()
	delete(l.open, c.Conn) // its server ends it, with its streams
	l.mu.Unlock()
	select {
	case l.speaks2.conns <- c:
		<-c.handed
	case <-l.speaks2.done:
	}
}

// upstream2 keeps the HTTP/2 connections to endpoints; each carries many requests.
var upstream2 = &http.Transport{
	Protocols:       plain2(),
	DialContext:     (&net.Dialer{Timeout: dialTimeout}).DialContext,
	IdleConnTimeout: 30 * time.Second,
	HTTP2:           &http.HTTP2Config{SendPingTimeout: 30 * time.Second},
}

func (l *listener) stream(w http.ResponseWriter, r *http.Request) {
	t := l.table.Load()
	q := h2{r}
	g, stay := t.choose(q)
	if g == nil {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "no endpoint of Service "+t.name+" is ready", http.StatusServiceUnavailable)
		return
	}
	b := g.next()
	b.flight.Add(1)
	since := g.meter.begin()
	told := &told{ResponseWriter: w}
	defer func() {
		b.flight.Add(-1)
		g.meter.end(since, told.code)
	}()
	if stay != "" {
		http.SetCookie(w, &http.Cookie{Name: t.sticky.Cookie, Value: stay, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: t.sticky.MaxAge})
	}
	(&httputil.ReverseProxy{
		Transport:     upstream2,
		FlushInterval: -1,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = "http", b.address, p.In.Host
			p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
			p.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, "Service "+t.name+": "+b.address+" did not answer: "+err.Error(), http.StatusBadGateway)
		},
	}).ServeHTTP(told, r)
}

// told remembers the status code.
type told struct {
	http.ResponseWriter
	code int
}

func (t *told) WriteHeader(code int) {
	if t.code == 0 && code >= 200 {
		t.code = code
	}
	t.ResponseWriter.WriteHeader(code)
}

func (t *told) Write(p []byte) (int, error) {
	if t.code == 0 {
		t.code = http.StatusOK
	}
	return t.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController flush.
func (t *told) Unwrap() http.ResponseWriter { return t.ResponseWriter }
