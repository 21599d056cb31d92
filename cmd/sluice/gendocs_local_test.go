package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/flow/workload"
)

// TestLocalPage holds the tables of the local target's page to what the program checks. -update writes them anew.
func TestLocalPage(t *testing.T) {
	path := filepath.Join(docsDir, "local.md")
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(have), "<!-- tables -->\n")
	_, after, closed := strings.Cut(rest, "<!-- end of tables -->\n")
	if !ok || !closed {
		t.Fatal("docs/local.md has no place for the tables")
	}
	want := before + "<!-- tables -->\n" + localTables() + "<!-- end of tables -->\n" + after
	if want == string(have) {
		return
	}
	if !*update {
		t.Fatal("the tables of docs/local.md are stale; write them anew: go test ./cmd/sluice -run TestLocalPage -update")
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func localTables() string {
	var b strings.Builder
	b.WriteString("\n| kind | what it is here |\n|---|---|\n")
	for _, kind := range slices.Sorted(maps.Keys(workload.Runs)) {
		fmt.Fprintf(&b, "| %s | %s |\n", kind, cell(workload.Runs[kind]))
	}
	b.WriteString("\nAll other kinds are refused, but for those in this table. `{pod}` stands for the spec of a pod, in every kind that has one.\n\n")
	b.WriteString("| what | is | because |\n|---|---|---|\n")
	for _, e := range workload.Support {
		what := e.Kind
		if e.Path != "" {
			what = strings.TrimPrefix(e.Kind+" `"+e.Path, "{pod} ")
			if !strings.Contains(what, "`") {
				what = "`" + what
			}
			if e.Value != "" {
				what += ": " + e.Value
			}
			what += "`"
		}
		why := e.What
		if e.Hint != "" {
			why += "; " + e.Hint
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", what, e.Level, cell(why))
	}
	b.WriteString("\n")
	return b.String()
}
