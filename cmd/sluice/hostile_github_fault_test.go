package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// busyWorkflow is in the middle of something at every instant: checking out, running, keeping artifacts and caches, waiting
// for a group, ending.
const busyWorkflow = `on: push
jobs:
  make:
    runs-on: ubuntu-latest
    concurrency: group-${{ matrix.n }}
    strategy: {fail-fast: false, matrix: {n: [1, 2, 3, 4]}}
    steps:
      - uses: actions/checkout@v4
      - uses: actions/cache@v4
        with: {path: c, key: "k-${{ matrix.n }}-${{ github.run_id }}", restore-keys: k-}
      - run: 'mkdir -p c; head -c 2000000 /dev/urandom > c/$RANDOM; LONG & (setsid LONG >/dev/null 2>&1 &) ; sleep 0.05'
      - uses: ./own
      - uses: actions/upload-artifact@v4
        with: {name: "a-${{ matrix.n }}", path: c}
      - {if: always(), run: 'echo always; sleep 0.02'}
  use:
    needs: make
    if: always()
    runs-on: ubuntu-latest
    steps:
      - uses: actions/download-artifact@v4
        with: {path: all}
      - run: 'trap "" TERM INT; LONG & sleep 0.05'
`

func busyWorld(t *testing.T) string {
	t.Helper()
	dir := world(t, "")
	put(t, composite("    - {run: 'sleep 0.01', shell: bash}\n    - {if: always(), run: 'echo own', shell: bash}\n"), dir, "own", "action.yml")
	return dir
}

// TestHostileGitHubInterrupts: Ctrl-C, once and twice, and SIGKILL at random instants leave no process and no half state,
// and the next run works.
func TestHostileGitHubInterrupts(t *testing.T) {
	t.Parallel()
	tries := 60 / oneOf(10, 4)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	command, mark := long(t)
	dir := busyWorld(t)
	exits := map[int]int{}
	for i := range tries {
		put(t, strings.ReplaceAll(busyWorkflow, "LONG", command), dir, workflowFile)
		signals := [][]syscall.Signal{{syscall.SIGINT}, {syscall.SIGINT, syscall.SIGINT}, {syscall.SIGKILL}}[i%3]
		exit := signaling(t, dir, time.Duration(random.Int64N(int64(700*time.Millisecond))), signals...)
		exits[exit]++
		killed := signals[0] == syscall.SIGKILL
		if !killed && !slices.Contains([]int{exitOK, exitInterrupted, 128 + int(syscall.SIGINT)}, exit) {
			t.Errorf("try %d: exit code %d", i, exit)
		}
		if killed {
			put(t, strings.ReplaceAll(busyWorkflow, "LONG", "true"), dir, workflowFile)
			assail(t, dir, assault{args: []string{"run", "--progress", "plain"}, exit: []int{exitOK}})
		}
		if left := running(mark); len(left) > 0 {
			t.Fatalf("try %d (%v, exit code %d): processes are left: %v", i, signals, exit, left)
		}
		workless(t, dir)
		if left, _ := filepath.Glob(filepath.Join(dir, ".sluice/toolkit/*")); len(left) > 0 {
			t.Errorf("try %d (%v): services have left %v", i, signals, left)
		}
	}
	t.Logf("exit codes: %v", exits)
	put(t, strings.ReplaceAll(busyWorkflow, "LONG", "true"), dir, workflowFile)
	assail(t, dir, assault{args: []string{"run", "--progress", "plain"}, exit: []int{exitOK}})
	whatIsKept(t, dir)
}

// TestHostileGitHubTogether: runs at once in one repository have their own artifacts, share caches, and hold groups one
// after the other.
func TestHostileGitHubTogether(t *testing.T) {
	t.Parallel()
	token := t.TempDir()
	dir := world(t, "")
	put(t, strings.ReplaceAll(`on: push
jobs:
  alone:
    runs-on: ubuntu-latest
    concurrency: one
    steps:
      - uses: actions/cache@v4
        with: {path: c, key: shared}
      - run: |
          mkdir TOKEN/held
          mkdir -p c; test -e c/1 || echo $GITHUB_RUN_ID > c/1
          echo $GITHUB_RUN_ID > mine; sleep 0.1
          rmdir TOKEN/held
      - uses: actions/upload-artifact@v4
        with: {name: mine, path: mine}
  after:
    needs: alone
    runs-on: ubuntu-latest
    steps:
      - uses: actions/download-artifact@v4
        with: {name: mine}
      - run: test "$(cat mine)" = $GITHUB_RUN_ID && touch TOKEN/run-$GITHUB_RUN_ID
`, "TOKEN", token), dir, workflowFile)
	var all sync.WaitGroup
	var mu sync.Mutex
	exits := map[int]int{}
	for range 2 { // a group has one that runs and one that waits; a third would cancel the one that waits
		all.Go(func() {
			o := assail(t, dir, assault{args: []string{"run", "--progress", "plain"}, exit: []int{exitOK}})
			mu.Lock()
			defer mu.Unlock()
			exits[o.exit]++
		})
	}
	all.Wait()
	if runs, _ := filepath.Glob(filepath.Join(token, "run-*")); len(runs) != 2 {
		t.Errorf("two runs have the ids %v; exit codes %v", runs, exits)
	}
	workless(t, dir)
	o := assail(t, dir, assault{args: []string{"run", "--progress", "plain"}, exit: []int{exitOK}})
	if !strings.Contains(o.said(), "restored") && !strings.Contains(o.said(), "Cache hit") {
		t.Errorf("the cache is not shared: %s", clip(o.said()))
	}
}

