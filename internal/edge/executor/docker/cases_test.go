package docker_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/edge/executor/docker"
	"github.com/sluice-delivery/sluice/internal/edge/executor/executortest"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// bench is an executor for one test.
type bench struct {
	*docker.Executor
	engine   *client.Client
	run, dir string
}

func setup(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	c := engine(t)
	images(t, c)
	dir := filepath.Join(t.TempDir(), "work")
	b := &bench{docker.New(docker.Config{Dir: dir, Source: executortest.Source{}, Grace: time.Second, ServiceWait: 5 * time.Second}), c, runID(dir), dir}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if left := left(t, c, dir); len(left) > 0 {
			t.Errorf("still there: %q", left)
		}
	})
	return b
}

func (b *bench) open(t *testing.T, o program.Order) (program.Host, *executortest.Recorder) {
	t.Helper()
	said := &executortest.Recorder{}
	o.Run, o.Key, o.Project = b.run, "job", "group/shop"
	h, err := b.Open(t.Context(), o, said)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background(), false); err != nil {
			t.Error(err)
		}
	})
	return h, said
}

func exec1(t *testing.T, h program.Host, lines ...string) (int, string) {
	t.Helper()
	r := &executortest.Recorder{}
	exit, err := h.Exec(t.Context(), program.Exec{Lines: lines, Quiet: true, Env: []string{"STEP=yes"}}, r)
	if err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	return exit, r.Text(program.Stdout) + r.Text(program.Stderr)
}

func image(name string) *plan.Container {
	return &plan.Container{Name: name, PullPolicy: []string{"never"}}
}

func TestImages(t *testing.T) {
	b := setup(t)
	imported(t, b.engine, "sluice-test/entry:1", nil, `ENV PATH=/bin FROM_IMAGE=yes`, `ENTRYPOINT ["env", "FROM_ENTRYPOINT=yes"]`)
	imported(t, b.engine, "sluice-test/odd:1", nil, `ENV PATH=/bin`, `ENTRYPOINT ["echo", "not a shell"]`)
	t.Run("the entrypoint is given the shell", func(t *testing.T) {
		h, _ := b.open(t, program.Order{Image: image("sluice-test/entry:1"), Env: []string{"JOB=yes"}})
		if _, out := exec1(t, h, "echo $FROM_IMAGE $FROM_ENTRYPOINT $JOB $STEP; pwd"); out != "yes yes yes yes\n/builds/group/shop\n" {
			t.Errorf("got %q", out)
		}
	})
	t.Run("the entrypoint is replaced", func(t *testing.T) {
		i := image("sluice-test/odd:1")
		h, _ := b.open(t, program.Order{Image: i})
		if exit, out := exec1(t, h, "true"); exit != 0 || !strings.Contains(out, "not a shell sh -c") {
			t.Errorf("exit %d: %q", exit, out)
		}
		for _, entrypoint := range [][]string{{""}, {"env", "WRAPPED=yes"}} {
			i.Entrypoint = entrypoint
			h, _ := b.open(t, program.Order{Image: i})
			if _, out := exec1(t, h, "echo in ${WRAPPED:-plain}"); !strings.HasPrefix(out, "in ") {
				t.Errorf("%q: got %q", entrypoint, out)
			}
		}
	})
	t.Run("another user", func(t *testing.T) {
		i := image(busybox)
		i.User = "builder"
		h, _ := b.open(t, program.Order{Image: i})
		if err := os.WriteFile(filepath.Join(h.Paths().Private, "FILE"), []byte("v"), 0o600); err != nil {
			t.Fatal(err)
		}
		exit, out := exec1(t, h, "id -u; echo x >made; mkdir d; cat "+h.Paths().JobPrivate+"/FILE; echo more >>readme; echo e >/dev/stderr; echo o >/dev/stdout")
		if exit != 0 || out != "4242\nvo\ne\n" {
			t.Errorf("exit %d: %q", exit, out)
		}
	})
	t.Run("which are not to be had", func(t *testing.T) {
		for policy, want := range map[string]string{"never": executor.CodeImage, "if-not-present": executor.CodeImage, "always": executor.CodeImage, "sometimes": executor.CodePolicy} {
			i := &plan.Container{Name: "localhost:1/no/such:image", PullPolicy: []string{policy}, Place: fault.Place{File: "ci.yml", Line: 3}}
			_, err := b.Open(t.Context(), program.Order{Run: b.run, Key: "job", Image: i}, &executortest.Recorder{})
			e, ok := errors.AsType[*program.Error](err)
			if !ok || fault.CodeOf(err) != want || want == executor.CodeImage && e.Failure != program.ImagePull || !strings.Contains(err.Error(), "ci.yml:3") {
				t.Errorf("%s: %v", policy, err)
			}
		}
	})
	t.Run("which are here though the registry is not", func(t *testing.T) {
		h, _ := b.open(t, program.Order{Image: &plan.Container{Name: busybox}})
		if _, out := exec1(t, h, "echo here"); out != "here\n" {
			t.Errorf("got %q", out)
		}
		h, said := b.open(t, program.Order{Image: &plan.Container{Name: busybox, PullPolicy: []string{"always", "if-not-present"}}})
		if _, out := exec1(t, h, "echo here"); out != "here\n" || !strings.Contains(said.Text(program.System), `policy "always"`) {
			t.Errorf("got %q, said %q", out, said.Text(program.System))
		}
	})
}

