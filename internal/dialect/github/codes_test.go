package github_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github"
)

// TestEveryCodeIsExplained reads the constants themselves, so that a new code without an explanation fails.
func TestEveryCodeIsExplained(t *testing.T) {
	docs := map[string]int{}
	for _, d := range github.Docs {
		docs[d.Code]++
		if d.Summary == "" || d.Text == "" {
			t.Errorf("%s says nothing", d.Code)
		}
	}
	codes := map[string]bool{}
	for _, name := range []string{"codes.go", "codes_program.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			code, err := strconv.Unquote(lit.Value)
			if err == nil && strings.HasPrefix(code, "SL") && len(code) == 6 {
				codes[code] = true
			}
			return true
		})
	}
	for code := range codes {
		if docs[code] != 1 {
			t.Errorf("%s is explained %d times", code, docs[code])
		}
	}
	if len(codes) != len(docs) {
		t.Errorf("%d codes, %d explanations", len(codes), len(docs))
	}
}
