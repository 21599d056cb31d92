package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/shop/internal/api"
	"example.com/shop/internal/shop"
)

func serve(t *testing.T, stock int) string {
	t.Helper()
	goods, err := shop.Open([]shop.Product{{ID: "tea", Price: 1, Stock: stock}}, nil, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer((&api.API{Shop: goods, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}).Handler())
	t.Cleanup(s.Close)
	return s.URL
}

func TestLoad(t *testing.T) {
	worlds := map[string]struct {
		stock int
		flags []string
		says  string // of the error; "" is none
	}{
		"passes a shop that answers":       {stock: 1000, flags: []string{"-p99", "10s"}},
		"fails a shop that sells out":      {stock: 3, flags: []string{"-p99", "10s"}, says: "went wrong"},
		"lets some errors pass when asked": {stock: 3, flags: []string{"-p99", "10s", "-most-errors", "1"}},
		"fails a shop that is too slow":    {stock: 1000, flags: []string{"-p99", "1ns"}, says: "p99 is"},
	}
	for name, w := range worlds {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			figures := filepath.Join(t.TempDir(), "metrics.txt")
			err := run(t.Context(), append(w.flags, "-url", serve(t, w.stock), "-for", "1m", "-requests", "200", "-customers", "4", "-metrics", figures), &out)
			if (err == nil) != (w.says == "") || err != nil && !strings.Contains(err.Error(), w.says) {
				t.Errorf("got %v, want %q", err, w.says)
			}
			if !strings.Contains(out.String(), "200 requests in") || !strings.Contains(out.String(), "p99") {
				t.Errorf("it said:\n%s", out.String())
			}
			if text, err := os.ReadFile(figures); err != nil || !strings.Contains(string(text), "request_p99_seconds ") {
				t.Errorf("metrics: %s %v", text, err)
			}
		})
	}
}

func TestLoadFailsWhenNothingListens(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	if err := run(t.Context(), []string{"-url", s.URL, "-for", "10s", "-requests", "10"}, io.Discard); err == nil {
		t.Error("it passed")
	}
}

func TestHereRefusesOtherMachines(t *testing.T) {
	for address, ok := range map[string]bool{
		"http://127.0.0.1:80": true, "http://127.9.9.9:80": true, "http://[::1]:80": true, "http://localhost:80": true,
		"http://192.0.2.1:80": false, "http://10.0.0.1:80": false, "http://example.com:80": false, "http://127.0.0.1.example.com:80": false,
		"http://127.0.0.1": false, "": false, "ftp://127.0.0.1:21": false, "http://0.0.0.0:80": false,
	} {
		if err := here(address); (err == nil) != ok {
			t.Errorf("%q: got %v, allowed %v", address, err, ok)
		}
	}
}

func TestPercentiles(t *testing.T) {
	var r result
	for n := range 100 {
		r.took = append(r.took, time.Duration(n+1)*time.Millisecond)
	}
	for share, want := range map[float64]time.Duration{0: 1, 0.5: 50, 0.95: 95, 0.99: 99, 1: 100} {
		if got := r.at(share); got != want*time.Millisecond {
			t.Errorf("%g: got %s, want %d ms", share, got, want)
		}
	}
	if got := (result{took: []time.Duration{7}}).at(0.99); got != 7 {
		t.Errorf("of one: got %d", got)
	}
}
