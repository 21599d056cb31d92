package proxy_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/proxy"
)

// BenchmarkProxy measures requests per second and the 99th percentile against nginx with the same two upstreams, in turns,
// so that both meet the same machine. Ratios: over 1 is better than nginx. Needs nginx and wrk (scripts/deps bench).
func BenchmarkProxy(b *testing.B) {
	for _, program := range []string{"nginx", "wrk"} {
		if _, err := exec.LookPath(program); err != nil {
			b.Skipf("%v", err)
		}
	}
	ups := []string{port(b), port(b)}
	front := port(b)
	nginx(b, fmt.Sprintf(`
server { listen %s reuseport; location / { return 200 "ok from one\n"; } }
server { listen %s reuseport; location / { return 200 "ok from two\n"; } }`, ups[0], ups[1]))
	nginx(b, fmt.Sprintf(`
upstream both { server %s; server %s; keepalive 64; }
server { listen %s; location / { proxy_pass http://both; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; } }`, ups[0], ups[1], front))
	p := proxy.New(nil)
	addr, err := p.Set("web", proxy.Service{Listen: "127.0.0.1:0", Groups: []proxy.Group{
		{Name: "stable", Weight: 95, Endpoints: ups[:1]}, {Name: "canary", Weight: 5, Endpoints: ups[1:]},
	}})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close(context.Background())
	wait(b, front)
	var ours, theirs figures
	rounds := 3
	for b.Loop() {
		for range rounds {
			theirs.add(load(b, front))
			ours.add(load(b, addr.String()))
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ours.rate/theirs.rate, "rps/nginx")
	b.ReportMetric(theirs.p99/ours.p99, "nginx-p99/p99")
	b.ReportMetric(ours.rate/float64(ours.n), "rps")
	b.ReportMetric(theirs.rate/float64(theirs.n), "nginx-rps")
}

type figures struct {
	rate, p99 float64
	n         int
}

func (f *figures) add(rate, p99 float64) { f.rate += rate; f.p99 += p99; f.n++ }

var (
	rateLine = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	p99Line  = regexp.MustCompile(`99%\s+([0-9.]+)(us|ms|s)`)
)

// load runs wrk for a moment and reads requests per second and the 99th percentile in milliseconds.
func load(b *testing.B, addr string) (rate, p99 float64) {
	b.Helper()
	out, err := exec.Command("wrk", "-t1", "-c32", "-d3s", "--latency", "http://"+addr+"/").CombinedOutput()
	if err != nil {
		b.Fatalf("wrk: %v\n%s", err, out)
	}
	r, q := rateLine.FindSubmatch(out), p99Line.FindSubmatch(out)
	if r == nil || q == nil {
		b.Fatalf("wrk said:\n%s", out)
	}
	rate, _ = strconv.ParseFloat(string(r[1]), 64)
	p99, _ = strconv.ParseFloat(string(q[1]), 64)
	return rate, p99 * map[string]float64{"us": .001, "ms": 1, "s": 1000}[string(q[2])]
}

// nginx starts a server with one worker in a folder of its own.
func nginx(b *testing.B, servers string) {
	b.Helper()
	dir := b.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf("worker_processes 1; daemon off; pid %[1]s/pid; error_log %[1]s/error.log;\nevents { worker_connections 4096; }\nhttp { access_log off; keepalive_requests 1000000; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;\n%[2]s\n}\n", dir, servers)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("nginx", "-p", dir, "-c", conf)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Signal(os.Interrupt); _ = cmd.Wait() })
}

func port(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func wait(t testing.TB, addr string) {
	t.Helper()
	for range 500 {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s does not listen", addr)
}
