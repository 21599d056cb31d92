package yamlx_test

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// FuzzParse reads anything in both schemas. No input may panic, every mistake in it has a line, and what was read
// without a mistake is the same when it is printed and read again.
func FuzzParse(f *testing.F) {
	cases, _ := filepath.Glob("testdata/*.txtar")
	for _, path := range cases {
		if a, err := txtar.ParseFile(path); err == nil {
			f.Add(a.Files[0].Data)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		for _, schema := range []yamlx.Schema{yamlx.Psych, yamlx.Core} {
			o := yamlx.Options{File: "f.yml", Schema: schema, Tags: []string{"!reference"}, MaxSize: 5000}
			var faults fault.List
			docs := yamlx.Parse(src, o, &faults)
			for _, told := range faults.Sorted() {
				if told.Place.Line == 0 && told.Code != yamlx.CodeLarge {
					t.Errorf("no line: %v", told)
				}
			}
			if len(faults.Sorted()) > 0 {
				continue
			}
			for _, doc := range docs {
				again(t, doc, o)
			}
		}
	})
}

func again(t *testing.T, doc *yamlx.Node, o yamlx.Options) {
	t.Helper()
	text, err := yamlx.Print(doc)
	if err != nil {
		t.Fatalf("print: %v", err)
	}
	var faults fault.List
	docs := yamlx.Parse(text, o, &faults)
	if err := faults.Err(); err != nil || len(docs) != 1 || !yamlx.Equal(doc, docs[0]) {
		t.Errorf("printed\n%s\nread again: %v", text, err)
	}
}
