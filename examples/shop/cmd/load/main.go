// Command load buys from a running shop with several customers at once and says how fast the shop was.
//
//	load -url http://127.0.0.1:8080 -for 5s -requests 20000 -customers 8 -most-errors 0.01 -p99 500ms
//
// It ends after -for or -requests, whichever is first, and exits 1 when more than -most-errors of the requests went wrong or the
// 99th percentile is above -p99. It loads this machine only: an address that is not loopback is refused.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type options struct {
	url       string
	span      time.Duration
	requests  int64
	customers int
	errors    float64
	p99       time.Duration
	metrics   string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	var o options
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.StringVar(&o.url, "url", "", "the shop, http://host:port on this machine")
	flags.DurationVar(&o.span, "for", 5*time.Second, "how long")
	flags.Int64Var(&o.requests, "requests", 20000, "how many requests at most")
	flags.IntVar(&o.customers, "customers", 8, "how many customers at once")
	flags.Float64Var(&o.errors, "most-errors", 0.01, "share of requests that may go wrong")
	flags.DurationVar(&o.p99, "p99", 500*time.Millisecond, "bound of the 99th percentile")
	flags.StringVar(&o.metrics, "metrics", "", "write the figures to this `file`, as OpenMetrics text")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := here(o.url); err != nil {
		return err
	}
	if o.customers < 1 || o.requests < 1 || o.span <= 0 {
		return errors.New("-customers, -requests and -for: at least one")
	}
	result := buy(ctx, o)
	if _, err := io.WriteString(stdout, result.String()); err != nil {
		return err
	}
	if o.metrics != "" {
		if err := os.WriteFile(o.metrics, []byte(result.metrics()), 0o644); err != nil {
			return err
		}
	}
	return result.judge(o.errors, o.p99)
}

// here refuses every address but those of this machine's loopback.
func here(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	if u.Scheme != "http" || u.Port() == "" {
		return fmt.Errorf("-url %q: http://host:port is needed", address)
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("-url %q: only this machine's own loopback addresses are loaded", address)
	}
	return nil
}

// buy lets the customers shop until the time or the number of requests is spent.
func buy(ctx context.Context, o options) result {
	ctx, stop := context.WithTimeout(ctx, o.span)
	defer stop()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = o.customers
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}

	var left atomic.Int64
	left.Store(o.requests)
	each := make([]customer, o.customers)
	var all sync.WaitGroup
	began := time.Now()
	for i := range each {
		each[i] = customer{client: client, url: strings.TrimSuffix(o.url, "/"), left: &left}
		all.Add(1)
		go func() {
			defer all.Done()
			for ctx.Err() == nil && each[i].shop(ctx) {
			}
		}()
	}
	all.Wait()
	return sum(each, time.Since(began))
}

// customer is one connection's worth of shopping.
type customer struct {
	client *http.Client
	url    string
	left   *atomic.Int64
	took   []time.Duration
	wrong  []error
}

// shop looks, fills a cart, buys it and reads the order. It returns false when the requests are spent.
func (c *customer) shop(ctx context.Context) bool {
	var products []struct{ ID string }
	var cart, order struct{ ID string }
	steps := []func() (more, ok bool){
		func() (bool, bool) { return c.ask(ctx, "GET", "/api/products", "", 200, &products) },
		func() (bool, bool) { return c.ask(ctx, "POST", "/api/carts", "", 201, &cart) },
		func() (bool, bool) {
			if len(products) == 0 {
				return true, false
			}
			pick := products[len(c.took)%len(products)].ID
			return c.ask(ctx, "PUT", "/api/carts/"+cart.ID+"/lines/"+pick, `{"quantity":1}`, 200, nil)
		},
		func() (bool, bool) { return c.ask(ctx, "POST", "/api/carts/"+cart.ID+"/order", "", 201, &order) },
		func() (bool, bool) { return c.ask(ctx, "GET", "/api/orders/"+order.ID, "", 200, nil) },
	}
	for _, step := range steps {
		if more, ok := step(); !more || !ok {
			return more
		}
	}
	return true
}

// ask sends one request and notes how long it took or what went wrong. What the end of the test cut off counts for nothing.
func (c *customer) ask(ctx context.Context, method, path, body string, want int, into any) (more, ok bool) {
	if c.left.Add(-1) < 0 {
		return false, false
	}
	began := time.Now()
	err := c.send(ctx, method, path, body, want, into)
	took := time.Since(began)
	if err != nil && ctx.Err() != nil {
		return false, false
	}
	c.took = append(c.took, took)
	if err != nil {
		c.wrong = append(c.wrong, fmt.Errorf("%s %s: %w", method, path, err))
	}
	return true, err == nil
}

func (c *customer) send(ctx context.Context, method, path, body string, want int, into any) error {
	r, err := http.NewRequestWithContext(ctx, method, c.url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	answer, err := c.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return err
	}
	if answer.StatusCode != want {
		return fmt.Errorf("status %d, want %d: %.200s", answer.StatusCode, want, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
