package workflow_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func has(faults fault.Faults, code string) bool {
	for _, f := range faults {
		if f.Code == code {
			return true
		}
	}
	return false
}

// repeat writes n lines, each with its number.
func repeat(n int, line string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, line, i)
	}
	return b.String()
}

const head = "on: push\njobs:\n"

// TestHostileFilesEndInAPlacedFault holds files that would take a naive reader for ever, or all memory.
func TestHostileFilesEndInAPlacedFault(t *testing.T) {
	cases := map[string]struct {
		text string
		code string // that must be told, "" where the file is good
	}{
		"an alias bomb":         {"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n", "SL1004"},
		"steps by aliases":      {head + "  a:\n    runs-on: x\n    steps: &s\n" + strings.Repeat("      - run: ${{ nope }}\n", 250) + repeat(250, "  b%d: {runs-on: x, steps: *s}\n"), "SL1606"},
		"deep lists":            {"on: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "SL1003"},
		"deep mappings":         {"on: push\njobs: " + strings.Repeat("{a: ", 300) + strings.Repeat("}", 300), "SL1003"},
		"a deep matrix":         {head + "  a:\n    runs-on: x\n    steps: [{run: x}]\n    strategy: {matrix: {a: " + strings.Repeat("[", 90) + "x" + strings.Repeat("]", 90) + "}}\n", ""},
		"an alias to itself":    {"on: push\njobs: &a {b: *a}\n", "SL1006"},
		"ten thousand jobs":     {head + repeat(10_000, "  j%d: {runs-on: x, steps: [{run: y}]}\n"), ""},
		"a chain of needs":      {head + "  j0: {runs-on: x, steps: [{run: y}]}\n" + chain(10_000), ""},
		"one large circle":      {head + "  j0: {runs-on: x, needs: j9999, steps: [{run: y}]}\n" + chain(9_999), "SL1670"},
		"unknown needs":         {head + repeat(10_000, "  j%d: {runs-on: x, needs: [nobody], steps: [{run: y}]}\n"), "SL1684"},
		"many steps":            {head + "  a:\n    runs-on: x\n    steps:\n" + strings.Repeat("    - run: x\n", 50_000), ""},
		"a hundred thousand":    {head + "  a:\n    runs-on: x\n    steps:\n" + strings.Repeat("    - run: x\n", 100_000), "SL1004"},
		"same ids":              {head + "  a:\n    runs-on: x\n    steps:\n" + strings.Repeat("    - {run: x, id: a}\n", 20_000), "SL1657"},
		"unknown keys":          {repeat(10_000, "k%d: x\n"), "SL1684"},
		"unknown events":        {"on:\n" + repeat(5_000, "- e%d\n"), "SL1684"},
		"events again":          {"on: [" + strings.Repeat("push,", 20_000) + "]\n", "SL1684"},
		"many variables":        {"on: push\nenv:\n" + repeat(20_000, "  V%d: x\n") + "jobs: {a: {runs-on: x, steps: [{run: y}]}}", ""},
		"a large scalar":        {head + "  a:\n    runs-on: x\n    steps:\n    - run: |\n" + strings.Repeat("        "+strings.Repeat("x", 1000)+"\n", 4000), ""},
		"a large expression":    {head + "  a:\n    runs-on: x\n    steps:\n    - run: ${{ " + strings.Repeat("a&&", 100_000) + "a }}\n", "SL1604"},
		"many bad expressions":  {head + "  a:\n    runs-on: x\n    steps:\n    - run: |\n" + strings.Repeat("        ${{ nope }} ${{ + }}\n", 5_000), "SL1600"},
		"many patterns":         {"on: {push: {branches: [" + strings.Repeat("'**/a*b+[a-z]?',", 20_000) + "]}}\njobs: {a: {runs-on: x, steps: [{run: y}]}}", ""},
		"a long pattern":        {"on: {push: {branches: '" + strings.Repeat("**/a*", 100_000) + "'}}\njobs: {a: {runs-on: x, steps: [{run: y}]}}", ""},
		"a large matrix":        {head + "  a:\n    runs-on: x\n    steps: [{run: y}]\n    strategy:\n      matrix:\n" + repeat(200, "        v%d: [1, 2, 3, 4, 5, 6, 7, 8, 9]\n"), "SL1683"},
		"exclude against large": {head + "  a:\n    runs-on: x\n    steps: [{run: y}]\n    strategy:\n      matrix:\n        v: [" + strings.Repeat("1,", 5_000) + "]\n        exclude:\n" + strings.Repeat("        - v: 2\n", 5_000), ""},
		"a large file":          {"# " + strings.Repeat("x", 9<<20), "SL1002"},
		"no text":               {"on: \x00push", "SL1001"},
		"half a rune":           {"on: push\nname: \xff\xfe", "SL1001"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			f, faults := workflow.Read("ci.yml", []byte(c.text))
			runtime.ReadMemStats(&after)
			if f == nil {
				t.Fatal("no file")
			}
			if c.code == "" && faults.HasErrors() {
				t.Fatal(faults[0])
			}
			if c.code != "" && !has(faults, c.code) {
				t.Fatalf("%s is not told: %d faults", c.code, len(faults))
			}
			if len(faults) > 2000 {
				t.Errorf("%d faults", len(faults))
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 1<<30 {
				t.Errorf("%d MB were asked for", used>>20)
			}
			for _, f := range faults {
				if f.Place.Line == 0 && f.Code != "SL1002" {
					t.Errorf("no place: %v", f)
				}
			}
		})
	}
}

func chain(n int) string {
	var b strings.Builder
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "  j%d: {runs-on: x, needs: [j%d], steps: [{run: y}]}\n", i, i-1)
	}
	return b.String()
}
