package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/argo"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// argoPage says what becomes of every field of Argo CD's and Argo Rollouts' kinds.
func argoPage() string {
	var b strings.Builder
	b.WriteString(generated + "# Argo's manifests\n\n" + argoIntro)
	for _, t := range argo.Tables() {
		fieldTable(&b, t)
	}
	wordTable(&b, "Generators", "Of an ApplicationSet.", rowsBelow("ApplicationSet", "spec.generators."))
	wordTable(&b, "Sync options", "In `spec.syncPolicy.syncOptions`, in an operation, and as `argocd.argoproj.io/sync-options` at an object.", argo.SyncOptions)
	wordTable(&b, "Compare options", "In `argocd.argoproj.io/compare-options`.", argo.CompareOptions)
	wordTable(&b, "Hooks", "In `argocd.argoproj.io/hook`.", argo.Hooks)
	wordTable(&b, "When hooks are deleted", "In `argocd.argoproj.io/hook-delete-policy`.", argo.HookPolicies)
	wordTable(&b, "Other annotations", "", argo.Annotations)
	wordTable(&b, "Traffic routers", "In `spec.strategy.canary.trafficRouting` of a Rollout. Without one the numbers of pods share the requests out.", rowsBelow("Rollout", "spec.strategy.canary.trafficRouting."))
	wordTable(&b, "Metric providers", "In `spec.metrics.provider` of an AnalysisTemplate.", argo.Providers)
	wordTable(&b, "Health", "What is assessed without a script.", argo.HealthKinds)
	return b.String()
}

const argoIntro = `Sluice reads the manifests of Argo CD and Argo Rollouts as their documentation has them. This page says what becomes of every field here:

- **works**: as documented;
- **works with a note**: it works, and the note says what is different or left out. Where the field has no effect, a warning says so with its place;
- **refused**: a mistake with its place, before anything is delivered.

A field that the tables do not hold is told, with the nearest one that exists: Kubernetes would drop it without a word. ` + "`sluice lint FILE|DIR`" + ` checks manifests by these
tables, and so do ` + "`sluice deliver` and `sluice rollout lint`" + `. Lists stand without an index. Status is written under Argo's names, so that its tools can read it.
`

func fieldTable(b *strings.Builder, t argo.Table) {
	count := map[argo.Support]int{}
	for _, r := range t.Rows {
		count[r.Support]++
	}
	fmt.Fprintf(b, "\n## %s\n\n%s Of %d fields, %d work, %d work with a note, %d are refused.\n\n| field | | note |\n|---|---|---|\n", strings.Join(t.Kinds, ", "), t.About, len(t.Rows),
		count[argo.Works], count[argo.Noted], count[argo.Refused])
	for _, r := range t.Rows {
		note := r.Note
		if r.As != "" {
			note = strings.TrimLeft(note+"; its fields are those of `"+r.As+"`", "; ")
		}
		if r.Tell == fault.Warning {
			note += " (told as a warning)"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", r.Path, r.Support, cell(note))
	}
}

func wordTable(b *strings.Builder, title, about string, rows []argo.Row) {
	fmt.Fprintf(b, "\n## %s\n\n", title)
	if about != "" {
		b.WriteString(about + "\n\n")
	}
	b.WriteString("| name | | note |\n|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", code(r.Path), r.Support, cell(r.Note))
	}
}

// rowsBelow are the fields directly below one that hold more fields or are refused: each a choice of its own.
func rowsBelow(kind, prefix string) []argo.Row {
	var out []argo.Row
	for _, t := range argo.Tables() {
		if !slices.Contains(t.Kinds, kind) {
			continue
		}
		for i, r := range t.Rows {
			name, ok := strings.CutPrefix(r.Path, prefix)
			if !ok || strings.Contains(name, ".") || slices.Contains([]string{"selector", "managedRoutes"}, name) {
				continue
			}
			holds := i+1 < len(t.Rows) && strings.HasPrefix(t.Rows[i+1].Path, r.Path+".")
			if holds || r.As != "" || r.Support == argo.Refused || name == "plugins" {
				r.Path = name
				out = append(out, r)
			}
		}
	}
	return out
}

// TestEveryCodeIsExplained: a code that some package tells of is on the page of codes.
func TestEveryCodeIsExplained(t *testing.T) {
	explained := map[string]bool{}
	for _, d := range allDocs() {
		explained[d.Code] = true
	}
	text := regexp.MustCompile(`^"(SL\d{4})"$`)
	for _, top := range []string{"../../internal", "."} {
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok {
					if m := text.FindStringSubmatch(lit.Value); m != nil && !explained[m[1]] {
						t.Errorf("%s: %s is not explained: list its package's Docs in codes.go", fset.Position(lit.Pos()), m[1])
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
