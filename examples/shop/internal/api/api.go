// Package api offers a shop over HTTP and JSON.
//
//	GET  /healthz                            is it up, and which version
//	GET  /metrics                            Prometheus text
//	GET  /api/products, /api/products/{id}   the catalogue
//	POST /api/carts                          open a cart
//	GET  /api/carts/{id}                     what is in it
//	PUT  /api/carts/{id}/lines/{product}     {"quantity": 2}; 0 takes the line out
//	POST /api/carts/{id}/order               buy it
//	GET  /api/orders/{id}                    what was bought
//
// A mistake is answered with {"error": "..."} and 400, 404, 409 or 413; 500 says nothing of its cause, which is logged.
package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"example.com/shop/internal/metrics"
	"example.com/shop/internal/shop"
)

// largest is the size of a request's body, in bytes.
const largest = 64 << 10

// API answers requests for one shop.
type API struct {
	Shop        *shop.Shop
	Version     string
	Environment string
	Log         *slog.Logger
	Failing     int // percent of the API's requests that are answered with an error, as a bad release would

	metrics metrics.Registry
	asked   atomic.Uint32
}

// Handler makes the routes. It is called once.
func (a *API) Handler() http.Handler {
	a.metrics.Value("shop_build_info", "gauge", "What runs here.", fmt.Sprintf("version=%q,environment=%q", a.Version, a.Environment), func() float64 { return 1 })
	a.metrics.Value("shop_orders_total", "counter", "Orders placed.", "", func() float64 { return float64(a.Shop.Orders()) })

	mux := http.NewServeMux()
	routes := map[string]func(*http.Request) (int, any, error){
		"GET /healthz":                        a.health,
		"GET /api/products":                   a.products,
		"GET /api/products/{id}":              a.product,
		"POST /api/carts":                     a.openCart,
		"GET /api/carts/{id}":                 a.cart,
		"PUT /api/carts/{id}/lines/{product}": a.setLine,
		"POST /api/carts/{id}/order":          a.place,
		"GET /api/orders/{id}":                a.order,
	}
	for pattern, answer := range routes {
		mux.HandleFunc(pattern, a.route(pattern, answer))
	}
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		if _, err := a.metrics.WriteTo(w); err != nil {
			a.Log.Debug("the client left", "error", err)
		}
	})
	return mux
}

// route turns an answer into a handler: counted, timed, written as JSON.
func (a *API) route(pattern string, answer func(*http.Request) (int, any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		r.Body = http.MaxBytesReader(w, r.Body, largest)
		code, body, err := answer(r)
		if pattern != "GET /healthz" && int(a.asked.Add(61)%100) < a.Failing {
			err = errors.New("this release is broken on purpose")
		}
		if err != nil {
			code, body = a.mistake(r, err)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		if err := json.NewEncoder(w).Encode(body); err != nil {
			a.Log.Debug("the client left", "error", err)
		}
		a.metrics.Observe(pattern, code, time.Since(began))
	}
}

func (a *API) mistake(r *http.Request, err error) (int, any) {
	type answer struct {
		Error string `json:"error"`
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, shop.ErrNotFound):
		return http.StatusNotFound, answer{err.Error()}
	case errors.Is(err, shop.ErrConflict):
		return http.StatusConflict, answer{err.Error()}
	case errors.Is(err, shop.ErrInvalid):
		return http.StatusBadRequest, answer{err.Error()}
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, answer{err.Error()}
	}
	a.Log.Error("request", "method", r.Method, "path", r.URL.Path, "error", err)
	return http.StatusInternalServerError, answer{"internal error"}
}

func (a *API) health(*http.Request) (int, any, error) {
	return http.StatusOK, map[string]string{"status": "ok", "version": a.Version, "environment": a.Environment}, nil
}

func (a *API) products(*http.Request) (int, any, error) {
	return http.StatusOK, a.Shop.Products(), nil
}

func (a *API) product(r *http.Request) (int, any, error) {
	p, err := a.Shop.Product(r.PathValue("id"))
	return http.StatusOK, p, err
}

func (a *API) openCart(*http.Request) (int, any, error) {
	c, err := a.Shop.OpenCart()
	return http.StatusCreated, c, err
}

func (a *API) cart(r *http.Request) (int, any, error) {
	c, err := a.Shop.Cart(r.PathValue("id"))
	return http.StatusOK, c, err
}

func (a *API) setLine(r *http.Request) (int, any, error) {
	var in struct {
		Quantity *int `json:"quantity"`
	}
	if err := decode(r.Body, &in); err != nil {
		return 0, nil, err
	}
	if in.Quantity == nil {
		return 0, nil, errors.Join(shop.ErrInvalid, errors.New(`"quantity" is missing`))
	}
	c, err := a.Shop.SetLine(r.PathValue("id"), r.PathValue("product"), *in.Quantity)
	return http.StatusOK, c, err
}

func (a *API) place(r *http.Request) (int, any, error) {
	o, err := a.Shop.Place(r.PathValue("id"))
	return http.StatusCreated, o, err
}

func (a *API) order(r *http.Request) (int, any, error) {
	o, err := a.Shop.Order(r.PathValue("id"))
	return http.StatusOK, o, err
}

// decode reads exactly one JSON value; a body that is too large stays that error.
func decode(body io.Reader, into any) error {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); more == io.EOF {
			return nil
		}
		err = errors.New("more than one value")
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return errors.Join(shop.ErrInvalid, err)
}
