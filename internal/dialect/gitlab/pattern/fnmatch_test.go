package pattern_test

import (
	"os"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/pattern"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// testdata/fnmatch.tsv holds what Ruby itself answered; testdata/fnmatch.rb wrote it.
func TestGlobAgreesWithRuby(t *testing.T) {
	data, err := os.ReadFile("testdata/fnmatch.tsv")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		row := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		g, f := pattern.Compile(row[0], fault.Place{})
		if f != nil {
			t.Fatal(f)
		}
		if got, want := g.Match(row[1]), row[2] == "1"; got != want {
			if n++; n < 30 {
				t.Errorf("%q on %q: %v, Ruby says %v", row[0], row[1], got, want)
			}
		}
	}
}
