package render_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/render"
	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// argo is Argo CD's own module, where the module cache holds it.
func argo(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/argoproj/argo-cd/v3").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		t.Skipf("Argo CD's module is not in the module cache: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "test/e2e/testdata")); err != nil {
		t.Skipf("Argo CD's test data is not in its module: %v", err)
	}
	return dir
}

// TestArgosOwnFoldersRender renders every folder of Argo CD's test data. Those that do not render are listed here with
// the fault; anything else is a mistake of ours.
func TestArgosOwnFoldersRender(t *testing.T) {
	dir := argo(t)
	for _, corpus := range []struct {
		folder string
		refuse map[string]string
	}{
		{"test/e2e/testdata", refusedEndToEnd},
		{"reposerver/repository/testdata", refusedRepository},
	} {
		t.Run(filepath.Base(filepath.Dir(corpus.folder)), func(t *testing.T) {
			root := filepath.Join(dir, corpus.folder)
			tree, err := source.Plain(t.Context(), root)
			if err != nil {
				t.Fatal(err)
			}
			paths, err := tree.Paths(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			var folders []string
			for _, p := range paths {
				if f := filepath.Dir(p); !slices.Contains(folders, f) && manifestLike(p) {
					folders = append(folders, f)
				}
			}
			s := open(t)
			s.Warn = nil
			rendered, objects := 0, 0
			got := map[string]string{}
			for _, f := range folders {
				d, err := run(t, s, app(t, "repoURL: file://"+root+"\npath: "+f+"\n"+given[f]))
				if err == nil {
					rendered++
					objects += len(d.Objects)
					continue
				}
				got[f] = codeOf(err)
				if corpus.refuse[f] == "" {
					t.Errorf("%s: %v", f, err)
				}
			}
			for f, code := range corpus.refuse {
				if got[f] != code {
					t.Errorf("%s: %q, listed as %q", f, got[f], code)
				}
			}
			t.Logf("%d of %d folders render, %d objects", rendered, len(folders), objects)
			if rendered < 30 {
				t.Error("hardly anything was rendered")
			}
		})
	}
}

// codeOf is the code of the first fault.
func codeOf(err error) string {
	if code := fault.CodeOf(err); code != "" {
		return code
	}
	for _, f := range strings.Split(err.Error(), "[") {
		if strings.HasPrefix(f, "SL") {
			return f[:6]
		}
	}
	return "?"
}

func manifestLike(name string) bool {
	switch filepath.Ext(name) {
	case ".yaml", ".yml", ".json", ".jsonnet":
		return !strings.Contains(name, "/templates/") && !strings.Contains(name, "/crds/")
	}
	return filepath.Base(name) == "Kustomization"
}

// given are the settings with which Argo CD's own tests render some of the folders.
var given = map[string]string{
	"jsonnet-ext-var": "directory: {jsonnet: {extVars: [{name: foo, value: a}, {name: bar, value: b}]}}",
}

// What of Argo CD's own does not render, and why.
var (
	refusedEndToEnd = map[string]string{
		"declarative-apps": render.CodeManifest, // text templates of Argo CD's own tests, no manifests yet
		// Dependencies of repositories that only those tests run.
		"helm-oci-authed-with-dependencies":                 render.CodeDepend,
		"helm-oci-with-dependencies":                        render.CodeDepend,
		"helm-with-dependencies":                            render.CodeDepend,
		"helm-with-multiple-dependencies":                   render.CodeDepend,
		"helm-with-multiple-dependencies-permission-denied": render.CodeDepend,
		// Bases on servers that only those tests run.
		"https-kustomize-base/local":  render.CodeRefused,
		"https-kustomize-base/remote": render.CodeRefused,
		"ssh-kustomize-base/local":    render.CodeRefused,
		"ssh-kustomize-base/remote":   render.CodeRefused,
		// helmCharts starts the helm program.
		"kustomize-api-versions": render.CodeRefused,
		"kustomize-kube-version": render.CodeRefused,
		"invalid-kustomize":      render.CodeKustomize, // wrong on purpose
		// Not folders of an application: parts of ksonnet, which Argo CD itself no longer renders.
		"ksonnet/components":           render.CodeJsonnet,
		"ksonnet/environments/default": render.CodeJsonnet,
		"ksonnet/environments/dev":     render.CodeJsonnet,
		"ksonnet/environments/prod":    render.CodeJsonnet,
	}
	refusedRepository = map[string]string{
		// Wrong on purpose.
		"broken-schema-verification":       render.CodeValues,
		"invalid-helm":                     render.CodeHelm,
		"invalid-json":                     render.CodeManifest,
		"invalid-kustomize":                render.CodeKustomize,
		"invalid-manifests":                render.CodeManifest,
		"json-list":                        render.CodeManifest,
		"jsonnet-import-abs-outside":       render.CodeRefused,
		"jsonnet-import-device-outside":    render.CodeRefused,
		"jsonnet-import-traversal-outside": source.CodeOutside,
		"partially-valid-yaml":             render.CodeManifest,
		".":                                render.CodeManifest, // out-of-bounds.json, a link that the module lost
		// Their vendor folders are not in the module.
		"jsonnet":   render.CodeJsonnet,
		"jsonnet-1": render.CodeJsonnet,
		// Empty kustomizations, which Kustomize refuses; those tests look at the file's name alone.
		"Kustomization":      render.CodeKustomize,
		"kustomization_yaml": render.CodeKustomize,
		"kustomization_yml":  render.CodeKustomize,
		// Dependencies of repositories that are not there.
		"helm-with-dependencies":       render.CodeDepend,
		"helm-with-dependencies-alias": render.CodeDepend,
		"oci-dependencies":             render.CodeDepend,
	}
)
