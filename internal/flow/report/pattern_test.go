package report_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/report"
)

func TestCoverageIsFoundInLogs(t *testing.T) {
	cases := map[string]struct {
		pattern, log string
		want         float64 // -1: none
	}{
		"the documented example":             {`/Code coverage: \d+(?:\.\d+)?/`, "Code coverage: 67.89% of lines covered\n", 67.89},
		"no match":                           {`/very covered/`, "98.29%) covered\n", -1},
		"the number in the match":            {`/\(\d+.\d+\%\) covered/`, "Coverage 1033 / 1051 LOC (98.29%) covered", 98.29},
		"the last line":                      {`/\(\d+.\d+\%\) covered/`, "(98.39%) covered\n(98.29%) covered\n", 98.29},
		"the last match of a line":           {`/\d+%/`, "10% 20% 30%\n", 30},
		"the first number of the match":      {`/total.*/`, "total 12 of 34\n", 12},
		"a group":                            {`/TOTAL\s+\d+\s+\d+\s+(\d{1,3}\%)/`, "TOTAL      9926   3489    65%", 65},
		"a named group":                      {`/TOTAL.* (?P<percent>\d+)%/`, "TOTAL 10 2 80%", 80},
		"the last of several groups":         {`/(Visited Points).*\((.*)\)/`, "Visited Points 10 of 20 (50.5)\n", 50.5},
		"a group that took no part":          {`/Coverage: (\d+\.\d+)%|Total coverage: (\d+)%/`, "Coverage: 98.29%\n", 98.29},
		"the other group":                    {`/Coverage: (\d+\.\d+)%|Total coverage: (\d+)%/`, "Total coverage: 98%\n", 98},
		"a group in a group is the last one": {`/Code coverage: \d+(\.\d+)?/`, "Code coverage: 67.89%\n", 89},
		"a line without a number before":     {`/covered: .*/`, "covered: 5\ncovered: all\n", 5},
		"anchors":                            {`/^(\d+)\%$/`, "\n65%\r\n", 65},
		"leading zeros":                      {`/\d+%/`, "007%\n", 7},
		"ignoring case":                      {`/(?i)total.*? (100(?:\.0+)?\%|[1-9]?\d(?:\.\d+)?\%)$/`, "ToTaL   10  1  90.5%\nother\n", 90.5},
		"go test":                            {`/total:\s+\(statements\)\s+\d+.\d+%/`, "a.go:1:\tf\t100.0%\ntotal:\t(statements)\t81.3%\n", 81.3},
		"jest":                               {`/All files[^\|]*\|[^\|]*\s+([\d\.]+)/`, "File | % Stmts |\nAll files |   85.71 |    50 |\n", 85.71},
		"a pattern without slashes":          {`\d+%`, "12%\n", 12},
		"letters beyond ASCII":               {`/\d+\.\d+ ゴッドファット/`, "95.0 ゴッドファット\n", 95},
		"an empty log":                       {`/\d+/`, "", -1},
		"an empty pattern":                   {`//`, "1\n", -1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p, f := report.NewPattern(c.pattern)
			if p == nil {
				t.Fatal(f)
			}
			got, ok, err := p.Find(strings.NewReader(c.log), int64(len(c.log)))
			if err != nil || ok != (c.want >= 0) || ok && got != c.want {
				t.Errorf("got %v, %v, %v, want %v", got, ok, err, c.want)
			}
		})
	}
}

func TestCoveragePatternsAreChecked(t *testing.T) {
	cases := map[string]string{
		`/\d+%/`:          "",
		`/(?!x)\d+/`:      "the coverage pattern /(?!x)\\d+/ cannot be used: error parsing regexp: invalid or unsupported Perl syntax: `(?!` [SL4033] - it is RE2: no look-ahead, no look-behind, no back references",
		`/total: \d+%/i`:  `warning: the coverage pattern /total: \d+%/i is not between slashes and is taken as it stands [SL4033] - flags stand inside: /(?i)…/`,
		`total: \d+`:      `warning: the coverage pattern total: \d+ is not between slashes and is taken as it stands [SL4033] - write coverage: '/…/'`,
		`/`:               `warning: the coverage pattern / is not between slashes and is taken as it stands [SL4033] - write coverage: '/…/'`,
		`/((((a{99}){9})`: "",
	}
	for in, want := range cases {
		p, f := report.NewPattern(in)
		got := ""
		if f != nil {
			got = f.Error()
		}
		if in == `/((((a{99}){9})` {
			if p != nil && f == nil {
				t.Errorf("%s is taken", in)
			}
			continue
		}
		if got != want || (p == nil) != (f != nil && f.Severity == fault.Error) {
			t.Errorf("%s:\ngot  %s\nwant %s", in, got, want)
		}
	}
}

func TestCoverageIsFoundWhereverItStands(t *testing.T) {
	p, _ := report.NewPattern(`/coverage: (\d+)%/`)
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		want, ok := 0, false
		for range rapid.IntRange(1, 8).Draw(t, "lines") {
			b.WriteString(strings.Repeat("x", rapid.SampledFrom([]int{0, 1, 1000, 64<<10 - 15, 64 << 10, 200 << 10}).Draw(t, "length")))
			if rapid.Bool().Draw(t, "with coverage") {
				want, ok = rapid.IntRange(0, 100).Draw(t, "coverage"), true
				fmt.Fprintf(&b, "coverage: %d%%", want)
			}
			b.WriteString(rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "break"))
		}
		got, found, err := p.Find(strings.NewReader(b.String()), int64(b.Len()))
		if err != nil || found != ok || ok && got != float64(want) {
			t.Fatalf("got %v, %v, %v, want %v, %v", got, found, err, want, ok)
		}
	})
}

func TestALineWithoutEndIsSearchedAtItsEnd(t *testing.T) {
	p, _ := report.NewPattern(`/coverage: (\d+)%/`)
	text := strings.Repeat("x", 3<<20) + "coverage: 42%"
	if got, ok, err := p.Find(strings.NewReader(text), int64(len(text))); !ok || got != 42 || err != nil {
		t.Errorf("got %v, %v, %v", got, ok, err)
	}
}

type brokenLog struct{}

func (brokenLog) ReadAt([]byte, int64) (int, error) { return 0, errors.New("the disk is gone") }

func TestALogThatCannotBeReadIsAnError(t *testing.T) {
	p, _ := report.NewPattern(`/\d/`)
	if _, ok, err := p.Find(brokenLog{}, 10); ok || err == nil {
		t.Errorf("got %v, %v", ok, err)
	}
}

func FuzzPattern(f *testing.F) {
	f.Add(`/TOTAL.* (\d+)%/`, "TOTAL 1 2 80%\n")
	f.Add(`/(a|b)?(\d+)?/`, "a1\nb\r\n2")
	f.Fuzz(func(t *testing.T, pattern, log string) {
		p, fault := report.NewPattern(pattern)
		if p == nil {
			if fault == nil {
				t.Error("neither a pattern nor a fault")
			}
			return
		}
		got, ok, err := p.Find(strings.NewReader(log), int64(len(log)))
		if err != nil {
			t.Fatal(err)
		}
		want, found := 0.0, false
		for line := range strings.Lines(log) {
			if f, ok := p.Line([]byte(line)); ok {
				want, found = f, true
			}
		}
		if ok != found || got != want {
			t.Errorf("got %v, %v, want %v, %v", got, ok, want, found)
		}
	})
}
