package docker_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/edge/executor/docker"
	"github.com/sluice-delivery/sluice/internal/edge/executor/executortest"
	"github.com/sluice-delivery/sluice/internal/edge/executor/shell"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// contains is what the agent asks hosts for.
type contains interface {
	Contain(ctx context.Context, c program.Contain, out program.Output) (int, error)
}

// beside is a bench of jobs on this machine that may have containers.
func (b *bench) beside(t *testing.T) program.Executor {
	t.Helper()
	x := shell.New(shell.Config{Dir: b.dir + "-shell", Source: executortest.Source{}, Grace: time.Second})
	t.Cleanup(func() {
		if err := x.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return docker.WithServices(x, b.Executor)
}

func (b *bench) openBeside(t *testing.T, o program.Order) (program.Host, *executortest.Recorder) {
	t.Helper()
	said := &executortest.Recorder{}
	o.Run, o.Key, o.Project, o.Lasting = b.run, "job", "group/shop", true
	h, err := b.beside(t).Open(t.Context(), o, said)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background(), false); err != nil {
			t.Error(err)
		}
	})
	return h, said
}

func TestServicesOfJobsOnThisMachine(t *testing.T) {
	b := setup(t)
	s := plan.Service{Container: *image(busybox), Aliases: []string{"web"}, Command: []string{"sh", "-c", "mkdir /w; echo hi >/w/index.html; touch /ready; httpd -f -p 80 -h /w"}}
	s.Options, s.Ports = `--health-cmd "test -e /ready" --health-interval 100ms`, []string{"80"}
	h, _ := b.openBeside(t, program.Order{Services: []plan.Service{s}})
	p := h.Paths()
	if p.Container != "" || p.Network == "" || len(p.Services) != 1 || p.Services[0].Name != "web" || p.Services[0].Ports["80"] == "" {
		t.Fatalf("paths: %+v", p)
	}
	if r, err := http.Get("http://localhost:" + p.Services[0].Ports["80"]); err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("%v, %v", r, err)
	}
	if _, out := exec1(t, h, "echo on $PWD"); out != "on "+p.Workspace+"\n" {
		t.Errorf("got %q", out)
	}
	r := &executortest.Recorder{}
	exit, err := h.(contains).Contain(t.Context(), program.Contain{Image: busybox, Args: []string{"wget", "-q", "-O", "-", "http://web/"}}, r)
	if exit != 0 || err != nil || r.Text(program.Stdout) != "hi\n" {
		t.Errorf("a Docker action in the job's network: exit %d, %v: %s", exit, err, r)
	}
	s.Options, s.Aliases = `--health-cmd "false" --health-interval 50ms --health-retries 1`, []string{"sick"}
	_, err = b.beside(t).Open(t.Context(), program.Order{Run: b.run, Key: "sick", Project: "group/shop", Lasting: true, Services: []plan.Service{s}}, &executortest.Recorder{})
	if fault.CodeOf(err) != executor.CodeUnhealthy {
		t.Errorf("got %v", err)
	}
	x := docker.New(docker.Config{Host: "unix:///no/such/socket"})
	in := shell.New(shell.Config{Dir: b.dir + "-none", Source: executortest.Source{}})
	defer in.Close(context.Background())
	_, err = docker.WithServices(in, x).Open(t.Context(), program.Order{Key: "none", Project: "a/b", Lasting: true, Services: []plan.Service{s}}, &executortest.Recorder{})
	if fault.CodeOf(err) != executor.CodeEngine {
		t.Errorf("no engine: %v", err)
	}
	plainJob, err := docker.WithServices(in, x).Open(t.Context(), program.Order{Key: "none", Project: "a/b", Services: []plan.Service{s}}, &executortest.Recorder{})
	if err != nil {
		t.Fatalf("a job that wants no container needs no engine: %v", err)
	}
	if err := plainJob.Close(t.Context(), false); err != nil {
		t.Error(err)
	}
}

