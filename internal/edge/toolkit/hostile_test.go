package toolkit_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/artifact"
	"github.com/sluice-delivery/sluice/internal/edge/glob"
	"github.com/sluice-delivery/sluice/internal/edge/toolkit"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// create begins an upload and gives its address.
func (c caller) create(name string) string {
	c.t.Helper()
	status, reply := c.artifact("CreateArtifact", map[string]any{"name": name, "version": 7})
	at, _ := reply["signed_upload_url"].(string)
	if status != http.StatusOK || at == "" {
		c.t.Fatalf("create %s: %d %v", name, status, reply)
	}
	return at
}

// put uploads at once.
func (c caller) put(at, body string) int {
	c.t.Helper()
	status, _, _ := c.send("PUT", at, body, "X-Ms-Blob-Type", "BlockBlob")
	return status
}

func (c caller) finalize(name, body string) (int, map[string]any) {
	c.t.Helper()
	sum := sha256.Sum256([]byte(body))
	return c.artifact("FinalizeArtifact", map[string]any{"name": name, "size": strconv.Itoa(len(body)), "hash": "sha256:" + hex.EncodeToString(sum[:])})
}

func zipped(t *testing.T, entries ...string) string {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e, Method: zip.Deflate}
		if name, link := strings.CutPrefix(e, "link:"); link {
			h.Name = name
			h.SetMode(os.ModeSymlink | 0o777)
		}
		w, err := z.CreateHeader(h)
		if err == nil && !strings.HasSuffix(e, "/") {
			_, err = w.Write([]byte("../../etc/passwd"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestRequestsNeedTheTokenOfAJobThatRuns(t *testing.T) {
	w := serve(t)
	c := w.job(t, toolkit.Job{ID: "a", Attempt: 1, IDToken: true})
	gone := w.job(t, toolkit.Job{ID: "gone", Attempt: 1})
	w.End("gone", 1)
	forged := c.token[:len(c.token)-4] + "AAAA"
	for _, path := range []string{
		"twirp/github.actions.results.api.v1.ArtifactService/ListArtifacts", "twirp/github.actions.results.api.v1.CacheService/GetCacheEntryDownloadURL",
		"_apis/artifactcache/caches", "idtoken?api-version=2.0", "_apis/artifactcache/cache?keys=a&version=b", "no/such/path",
	} {
		method := "POST"
		if strings.Contains(path, "?") {
			method = "GET"
		}
		for name, token := range map[string]string{"none": "", "another's": "Bearer " + forged, "one that ended": "Bearer " + gone.token, "another kind": "Basic " + c.token} {
			if status, _, h := c.send(method, c.base+path, "{}", "Content-Type", "application/json", "Authorization", token); status != http.StatusUnauthorized || h.Get("Www-Authenticate") == "" {
				t.Errorf("%s with the token %s: %d", path, name, status)
			}
		}
	}
	for _, host := range []string{"evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1"} {
		if status, _, _ := c.send("GET", c.base+".well-known/jwks", "", "Host", host); status != http.StatusMisdirectedRequest {
			t.Errorf("Host: %s: %d", host, status)
		}
	}
}

func TestNoJobWritesInTheNameOfAnother(t *testing.T) {
	w := serve(t)
	a, b := w.job(t, toolkit.Job{ID: "a", Attempt: 1}), w.job(t, toolkit.Job{ID: "b", Attempt: 1})
	status, _ := a.artifact("CreateArtifact", map[string]any{"name": "x", "workflow_job_run_backend_id": b.job})
	if status != http.StatusForbidden {
		t.Errorf("create: %d", status)
	}
	for _, method := range []string{"CreateArtifact", "FinalizeArtifact", "ListArtifacts", "GetSignedArtifactURL", "DeleteArtifact"} {
		if status, _ := a.artifact(method, map[string]any{"name": "x", "workflow_run_backend_id": "11111111-1111-1111-1111-111111111111"}); status != http.StatusForbidden {
			t.Errorf("%s in another run: %d", method, status)
		}
	}
	body := zipped(t, "f")
	at := a.create("x")
	if status, reply := b.artifact("CreateArtifact", map[string]any{"name": "x"}); status != http.StatusConflict {
		t.Errorf("b creates what a uploads: %d %v", status, reply)
	}
	if status, _ := b.finalize("x", body); status != http.StatusNotFound {
		t.Errorf("b finalizes what a uploads: %d", status)
	}
	if status := a.put(strings.Replace(at, "sig=", "sig=x", 1), body); status != http.StatusForbidden {
		t.Errorf("another signature: %d", status)
	}
	if status, _, _ := a.send("GET", at, ""); status != http.StatusMethodNotAllowed {
		t.Errorf("read an upload: %d", status)
	}
	if status := a.put(at, body); status != http.StatusCreated {
		t.Fatalf("%d", status)
	}
	// The address of a download cannot be written to.
	if status, reply := a.finalize("x", body); status != http.StatusOK {
		t.Fatal(status, reply)
	}
	_, reply := b.artifact("GetSignedArtifactURL", map[string]any{"name": "x"})
	down := reply["signed_url"].(string)
	if status := b.put(down, "other"); status != http.StatusForbidden {
		t.Errorf("write to a download: %d", status)
	}
	if status, text, h := b.send("GET", down, "", "X-Ms-Range", "bytes=0-3"); status != http.StatusPartialContent || text != body[:4] || h.Get("X-Ms-Blob-Type") != "BlockBlob" {
		t.Errorf("range: %d %q", status, text)
	}
	if status, _, _ := b.send("HEAD", down, ""); status != http.StatusOK {
		t.Errorf("HEAD: %d", status)
	}
	w.End("b", 1)
	if status, _, _ := a.send("GET", down, ""); status != http.StatusForbidden {
		t.Errorf("a download's address outlives its job: %d", status)
	}
}

func TestNothingIsWrittenAfterAJobsEnd(t *testing.T) {
	w := serve(t)
	c := w.job(t, toolkit.Job{ID: "a", Attempt: 1})
	at := c.create("x")
	if status := c.put(at, zipped(t, "f")); status != http.StatusCreated {
		t.Fatal(status)
	}
	w.End("a", 1)
	w.End("a", 1)
	if status := c.put(at, "more"); status != http.StatusForbidden {
		t.Errorf("upload: %d", status)
	}
	if status, _ := c.finalize("x", "more"); status != http.StatusUnauthorized {
		t.Errorf("finalize: %d", status)
	}
	if all, err := w.artifacts.List(t.Context(), "run-7"); err != nil || len(all) > 0 {
		t.Errorf("%v %v", all, err)
	}
	// The job's next attempt may use the name, and replaces what the first one finished.
	for attempt := 2; attempt <= 3; attempt++ {
		again := w.job(t, toolkit.Job{ID: "a", Attempt: attempt})
		body := zipped(t, fmt.Sprint(attempt))
		if status := again.put(again.create("x"), body); status != http.StatusCreated {
			t.Fatal(status)
		}
		if status, reply := again.finalize("x", body); status != http.StatusOK {
			t.Fatal(status, reply)
		}
		w.End("a", attempt)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Job(toolkit.Job{ID: "late", Attempt: 1}); fault.CodeOf(err) != toolkit.CodeJob {
		t.Errorf("a job after the end: %v", err)
	}
}

func TestWhatIsNotAnArtifact(t *testing.T) {
	w := serve(t)
	c := w.job(t, toolkit.Job{ID: "a", Attempt: 1})
	for _, name := range []string{"", " ", "../up", "a/b", `a\b`, "a:b", "..", ".", "a\nb", "a\x00b", strings.Repeat("n", 300), "<x>"} {
		for _, method := range []string{"CreateArtifact", "GetSignedArtifactURL", "DeleteArtifact"} {
			if status, reply := c.artifact(method, map[string]any{"name": name}); status != http.StatusBadRequest || reply["code"] != "invalid_argument" {
				t.Errorf("%s %q: %d %v", method, name, status, reply)
			}
		}
	}
	for name, message := range map[string]map[string]any{
		"expired before": {"name": "x", "expires_at": "2001-01-01T00:00:00Z"}, "no time": {"name": "x", "expires_at": "soon"},
		"a list": {"name": []string{"x"}}, "a header": {"name": "x", "mime_type": "a\r\nb: c"}, "no number": {"name": "x", "id_filter": "many"},
	} {
		method := "CreateArtifact"
		if name == "no number" {
			method = "ListArtifacts"
		}
		if status, reply := c.artifact(method, message); status != http.StatusBadRequest {
			t.Errorf("%s: %d %v", name, status, reply)
		}
	}
	for _, method := range []string{"GetSignedArtifactURL", "DeleteArtifact", "FinalizeArtifact"} {
		if status, _ := c.artifact(method, map[string]any{"name": "nobody"}); status != http.StatusNotFound {
			t.Errorf("%s: %d", method, status)
		}
	}
	at := c.base + "twirp/github.actions.results.api.v1.ArtifactService/ListArtifacts"
	bearer := "Bearer " + c.token
	for name, try := range map[string]struct {
		body, kind string
		status     int
	}{
		"protobuf":      {"", "application/protobuf", http.StatusUnsupportedMediaType},
		"no JSON":       {"{", "application/json", http.StatusBadRequest},
		"a list":        {"[]", "application/json", http.StatusBadRequest},
		"a big message": {strings.Repeat(" ", 2<<20), "application/json", http.StatusRequestEntityTooLarge},
	} {
		if status, text, _ := c.send("POST", at, try.body, "Content-Type", try.kind, "Authorization", bearer); status != try.status {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	// What was not uploaded, or is not what was said.
	up := c.create("x")
	if status, _ := c.finalize("x", ""); status != http.StatusBadRequest {
		t.Errorf("nothing uploaded: %d", status)
	}
	c.put(up, "four")
	if status, reply := c.finalize("x", "fourr"); status != http.StatusBadRequest {
		t.Errorf("another size: %d %v", status, reply)
	}
	if status, reply := c.finalize("x", "rouf"); status != http.StatusBadRequest || !strings.Contains(reply["msg"].(string), "SHA-256") {
		t.Errorf("another digest: %d %v", status, reply)
	}
	if status, reply := c.finalize("x", "four"); status != http.StatusOK {
		t.Errorf("%d %v", status, reply)
	}
}

func TestBlocks(t *testing.T) {
	w := serve(t)
	c := w.job(t, toolkit.Job{ID: "a", Attempt: 1})
	at := c.create("x")
	id := func(name string) string { return base64.StdEncoding.EncodeToString([]byte(name)) }
	block := func(name, body string, headers ...string) int {
		status, _, _ := c.send("PUT", at+"&comp=block&blockid="+url.QueryEscape(id(name)), body, headers...)
		return status
	}
	list := func(xml string) (int, string) {
		status, _, h := c.send("PUT", at+"&comp=blocklist", "<?xml version='1.0'?><BlockList>"+xml+"</BlockList>")
		return status, h.Get("X-Ms-Error-Code")
	}
	sum := md5.Sum([]byte("one"))
	if status := block("1", "eno", "Content-Md5", base64.StdEncoding.EncodeToString(sum[:])); status != http.StatusBadRequest {
		t.Errorf("another MD5: %d", status)
	}
	if status := block("1", "one", "Content-Md5", base64.StdEncoding.EncodeToString(sum[:])); status != http.StatusCreated {
		t.Errorf("%d", status)
	}
	block("2", "TWO")
	block("2", "two")
	block("3", "three")
	for name, c := range map[string]struct{ xml, code string }{
		"an unknown block": {"<Latest>" + id("1") + "</Latest><Latest>" + id("9") + "</Latest>", "InvalidBlockList"},
		"another element":  {"<Newest>" + id("1") + "</Newest>", "InvalidXmlNodeValue"},
		"no XML":           {"<", "InvalidXmlDocument"},
		"entities":         {"<Latest>&lol;</Latest>", "InvalidXmlDocument"},
	} {
		if status, code := list(c.xml); status != http.StatusBadRequest || code != c.code {
			t.Errorf("%s: %d %s", name, status, code)
		}
	}
	if status, code := list("<Latest>" + id("2") + "</Latest><Uncommitted>" + id("1") + "</Uncommitted><Latest>" + id("2") + "</Latest>"); status != http.StatusCreated {
		t.Fatal(status, code)
	}
	if status, reply := c.finalize("x", "twoonetwo"); status != http.StatusOK {
		t.Error(status, reply)
	}
	for name, query := range map[string]string{"no id": "&comp=block", "no Base64": "&comp=block&blockid=%21", "a long id": "&comp=block&blockid=" + strings.Repeat("AAAA", 100), "another verb": "&comp=page"} {
		if status, _, _ := c.send("PUT", c.create("y")+query, "x"); status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, status)
		}
	}
	if status, _, _ := c.send("PUT", c.create("y"), "x", "X-Ms-Blob-Type", "PageBlob"); status != http.StatusBadRequest {
		t.Errorf("a page blob: %d", status)
	}
}

func TestUploadsAreBounded(t *testing.T) {
	w := serve(t, func(o *toolkit.Options) {
		o.Limits = toolkit.Limits{Bytes: 1000, JobBytes: 1500, Uploads: 3, Artifacts: 2, Blocks: 2, Grants: 2}
	})
	c := w.job(t, toolkit.Job{ID: "a", Attempt: 1})
	at := c.create("x")
	if status := c.put(at, strings.Repeat("x", 1001)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a big upload: %d", status)
	}
	for i, want := range []int{http.StatusCreated, http.StatusCreated, http.StatusRequestEntityTooLarge} {
		if status, _, _ := c.send("PUT", at+"&comp=block&blockid=AAA"+strconv.Itoa(i), strings.Repeat("x", 300)); status != want {
			t.Errorf("block %d: %d", i, status)
		}
	}
	if status, _, _ := c.send("PUT", at+"&comp=block&blockid=AAA1", strings.Repeat("x", 900)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("big blocks: %d", status)
	}
	// A list may name a block twice; the content may not become too large so.
	if status, _, _ := c.send("PUT", at+"&comp=blocklist", "<BlockList>"+strings.Repeat("<Latest>AAA0</Latest>", 4)+"</BlockList>"); status != http.StatusBadRequest {
		t.Errorf("a long list: %d", status)
	}
	other := c.create("y")
	if status := c.put(other, strings.Repeat("y", 950)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("more than the job may have: %d", status)
	}
	c.create("z")
	if status, reply := c.artifact("CreateArtifact", map[string]any{"name": "one more"}); status != http.StatusBadRequest {
		t.Errorf("uploads: %d %v", status, reply)
	}
	for _, name := range []string{"x", "y"} {
		body := strings.Repeat(name, 400)
		if status := c.put(c.create(name), body); status != http.StatusCreated {
			t.Fatal(status)
		}
		if status, reply := c.finalize(name, body); status != http.StatusOK {
			t.Fatal(status, reply)
		}
	}
	if status, reply := c.artifact("CreateArtifact", map[string]any{"name": "third"}); status != http.StatusBadRequest || !strings.Contains(reply["msg"].(string), "2 artifacts") {
		t.Errorf("artifacts: %d %v", status, reply)
	}
	for i, want := range []int{200, 200, 400} {
		if status, _ := c.artifact("GetSignedArtifactURL", map[string]any{"name": "x"}); status != want {
			t.Errorf("grant %d: %d", i, status)
		}
	}
}

func TestHostileZipsAreKeptAndNotUnpacked(t *testing.T) {
	w := serve(t)
	c := w.job(t, toolkit.Job{ID: "a", Attempt: 1})
	bodies := map[string]string{
		"up": zipped(t, "ok", "../up"), "deep": zipped(t, "a/../../up"), "absolute": zipped(t, "//etc/x"), "link": zipped(t, "link:l", "l/x"), "none": "no zip", "cut": zipped(t, "f")[:20],
		"top": zipped(t, "./"), "empty": "",
	}
	for name, body := range bodies {
		if status := c.put(c.create(name), body); status != http.StatusCreated {
			t.Fatal(name, status)
		}
		if status, reply := c.finalize(name, body); status != http.StatusOK {
			t.Fatal(name, status, reply)
		}
	}
	for name := range maps.Keys(bodies) {
		to := filepath.Join(t.TempDir(), "in")
		if err := os.Mkdir(to, 0o755); err != nil {
			t.Fatal(err)
		}
		_, _, err := w.artifacts.Download(t.Context(), artifact.Choice{Run: "run-7", Name: name}, artifact.Target{Space: glob.Space{{Job: to, Host: to}}, Dir: to})
		code := map[string]string{"none": artifact.CodeDamaged, "cut": artifact.CodeDamaged, "empty": artifact.CodeDamaged, "top": ""}
		want, other := code[name]
		if !other {
			want = artifact.CodeUnsafe
		}
		if fault.CodeOf(err) != want {
			t.Errorf("%s: %v", name, err)
		}
		if left, err := os.ReadDir(filepath.Dir(to)); err != nil || len(left) != 1 {
			t.Errorf("%s: %v %v", name, left, err)
		}
	}
}

func TestCachesOfAnotherBranch(t *testing.T) {
	w := serve(t)
	save := func(c caller, key string) int {
		status, reply := c.call("CacheService", "CreateCacheEntry", map[string]any{"key": key, "version": "v"})
		if status != http.StatusOK {
			return status
		}
		if put := c.put(reply["signed_upload_url"].(string), "cache"); put != http.StatusCreated {
			t.Fatal(put)
		}
		status, _ = c.call("CacheService", "FinalizeCacheEntryUpload", map[string]any{"key": key, "version": "v", "size_bytes": "5"})
		return status
	}
	find := func(c caller, key string, more ...string) string {
		_, reply := c.call("CacheService", "GetCacheEntryDownloadURL", map[string]any{"key": key, "restore_keys": more, "version": "v"})
		matched, _ := reply["matched_key"].(string)
		return matched
	}
	main := w.job(t, toolkit.Job{ID: "main", Attempt: 1, Scope: "refs/heads/main"})
	topic := w.job(t, toolkit.Job{ID: "topic", Attempt: 1, Scope: "refs/heads/topic", Scopes: []string{"refs/heads/main"}})
	other := w.job(t, toolkit.Job{ID: "other", Attempt: 1, Scope: "refs/heads/other", Scopes: []string{"refs/heads/main"}})
	for _, try := range []struct {
		who    caller
		key    string
		status int
	}{{main, "k-1", 200}, {main, "k-1", 409}, {topic, "k-1", 200}, {topic, "k-2", 200}, {main, "a,b", 400}, {main, strings.Repeat("k", 513), 400}, {main, "", 400}} {
		if status := save(try.who, try.key); status != try.status {
			t.Errorf("save %q: %d, want %d", try.key, status, try.status)
		}
	}
	for _, try := range []struct {
		who  caller
		key  string
		want string
	}{{main, "k-1", "k-1"}, {main, "k-2", ""}, {topic, "k-2", "k-2"}, {other, "k-1", "k-1"}, {other, "k-2", ""}, {topic, "k-", "k-2"}, {other, "k-", "k-1"}} {
		if got := find(try.who, try.key); got != try.want {
			t.Errorf("find %q: %q, want %q", try.key, got, try.want)
		}
	}
	if got := find(other, "no", "nope", "k"); got != "k-1" {
		t.Errorf("restore keys: %q", got)
	}
	if status, _ := main.call("CacheService", "GetCacheEntryDownloadURL", map[string]any{"key": "k", "restore_keys": strings.Split("abcdefghijk", ""), "version": "v"}); status != http.StatusBadRequest {
		t.Errorf("many keys: %d", status)
	}
}

func TestOlderCachesHaveNoHoles(t *testing.T) {
	w := serve(t)
	c := w.job(t, toolkit.Job{ID: "a", Attempt: 1})
	at, bearer := c.base+"_apis/artifactcache/caches", "Bearer "+c.token
	status, text, _ := c.send("POST", at, `{"key":"k","version":"v"}`, "Authorization", bearer)
	if status != http.StatusCreated {
		t.Fatal(status, text)
	}
	patch := func(span, body string) int {
		status, _, _ := c.send("PATCH", at+"/1", body, "Authorization", bearer, "Content-Range", span)
		return status
	}
	for span, want := range map[string]int{"bytes 4-7/*": 204, "bytes 9-8/*": 400, "lines 0-3": 400, "bytes 0-9/*": 400, "bytes 0-1/*": 400} {
		if status := patch(span, "5678"); status != want {
			t.Errorf("%s: %d", span, status)
		}
	}
	commit := func(size int) int {
		status, _, _ := c.send("POST", at+"/1", fmt.Sprintf(`{"size":%d}`, size), "Authorization", bearer)
		return status
	}
	if status := commit(4); status != http.StatusBadRequest {
		t.Errorf("a hole: %d", status)
	}
	if status := patch("bytes 0-3/*", "1234"); status != http.StatusNoContent {
		t.Error(status)
	}
	if status := commit(8); status != http.StatusNoContent {
		t.Error(status)
	}
	if status := commit(8); status != http.StatusNotFound {
		t.Errorf("twice: %d", status)
	}
	_, text, _ = c.send("GET", c.base+"_apis/artifactcache/cache?keys=k&version=v", "", "Authorization", bearer)
	if !strings.Contains(text, `"cacheKey":"k"`) {
		t.Error(text)
	}
}

func TestAnEndOfTheRunEndsTheServices(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	dir := t.TempDir()
	w := serveIn(t, dir)
	s, err := toolkit.Start(ctx, toolkit.Options{Dir: dir, Run: "r", Artifacts: w.artifacts, Caches: w.caches})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Job(toolkit.Job{ID: "a", Attempt: 1}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Job(toolkit.Job{ID: "a", Attempt: 1}); err == nil {
		t.Error("served twice")
	}
	if _, _, err := s.Job(toolkit.Job{ID: "b", Attempt: 1, Listen: "198.51.100.7"}); fault.CodeOf(err) != toolkit.CodeListen {
		t.Errorf("an address of another machine: %v", err)
	}
	cancel(errors.New("enough"))
	if _, _, err := s.Job(toolkit.Job{ID: "c", Attempt: 1}); err == nil {
		t.Error("a job after the run's end")
	}
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
	if _, err := toolkit.Start(t.Context(), toolkit.Options{}); err == nil {
		t.Error("started without anything")
	}
}

func TestWhatDeadRunsLeftIsRemoved(t *testing.T) {
	dir := t.TempDir()
	old, fresh := filepath.Join(dir, "toolkit", "dead.1"), filepath.Join(dir, "toolkit", "alive.1")
	long := time.Now().Add(-30 * 24 * time.Hour)
	if err := errors.Join(os.MkdirAll(old, 0o755), os.Mkdir(fresh, 0o755), os.Chtimes(old, long, long)); err != nil {
		t.Fatal(err)
	}
	w := serveIn(t, dir)
	w.job(t, toolkit.Job{ID: "a", Attempt: 1})
	_, oldErr := os.Stat(old)
	if _, err := os.Stat(fresh); err != nil || oldErr == nil {
		t.Error(err, oldErr)
	}
	if err := os.Remove(fresh); err != nil {
		t.Error(err)
	}
}

func TestAnotherAddressForContainers(t *testing.T) {
	w := serve(t, func(o *toolkit.Options) { o.Hosts = []string{"host.docker.internal"} })
	c := w.job(t, toolkit.Job{ID: "a", Attempt: 1, Listen: "127.0.0.9"})
	if !strings.HasPrefix(c.base, "http://127.0.0.9:") {
		t.Fatal(c.base)
	}
	if at := c.create("x"); !strings.HasPrefix(at, c.base) {
		t.Error(at)
	}
	port := c.base[strings.LastIndex(c.base, ":")+1:]
	if status, _, _ := c.send("GET", c.base+".well-known/jwks", "", "Host", "host.docker.internal:"+strings.TrimSuffix(port, "/")); status != http.StatusOK {
		t.Error(status)
	}
}

func FuzzMessages(f *testing.F) {
	for _, seed := range []string{`{}`, `{"name":"x"}`, `{"name":{"value":"x"}}`, `{"idFilter":"7"}`, `{"id_filter":7,"name_filter":null}`, `{"key":"k","version":"v","restore_keys":["a"]}`, `[`} {
		f.Add(seed)
	}
	dir := f.TempDir()
	s, err := toolkit.Start(f.Context(), toolkit.Options{Dir: dir, Run: "r", Artifacts: &artifact.Store{Dir: dir}, Caches: noCaches{}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close(context.Background()) })
	env, token, err := s.Job(toolkit.Job{ID: "a", Attempt: 1})
	if err != nil {
		f.Fatal(err)
	}
	base := strings.TrimPrefix(env[0], "ACTIONS_RUNTIME_URL=")
	f.Fuzz(func(t *testing.T, message string) {
		c := caller{t: t, base: base, token: token}
		for _, path := range []string{"ArtifactService/CreateArtifact", "ArtifactService/ListArtifacts", "CacheService/CreateCacheEntry", "CacheService/GetCacheEntryDownloadURL"} {
			status, text, _ := c.send("POST", base+"twirp/github.actions.results.api.v1."+path, message, "Content-Type", "application/json", "Authorization", "Bearer "+token)
			if status >= 500 {
				t.Errorf("%s: %d %s", path, status, text)
			}
		}
	})
}