// TestHostileGitHubDisk gives the state folder a disk that fills: no job that could not keep its work is green, and with
// room again all is well.
func TestHostileGitHubDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: not root, so no small file system can be mounted")
	}
	text := func(size, lines int) string {
		return fmt.Sprintf(`on: push
jobs:
  artifact: {runs-on: ubuntu-latest, steps: [{run: 'head -c %[1]d /dev/urandom > x'}, {uses: actions/upload-artifact@v4, with: {path: x}}]}
  cache: {runs-on: ubuntu-latest, steps: [{run: 'head -c %[1]d /dev/urandom > x'}, {uses: actions/cache/save@v4, with: {path: x, key: k}}]}
  output: {runs-on: ubuntu-latest, steps: [{run: 'head -c %[1]d /dev/zero | base64 >> $GITHUB_STEP_SUMMARY; echo a=b >> $GITHUB_OUTPUT'}]}
  talk: {runs-on: ubuntu-latest, steps: [{run: 'seq %[2]d'}]}
`, size, lines)
	}
	dir := world(t, "")
	mount(t, filepath.Join(dir, ".sluice"), true)
	put(t, text(20_000_000, 3_000_000), dir, workflowFile)
	o := assail(t, dir, assault{args: []string{"run", "--format", "json", "-j", "1"}, exit: []int{exitFailed, exitUsage}})
	if !strings.Contains(o.said(), "space") {
		t.Errorf("the disk is full, and it is not said: %s", clip(o.said()))
	}
	for _, job := range []string{"artifact", "output", "talk"} {
		if strings.Contains(o.out, fmt.Sprintf(`"job":%q,"status":"success"`, job)) {
			t.Errorf("%s is green: %s", job, clip(o.out))
		}
	}
	assail(t, dir, assault{args: []string{"clean", "--caches"}, exit: []int{exitOK}})
	workless(t, dir)
	put(t, text(1000, 10), dir, workflowFile)
	assail(t, dir, assault{args: []string{"run"}, exit: []int{exitOK}})
}

const poorWorkflow = `on: push
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: cat file; mkdir -p c; echo x > c/x; echo "out=1" >> $GITHUB_OUTPUT
      - uses: actions/cache@v4
        with: {path: c, key: k}
      - uses: actions/upload-artifact@v4
        with: {path: c}
  b:
    needs: a
    runs-on: ubuntu-latest
    steps:
      - uses: actions/download-artifact@v4
        with: {name: artifact}
      - {run: cat x, shell: sh}
`

