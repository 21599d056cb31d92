package render_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/render"
	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// pack makes a chart's archive: name, content, name, content.
func pack(t *testing.T, pairs ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	a := tar.NewWriter(z)
	for i := 0; i < len(pairs); i += 2 {
		if err := a.WriteHeader(&tar.Header{Name: pairs[i], Mode: 0o644, Size: int64(len(pairs[i+1])), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Write([]byte(pairs[i+1])); err != nil {
			t.Fatal(err)
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

// shelf is a folder that is a chart repository with the chart sub in two versions.
func shelf(t *testing.T) string {
	dir := t.TempDir()
	index := "apiVersion: v1\nentries:\n  sub:\n"
	for _, v := range []string{"1.0.0", "1.1.0", "2.0.0"} {
		text := pack(t, "sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: "+v+"\n", "sub/templates/a.yaml", "kind: ConfigMap\napiVersion: v1\nmetadata: {name: sub-"+v+"-{{ .Values.x | default \"none\" }}}\n")
		if err := os.WriteFile(filepath.Join(dir, "sub-"+v+".tgz"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		index += "  - {name: sub, version: " + v + ", urls: [sub-" + v + ".tgz]}\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "index.yaml"), []byte(index), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file://" + dir
}

func TestDependenciesOfKnownRepositoriesAreFetched(t *testing.T) {
	repo := shelf(t)
	chart := func(extra, repository string) string {
		return files(t, "-- Chart.yaml --\napiVersion: v2\nname: top\nversion: 1.0.0\ndependencies: [{name: sub, version: 1.x, repository: \""+repository+"\"}]\n"+extra)
	}
	s := open(t)
	s.Cache.Use(source.Settings{Repositories: []source.Repository{{URL: repo, Type: "helm", Name: "custom-repo"}}})
	lock := "-- Chart.lock --\ndependencies: [{name: sub, version: 1.0.0, repository: \"@custom-repo\"}]\n"
	for name, c := range map[string]struct{ dir, want string }{
		"by name":  {chart("", "@custom-repo"), "sub-1.1.0-none"},
		"by alias": {chart("", "alias:custom-repo"), "sub-1.1.0-none"},
		"locked":   {chart(lock, "@custom-repo"), "sub-1.0.0-none"},
	} {
		d, err := run(t, s, app(t, "repoURL: "+c.dir+"\npath: ."))
		if err != nil || len(d.Objects) != 1 || d.Objects[0].Name() != c.want {
			t.Errorf("%s: %v, %v", name, d.Objects, err)
		}
	}
	for _, repository := range []string{"@other", "https://charts.example.com", "http://169.254.169.254/latest", "oci://registry.example.com/x", "file:///etc"} {
		_, err := run(t, s, app(t, "repoURL: "+chart("", repository)+"\npath: ."))
		if fault.CodeOf(err) != render.CodeDepend {
			t.Errorf("%s: %v", repository, err)
		}
	}
}

func TestAChartOfARepositoryIsASource(t *testing.T) {
	repo := shelf(t)
	values := files(t, "-- prod.yaml --\nx: prod\n")
	s := open(t)
	for revision, want := range map[string]string{"1.x": "sub-1.1.0-prod", "": "sub-2.0.0-prod", "1.0.0": "sub-1.0.0-prod"} {
		d, err := run(t, s, app(t, "repoURL: "+repo+"\nchart: sub\ntargetRevision: \""+revision+"\"\nhelm: {valueFiles: [$vals/prod.yaml]}", "repoURL: "+values+"\nref: vals"))
		if err != nil || len(d.Objects) != 1 || d.Objects[0].Name() != want || !strings.HasPrefix(want, "sub-"+d.Revisions[0]) {
			t.Errorf("%q: %v %v, %v", revision, d.Revisions, d.Objects, err)
		}
	}
	for _, wrong := range []string{"repoURL: " + repo + "\nchart: sub\nref: x", "repoURL: " + repo + "\nchart: sub\npath: sub"} {
		if _, err := run(t, s, app(t, wrong)); fault.CodeOf(err) != render.CodeSource {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

func TestRemoteBasesOfKnownRepositoriesAreBuilt(t *testing.T) {
	other := files(t, "-- base/kustomization.yaml --\nresources: [../parts, a.yaml]\n-- base/a.yaml --\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n-- parts/kustomization.yaml --\nnamePrefix: p-\nresources: [b.yaml]\n-- parts/b.yaml --\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: b}\n")
	first := commit(t, other)
	write(t, other, "-- base/a.yaml --\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: changed}\n")
	commit(t, other)
	server := serve(t, other)
	dir := files(t, "-- one/kustomization.yaml --\nnameSuffix: -s\nresources: [\""+server+"/.git//base?ref="+first+"\", c.yaml]\n-- one/c.yaml --\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: c}\n-- two/kustomization.yaml --\nresources: [\""+server+"/.git//base\"]\n-- three/kustomization.yaml --\nresources: [\"https://other.example.com/x.git//base\"]\n-- four/kustomization.yaml --\nresources: [\""+server+"/.git//base/../../out\"]\n-- five/kustomization.yaml --\nresources: [\""+server+"/.git//nope\"]\n")
	s := open(t)
	s.Cache.Use(source.Settings{Repositories: []source.Repository{{URL: server + "/.git"}}})
	for path, want := range map[string]string{"one": "p-b-s a-s c-s", "two": "p-b changed"} {
		for range 2 { // from a server, then as it was kept
			d, err := run(t, s, app(t, "repoURL: "+dir+"\npath: "+path))
			var names []string
			for _, o := range d.Objects {
				names = append(names, o.Name())
			}
			if err != nil || strings.Join(names, " ") != want {
				t.Errorf("%s: %v, %v", path, names, err)
			}
		}
	}
	for path, code := range map[string]string{"three": render.CodeRefused, "four": source.CodeOutside, "five": render.CodeKustomize} {
		if _, err := run(t, s, app(t, "repoURL: "+dir+"\npath: "+path)); fault.CodeOf(err) != code {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// serve serves a folder's repository with git's own http-backend.
func serve(t *testing.T, dir string) string {
	t.Helper()
	where, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(&cgi.Handler{
		Path:   filepath.Join(strings.TrimSpace(string(where)), "git-http-backend"),
		Env:    []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
		Stderr: io.Discard,
	})
	t.Cleanup(s.Close)
	return s.URL
}
