// Command shop is a small web shop.
//
//	shop serve -config shop.json    serve until SIGTERM or SIGINT, then answer what is open and stop
//	shop ready -url http://...      wait until that shop answers; exit 1 when it does not in time
//	shop version                    print the version
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"example.com/shop/internal/api"
	"example.com/shop/internal/shop"
	"example.com/shop/internal/store"
)

// version and failing are set by the build: -ldflags "-X main.version=1.2.3". A release that is built with main.failing=30
// answers so many percent of its requests with an error: a drill for what ships it.
var version, failing = "development", "0"

// config is the file that `shop serve` reads.
type config struct {
	Environment string         `json:"environment"` // its name, for people and metrics
	Listen      string         `json:"listen"`      // host:port; port 0 takes a free one
	Journal     string         `json:"journal"`     // file that keeps the orders; empty keeps them in memory
	Lifetime    duration       `json:"lifetime"`    // the service stops by itself after this time; 0 never
	Products    []shop.Product `json:"products"`
}

// duration is a time span written as "90s" or "30m".
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	span, err := time.ParseDuration(string(text))
	*d = duration(span)
	return err
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	verb := ""
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	switch verb {
	case "serve":
		return serve(ctx, args, stderr)
	case "ready":
		return ready(ctx, args, stdout)
	case "version":
		_, err := fmt.Fprintln(stdout, version)
		return err
	}
	return errors.New("usage: shop serve|ready|version")
}

func serve(ctx context.Context, args []string, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	path := flags.String("config", "shop.json", "configuration `file`")
	listen := flags.String("listen", "", "`host:port` instead of the configuration's")
	address := flags.String("address-file", "", "write host:port to this `file` once the service answers")
	pid := flags.String("pid-file", "", "write the process id to this `file`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	c, err := read(*path)
	if err != nil {
		return err
	}
	if *listen != "" {
		c.Listen = *listen
	}
	var journal shop.Journal
	var past []shop.Change
	if c.Journal != "" {
		j, old, err := store.Open(c.Journal)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, j.Close()) }()
		journal, past = j, old
	}
	goods, err := shop.Open(c.Products, past, journal, time.Now)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	for file, text := range map[string]string{*pid: fmt.Sprint(os.Getpid()), *address: listener.Addr().String()} {
		if err := announce(file, text); err != nil {
			return errors.Join(err, listener.Close())
		}
		defer func() { err = errors.Join(err, forget(file)) }()
	}
	if c.Lifetime > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, time.Duration(c.Lifetime))
		defer stop()
	}
	log.Info("open", "address", listener.Addr().String(), "version", version, "environment", c.Environment, "changes", len(past))
	percent, err := strconv.Atoi(failing)
	if err != nil {
		return errors.Join(fmt.Errorf("main.failing: %w", err), listener.Close())
	}
	handler := (&api.API{Shop: goods, Version: version, Environment: c.Environment, Log: log, Failing: percent}).Handler()
	err = serveUntil(ctx, listener, handler)
	log.Info("closed", "orders", goods.Orders())
	return err
}

// serveUntil serves until ctx ends and then gives open requests ten seconds.
func serveUntil(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 15 * time.Second, IdleTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer stop()
	err := server.Shutdown(grace)
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}

func read(path string) (config, error) {
	file, err := os.Open(path)
	if err != nil {
		return config{}, err
	}
	defer file.Close()
	d := json.NewDecoder(file)
	d.DisallowUnknownFields()
	var c config
	if err := d.Decode(&c); err != nil {
		return config{}, fmt.Errorf("read %s: %w", path, err)
	}
	return c, nil
}

// announce writes a file whole or not at all, so that whoever waits for it never reads half.
func announce(path, text string) error {
	if path == "" {
		return nil
	}
	half := path + ".new"
	if err := os.WriteFile(half, []byte(text+"\n"), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return os.Rename(half, path)
}

func forget(path string) error {
	if path == "" {
		return nil
	}
	return os.Remove(path)
}

func ready(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("ready", flag.ContinueOnError)
	url := flags.String("url", "", "the shop's address, http://host:port")
	within := flags.Duration("within", 10*time.Second, "how long to wait")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, *within)
	defer stop()
	for {
		body, err := healthy(ctx, *url)
		if err == nil {
			_, err = stdout.Write(body)
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready within %s: %w", *within, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func healthy(ctx context.Context, url string) ([]byte, error) {
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/healthz", nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s", answer.Status)
	}
	return body, err
}
