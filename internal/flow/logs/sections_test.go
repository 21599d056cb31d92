package logs_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/flow/logs"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// fold streams a log in parts of n bytes and writes one event a line.
func fold(log string, n int) string {
	var out strings.Builder
	var sections logs.Sections
	give := func(e logs.Event) {
		indent := strings.Repeat("  ", e.Section.Depth)
		switch e.Kind {
		case logs.Start:
			fmt.Fprintf(&out, "%sstart %s %q collapsed=%t at=%d line=%d\n", indent, e.Section.Name, e.Section.Header, e.Section.Collapsed, max(e.Section.Time.Unix(), 0), e.Line.Number)
		case logs.End:
			fmt.Fprintf(&out, "%send %s at=%d implied=%t\n", indent, e.Section.Name, max(e.Section.Time.Unix(), 0), e.Section.Implied)
		case logs.Text:
			text := show(e.Line)
			if len(text) > 100 {
				text = fmt.Sprintf("%s... (%d)", text[:20], len(text))
			}
			fmt.Fprintf(&out, "text %s\n", text)
		}
	}
	for len(log) > 0 {
		k := min(n, len(log))
		sections.Feed([]byte(log[:k]), give)
		log = log[k:]
	}
	sections.Close(give)
	return out.String()
}

// The logs in the golden files write ESC as ^[, a carriage return as ^M and a line break that is not there as $.
var controls = strings.NewReplacer("^[", "\x1b", "^M", "\r", "$\n", "")

func golden(t *testing.T, pattern string, run func(t *testing.T, a *txtar.Archive)) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			run(t, a)
			if *update {
				if err := os.WriteFile(file, txtar.Format(a), 0o666); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// want compares got with the file of that name, or puts it there.
func want(t *testing.T, a *txtar.Archive, name, got string) {
	t.Helper()
	for i, f := range a.Files {
		if f.Name != name {
			continue
		}
		if *update {
			a.Files[i].Data = []byte(got)
		} else if string(f.Data) != got {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, f.Data)
		}
		return
	}
	if !*update {
		t.Fatalf("there is no %s", name)
	}
	a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(got)})
}

func TestSectionsAreFolded(t *testing.T) {
	golden(t, "testdata/sections/*.txtar", func(t *testing.T, a *txtar.Archive) {
		log := controls.Replace(string(a.Files[0].Data))
		got := fold(log, len(log)+1)
		want(t, a, "events", got)
		for n := 1; n < min(len(log), 200); n++ {
			if parts := fold(log, n); parts != got {
				t.Fatalf("in parts of %d:\n%s\nas a whole:\n%s", n, parts, got)
			}
		}
	})
}

func TestHostileSectionsAreBounded(t *testing.T) {
	var log strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&log, "\x1b[0Ksection_start:%d:s%d\r\x1b[0Kheader %d\n", i+1, i, i)
	}
	events := fold(log.String(), 1000)
	if n := strings.Count(events, "start s"); n != 64 || strings.Count(events, "end s") != n {
		t.Errorf("%d sections are open", n)
	}
	if !strings.Contains(events, "header 9999") {
		t.Error("the text of sections that are too many is lost")
	}
	header := fold("section_start:1:x\r\x1b[0K"+strings.Repeat("h", 2<<20)+"\n", 1<<16)
	if n := strings.Count(header, "\n"); n < 2<<20/logs.MaxPart || len(strings.SplitN(header, "\n", 2)[0]) > 2000 {
		t.Errorf("a long header makes %d events, the first of them\n%s", n, strings.SplitN(header, "\n", 2)[0])
	}
}

func FuzzSections(f *testing.F) {
	files, _ := filepath.Glob("testdata/sections/*.txtar")
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(controls.Replace(string(a.Files[0].Data)), uint8(5))
	}
	f.Fuzz(func(t *testing.T, log string, part uint8) {
		whole := fold(log, len(log)+1)
		if parts := fold(log, int(part)+1); parts != whole {
			t.Errorf("in parts of %d:\n%s\nas a whole:\n%s", part+1, parts, whole)
		}
		starts, ends := 0, 0
		for line := range strings.Lines(whole) {
			switch line = strings.TrimLeft(line, " "); {
			case strings.HasPrefix(line, "start "):
				starts++
			case strings.HasPrefix(line, "end "):
				if ends++; ends > starts {
					t.Fatalf("an end without a beginning:\n%s", whole)
				}
			}
		}
		if starts != ends {
			t.Errorf("%d begin and %d end:\n%s", starts, ends, whole)
		}
	})
}
