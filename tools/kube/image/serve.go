package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// behaviour is how a server answers. It starts from the environment and is changed by POST /set?errors=0.5&delay=100ms.
type behaviour struct {
	sync.Mutex
	errors float64
	delay  time.Duration
}

func (b *behaviour) set(errors, delay string) error {
	b.Lock()
	defer b.Unlock()
	if errors != "" {
		n, err := strconv.ParseFloat(errors, 64)
		if err != nil {
			return err
		}
		b.errors = n
	}
	if delay != "" {
		d, err := time.ParseDuration(delay)
		if err != nil {
			return err
		}
		b.delay = d
	}
	return nil
}

// serve listens on PORTS (comma-separated; 80 and 8080 unless told). VERSION, ERRORS (a share) and DELAY say how it answers.
//
//	/, any path   "VERSION HOSTNAME"; ?code= and ?delay= for this request alone
//	/color        the version as rollouts-demo says it: "blue"
//	/healthz      200, whatever else is set
//	/headers      the request's headers
func serve() error {
	var b behaviour
	version, host := os.Getenv("VERSION"), os.Getenv("HOSTNAME")
	if err := b.set(os.Getenv("ERRORS"), os.Getenv("DELAY")); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/headers", func(w http.ResponseWriter, r *http.Request) { _ = r.Header.Write(w) })
	mux.HandleFunc("POST /set", func(w http.ResponseWriter, r *http.Request) {
		if err := b.set(r.FormValue("errors"), r.FormValue("delay")); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		b.Lock()
		delay, failed := b.delay, rand.Float64() < b.errors
		b.Unlock()
		if d, err := time.ParseDuration(r.FormValue("delay")); err == nil {
			delay = d
		}
		code, err := strconv.Atoi(r.FormValue("code"))
		if err != nil || code < 200 || code > 599 {
			code = http.StatusOK
		}
		if failed {
			code = http.StatusInternalServerError
		}
		time.Sleep(delay)
		w.Header().Set("X-Version", version)
		w.WriteHeader(code)
		if r.URL.Path == "/color" {
			fmt.Fprintf(w, "%q", version[strings.LastIndexByte(version, '-')+1:])
			return
		}
		fmt.Fprintf(w, "%s %s\n", version, host)
	})
	ports := os.Getenv("PORTS")
	if ports == "" {
		ports = "80,8080"
	}
	failed, stop := make(chan error, 9), told()
	var servers []*http.Server
	for p := range strings.SplitSeq(ports, ",") {
		s := &http.Server{Addr: ":" + p, Handler: mux, ReadHeaderTimeout: time.Minute}
		servers = append(servers, s)
		go func() { failed <- s.ListenAndServe() }()
	}
	fmt.Printf("%s listens on %s\n", version, ports)
	select {
	case err := <-failed:
		return err
	case <-stop:
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, s := range servers {
		_ = s.Shutdown(ctx)
	}
	return nil
}

// get fetches an address as wget and curl do with their commonest flags; busybox' own cannot look names up.
func get(args []string) error {
	f := flag.NewFlagSet("get", flag.ContinueOnError)
	out := f.String("O", "-", "file")
	limit := f.Duration("timeout", time.Minute, "")
	for _, name := range []string{"q", "s", "S", "f", "L", "spider", "sf", "fsS", "sS", "qO-"} {
		f.Bool(name, false, "no effect")
	}
	for i, a := range args { // "-T 5" and "-m 5" are seconds
		if (a == "-T" || a == "-m") && i+1 < len(args) {
			args[i] = "-timeout"
			args[i+1] += "s"
		}
	}
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return errors.New("no address")
	}
	url := f.Arg(0)
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	answer, err := (&http.Client{Timeout: *limit}).Get(url)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	to := os.Stdout
	if *out != "-" {
		if to, err = os.Create(*out); err != nil {
			return err
		}
	}
	if _, err := io.Copy(to, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode >= 400 {
		return fmt.Errorf("server returned error: %s", answer.Status)
	}
	return nil
}
