package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// BenchmarkLoad5000Jobs loads a file in which every job extends a template and takes a script by reference.
func BenchmarkLoad5000Jobs(b *testing.B) {
	var s strings.Builder
	s.WriteString(".base:\n  image: alpine\n  variables: {A: \"1\", B: \"2\"}\n  before_script:\n    - echo hi\n  setup:\n    - make deps\n")
	for i := range 5000 {
		fmt.Fprintf(&s, "job-%d:\n  extends: .base\n  stage: test\n  variables:\n    NAME: \"job %d\"\n  script:\n    - !reference [.base, setup]\n    - echo \"running %d\"\n    - make test-%d\n  rules:\n    - if: $CI_COMMIT_BRANCH == \"main\"\n", i, i, i, i)
	}
	w := read(b, &txtar.Archive{})
	w.own[".gitlab-ci.yml"] = s.String()
	b.SetBytes(int64(s.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if c, faults := w.load(".gitlab-ci.yml"); faults.HasErrors() || len(c.Jobs) != 5001 {
			b.Fatal(faults.Err())
		}
	}
}
