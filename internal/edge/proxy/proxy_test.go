package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/sluice-delivery/sluice/internal/edge/proxy"
)

// upstream answers with its name; what else it does, the path says.
func upstream(t *testing.T, name string) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-From", name)
		switch {
		case strings.HasPrefix(r.URL.Path, "/echo"):
			w.Header().Set("X-Uri", r.RequestURI)
			w.Header().Set("X-Host", r.Host)
			w.Header().Set("X-For", r.Header.Get("X-Forwarded-For"))
			w.Header().Set("X-Hop", r.Header.Get("X-Secret-Hop")+r.Header.Get("Connection"))
			all, _ := io.ReadAll(r.Body) // HTTP/1.1 of net/http reads no more once it answers
			_, _ = w.Write(all)
		case r.URL.Path == "/slow":
			time.Sleep(300 * time.Millisecond)
			fmt.Fprint(w, name)
		case r.URL.Path == "/events":
			w.Header().Set("Content-Type", "text/event-stream")
			for i := range 3 {
				fmt.Fprintf(w, "data: %d\n\n", i)
				_ = http.NewResponseController(w).Flush()
				if i == 0 {
					<-r.Context().Done()
					return
				}
			}
		case r.URL.Path == "/large":
			_, _ = io.Copy(w, io.LimitReader(zeros{}, 10<<20))
		case r.URL.Path == "/close":
			w.Header().Set("Connection", "close")
			fmt.Fprint(w, "bye")
		case r.URL.Path == "/fail":
			http.Error(w, "no", http.StatusInternalServerError)
		case r.URL.Path == "/trailer":
			w.Header().Set("Trailer", "Grpc-Status")
			fmt.Fprint(w, "body")
			w.Header().Set("Grpc-Status", "0")
		default:
			fmt.Fprint(w, name)
		}
	}))
	var both http.Protocols
	both.SetHTTP1(true)
	both.SetUnencryptedHTTP2(true)
	s.Config.Protocols = &both
	s.Start()
	t.Cleanup(s.Close)
	return s
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func at(s *httptest.Server) string { return s.Listener.Addr().String() }

func serve(t *testing.T, s proxy.Service) (*proxy.Proxy, string) {
	t.Helper()
	p := proxy.New(nil)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = p.Close(ctx)
	})
	s.Listen = "127.0.0.1:0"
	addr, err := p.Set("web", s)
	if err != nil {
		t.Fatal(err)
	}
	return p, addr.String()
}

