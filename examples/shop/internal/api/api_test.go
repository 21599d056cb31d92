package api_test

import (
	"encoding/json"
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
	"example.com/shop/internal/store"
)

// serve starts the API over the kind of store that STORE names (memory or journal); the pipeline runs these tests with each.
func serve(t *testing.T) *httptest.Server {
	t.Helper()
	var journal shop.Journal
	switch kind := os.Getenv("STORE"); kind {
	case "", "memory":
	case "journal":
		j, _, err := store.Open(filepath.Join(t.TempDir(), "journal"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		})
		journal = j
	default:
		t.Fatalf("STORE=%s: memory or journal", kind)
	}
	products := []shop.Product{{ID: "tea", Name: "Tea", Price: 450, Stock: 3}}
	s, err := shop.Open(products, nil, journal, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	a := &api.API{Shop: s, Version: "1.2.3", Environment: "test", Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	server := httptest.NewServer(a.Handler())
	t.Cleanup(server.Close)
	return server
}

// ask sends a request and returns the status code and the body.
func ask(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// id sends a request that makes something and returns its id.
func id(t *testing.T, method, url string) string {
	t.Helper()
	code, body := ask(t, method, url, "")
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(body), &made); err != nil || code != http.StatusCreated || made.ID == "" {
		t.Fatalf("%s %s: %d %s", method, url, code, body)
	}
	return made.ID
}

func TestBuying(t *testing.T) {
	s := serve(t)
	cart := s.URL + "/api/carts/" + id(t, "POST", s.URL+"/api/carts")
	if code, body := ask(t, "PUT", cart+"/lines/tea", `{"quantity": 2}`); code != 200 || !strings.Contains(body, `"total":900`) {
		t.Fatalf("set a line: %d %s", code, body)
	}
	order := id(t, "POST", cart+"/order")
	if code, body := ask(t, "GET", s.URL+"/api/orders/"+order, ""); code != 200 || !strings.Contains(body, `"total":900`) {
		t.Errorf("order: %d %s", code, body)
	}
	if code, body := ask(t, "GET", s.URL+"/api/products/tea", ""); code != 200 || !strings.Contains(body, `"stock":1`) {
		t.Errorf("product: %d %s", code, body)
	}
	if code, _ := ask(t, "GET", cart, ""); code != 404 {
		t.Errorf("the cart is still there: %d", code)
	}
	_, page := ask(t, "GET", s.URL+"/metrics", "")
	for _, want := range []string{
		"shop_orders_total 1\n",
		`shop_build_info{version="1.2.3",environment="test"} 1`,
		`http_requests_total{route="GET /api/carts/{id}",code="404"} 1`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("metrics lack %s:\n%s", want, page)
		}
	}
}

func TestAnswers(t *testing.T) {
	s := serve(t)
	cart := "/api/carts/" + id(t, "POST", s.URL+"/api/carts")
	full := "/api/carts/" + id(t, "POST", s.URL+"/api/carts")
	if code, body := ask(t, "PUT", s.URL+full+"/lines/tea", `{"quantity": 4}`); code != 200 {
		t.Fatalf("set a line: %d %s", code, body)
	}
	worlds := map[string]struct {
		method, path, body string
		code               int
		says               string
	}{
		"health":                {"GET", "/healthz", "", 200, `"version":"1.2.3"`},
		"the catalogue":         {"GET", "/api/products", "", 200, `[{"id":"tea","name":"Tea","price":450,"stock":3}]`},
		"an empty cart":         {"GET", cart, "", 200, `"lines":[]`},
		"no such product":       {"GET", "/api/products/mud", "", 404, `product \"mud\": not found`},
		"no such order":         {"GET", "/api/orders/mud", "", 404, "not found"},
		"no such page":          {"GET", "/nope", "", 404, ""},
		"a wrong method":        {"DELETE", "/api/products", "", 405, ""},
		"not JSON":              {"PUT", cart + "/lines/tea", "quantity=2", 400, "not valid"},
		"two values":            {"PUT", cart + "/lines/tea", `{"quantity":1}{}`, 400, "not valid"},
		"an unknown field":      {"PUT", cart + "/lines/tea", `{"quantity":1,"price":0}`, 400, "price"},
		"no quantity":           {"PUT", cart + "/lines/tea", `{}`, 400, "quantity"},
		"a foolish quantity":    {"PUT", cart + "/lines/tea", `{"quantity":-1}`, 400, "0 to 100"},
		"a body without end":    {"PUT", cart + "/lines/tea", `{"quantity":` + strings.Repeat(" ", 70000), 413, ""},
		"ordering nothing":      {"POST", cart + "/order", "", 400, "empty"},
		"ordering what is gone": {"POST", full + "/order", "", 409, "4 wanted, 3 left"},
	}
	for name, w := range worlds {
		t.Run(name, func(t *testing.T) {
			code, body := ask(t, w.method, s.URL+w.path, w.body)
			if code != w.code || !strings.Contains(body, w.says) {
				t.Errorf("got %d %s, want %d %s", code, body, w.code, w.says)
			}
		})
	}
}
