package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/sluice-delivery/sluice/internal/edge/executor/docker"
	"github.com/sluice-delivery/sluice/internal/edge/executor/executortest"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// TestMain lets more tests run at once than there are processors: they wait for the engine, mostly.
func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "4")
	m.Run()
}

// engine is a client of the engine under test. Without one the test is skipped, loudly, unless SLUICE_NEED_DOCKER says
// that it must be there.
func engine(t *testing.T) *client.Client {
	t.Helper()
	c, err := client.New(client.FromEnv)
	if err == nil {
		_, err = c.Ping(t.Context(), client.PingOptions{NegotiateAPIVersion: true})
	}
	if err != nil {
		if os.Getenv("SLUICE_NEED_DOCKER") != "" {
			t.Fatalf("SLUICE_NEED_DOCKER is set and no engine answers: %v", err)
		}
		t.Skipf("NO DOCKER ENGINE: the Docker executor is NOT tested. Start one with scripts/engine start. (%v)", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

const (
	busybox = "sluice-test/busybox:1"
	bash    = "sluice-test/bash:1"
)

var build sync.Once

// images makes the test's images, once, from programs of this machine.
func images(t *testing.T, c *client.Client) {
	t.Helper()
	build.Do(func() {
		imported(t, c, busybox, nil, `ENV PATH=/bin`)
		imported(t, c, bash, bashFiles(t), `ENV PATH=/bin`)
	})
}

// imported makes an image of busybox and some files. Changes are lines of a Dockerfile.
func imported(t *testing.T, c *client.Client, name string, files []string, changes ...string) {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(h *tar.Header, data []byte) {
		h.Size = int64(len(data))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(data)
	}
	for _, dir := range []string{"bin", "usr", "etc", "tmp", "root", "proc", "dev", "sys"} {
		add(&tar.Header{Name: dir + "/", Typeflag: tar.TypeDir, Mode: 0o1777}, nil)
	}
	add(&tar.Header{Name: "usr/bin", Typeflag: tar.TypeSymlink, Linkname: "../bin"}, nil)
	add(&tar.Header{Name: "etc/passwd", Typeflag: tar.TypeReg, Mode: 0o644}, []byte("root:x:0:0:root:/root:/bin/sh\nbuilder:x:4242:4242::/tmp:/bin/sh\n"))
	program, err := os.ReadFile("/usr/bin/busybox")
	if err != nil {
		t.Fatalf("the tests need busybox-static (scripts/deps): %v", err)
	}
	add(&tar.Header{Name: "bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755}, program)
	list, err := exec.Command("/usr/bin/busybox", "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, applet := range strings.Fields(string(list)) {
		if applet != "busybox" {
			add(&tar.Header{Name: "bin/" + applet, Typeflag: tar.TypeSymlink, Linkname: "busybox"}, nil)
		}
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(f, "/")
		if strings.HasSuffix(f, "/bash") {
			name = "bin/bash"
		}
		add(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o755}, data)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := c.ImageImport(t.Context(), client.ImageImportSource{Source: &b, SourceName: "-"}, name, client.ImageImportOptions{Changes: changes})
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	_, _ = said.ReadFrom(r)
	_ = r.Close()
	if strings.Contains(said.String(), "error") {
		t.Fatal(said.String())
	}
}

// bashFiles are bash and the libraries that it needs.
func bashFiles(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("ldd", "/bin/bash").Output()
	if err != nil {
		t.Fatal(err)
	}
	files := []string{"/bin/bash"}
	for _, word := range strings.Fields(string(out)) {
		if strings.HasPrefix(word, "/") {
			files = append(files, word)
		}
	}
	return files
}

// runID makes a run's id of its folder, which no other test on the machine has.
func runID(dir string) string {
	parent := filepath.Dir(dir)
	return filepath.Base(filepath.Dir(parent)) + "-" + filepath.Base(parent)
}

// left lists what carries our label in the engine, and what is in the folder.
func left(t *testing.T, c *client.Client, dir string) []string {
	t.Helper()
	ctx := context.Background()
	filter := client.Filters{}.Add("label", "dev.sluice.run="+runID(dir))
	var out []string
	containers, err := c.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filter})
	if err != nil {
		t.Error(err)
	}
	for _, x := range containers.Items {
		out = append(out, x.Names...)
	}
	networks, err := c.NetworkList(ctx, client.NetworkListOptions{Filters: filter})
	if err != nil {
		t.Error(err)
	}
	for _, x := range networks.Items {
		out = append(out, x.Name)
	}
	volumes, err := c.VolumeList(ctx, client.VolumeListOptions{Filters: filter})
	if err != nil {
		t.Error(err)
	}
	for _, x := range volumes.Items {
		out = append(out, x.Name)
	}
	folders, _ := filepath.Glob(dir + "*")
	return append(out, folders...)
}

// lasting has every job's container last.
type lasting struct{ program.Executor }

func (x lasting) Open(ctx context.Context, o program.Order, out program.Output) (program.Host, error) {
	o.Lasting = true
	return x.Executor.Open(ctx, o, out)
}

func TestContract(t *testing.T) {
	for _, w := range []struct {
		name, image, shell string
		lasting            bool
	}{{"sh", busybox, "sh", false}, {"lasting", bash, "bash", true}} {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			executortest.Run(t, func(t *testing.T) *executortest.Harness {
				c := engine(t)
				images(t, c)
				dir := filepath.Join(t.TempDir(), "work")
				x := docker.New(docker.Config{Dir: dir, Source: executortest.Source{}, Grace: time.Second})
				var under program.Executor = x
				if w.lasting {
					under = lasting{x}
				}
				return &executortest.Harness{
					Executor: under, Lasting: w.lasting, Shell: w.shell, Run: runID(dir), Env: []string{"CI=true"}, Adds: []string{"PATH", "HOME", "HOSTNAME", "SLUICE_STEP"},
					Image: &plan.Container{Name: w.image, PullPolicy: []string{"never"}},
					Left: func(t *testing.T) []string {
						if err := x.Close(context.Background()); err != nil {
							t.Error(err)
						}
						return left(t, c, dir)
					},
				}
			})
		})
	}
}
