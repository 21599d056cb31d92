package toolkit_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sluice-delivery/sluice/internal/edge/artifact"
	"github.com/sluice-delivery/sluice/internal/edge/glob"
	"github.com/sluice-delivery/sluice/internal/edge/toolkit"
)

// ids reads a job's token as the toolkit does: without looking at its signature.
func ids(t *testing.T, token string) (run, job string) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %s", token)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Scp, Ac string }
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	scope := strings.Split(claims.Scp, ":")
	if len(scope) != 3 || scope[0] != "Actions.Results" || !strings.HasPrefix(claims.Ac, "[{") {
		t.Fatalf("claims: %s", text)
	}
	return scope[1], scope[2]
}

func random(t *testing.T, size int) string {
	t.Helper()
	b := make([]byte, size)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestArtifactsOfTheOfficialPackage(t *testing.T) {
	for name, older := range map[string][]string{"new": nil, "version 2": {"OLDER=2"}} {
		t.Run(name, func(t *testing.T) {
			w := serve(t)
			c := w.job(t, toolkit.Job{ID: "build", Attempt: 1})
			work := write(t, filepath.Join(t.TempDir(), "work"), map[string]string{"a.txt": "a", "deep/er/b.bin": random(t, 20<<20), "empty": ""})
			native := write(t, t.TempDir(), map[string]string{"out/a.txt": "native", "out/b/größe": "ü", "z": strings.Repeat("0", 3<<20)})
			if _, err := w.artifacts.Save(t.Context(), artifact.New{Run: "run-7", Job: "other", Name: "native"}, artifact.Source{
				Paths: []string{"."}, Dir: native, Space: glob.Space{{Job: native, Host: native}},
			}); err != nil {
				t.Fatal(err)
			}
			said := node(t, append(older, c.env...), "artifacts", work)
			want(t, said, "mismatch", "false")
			want(t, said, "same", "[true,true,true]")
			want(t, said, "native", `{"mismatch":false,"files":["out/a.txt","out/b/größe","z"],"text":"native"}`)
			want(t, said, "left", `["native"]`)
			want(t, said, "once more", `true`)
			for what, part := range map[string]string{"again": "(409) Conflict", "missing": "Artifact not found for name: nobody", "bad name": "Forward slash"} {
				if !strings.Contains(string(said[what]), part) {
					t.Errorf("%s: %s", what, said[what])
				}
			}
			var made struct {
				ID, Size int64
				Digest   string
			}
			var got struct {
				ID, Size     int64
				Name, Digest string
				CreatedAt    time.Time
			}
			if err := json.Unmarshal(said["uploaded"], &made); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(said["get"], &got); err != nil {
				t.Fatal(err)
			}
			if made.ID != got.ID || made.Size != got.Size || got.Name != "several" || got.CreatedAt.IsZero() || name == "new" && got.Digest != "sha256:"+made.Digest {
				t.Errorf("%+v %+v", made, got)
			}
			// What a client uploaded comes to a native step as it was.
			to := t.TempDir()
			if _, _, err := w.artifacts.Download(t.Context(), artifact.Choice{Run: "run-7", Name: "several"}, artifact.Target{Space: glob.Space{{Job: to, Host: to}}, Dir: to}); err != nil {
				t.Fatal(err)
			}
			if text, err := os.ReadFile(filepath.Join(to, "a.txt")); err != nil || string(text) != "a" {
				t.Errorf("%q %v", text, err)
			}
		})
	}
}

func TestAFileAsItIs(t *testing.T) {
	w := serve(t)
	c := w.job(t, toolkit.Job{ID: "build", Attempt: 1})
	work := write(t, filepath.Join(t.TempDir(), "work"), map[string]string{"größe.txt": "groß"})
	said := node(t, c.env, "raw", work)
	want(t, said, "raw", `{"mismatch":false,"files":["größe.txt"],"text":"groß","same":true}`)
	to := t.TempDir()
	if _, _, err := w.artifacts.Download(t.Context(), artifact.Choice{Run: "run-7"}, artifact.Target{Space: glob.Space{{Job: to, Host: to}}, Dir: to, Merge: true}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(to, "größe.txt")); err != nil || string(text) != "groß" {
		t.Errorf("%q %v", text, err)
	}
}

func TestCachesOfTheOfficialPackage(t *testing.T) {
	for name, env := range map[string][]string{
		"new":           nil,
		"version 4":     {"OLDER=4"},
		"older service": {"GITHUB_SERVER_URL=https://git.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first := serveIn(t, dir)
			work := write(t, filepath.Join(t.TempDir(), "work"), map[string]string{"data/big": random(t, 3<<20), "data/x/y": "y", "sub/a.txt": "a", "sub/no": "no"})
			said := node(t, append(env, first.job(t, toolkit.Job{ID: "build", Attempt: 1}).env...), "cache", work)
			want(t, said, "refused", "-1")
			for _, what := range []string{"saved", "second"} {
				if v := string(said[what]); v == "-1" || v == "" || v == "null" {
					t.Errorf("%s: %s", what, v)
				}
			}
			if err := first.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			second := serveIn(t, dir, func(o *toolkit.Options) { o.Run = "run-8" })
			empty := write(t, filepath.Join(t.TempDir(), "work"), map[string]string{"keep": ""})
			said = node(t, append(env, second.job(t, toolkit.Job{ID: "test", Attempt: 1}).env...), "restore", empty)
			want(t, said, "nothing", "null")
			want(t, said, "other paths", "null")
			want(t, said, "look", `"deps-linux-1"`)
			want(t, said, "not yet", `["keep"]`)
			want(t, said, "exact", `"deps-linux-1"`)
			want(t, said, "files", `["data/big","data/x/y","keep","sub/a.txt"]`)
			want(t, said, "prefix", `"deps-linux-22"`)
			want(t, said, "own prefix", `"deps-linux-22"`)
		})
	}
}

