package remote_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/remote"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// server answers on the loopback with a certificate that its client trusts.
func server(t *testing.T, handler http.HandlerFunc) (remote.Fetcher, string) {
	t.Helper()
	s := httptest.NewTLSServer(handler)
	t.Cleanup(s.Close)
	return remote.Fetcher{Client: s.Client()}, s.URL
}

func TestFetch(t *testing.T) {
	f, at := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/plain":
			_, _ = w.Write([]byte("job: {}"))
		case "/to-plain":
			http.Redirect(w, r, "/plain", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case "/large":
			for range 11 {
				_, _ = w.Write(make([]byte, 1<<20))
			}
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("half"))
		default:
			http.NotFound(w, r)
		}
	})
	if text, err := f.Fetch(t.Context(), at+"/plain"); err != nil || string(text) != "job: {}" {
		t.Errorf("%q %v", text, err)
	}
	if text, err := f.Fetch(t.Context(), at+"/to-plain"); err != nil || string(text) != "job: {}" {
		t.Errorf("redirected: %q %v", text, err)
	}
	for path, words := range map[string]string{"/round": "redirects", "/large": "more than", "/cut": "EOF", "/gone": "404"} {
		if _, err := f.Fetch(t.Context(), at+path); fault.CodeOf(err) != remote.CodeFetch || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestOnlyHTTPS(t *testing.T) {
	asked := make(chan string, 10)
	plain := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	defer plain.Close()
	f, at := server(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain.URL+"/leak", http.StatusFound) })
	for _, address := range []string{at + "/x", plain.URL + "/x", "file:///etc/passwd", "ftp://x/y", "//x/y", "gopher://x", "HTTP://x/", "https:///x", "x"} {
		if text, err := f.Fetch(t.Context(), address); fault.CodeOf(err) != remote.CodeScheme {
			t.Errorf("%s: %q %v", address, text, err)
		}
	}
	if len(asked) > 0 {
		t.Errorf("the plain server was asked for %s", <-asked)
	}
	if _, err := f.Fetch(t.Context(), "https://%zz"); fault.CodeOf(err) != remote.CodeFetch {
		t.Error(err)
	}
}

func TestACertificateMustBeTrusted(t *testing.T) {
	_, at := server(t, func(http.ResponseWriter, *http.Request) {})
	if _, err := (remote.Fetcher{}).Fetch(t.Context(), at); fault.CodeOf(err) != remote.CodeFetch || !strings.Contains(err.Error(), "certificate") {
		t.Error(err)
	}
}

func TestNoPasswordIsToldNorPassedOn(t *testing.T) {
	_, otherURL := server(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("authorization: " + r.Header.Get("Authorization")))
	})
	_, at := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/on" {
			http.Redirect(w, r, strings.Replace(otherURL, "127.0.0.1", "localhost", 1), http.StatusFound)
			return
		}
		http.NotFound(w, r)
	})
	// One client for both servers: certificates are not this test's business.
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("ci", "s3cret")
	f := remote.Fetcher{Client: &http.Client{Transport: insecure()}}
	if _, err := f.Fetch(t.Context(), u.String()+"/gone"); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Error(err)
	}
	if text, err := f.Fetch(t.Context(), u.String()+"/on"); err != nil || strings.Contains(string(text), "Basic") {
		t.Errorf("%q %v", text, err)
	}
}

func TestACancelEndsAFetch(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	f, at := server(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	ctx, stop := context.WithCancelCause(t.Context())
	go func() {
		<-arrived
		stop(errors.New("enough"))
	}()
	if _, err := f.Fetch(ctx, at); err == nil {
		t.Error("it went well")
	}
}
