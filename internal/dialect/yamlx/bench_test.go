package yamlx_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// jobs is a file of n jobs in about ten lines each.
func jobs(n int) []byte {
	var b strings.Builder
	b.WriteString(".base: &base\n  image: alpine\n  before_script:\n    - echo hi\n")
	for i := range n {
		fmt.Fprintf(&b, `job-%d:
  <<: *base
  stage: test
  variables:
    NAME: "job %d"
  script:
    - echo "running %d"
    - make test-%d
  rules:
    - if: $CI_COMMIT_BRANCH == "main"
`, i, i, i, i)
	}
	return []byte(b.String())
}

func BenchmarkParse5000Jobs(b *testing.B) {
	src := jobs(5000)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		var faults fault.List
		if docs := yamlx.Parse(src, yamlx.Options{File: "f.yml"}, &faults); len(docs) != 1 || faults.HasErrors() {
			b.Fatal(faults.Err())
		}
	}
}
