package docker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/edge/executor/docker"
	"github.com/sluice-delivery/sluice/internal/edge/executor/executortest"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// last opens a host whose container lasts.
func (b *bench) last(t *testing.T, o program.Order) (program.Host, *executortest.Recorder) {
	t.Helper()
	o.Lasting = true
	return b.open(t, o)
}

// refused opens a host that cannot be had.
func (b *bench) refused(t *testing.T, o program.Order, code string, wants ...string) {
	t.Helper()
	said := &executortest.Recorder{}
	o.Lasting, o.Run, o.Key, o.Project = true, b.run, "job", "group/shop"
	h, err := b.Open(t.Context(), o, said)
	if err == nil {
		_ = h.Close(context.Background(), false)
	}
	if fault.CodeOf(err) != code {
		t.Errorf("got %v, want %s", err, code)
		return
	}
	for _, want := range wants {
		if all := err.Error() + "\n" + said.Text(program.System); !strings.Contains(all, want) {
			t.Errorf("%q is not in %s", want, all)
		}
	}
}

func run(t *testing.T, h program.Host, e program.Exec) (int, string, error) {
	t.Helper()
	r := &executortest.Recorder{}
	e.Quiet = true
	exit, err := h.Exec(t.Context(), e, r)
	return exit, r.Text(program.Stdout) + r.Text(program.Stderr), err
}

func TestLastingContainer(t *testing.T) {
	b := setup(t)
	imported(t, b.engine, "sluice-test/odd:1", nil, `ENV PATH=/bin:/usr/odd FROM_IMAGE=yes`, `ENTRYPOINT ["echo", "not a shell"]`)
	c := image("docker://sluice-test/odd:1")
	c.Env = []plan.Variable{{Name: "MINE", Value: "one\ntwo=3\n--privileged"}}
	c.Options = `--hostname box --tmpfs /scratch --env FROM_OPTIONS="a b" --label mine=yes --memory 256m --cpus 0.5`
	c.Volumes = []string{"data:/data", "/anonymous", "/__w/shop/shop/sub:/sub:ro"}
	h, said := b.last(t, program.Order{Image: c, Env: []string{"CI=true"}})
	p := h.Paths()
	if p.Container == "" || p.Network == "" || p.Path != "/bin:/usr/odd" || p.JobWorkspace != "/__w/shop/shop" || p.JobPrivate != "/__w/_temp" {
		t.Errorf("paths: %+v", p)
	}
	_, out := exec1(t, h, `echo "$HOSTNAME|$FROM_IMAGE|$FROM_OPTIONS|$MINE|$CI|$HOME|$STEP|$(pwd)"; sleep 1000 & echo x >/root/kept; echo in >/data/d; touch sub/made; touch /sub/x 2>/dev/null || echo read-only`)
	if want := "box|yes|a b|one\ntwo=3\n--privileged|true|/github/home|yes|/__w/shop/shop\nread-only\n"; out != want {
		t.Errorf("got %q, want %q\n%s", out, want, said)
	}
	if _, out := exec1(t, h, `cat /root/kept /data/d; ls /sub; ps | grep -c "[s]leep 1000"; echo VAR=value >>/__w/_temp/env; touch /github/home/h; mount | grep -c " /scratch "`); out != "x\nin\nmade\n1\n1\n" {
		t.Errorf("the next step sees %q", out)
	}
	if got, err := os.ReadFile(filepath.Join(p.Private, "env")); err != nil || string(got) != "VAR=value\n" {
		t.Errorf("the command file holds %q, %v", got, err)
	}
	got, err := b.engine.ContainerInspect(t.Context(), p.Container, client.ContainerInspectOptions{})
	if err != nil || got.Container.HostConfig.Memory != 256<<20 || got.Container.Config.Labels["mine"] != "yes" {
		t.Errorf("%v: %+v", err, got.Container.HostConfig)
	}
	for _, m := range got.Container.Mounts {
		if m.Type == mount.TypeVolume && m.Destination == "/data" && !strings.HasPrefix(m.Name, "sluice-") {
			t.Errorf("the volume is this machine's own: %s", m.Name)
		}
	}
	// Names that no shell could set are the step's environment too.
	exit, out, err := run(t, h, program.Exec{Argv: []string{"env"}, Env: []string{"INPUT_FETCH-DEPTH=1", "INPUT_MULTI=a\nb\n", "PATH=/bin"}})
	if exit != 0 || err != nil || !strings.Contains(out, "INPUT_FETCH-DEPTH=1\n") || !strings.Contains(out, "INPUT_MULTI=a\nb\n\n") {
		t.Errorf("exit %d, %v: %q", exit, err, out)
	}
}

