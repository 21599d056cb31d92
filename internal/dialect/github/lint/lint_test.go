package lint_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/dialect/github/lint"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func TestScriptsKnowTheirPlaces(t *testing.T) {
	text := "on: push\ndefaults: {run: {shell: sh}}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n" +
		"      - run: |\n          one ${{ 'a }} b' }} two\n\n            three\n" +
		"      - run: >-\n          four\n          five\n" +
		"      - {shell: python, run: \"six\\tseven\"}\n" +
		"  b:\n    runs-on: windows-2025\n    defaults: {run: {shell: 'bash -e {0}'}}\n    steps:\n      - run: eight\n      - {run: nine, shell: pwsh}\n"
	f, faults := workflow.Read("ci.yml", []byte(text))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	source := strings.Split(text, "\n")
	var shells []string
	for _, s := range lint.Scripts(f, []byte(text)) {
		shells = append(shells, s.Shell)
		for i, line := range strings.Split(s.Text, "\n") {
			for _, word := range strings.Fields(line) {
				if strings.Contains(word, "_") {
					continue
				}
				at := s.At(i+1, 1+strings.Index(line, word))
				if got := source[at.Line-1][at.Column-1:]; !strings.HasPrefix(got, word) {
					t.Errorf("%q is placed at %s, where %q stands", word, at, got)
				}
			}
		}
	}
	if got, want := fmt.Sprint(shells), "[sh sh python bash -e {0} pwsh]"; got != want {
		t.Errorf("shells %s, want %s", got, want)
	}
	first := lint.Scripts(f, []byte(text))[0]
	if want := "one " + strings.Repeat("_", len("${{ 'a }} b' }}")) + " two\n\n  three\n"; first.Text != want {
		t.Errorf("text %q, want %q", first.Text, want)
	}
	for _, at := range []fault.Place{first.At(0, 0), first.At(99, 1), first.At(1, 999), first.At(2, 5)} {
		if at.Line < 7 || at.Line > 11 {
			t.Errorf("outside of the script: %s", at)
		}
	}
}

func TestConfigIsThatOfActionlint(t *testing.T) {
	for name, world := range map[string]struct {
		text, labels, variables string
		listed                  bool
		told                    int
	}{
		"nothing":                   {"", "[]", "[]", false, 0},
		"labels":                    {"self-hosted-runner:\n  labels: [a, 'b-*']\n", "[a b-*]", "[]", false, 0},
		"no list of variables":      {"config-variables: null\n", "[]", "[]", false, 0},
		"an empty list":             {"config-variables: []\n", "[]", "[]", true, 0},
		"variables":                 {"config-variables: [A, B]\n", "[]", "[A B]", true, 0},
		"paths have no effect":      {"paths:\n  '**': {ignore: [x]}\n", "[]", "[]", false, 1},
		"a label that is no glob":   {"self-hosted-runner: {labels: ['a[']}\n", "[]", "[]", false, 1},
		"a key that does not exist": {"self-hosted-runners: {}\n", "[]", "[]", false, 1},
		"no mapping":                {"- a\n", "[]", "[]", false, 1},
		"text for a list":           {"config-variables: A\n", "[]", "[]", true, 1},
		"no YAML":                   {"a: [\n", "[]", "[]", false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c, faults := lint.ReadConfig(".github/actionlint.yaml", []byte(world.text))
			if got := fmt.Sprint(c.Labels); got != world.labels {
				t.Errorf("labels %s, want %s", got, world.labels)
			}
			if got := fmt.Sprint(c.Variables); got != world.variables || c.Listed != world.listed {
				t.Errorf("variables %s %v, want %s %v", got, c.Listed, world.variables, world.listed)
			}
			if len(faults) != world.told {
				t.Errorf("told %v", faults)
			}
		})
	}
}

func TestDocsExplainEveryCode(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range lint.Docs {
		if d.Code < "SL1820" || d.Code > "SL1869" || seen[d.Code] || d.Summary == "" || d.Text == "" {
			t.Errorf("the code %q is outside of the range, explained twice, or not explained", d.Code)
		}
		seen[d.Code] = true
	}
}

// remote is a lint.Source of files by repository@ref:path.
type remote map[string]string