func get(t *testing.T, c *http.Client, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestSharesAreExact(t *testing.T) {
	stable, canary, third := upstream(t, "stable"), upstream(t, "canary"), upstream(t, "third")
	for _, w := range [][3]int{{95, 5, 0}, {50, 50, 0}, {100, 0, 0}, {0, 100, 0}, {70, 25, 5}, {1, 1, 1}, {999, 1, 0}} {
		_, addr := serve(t, proxy.Service{Groups: []proxy.Group{
			{Name: "stable", Weight: w[0], Endpoints: []string{at(stable)}},
			{Name: "canary", Weight: w[1], Endpoints: []string{at(canary)}},
			{Name: "third", Weight: w[2], Endpoints: []string{at(third)}},
		}})
		total := w[0] + w[1] + w[2]
		n := 1000
		counts := map[string]int{}
		for range n {
			_, body := get(t, http.DefaultClient, "http://"+addr+"/")
			counts[body]++
		}
		for i, name := range []string{"stable", "canary", "third"} {
			want := float64(w[i]) / float64(total) * 100
			if got := float64(counts[name]) / float64(n) * 100; got < want-1 || got > want+1 {
				t.Errorf("weights %v: %s got %.1f%%, want %.1f%%", w, name, got, want)
			}
		}
	}
}

func TestAGroupWithoutEndpointsGivesItsShareAway(t *testing.T) {
	stable := upstream(t, "stable")
	_, addr := serve(t, proxy.Service{Groups: []proxy.Group{
		{Name: "stable", Weight: 50, Endpoints: []string{at(stable)}}, {Name: "canary", Weight: 50},
	}})
	for range 20 {
		if _, body := get(t, http.DefaultClient, "http://"+addr+"/"); body != "stable" {
			t.Fatalf("got %q", body)
		}
	}
	_, addr = serve(t, proxy.Service{Groups: []proxy.Group{{Name: "stable", Weight: 100}}})
	if resp, body := get(t, http.DefaultClient, "http://"+addr+"/"); resp.StatusCode != 503 || !strings.Contains(body, "Service web") {
		t.Errorf("without endpoints: %d %q", resp.StatusCode, body)
	}
}

func TestRoutesGoByHeaderCookiePathAndMethod(t *testing.T) {
	stable, canary := upstream(t, "stable"), upstream(t, "canary")
	groups := []proxy.Group{
		{Name: "stable", Weight: 100, Endpoints: []string{at(stable)}}, {Name: "canary", Weight: 0, Endpoints: []string{at(canary)}},
	}
	_, addr := serve(t, proxy.Service{Groups: groups, Routes: []proxy.Route{
		{Name: "agent", Group: "canary", Match: proxy.Match{Headers: map[string]proxy.Text{"User-Agent": {Regex: ".*Chrome.*"}, "X-Team": {Exact: "a"}}}},
		{Name: "cookie", Group: "canary", Match: proxy.Match{Cookies: map[string]proxy.Text{"beta": {Exact: "on"}}}},
		{Name: "path", Group: "canary", Match: proxy.Match{Path: proxy.Text{Prefix: "/new"}, Method: proxy.Text{Exact: "GET"}}},
		{Name: "host", Group: "canary", Match: proxy.Match{Headers: map[string]proxy.Text{"Host": {Prefix: "beta."}}}},
	}})
	for _, c := range []struct {
		name, path, want string
		header           []string
	}{
		{"nothing", "/", "stable", nil},
		{"both headers", "/", "canary", []string{"User-Agent", "x Chrome y", "X-Team", "a"}},
		{"one header", "/", "stable", []string{"User-Agent", "x Chrome y"}},
		{"cookie", "/", "canary", []string{"Cookie", "a=b; beta=on"}},
		{"another cookie", "/", "stable", []string{"Cookie", "beta=off"}},
		{"path", "/new/x?y=1", "canary", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, body := get(t, http.DefaultClient, "http://"+addr+c.path, c.header...); body != c.want {
				t.Errorf("got %q, want %q", body, c.want)
			}
			if _, body := get(t, client2(), "http://"+addr+c.path, c.header...); body != c.want {
				t.Errorf("over HTTP/2: got %q, want %q", body, c.want)
			}
		})
	}
	if _, err := proxy.New(nil).Set("web", proxy.Service{Listen: "127.0.0.1:0", Groups: groups, Routes: []proxy.Route{{Name: "x", Group: "nobody"}}}); err == nil {
		t.Error("a route to a group that is not there is taken")
	}
	if _, err := proxy.New(nil).Set("web", proxy.Service{Listen: "127.0.0.1:0", Groups: groups, Routes: []proxy.Route{{Name: "x", Group: "stable", Match: proxy.Match{Path: proxy.Text{Regex: "("}}}}}); err == nil {
		t.Error("an expression that is none is taken")
	}
}

func client2() *http.Client {
	var two http.Protocols
	two.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: &two}}
}

func TestRequestsArriveAsTheyWere(t *testing.T) {
	up := upstream(t, "one")
	_, addr := serve(t, proxy.Service{Groups: []proxy.Group{{Name: "stable", Weight: 1, Endpoints: []string{at(up)}}}})
	for _, path := range []string{"/echo/a%2Fb?x=%20y&x", "/echo//double", "/echo/../up", "/echo/%E2%82%AC"} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: shop.example\r\nConnection: close, X-Secret-Hop\r\nX-Secret-Hop: no\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n", path)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"X-Uri": path, "X-Host": "shop.example", "X-For": "10.0.0.1, 127.0.0.1", "X-Hop": "", "X-From": "one"} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		c.Close()
	}
}

