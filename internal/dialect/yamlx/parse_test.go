package yamlx_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden reads in.yml of every case and compares the tree, with places and types, and the faults.
func TestGolden(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			in := archive.Files[0]
			o := yamlx.Options{File: in.Name, Tags: []string{"!reference"}}
			if strings.HasPrefix(in.Name, "core") {
				o.Schema, o.NoMerge, o.Duplicate = yamlx.Core, true, fault.Error
			}
			var faults fault.List
			docs := yamlx.Parse(in.Data, o, &faults)
			var tree strings.Builder
			for i, doc := range docs {
				fmt.Fprintf(&tree, "--- document %d\n", i+1)
				show(&tree, doc, "")
			}
			var told strings.Builder
			for _, f := range faults.Sorted() {
				fmt.Fprintln(&told, f)
			}
			got := []txtar.File{in, {Name: "tree", Data: []byte(tree.String())}}
			if told.Len() > 0 {
				got = append(got, txtar.File{Name: "faults", Data: []byte(told.String())})
			}
			compare(t, path, archive, got)
		})
	}
}

func compare(t *testing.T, path string, archive *txtar.Archive, files []txtar.File) {
	t.Helper()
	got := txtar.Format(&txtar.Archive{Comment: archive.Comment, Files: files})
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := txtar.Format(archive); !bytes.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

var types = map[yamlx.Type]string{yamlx.Str: "str", yamlx.Null: "null", yamlx.Bool: "bool", yamlx.Int: "int", yamlx.Float: "float"}

// show prints a tree with the place, type and text of every value.
func show(b *strings.Builder, n *yamlx.Node, indent string) {
	tag := ""
	if n.Tag != "" {
		tag = n.Tag + " "
	}
	at := fmt.Sprintf("@%d:%d", n.Place.Line, n.Place.Column)
	switch n.Kind {
	case yamlx.Sequence:
		fmt.Fprintf(b, "%slist %s\n", tag, at)
		for _, c := range n.Items {
			b.WriteString(indent + "  - ")
			show(b, c, indent+"    ")
		}
	case yamlx.Mapping:
		fmt.Fprintf(b, "%smapping %s\n", tag, at)
		for _, p := range n.Pairs {
			fmt.Fprintf(b, "%s  %s@%d:%d: ", indent, p.Key.Value, p.Key.Place.Line, p.Key.Place.Column)
			show(b, p.Value, indent+"  ")
		}
	default:
		fmt.Fprintf(b, "%s%s %q %s\n", tag, types[n.Type], n.Text(), at)
	}
}

func TestUnusedAnchorsAreToldWhereTheyAreAskedFor(t *testing.T) {
	text := "a: &used 1\nb: *used\nc: &lost {d: &lost2 2}\n"
	for severity, want := range map[fault.Severity]string{
		"":            "",
		fault.Warning: "f:3:4: warning: no alias names the anchor &lost [SL1013] - remove it\nf:3:14: warning: no alias names the anchor &lost2 [SL1013] - remove it",
	} {
		var faults fault.List
		yamlx.Parse([]byte(text), yamlx.Options{File: "f", Unused: severity}, &faults)
		if got := faults.Sorted().Error(); got != want {
			t.Errorf("%q\n got %s\nwant %s", severity, got, want)
		}
	}
}
