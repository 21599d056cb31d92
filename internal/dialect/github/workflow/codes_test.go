package workflow_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
)

// TestEveryCodeIsExplained reads the constants themselves, so that a new code without an explanation fails.
func TestEveryCodeIsExplained(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]int{}
	for _, d := range workflow.Docs {
		docs[d.Code]++
		if d.Summary == "" || d.Text == "" {
			t.Errorf("%s says nothing", d.Code)
		}
	}
	codes := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || len(spec.Names[0].Name) < 5 || spec.Names[0].Name[:4] != "Code" {
			return true
		}
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil || code < "SL1650" || code > "SL1699" || codes[code] {
			t.Errorf("%s is %q", spec.Names[0].Name, code)
		}
		codes[code] = true
		if docs[code] != 1 {
			t.Errorf("%s (%s) is explained %d times", spec.Names[0].Name, code, docs[code])
		}
		return true
	})
	if len(codes) < 10 || len(docs) != len(codes) {
		t.Errorf("%d codes, %d explanations", len(codes), len(docs))
	}
}
