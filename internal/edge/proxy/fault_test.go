package proxy_test

import (
	"bufio"
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

	"github.com/sluice-delivery/sluice/internal/edge/proxy"
)

// TestNothingFailsWhileEndpointsTurnOver changes weights and endpoints, drains and ends the old ones, under load.
func TestNothingFailsWhileEndpointsTurnOver(t *testing.T) {
	p := proxy.New(nil)
	group := func(up *httptest.Server) proxy.Service {
		return proxy.Service{Listen: "127.0.0.1:0", Groups: []proxy.Group{{Name: "stable", Weight: 100, Endpoints: []string{at(up)}}}}
	}
	up := slow(t)
	addr, err := p.Set("web", group(up))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var sent, failed atomic.Int64
	var clients sync.WaitGroup
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	for i := range 16 {
		clients.Go(func() {
			for ctx.Err() == nil {
				var resp *http.Response
				var err error
				if i%2 == 0 {
					resp, err = (&http.Client{Transport: transport}).Get("http://" + addr.String() + "/")
				} else {
					resp, err = (&http.Client{Transport: transport}).Post("http://"+addr.String()+"/", "text/plain", strings.NewReader("order"))
				}
				sent.Add(1)
				if err != nil {
					failed.Add(1)
					t.Logf("failed: %v", err)
					continue
				}
				b, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != 200 || string(b) != "ok" {
					failed.Add(1)
					t.Logf("failed: %d %q %v", resp.StatusCode, b, err)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	for range 40 {
		next := slow(t)
		both := group(next)
		both.Groups[0].Weight = 50
		both.Groups = append(both.Groups, proxy.Group{Name: "old", Weight: 50, Endpoints: []string{at(up)}})
		for _, s := range []proxy.Service{both, group(next)} {
			if _, err := p.Set("web", s); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err := p.Drain(timeout(t), at(up)); err != nil {
			t.Fatal(err)
		}
		up.CloseClientConnections() // as a process that is killed
		up.Close()
		up = next
	}
	stop()
	clients.Wait()
	if err := p.Close(timeout(t)); err != nil {
		t.Error(err)
	}
	if sent.Load() < 500 || failed.Load() > 0 {
		t.Errorf("%d of %d requests failed", failed.Load(), sent.Load())
	}
}

// slow answers after a moment, so that requests are always in flight.
func slow(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(5 * time.Millisecond)
		fmt.Fprint(w, "ok")
	}))
	t.Cleanup(s.Close)
	return s
}

// TestAClientThatLeavesEndsItsAnswer holds that an endpoint is not kept busy for nobody.
func TestAClientThatLeavesEndsItsAnswer(t *testing.T) {
	up := upstream(t, "one")
	p, addr := serve(t, proxy.Service{Groups: []proxy.Group{{Name: "stable", Weight: 1, Endpoints: []string{at(up)}}}})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
		t.Fatal(err)
	}
	if n := p.InFlight(at(up)); n != 1 {
		t.Errorf("%d in flight", n)
	}
	c.Close()
	if err := p.Drain(timeout(t), at(up)); err != nil {
		t.Error(err)
	}
}

// TestAPipelinedRequestWaitsForAnAnswerThatFlows holds that watching for the client's leave loses nothing of what it sends.
func TestAPipelinedRequestWaitsForAnAnswerThatFlows(t *testing.T) {
	up := upstream(t, "one")
	_, addr := serve(t, proxy.Service{Groups: []proxy.Group{{Name: "stable", Weight: 1, Endpoints: []string{at(up)}}}})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	fmt.Fprint(c, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
	first, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "GET /second HTTP/1.1\r\nHost: x\r\n\r\n")
	if n, err := io.Copy(io.Discard, first.Body); n != 10<<20 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	second, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(second.Body); string(b) != "one" {
		t.Errorf("%q", b)
	}
}

func TestWhatIsNoRequestIsRefused(t *testing.T) {
	up := upstream(t, "one")
	_, addr := serve(t, proxy.Service{Groups: []proxy.Group{{Name: "stable", Weight: 1, Endpoints: []string{at(up)}}}})
	for name, text := range map[string]string{
		"no HTTP":                   "\x16\x03\x01\x02\x00\x01\r\n\r\n",
		"two lengths":               "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\nhello",
		"a negative length":         "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
		"a space before the colon":  "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
		"a header of a megabyte":    "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 1<<20) + "\r\n\r\n",
		"a chunk size that is none": "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
		"CONNECT":                   "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n",
	} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		go func() { _, _ = io.WriteString(c, text) }()
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil && resp.StatusCode < 400 {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
		c.Close()
	}
}
