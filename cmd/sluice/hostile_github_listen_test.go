package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// telling is an action that writes what it was given of the services into a file, and its token into the log.
const telling = `name: telling
runs: {using: node24, main: index.js}
-- telling/index.js --
const names = Object.keys(process.env).filter((n) => n.startsWith('ACTIONS_'));
require('fs').writeFileSync(process.env.INPUT_FILE, JSON.stringify(Object.fromEntries(names.map((n) => [n, process.env[n]]))));
console.log('the token is ' + process.env.ACTIONS_RUNTIME_TOKEN);
console.error(Buffer.from(process.env.ACTIONS_RUNTIME_TOKEN).toString('base64'));
`

// served is a workflow that stops before, while and after its services are up. A stop is "ready" through a pipe and
// a word back through another.
const served = `
-- .github/workflows/ci.yml --
on: push
permissions: {contents: read}
jobs:
  before:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: echo x > x
      - uses: actions/upload-artifact@v4
        with: {name: x, path: x}
      - uses: actions/cache@v4
        with: {key: k, path: x}
      - run: STOP
  during:
    needs: before
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: ./telling
        with: {file: TOLD/during}
      - run: |
          test -z "$ACTIONS_RUNTIME_TOKEN$ACTIONS_RUNTIME_URL$ACTIONS_RESULTS_URL$ACTIONS_CACHE_URL$ACTIONS_ID_TOKEN_REQUEST_TOKEN"
          env | grep ^ACTIONS_ && exit 1
          STOP
  after:
    needs: during
    runs-on: ubuntu-latest
    steps:
      - run: STOP
-- telling/action.yml --
` + telling

// TestHostileGitHubListeners (S11): nothing listens before an action needs a service, then only on loopback, for the
// token of a job that runs; and the token is nowhere.
func TestHostileGitHubListeners(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("NODE IS NOT INSTALLED:", err)
	}
	told := t.TempDir()
	pipe(t, told, "ready")
	pipe(t, told, "go")
	dir := world(t, strings.NewReplacer("TOLD", told, "STOP", "echo > "+told+"/ready; cat "+told+"/go > "+told+"/null").Replace(served))
	var env map[string]string
	ask := func(token string) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.TrimSuffix(env["ACTIONS_RESULTS_URL"], "/")+"/twirp/github.actions.results.api.v1.ArtifactService/ListArtifacts", strings.NewReader("{}"))
		if err != nil {
			t.Error(err)
			return 0
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return 0
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	stop := func(look func()) {
		if _, err := os.ReadFile(filepath.Join(told, "ready")); err != nil {
			t.Error(err)
		}
		look()
		if err := os.WriteFile(filepath.Join(told, "go"), nil, 0o600); err != nil {
			t.Error(err)
		}
	}
	done := make(chan struct{})
	o := assail(t, dir, assault{args: []string{"run", "--progress", "plain", "--executor", "shell"}, exit: []int{exitOK}, while: func(proc *os.Process) {
		go func() {
			defer close(done)
			stop(func() {
				if found := listeners(t, proc.Pid); len(found) > 0 {
					t.Errorf("before any step needs it: %v", found)
				}
			})
			stop(func() {
				text, err := os.ReadFile(filepath.Join(told, "during"))
				if err := errorsOf(err, json.Unmarshal(text, &env)); err != nil {
					t.Error(err)
				}
				found := listeners(t, proc.Pid)
				if len(found) == 0 || slices.ContainsFunc(found, func(a string) bool { return !strings.HasPrefix(a, "0100007F:") }) {
					t.Errorf("the listeners are %v", found)
				}
				if yes, none, wrong := ask(env["ACTIONS_RUNTIME_TOKEN"]), ask(""), ask(env["ACTIONS_RUNTIME_TOKEN"]+"x"); yes == 401 || none != 401 || wrong != 401 {
					t.Errorf("with the token %d, without %d, with another %d", yes, none, wrong)
				}
			})
			stop(func() {
				if status := ask(env["ACTIONS_RUNTIME_TOKEN"]); status != 401 && status != 0 {
					t.Errorf("after the job's end its token gets %d", status)
				}
			})
		}()
	}})
	// A run that ended too soon leaves the other end waiting for one that never comes.
	for _, name := range []string{"ready", "go"} {
		if file, err := os.OpenFile(filepath.Join(told, name), os.O_RDWR|syscall.O_NONBLOCK, 0); err == nil {
			defer file.Close()
		}
	}
	<-done
	if status := ask(env["ACTIONS_RUNTIME_TOKEN"]); status != 0 {
		t.Errorf("after the run there is an answer: %d", status)
	}
	token := env["ACTIONS_RUNTIME_TOKEN"]
	if len(token) < 40 {
		t.Fatalf("the token is %q", token)
	}
	if !strings.Contains(o.said(), "the token is ***") || strings.Contains(o.said(), token) {
		t.Errorf("the token is not hidden: %s", clip(o.said()))
	}
	kept(t, filepath.Join(dir, ".sluice"), traces(token))
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// listeners are the addresses that a process and its children listen on, as /proc/net/tcp has them.
func listeners(t *testing.T, pid int) []string {
	t.Helper()
	sockets := map[string]bool{}
	for _, p := range family(pid) {
		links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p))
		for _, name := range links {
			if to, err := os.Readlink(name); err == nil && strings.HasPrefix(to, "socket:[") {
				sockets[strings.Trim(to, "socket:[]")] = true
			}
		}
	}
	var out []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(table)
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 9 && f[3] == "0A" && sockets[f[9]] {
				out = append(out, f[1])
			}
		}
	}
	return out
}

// family is a process and all that descend from it.
func family(pid int) []int {
	out := []int{pid}
	for i := 0; i < len(out); i++ {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", out[i]))
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", out[i]))
		for _, name := range tasks {
			more, _ := os.ReadFile(name)
			text = append(append(text, ' '), more...)
		}
		for _, f := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(f); err == nil && !slices.Contains(out, child) {
				out = append(out, child)
			}
		}
	}
	return out
}
