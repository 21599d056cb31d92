package render_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/edge/render"
	"github.com/sluice-delivery/sluice/internal/edge/sandbox"
)

// refusedOrRendered renders a folder with an override and a value file, and holds that a mistake in them is a fault and
// never a broken child.
func refusedOrRendered(t testing.TB, s *render.Sources, tool, override, values string) error {
	dir, err := os.MkdirTemp("", "sluice-fuzz-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	texts := map[string]string{".argocd-source.yaml": override, "more.yaml": values}
	settings := ""
	switch tool {
	case "helm":
		texts["Chart.yaml"] = "apiVersion: v2\nname: x\nversion: 1.0.0\n"
		settings = "helm: {valueFiles: [more.yaml]}"
	case "kustomize":
		texts["kustomization.yaml"] = values
	}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, err := run(t, s, app(t, "repoURL: "+dir+"\npath: .\n"+settings))
	for _, o := range d.Objects {
		o.JSON()
	}
	return err
}

// broken reports whether an error is anything but a fault with words for a person.
func broken(err error) bool {
	if err == nil {
		return false
	}
	code := codeOf(err)
	return code == "?" || code == sandbox.CodeCrash || strings.Contains(err.Error(), "broke down")
}

func FuzzOverride(f *testing.F) {
	for _, s := range []string{"helm: {releaseName: x}", "kustomize: {images: [a=b]}", "directory: {recurse: true, include: '{'}", "helm: {parameters: [{name: 'a[99999999]', value: x}]}", "[]", "helm: {valueFiles: ['../..']}", "plugin: {}", "helm: {valuesObject: {a: &a [*a]}}", "\x00", "a: !!binary x"} {
		f.Add("helm", s, "a: b")
		f.Add("kustomize", "", s)
		f.Add("directory", s, s)
	}
	s := open(f)
	f.Fuzz(func(t *testing.T, tool, override, values string) {
		if err := refusedOrRendered(t, s, tool, override, values); broken(err) {
			t.Errorf("%v", err)
		}
	})
}

// TestNoOverrideBreaksAChild draws overrides and kustomizations from their own words, put together wrongly.
func TestNoOverrideBreaksAChild(t *testing.T) {
	s := open(t)
	s.Warn = nil
	scalar := rapid.SampledFrom([]string{"null", "true", "-1", "1e400", "''", "'*'", "a", "'../..'", "'$x/y'", "a.yaml", "/etc/passwd", "'{{'", "'a[0].b'", "'a[1'", "99999999999999999999", "~", "'{a,b}'", "more.yaml", "kustomization.yaml", "'x=y:z@w'", "https://a/b//c"})
	key := rapid.SampledFrom([]string{"helm", "kustomize", "directory", "values", "valuesObject", "valueFiles", "parameters", "fileParameters", "name", "value", "path", "releaseName", "images", "patches", "patch", "target", "replicas", "count", "commonLabels", "components", "resources", "generators", "configMapGenerator", "literals", "files", "include", "exclude", "jsonnet", "libs", "tlas", "vars", "openapi", "replacements", "labels", "pairs", "bases", "transformers", "kind", "metadata", "namePrefix"})
	var value func(depth int) *rapid.Generator[string]
	value = func(depth int) *rapid.Generator[string] {
		return rapid.Custom(func(r *rapid.T) string {
			how := rapid.IntRange(0, 3).Draw(r, "how")
			if depth == 0 || how == 0 {
				return scalar.Draw(r, "scalar")
			}
			var parts []string
			for range rapid.IntRange(0, 3).Draw(r, "parts") {
				text := value(depth-1).Draw(r, "value")
				if how > 1 {
					text = key.Draw(r, "key") + ": " + text
				}
				parts = append(parts, text)
			}
			if how > 1 {
				return "{" + strings.Join(parts, ", ") + "}"
			}
			return "[" + strings.Join(parts, ", ") + "]"
		})
	}
	codes := map[string]int{}
	rapid.Check(t, func(r *rapid.T) {
		tool := rapid.SampledFrom([]string{"helm", "kustomize", "directory"}).Draw(r, "tool")
		override, values := value(4).Draw(r, "override"), value(4).Draw(r, "values")
		err := refusedOrRendered(t, s, tool, override, values)
		if broken(err) {
			r.Fatalf("%s\n%s\n%v", override, values, err)
		}
		code := "rendered"
		if err != nil {
			code = codeOf(err)
		}
		codes[code]++
	})
	t.Logf("%v", codes)
	if len(codes) < 3 {
		t.Errorf("hardly anything was tried: %v", codes)
	}
}
