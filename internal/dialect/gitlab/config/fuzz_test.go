package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
)

func sources(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, path := range []string{"codes.go", "../../yamlx/codes.go"} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	return out
}

// seeds adds the files of all golden cases.
func seeds(f *testing.F, want string) {
	cases, _ := filepath.Glob("testdata/*.txtar")
	for _, path := range cases {
		a, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			if strings.Contains(string(file.Data), want) && file.Name != "tree" && file.Name != "faults" {
				f.Add(string(file.Data))
			}
		}
	}
}

// check holds what must be true of every load: no panic, every error has a place, and a tree without errors holds no
// reference and no include any more.
func check(t *testing.T, w world) {
	t.Helper()
	c, faults := w.load(".gitlab-ci.yml")
	for _, f := range faults.Sorted() {
		if f.Place.File == "" || f.Code == "" || f.Message == "" {
			t.Errorf("incomplete fault %+v", *f)
		}
	}
	if faults.HasErrors() {
		return
	}
	if c.Root == nil || c.Root.HasTags() || c.Root.Has("include") || c.Root.Size() > yamlx.MaxSize {
		t.Errorf("not resolved: %v", c.Root)
	}
}

// FuzzLoad loads anything as the pipeline file.
func FuzzLoad(f *testing.F) {
	seeds(f, "")
	f.Fuzz(func(t *testing.T, src string) {
		w := read(t, &txtar.Archive{})
		w.own[".gitlab-ci.yml"] = src
		w.own["a.yml"] = "a: {script: a}\n"
		check(t, w)
	})
}

// FuzzInterpolate includes anything as a file with inputs.
func FuzzInterpolate(f *testing.F) {
	seeds(f, "$[[")
	f.Fuzz(func(t *testing.T, src string) {
		w := read(t, &txtar.Archive{})
		w.own[".gitlab-ci.yml"] = "include: {local: a.yml, inputs: {name: web, env: prod, n: 3, list: [a, {b: c}], really: true}}\n"
		w.own["a.yml"] = src
		check(t, w)
		w.own["a.yml"] = "spec: {inputs: {name: , env: , n: {type: number}, list: {type: array}, really: {type: boolean}}}\n---\njob:\n  script: |\n    " +
			strings.ReplaceAll(src, "\n", "\n    ") + "\n"
		check(t, w)
	})
}

var word = regexp.MustCompile(`^[ -~]{0,60}$`)

// FuzzReference puts anything into the brackets of references and into extends.
func FuzzReference(f *testing.F) {
	f.Add(".a, script", ".a")
	f.Add("job, script", "job")
	f.Add("", "[.a, .b]")
	f.Add("a]], [b", "!reference [.a, script]")
	f.Fuzz(func(t *testing.T, path, base string) {
		if !word.MatchString(path) || !word.MatchString(base) {
			t.Skip()
		}
		w := read(t, &txtar.Archive{})
		w.own[".gitlab-ci.yml"] = ".a: {script: [a, !reference [.b, script]]}\n.b: {script: [!reference [" + path + "]]}\njob:\n  extends: " + base +
			"\n  script:\n    - !reference [" + path + "]\n"
		check(t, w)
	})
}
