package config_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/config"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
)

// lines joins formatted lines of i from 0 to n-1.
func lines(n int, format string, args func(i int) []any) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format+"\n", args(i)...)
	}
	return b.String()
}

var hostile = map[string]struct {
	files map[string]string
	code  string
}{
	"references that double": {map[string]string{".gitlab-ci.yml": ".a0: [x]\n" + lines(60, ".a%d: [!reference [.a%d], !reference [.a%d]]", func(i int) []any { return []any{i + 1, i, i} })}, config.CodeTotalSize},
	"references in a long row": {
		map[string]string{".gitlab-ci.yml": lines(3000, ".a%d: !reference [.a%d]", func(i int) []any { return []any{i, i + 1} }) + ".a3000: x\n"},
		config.CodeReferenceDeep,
	},
	"references that nest": {map[string]string{".gitlab-ci.yml": ".a0: x\n" + lines(500, ".a%d: [!reference [.a%d]]", func(i int) []any { return []any{i + 1, i} })}, config.CodeReferenceDeep},
	"extends of a huge base": {map[string]string{".gitlab-ci.yml": ".base:\n  variables:\n" +
		lines(5000, "    K%d: v", func(i int) []any { return []any{i} }) + lines(20_000, "j%d: {extends: .base, variables: {X: y}}", func(i int) []any { return []any{i} })}, config.CodeTotalSize},
	"extends in a long row":           {map[string]string{".gitlab-ci.yml": ".a0: {script: x}\n" + lines(20_000, ".a%d: {extends: .a%d}", func(i int) []any { return []any{i + 1, i} })}, config.CodeExtendsDeep},
	"extends in a long row downwards": {map[string]string{".gitlab-ci.yml": lines(100_000, ".a%d: {extends: .a%d}", func(i int) []any { return []any{i, i + 1} }) + ".a100000: {script: x}\n"}, config.CodeExtendsDeep},
	"extends of nobody, 5,000 times":  {map[string]string{".gitlab-ci.yml": lines(5000, "job-number-%d: {extends: .base-number-%d}", func(i int) []any { return []any{i, i} })}, config.CodeExtendsUnknown},
	"a text that grows by its inputs": {map[string]string{
		".gitlab-ci.yml": "include: {local: a.yml, inputs: {x: " + strings.Repeat("x", 500_000) + "}}\n",
		"a.yml":          "spec: {inputs: {x: }}\n---\njob: {script: '" + strings.Repeat("$[[ inputs.x ]]", 10_000) + "'}\n",
	}, config.CodeBlockLimit},
	"a list that doubles by its inputs": {map[string]string{
		".gitlab-ci.yml": "include: {local: a.yml, inputs: {x: [1]}}\n",
		"a.yml":          "spec: {inputs: {x: {type: array}}}\n---\ninclude:\n  - local: a.yml\n    inputs:\n      x:\n        - $[[ inputs.x ]]\n        - $[[ inputs.x ]]\njob: {script: x}\n",
	}, config.CodeBlockLimit},
	"a tree that doubles by its inputs": {map[string]string{
		".gitlab-ci.yml": "include: {local: a.yml, inputs: {x: [1]}}\n",
		"a.yml":          "spec: {inputs: {x: {type: array}}}\n---\ninclude:\n  - local: a.yml\n    inputs:\n      x:\n        - {a: \"$[[ inputs.x ]]\", b: \"$[[ inputs.x ]]\"}\njob: {script: x}\n",
	}, config.CodeTotalSize},
	"more blocks than allowed": {map[string]string{".gitlab-ci.yml": "spec: {inputs: {x: {default: abc}}}\n---\na:\n" +
		lines(10_001, "  - $[[ inputs.x | truncate(0,%d) ]]", func(i int) []any { return []any{i} })}, config.CodeBlockLimit},
	"includes that fan out": {map[string]string{
		".gitlab-ci.yml": "include: [a.yml, a.yml, a.yml]\n", "a.yml": "include: [b.yml, b.yml, b.yml, b.yml, b.yml, b.yml, b.yml]\n",
		"b.yml": "include: [c.yml, c.yml, c.yml, c.yml, c.yml, c.yml, c.yml, c.yml, c.yml]\n", "c.yml": "j: {script: x}\n",
	}, config.CodeTooManyIncludes},
	"an input regex that is slow elsewhere": {map[string]string{
		".gitlab-ci.yml": "spec: {inputs: {x: {regex: '^(a+)+$', default: " + strings.Repeat("a", 100_000) + "!}}}\n---\nj: {script: x}\n",
	}, config.CodeNoMatch},
	"an input that waits for itself": {map[string]string{
		".gitlab-ci.yml": "spec:\n  inputs:\n" + lines(200, "    i%d: {rules: [{if: \"$[[ inputs.i%d ]] == 'x' || $[[ inputs.i%d ]] == 'y'\", default: z}]}", func(i int) []any {
			return []any{i, (i + 1) % 200, (i + 2) % 200}
		}) + "---\nj: {script: x}\n",
	}, config.CodeInputRule},
	"a billion laughs": {map[string]string{".gitlab-ci.yml": "a0: &a0 ha\n" + lines(30, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d]", func(i int) []any {
		return []any{i + 1, i + 1, i, i, i, i}
	})}, yamlx.CodeBomb},
}

// TestHostile loads every hostile configuration and looks at the first error and at what was allocated in all.
func TestHostile(t *testing.T) {
	for name, c := range hostile {
		t.Run(name, func(t *testing.T) {
			w := read(t, &txtar.Archive{})
			w.own = c.files
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, faults := w.load(".gitlab-ci.yml")
			runtime.ReadMemStats(&after)
			found := false
			for _, f := range faults.Sorted() {
				found = found || f.Code == c.code
			}
			if !found {
				t.Errorf("no %s in %v", c.code, faults.Sorted())
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 1<<30 {
				t.Errorf("allocated %d MiB", used>>20)
			}
		})
	}
}