func TestBash(t *testing.T) {
	b := setup(t)
	h, _ := b.open(t, program.Order{Image: image(bash)})
	r := &executortest.Recorder{}
	exit, err := h.Exec(t.Context(), program.Exec{Lines: []string{"echo one >&2", "exec 2>/dev/null; a=(1 2)", "echo ${a[1]}", "false | true", "echo never"}}, r)
	want := "command \"echo one >&2\"\nstderr \"one\\n\"\ncommand \"exec 2>/dev/null; a=(1 2)\"\ncommand \"echo ${a[1]}\"\nstdout \"2\\n\"\ncommand \"false | true\"\n"
	if exit != 1 || err != nil || h.Paths().Shell != "bash" || r.String() != want {
		t.Errorf("exit %d, %v: %s", exit, err, r)
	}
}

func TestServices(t *testing.T) {
	b := setup(t)
	imported(t, b.engine, "sluice-test/web:1", nil, `ENV PATH=/bin`, `EXPOSE 80`,
		`CMD ["sh", "-c", "mkdir -p /www; echo $GREETING from $HOSTNAME >/www/index.html; sleep 0.3; exec httpd -f -p 80 -h /www"]`)
	h, said := b.open(t, program.Order{
		Image: image(busybox), Env: []string{"HOSTNAME=job"},
		Services: []plan.Service{
			{Container: *image("sluice-test/web:1"), Aliases: []string{"web", "site"}, Variables: []plan.Variable{{Name: "GREETING", Value: "hello"}}},
			{Container: *image("sluice-test/web:1"), Aliases: []string{"second"}, Command: []string{"sh", "-c", "mkdir /w; echo other >/w/index.html; httpd -f -p 80 -h /w"}},
		},
	})
	if strings.Contains(said.Text(program.System), "WARNING") {
		t.Errorf("said %q", said.Text(program.System))
	}
	for host, want := range map[string]string{"web": "hello from job\n", "site": "hello from job\n", "second": "other\n"} {
		if exit, out := exec1(t, h, "wget -q -O - http://"+host+"/"); exit != 0 || out != want {
			t.Errorf("%s: exit %d, %q", host, exit, out)
		}
	}
	for _, host := range []string{"sluice-test-web", "sluice-test__web"} {
		if exit, out := exec1(t, h, "wget -q -O - http://"+host+"/"); exit != 0 {
			t.Errorf("%s: exit %d, %q", host, exit, out)
		}
	}
	_, said = b.open(t, program.Order{Image: image(busybox), Services: []plan.Service{
		{Container: *image("sluice-test/web:1"), Command: []string{"sh", "-c", "echo last words; exit 3"}},
		{Container: *image(busybox), Command: []string{"sleep", "1000"}, Variables: []plan.Variable{{Name: "HEALTHCHECK_TCP_PORT", Value: "81"}}},
	}})
	for _, want := range []string{"probably didn't start properly", "exit code 3", "last words", "timeout"} {
		if !strings.Contains(said.Text(program.System), want) {
			t.Errorf("%q is not in %q", want, said.Text(program.System))
		}
	}
}

func TestAliasesOfServices(t *testing.T) {
	for image, want := range map[string][]string{
		"tutum/wordpress":        {"tutum__wordpress", "tutum-wordpress"},
		"tutum/wordpress:latest": {"tutum__wordpress", "tutum-wordpress"},
		"mysql":                  {"mysql"},
		"postgres:16@sha256:0123456789012345678901234567890123456789012345678901234567890123": {"postgres"},
		"registry.example.com:4999/tutum/wordpress":                                           {"registry.example.com__tutum__wordpress", "registry.example.com-tutum-wordpress"},
	} {
		if got := docker.Aliases(image); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", image, got, want)
		}
	}
}

