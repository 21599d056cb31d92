package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// TestDeliveryIsCheckedFirst: what is committed is looked at before a delivery begins, with the folders that the
// Applications in it name; work that is not committed is not.
func TestDeliveryIsCheckedFirst(t *testing.T) {
	const good = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web}\nspec: {source: {path: web, directory: {recurse: true}}}\n"
	const elsewhere = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: far}\nspec: {source: {path: far, repoURL: 'https://git.example/far.git'}}\n"
	const typo = "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: p}\nspec: {sourceRepo: ['*']}\n"
	const wrong = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: r}\nspec: {replicas: many}\n"
	for name, c := range map[string]struct {
		files map[string]string // committed
		after map[string]string // not committed
		says  string
		fails bool
	}{
		"nothing is wrong":                        {files: map[string]string{"apps/a.yaml": good, "web/x.yaml": "kind: x\n"}},
		"a warning is told":                       {files: map[string]string{"apps/p.yaml": typo}, says: `apps/p.yaml:4:8: warning: spec has no field "sourceRepo"`},
		"a mistake ends it":                       {files: map[string]string{"apps/r.yaml": wrong}, says: "spec.replicas must be a whole number", fails: true},
		"what an Application names is checked":    {files: map[string]string{"apps/a.yaml": good, "web/deep/r.yaml": wrong}, says: "web/deep/r.yaml:4:18", fails: true},
		"folders that nobody names are not":       {files: map[string]string{"apps/a.yaml": good, "else/r.yaml": wrong}},
		"of another repository nothing is known":  {files: map[string]string{"apps/a.yaml": elsewhere, "far/r.yaml": wrong}},
		"what is not committed is not delivered":  {files: map[string]string{"apps/a.yaml": good}, after: map[string]string{"apps/r.yaml": wrong}},
		"folders in the folder are not delivered": {files: map[string]string{"apps/a.yaml": good, "apps/sub/r.yaml": wrong}},
		"charts are rendered first":               {files: map[string]string{"apps/Chart.yaml": "name: c\n", "apps/templates/r.yaml": wrong, "apps/values.yaml": wrong}},
		"a kustomization says what is its own":    {files: map[string]string{"apps/kustomization.yaml": "resources: [../web/r.yaml]\npatches: [{path: p.yaml}]\n", "apps/p.yaml": wrong, "web/r.yaml": typo}, says: "web/r.yaml:4:8"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(files map[string]string) {
				for name, text := range files {
					path := filepath.Join(dir, name)
					if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
			write(c.files)
			if err := commitAll(dir, gitEnv(t.TempDir())); err != nil {
				t.Fatal(err)
			}
			write(c.after)
			cache := source.Open(source.Options{Dir: t.TempDir()})
			defer cache.Close()
			var diag bytes.Buffer
			s := &streams{err: &diag}
			err := s.lintDelivery(t.Context(), &deliveryParts{cache: cache}, delivered{repo: dir, path: "apps"}, deliverFlags{})
			if (err != nil) != c.fails || !strings.Contains(diag.String(), c.says) || c.says == "" && diag.Len() > 0 {
				t.Errorf("%v, and it says\n%s", err, diag.String())
			}
		})
	}
}

func FuzzIsManifest(f *testing.F) {
	f.Add([]byte("apiVersion: v1\nkind: X\n"))
	f.Add([]byte(`{"apiVersion": "v1", "kind": "X"}`))
	f.Add([]byte("a:\n  apiVersion: v1\n  kind: X\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m := &manifestCheck{seen: map[string]bool{}}
		m.text("f.yaml", text, true)
		if m.checked > 0 && !bytes.Contains(text, []byte("piVersion")) && !bytes.Contains(text, []byte(`\`)) {
			t.Errorf("%d objects were found in %q", m.checked, text)
		}
		for _, x := range m.found.Sorted() {
			if x.Severity == fault.Error && x.Code == "" {
				t.Errorf("%v has no code", x)
			}
		}
	})
}