// What stands in GITHUB_PATH goes before the PATH that the engine gives where the image has none.
func TestLastingContainerWithoutPath(t *testing.T) {
	b := setup(t)
	imported(t, b.engine, "sluice-test/pathless:1", nil)
	h, _ := b.last(t, program.Order{Image: image("docker://sluice-test/pathless:1")})
	if exit, out := exec1(t, h, "echo $PATH"); exit != 0 || out != h.Paths().Path+"\n" {
		t.Errorf("exit %d: the engine's PATH is %q, ours %q", exit, out, h.Paths().Path)
	}
}

func TestLastingContainerOfAnotherUser(t *testing.T) {
	b := setup(t)
	b.SetUser(4343)
	c := image(busybox)
	c.Options = "--user builder"
	h, _ := b.last(t, program.Order{Image: c})
	p := h.Paths()
	if err := os.WriteFile(filepath.Join(p.Private, "env"), []byte("A=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	exit, out := exec1(t, h, `id -u; cat /__w/_temp/env; echo B=2 >>/__w/_temp/env; echo x >$HOME/x; echo made >made; sleep 1000 & echo $GIT_CONFIG_KEY_0`)
	if exit != 0 || out != "4242\nA=1\nsafe.directory\n" {
		t.Errorf("exit %d: %q", exit, out)
	}
	r := &executortest.Recorder{}
	if exit, err := h.(contains).Contain(t.Context(), program.Contain{Image: busybox, Args: []string{"sh", "-c", "id -u; echo by-root >rooted"}}, r); exit != 0 || err != nil || r.Text(program.Stdout) != "0\n" {
		t.Errorf("exit %d, %v: %s", exit, err, r)
	}
	for _, name := range []string{"made", "rooted"} {
		info, err := os.Lstat(filepath.Join(p.Workspace, name))
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != 4343 {
			t.Errorf("%s is not ours: %v, %v", name, info, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := h.Exec(ctx, program.Exec{Lines: []string{"while :; do sleep 0.1; done"}, Quiet: true}, &executortest.Recorder{}); err == nil {
		t.Error("a step outlived its job")
	}
	if _, out := exec1(t, h, `ps | grep -c "[s]leep 1000"`); out != "1\n" {
		t.Errorf("what an earlier step left running is gone: %q", out)
	}
}

func TestLastingContainersThatCannotBe(t *testing.T) {
	b := setup(t)
	at := fault.Place{File: "ci.yml", Line: 3}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range map[string]struct {
		c     plan.Container
		code  string
		wants []string
	}{
		"a name with an option in it": {plan.Container{Name: "busybox --privileged"}, executor.CodeImage, []string{"ci.yml:3", "is not an image's name"}},
		"a quoted name":               {plan.Container{Name: `sluice-test/busybox:1" --privileged "`}, executor.CodeImage, []string{"is not an image's name"}},
		"an option":                   {plan.Container{Name: busybox, Options: "--nework=host"}, executor.CodeOption, []string{"did you mean --network?"}},
	} {
		c.c.Place = at
		b.refused(t, program.Order{Image: &c.c}, c.code, c.wants...)
	}
	imported(t, b.engine, "sluice-test/none:1", []string{"/usr/bin/busybox"}, `ENV PATH=/none`)
	b.refused(t, program.Order{Image: image("sluice-test/none:1")}, executor.CodeContainer, "has no tail")
}

// linked is a source of projects with a link that leads out of them.
type linked struct{ executortest.Source }

func (l linked) Fill(ctx context.Context, dest string, c program.Checkout) error {
	return errors.Join(l.Source.Fill(ctx, dest, c), os.Symlink("/etc", filepath.Join(dest, "out")))
}

func TestVolumesStayInTheProject(t *testing.T) {
	b := setup(t)
	b.Executor = docker.New(docker.Config{Dir: b.dir, Source: linked{}})
	defer b.Close(context.Background())
	c := image(busybox)
	c.Volumes = []string{"/__w/shop/shop/out/x:/x"}
	b.refused(t, program.Order{Image: c}, executor.CodeVolume, "/__w/shop/shop/out/x")
}

func TestServicesWithHealth(t *testing.T) {
	b := setup(t)
	web := func(name, options string, command ...string) plan.Service {
		s := plan.Service{Container: *image(busybox), Aliases: []string{name}, Command: command}
		s.Options, s.Place = options, fault.Place{File: "ci.yml", Line: 7}
		return s
	}
	serve := []string{"sh", "-c", "mkdir /w; sleep 1; echo $GREETING >/w/index.html; touch /ready; httpd -f -p 80 -h /w"}
	first := web("redis", `--health-cmd "test -e /ready" --health-interval 200ms --health-retries 50`, serve...)
	first.Env = []plan.Variable{{Name: "GREETING", Value: "hello"}}
	first.Ports = []string{"80", "5353/udp"}
	h, said := b.last(t, program.Order{Image: image(busybox), Services: []plan.Service{first, web("plain", "", "sleep", "1000"), {Aliases: []string{"not-started"}}}, Env: []string{"GREETING=not this one"}})
	if exit, out := exec1(t, h, "wget -q -O - http://redis/; ping -c 1 plain >/dev/null"); exit != 0 || out != "hello\n" {
		t.Errorf("exit %d: %q\n%s", exit, out, said)
	}
	services := h.Paths().Services
	if len(services) != 2 || services[0].Name != "redis" || services[0].ID == "" || services[0].Ports["80"] == "" || services[0].Ports["5353/udp"] == "" || len(services[1].Ports) != 0 {
		t.Fatalf("services: %+v", services)
	}
	if r, err := http.Get("http://127.0.0.1:" + services[0].Ports["80"]); err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("the published port: %v, %v", r, err)
	}
	b.refused(t, program.Order{Image: image(busybox), Services: []plan.Service{
		web("sick", `--health-cmd "echo no luck; exit 1" --health-interval 100ms --health-retries 2`, "sh", "-c", "echo last words; sleep 1000"),
	}}, executor.CodeUnhealthy, "ci.yml:7", "the service sick is unhealthy", "last words", "no luck")
	b.refused(t, program.Order{Image: image(busybox), Services: []plan.Service{
		web("gone", `--health-cmd "false" --health-interval 10s`, "sh", "-c", "echo I am leaving; exit 3"),
	}}, executor.CodeUnhealthy, "has ended with exit code 3", "I am leaving")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := web("busy", "", "sleep", "1000")
	busy.Ports = []string{fmt.Sprint(taken.Addr().(*net.TCPAddr).Port, ":80")}
	b.refused(t, program.Order{Image: image(busybox), Services: []plan.Service{busy}}, executor.CodePort, "ci.yml:7", "busy")
	own := web("own", "", "printed by the entrypoint")
	own.Entrypoint = []string{"echo"}
	_, said = b.last(t, program.Order{Image: image(busybox), Services: []plan.Service{own}})
	_ = said // it may or may not have ended when it is looked at
}

func TestNodeOfThisMachine(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("NO NODE on this machine: bringing it into containers is NOT tested")
	}
	b := setup(t)
	h, _ := b.last(t, program.Order{Image: image(busybox)})
	script := `const {execFileSync}=require("child_process"); console.log("in", process.env.X, require("fs").readFileSync("readme","utf8").trim());` +
		`console.log(execFileSync(process.execPath, ["-p", "6*7"]).toString().trim())`
	for range 2 {
		exit, out, err := run(t, h, program.Exec{Argv: []string{"node", "-e", script}, Env: []string{"X=here"}})
		if exit != 0 || err != nil || out != "in here from the repository\n42\n" {
			t.Errorf("exit %d, %v: %q", exit, err, out)
		}
	}
	imported(t, b.engine, "sluice-test/node:1", nil, `ENV PATH=/own:/bin`)
	h, _ = b.last(t, program.Order{Image: image("sluice-test/node:1")})
	exec1(t, h, `mkdir /own; printf '#!/bin/sh\necho own "$@"\n' >/own/node; chmod +x /own/node`)
	if exit, out, err := run(t, h, program.Exec{Argv: []string{"node", "x"}}); exit != 0 || err != nil || out != "own x\n" {
		t.Errorf("the container's own: exit %d, %v: %q", exit, err, out)
	}
	x := docker.New(docker.Config{Dir: b.dir + "-none", Source: executortest.Source{}, Node: "no-such-node"})
	defer x.Close(context.Background())
	h, err := x.Open(t.Context(), program.Order{Run: b.run, Key: "job", Project: "a/b", Image: image(busybox), Lasting: true}, &executortest.Recorder{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(context.Background(), false)
	if _, _, err := run(t, h, program.Exec{Argv: []string{"node", "x"}}); fault.CodeOf(err) != executor.CodeNode {
		t.Errorf("no node anywhere: %v", err)
	}
}

func TestContainersReachServicesOfTheRun(t *testing.T) {
	b := setup(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "served "+r.URL.Path) }))
	defer server.Close()
	h, _ := b.last(t, program.Order{Image: image(busybox)})
	if h.Paths().Machine == "" {
		t.Skip("the engine's networks are not this machine's")
	}
	env := []string{"ACTIONS_RESULTS_URL=" + server.URL + "/api/", "MINE_URL=http://127.0.0.1:1/"}
	exit, out, err := run(t, h, program.Exec{Lines: []string{"echo $MINE_URL; wget -q -O - ${ACTIONS_RESULTS_URL}x"}, Env: env})
	if exit != 0 || err != nil || out != "http://127.0.0.1:1/\nserved /api/x" {
		t.Errorf("a step: exit %d, %v: %q", exit, err, out)
	}
	r := &executortest.Recorder{}
	exit, err = h.(contains).Contain(t.Context(), program.Contain{Image: busybox, Entrypoint: "sh", Args: []string{"-c", "wget -q -O - ${ACTIONS_RESULTS_URL}y"}, Env: env}, r)
	if exit != 0 || err != nil || r.Text(program.Stdout) != "served /api/y" {
		t.Errorf("a Docker action: exit %d, %v: %s", exit, err, r)
	}
}
