package yamlx_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// hostile are files that would take all memory or never end where they are read without care.
var hostile = map[string]struct {
	src  func() []byte
	code string // the fault expected first; "" where the file is harmless
}{
	"a file of 100 MB": {func() []byte { return bytes.Repeat([]byte("a: 1\n"), 20<<20) }, yamlx.CodeLarge},
	"seven million entries in 7 MB": {func() []byte {
		return []byte("a: [" + strings.Repeat("1,", 3_500_000) + "1]")
	}, yamlx.CodeLarge},
	"a billion laughs": {func() []byte { return laughs(30, 9) }, yamlx.CodeBomb},
	"a chain of aliases that gets too deep": {func() []byte {
		var b strings.Builder
		b.WriteString("a0: &a0 [x]\n")
		for i := 1; i < 500; i++ {
			fmt.Fprintf(&b, "a%d: &a%d [*a%d]\n", i, i, i-1)
		}
		return []byte(b.String())
	}, yamlx.CodeDeep},
	"merge keys that grow step by step": {func() []byte {
		var b strings.Builder
		b.WriteString("a0: &a0 {k: 1}\n")
		for i := 1; i < 20_000; i++ {
			fmt.Fprintf(&b, "a%d: &a%d {<<: *a%d, k%d: 1}\n", i, i, i-1, i)
		}
		return []byte(b.String())
	}, yamlx.CodeBomb},
	"one merge key with a million aliases": {func() []byte {
		var b strings.Builder
		b.WriteString("a: &a {")
		for i := range 1000 {
			fmt.Fprintf(&b, "k%d: 1, ", i)
		}
		b.WriteString("}\nb:\n  <<: [" + strings.Repeat("*a, ", 100_000) + "]\n")
		return []byte(b.String())
	}, yamlx.CodeBomb},
	"brackets without end":     {func() []byte { return bytes.Repeat([]byte("["), 400_000) }, yamlx.CodeDeep},
	"braces without end":       {func() []byte { return bytes.Repeat([]byte("{a: "), 200_000) }, yamlx.CodeDeep},
	"dashes without end":       {func() []byte { return bytes.Repeat([]byte("- "), 400_000) }, yamlx.CodeDeep},
	"question marks":           {func() []byte { return bytes.Repeat([]byte("? "), 400_000) }, yamlx.CodeDeep},
	"indentation without end":  {func() []byte { return staircase(1500) }, yamlx.CodeDeep},
	"a hundred levels and one": {func() []byte { return staircase(101) }, yamlx.CodeDeep},
	"a hundred levels":         {func() []byte { return staircase(99) }, ""},
	"the same key a million times": {func() []byte {
		return bytes.Repeat([]byte("a: 1\n"), 450_000)
	}, yamlx.CodeDuplicate},
	"comments only":    {func() []byte { return bytes.Repeat([]byte("#\n"), 400_000) }, ""},
	"comments at keys": {func() []byte { return keys(50_000, "# c\n") }, ""},
	"a long key":       {func() []byte { return []byte(strings.Repeat("k", 1_000_000) + ": 1\n") }, ""},
	"a long text":      {func() []byte { return []byte("k: '" + strings.Repeat("x y\n", 1_000_000) + "'\n") }, yamlx.CodeLarge},
	"many anchors": {func() []byte {
		var b strings.Builder
		for i := range 50_000 {
			fmt.Fprintf(&b, "- &a%d x\n", i)
		}
		return []byte(b.String())
	}, ""},
	"exclamation marks": {func() []byte { return bytes.Repeat([]byte("!"), 1_000_000) }, ""},
	"nul bytes":         {func() []byte { return make([]byte, 1_000_000) }, yamlx.CodeSyntax},
	"broken UTF-8":      {func() []byte { return []byte("a: \xff\xfe") }, yamlx.CodeSyntax},
	"UTF-16":            {func() []byte { return []byte("\xff\xfea\x00:\x00 \x001\x00") }, ""},
}

func laughs(levels, each int) []byte {
	var b strings.Builder
	b.WriteString("a0: &a0 ha\n")
	for i := 1; i <= levels; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), each), ","))
	}
	return []byte(b.String())
}

func staircase(levels int) []byte {
	var b strings.Builder
	for i := range levels {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return []byte(b.String())
}

func keys(n int, after string) []byte {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d: v %s", i, after)
	}
	return []byte(b.String())
}

// TestHostile reads every hostile file and looks at the first fault and at what was allocated in all.
func TestHostile(t *testing.T) {
	for name, c := range hostile {
		t.Run(name, func(t *testing.T) {
			src := c.src()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var faults fault.List
			yamlx.Parse(src, yamlx.Options{File: "f.yml"}, &faults)
			runtime.ReadMemStats(&after)
			sorted := faults.Sorted()
			switch {
			case c.code == "" && len(sorted) > 0:
				t.Errorf("told %v", sorted[0])
			case c.code != "" && len(sorted) == 0:
				t.Errorf("no fault, want %s", c.code)
			case c.code != "" && sorted[0].Code != c.code:
				t.Errorf("told %v, want %s", sorted[0], c.code)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 1<<30 {
				t.Errorf("allocated %d MiB", used>>20)
			}
			if len(sorted) > 300 {
				t.Errorf("%d faults for one mistake", len(sorted))
			}
		})
	}
}