func TestBodiesGoBothWays(t *testing.T) {
	up := upstream(t, "one")
	_, addr := serve(t, proxy.Service{Groups: []proxy.Group{{Name: "stable", Weight: 1, Endpoints: []string{at(up)}}}})
	for name, client := range map[string]*http.Client{"HTTP/1.1": http.DefaultClient, "HTTP/2": client2()} {
		for _, size := range []int{0, 1, 1000, 65536, 65537, 5 << 20} {
			sent := bytes.Repeat([]byte("x"), size)
			for _, chunked := range []bool{false, true} {
				var body io.Reader = bytes.NewReader(sent)
				if chunked {
					body = io.MultiReader(body)
				}
				resp, err := client.Post("http://"+addr+"/echo", "text/plain", body)
				if err != nil {
					t.Fatalf("%s %d chunked %v: %v", name, size, chunked, err)
				}
				got, err := io.ReadAll(resp.Body)
				if err != nil || !bytes.Equal(got, sent) {
					t.Errorf("%s %d bytes, chunked %v: %d came back, %v", name, size, chunked, len(got), err)
				}
			}
		}
		if _, body := get(t, client, "http://"+addr+"/large"); len(body) != 10<<20 {
			t.Errorf("%s: %d bytes of a large answer", name, len(body))
		}
		resp, err := client.Head("http://" + addr + "/")
		if err != nil || resp.ContentLength != 3 {
			t.Errorf("%s HEAD: %v %v", name, resp, err)
		}
		if _, body := get(t, client, "http://"+addr+"/close"); body != "bye" {
			t.Errorf("%s: %q", name, body)
		}
		if resp, _ := get(t, client, "http://"+addr+"/fail"); resp.StatusCode != 500 {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
	if resp, _ := get(t, client2(), "http://"+addr+"/trailer"); resp.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("trailers: %v", resp.Trailer)
	}
}

func TestEventsFlow(t *testing.T) {
	up := upstream(t, "one")
	_, addr := serve(t, proxy.Service{Groups: []proxy.Group{{Name: "stable", Weight: 1, Endpoints: []string{at(up)}}}})
	for _, client := range []*http.Client{{}, client2()} {
		ctx, cancel := context.WithCancel(context.Background())
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/events", nil)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(resp.Body).ReadString('\n')
		if err != nil || line != "data: 0\n" {
			t.Errorf("%q %v", line, err)
		}
		cancel()
		resp.Body.Close()
	}
}

func TestWebSocketIsHandedOver(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				r := bufio.NewReader(c)
				req, err := http.ReadRequest(r)
				if err != nil || req.Header.Get("Upgrade") != "websocket" || !strings.EqualFold(req.Header.Get("Connection"), "upgrade") {
					fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\n\r\nnope")
					c.Close()
					return
				}
				fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\nhello")
				_, _ = io.Copy(c, r)
				c.Close()
			}()
		}
	}()
	p, addr := serve(t, proxy.Service{Groups: []proxy.Group{{Name: "stable", Weight: 1, Endpoints: []string{l.Addr().String()}}}})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: y\r\n\r\n")
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Accept") != "x" {
		t.Fatalf("%v %v", resp, err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(r, got); err != nil || string(got) != "hello" {
		t.Fatalf("%q %v", got, err)
	}
	if n := p.InFlight(l.Addr().String()); n != 1 {
		t.Errorf("%d in flight", n)
	}
	fmt.Fprint(c, "ping")
	if _, err := io.ReadFull(r, got[:4]); err != nil || string(got[:4]) != "ping" {
		t.Fatalf("%q %v", got, err)
	}
	c.Close()
	if err := p.Drain(timeout(t), l.Addr().String()); err != nil {
		t.Error(err)
	}
}

func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestTCPIsJoined(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				all, _ := io.ReadAll(c) // until the client has said all
				fmt.Fprintf(c, "got %s", all)
				c.Close()
			}()
		}
	}()
	_, addr := serve(t, proxy.Service{Protocol: proxy.TCP, Groups: []proxy.Group{{Name: "db", Weight: 1, Endpoints: []string{l.Addr().String()}}}})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "hello")
	_ = c.(*net.TCPConn).CloseWrite()
	all, err := io.ReadAll(c)
	if err != nil || string(all) != "got hello" {
		t.Errorf("%q %v", all, err)
	}
}

