package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// thousands is how many jobs a pipeline of very many has: ten thousand where there is time (SLUICE_TEST_FULL=1).
func thousands() int {
	switch {
	case os.Getenv("SLUICE_TEST_FULL") != "":
		return 10_000
	case testing.Short() || raceEnabled:
		return 500
	default:
		return 3000
	}
}

// pipelineOf writes n jobs; each but the first needs what needs says.
func pipelineOf(n int, script string, needs func(i int) string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "j%d: {needs: [%s], script: %q}\n", i, needs(i), script)
	}
	return b.String()
}

// TestHostileScale: thousands of jobs are planned, listed and run to the end, and every one is told of.
func TestHostileScale(t *testing.T) {
	t.Parallel()
	n := thousands()
	for name, c := range map[string]struct {
		n     int
		needs func(i int) string
	}{
		"beside each other": {n, func(int) string { return "" }},
		"one after the other": {n / 10, func(i int) string {
			if i == 0 {
				return ""
			}
			return fmt.Sprintf("j%d", i-1)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := world(t, "")
			put(t, pipelineOf(c.n, ":", c.needs), dir, ".gitlab-ci.yml")
			o := assail(t, dir, assault{args: []string{"run", "--format", "json", "-j", "4", "--executor", "shell"}, exit: []int{exitOK}, limit: 4 * minute})
			done := strings.Count(o.out, `"status":"success"`)
			if done != c.n+1 {
				t.Errorf("%d of %d jobs and the pipeline have ended well", done, c.n+1)
			}
			if o.rss > 400<<20 && !raceEnabled {
				t.Errorf("%d jobs took %d MiB", c.n, o.rss>>20)
			}
			t.Logf("%d MiB", o.rss>>20)
			workless(t, dir)
		})
	}
	t.Run("looked at", func(t *testing.T) {
		t.Parallel()
		dir := world(t, "")
		put(t, pipelineOf(10_000, "echo", func(i int) string {
			if i < 50 {
				return ""
			}
			return fmt.Sprintf("j%d, j%d", i-50, i-49)
		}), dir, ".gitlab-ci.yml")
		for _, args := range [][]string{{"plan"}, {"plan", "-o", "json"}, {"plan", "-o", "dot"}, {"run", "--list"}, {"explain", "j9999"}, {"lint"}} {
			o := assail(t, dir, assault{args: args, exit: []int{exitOK}})
			if !strings.Contains(o.said(), "j9999") && args[0] != "lint" {
				t.Errorf("%v does not tell of the last job", args)
			}
			if o.rss > 400<<20 && !raceEnabled {
				t.Errorf("%v took %d MiB", args, o.rss>>20)
			}
		}
	})
}

// TestHostileTogether: five runs at once in one checkout, with one cache and one resource group, each with its own number,
// folder and result.
func TestHostileTogether(t *testing.T) {
	t.Parallel()
	token := t.TempDir()
	dir := world(t, "")
	put(t, `
alone:
  resource_group: one
  cache: {key: shared, paths: [c]}
  artifacts: {paths: [mine]}
  script:
    - mkdir TOKEN/held
    - if test -e c/1; then test "$(cat c/* | sort -u | wc -l)" = 1; fi
    - mkdir -p c; for i in 1 2 3 4 5 6 7 8; do echo $CI_JOB_ID > c/$i; done; echo $CI_PIPELINE_IID > mine; sleep 0.1
    - rmdir TOKEN/held
beside:
  parallel: 4
  cache: {key: shared, paths: [c]}
  script:
    - if test -e c/1; then test "$(cat c/* | sort -u | wc -l)" = 1; fi
    - mkdir -p c; for i in 1 2 3 4 5 6 7 8; do echo $CI_JOB_ID > c/$i; done
    - touch TOKEN/job-$CI_JOB_ID-$CI_PIPELINE_IID
after:
  needs: [alone]
  script: test "$(cat mine)" = $CI_PIPELINE_IID
`, dir, ".gitlab-ci.yml")
	file := filepath.Join(dir, ".gitlab-ci.yml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	put(t, strings.ReplaceAll(string(text), "TOKEN", token), file)
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() { assail(t, dir, assault{args: []string{"run", "--progress", "plain"}, exit: []int{exitOK}}) })
	}
	all.Wait()
	ids, _ := filepath.Glob(filepath.Join(token, "job-*"))
	if len(ids) != 5*4 {
		t.Errorf("20 jobs have %d numbers of their own: %v", len(ids), ids)
	}
	runs, _ := filepath.Glob(filepath.Join(dir, ".sluice/runs/*/run.json"))
	if len(runs) != 5 {
		t.Errorf("five runs are kept as %d", len(runs))
	}
	workless(t, dir)
}

// A checkout that another process changes while runs begin: a job sees one state of each file, the old or the new, never a
// part, and a run that cannot says so.
func TestHostileChanges(t *testing.T) {
	t.Parallel()
	dir := world(t, "-- .gitlab-ci.yml --\na:\n  script:\n    - 'for f in data*; do test \"$(sort -u $f | wc -l)\" = 1 || { echo \"$f is\" torn; exit 9; }; done'\n    - git status --short > /dev/null\n")
	write := func(word string) {
		for i := range 40 {
			fresh := put(t, strings.Repeat(word+"\n", 20_000), dir, ".fresh")
			if err := os.Rename(fresh, filepath.Join(dir, fmt.Sprintf("data%d", i))); err != nil {
				t.Error(err)
			}
		}
	}
	write("zero")
	gitIn(t, dir, "add", "-A")
	gitIn(t, dir, "commit", "-qm", "Data")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				write(fmt.Sprint("word", i))
			}
		}
	}()
	for range 5 {
		o := assail(t, dir, assault{args: []string{"run", "--format", "json"}, churn: true, exit: []int{exitOK, exitFailed, exitUsage}})
		if strings.Contains(o.out, "is torn") {
			t.Errorf("a job saw a part of a file: %s", clip(o.out))
		}
		if o.exit != exitOK && !strings.Contains(o.said(), "changed") {
			t.Errorf("why it failed is not said: %s", clip(o.said()))
		}
	}
	close(stop)
	<-stopped
}
