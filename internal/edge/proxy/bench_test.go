package proxy_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/proxy"
)

// BenchmarkProxy measures requests per second and the 99th percentile against nginx with the same two upstreams, in turns,
// so that both meet the same machine, with one worker each (nginx's own default) and with as many as there are cores (Debian's
// nginx.conf). Ratios: over 1 is better than nginx. Needs nginx and wrk (scripts/deps bench).
func BenchmarkProxy(b *testing.B) {
	b.Run("one worker", func(b *testing.B) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		benchProxy(b, "1")
	})
	b.Run("a worker for each core", func(b *testing.B) { benchProxy(b, "auto") })
}

func benchProxy(b *testing.B, workers string) {
	for _, program := range []string{"nginx", "wrk"} {
		if _, err := exec.LookPath(program); err != nil {
			b.Skipf("%v", err)
		}
	}
	ups := []string{port(b), port(b)}
	front := port(b)
	nginx(b, "1", fmt.Sprintf(`
server { listen %s reuseport; location / { return 200 "ok from one\n"; } }
server { listen %s reuseport; location / { return 200 "ok from two\n"; } }`, ups[0], ups[1]))
	nginx(b, workers, fmt.Sprintf(`
upstream both { server %s; server %s; keepalive 64; }
server { listen %s; location / { proxy_pass http://both; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; } }`, ups[0], ups[1], front))
	defer debug.SetGCPercent(debug.SetGCPercent(proxy.GCPercent)) // as sluice up does
	p := proxy.New(nil)
	addr, err := p.Set("web", proxy.Service{Listen: "127.0.0.1:0", Groups: []proxy.Group{
		{Name: "stable", Weight: 95, Endpoints: ups[:1]}, {Name: "canary", Weight: 5, Endpoints: ups[1:]},
	}})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close(context.Background())
	wait(b, front)
	load(b, addr.String())
	var rate, slow, ours, theirs []float64
	for b.Loop() {
		for range 7 {
			nr, np := load(b, front)
			r, p := load(b, addr.String())
			rate, slow, ours, theirs = append(rate, r/nr), append(slow, np/p), append(ours, r), append(theirs, nr)
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(rate), "rps/nginx")
	b.ReportMetric(median(slow), "nginx-p99/p99")
	b.ReportMetric(median(ours), "rps")
	b.ReportMetric(median(theirs), "nginx-rps")
}

// median is the value in the middle: a machine that is shared has bad moments.
func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

var (
	rateLine = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	p99Line  = regexp.MustCompile(`99%\s+([0-9.]+)(us|ms|s)`)
)

// load runs wrk for a moment and reads requests per second and the 99th percentile in milliseconds.
func load(b *testing.B, addr string) (rate, p99 float64) {
	b.Helper()
	out, err := exec.Command("wrk", "-t1", "-c32", "-d2s", "--latency", "http://"+addr+"/").CombinedOutput()
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

// nginx starts a server with so many workers in a folder of its own.
func nginx(b *testing.B, workers, servers string) {
	b.Helper()
	dir := b.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf("worker_processes %[3]s; daemon off; pid %[1]s/pid; error_log %[1]s/error.log;\nevents { worker_connections 4096; }\nhttp { access_log off; keepalive_requests 1000000; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;\n%[2]s\n}\n", dir, servers, workers)
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
