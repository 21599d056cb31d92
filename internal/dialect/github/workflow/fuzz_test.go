package workflow_test

import (
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func FuzzRead(f *testing.F) {
	for _, src := range sources(f, "ci.yml") {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		file, faults := workflow.Read("ci.yml", src)
		if file == nil {
			t.Fatal("no file")
		}
		placed(t, faults)
		if faults.HasErrors() {
			return
		}
		if len(file.On) == 0 && !told(faults) || len(file.Jobs) == 0 {
			t.Fatal("accepted without events or jobs")
		}
		for _, j := range file.Jobs {
			if j.ID == "" || !j.Uses.Set && (len(j.Steps) == 0 || len(j.RunsOn.Labels) == 0 && !j.RunsOn.Group.Set) {
				t.Fatalf("accepted the job %q without what it needs", j.ID)
			}
			for _, s := range j.Steps {
				if s.Run.Set == s.Uses.Set {
					t.Fatal("accepted a step that is neither or both")
				}
			}
		}
	})
}

func told(faults fault.Faults) bool { return len(faults) > 0 }

func FuzzReadAction(f *testing.F) {
	for _, src := range sources(f, "action.yml") {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		a, faults := workflow.ReadAction("action.yml", src)
		if a == nil {
			t.Fatal("no action")
		}
		placed(t, faults)
		if !faults.HasErrors() && a.Using.Value == "" {
			t.Fatal("accepted without using")
		}
	})
}

func placed(t *testing.T, faults fault.Faults) {
	for _, f := range faults {
		if f.Message == "" || f.Code == "" || f.Place.Line == 0 && f.Code != "SL1002" {
			t.Fatalf("no place: %v", f)
		}
	}
}

// typical is a workflow of the length that most have.
const typical = `name: CI
on:
  push: {branches: [main]}
  pull_request:
permissions: {contents: read}
env: {GOFLAGS: -trimpath}
jobs:
  test:
    runs-on: ${{ matrix.os }}
    strategy:
      matrix:
        os: [ubuntu-latest, macos-latest]
        go: ['1.25', '1.26']
    steps:
      - uses: actions/checkout@v6
      - uses: actions/setup-go@v6
        with: {go-version: "${{ matrix.go }}"}
      - name: Test
        run: |
          go vet ./...
          go test -race ./...
      - if: failure()
        uses: actions/upload-artifact@v5
        with: {name: "log-${{ matrix.os }}", path: log}
  release:
    needs: test
    if: github.ref == 'refs/heads/main'
    runs-on: ubuntu-latest
    steps:
      - run: ./release ${{ github.sha }}
        env: {TOKEN: "${{ secrets.TOKEN }}"}
`

func BenchmarkRead200(b *testing.B) {
	var dense []byte
	for _, src := range sources(b, "ci.yml") {
		if len(src) > len(dense) {
			dense = src
		}
	}
	for name, src := range map[string][]byte{"typical": []byte(typical), "dense": dense} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(200 * len(src)))
			b.ReportAllocs()
			for b.Loop() {
				for range 200 {
					if _, faults := workflow.Read("ci.yml", src); faults.HasErrors() {
						b.Fatal(faults)
					}
				}
			}
		})
	}
}