func (r remote) Read(_ context.Context, repository, ref, path string) ([]byte, error) {
	if text, ok := r[repository+"@"+ref+":"+path]; ok {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}

func TestOtherRepositoriesAreLookedAt(t *testing.T) {
	text := "on: push\njobs:\n  call:\n    uses: o/r/.github/workflows/x.yml@v1\n    with: {nede: 1}\n  a:\n    needs: call\n    runs-on: ubuntu-latest\n    steps:\n" +
		"      - uses: o/r/sub@v1\n        with: {wrong: 1}\n      - run: echo ${{ needs.call.outputs.no }}\n      - uses: o/none@v1\n        with: {any: 1}\n"
	f, _ := workflow.Read("ci.yml", []byte(text))
	source := remote{
		"o/r@v1:.github/workflows/x.yml": "on:\n  workflow_call:\n    inputs: {need: {type: string}}\njobs: {a: {runs-on: x, steps: [{run: make}]}}\n",
		"o/r@v1:sub/action.yaml":         "name: x\ndescription: x\ninputs: {right: {description: x}}\nruns: {using: node20, main: x}\n",
	}
	got := lint.Check(t.Context(), lint.Input{File: f, Text: []byte(text), Source: source}).Error()
	want := `ci.yml:5:12: o/r/.github/workflows/x.yml@v1 has no input "nede" [SL1836] - did you mean need?
ci.yml:11:16: warning: o/r/sub@v1 has no input "wrong" [SL1828] - it has right
ci.yml:12:42: warning: needs.call.outputs has no property "no" [SL1613] - nothing is defined there`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// broken is a lint.Files that cannot be read.
type broken struct{}

func (broken) Read(context.Context, string) ([]byte, error) {
	return nil, errors.New("the disk is gone")
}

func TestFilesThatCannotBeReadAreTold(t *testing.T) {
	text := "on: push\njobs:\n  call: {uses: ./.github/workflows/x.yml}\n  a:\n    runs-on: ubuntu-latest\n    steps: [{uses: ./x}]\n"
	f, _ := workflow.Read("ci.yml", []byte(text))
	found := lint.Check(t.Context(), lint.Input{File: f, Text: []byte(text), Files: broken{}})
	if len(found) != 2 || !strings.Contains(found.Error(), "the disk is gone") {
		t.Errorf("found %v", found)
	}
}

// An action that uses itself, and a workflow that calls itself, come to an end.
func TestCirclesComeToAnEnd(t *testing.T) {
	archive := txtar.Parse([]byte(`-- x.yml --
on: workflow_call
jobs:
  a: {uses: ./.github/workflows/x.yml}
  b: {runs-on: ubuntu-latest, steps: [{uses: ./act}]}
-- act/action.yml --
name: x
description: x
runs: {using: composite, steps: [{uses: ./act}]}
`))
	root, files := unpack(t, archive, false)
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	f, _ := workflow.Read(".github/workflows/x.yml", text)
	if found := lint.Check(t.Context(), lint.Input{File: f, Text: text, Files: disk(root)}); len(found) > 0 {
		t.Errorf("found %v", found)
	}
}

// Thousands of mistakes are told up to a bound, and in no long time.
func TestManyMistakesAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n")
	for i := range 4000 {
		fmt.Fprintf(&b, "      - {id: step%d, run: 'echo ${{ steps.stepp%d.outcome }}'}\n", i, i)
	}
	found := check(t, b.String())
	if len(found) > 1001 {
		t.Errorf("%d findings", len(found))
	}
	if last := found[0]; last.Code != lint.CodeMore {
		t.Errorf("the bound is not told: %s", last)
	}
}

// FuzzCheck: whatever the reader takes is looked at without a panic, and every finding has a place in the file.
func FuzzCheck(f *testing.F) {
	for _, path := range goldens(f) {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			f.Add(file.Data)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		lines := strings.Count(string(text), "\n") + 1
		file, _ := workflow.Read("ci.yml", text)
		action, _ := workflow.ReadAction("action.yml", text)
		files := disk(t.TempDir())
		for _, in := range []lint.Input{{File: file, Text: text, Files: files}, {Action: action, Text: text, Files: files}, {File: file}} {
			for _, found := range lint.Check(t.Context(), in) {
				if found.Place.Line < 1 || found.Place.Line > lines+strings.Count(string(text), "\r")+strings.Count(string(text), "\u2028")+strings.Count(string(text), "\u2029")+strings.Count(string(text), "\u0085") {
					t.Errorf("outside of the file: %s", found)
				}
			}
		}
		for _, s := range append(lint.Scripts(file, text), lint.ActionScripts(action, text)...) {
			s.At(1, 1)
			s.At(3, 7)
			if strings.Count(s.Text, "\n") > lines*2+8 {
				t.Errorf("a script of more lines than the file")
			}
		}
	})
}
