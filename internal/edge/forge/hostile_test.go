package forge_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/forge"
	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func pulls(ctx context.Context, t *testing.T, f *forge.Forge, api string, more m) error {
	t.Helper()
	spec := m{"owner": "org", "repo": "web", "api": api, "tokenRef": ref}
	for k, v := range more {
		spec[k] = v
	}
	_, err := f.PullRequests(ctx, "apps", applicationset.PullRequest{Gitea: object(t, spec)})
	return err
}

// The token is for one host: a redirect to another, or to plain http, is not followed (S7).
func TestNoTokenLeavesItsHost(t *testing.T) {
	for _, to := range []string{"https", "http", "name"} {
		sink := serve(t, "", map[string]any{})
		var s *stub
		s = serve(t, "Authorization: token "+token, map[string]any{
			"/api/v1/repos/org/web/pulls": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				target := sink.URL
				switch to {
				case "http":
					target = strings.Replace(s.URL, "https:", "http:", 1)
				case "name":
					target = strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
				}
				http.Redirect(w, r, target+"/leak", http.StatusTemporaryRedirect)
			}),
		})
		err := pulls(t.Context(), t, asking(tokens), s.URL, nil)
		if fault.CodeOf(err) != forge.CodeUnreachable || !strings.Contains(err.Error(), "redirects to another host") || sink.did("") || s.did("GET /leak") {
			t.Errorf("%s: %v, asked %v", to, err, sink.asked)
		}
	}
	// One that stays is: a repository that was renamed.
	s := serve(t, "Authorization: token "+token, map[string]any{
		"/api/v1/repos/org/web/pulls": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/api/v1/moved", http.StatusMovedPermanently)
		}),
		"/api/v1/moved": []any{},
	})
	if err := pulls(t.Context(), t, asking(tokens), s.URL, nil); err != nil {
		t.Error(err)
	}
}

// Addresses that give out credentials of the machine are never dialled, however they are written (S7).
func TestAddressesThatAreNotAsked(t *testing.T) {
	f := asking(tokens)
	f.Patience = 2 * time.Second
	for _, api := range []string{
		"http://169.254.169.254", "http://[::ffff:169.254.169.254]", "http://[fe80::1]", "http://[fd00:ec2::254]", "http://100.100.100.200", "http://224.0.0.1",
		"file:///etc/passwd", "ftp://x", "//x", "x", "https://user:" + token + "@127.0.0.1", "http://%zz",
	} {
		err := pulls(t.Context(), t, f, api, nil)
		if fault.CodeOf(err) != forge.CodeAddress || strings.Contains(err.Error(), token) {
			t.Errorf("%s: %v", api, err)
		}
	}
	s := serve(t, "Authorization: token "+token, map[string]any{"/api/v1/repos/org/web/pulls": []any{}})
	f.Local = false
	for _, api := range []string{s.URL, strings.Replace(s.URL, "127.0.0.1", "localhost", 1), strings.Replace(s.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1)} {
		if err := pulls(t.Context(), t, f, api, m{"insecure": true}); fault.CodeOf(err) != forge.CodeAddress || s.did("") {
			t.Errorf("%s: %v", api, err)
		}
	}
	f.Allowed = []string{s.URL}
	if err := pulls(t.Context(), t, f, s.URL, nil); err != nil {
		t.Errorf("one that is listed: %v", err)
	}
	if err := pulls(t.Context(), t, f, s.URL+"/", nil); fault.CodeOf(err) != forge.CodeAddress || !strings.Contains(err.Error(), "not allowed, must use one of the following") {
		t.Error(err)
	}
	f.Off = true
	if err := pulls(t.Context(), t, f, s.URL, nil); err == nil || !strings.Contains(err.Error(), "scm providers are disabled") {
		t.Error(err)
	}
}