func TestContainSeesTheJob(t *testing.T) {
	b := setup(t)
	h, _ := b.openBeside(t, program.Order{})
	p := h.Paths()
	for name, text := range map[string]string{"event.json": "{}", "out": ""} {
		if err := os.WriteFile(filepath.Join(p.Private, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := &executortest.Recorder{}
	exit, err := h.(contains).Contain(t.Context(), program.Contain{
		Image: "docker://" + busybox, Entrypoint: "/bin/sh",
		Args: []string{"-c", `pwd; cat readme; echo "$HOME|$GITHUB_WORKSPACE|$GITHUB_OUTPUT|$GITHUB_EVENT_PATH|$RUNNER_TEMP|$TEXT|$0"; cat /github/workflow/event.json
echo a=b >>"$GITHUB_OUTPUT"; echo made >made; echo oops >&2; exit 7`, "a b;$(x)\"'"},
		Env: []string{
			"HOME=/root", "GITHUB_WORKSPACE=" + p.JobWorkspace, "GITHUB_OUTPUT=" + p.JobPrivate + "/out", "GITHUB_EVENT_PATH=" + p.JobPrivate + "/event.json",
			"RUNNER_TEMP=" + p.JobPrivate + "/_temp", "TEXT=one\ntwo --privileged", "GITHUB_EVENT_NAME=push",
		},
	}, r)
	want := "/github/workspace\nfrom the repository\n/github/home|/github/workspace|/github/runner_temp/out|/github/workflow/event.json|/github/runner_temp/_temp|one\ntwo --privileged|a b;$(x)\"'\n{}"
	if exit != 7 || err != nil || r.Text(program.Stdout) != want || r.Text(program.Stderr) != "oops\n" {
		t.Errorf("exit %d, %v: %s\nwant %q", exit, err, r, want)
	}
	for file, want := range map[string]string{filepath.Join(p.Private, "out"): "a=b\n", filepath.Join(p.Workspace, "made"): "made\n"} {
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", file, got, err)
		}
	}
	r = &executortest.Recorder{}
	exit, err = h.(contains).Contain(t.Context(), program.Contain{Image: busybox, Entrypoint: "env", Env: []string{"INPUT_A-B=x", "EMPTY="}}, r)
	if out := r.Text(program.Stdout); exit != 0 || err != nil || !strings.Contains(out, "INPUT_A-B=x\n") || !strings.Contains(out, "EMPTY=\n") {
		t.Errorf("exit %d, %v: %s", exit, err, r)
	}
	for name, c := range map[string]struct {
		c    program.Contain
		code string
	}{
		"an image's name with an option": {program.Contain{Image: "busybox --privileged"}, executor.CodeImage},
		"an image that is not there":     {program.Contain{Image: "localhost:1/no/such:image"}, executor.CodeImage},
		"a program that is not there":    {program.Contain{Image: busybox, Entrypoint: "/no/such"}, executor.CodeContainer},
		"a Dockerfile that is not there": {program.Contain{Build: p.Workspace}, executor.CodeBuild},
		"a Dockerfile outside":           {program.Contain{Build: p.Workspace, Dockerfile: "../Dockerfile"}, executor.CodeBuild},
		"a variable without a name":      {program.Contain{Image: busybox, Env: []string{"=x"}}, executor.CodeOption},
	} {
		if _, err := h.(contains).Contain(t.Context(), c.c, &executortest.Recorder{}); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestContainIsStopped(t *testing.T) {
	b := setup(t)
	h, _ := b.openBeside(t, program.Order{})
	cause := errors.New("the user said so")
	for name, script := range map[string]string{
		"heeds": "trap 'echo bye; exit 3' TERM; echo begun; while :; do sleep 0.05; done",
		"deaf":  "trap '' TERM; echo begun; while :; do sleep 0.05; done",
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		r := &executortest.Recorder{Notify: func(_ program.Stream, chunk []byte) {
			if bytes.Contains(chunk, []byte("begun")) {
				cancel(cause)
			}
		}}
		_, err := h.(contains).Contain(ctx, program.Contain{Image: busybox, Args: []string{"sh", "-c", script}}, r)
		e, ok := errors.AsType[*program.Error](err)
		if !ok || e.Failure != program.Canceled || !errors.Is(err, cause) || strings.Contains(r.String(), "bye") != (name == "heeds") {
			t.Errorf("%s: %v\n%s", name, err, r)
		}
	}
	_, err := h.(contains).Contain(t.Context(), program.Contain{Image: busybox, Args: []string{"sleep", "1000"}, Timeout: 300 * time.Millisecond}, &executortest.Recorder{})
	if e, ok := errors.AsType[*program.Error](err); !ok || e.Failure != program.ExecutionTimeout {
		t.Errorf("over its time: %v", err)
	}
	got, err := b.engine.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("label", "dev.sluice.run="+b.run)})
	if err != nil || len(got.Items) > 0 {
		t.Errorf("still there: %v, %v", got.Items, err)
	}
}

func TestContainBuildsActions(t *testing.T) {
	b := setup(t)
	h, _ := b.last(t, program.Order{Image: image(busybox)})
	action := filepath.Join(t.TempDir(), "action")
	put := func(name, text string) {
		t.Helper()
		name = filepath.Join(action, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put("docker/Dockerfile", "FROM "+busybox+"\nCOPY . /action/\nRUN echo building as $(id -u)\nENTRYPOINT [\"/action/entry.sh\"]\nCMD [\"default\"]\n")
	put("docker/entry.sh", "#!/bin/sh\necho \"$@\"; ls /action; exit 4\n")
	put("docker/.dockerignore", "secret*\n!secret-not\n")
	for _, name := range []string{"docker/secret", "docker/secret-not", "above"} {
		put(name, b.run) // no other run has built it
	}
	try := func(c program.Contain) (int, *executortest.Recorder, error) {
		r := &executortest.Recorder{}
		exit, err := h.(contains).Contain(t.Context(), c, r)
		return exit, r, err
	}
	c := program.Contain{Build: action, Dockerfile: "docker/Dockerfile", Args: []string{"a  b", "$HOME"}}
	exit, r, err := try(c)
	if exit != 4 || err != nil || r.Text(program.Stdout) != "a  b $HOME\nDockerfile\nentry.sh\nsecret-not\n" || !strings.Contains(r.Text(program.System), "building as 0") {
		t.Errorf("exit %d, %v: %s", exit, err, r)
	}
	c.Args = nil
	exit, r, err = try(c)
	if exit != 4 || err != nil || !strings.HasPrefix(r.Text(program.Stdout), "default\n") || strings.Contains(r.String(), "Building") {
		t.Errorf("again: exit %d, %v: %s", exit, err, r)
	}
	put("docker/Dockerfile", "FROM "+busybox+"\nRUN echo no such luck; false\n")
	if _, r, err = try(c); fault.CodeOf(err) != executor.CodeBuild || !strings.Contains(r.Text(program.System), "no such luck") {
		t.Errorf("a build that fails: %v\n%s", err, r)
	}
	put("docker/Dockerfile", "FROM "+busybox+"\nRUN sleep 1000\n")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = h.(contains).Contain(ctx, c, &executortest.Recorder{})
	if e, ok := errors.AsType[*program.Error](err); !ok || e.Failure != program.ExecutionTimeout {
		t.Errorf("a build that is stopped: %v", err)
	}
	filter := client.Filters{}.Add("label", "dev.sluice.run="+b.run)
	images, err := b.engine.ImageList(t.Context(), client.ImageListOptions{Filters: filter})
	if err != nil || len(images.Items) != 1 {
		t.Errorf("images: %v, %v", images.Items, err)
	}
	for _, i := range images.Items {
		if _, err := b.engine.ImageRemove(t.Context(), i.ID, client.ImageRemoveOptions{Force: true, PruneChildren: true}); err != nil {
			t.Error(err)
		}
	}
}