func TestSessionsStay(t *testing.T) {
	stable, canary := upstream(t, "stable"), upstream(t, "canary")
	s := proxy.Service{Sticky: &proxy.Sticky{Cookie: "rollout", MaxAge: 60}, Groups: []proxy.Group{
		{Name: "stable", Hash: "aaa", Weight: 50, Endpoints: []string{at(stable)}},
		{Name: "canary", Hash: "bbb", Weight: 50, Endpoints: []string{at(canary)}},
	}}
	p, addr := serve(t, s)
	seen := map[string]bool{}
	for range 4 {
		resp, first := get(t, http.DefaultClient, "http://"+addr+"/")
		seen[first] = true
		cookies := resp.Cookies()
		if len(cookies) != 1 || cookies[0].Name != "rollout" || !cookies[0].HttpOnly {
			t.Fatalf("cookies %v", cookies)
		}
		for range 10 {
			if _, again := get(t, http.DefaultClient, "http://"+addr+"/", "Cookie", "rollout="+cookies[0].Value); again != first {
				t.Fatalf("the client of %s came to %s", first, again)
			}
		}
	}
	if len(seen) != 2 {
		t.Errorf("only %v was chosen", seen)
	}
	s.Groups[1].Weight = 0 // the canary was turned back: nobody stays with it
	s.Listen = "127.0.0.1:0"
	if _, err := p.Set("web", s); err != nil {
		t.Fatal(err)
	}
	if _, body := get(t, http.DefaultClient, "http://"+addr+"/", "Cookie", "rollout=bbb"); body != "stable" {
		t.Errorf("a turned back canary still serves: %q", body)
	}
}

func TestMirrorsAreCopies(t *testing.T) {
	stable := upstream(t, "stable")
	var copies atomic.Int64
	var bodies sync.Map
	shadow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies.Store(r.Method+" "+string(b), true)
		copies.Add(1)
	}))
	defer shadow.Close()
	reg := prometheus.NewRegistry()
	p := proxy.New(reg)
	addr, err := p.Set("web", proxy.Service{Listen: "127.0.0.1:0", Groups: []proxy.Group{
		{Name: "stable", Weight: 100, Endpoints: []string{at(stable)}}, {Name: "canary", Endpoints: []string{at(shadow)}},
	}, Mirrors: []proxy.Mirror{{Name: "m", Group: "canary", Percent: 35, Match: proxy.Match{Path: proxy.Text{Prefix: "/echo"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		resp, err := http.Post("http://"+addr.String()+"/echo", "text/plain", strings.NewReader("hi"))
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(resp.Body); string(b) != "hi" {
			t.Fatalf("%q", b)
		}
		get(t, http.DefaultClient, "http://"+addr.String()+"/other")
	}
	if err := p.Close(timeout(t)); err != nil {
		t.Fatal(err)
	}
	if n := copies.Load(); n != 35 {
		t.Errorf("%d copies of 100, want 35", n)
	}
	if _, ok := bodies.Load("POST hi"); !ok {
		t.Error("the copies lack the body")
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP sluice_proxy_mirrored_requests_total Copies of requests, by what became of them: sent, failed, dropped.
# TYPE sluice_proxy_mirrored_requests_total counter
sluice_proxy_mirrored_requests_total{group="canary",namespace="",pod_template_hash="",result="sent",service="web"} 35
# HELP sluice_proxy_requests_total Requests that were answered, by the status code; code 0 is a client that left.
# TYPE sluice_proxy_requests_total counter
sluice_proxy_requests_total{code="200",group="stable",namespace="",pod_template_hash="",service="web"} 200
sluice_proxy_requests_total{code="404",group="stable",namespace="",pod_template_hash="",service="web"} 0
sluice_proxy_requests_total{code="500",group="stable",namespace="",pod_template_hash="",service="web"} 0
sluice_proxy_requests_total{code="502",group="stable",namespace="",pod_template_hash="",service="web"} 0
sluice_proxy_requests_total{code="503",group="stable",namespace="",pod_template_hash="",service="web"} 0
sluice_proxy_requests_total{code="200",group="canary",namespace="",pod_template_hash="",service="web"} 0
sluice_proxy_requests_total{code="404",group="canary",namespace="",pod_template_hash="",service="web"} 0
sluice_proxy_requests_total{code="500",group="canary",namespace="",pod_template_hash="",service="web"} 0
sluice_proxy_requests_total{code="502",group="canary",namespace="",pod_template_hash="",service="web"} 0
sluice_proxy_requests_total{code="503",group="canary",namespace="",pod_template_hash="",service="web"} 0
`), "sluice_proxy_mirrored_requests_total", "sluice_proxy_requests_total"); err != nil {
		t.Error(err)
	}
}
