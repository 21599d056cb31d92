// Package integration asks a running shop, whose address is in SHOP_URL. Without that variable there is nothing to ask and the tests
// are skipped; the pipeline sets it from what the deploy job reports.
package integration

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

var client = &http.Client{Timeout: 10 * time.Second}

func address(t *testing.T) string {
	t.Helper()
	url := os.Getenv("SHOP_URL")
	if url == "" {
		t.Skip("SHOP_URL is not set: no shop to ask")
	}
	return strings.TrimSuffix(url, "/")
}

// ask sends a request, wants this status code and decodes the body; a *string takes it as it is.
func ask(t *testing.T, method, url, body string, code int, into any) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
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
		t.Fatalf("%s %s: got %d, want %d: %s", method, url, answer.StatusCode, code, text)
	}
	if plain, ok := into.(*string); ok {
		*plain = string(text)
		return
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatalf("%s %s: %v: %s", method, url, err, text)
		}
	}
}

func TestTheVersionThatWasBuiltIsTheOneThatRuns(t *testing.T) {
	url := address(t)
	var health struct{ Status, Version string }
	ask(t, "GET", url+"/healthz", "", 200, &health)
	if want := os.Getenv("SHOP_VERSION"); health.Status != "ok" || want != "" && health.Version != want {
		t.Errorf("got %+v, want version %q", health, want)
	}
}

func TestACustomerBuys(t *testing.T) {
	url := address(t)
	var products []struct {
		ID    string
		Price int64
	}
	ask(t, "GET", url+"/api/products", "", 200, &products)
	if len(products) == 0 {
		t.Fatal("the catalogue is empty")
	}
	before := stock(t, url, products[0].ID)
	var cart, order struct {
		ID    string
		Total int64
	}
	ask(t, "POST", url+"/api/carts", "", 201, &cart)
	ask(t, "PUT", url+"/api/carts/"+cart.ID+"/lines/"+products[0].ID, `{"quantity": 3}`, 200, &cart)
	ask(t, "POST", url+"/api/carts/"+cart.ID+"/order", "", 201, &order)
	if order.Total != 3*products[0].Price || order.Total != cart.Total {
		t.Errorf("total %d, want %d (cart: %d)", order.Total, 3*products[0].Price, cart.Total)
	}
	ask(t, "GET", url+"/api/orders/"+order.ID, "", 200, &order)
	if after := stock(t, url, products[0].ID); after != before-3 {
		t.Errorf("stock went from %d to %d", before, after)
	}
}

func TestMistakesAreTold(t *testing.T) {
	url := address(t)
	var told struct{ Error string }
	ask(t, "GET", url+"/api/products/none", "", 404, &told)
	if !strings.Contains(told.Error, "not found") {
		t.Errorf("got %q", told.Error)
	}
}

func TestMetricsCount(t *testing.T) {
	url := address(t)
	var page string
	ask(t, "GET", url+"/healthz", "", 200, nil)
	ask(t, "GET", url+"/metrics", "", 200, &page)
	if !regexp.MustCompile(`(?m)^http_requests_total\{route="GET /healthz",code="200"\} [1-9]`).MatchString(page) {
		t.Errorf("no count of /healthz:\n%s", page)
	}
}

func stock(t *testing.T, url, product string) int {
	t.Helper()
	var p struct{ Stock int }
	ask(t, "GET", url+"/api/products/"+product, "", 200, &p)
	return p.Stock
}