func TestCertificates(t *testing.T) {
	s := serve(t, "Private-Token: "+token, map[string]any{"/api/v4/projects/1/merge_requests": []any{}})
	f := asking(tokens)
	f.ConfigMap = func(_ context.Context, namespace, name string) (map[string]string, error) {
		if namespace+"/"+name != "apps/certs" {
			return nil, errors.New("no such ConfigMap")
		}
		return map[string]string{"ca": string(certificate(s.Server)), "bad": "x"}, nil
	}
	ask := func(more m) error {
		spec := m{"project": "1", "api": strings.Replace(s.URL, "127.0.0.1", "localhost", 1), "tokenRef": ref}
		for k, v := range more {
			spec[k] = v
		}
		_, err := f.PullRequests(t.Context(), "apps", applicationset.PullRequest{GitLab: object(t, spec)})
		return err
	}
	// The certificate is for example.com and 127.0.0.1.
	if err := ask(nil); fault.CodeOf(err) != forge.CodeUnreachable || !strings.Contains(err.Error(), "certificate") {
		t.Error(err)
	}
	if err := ask(m{"insecure": true}); err != nil {
		t.Error(err)
	}
	if err := ask(m{"api": s.URL, "caRef": m{"configMapName": "certs", "key": "ca"}}); err != nil {
		t.Error(err)
	}
	for _, wrong := range []m{{"configMapName": "certs", "key": "bad"}, {"configMapName": "certs", "key": "none"}, {"configMapName": "none", "key": "ca"}} {
		if err := ask(m{"caRef": wrong}); fault.CodeOf(err) != forge.CodeSecret {
			t.Error(err)
		}
	}
}

// Whatever a forge answers, the error has a code and an exit code, says what was asked, and holds no token.
func TestAnswersOfNoUse(t *testing.T) {
	answer := func(code int, body string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			fmt.Fprint(w, body)
		}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		code   string
		exit   int
		words  string
	}{
		"denied":       {answer(401, `{"message": "Bad credentials"}`), forge.CodeDenied, 4, "401 Unauthorized: Bad credentials"},
		"forbidden":    {answer(403, `<html>`+token), forge.CodeDenied, 4, "403"},
		"limited":      {answer(403, `{"message": "API rate limit exceeded"}`, "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1767355200"), forge.CodeLimit, 0, "2026-01-02T12:00:00Z"},
		"too many":     {answer(429, ``, "Retry-After", "60"), forge.CodeLimit, 0, "2026-01-02T12:01:00Z"},
		"broken":       {answer(500, `{"error": "oops"}`), forge.CodeUnreachable, 5, "500 Internal Server Error: oops"},
		"teapot":       {answer(418, ``), forge.CodeAnswer, 0, "418"},
		"no JSON":      {answer(200, `<html>login</html>`), forge.CodeAnswer, 0, "not what the API documents"},
		"another list": {answer(200, `{"a": 1}`), forge.CodeAnswer, 0, "not what the API documents"},
		"cut":          {answer(200, `[`, "Content-Length", "100"), forge.CodeUnreachable, 5, "EOF"},
		"endless pages": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", fmt.Sprintf(`<https://x/?page=%d>; rel="next"`, time.Now().UnixNano()))
			fmt.Fprint(w, `[]`)
		}, forge.CodeAnswer, 0, "more than 1000 pages"},
		"too large": {func(w http.ResponseWriter, _ *http.Request) {
			for range 40 {
				_, _ = w.Write([]byte(strings.Repeat(" ", 1<<20)))
			}
		}, forge.CodeAnswer, 0, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, "Authorization: token "+token, map[string]any{"/api/v1/repos/org/web/pulls": c.answer})
			f := asking(tokens)
			f.Clock = func() time.Time { return time.Unix(1767355200, 0) }
			err := pulls(t.Context(), t, f, s.URL, nil)
			got, _ := errors.AsType[*fault.Fault](err)
			if got == nil || got.Code != c.code || got.Exit != c.exit || !strings.Contains(err.Error(), c.words) || !strings.Contains(err.Error(), "/api/v1/repos/org/web/pulls") && name != "endless pages" || strings.Contains(err.Error(), token) {
				t.Errorf("%v %+v", err, got)
			}
		})
	}
}

func TestACancelEndsAQuestion(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	s := serve(t, "", map[string]any{"/api/v1/repos/org/web/pulls": http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})})
	defer close(release)
	ctx, stop := context.WithCancel(t.Context())
	go func() { <-arrived; stop() }()
	if err := pulls(ctx, t, asking(tokens), s.URL, m{"tokenRef": nil}); err == nil {
		t.Error("it went well")
	}
}
