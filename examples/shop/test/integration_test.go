// Package integration asks a running shop, whose address is in SHOP_URL: the pipeline sets it from what the deploy job reports.
// Without that variable the tests build a shop and start it themselves.
package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var client = &http.Client{Timeout: 10 * time.Second}

// url is the shop that the tests ask, without a slash at its end.
var url = strings.TrimSuffix(os.Getenv("SHOP_URL"), "/")

func TestMain(m *testing.M) {
	if url != "" {
		os.Exit(m.Run())
	}
	code, err := withOwnShop(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, "a shop of our own:", err)
		code = 1
	}
	os.Exit(code)
}

// withOwnShop builds the shop, starts it on a free port, runs the tests and stops it.
func withOwnShop(tests func() int) (code int, err error) {
	dir, err := os.MkdirTemp("", "shop")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "shop"), "../cmd/shop").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build: %w: %s", err, out)
	}
	text, err := os.ReadFile("../configure/example.json")
	if err != nil {
		return 0, err
	}
	config := filepath.Join(dir, "shop.json")
	if err := os.WriteFile(config, bytes.ReplaceAll(text, []byte("127.0.0.1:8080"), []byte("127.0.0.1:0")), 0o600); err != nil {
		return 0, err
	}
	file := filepath.Join(dir, "address")
	server := exec.Command(filepath.Join(dir, "shop"), "serve", "-config", config, "-address-file", file)
	if err := server.Start(); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, server.Process.Signal(os.Interrupt), server.Wait()) }()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-time.After(10 * time.Millisecond) {
		if text, err := os.ReadFile(file); err == nil {
			url = "http://" + strings.TrimSpace(string(text))
			return tests(), nil
		}
	}
	return 0, errors.New("no address within 20 s")
}

// ask sends a request, wants this status code and decodes the body; a *string takes it as it is.
func ask(t *testing.T, method, path, body string, code int, into any) {
	t.Helper()
	r, err := http.NewRequest(method, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != code {
		t.Fatalf("%s %s: got %d, want %d: %s", method, path, answer.StatusCode, code, text)
	}
	if plain, ok := into.(*string); ok {
		*plain = string(text)
		return
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
}

func TestTheVersionThatWasBuiltIsTheOneThatRuns(t *testing.T) {
	var health struct{ Status, Version string }
	ask(t, "GET", "/healthz", "", 200, &health)
	if want := os.Getenv("SHOP_VERSION"); health.Status != "ok" || want != "" && health.Version != want {
		t.Errorf("got %+v, want version %q", health, want)
	}
}

func TestACustomerBuys(t *testing.T) {
	var products []struct {
		ID    string
		Price int64
	}
	ask(t, "GET", "/api/products", "", 200, &products)
	if len(products) == 0 {
		t.Fatal("the catalogue is empty")
	}
	before := stock(t, products[0].ID)
	var cart, order struct {
		ID    string
		Total int64
	}
	ask(t, "POST", "/api/carts", "", 201, &cart)
	ask(t, "PUT", "/api/carts/"+cart.ID+"/lines/"+products[0].ID, `{"quantity": 3}`, 200, &cart)
	ask(t, "POST", "/api/carts/"+cart.ID+"/order", "", 201, &order)
	if order.Total != 3*products[0].Price || order.Total != cart.Total {
		t.Errorf("total %d, want %d (cart: %d)", order.Total, 3*products[0].Price, cart.Total)
	}
	ask(t, "GET", "/api/orders/"+order.ID, "", 200, &order)
	if after := stock(t, products[0].ID); after != before-3 {
		t.Errorf("stock went from %d to %d", before, after)
	}
}

func TestMistakesAreTold(t *testing.T) {
	var told struct{ Error string }
	ask(t, "GET", "/api/products/none", "", 404, &told)
	if !strings.Contains(told.Error, "not found") {
		t.Errorf("got %q", told.Error)
	}
}

func TestMetricsCount(t *testing.T) {
	var page string
	ask(t, "GET", "/healthz", "", 200, nil)
	ask(t, "GET", "/metrics", "", 200, &page)
	if !regexp.MustCompile(`(?m)^http_requests_total\{route="GET /healthz",code="200"\} [1-9]`).MatchString(page) {
		t.Errorf("no count of /healthz:\n%s", page)
	}
}

func stock(t *testing.T, product string) int {
	t.Helper()
	var p struct{ Stock int }
	ask(t, "GET", "/api/products/"+product, "", 200, &p)
	return p.Stock
}
