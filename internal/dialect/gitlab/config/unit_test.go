package config_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/config"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func TestMatchPath(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"configs/*.yml", "configs/a.yml", true},
		{"configs/*.yml", "configs/sub/a.yml", false},
		{"configs/**.yml", "configs/a.yml", true},
		{"configs/**.yml", "configs/sub/a.yml", true},
		{"configs/**/*.yml", "configs/a.yml", false},
		{"configs/**/*.yml", "configs/sub/deep/a.yml", true},
		{"**/*.yml", "a/b.yml", true},
		{"a.yml", "a.yml", true},
		{"a.yml", "axyml", false},
		{"*", "", true},
		{"", "", true},
		{"a", "", false},
		{"a*", "a/b", false},
		{"a?.yml", "ab.yml", false},
		{"[ab].yml", "a.yml", false},
	} {
		if got := config.MatchPath(c.pattern, c.path); got != c.want {
			t.Errorf("MatchPath(%q, %q) = %v", c.pattern, c.path, got)
		}
	}
}

// TestMatchPathIsTheRegularExpression holds the matcher against the rule as GitLab states it.
func TestMatchPathIsTheRegularExpression(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("ab/.*")), 0, 12, -1)
		pattern, path := text.Draw(t, "pattern"), strings.ReplaceAll(text.Draw(t, "path"), "*", "a")
		re := regexp.QuoteMeta(pattern)
		re = strings.ReplaceAll(re, `\*\*`, `.*?`)
		re = strings.ReplaceAll(re, `\*`, `[^/]*?`)
		if got, want := config.MatchPath(pattern, path), regexp.MustCompile(`^(?s:`+re+`)$`).MatchString(path); got != want {
			t.Fatalf("MatchPath(%q, %q) = %v", pattern, path, got)
		}
	})
}

// TestChildPipeline loads what a trigger job includes, with a file that a job of the parent made.
func TestChildPipeline(t *testing.T) {
	var faults fault.List
	include := yamlx.Parse([]byte("- artifact: out/child.yml\n  job: make\n  inputs: {what: web}\n- local: more.yml\n"), yamlx.Options{File: ".gitlab-ci.yml"}, &faults)[0]
	w := read(t, &txtar.Archive{})
	w.own["more.yml"] = "more: {script: m}\n"
	c, told := config.Load(context.Background(), config.Input{
		File: "child of trigger", Files: w.own, Include: include,
		Parent: func(_ context.Context, job, path string) ([]byte, error) {
			return []byte("spec: {inputs: {what: }}\n---\n" + job + "-$[[ inputs.what ]]: {script: " + path + "}\n"), nil
		},
	})
	if err := told.Err(); err != nil {
		t.Fatal(err)
	}
	if got := c.Root.Keys(); !slices.Equal(got, []string{"make-web", "more"}) {
		t.Errorf("jobs %v", got)
	}
	if got := c.Root.Get("make-web").Get("script").Text(); got != "out/child.yml" {
		t.Errorf("script %q", got)
	}
}

func TestDeclaredInputsAreShown(t *testing.T) {
	w := read(t, &txtar.Archive{})
	w.own["p.yml"] = "spec:\n  inputs:\n    env: {options: [a, b], default: a, description: where}\n    n: {type: number}\n---\nj: {script: x}\n"
	w.inputs = config.Given(map[string]string{"n": "3"})
	c, faults := w.load("p.yml")
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	env, n := c.Inputs[0], c.Inputs[1]
	if env.Name != "env" || env.Required || env.Default.Text() != "a" || len(env.Options) != 2 || env.Description != "where" || env.Value.Text() != "a" {
		t.Errorf("env %+v", env)
	}
	if v, _ := n.Value.Int(); n.Type != "number" || !n.Required || v != 3 || n.Place.Line != 4 {
		t.Errorf("n %+v", n)
	}
}

func TestContentNeedsNoFile(t *testing.T) {
	c, faults := config.Load(context.Background(), config.Input{File: "given", Content: []byte("j: {script: x}"), Files: files{}})
	if err := faults.Err(); err != nil || len(c.Jobs) != 1 {
		t.Errorf("%v, jobs %v", err, c.Jobs)
	}
}

func TestEveryCodeIsExplainedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range slices.Concat(yamlx.Docs, config.Docs) {
		if seen[d.Code] || d.Summary == "" || d.Text == "" || !strings.HasPrefix(d.Code, "SL10") {
			t.Errorf("doc %+v", d)
		}
		seen[d.Code] = true
	}
	for _, path := range sources(t) {
		for _, code := range regexp.MustCompile(`"(SL\d{4})"`).FindAllStringSubmatch(path, -1) {
			if !seen[code[1]] {
				t.Errorf("%s is not explained", code[1])
			}
		}
	}
}
