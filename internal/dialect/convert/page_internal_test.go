package convert

import (
	"os"
	"strings"
	"testing"
)

// TestPageListsEveryWord: docs/convert.md shows the table of predefined variables as it is.
func TestPageListsEveryWord(t *testing.T) {
	page, err := os.ReadFile("../../../docs/convert.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range table {
		row := "| `" + p.gitlab + "` | "
		if p.expr != "" {
			row += "`${{ " + strings.ReplaceAll(p.expr, "|", `\|`) + " }}`"
		}
		if !strings.Contains(string(page), row) {
			t.Errorf("the page has no row %s", row)
		}
		if p.env != "" && !strings.Contains(string(page), "| `"+p.env+"` |") {
			t.Errorf("the page does not name %s", p.env)
		}
	}
}
