package github_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/dialect/github"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// FuzzCompile holds that no file breaks the compiler, and that what it accepts is whole: the graph connects, names are
// there, and every late job binds or says why not.
func FuzzCompile(f *testing.F) {
	paths, err := filepath.Glob("testdata/plan/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range archive.Files {
			if strings.HasPrefix(part.Name, ".github/workflows/") {
				f.Add(string(part.Data), uint8(len(part.Data)))
			}
		}
	}
	events := []string{"", "pull_request", "workflow_dispatch", "schedule", "release", "issues", "workflow_run", "merge_group"}
	f.Fuzz(func(t *testing.T, text string, which uint8) {
		if len(text) > 8<<10 {
			t.Skip()
		}
		w := newWorld(map[string]string{
			".github/workflows/ci.yml":     text,
			".github/workflows/called.yml": "on: {workflow_call: {inputs: {env: {type: string}}, secrets: {key: }, outputs: {url: {value: \"${{ jobs.x.outputs.y }}\"}}}}\njobs:\n  x: {runs-on: ubuntu-latest, steps: [{run: x}]}\n",
		})
		w.in.Occasion.Given, w.in.AnyEvent = events[int(which)%len(events)], which >= 128
		p, faults := github.Compile(t.Context(), w.in)
		placed(t, faults)
		if p == nil || faults.HasErrors() {
			return
		}
		whole(t, w, p, 3)
	})
}

// placed holds that a mistake in a file has a line, since without one nobody finds it.
func placed(t *testing.T, faults fault.Faults) {
	t.Helper()
	for _, f := range faults {
		if f.Place.File != "" && f.Place.Line == 0 {
			t.Errorf("without a line: %v", f)
		}
	}
}

func whole(t *testing.T, w *world, p *plan.Plan, depth int) {
	t.Helper()
	if _, err := plan.Connect(p); err != nil {
		t.Errorf("the plan does not connect: %v", err)
		return
	}
	for i, j := range p.Jobs {
		if j.Name == "" || github.OwnOf(j) == nil {
			t.Errorf("job %d has no name or nothing of its own", i)
		}
		if j.Late == nil || depth == 0 || i > 10 {
			continue
		}
		in := github.BindInput{Input: w.in, Plan: p, Job: j}
		for _, n := range j.Needs {
			b := p.Job(n.Job)
			in.Needs = append(in.Needs, program.Before{ID: b.ID, Key: b.Key, Name: b.Name, Job: b, Status: "success", Outputs: []plan.Variable{{Name: "all", Value: `["a"]`}}})
		}
		in.Before = in.Needs
		b, faults := github.Bind(t.Context(), in)
		placed(t, faults)
		if b.Plan == nil && b.Job == nil && b.Skip == "" && !faults.HasErrors() {
			t.Errorf("job %q became nothing: %v", j.Name, faults)
		}
		if b.Plan != nil {
			whole(t, w, b.Plan, depth-1)
		}
	}
}

// many are workflow files as large repositories have them: filters, a matrix, needs, conditions, a call.
func many(n int) map[string]string {
	files := map[string]string{".github/workflows/called.yml": "on: {workflow_call: {inputs: {env: {type: string, required: true}}}}\njobs:\n  x: {name: \"x ${{ inputs.env }}\", runs-on: ubuntu-latest, steps: [{run: make}]}\n"}
	for i := range n {
		files[fmt.Sprintf(".github/workflows/w%03d.yml", i)] = fmt.Sprintf(`name: Workflow %d
on:
  push: {branches: [main, "release/**"], paths: ["src/**", "!**.md"]}
  pull_request: {branches: [main]}
permissions: {contents: read}
concurrency: {group: "${{ github.workflow }}-${{ github.ref }}", cancel-in-progress: true}
env: {A: one, B: "${{ github.sha }}"}
jobs:
  lint:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: make lint
  test:
    needs: lint
    strategy:
      fail-fast: false
      matrix:
        os: [ubuntu-22.04, ubuntu-24.04]
        version: [18, 20, 22]
        include: [{os: ubuntu-24.04, version: 22, extra: true}]
        exclude: [{os: ubuntu-22.04, version: 22}]
    runs-on: ${{ matrix.os }}
    timeout-minutes: 20
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with: {node-version: "${{ matrix.version }}"}
      - run: |
          npm ci
          npm test
      - uses: actions/upload-artifact@v4
        if: always()
        with: {name: "out-${{ matrix.os }}-${{ matrix.version }}", path: dist}
  ship:
    needs: [lint, test]
    if: github.ref == 'refs/heads/main' && github.event_name == 'push'
    uses: ./.github/workflows/called.yml
    with: {env: prod}
  report:
    needs: [test, ship]
    if: always()
    runs-on: ubuntu-latest
    environment: {name: prod, url: "https://example.com/%d"}
    steps:
      - run: echo "${{ needs.test.result }}"
`, i, i)
	}
	return files
}

func BenchmarkCompile(b *testing.B) {
	files := many(200)
	b.ReportAllocs()
	for b.Loop() {
		w := newWorld(files)
		w.changed, w.known = []string{"README.md", "src/x.go"}, true
		p, faults := github.Compile(b.Context(), w.in)
		if faults.HasErrors() || len(p.Jobs) != 200*8 {
			b.Fatal(faults, len(p.Jobs))
		}
	}
}