// TestHostileGitHubEnvironment runs on machines that lack what is usually there.
func TestHostileGitHubEnvironment(t *testing.T) {
	t.Parallel()
	for name, env := range poor {
		if name == "with programs for git" || name == "with bash's" {
			continue // canaries are replaced in place by the test that these are from
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := world(t, "-- file --\ncontent\n")
			put(t, poorWorkflow, dir, workflowFile)
			assail(t, dir, assault{args: []string{"run", "--progress", "plain"}, env: env, exit: []int{exitOK}})
		})
	}
	t.Run("with a workflow's own", func(t *testing.T) {
		t.Parallel()
		dir, bird := world(t, "-- file --\ncontent\n"), canary(t)
		put(t, poorWorkflow, dir, workflowFile)
		assail(t, dir, assault{args: []string{"run", "--progress", "plain"}, exit: []int{exitOK}, env: []string{
			"GITHUB_WORKSPACE=/nonexistent", "GITHUB_OUTPUT=" + bird, "GITHUB_ENV=" + bird, "GITHUB_PATH=" + bird, "GITHUB_STEP_SUMMARY=" + bird, "GITHUB_EVENT_PATH=/nonexistent",
			"RUNNER_TEMP=/nonexistent", "RUNNER_OS=x", "GITHUB_ACTIONS=no", "ACTIONS_RUNTIME_TOKEN=x", "ACTIONS_RESULTS_URL=http://192.0.2.1/", "CI=no", "INPUT_KEY=x", "STATE_x=y",
		}})
	})
	for _, missing := range []string{"git", "bash", "node"} {
		t.Run("without "+missing, func(t *testing.T) {
			t.Parallel()
			dir := world(t, "-- file --\ncontent\n")
			put(t, poorWorkflow+"      - {uses: ./js, if: \"${{ env.JS == 'yes' }}\"}\n", dir, workflowFile)
			put(t, "name: x\nruns: {using: node20, main: x.js}\n-- x.js --\n", dir, "js", "action.yml")
			bin := pathWithout(t, missing)
			o := assail(t, dir, assault{args: []string{"run", "--progress", "plain"}, exit: []int{exitOK, exitFailed, exitUsage}, env: []string{"PATH=" + bin}, start: func(cmd *exec.Cmd) {
				cmd.Args[2] = filepath.Join(bin, "sluice")
				if missing == "bash" && os.Getuid() == 0 { // also where it usually is
					hide := `for b in /usr/bin/bash /usr/local/bin/bash /bin/bash; do test ! -f $b || mount --bind /dev/null $b; done; exec "$@"`
					cmd.Path, cmd.Args = filepath.Join(bin, "unshare"), append([]string{"unshare", "-m", "sh", "-c", hide, "sh", cmd.Path}, cmd.Args[1:]...)
				}
			}})
			if o.exit != exitOK && !strings.Contains(o.said(), missing) {
				t.Errorf("what is missing is not said: exit code %d: %s", o.exit, clip(o.said()))
			}
			if o.exit != exitOK && (missing == "node" || missing == "bash" && os.Getuid() == 0) {
				t.Errorf("exit code %d: %s", o.exit, clip(o.said()))
			}
		})
	}
}

// pathWithout makes a folder for PATH with all programs of this machine's but one.
func pathWithout(t *testing.T, missing string) string {
	t.Helper()
	bin := t.TempDir()
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if e.Name() != missing && e.Name() != "nodejs" || missing != "node" && e.Name() == "nodejs" {
				_ = os.Symlink(filepath.Join(dir, e.Name()), filepath.Join(bin, e.Name())) // the first on PATH stays
			}
		}
	}
	return bin
}

