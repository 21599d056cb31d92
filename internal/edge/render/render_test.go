package render_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/edge/render"
	"github.com/sluice-delivery/sluice/internal/edge/sandbox"
	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "sandbox" {
		if err := sandbox.Main(sandbox.Kinds{render.Kind: render.Serve}, os.Args[2], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		os.Exit(0)
	}
	pool = sandbox.New(sandbox.Options{Kind: render.Kind})
	code := m.Run()
	pool.Close()
	os.Exit(code)
}

var pool *sandbox.Pool

// open makes sources over an empty state.
func open(t testing.TB) *render.Sources {
	t.Helper()
	c := source.Open(source.Options{Dir: t.TempDir()})
	t.Cleanup(c.Close)
	return &render.Sources{Cache: c, Pool: pool, Warn: func(app string, f *fault.Fault) { t.Logf("%s: %v", app, f) }}
}

var target = render.Target{KubeVersion: "v1.35.4", APIVersions: []string{"v1", "apps/v1", "example.com/v1/Thing"}, Namespace: "prod"}

// app is an Application called web with sources as YAML.
func app(t testing.TB, sources ...string) application.Application {
	t.Helper()
	a := application.Application{Object: manifest.Object{"kind": "Application", "metadata": map[string]any{"name": "web", "namespace": "argocd"}}}
	a.Spec.Destination.Namespace = "prod"
	a.Spec.Project = "shop"
	for _, text := range sources {
		var s application.Source
		data, err := yaml.YAMLToJSON([]byte(text))
		if err == nil {
			err = json.Unmarshal(data, &s)
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		a.Spec.Sources = append(a.Spec.Sources, s)
	}
	return a
}

func run(t testing.TB, s *render.Sources, a application.Application) (application.Desired, error) {
	t.Helper()
	revisions, err := s.Resolve(t.Context(), a, a.Spec.Sources)
	if err != nil {
		return application.Desired{}, err
	}
	return s.Render(t.Context(), a, a.Spec.Sources, revisions, target)
}

// files writes a txtar archive into a new folder. A file whose text is "-> TARGET" becomes a link.
func files(t testing.TB, archive string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, archive)
	return dir
}

func write(t testing.TB, dir, archive string) {
	t.Helper()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		p := filepath.Join(dir, f.Name)
		err := os.MkdirAll(filepath.Dir(p), 0o755)
		if link, ok := strings.CutPrefix(string(f.Data), "-> "); ok && err == nil {
			err = os.Symlink(strings.TrimSpace(link), p)
		} else if err == nil {
			err = os.WriteFile(p, f.Data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// show is what was rendered as text: a line of JSON for each object, with its tool before it.
func show(d application.Desired) string {
	var b strings.Builder
	fmt.Fprintln(&b, strings.Join(d.Types, " "))
	for _, o := range d.Objects {
		fmt.Fprintln(&b, string(o.JSON()))
	}
	return b.String()
}

// TestFiles renders what stands in testdata: each archive holds repositories (folders at its top), the sources of an
// application under "sources" (YAML documents, DIR stands for the folder) and what must come of it under "want", or under
// "error" the beginning of each mistake.
func TestFiles(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) < 10 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			ar := txtar.Parse(text)
			var repos, rest txtar.Archive
			for _, f := range ar.Files {
				if strings.Contains(f.Name, "/") {
					repos.Files = append(repos.Files, f)
				} else {
					rest.Files = append(rest.Files, f)
				}
			}
			dir := files(t, string(txtar.Format(&repos)))
			for i, f := range rest.Files {
				if f.Name != "sources" {
					continue
				}
				var sources []string
				for s := range strings.SplitSeq(string(f.Data), "---\n") {
					sources = append(sources, strings.ReplaceAll(s, "DIR", dir))
				}
				d, err := run(t, open(t), app(t, sources...))
				got := show(d)
				if err != nil {
					got = err.Error() + "\n"
				}
				got = strings.ReplaceAll(got, dir, "DIR")
				if os.Getenv("UPDATE") != "" {
					rest.Files[i+1].Data = []byte(got)
					continue
				}
				if want := string(rest.Files[i+1].Data); got != want {
					t.Errorf("%s\ngot:\n%swant:\n%s", f.Data, got, want)
				}
			}
			if os.Getenv("UPDATE") != "" {
				whole := &txtar.Archive{Comment: ar.Comment, Files: append(repos.Files, rest.Files...)}
				if err := os.WriteFile(name, txtar.Format(whole), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