func TestAzuresClientInBlocksAndRanges(t *testing.T) {
	w := serve(t)
	work := write(t, filepath.Join(t.TempDir(), "work"), map[string]string{"data/big": random(t, 9<<20+17)})
	said := node(t, w.job(t, toolkit.Job{ID: "build", Attempt: 1}).env, "azure", work)
	want(t, said, "azure", `{"ok":true,"size":9437201,"same":true,"part":true}`)
}

func TestIDTokensCanBeVerified(t *testing.T) {
	w := serve(t)
	c := w.job(t, toolkit.Job{ID: "deploy", Attempt: 1, IDToken: true, Claims: map[string]any{
		"repository": "octo-org/octo-repo", "repository_owner": "octo-org", "ref": "refs/heads/main", "environment": "prod", "sha": "abc", "iss": "forged", "aud": "forged", "exp": 1,
	}})
	said := node(t, c.env, "token", t.TempDir())
	var discovery struct {
		Issuer  string
		JwksURI string `json:"jwks_uri"`
	}
	var keys jose.JSONWebKeySet
	fetch(t, c.base+".well-known/openid-configuration", &discovery)
	fetch(t, discovery.JwksURI, &keys)
	if discovery.Issuer+"/" != c.base || discovery.Issuer != w.IssuerURL() || len(keys.Keys) != 1 || !keys.Keys[0].IsPublic() {
		t.Fatalf("%+v %+v", discovery, keys)
	}
	for what, audience := range map[string]string{"token": "https://vault.example", "default": "https://github.com/octo-org"} {
		var text string
		if err := json.Unmarshal(said[what], &text); err != nil {
			t.Fatal(err)
		}
		token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			t.Fatal(err)
		}
		var standard jwt.Claims
		var more map[string]any
		if err := token.Claims(keys.Key(token.Headers[0].KeyID)[0].Key, &standard, &more); err != nil {
			t.Fatal(err)
		}
		if err := standard.Validate(jwt.Expected{Issuer: discovery.Issuer, AnyAudience: jwt.Audience{audience}, Time: time.Now()}); err != nil {
			t.Errorf("%s: %v: %+v", what, err, standard)
		}
		if standard.Subject != "repo:octo-org/octo-repo:environment:prod" || more["sha"] != "abc" {
			t.Errorf("%s: %v", what, more)
		}
	}
	without := w.job(t, toolkit.Job{ID: "build", Attempt: 1})
	if status, _, _ := without.send("GET", c.base+"idtoken?api-version=2.0", "", "Authorization", "Bearer "+without.token); status != http.StatusForbidden {
		t.Errorf("without permission: %d", status)
	}
	for _, e := range without.env {
		if strings.HasPrefix(e, "ACTIONS_ID_TOKEN") {
			t.Error(e)
		}
	}
}

func fetch(t *testing.T, url string, into any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v: %s", url, reply.StatusCode, err, text)
	}
}
