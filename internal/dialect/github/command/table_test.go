package command_test

import (
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/command"
)

// Every command of the table is one that the parser knows, and a text that looks like one is none.
func TestTable(t *testing.T) {
	for _, e := range command.Table {
		name := strings.Trim(e.Name, ":")
		_, ok := command.Parse("::"+name+"::x", "")
		if want := strings.HasPrefix(e.Name, "::"); ok != want {
			t.Errorf("%s is a command: %t, want %t", e.Name, ok, want)
		}
		if e.Support != "works" && e.Note == "" {
			t.Errorf("%s: nothing says why it is %s", e.Name, e.Support)
		}
	}
}
