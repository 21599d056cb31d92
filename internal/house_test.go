package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/sluice-delivery/sluice/"

// house is the map: every package, in the order that data flows through them. A package imports only what stands above
// it. A new folder fails until it stands here.
var house = []string{
	"internal/flow/lazy",
	"internal/flow/fault",
	"internal/flow/secret",
	"internal/flow/event",
	"internal/dialect/yamlx",
	"internal/dialect/gitlab/expr",
	"internal/dialect/gitlab/pattern",
	"internal/dialect/gitlab/rubyre",
	"internal/dialect/github/expr",
	"internal/dialect/github/filter",
	"internal/dialect/github/workflow",
	"internal/dialect/github/lint",
	"internal/flow/logs",
	"internal/flow/report",
	"internal/flow/plan",
	"internal/dialect/gitlab/variable",
	"internal/dialect/gitlab/config",
	"internal/dialect/gitlab/keyword",
	"internal/flow/program",
	"internal/dialect/github/command",
	"internal/dialect/gitlab",
	"internal/dialect/github",
	"internal/dialect/convert",
	"internal/flow/run",
	"internal/flow/schedule",
	"internal/flow/manifest",
	"internal/flow/health",
	"internal/flow/application/diff",
	"internal/flow/application/project",
	"internal/flow/application",
	"internal/flow/analysis",
	"internal/flow/rollout",
	"internal/flow/applicationset",
	"internal/flow/workload",
	"internal/flow/experiment",
	"internal/dialect/argo/lua",
	"internal/dialect/argo",
	"internal/engine/intake",
	"internal/engine/dispatch",
	"internal/engine/agent",
	"internal/engine/loop",
	"internal/engine/deliver",
	"internal/engine/advance",
	"internal/engine/local",
	"internal/edge/git",
	"internal/edge/tree",
	"internal/edge/remote",
	"internal/edge/workspace",
	"internal/edge/action",
	"internal/edge/tool",
	"internal/edge/glob",
	"internal/edge/archive",
	"internal/edge/blob",
	"internal/edge/store",
	"internal/edge/artifact",
	"internal/edge/toolkit",
	"internal/edge/executor",
	"internal/edge/executor/executortest",
	"internal/edge/executor/script",
	"internal/edge/executor/shell",
	"internal/edge/executor/docker",
	"internal/edge/proxy",
	"internal/edge/meter",
	"internal/edge/sandbox",
	"internal/edge/source",
	"internal/edge/render",
	"internal/edge/forge",
	"internal/edge/cluster/kubetest",
	"internal/edge/cluster",
	"internal/edge/objects",
	"internal/edge/pod",
	"internal/edge/traffic",
	"internal/edge/probe",
	"internal/edge/metrics",
	"internal/web/terminal",
	"cmd/sluice",
}

// mayImport says which wings a wing may see, its own included.
var mayImport = map[string][]string{
	"flow":    {"flow"},
	"dialect": {"flow", "dialect"},
	"engine":  {"flow", "engine"},
	"edge":    {"flow", "edge"},
	"web":     {"flow", "web"},
	"cmd":     {"flow", "dialect", "engine", "edge", "web", "cmd"},
}

// impure are the calls that flow and dialect leave to others: they decide, others act.
var impure = []string{
	"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.NewTimer", "time.NewTicker",
	"os.", "net.", "http.", "exec.", "syscall.", "unix.", "rand.", "log.", "slog.",
}

// pureFrom are members of the packages in impure that are values, not acts.
var pureFrom = []string{"http.StatusText", "net.ParseIP", "rand.SafeEncodeString"}

type source struct {
	file *ast.File
	path string
	fset *token.FileSet
}

// packages reads every non-test Go file below the module's root, by folder.
func packages(t *testing.T) map[string][]source {
	t.Helper()
	out := map[string][]source{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "testdata" || d.Name() == "examples" || d.Name() == "tools" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel("..", filepath.Dir(path))
		out[filepath.ToSlash(folder)] = append(out[filepath.ToSlash(folder)], source{file, path, fset})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func wing(folder string) string {
	parts := strings.Split(strings.TrimPrefix(folder, "internal/"), "/")
	return parts[0]
}

func TestHouseHoldsEveryPackageInOrder(t *testing.T) {
	found := packages(t)
	for folder := range found {
		if !slices.Contains(house, folder) {
			t.Errorf("%s does not stand on the list in house_test.go", folder)
		}
	}
	for _, folder := range house {
		if _, ok := found[folder]; !ok {
			t.Errorf("%s stands on the list and has no Go file", folder)
		}
	}
}

func TestImportsRunDownTheList(t *testing.T) {
	for folder, sources := range packages(t) {
		at := slices.Index(house, folder)
		for _, s := range sources {
			for _, spec := range s.file.Imports {
				path, _ := strconv.Unquote(spec.Path.Value)
				target, ours := strings.CutPrefix(path, module)
				if !ours {
					continue
				}
				if to := slices.Index(house, target); to >= at {
					t.Errorf("%s imports %s, which stands below it", s.path, target)
				}
				if !slices.Contains(mayImport[wing(folder)], wing(target)) {
					t.Errorf("%s: %s must not import %s", s.path, wing(folder), wing(target))
				}
			}
		}
	}
}

func TestEveryPackageSaysWhatItDoes(t *testing.T) {
	for folder, sources := range packages(t) {
		if !slices.ContainsFunc(sources, func(s source) bool { return s.file.Doc != nil }) {
			t.Errorf("%s has no package comment", folder)
		}
	}
}

func TestFlowAndDialectsTouchNothing(t *testing.T) {
	for folder, sources := range packages(t) {
		if w := wing(folder); w != "flow" && w != "dialect" {
			continue
		}
		for _, s := range sources {
			ast.Inspect(s.file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					t.Errorf("%s: a go statement", s.fset.Position(n.Pos()))
				case *ast.SelectorExpr:
					x, ok := n.X.(*ast.Ident)
					if !ok || !imports(s.file, x.Name) {
						return true
					}
					name := x.Name + "." + n.Sel.Name
					if slices.Contains(pureFrom, name) {
						return true
					}
					if slices.ContainsFunc(impure, func(p string) bool { return name == p || strings.HasSuffix(p, ".") && strings.HasPrefix(name, p) }) {
						t.Errorf("%s: %s", s.fset.Position(n.Pos()), name)
					}
				}
				return true
			})
		}
	}
}

// imports reports whether the name is a package of this file and not a variable that happens to be called so.
func imports(f *ast.File, name string) bool {
	return slices.ContainsFunc(f.Imports, func(spec *ast.ImportSpec) bool {
		if spec.Name != nil {
			return spec.Name.Name == name
		}
		path, _ := strconv.Unquote(spec.Path.Value)
		return path[strings.LastIndex(path, "/")+1:] == name
	})
}

func TestFilesFitASitting(t *testing.T) {
	for _, sources := range packages(t) {
		for _, s := range sources {
			if lines := s.fset.File(s.file.Pos()).LineCount(); lines > 600 {
				t.Errorf("%s has %d lines; 600 is the end", s.path, lines)
			}
		}
	}
	if _, err := os.Stat("../go.mod"); err != nil {
		t.Fatal("the test does not stand in internal/")
	}
}
