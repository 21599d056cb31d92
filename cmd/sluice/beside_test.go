package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/client"
)

const besideWorkflow = `
-- .github/workflows/ci.yml --
on: push
jobs:
  host:
    runs-on: ubuntu-latest
    services:
      web:
        image: sluice-test/beside:1
        ports: [80]
        env: {GREETING: hello from the service}
        options: --health-cmd "test -f /tmp/www/index.html" --health-interval 1s
      none:
        image: ${{ '' }}
    steps:
      - uses: actions/checkout@v4
      - run: curl -sS "http://127.0.0.1:${{ job.services.web.ports['80'] }}/index.html"
      - run: echo "services ${{ toJSON(job.services) }}" | tr -d '\n '
      - id: made
        uses: ./tool
        with: {who: Ada}
      - run: echo "made ${{ steps.made.outputs.text }}, left $(cat left.txt)"
      - uses: docker://sluice-test/beside:1
        with:
          entrypoint: /bin/sh
          args: -c "echo in the image $INPUT_WORD; exit 3"
          word: of words
  alone:
    runs-on: ubuntu-latest
    steps:
      - run: echo nothing beside
-- tool/action.yml --
name: tool
inputs: {who: {default: World}}
runs:
  using: docker
  image: Dockerfile
  args: ["${{ inputs.who }}"]
-- tool/Dockerfile --
FROM sluice-test/beside:1
COPY entry.sh /entry.sh
ENTRYPOINT ["/bin/sh", "/entry.sh"]
-- tool/entry.sh --
echo "text=Hello $1" >> "$GITHUB_OUTPUT"
echo "in $PWD of $GITHUB_REPOSITORY" > left.txt
echo "workspace $GITHUB_WORKSPACE"
`

// A job on this machine has its services and Docker actions beside it, where an engine answers.
func TestContainersBesideAJob(t *testing.T) {
	besideImage(t)
	host, ok := os.LookupEnv("DOCKER_HOST")
	dir := world(t, besideWorkflow)
	cmd := sluice(t, dir, "run", "--format", "json")
	cmd.Env = slices.DeleteFunc(cmd.Env, func(kv string) bool { return strings.HasPrefix(kv, "DOCKER_HOST=") })
	if ok {
		cmd.Env = append(cmd.Env, "DOCKER_HOST="+host)
	}
	out, err := cmd.Output()
	h := heard{exit: exitCode(t, err), events: eventsOf(t, out)}
	if got := h.last(); h.exit != 1 || got["host"] != "failed" || got["alone"] != "success" || len(got) != 2 {
		t.Fatalf("exit %d, %v\n%s", h.exit, got, out)
	}
	if code := h.job(t, "host").ExitCode; code == nil || *code != 3 {
		t.Errorf("the exit code of the Docker action is %v", code)
	}
	said := strings.Join(h.lines("host", "stdout"), "\n")
	for _, want := range []string{
		"hello from the service\n", "ports:{80:", "\nworkspace /github/workspace\n",
		"\nmade Hello Ada, left in /github/workspace of ", "in the image of words",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the job did not say %q:\n%s", want, said)
		}
	}
	if strings.Contains(said, "none:") {
		t.Errorf("a service without an image was started:\n%s", said)
	}
}

// A tool of a job in a container is the image's: this machine has no Node of that version.
func TestToolsOfAContainer(t *testing.T) {
	besideImage(t)
	host, ok := os.LookupEnv("DOCKER_HOST")
	dir := world(t, `
-- .github/workflows/ci.yml --
on: push
jobs:
  there:
    runs-on: ubuntu-latest
    container: sluice-test/beside:1
    steps:
      - id: node
        uses: actions/setup-node@v4
        with: {node-version: 97}
      - run: echo "found ${{ steps.node.outputs.node-version }}, $(node --version)"
  absent:
    runs-on: ubuntu-latest
    container: sluice-test/beside:1
    steps:
      - uses: actions/setup-go@v5
        with: {go-version: stable}
`)
	cmd := sluice(t, dir, "run", "--format", "json")
	cmd.Env = slices.DeleteFunc(cmd.Env, func(kv string) bool { return strings.HasPrefix(kv, "DOCKER_HOST=") })
	if ok {
		cmd.Env = append(cmd.Env, "DOCKER_HOST="+host)
	}
	out, _ := cmd.Output() // it fails, as it has to
	h := heard{events: eventsOf(t, out)}
	if got := h.last(); got["there"] != "success" || got["absent"] != "failed" {
		t.Fatalf("%v\n%s", got, out)
	}
	if said := h.lines("there", "stdout"); !slices.Contains(said, "found v97.1.2, v97.1.2") {
		t.Errorf("the job said %q", said)
	}
}

// With --executor shell there are no services, and the run says so.
func TestServicesNeedContainers(t *testing.T) {
	dir := world(t, besideWorkflow)
	cmd := sluice(t, dir, "run", "--progress", "plain", "--executor", "shell", "alone")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "without their services, which need a container: 1 job") {
		t.Errorf("%v\n%s", err, out)
	}
}

// besideImage makes the image of the test: busybox, which serves a page. Without an engine the test is skipped, loudly,
// unless SLUICE_NEED_DOCKER says that it must be there.
func besideImage(t *testing.T) {
	t.Helper()
	c, err := client.New(client.FromEnv)
	if err == nil {
		defer c.Close()
		_, err = c.Ping(t.Context(), client.PingOptions{NegotiateAPIVersion: true})
	}
	if err != nil {
		if os.Getenv("SLUICE_NEED_DOCKER") != "" {
			t.Fatalf("SLUICE_NEED_DOCKER is set and no engine answers: %v", err)
		}
		t.Skipf("NO DOCKER ENGINE: containers beside jobs are NOT tested. Start one with scripts/engine start. (%v)", err)
	}
	program, err := os.ReadFile("/usr/bin/busybox")
	if err != nil {
		t.Fatalf("the tests need busybox-static (scripts/deps): %v", err)
	}
	list, err := exec.Command("/usr/bin/busybox", "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(h *tar.Header, data []byte) {
		h.Size = int64(len(data))
		_ = w.WriteHeader(h) // into memory
		_, _ = w.Write(data)
	}
	add(&tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}, nil)
	add(&tar.Header{Name: "bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755}, program)
	add(&tar.Header{Name: "bin/node", Typeflag: tar.TypeReg, Mode: 0o755}, []byte("#!/bin/sh\necho v97.1.2\n"))
	for _, applet := range strings.Fields(string(list)) {
		if applet != "busybox" {
			add(&tar.Header{Name: "bin/" + applet, Typeflag: tar.TypeSymlink, Linkname: "busybox"}, nil)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	changes := []string{"ENV PATH=/bin", `CMD ["/bin/sh", "-c", "mkdir -p /tmp/www && echo $GREETING > /tmp/www/index.html && exec httpd -f -p 80 -h /tmp/www"]`}
	r, err := c.ImageImport(t.Context(), client.ImageImportSource{Source: &b, SourceName: "-"}, "sluice-test/beside:1", client.ImageImportOptions{Changes: changes})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if said, err := io.ReadAll(r); err != nil || strings.Contains(string(said), "error") {
		t.Fatalf("%v: %s", err, said)
	}
}
