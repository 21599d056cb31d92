package toolkit_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/artifact"
	"github.com/sluice-delivery/sluice/internal/edge/blob"
	"github.com/sluice-delivery/sluice/internal/edge/toolkit"
)

// world is a run with its services and stores.
type world struct {
	*toolkit.Service
	dir       string
	artifacts *artifact.Store
	caches    *blob.Store
}

func serve(t *testing.T, change ...func(*toolkit.Options)) world {
	t.Helper()
	return serveIn(t, t.TempDir(), change...)
}

func serveIn(t *testing.T, dir string, change ...func(*toolkit.Options)) world {
	t.Helper()
	w := world{dir: dir, artifacts: &artifact.Store{Dir: dir}, caches: &blob.Store{Dir: dir}}
	o := toolkit.Options{Dir: dir, Run: "run-7", Artifacts: w.artifacts, Caches: w.caches}
	for _, c := range change {
		c(&o)
	}
	s, err := toolkit.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	w.Service = s
	t.Cleanup(func() {
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(filepath.Join(dir, "toolkit")); len(left) > 0 {
			t.Errorf("uploads are left: %v", left)
		}
	})
	return w
}

// caller is a job that talks to the services.
type caller struct {
	t     *testing.T
	env   []string
	token string
	base  string
	run   string
	job   string
}

func (w world) job(t *testing.T, j toolkit.Job) caller {
	t.Helper()
	env, token, err := w.Job(j)
	if err != nil {
		t.Fatal(err)
	}
	c := caller{t: t, env: env, token: token}
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "ACTIONS_RESULTS_URL="); ok {
			c.base = v
		}
	}
	c.run, c.job = ids(t, token)
	return c
}

// call sends a message to a service and gives its status and answer.
func (c caller) call(service, method string, message map[string]any) (int, map[string]any) {
	c.t.Helper()
	body, err := json.Marshal(message)
	if err != nil {
		c.t.Fatal(err)
	}
	status, text, _ := c.send("POST", c.base+"twirp/github.actions.results.api.v1."+service+"/"+method, string(body), "Content-Type", "application/json", "Authorization", "Bearer "+c.token)
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		c.t.Fatalf("%s: %v: %s", method, err, text)
	}
	return status, out
}

// artifact is call with the caller's own ids.
func (c caller) artifact(method string, message map[string]any) (int, map[string]any) {
	c.t.Helper()
	m := map[string]any{"workflow_run_backend_id": c.run, "workflow_job_run_backend_id": c.job}
	maps.Copy(m, message)
	return c.call("ArtifactService", method, m)
}

func (c caller) send(method, url, body string, headers ...string) (int, string, http.Header) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return reply.StatusCode, string(text), reply.Header
}

// packages is the folder with the official packages, as scripts/deps installs them.
func packages(t *testing.T) string {
	t.Helper()
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		cache = filepath.Join(os.Getenv("HOME"), ".cache")
	}
	dir := filepath.Join(cache, "sluice", "npm-actions")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "@actions", "artifact")); err != nil {
		t.Skipf("NOT TESTED WITH THE OFFICIAL PACKAGES: %v; scripts/deps test installs them", err)
	}
	return dir
}

// node runs the client and gives what it said, by what it is called.
func node(t *testing.T, env []string, verb, folder string) map[string]json.RawMessage {
	t.Helper()
	dir := packages(t)
	cmd := exec.CommandContext(t.Context(), "node", "testdata/client.mjs", dir, verb, folder)
	temp := t.TempDir()
	cmd.Env = slices.Concat([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "RUNNER_TEMP=" + temp, "GITHUB_WORKSPACE=" + folder, "RUNNER_DEBUG=1"}, env)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s\n%s", err, complaint.String(), tail(out))
	}
	said := map[string]json.RawMessage{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		at := strings.Index(lines.Text(), "@@{")
		if at < 0 {
			continue
		}
		var one struct {
			What  string
			Value json.RawMessage
		}
		if err := json.Unmarshal([]byte(lines.Text()[at+2:]), &one); err != nil {
			t.Fatal(err)
		}
		said[one.What] = one.Value
	}
	if t.Failed() || testing.Verbose() {
		t.Logf("%s", tail(out))
	}
	return said
}

func tail(out []byte) []byte { return out[max(0, len(out)-3000):] }

// want compares what the client said with JSON.
func want(t *testing.T, said map[string]json.RawMessage, what, text string) {
	t.Helper()
	if got := string(said[what]); got != text {
		t.Errorf("%s: %s, want %s", what, got, text)
	}
}

func write(t *testing.T, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// noCaches is a store of caches that has none.
type noCaches struct{}

func (noCaches) FindFile(context.Context, blob.Find) (blob.Hit, bool, error) {
	return blob.Hit{}, false, nil
}
func (noCaches) HasFile(blob.CacheID) bool { return true }
func (noCaches) AddFile(context.Context, blob.CacheID, string) (blob.Meta, bool, error) {
	return blob.Meta{}, false, nil
}
func (noCaches) OpenFile(blob.Hit) (*os.File, error) { return nil, os.ErrNotExist }
