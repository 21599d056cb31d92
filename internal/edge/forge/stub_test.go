package forge_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/forge"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
	"github.com/sluice-delivery/sluice/internal/flow/secret"
)

// TestMain has the system trust the certificate of the stubs, before anybody looks.
func TestMain(m *testing.M) {
	s := httptest.NewTLSServer(nil)
	dir, err := os.MkdirTemp("", "forge")
	if err != nil {
		panic(err)
	}
	file := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(file, certificate(s), 0o600); err != nil {
		panic(err)
	}
	s.Close()
	os.Setenv("SSL_CERT_FILE", file)
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func certificate(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// token is what no message may hold.
const token = "ghp_canary0123456789"

// stub is a forge as its documentation describes it: what each path answers. It keeps what it was asked.
type stub struct {
	*httptest.Server

	t       *testing.T
	answers map[string]any // by path, or path?query
	auth    string         // the header that must come, "Name: value"; "" for none

	mu    sync.Mutex
	asked []string
}

// paged is a list in pages of so many.
type paged struct {
	items []any
	per   int
}

func serve(t *testing.T, auth string, answers map[string]any) *stub {
	t.Helper()
	s := &stub{t: t, answers: answers, auth: auth}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(s.answer))
	t.Cleanup(s.Close)
	return s
}

func (s *stub) answer(w http.ResponseWriter, r *http.Request) {
	at := r.URL.EscapedPath()
	query := r.URL.Query()
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+r.URL.RequestURI())
	s.mu.Unlock()
	name, value, _ := strings.Cut(s.auth, ": ")
	if s.auth != "" && r.Header.Get(name) != value {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"message": "Bad credentials"}`)
		return
	}
	if s.auth == "" && (r.Header.Get("Authorization") != "" || r.Header.Get("Private-Token") != "") {
		s.t.Errorf("%s with a token", at)
	}
	answer, ok := s.answers[at+"?"+r.URL.RawQuery]
	if !ok {
		answer, ok = s.answers[at]
	}
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message": "Not Found"}`)
		return
	}
	switch answer := answer.(type) {
	case http.HandlerFunc:
		answer(w, r)
	case paged:
		n := 1
		_, _ = fmt.Sscan(query.Get("page"), &n)
		from := min((n-1)*answer.per, len(answer.items))
		to := min(from+answer.per, len(answer.items))
		if to < len(answer.items) {
			query.Set("page", fmt.Sprint(n+1))
			// A forge behind a proxy names an address of its own.
			w.Header().Set("Link", fmt.Sprintf(`<https://internal.invalid%s?page=1>; rel="first", <https://internal.invalid%s?%s>; rel="next"`, at, at, query.Encode()))
		}
		_ = json.NewEncoder(w).Encode(answer.items[from:to])
	default:
		_ = json.NewEncoder(w).Encode(answer)
	}
}

func (s *stub) did(prefix string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.asked, func(a string) bool { return strings.HasPrefix(a, prefix) })
}

// asking is a Forge whose Secrets are these.
func asking(secrets map[string]map[string]string) *forge.Forge {
	return &forge.Forge{
		Local: true, Home: "argocd",
		Secret: func(_ context.Context, namespace, name string) (map[string]string, map[string]secret.Secret, error) {
			data, ok := secrets[namespace+"/"+name]
			if !ok {
				return nil, nil, &manifest.Refusal{Code: 404, Reason: manifest.ReasonNotFound, Message: fmt.Sprintf("secrets %q not found", name)}
			}
			out := map[string]secret.Secret{}
			labels := map[string]string{}
			for k, v := range data {
				if label, ok := strings.CutPrefix(k, "label "); ok {
					labels[label] = v
					continue
				}
				out[k] = secret.New(v)
			}
			return labels, out, nil
		},
		ConfigMap: func(context.Context, string, string) (map[string]string, error) { return nil, errors.New("none") },
	}
}

var tokens = map[string]map[string]string{"apps/t": {"token": token + "\n"}}

func object(t testing.TB, v any) manifest.Object {
	t.Helper()
	o, err := manifest.From(v)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

type m = map[string]any

var ref = m{"secretName": "t", "key": "token"}

func text(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(data)
}
