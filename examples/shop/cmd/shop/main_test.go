package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// start runs `shop serve` in this process and returns its address and a function that stops it and returns its error.
func start(t *testing.T, config string) (string, func() error) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "shop.json")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	address := filepath.Join(dir, "address")
	go func() {
		ended <- run(ctx, []string{"serve", "-config", file, "-address-file", address, "-pid-file", filepath.Join(dir, "pid")}, os.Stdout, new(bytes.Buffer))
	}()
	stop := func() error {
		cancel()
		err := <-ended
		if left, _ := filepath.Glob(filepath.Join(dir, "[ap]*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		return err
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if text, err := os.ReadFile(address); err == nil {
			return "http://" + strings.TrimSpace(string(text)), stop
		}
		select {
		case err := <-ended:
			t.Fatalf("serve ended: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	t.Fatal("no address")
	return "", nil
}

func TestServeAnswersAndStops(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "journal")
	url, stop := start(t, `{"environment":"test","listen":"127.0.0.1:0","journal":"`+journal+`","lifetime":"1h","products":[{"id":"tea","price":1,"stock":1}]}`)
	var out bytes.Buffer
	if err := run(t.Context(), []string{"ready", "-url", url}, &out, &out); err != nil || !strings.Contains(out.String(), `"environment":"test"`) {
		t.Errorf("ready: %v %s", err, out.String())
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := run(t.Context(), []string{"ready", "-url", url, "-within", "100ms"}, &out, &out); err == nil {
		t.Error("it still answers")
	}
	if _, err := os.Stat(journal); err != nil {
		t.Error(err)
	}
}

func TestRunRefuses(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.json")
	if err := os.WriteFile(bad, []byte(`{"listen":"127.0.0.1:0","prodcts":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	worlds := map[string]struct {
		args []string
		says string
	}{
		"no verb":          {nil, "usage"},
		"an unknown verb":  {[]string{"sell"}, "usage"},
		"a missing config": {[]string{"serve", "-config", filepath.Join(dir, "none")}, "no such file"},
		"an unknown field": {[]string{"serve", "-config", bad}, "prodcts"},
	}
	for name, w := range worlds {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := run(t.Context(), w.args, &out, &out); err == nil || !strings.Contains(err.Error(), w.says) {
				t.Errorf("got %v, want %q", err, w.says)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"version"}, &out, &out); err != nil || out.String() != "development\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}