// TestHostileGitHubReadOnly: a HOME and a cache folder that cannot be written are no reason to fail.
func TestHostileGitHubReadOnly(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: not root, so no read-only file system can be mounted")
	}
	dir, home := world(t, "-- file --\ncontent\n"), t.TempDir()
	put(t, poorWorkflow, dir, workflowFile)
	if err := syscall.Mount("tmpfs", home, "tmpfs", syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("SKIPPED: no read-only file system can be mounted: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(home, syscall.MNT_DETACH) })
	assail(t, dir, assault{args: []string{"run", "--progress", "plain"}, env: []string{"HOME=" + home, "XDG_CACHE_HOME=" + home + "/cache", "XDG_CONFIG_HOME=" + home}, exit: []int{exitOK}})
}

// hostileZips are artifacts as no client makes them; each is planted in a run and then fetched by its job.
func hostileZips(t *testing.T, outside string) map[string][]byte {
	t.Helper()
	made := map[string][]byte{}
	pack := func(name string, entries ...zip.FileHeader) {
		var out bytes.Buffer
		z := zip.NewWriter(&out)
		for _, h := range entries {
			text := h.Comment
			h.Comment, h.Method = "", zip.Deflate
			w, err := z.CreateHeader(&h)
			if err == nil && !strings.HasSuffix(h.Name, "/") {
				_, err = w.Write([]byte(text))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		made[name] = out.Bytes()
	}
	file := func(name, text string) zip.FileHeader { return zip.FileHeader{Name: name, Comment: text} }
	link := func(name, to string) zip.FileHeader {
		h := zip.FileHeader{Name: name, Comment: to}
		h.SetMode(os.ModeSymlink | 0o777)
		return h
	}
	pack("above", file("../../../../../../../.."+outside+"/evil", "x"))
	pack("absolute", file(outside+"/evil", "x"))
	pack("backslash", file(`..\..\..\evil`, "x"), file(`C:\evil`, "x"))
	pack("link and file", link("l", outside), file("l/evil", "x"))
	pack("link to a file", link("f", outside+"/secret"), file("f", "changed"))
	pack("case", file("Evil", "1"), file("evil", "2"), file("EVIL/x", "3"))
	pack("NUL", file("a\x00b", "x"))
	pack("bomb", file("big", strings.Repeat("\x00", 64<<20)))
	pack("twice", file("same", "1"), file("same", "2"))
	pack("device names", file("CON", "x"), file(" ", "x"), file("a/./b", "x"), file("a//b", "x"))
	pack("git", file(".git/hooks/post-checkout", "#!/bin/sh\ntouch "+outside+"/evil"))
	var many []zip.FileHeader
	for i := range 20_000 {
		many = append(many, file(fmt.Sprintf("f%d", i), ""))
	}
	pack("many", many...)
	made["garbage"] = garbage(10_000)
	made["cut"] = made["many"][:len(made["many"])/2]
	made["empty"] = nil
	return made
}

// TestHostileGitHubArtifacts: an artifact that a client uploaded as it pleased is kept as it came, and taken apart within
// the workspace only (S1).
func TestHostileGitHubArtifacts(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("NODE IS NOT INSTALLED:", err)
	}
	outside, zips := t.TempDir(), t.TempDir()
	put(t, "precious\n", outside, "secret")
	before := treeHash(t, outside)
	dir := world(t, "")
	put(t, "name: x\nruns: {using: node24, main: index.js}\n", dir, "upload", "action.yml")
	put(t, uploading, dir, "upload", "index.js")
	var b strings.Builder
	b.WriteString("on: push\njobs:\n")
	i := 0
	names := map[string]string{}
	for name, content := range hostileZips(t, outside) {
		path := put(t, string(content), zips, fmt.Sprintf("%d.zip", i))
		id := fmt.Sprintf("j%d", i)
		names[id] = name
		fmt.Fprintf(&b, "  %s:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n      - uses: ./upload\n        with: {file: '%s', name: 'n%[1]s'}\n", id, path)
		fmt.Fprintf(&b, "      - uses: actions/download-artifact@v4\n        continue-on-error: true\n        with: {name: 'n%s', path: got}\n      - run: test \"$(find . -name '*evil*' -not -path './got/*' | wc -l)\" = 0\n", id)
		i++
	}
	put(t, b.String(), dir, workflowFile)
	o := assail(t, dir, assault{args: []string{"run", "--format", "json", "-j", "2", "--executor", "shell"}, exit: []int{exitOK, exitFailed}, limit: 2 * minute})
	h := heard{events: eventsOf(t, []byte(o.out))}
	for id, name := range names {
		lines := strings.Join(append(h.lines(id, "stdout"), h.lines(id, "stderr")...), "\n")
		if !strings.Contains(lines, "uploaded") && !strings.Contains(lines, "refused") {
			t.Errorf("%s: nothing was uploaded: %s", name, clip(lines))
		}
		if h.last()[id] != "success" {
			t.Errorf("%s: the job is %q (%s): %s\n%s", name, h.last()[id], h.job(t, id).Reason, clip(lines), clip(o.said()))
		}
		t.Logf("%s: %.200q", name, lines)
	}
	if after := treeHash(t, outside); after != before {
		t.Errorf("what is outside was changed:\n%s", difference(before, after))
	}
	if o.rss > 2*documentLimit && !raceEnabled {
		t.Errorf("it took %d MiB", o.rss>>20)
	}
}

// uploading is a client of the artifact service that sends any bytes.
const uploading = `
const fs = require('fs'), crypto = require('crypto');
const claims = JSON.parse(Buffer.from(process.env.ACTIONS_RUNTIME_TOKEN.split('.')[1], 'base64url'));
const [, run, job] = claims.scp.split(' ').find((s) => s.startsWith('Actions.Results:')).split(':');
const call = async (method, body) => {
  const r = await fetch(new URL('twirp/github.actions.results.api.v1.ArtifactService/' + method, process.env.ACTIONS_RESULTS_URL), {method: 'POST',
    headers: {'Content-Type': 'application/json', Authorization: 'Bearer ' + process.env.ACTIONS_RUNTIME_TOKEN},
    body: JSON.stringify({workflow_run_backend_id: run, workflow_job_run_backend_id: job, name: process.env.INPUT_NAME, ...body})});
  const text = await r.text();
  if (!r.ok) { console.log('refused: ' + text); process.exit(0); }
  return JSON.parse(text);
};
(async () => {
  const body = fs.readFileSync(process.env.INPUT_FILE);
  const {signed_upload_url, signedUploadUrl} = await call('CreateArtifact', {version: 4});
  const put = await fetch(signed_upload_url || signedUploadUrl, {method: 'PUT', headers: {'x-ms-blob-type': 'BlockBlob'}, body});
  if (!put.ok) { console.log('refused: ' + put.status); return; }
  await call('FinalizeArtifact', {size: String(body.length), hash: 'sha256:' + crypto.createHash('sha256').update(body).digest('hex')});
  console.log('uploaded');
})();
`
