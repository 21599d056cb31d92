package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestShopIsDelivered ships the example on this machine by its own script: the first release, a second by canary without a
// failed request, and a third that is broken and is turned back, with no failed request but its own.
func TestShopIsDelivered(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and ships three releases of a service")
	}
	dir := filepath.Join(t.TempDir(), "shop")
	if err := os.CopyFS(dir, os.DirFS("../../examples/shop")); err != nil {
		t.Fatal(err)
	}
	for _, made := range []string{".sluice", "bin", "reports"} {
		if err := os.RemoveAll(filepath.Join(dir, made)); err != nil {
			t.Fatal(err)
		}
	}
	quicker(t, filepath.Join(dir, "deploy/rollout.yaml"))
	if err := commitAll(dir, gitEnv(t.TempDir())); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) *exec.Cmd {
		cmd := sluice(t, dir)
		env := append(cmd.Env, "GOCACHE="+goCache(), "SLUICE="+cmd.Path)
		if name == "sluice" {
			name = cmd.Path
		}
		cmd = exec.Command(name, args...)
		cmd.Dir, cmd.Env = dir, env
		return cmd
	}
	var told bytes.Buffer
	up := run("deploy/ship", "1.0.0")
	up.Stderr = &told
	out, err := up.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = up.Process.Signal(os.Interrupt)
		if err := up.Wait(); t.Failed() {
			t.Logf("up ended with %v and said\n%s", err, told.String())
		}
	}()
	shop := addressOf(t, out)
	status := func(want string) {
		t.Helper()
		got, err := run("sluice", "rollout", "status", "shop", "--timeout", "100s").CombinedOutput()
		if (err == nil) != (want == "Healthy") || !strings.Contains(string(got), want) {
			t.Fatalf("the rollout is %s (%v), want %s", got, err, want)
		}
	}
	ship := func(args ...string) {
		t.Helper()
		if out, err := run("deploy/ship", args...).CombinedOutput(); err != nil {
			t.Fatalf("ship %v: %v\n%s", args, err, out)
		}
	}
	status("Healthy")

	asked := askShop(t, shop)
	ship("2.0.0")
	status("Healthy")
	if good, bad, versions := asked(); bad > 0 || good < 100 || !versions["1.0.0"] || !versions["2.0.0"] {
		t.Errorf("while 2.0.0 was shipped, %d of %d requests failed; answered by %v", bad, good+bad, versions)
	}

	asked = askShop(t, shop)
	ship("3.0.0", "30")
	status("Degraded")
	time.Sleep(2 * time.Second)
	good, bad, versions := asked()
	if !versions["3.0.0"] || bad == 0 || float64(bad) > 0.1*float64(good) {
		t.Errorf("while 3.0.0 was tried, %d of %d requests failed; answered by %v", bad, good+bad, versions)
	}
	asked = askShop(t, shop)
	time.Sleep(time.Second)
	if good, bad, versions := asked(); bad > 0 || good == 0 || versions["3.0.0"] {
		t.Errorf("after it was turned back, %d of %d requests failed; answered by %v", bad, good+bad, versions)
	}
}

// quicker shortens the pauses of the rollout: the test's share of patience.
func quicker(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.ReplaceAll(text, []byte("duration: 5s"), []byte("duration: 4s")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// addressOf reads where the Service shop is reached; the cluster IP's line comes first.
func addressOf(t *testing.T, out io.Reader) string {
	t.Helper()
	line := regexp.MustCompile(`^Service shop \(http\) +(http://\S+)`)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := line.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return m[1]
		}
	}
	t.Fatal("up ended without the address of the shop")
	return ""
}

// askShop sends requests until the returned function is called, which gives how many went well and not, and which versions
// answered.
func askShop(t *testing.T, shop string) func() (good, bad int64, versions map[string]bool) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var good, bad atomic.Int64
	var clients sync.WaitGroup
	var mu sync.Mutex
	versions := map[string]bool{}
	version := regexp.MustCompile(`"version":"([^"]*)"`)
	for range 4 {
		clients.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				path := "/api/products"
				if i%4 == 0 {
					path = "/healthz"
				}
				resp, err := http.Get(shop + path)
				if err != nil {
					bad.Add(1)
					t.Logf("%v", err)
					continue
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK {
					bad.Add(1)
				} else {
					good.Add(1)
				}
				if m := version.FindSubmatch(body); m != nil {
					mu.Lock()
					versions[string(m[1])] = true
					mu.Unlock()
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	return func() (int64, int64, map[string]bool) {
		stop()
		clients.Wait()
		return good.Load(), bad.Load(), versions
	}
}
