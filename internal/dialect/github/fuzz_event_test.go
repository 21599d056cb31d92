package github_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github"
	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
)

// FuzzPayload holds that no payload of an event breaks what is made of it: facts, names, matrices, conditions.
func FuzzPayload(f *testing.F) {
	for i, text := range []string{
		`{"ref":"refs/heads/main","before":"0000","after":"1111","head_commit":{"message":"x","author":{"name":"Ada","email":"a@b.c"}},"commits":[{"message":"m"}]}`,
		`{"action":"opened","number":7,"pull_request":{"number":7,"title":"$(x)","head":{"ref":"topic","sha":"a","repo":{"full_name":"a/b","fork":true}},"base":{"ref":"main"},"labels":[{"name":"l"}]}}`,
		`{"inputs":{"text":"x","yes":"true"},"ref":"refs/heads/main","workflow":".github/workflows/a.yml"}`,
		`{"action":"created","issue":{"number":1,"title":"t","pull_request":{}},"comment":{"body":"b"}}`,
		`{"release":{"tag_name":"v1","target_commitish":"main","prerelease":false},"action":"published"}`,
		`{"schedule":"0 0 * * *"}`, `{"client_payload":{"a":[1,2]},"action":"x"}`, `{"workflow_run":{"head_branch":"m","conclusion":"success"}}`,
		`{}`, `[]`, `null`, `7`, `{"ref":7,"pull_request":"x","inputs":[1],"number":"1e9","sender":null,"legs":{"a":[1]}}`, `{"legs":{"a":[1,2],"include":[{"a":1,"b":2}],"exclude":[{"a":2}]}}`,
	} {
		f.Add([]byte(text), uint8(i))
	}
	names := github.EventNames()
	f.Fuzz(func(t *testing.T, payload []byte, which uint8) {
		if !json.Valid(payload) || len(payload) > 8<<10 {
			t.Skip()
		}
		event := names[int(which)%len(names)]
		w := newWorld(map[string]string{".github/workflows/a.yml": "on: " + event + `
run-name: "${{ github.event.pull_request.title }} ${{ github.actor }}"
concurrency: "${{ github.ref }} ${{ github.head_ref }}"
jobs:
  a:
    name: "a ${{ github.event.head_commit.message }}"
    if: github.event.number != 3 || contains(github.event.pull_request.labels.*.name, 'x')
    strategy: {matrix: "${{ fromJSON(toJSON(github.event.legs)) }}"}
    runs-on: ubuntu-latest
    environment: "${{ github.event.sender.login || 'none' }}"
    steps: [{run: "echo ${{ toJSON(github.event) }}"}]
`})
		w.in.Occasion.Given, w.in.Occasion.Payload = event, payload
		p, faults := github.Compile(t.Context(), w.in)
		placed(t, faults)
		if p != nil && !faults.HasErrors() {
			whole(t, w, p, 1)
		}
	})
}

// FuzzMatrix holds of any matrix that its legs are objects, at most as many as GitHub takes, and at most as many as there
// are combinations and entries of include.
func FuzzMatrix(f *testing.F) {
	f.Add(`{"a":[1,2],"b":["x"]}`, `[{"a":1,"c":3}]`, `[{"a":2}]`)
	f.Add(`{}`, `[{"a":1},{"a":1}]`, `[]`)
	f.Add(`{"os":["u","w"],"v":[10,10.0,"10",null,true]}`, `[{"os":"u","v":"10","e":1},{"e":2}]`, `[{"os":"w","v":null}]`)
	f.Add(`{"a":[{"x":1},{"x":[1]}],"A":[1]}`, `[{"a":{"x":1}}]`, `[{"a":{"x":[1]}}]`)
	f.Add(`{"a":[`+strings.Repeat("0,", 300)+`0]}`, `[]`, `[]`)
	f.Fuzz(func(t *testing.T, rows, include, exclude string) {
		grid := github.Grid{Include: objects(include), Exclude: objects(exclude)}
		of, err := expr.FromJSON([]byte(rows))
		if err != nil || of.Kind() != expr.KindObject || len(rows)+len(include)+len(exclude) > 4<<10 {
			t.Skip()
		}
		for _, p := range of.Pairs() {
			if p.Value.Kind() == expr.KindArray && len(p.Value.Items()) > 0 {
				grid.Rows = append(grid.Rows, github.GridRow{Name: p.Key, Values: p.Value.Items()})
			}
		}
		legs, ok := grid.Legs()
		if !ok {
			return
		}
		if len(legs) > 256 {
			t.Fatalf("%d legs", len(legs))
		}
		most := 1
		for _, r := range grid.Rows {
			most *= len(r.Values)
		}
		if len(grid.Rows) == 0 {
			most = 0
		}
		if len(legs) > most+len(grid.Include) {
			t.Errorf("%d legs of %d combinations and %d of include", len(legs), most, len(grid.Include))
		}
		for _, leg := range legs {
			if leg.Matrix.Kind() != expr.KindObject || leg.Shown.Kind() != expr.KindObject {
				t.Errorf("a leg is no object: %s", leg.Matrix.JSON(false))
			}
		}
	})
}

// objects are the objects of a JSON array.
func objects(text string) []expr.Value {
	v, err := expr.FromJSON([]byte(text))
	if err != nil || v.Kind() != expr.KindArray {
		return nil
	}
	var out []expr.Value
	for _, item := range v.Items() {
		if item.Kind() == expr.KindObject {
			out = append(out, item)
		}
	}
	return out
}

// FuzzCron holds that a schedule is read or refused at its place.
func FuzzCron(f *testing.F) {
	for _, s := range []string{"0 0 * * *", "*/5 * * * 1-5", "0 0 31 2 *", "60 * * * *", "* * * * MON,FRI", "@daily", "1-0 * * * *", "*/0 * * * *", "99999999999999999999 * * * *", "0 0 29 2 1/2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, err := json.Marshal(s)
		if err != nil || len(s) > 4<<10 {
			t.Skip()
		}
		_, faults := workflow.Read("a.yml", []byte("on: {schedule: [{cron: "+string(text)+"}]}\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n"))
		placed(t, faults)
	})
}
