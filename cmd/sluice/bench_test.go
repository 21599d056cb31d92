package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The benchmarks of whole processes: Sluice, its peer and bare bash do the same work in turn, in one run, and the ratios
// of their medians are what is reported. SLUICE_PEER is the peer's program (gitlab-ci-local); without it only bash is
// compared with. They assert nothing: `make bench` prints.

// rounds is how often each program does a piece of work.
const rounds = 5

// peerLimit bounds one run of the peer, which does not finish the largest pipelines in minutes.
const peerLimit = 2 * time.Minute

// binary builds sluice once.
func binary(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "sluice")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// repository is a folder with a pipeline, committed.
func repository(b *testing.B, pipeline string) string {
	b.Helper()
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".gitlab-ci.yml"), []byte(pipeline), 0o644); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte(".gitlab-ci-local/\n.sluice/\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"},
		{"remote", "add", "origin", "git@gitlab.com:group/project.git"},
		{"add", "-A"},
		{"-c", "user.name=b", "-c", "user.email=b@localhost", "commit", "-q", "-m", "begin"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	return dir
}

// rival is one of those that are compared. It runs in dir; a failure is told, a time-out gives the limit.
type rival struct {
	name  string
	limit time.Duration
	args  []string
}

// took is how long a program takes; ok is false when it did not finish in time or failed.
func took(b *testing.B, dir string, p rival, out io.Writer) (time.Duration, bool) {
	b.Helper()
	ctx, stop := context.WithTimeout(context.Background(), p.limit)
	defer stop()
	cmd := exec.CommandContext(ctx, p.args[0], p.args[1:]...)
	var errs bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, &errs
	cmd.WaitDelay = time.Second
	began := time.Now()
	err := cmd.Run()
	if ctx.Err() == nil && err != nil {
		b.Logf("%s: %v: %.300s", p.name, err, errs.String())
	}
	return time.Since(began), err == nil
}

// compare runs the programs in turn and reports the medians, and the ratios to the first.
func compare(b *testing.B, dir string, n int, programs ...rival) {
	b.Helper()
	times := make([][]time.Duration, len(programs))
	failed := make([]bool, len(programs))
	for round := range n {
		for i, p := range programs {
			if failed[i] {
				continue
			}
			d, ok := took(b, dir, p, io.Discard)
			if !ok && round == 0 {
				failed[i] = true // not again: it would only fail, or take its limit, n times
			}
			times[i] = append(times[i], d)
		}
	}
	b.ReportMetric(0, "ns/op")
	ours := median(times[0])
	b.ReportMetric(ours.Seconds(), programs[0].name+"-s")
	for i, p := range programs[1:] {
		theirs := median(times[i+1])
		b.ReportMetric(theirs.Seconds(), p.name+"-s")
		suffix := ""
		if failed[i+1] {
			suffix = "-at-least" // it was stopped at its limit, or failed
		}
		b.ReportMetric(float64(theirs)/float64(ours), p.name+"/sluice"+suffix)
	}
}

func median(ds []time.Duration) time.Duration {
	s := slices.Clone(ds)
	slices.Sort(s)
	return s[len(s)/2]
}

// withPeer adds the peer where it is installed.
func withPeer(programs []rival, args ...string) []rival {
	if peer := os.Getenv("SLUICE_PEER"); peer != "" {
		programs = append(programs, rival{"peer", peerLimit, append([]string{peer, "--no-color"}, args...)})
	}
	return programs
}

// whole compares a whole pipeline with a loop that starts the same shells one after the other.
func whole(b *testing.B, pipeline string, shells int) {
	dir := repository(b, pipeline)
	loop := fmt.Sprintf("for i in $(seq %d); do bash -c 'echo hi'; done", shells)
	compare(b, dir, rounds, withPeer([]rival{
		{"sluice", time.Minute, []string{binary(b), "run", "--progress", "quiet"}},
		{"loop", time.Minute, []string{"bash", "-c", loop}},
	})...)
}