func TestFilesOfRootBecomeOurs(t *testing.T) {
	b := setup(t)
	b.SetUser(4343)
	h, _ := b.open(t, program.Order{Image: image(busybox)})
	if _, out := exec1(t, h, "echo $GIT_CONFIG_COUNT $GIT_CONFIG_KEY_0"); out != "1 safe.directory\n" {
		t.Errorf("git is told %q", out)
	}
	exec1(t, h, "echo x >made; mkdir -m 700 d; echo y >d/y; ln -s /etc/passwd link")
	for _, name := range []string{"made", "d", "d/y", "link"} {
		info, err := os.Lstat(filepath.Join(h.Paths().Workspace, name))
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != 4343 {
			t.Errorf("%s is not ours: %v, %v", name, info, err)
		}
	}
	if info, _ := os.Stat("/etc/passwd"); info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Fatal("a link was followed")
	}
}

func TestSweepRemovesWhatACrashLeft(t *testing.T) {
	b := setup(t)
	alive, dead := executor.Owner(), "1."+strings.SplitN(executor.Owner(), ".", 2)[1] // the pid is another process's now
	for i, owner := range []string{alive, dead} {
		labels := map[string]string{"dev.sluice.run": b.run, "dev.sluice.job": "x", "dev.sluice.owner": owner}
		n, err := b.engine.NetworkCreate(t.Context(), fmt.Sprint("sluice-sweep-", b.run, "-", i), client.NetworkCreateOptions{Labels: labels})
		if err != nil {
			t.Fatal(err)
		}
		c, err := b.engine.ContainerCreate(t.Context(), client.ContainerCreateOptions{
			Config:     &container.Config{Image: busybox, Cmd: []string{"sleep", "1000"}, Labels: labels},
			HostConfig: &container.HostConfig{NetworkMode: container.NetworkMode(n.ID)},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.engine.ContainerStart(t.Context(), c.ID, client.ContainerStartOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.engine.VolumeCreate(t.Context(), client.VolumeCreateOptions{Name: fmt.Sprint("sluice-sweep-", b.run, "-", i), Labels: labels}); err != nil {
			t.Fatal(err)
		}
		tag := fmt.Sprint("sluice-action:", b.run, "-", i)
		imported(t, b.engine, tag, nil, "LABEL dev.sluice.build=x", "LABEL dev.sluice.owner="+owner)
		t.Cleanup(func() {
			_, err := b.engine.ImageRemove(context.Background(), tag, client.ImageRemoveOptions{Force: true})
			if (err == nil) != (owner == alive) {
				t.Errorf("the image of %s: %v", owner, err)
			}
		})
		if owner == alive {
			t.Cleanup(func() {
				ctx := context.Background()
				_, _ = b.engine.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true})
				_, _ = b.engine.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
				_, _ = b.engine.VolumeRemove(ctx, fmt.Sprint("sluice-sweep-", b.run, "-", i), client.VolumeRemoveOptions{})
			})
		}
	}
	if err := b.Sweep(t.Context(), b.dir); err != nil {
		t.Fatal(err)
	}
	if got := left(t, b.engine, b.dir); len(got) != 3 {
		t.Errorf("left are %q, want the container, the network and the volume of the living", got)
	}
}

func TestNoEngine(t *testing.T) {
	x := docker.New(docker.Config{Dir: t.TempDir(), Source: executortest.Source{}, Host: "unix:///no/such/socket"})
	if err := x.Available(t.Context()); fault.CodeOf(err) != executor.CodeEngine {
		t.Errorf("got %v", err)
	}
	_, err := x.Open(t.Context(), program.Order{Key: "a", Image: image(busybox)}, &executortest.Recorder{})
	if e, ok := errors.AsType[*program.Error](err); !ok || e.Failure != program.SystemFailure {
		t.Errorf("got %v", err)
	}
}

func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	auth := base64.StdEncoding.EncodeToString([]byte("me:se:cret"))
	config := `{"auths":{"https://index.docker.io/v1/":{"auth":"` + auth + `"},"https://r.example.com":{"username":"u","password":"p"}},"credHelpers":{"h.example.com":"test"}}`
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-test"), []byte("#!/bin/sh\nread x; echo '{\"Username\":\"helped\",\"Secret\":\"'$x'\"}'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for image, want := range map[string]string{
		"alpine": `"password":"se:cret"`, "r.example.com/a/b:1": `"username":"u"`, "h.example.com/x": `"password":"h.example.com"`, "none.example.com/x": "",
	} {
		got, _ := base64.URLEncoding.DecodeString(docker.Credentials(t.Context(), image, nil))
		if want == "" && len(got) > 0 || !strings.Contains(string(got), want) {
			t.Errorf("%s: %s", image, got)
		}
	}
	env := []string{`DOCKER_AUTH_CONFIG={"auths":{"r.example.com":{"auth":"` + auth + `"}}}`}
	if got, _ := base64.URLEncoding.DecodeString(docker.Credentials(t.Context(), "r.example.com/x", env)); !strings.Contains(string(got), `"username":"me"`) {
		t.Errorf("the job's own: %s", got)
	}
}
