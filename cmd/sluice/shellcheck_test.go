package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/lint"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// scriptsOf are the scripts of a workflow.
func scriptsOf(t *testing.T, text string) []lint.Script {
	t.Helper()
	f, faults := workflow.Read("ci.yml", []byte(text))
	if faults.HasErrors() {
		t.Fatal(faults)
	}
	return lint.Scripts(f, []byte(text))
}

const scripted = `on: push
jobs:
  linux:
    runs-on: ubuntu-latest
    steps:
      - run: echo $HOME/*.txt | xargs rm
      - run: |
          # a comment
          echo ok
          cd "${{ github.workspace }}" && ls	$1
      - run: |
          if [ -z ${{ github.ref }} ]; then
            echo 'never closed
      - shell: pwsh
        run: echo $HOME
  windows:
    runs-on: windows-latest
    steps:
      - run: echo $HOME/$1
`

func TestShellcheckPlacesItsFindingsInTheWorkflow(t *testing.T) {
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("SHELLCHECK IS NOT INSTALLED:", err)
	}
	found, err := scriptTools{shellcheck: "auto", pyflakes: "never"}.check(t.Context(), scriptsOf(t, scripted))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		place, code string
		severity    fault.Severity
	}{
		{"ci.yml:6:19", "SC2086", fault.Note}, {"ci.yml:10:46", "SC2086", fault.Note}, {"ci.yml:13:18", "SC1073", fault.Error},
	} {
		ok := false
		for _, f := range found {
			ok = ok || f.Place.String() == want.place && strings.HasPrefix(f.Message, want.code+":") && f.Severity == want.severity
		}
		if !ok {
			t.Errorf("%s %s at %s is missing", want.severity, want.code, want.place)
		}
	}
	for _, f := range found {
		if f.Place.Line > 13 {
			t.Errorf("not a script of a POSIX shell: %s", f)
		}
	}
	if t.Failed() {
		t.Log(found)
	}
}

// A script that takes in a file without end costs nothing: files that scripts name are not read.
func TestShellcheckReadsNoOtherFile(t *testing.T) {
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("SHELLCHECK IS NOT INSTALLED:", err)
	}
	dir := world(t, "")
	put(t, "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: |\n          . /dev/zero\n", dir, workflowFile)
	o := assail(t, dir, assault{args: []string{"lint"}, exit: []int{exitOK}})
	if strings.Contains(o.said(), "could not look") || o.rss > documentLimit && !raceEnabled {
		t.Errorf("%d MiB: %s", o.rss>>20, o.said())
	}
}

// stub is a tool that says the text and ends with the code.
func stub(t *testing.T, says string, code string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "tool")
	script := "#!/bin/sh\ncat >/dev/null\ncat <<'EOF'\n" + says + "\nEOF\nexit " + code + "\n"
	if err := os.WriteFile(name, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

const pythonScripted = `on: push
jobs:
  a:
    runs-on: ubuntu-latest
    defaults:
      run:
        shell: python
    steps:
      - run: |
          import os
          print(undefined)
`

func TestPyflakesIsPlacedInTheWorkflow(t *testing.T) {
	tool := stub(t, "<stdin>:1:1: 'os' imported but unused\n<stdin>:2:7: undefined name 'undefined'\n    context", "1")
	found, err := scriptTools{shellcheck: "never", pyflakes: tool}.check(t.Context(), scriptsOf(t, pythonScripted))
	if err != nil {
		t.Fatal(err)
	}
	got := found.Error()
	want := "ci.yml:10:11: warning: pyflakes: 'os' imported but unused [SL1846]\nci.yml:11:17: warning: pyflakes: undefined name 'undefined' [SL1846]"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestScriptToolsThatFailAreToldOnce(t *testing.T) {
	tool := stub(t, "no such option", "3")
	found, err := scriptTools{shellcheck: "never", pyflakes: tool}.check(t.Context(), scriptsOf(t, pythonScripted))
	if err != nil || len(found) != 1 || found[0].Severity != fault.Note || !strings.Contains(found[0].Message, "no such option") {
		t.Errorf("found %v, error %v", found, err)
	}
}

func TestScriptToolsNamedByAPathMustExist(t *testing.T) {
	_, err := scriptTools{shellcheck: filepath.Join(t.TempDir(), "none"), pyflakes: "never"}.check(t.Context(), nil)
	if fault.CodeOf(err) != codeUsage {
		t.Errorf("error %v", err)
	}
}

func TestScriptToolsEndWithTheCommand(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	found, err := scriptTools{shellcheck: "never", pyflakes: stub(t, "", "0")}.check(ctx, scriptsOf(t, pythonScripted))
	if err == nil || found != nil {
		t.Errorf("found %v, error %v", found, err)
	}
}