func BenchmarkRunOneJob(b *testing.B) { whole(b, "job:\n  script: echo hi\n", 1) }

func BenchmarkRun100Jobs(b *testing.B) {
	var p strings.Builder
	for i := range 100 {
		fmt.Fprintf(&p, "job-%d:\n  script: echo hi\n", i)
	}
	whole(b, p.String(), 100)
}

func BenchmarkRunChainOf50(b *testing.B) {
	p := "job-0:\n  script: echo hi\n"
	for i := 1; i < 50; i++ {
		p += fmt.Sprintf("job-%d:\n  script: echo hi\n  needs: [job-%d]\n", i, i-1)
	}
	whole(b, p, 50)
}

func BenchmarkRunLayersOf500(b *testing.B) {
	var p strings.Builder
	p.WriteString("stages: [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9]\n")
	for i := range 500 {
		layer := i / 50
		fmt.Fprintf(&p, "job-%d:\n  stage: s%d\n  script: echo hi\n", i, layer)
		if layer > 0 {
			fmt.Fprintf(&p, "  needs: [job-%d, job-%d]\n", i-50, (layer-1)*50+(i+7)%50)
		}
	}
	whole(b, p.String(), 500)
}

func BenchmarkRunMatrix10x10(b *testing.B) {
	ten := "[a, b, c, d, e, f, g, h, i, j]"
	whole(b, "job:\n  script: echo hi\n  parallel:\n    matrix:\n      - X: "+ten+"\n        Y: "+ten+"\n", 100)
}

// BenchmarkCompile5000Jobs lists the jobs of a large file: reading, includes, rules and the graph, without running.
func BenchmarkCompile5000Jobs(b *testing.B) {
	var p strings.Builder
	p.WriteString("stages: [s0, s1, s2, s3, s4]\n.base:\n  before_script: [echo before]\n  variables: {A: b}\n")
	for i := range 5000 {
		fmt.Fprintf(&p, "job-%d:\n  extends: .base\n  stage: s%d\n  script: [echo %d]\n  rules:\n    - if: $CI_COMMIT_BRANCH\n", i, i/1000, i)
	}
	dir := repository(b, p.String())
	compare(b, dir, 3, withPeer([]rival{{"sluice", time.Minute, []string{binary(b), "run", "--list"}}}, "--list")...)
}

// BenchmarkMillionLines writes a million lines from a job, against bash writing them to a file.
func BenchmarkMillionLines(b *testing.B) {
	const lines = `i=0; while [ $i -lt 1000000 ]; do echo "line $i of the log"; i=$((i+1)); done`
	dir := repository(b, "job:\n  script:\n    - '"+lines+"'\n")
	compare(b, dir, 3,
		rival{"sluice", time.Minute, []string{binary(b), "run", "--progress", "plain"}},
		rival{"bash-to-file", time.Minute, []string{"bash", "-c", "{ " + lines + "; } > out.txt"}},
	)
}

// BenchmarkArtifacts200MB saves 200 MB in 2,000 files once and restores them in five jobs.
func BenchmarkArtifacts200MB(b *testing.B) {
	pipeline := `
make:
  stage: build
  script:
    - mkdir data; head -c 209715200 /dev/urandom | (cd data && split -b 104858 -a 4 -d)
  artifacts:
    paths: [data]
take:
  stage: test
  parallel: 5
  script:
    - ls data | wc -l
`
	dir := repository(b, pipeline)
	alone := "mkdir -p x && cd x && rm -rf data && mkdir data && head -c 209715200 /dev/urandom | (cd data && split -b 104858 -a 4 -d) && ls data | wc -l"
	compare(b, dir, 3, withPeer([]rival{
		{"sluice", 2 * time.Minute, []string{binary(b), "run", "--progress", "quiet"}},
		{"making-them-alone", time.Minute, []string{"bash", "-c", alone}},
	})...)
}
