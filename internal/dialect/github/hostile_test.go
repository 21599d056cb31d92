package github_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// TestCallsThatMultiplyEnd: nine levels of files that call the next one twenty times would be more jobs than atoms.
func TestCallsThatMultiplyEnd(t *testing.T) {
	files := map[string]string{}
	for level := range 9 {
		var b strings.Builder
		b.WriteString("on: [push, workflow_call]\njobs:\n")
		for i := range 20 {
			if level == 8 {
				fmt.Fprintf(&b, "  j%d: {runs-on: ubuntu-latest, steps: [{run: x}]}\n", i)
				continue
			}
			fmt.Fprintf(&b, "  j%d: {uses: ./.github/workflows/w%d.yml}\n", i, level+1)
		}
		files[fmt.Sprintf(".github/workflows/w%d.yml", level)] = b.String()
	}
	w := newWorld(files)
	w.in.Workflows = []string{".github/workflows/w0.yml"}
	_, faults := github.Compile(t.Context(), w.in)
	if len(faults) != 1 || faults[0].Code != github.CodeTooMany {
		t.Errorf("got %d faults: %v", len(faults), faults)
	}
}

// TestHostileFiles: whatever a file says, it ends in a plan or in a mistake with a place.
func TestHostileFiles(t *testing.T) {
	job := "jobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: [{run: x}]\n"
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	for name, text := range map[string]string{
		"nothing":                  "",
		"no mapping":               "[1, 2]",
		"a list of jobs":           "on: push\njobs: [a]\n",
		"a circle of needs":        "on: push\njobs:\n  a: {needs: b, runs-on: x, steps: [{run: x}]}\n  b: {needs: a, runs-on: x, steps: [{run: x}]}\n",
		"deep nesting in a matrix": "on: push\n" + job + "    strategy: {matrix: {v: " + deep + "}}\n",
		"a deep expression":        "on: push\n" + job + "    if: ${{ " + strings.Repeat("(", 2000) + "1" + strings.Repeat(")", 2000) + " }}\n",
		"an expression bomb":       "on: push\n" + job + "    name: ${{ format('" + strings.Repeat("{0}", 5000) + "', format('" + strings.Repeat("{0}", 5000) + "', github.sha)) }}\n",
		"a huge product":           "on: push\n" + job + "    strategy: {matrix: {a: &l [1,2,3,4,5,6,7,8,9], b: *l, c: *l, d: *l, e: *l, f: *l, g: *l, h: *l, i: *l}}\n",
		"no bytes of text":         "on: push\n\x00\xff" + job,
		"an endless timeout":       "on: push\n" + job + "    timeout-minutes: 1e300\n",
		"parallel beyond numbers":  "on: push\n" + job + "    strategy: {max-parallel: \"${{ fromJSON('1e300') }}\", matrix: {v: [1]}}\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(map[string]string{".github/workflows/a.yml": text})
			p, faults := github.Compile(t.Context(), w.in)
			placed(t, faults)
			if faults.HasErrors() {
				return
			}
			if len(p.Jobs) == 0 {
				t.Errorf("no job and no mistake: %v", faults)
			}
			if name != "nothing" {
				whole(t, w, p, 1)
			}
		})
	}
}

// TestAPayloadThatIsNoEvent: facts of another form say nothing.
func TestAPayloadThatIsNoEvent(t *testing.T) {
	for _, payload := range []string{`{}`, `{"ref":7,"after":[],"pull_request":"x","inputs":[1],"sender":null,"number":"1e9"}`, `{"ref":"refs/heads/"}`} {
		for _, name := range github.EventNames() {
			w := newWorld(map[string]string{".github/workflows/a.yml": "on: " + name + "\njobs:\n  a: {runs-on: ubuntu-latest, steps: [{run: x}], name: \"${{ github.ref }}${{ toJSON(github.event) }}\"}\n"})
			w.in.Occasion.Given, w.in.Occasion.Payload = name, []byte(payload)
			_, faults := github.Compile(t.Context(), w.in)
			for _, f := range faults {
				if f.Severity == fault.Error && name != "image_version" && !strings.HasPrefix(f.Code, "SL16") {
					t.Errorf("%s with %s: %v", name, payload, f)
				}
			}
		}
	}
}
