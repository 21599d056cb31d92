package lint_test

import (
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/lint"
)

// FuzzConfig holds that a configuration is read or refused at its place.
func FuzzConfig(f *testing.F) {
	f.Add("self-hosted-runner:\n  labels: [a, 'b-*']\nconfig-variables: [A]\npaths:\n  .github/workflows/*.yml:\n    ignore: ['x.*']\n")
	f.Add("config-variables: null\n")
	f.Add("paths: {'[': {ignore: ['(']}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 8<<10 {
			t.Skip()
		}
		_, faults := lint.ReadConfig(".github/actionlint.yaml", []byte(text))
		for _, found := range faults {
			if found.Place.Line == 0 {
				t.Errorf("without a line: %v", found)
			}
		}
	})
}
