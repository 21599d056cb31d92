package source_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/secret"
)

// pack makes a chart's archive: name, content, name, content. A content that begins with -> makes a link.
func pack(t *testing.T, pairs ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	a := tar.NewWriter(z)
	for i := 0; i < len(pairs); i += 2 {
		h := &tar.Header{Name: pairs[i], Mode: 0o644, Size: int64(len(pairs[i+1])), Typeflag: tar.TypeReg}
		if target, ok := strings.CutPrefix(pairs[i+1], "->"); ok {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, target, 0
		}
		if err := a.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := a.Write([]byte(pairs[i+1])); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// shelf is a chart repository.
type shelf struct {
	*httptest.Server
	files    map[string][]byte
	password string
	asked    atomic.Int64
	leaked   atomic.Int64 // requests that carried a password
}

func newShelf(t *testing.T) *shelf {
	s := &shelf{files: map[string][]byte{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		_, password, ok := r.BasicAuth()
		if ok {
			s.leaked.Add(1)
		}
		text, found := s.files[r.URL.Path]
		switch {
		case s.password != password && s.password != "":
			w.WriteHeader(http.StatusUnauthorized)
		case !found:
			w.WriteHeader(http.StatusNotFound)
		default:
			_, _ = w.Write(text)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// put offers a version of a chart and writes the index anew.
func (s *shelf) put(t *testing.T, index *strings.Builder, name, version, url string, text []byte) {
	t.Helper()
	if index.Len() == 0 {
		fmt.Fprintf(index, "apiVersion: v1\nentries:\n  %s:\n", name)
	}
	fmt.Fprintf(index, "  - {name: %s, version: %s, urls: [%q], digest: %x}\n", name, version, url, sha256.Sum256(text))
	if !strings.Contains(url, "://") {
		s.files["/charts/"+url] = text
	}
	s.files["/charts/index.yaml"] = []byte(index.String())
}

func TestChartsComeFromTheirRepository(t *testing.T) {
	s := newShelf(t)
	var index strings.Builder
	for _, v := range []string{"1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1"} {
		s.put(t, &index, "web", v, "web-"+v+".tgz", pack(t, "web/Chart.yaml", "name: web\nversion: "+v+"\n", "web/templates/a.yaml", v))
	}
	s.password = "canary"
	now := morning
	dir := t.TempDir()
	open := func() *source.Cache {
		c := source.Open(source.Options{Dir: dir, Now: func() time.Time { return now }})
		c.Use(source.Settings{Repositories: []source.Repository{{URL: s.URL, Prefix: true, Username: "me", Password: secret.New("canary")}}})
		return c
	}
	c := open()
	w := source.ChartWant{RepoURL: s.URL + "/charts", Chart: "web"}
	for revision, want := range map[string]string{"": "1.10.0", "*": "1.10.0", "1.2": "1.2.0"[:0], "1.2.0": "1.2.0", "1.2.x": "1.2.0", "<1.1": "1.0.0", ">=1.0.0-0": "2.0.0-rc.1", "2.0.0-rc.1": "2.0.0-rc.1"} {
		w.Revision = revision
		got, _, err := c.ResolveChart(t.Context(), w)
		if want == "" {
			want = "1.2.0" // 1.2 is the version 1.2.0
		}
		if err != nil || got != want {
			t.Errorf("%q is %s, %v; want %s", revision, got, err, want)
		}
	}
	tree, err := c.Chart(t.Context(), w, "1.2.0")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := tree.Read(t.Context(), "templates/a.yaml"); err != nil || string(text) != "1.2.0" {
		t.Errorf("%q, %v", text, err)
	}
	for chart, revision := range map[string]string{"wbe": "1.0.0", "web": "9.x", "web ": "1.2.1"} {
		_, _, err := c.ResolveChart(t.Context(), source.ChartWant{RepoURL: w.RepoURL, Chart: strings.TrimSpace(chart), Revision: revision})
		if fault.CodeOf(err) != source.CodeChart {
			t.Errorf("%s %s: %v", chart, revision, err)
		}
	}
	for _, evil := range []source.ChartWant{{Chart: "../web"}, {Chart: "web", Revision: "../../x"}, {Chart: ".."}} {
		evil.RepoURL = w.RepoURL
		if _, err := c.Chart(t.Context(), evil, "1.0.0"+evil.Revision); fault.CodeOf(err) != source.CodeChart {
			t.Errorf("%+v: %v", evil, err)
		}
	}
	s.Close()
	now = now.Add(time.Hour)
	away := open()
	w.Revision = "1.x"
	got, why, err := away.ResolveChart(t.Context(), w)
	if err != nil || got != "1.10.0" || fault.CodeOf(why) != source.CodeUnreachable {
		t.Errorf("without the server: %s, %v, %v", got, why, err)
	}
	if _, err := away.Chart(t.Context(), w, "1.2.0"); err != nil {
		t.Errorf("without the server: %v", err)
	}
}

func TestAChartRepositoryLeadsNowherePrivate(t *testing.T) {
	s, other := newShelf(t), newShelf(t)
	text := pack(t, "web/Chart.yaml", "x")
	var index strings.Builder
	other.files["/web.tgz"] = text
	s.put(t, &index, "web", "1.0.0", other.URL+"/web.tgz", text)
	s.put(t, &index, "web", "1.1.0", "http://169.254.169.254/latest/web.tgz", text)
	s.put(t, &index, "web", "1.2.0", "file:///etc/passwd", text)
	s.put(t, &index, "web", "1.3.0", "web-1.3.0.tgz", text)
	s.files["/charts/web-1.3.0.tgz"] = []byte("something else")
	s.put(t, &index, "web", "1.4.0", "../../../../etc/passwd", text)
	now := morning
	c := source.Open(source.Options{Dir: t.TempDir(), Now: func() time.Time { return now }})
	c.Use(source.Settings{Repositories: []source.Repository{{URL: s.URL + "/charts", Username: "me", Password: secret.New("canary")}}})
	w := source.ChartWant{RepoURL: s.URL + "/charts", Chart: "web"}
	for version, code := range map[string]string{"1.0.0": source.CodeAddress, "1.1.0": source.CodeAddress, "1.2.0": source.CodeAddress, "1.3.0": source.CodeChart} {
		if _, err := c.Chart(t.Context(), w, version); fault.CodeOf(err) != code {
			t.Errorf("%s: %v", version, err)
		}
	}
	if other.asked.Load() != 0 {
		t.Error("the private server was asked")
	}
	if s.leaked.Load() == 0 {
		t.Error("the repository itself was asked without the password")
	}
	folder := t.TempDir()
	if err := os.WriteFile(folder+"/index.yaml", s.files["/charts/index.yaml"], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder+"/web-1.3.0.tgz", text, 0o600); err != nil {
		t.Fatal(err)
	}
	w.RepoURL = "file://" + folder
	if _, err := c.Chart(t.Context(), w, "1.3.0"); err != nil {
		t.Errorf("from a folder: %v", err)
	}
	for _, version := range []string{"1.0.0", "1.2.0", "1.4.0"} {
		if _, err := c.Chart(t.Context(), w, version); err == nil {
			t.Errorf("a folder led outside: %s", version)
		}
	}
	for _, repo := range []string{"oci://registry.example.com/charts", "registry-1.docker.io/bitnamicharts"} {
		if _, _, err := c.ResolveChart(t.Context(), source.ChartWant{RepoURL: repo, Chart: "web"}); fault.CodeOf(err) != source.CodeUnsupported {
			t.Errorf("%s: %v", repo, err)
		}
	}
}

func TestHostileArchives(t *testing.T) {
	s := newShelf(t)
	var index strings.Builder
	bomb := pack(t, "web/Chart.yaml", strings.Repeat("0", 101<<20))
	for version, text := range map[string][]byte{
		"1.0.0": []byte("no archive"), "1.1.0": pack(t, "../x", "y"), "1.2.0": pack(t, "/etc/x", "y"), "1.3.0": pack(t, "web/../../x", "y"),
		"1.4.0": pack(t), "1.5.0": bomb[:len(bomb)/2], "1.6.0": bomb, "1.7.0": pack(t, "top", "y"),
	} {
		s.put(t, &index, "web", version, "web-"+version+".tgz", text)
	}
	good := pack(t, "web/Chart.yaml", "x", "web/link", "->/etc/passwd")
	s.put(t, &index, "web", "2.0.0", "web-2.0.0.tgz", good)
	c := source.Open(source.Options{Dir: t.TempDir()})
	w := source.ChartWant{RepoURL: s.URL + "/charts", Chart: "web"}
	for _, version := range []string{"1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0", "1.6.0", "1.7.0"} {
		if _, err := c.Chart(t.Context(), w, version); fault.CodeOf(err) != source.CodeChart && fault.CodeOf(err) != source.CodeLarge {
			t.Errorf("%s: %v", version, err)
		}
	}
	tree, err := c.Chart(t.Context(), w, "2.0.0")
	if err != nil {
		t.Fatal(err)
	}
	if paths, err := tree.Paths(t.Context(), ""); err != nil || len(paths) != 1 {
		t.Errorf("links are left out: %v, %v", paths, err)
	}
}
