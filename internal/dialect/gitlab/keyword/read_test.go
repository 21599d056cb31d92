package keyword_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func TestFileFindsJobsAndStages(t *testing.T) {
	f, faults := read([]byte("stages: [one]\na: {stage: one, script: x}\n.b: {script: x}\n"))
	if len(faults) != 0 {
		t.Fatal(faults)
	}
	if f.Job("a") == nil || f.Job(".b") != nil || f.Job("c") != nil {
		t.Error("wrong jobs found")
	}
	if f.Stage(".pre") != 0 || f.Stage("one") != 1 || f.Stage(".post") != 2 || f.Stage("two") != -1 {
		t.Error("wrong order of stages")
	}
}

func TestConditionsAreParsedOnce(t *testing.T) {
	f, _ := read([]byte("a: {script: x, rules: [{if: $A}]}\nb: {script: x, rules: [{if: $A}, {if: $B}]}\n"))
	a, b := f.Jobs[0].Rules.Items, f.Jobs[1].Rules.Items
	if a[0].If.Parsed == nil || a[0].If.Parsed != b[0].If.Parsed || b[0].If.Parsed == b[1].If.Parsed {
		t.Error("conditions with the same text are not shared, or others are")
	}
}

func TestMistakesInsideOfScalarsHaveTheirColumn(t *testing.T) {
	for source, want := range map[string]string{
		"a:\n  script: x\n  rules:\n    - if: $A = 1\n":            "ci.yml:4:14",
		"a:\n  script: x\n  rules:\n    - if: '$A = 1'\n":          "ci.yml:4:15",
		"a:\n  script: x\n  rules:\n    - if: |\n        $A = 1\n": "ci.yml:4:11",
	} {
		_, faults := read([]byte(source))
		if len(faults) != 1 || faults[0].Place.String() != want {
			t.Errorf("%s\ngot %v, want a mistake at %s", source, faults, want)
		}
	}
}

// TestPropertyChainsAreNoCircles builds graphs of needs and compares with a second way of finding circles: taking away
// jobs without open needs until none is left.
func TestPropertyChainsAreNoCircles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "jobs")
		needs := make([][]int, n)
		var src strings.Builder
		for i := range n {
			fmt.Fprintf(&src, "j%d:\n  script: x\n  needs: [", i)
			for k := range n {
				if k != i && rapid.IntRange(0, 5).Draw(t, "edge") == 0 {
					needs[i] = append(needs[i], k)
					fmt.Fprintf(&src, "j%d,", k)
				}
			}
			src.WriteString("]\n")
		}
		_, faults := read([]byte(src.String()))
		circle := false
		for _, f := range faults {
			circle = circle || f.Code == keyword.CodeCycle
		}
		if want := hasCircle(needs); circle != want {
			t.Fatalf("circle told: %v, there is one: %v\n%s", circle, want, src.String())
		}
	})
}

func hasCircle(needs [][]int) bool {
	gone := make([]bool, len(needs))
	for left := len(needs); left > 0; {
		before := left
		for i := range needs {
			open := false
			for _, k := range needs[i] {
				open = open || !gone[k]
			}
			if !gone[i] && !open {
				gone[i] = true
				left--
			}
		}
		if left == before {
			return true
		}
	}
	return false
}

// TestLargeCirclesAreToldShortly reads a circle through many jobs, each of which also needs the first.
func TestLargeCirclesAreToldShortly(t *testing.T) {
	const n = 3000
	var src strings.Builder
	for i := range n {
		fmt.Fprintf(&src, "j%d: {script: x, needs: [j%d, j0]}\n", i, (i+1)%n)
	}
	_, faults := read([]byte(src.String()))
	if len(faults) == 0 || len(faults) > 100 {
		t.Fatalf("%d faults", len(faults))
	}
	for _, f := range faults {
		if len(f.Message) > 300 {
			t.Errorf("a message of %d bytes: %.80s…", len(f.Message), f.Message)
		}
	}
}

// TestHugeMatricesAreRefused reads a matrix of two to the power of 64 jobs, which no number of 64 bits holds.
func TestHugeMatricesAreRefused(t *testing.T) {
	var src strings.Builder
	src.WriteString("job:\n  script: x\n  parallel:\n    matrix:\n      - ")
	for i := range 64 {
		fmt.Fprintf(&src, "V%d: [a, b]\n        ", i)
	}
	_, faults := read([]byte(src.String()))
	if len(faults) != 1 || faults[0].Code != keyword.CodeMatrix {
		t.Errorf("got %v, want one %s", faults, keyword.CodeMatrix)
	}
}

// FuzzRead holds that no text makes the reader panic, that every mistake in a file has a line, and that a file without
// mistakes has jobs that can run.
func FuzzRead(f *testing.F) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		var list fault.List
		docs := yamlx.Parse(src, yamlx.Options{File: "ci.yml"}, &list)
		if list.HasErrors() || len(docs) == 0 {
			return
		}
		file := keyword.Read(docs[0], &list)
		faults := list.Sorted()
		for _, fa := range faults {
			if fa.Place.Line == 0 || fa.Code == "" || fa.Message == "" {
				t.Errorf("a fault without line, code or message: %+v", fa)
			}
		}
		if faults.HasErrors() {
			return
		}
		for _, j := range file.Jobs {
			if file.Stage(j.Stage.Value) < 0 {
				t.Errorf("job %q is in no stage", j.Name)
			}
			if (j.Kind == keyword.ScriptJob) != (j.Script != nil) || (j.Kind == keyword.TriggerJob) != (j.Trigger != nil) {
				t.Errorf("job %q of kind %s has nothing to do", j.Name, j.Kind)
			}
		}
	})
}

// BenchmarkRead reads a file of 5,000 jobs on top of the tree that package config gives.
func BenchmarkRead(b *testing.B) {
	var src strings.Builder
	src.WriteString("stages: [build, test]\ndefault: {image: alpine, retry: 1}\n")
	for i := range 5000 {
		fmt.Fprintf(&src, "job%d:\n  stage: %s\n  script: [make, make test]\n  variables: {A: b, N: %d}\n  artifacts: {paths: [out/], expire_in: 1 week}\n"+
			"  cache: {key: k%d, paths: [c]}\n  rules:\n    - if: $CI_COMMIT_BRANCH == \"b%d\"\n    - when: always\n", i, []string{"build", "test"}[i%2], i, i%7, i)
		if i > 0 && i%2 == 1 {
			fmt.Fprintf(&src, "  needs: [job%d]\n", i-1)
		}
	}
	var list fault.List
	docs := yamlx.Parse([]byte(src.String()), yamlx.Options{File: "ci.yml"}, &list)
	b.ReportAllocs()
	for b.Loop() {
		var faults fault.List
		if f := keyword.Read(docs[0], &faults); len(f.Jobs) != 5000 || faults.HasErrors() {
			b.Fatal(len(f.Jobs), faults.Err())
		}
	}
}
