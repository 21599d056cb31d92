package gitlab_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// FuzzCompile holds that no file breaks the compiler, and that what it accepts is whole: needs and inputs name jobs of
// the plan, nothing waits for itself, and every job's program comes to an end.
func FuzzCompile(f *testing.F) {
	paths, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range archive.Files {
			if part.Name == ".gitlab-ci.yml" {
				f.Add(string(part.Data), strings.Contains(path, "merge"))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string, tag bool) {
		if len(text) > 8<<10 {
			t.Skip()
		}
		w := newWorld(map[string]string{".gitlab-ci.yml": text, "child.yml": "a: {script: a}"})
		if tag {
			w.in.Occasion.Tag, w.in.Occasion.Branch = "v1", ""
		}
		p, faults := gitlab.Compile(t.Context(), w.in)
		if p == nil || faults.HasErrors() {
			if !faults.HasErrors() {
				t.Errorf("no plan and no error: %v", faults)
			}
			return
		}
		ids := map[string]bool{}
		for _, j := range p.Jobs {
			if ids[j.ID] {
				t.Errorf("two jobs %q", j.ID)
			}
			ids[j.ID] = true
		}
		for i, j := range p.Jobs {
			for _, n := range j.Needs {
				if !ids[n.Job] || n.Job == j.ID {
					t.Errorf("job %q needs %q", j.ID, n.Job)
				}
			}
			for _, in := range j.Inputs {
				if !ids[in] {
					t.Errorf("job %q takes from %q", j.ID, in)
				}
			}
			if i < 20 {
				run(t, p, j)
			}
		}
	})
}

// run drives a program to its end with outcomes that are all well.
func run(t *testing.T, p *plan.Plan, j *plan.Job) {
	t.Helper()
	in := gitlab.Attempt{Plan: p, Job: j}
	in.Order()
	prog := gitlab.NewProgram(in)
	for n := 0; ; n++ {
		if _, ok := prog.Next(program.Outcome{Count: 1}); !ok {
			return
		}
		if n > 100_000 {
			t.Fatalf("the program of %q does not end", j.ID)
		}
	}
}

// largeFile is a pipeline as large ones are: stages, needs, rules with changes, variables, artifacts and caches.
func largeFile(jobs int) string {
	var b strings.Builder
	b.WriteString("stages: [build, test, deploy]\nvariables: {A: one, B: \"$A-two\"}\ndefault: {image: alpine, retry: 1}\n")
	b.WriteString(".base:\n  before_script: [prepare]\n  cache: {key: \"$CI_COMMIT_REF_SLUG\", paths: [vendor]}\n")
	for i := range jobs {
		fmt.Fprintf(&b, "job-%d:\n  extends: .base\n  stage: %s\n", i, []string{"build", "test", "deploy"}[i*3/jobs])
		if i > jobs/3 {
			fmt.Fprintf(&b, "  needs: [job-%d, job-%d]\n", i-jobs/3, i-jobs/3+1)
		}
		fmt.Fprintf(&b, "  variables: {N: \"%d\", M: \"$B-$N\"}\n  script:\n    - make part-%d\n    - make check-%d\n", i, i, i)
		fmt.Fprintf(&b, "  rules:\n    - if: $CI_PIPELINE_SOURCE == \"merge_request_event\"\n      when: never\n    - changes: [\"src/%d/**/*\", \"go.*\"]\n    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH\n", i%50)
		fmt.Fprintf(&b, "  artifacts: {paths: [\"out/%d\"], expire_in: 1 week}\n", i)
	}
	return b.String()
}

func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{100, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			text := largeFile(n)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				w := newWorld(map[string]string{".gitlab-ci.yml": text})
				w.changed, w.known = []string{"README.md", "src/7/x/y.go"}, true
				p, faults := gitlab.Compile(b.Context(), w.in)
				if faults.HasErrors() || len(p.Jobs) != n {
					b.Fatal(faults)
				}
			}
		})
	}
}
