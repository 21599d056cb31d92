package argo_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/argo"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

var update = flag.Bool("update", false, "write the golden files")

// TestGolden holds what is said of each file of testdata: X.yaml has X.out, a fault a line.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, f := range check(filepath.Base(file), data) {
				b.WriteString(f.Error() + "\n")
			}
			out := strings.TrimSuffix(file, ".yaml") + ".out"
			if *update {
				if err := os.WriteFile(out, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(out)
			if err != nil || string(want) != b.String() {
				t.Errorf("got\n%s\nwant\n%s", b.String(), want)
			}
		})
	}
}

func check(file string, data []byte) fault.Faults {
	var faults fault.List
	for _, d := range argo.Read(file, data, &faults) {
		argo.Check(d, argo.Reading{}, &faults)
	}
	return faults.Sorted()
}

// TestArgosOwnManifestsAreRead holds that the manifests of the two projects' modules are no mistakes, but for those that
// ask for what Sluice refuses. They are read where they lie.
func TestArgosOwnManifestsAreRead(t *testing.T) {
	roots, err := filepath.Glob(filepath.Join(moduleCache(), "github.com/argoproj/argo-*@*"))
	if err != nil || len(roots) == 0 {
		t.Skip("the modules of Argo are not in the module cache: scripts/deps test brings them")
	}
	read := 0
	for _, root := range roots {
		for _, pattern := range []string{
			"examples/*.yaml", "examples/*/*.yaml", "test/e2e/functional/*.yaml", "test/e2e/istio/*.yaml", "test/e2e/header-routing/*.yaml",
			"test/e2e/mirror-route/*.yaml", "test/e2e/testdata/*/*.yaml",
		} {
			files, err := filepath.Glob(filepath.Join(root, pattern))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(data), "{{ .") || strings.Contains(string(data), "{{.") {
					continue // a template of Helm, or of an ApplicationSet
				}
				for _, f := range check(strings.TrimPrefix(file, root+"/"), data) {
					if f.Code == argo.CodeField || f.Code == argo.CodeType || f.Code == argo.CodeInvalid {
						t.Errorf("%v", f)
					}
				}
				read++
			}
		}
	}
	if read < 80 {
		t.Errorf("only %d files were read", read)
	}
}

func FuzzCheck(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, file := range files {
		data, _ := os.ReadFile(file)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, x := range check("f.yaml", data) {
			if x.Code == "" || x.Place.IsZero() {
				t.Errorf("%v has no code or no place", x)
			}
		}
	})
}

func moduleCache() string {
	if c := os.Getenv("GOMODCACHE"); c != "" {
		return c
	}
	home, _ := os.UserHomeDir()
	return filepath.Join(home, "go", "pkg", "mod")
}
