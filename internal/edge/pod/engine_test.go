package pod_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/sluice-delivery/sluice/internal/edge/objects"
	"github.com/sluice-delivery/sluice/internal/edge/pod"
)

const image = "sluice-test/pod:1"

// engine is an engine with the test's image. Without one the test is skipped, loudly.
func engine(t *testing.T) (*pod.Engine, *client.Client) {
	t.Helper()
	e, err := pod.OpenEngine(t.Context())
	if err != nil {
		if os.Getenv("SLUICE_NEED_DOCKER") != "" {
			t.Fatalf("SLUICE_NEED_DOCKER is set and no engine answers: %v", err)
		}
		t.Skipf("NO DOCKER ENGINE: pods in containers are NOT tested. Start one with scripts/engine start. (%v)", err)
	}
	t.Cleanup(func() { _ = e.Close() })
	api, err := client.New(client.FromEnv)
	if err == nil {
		_, err = api.Ping(t.Context(), client.PingOptions{NegotiateAPIVersion: true})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Close() })
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	program, err := os.ReadFile("/usr/bin/busybox")
	if err != nil {
		t.Skipf("SKIPPED: the tests in containers need busybox-static (scripts/deps): %v", err)
	}
	put := func(h *tar.Header, data []byte) {
		h.Size = int64(len(data))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(data)
	}
	put(&tar.Header{Name: "bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755}, program)
	for _, a := range strings.Fields("sh sleep echo cat httpd touch test ls true false mkdir") {
		put(&tar.Header{Name: "bin/" + a, Typeflag: tar.TypeSymlink, Linkname: "busybox"}, nil)
	}
	put(&tar.Header{Name: "www/index.html", Typeflag: tar.TypeReg, Mode: 0o644}, []byte("from the image"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := api.ImageImport(t.Context(), client.ImageImportSource{Source: &b, SourceName: "-"}, image, client.ImageImportOptions{Changes: []string{"ENV PATH=/bin", `CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]`}})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, r)
	_ = r.Close()
	return e, api
}

func TestContainersRunTheirImages(t *testing.T) {
	e, _ := engine(t)
	b := newBench(t, func(c *pod.Config) { c.Engine = e })
	b.create("{apiVersion: v1, kind: ConfigMap, metadata: {name: cm}, data: {a: text}}")
	p := b.run("a", `
restartPolicy: Never
initContainers:
- {name: first, image: sluice-test/pod:1, imagePullPolicy: Never, command: [sh, -c, "echo one >$SLUICE_ROOT/work/one"], volumeMounts: [{name: work, mountPath: /work}]}
containers:
- name: c
  image: sluice-test/pod:1
  imagePullPolicy: Never
  workingDir: /conf
  command: [sh, -c]
  args: ["cat /work/one a; echo; echo $A $(A); exit 3"]
  env: [{name: A, value: b}]
  volumeMounts: [{name: work, mountPath: /work}, {name: conf, mountPath: /conf, readOnly: true}]
volumes: [{name: work, emptyDir: {}}, {name: conf, configMap: {name: cm}}]
`)
	b.until("a", "Failed first:exit0 c:exit3")
	if got := b.logs(p, objects.LogOptions{}); got != "one\ntext\nb b\n" {
		t.Errorf("got %q", got)
	}
	b.run("none", "containers: [{name: c, image: 'sluice-test/none:0', imagePullPolicy: Never}]")
	b.until("none", "Pending c:ErrImageNeverPull")
	o := b.create("{apiVersion: v1, kind: Pod, metadata: {name: host, annotations: {sluice.dev/run: process}}, spec: {restartPolicy: Never, containers: [{name: c, image: 'sluice-test/none:0', command: [sh, -c, 'exit 0']}]}}")
	if err := b.m.Run(o); err != nil {
		t.Fatal(err)
	}
	b.until("host", "Succeeded c:exit0")
}

func TestAPodsContainersShareANetworkThatIsPublished(t *testing.T) {
	e, api := engine(t)
	b := newBench(t, func(c *pod.Config) { c.Engine = e })
	p := b.run("a", `
terminationGracePeriodSeconds: 1
containers:
- {name: web, image: sluice-test/pod:1, imagePullPolicy: IfNotPresent, readinessProbe: {periodSeconds: 1, httpGet: {path: /, port: 8080}}, livenessProbe: {periodSeconds: 1, exec: {command: [test, -e, /www/index.html]}}}
- {name: side, image: sluice-test/pod:1, imagePullPolicy: IfNotPresent, command: [sh, -c, "mkdir -p /side; echo aside >/side/index.html; exec httpd -f -p 9090 -h /side"], ports: [{containerPort: 9090}]}
`)
	b.until("a", "Running web:running+ready side:running+ready")
	for port, want := range map[string]string{"8080": "from the image", "9090": "aside\n"} {
		r, err := http.Get("http://" + b.status("a").Text("podIP") + ":" + port + "/") //nolint:noctx // a test's
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if string(got) != want {
			t.Errorf("port %s: %q", port, got)
		}
	}
	b.m.Stop(p.UID(), time.Second)
	b.wait("its end", func() bool { return b.gone["a"] })
	if n := count(t, api, "dev.sluice.pod="+p.UID()); n != 0 {
		t.Errorf("%d containers are left", n)
	}
}

// count is how many containers have a label.
func count(t *testing.T, api *client.Client, label string) int {
	list, err := api.ContainerList(context.Background(), client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("label", label)})
	if err != nil {
		t.Fatal(err)
	}
	return len(list.Items)
}

func TestNoContainerIsLeftWhenTheSupervisorIsKilled(t *testing.T) {
	_, api := engine(t)
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "supervisor", dir)
	cmd.Env = append(os.Environ(), "SLUICE_TEST_IMAGE="+image)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for begun := time.Now(); !ok(); time.Sleep(50 * time.Millisecond) {
			if time.Since(begun) > time.Minute {
				t.Fatalf("%s did not come", what)
			}
		}
	}
	label := "dev.sluice.target=" + filepath.Clean(dir)
	until("a container", func() bool { return count(t, api, label) == 1 })
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	until("its end", func() bool { return count(t, api, label) == 0 })
}
