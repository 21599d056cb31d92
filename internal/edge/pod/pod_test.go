package pod_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/edge/objects"
	"github.com/sluice-delivery/sluice/internal/edge/pod"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "pod-child" {
		os.Exit(pod.Main(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == "supervisor" {
		supervise(os.Args[2])
		return
	}
	os.Exit(m.Run())
}

// bench is a manager over a store, and what it told.
type bench struct {
	t     testing.TB
	store *objects.Store
	m     *pod.Manager
	dir   string
	c     pod.Config

	mu       sync.Mutex
	statuses map[string]manifest.Object
	history  map[string][]string
	events   []string
	gone     map[string]bool
}

func newBench(t testing.TB, change func(*pod.Config)) *bench {
	t.Helper()
	store, err := objects.Open(objects.Config{Drains: true})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, store: store, dir: t.TempDir(), statuses: map[string]manifest.Object{}, history: map[string][]string{}, gone: map[string]bool{}}
	n := 0
	b.c = pod.Config{
		Dir: filepath.Join(b.dir, "state"), Folder: b.dir, Child: []string{os.Args[0], "pod-child"}, Lookup: store, Pause: 200 * time.Millisecond,
		Address: func(manifest.Object) string { n++; return fmt.Sprintf("127.9.%d.%d", os.Getpid()%250, n) },
		Report: func(p, status manifest.Object) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.statuses[p.Name()] = status
			b.history[p.Name()] = append(b.history[p.Name()], summary(status))
		},
		Gone: func(p manifest.Object) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.gone[p.Name()] = true
		},
		Event: func(p manifest.Object, reason, message string, _ bool) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.events = append(b.events, p.Name()+" "+reason+": "+message)
		},
	}
	if change != nil {
		change(&b.c)
	}
	if b.m, err = pod.New(b.c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.m.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

// summary is a status in a line: the phase, and each container's state.
func summary(s manifest.Object) string {
	out := s.Text("phase")
	for _, list := range []string{"initContainerStatuses", "containerStatuses"} {
		for _, c := range s.List(list) {
			m := manifest.Object(c.(map[string]any))
			out += " " + m.Text("name") + ":"
			switch {
			case m.Sub("state", "running") != nil:
				out += "running"
				if m["ready"] == true {
					out += "+ready"
				}
			case m.Sub("state", "terminated") != nil:
				out += fmt.Sprintf("exit%d", m.Int(-1, "state", "terminated", "exitCode"))
			default:
				out += m.Text("state", "waiting", "reason")
			}
			if n := m.Int(0, "restartCount"); n > 0 {
				out += fmt.Sprintf("×%d", n)
			}
		}
	}
	return out
}

func (b *bench) create(text string) manifest.Object {
	b.t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		b.t.Fatal(err)
	}
	o, err := manifest.Parse(data)
	if err == nil {
		o, err = b.store.Create(context.Background(), o, manifest.Writing{})
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return o
}

// run starts a pod of a spec.
func (b *bench) run(name, spec string) manifest.Object {
	b.t.Helper()
	o := b.create("apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", labels: {app: x}}\nspec:\n" + indent(spec))
	if err := b.m.Run(o); err != nil {
		b.t.Fatal(err)
	}
	return o
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") + "\n"
}

// wait waits until something is so.
func (b *bench) wait(what string, ok func() bool) {
	b.t.Helper()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		b.mu.Lock()
		if ok() {
			b.mu.Unlock()
			return
		}
		if time.Since(begun) > time.Minute {
			var all []string
			for n, s := range b.statuses {
				all = append(all, n+" "+summary(s))
			}
			events := strings.Join(b.events, "\n")
			b.mu.Unlock()
			b.t.Fatalf("%s did not come\nnow: %s\nevents:\n%s", what, strings.Join(all, "\n"), events)
		}
		b.mu.Unlock()
	}
}

// status is what was told last of a pod.
func (b *bench) status(name string) manifest.Object {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.statuses[name]
}

// told are the events so far.
func (b *bench) told() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}

// until waits for a summary.
func (b *bench) until(name, want string) {
	b.t.Helper()
	b.wait(name+" "+want, func() bool { return b.statuses[name] != nil && summary(b.statuses[name]) == want })
}

func (b *bench) logs(o manifest.Object, opts objects.LogOptions) string {
	b.t.Helper()
	if opts.Tail == 0 {
		opts.Tail = -1
	}
	var out bytes.Buffer
	if err := b.m.Logs(context.Background(), o, opts, &out); err != nil {
		b.t.Fatal(err)
	}
	return out.String()
}

func TestAPodRunsItsContainers(t *testing.T) {
	b := newBench(t, nil)
	b.create("{apiVersion: v1, kind: ConfigMap, metadata: {name: cm}, data: {A: from-map, B: b}}")
	b.create("{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {password: hunter2}}")
	b.create("{apiVersion: v1, kind: Service, metadata: {name: my-db}, spec: {clusterIP: 127.8.0.1, ports: [{name: main, port: 5432}]}}")
	p := b.run("a", `
restartPolicy: Never
initContainers:
- {name: first, command: [sh, -c, "echo one >$SLUICE_ROOT/work/one"], volumeMounts: [{name: work, mountPath: /work}]}
containers:
- name: c
  command: [sh, -c]
  args: ["cat $SLUICE_ROOT/work/one; echo $A $B $C $D $(D) '$$(D)' '$(NO)' $POD $IP $MY_DB_SERVICE_HOST:$MY_DB_SERVICE_PORT_MAIN $P $CPU; echo err >&2; echo ${HOSTNAME}"]
  volumeMounts: [{name: work, mountPath: /work}]
  envFrom: [{configMapRef: {name: cm}}, {configMapRef: {name: none, optional: true}}]
  resources: {limits: {cpu: 1500m}}
  env:
  - {name: B, value: own}
  - {name: C, value: "$(A)-$(B)"}
  - {name: D, value: d}
  - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
  - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
  - {name: P, valueFrom: {secretKeyRef: {name: s, key: password}}}
  - {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
volumes: [{name: work, emptyDir: {}}]
`)
	b.until("a", "Succeeded first:exit0 c:exit0")
	ip := b.status("a").Text("podIP")
	want := "one\nfrom-map own from-map-own d d $(D) $(NO) a " + ip + " 127.8.0.1:5432 hunter2 2\na\n"
	if got := strings.Replace(b.logs(p, objects.LogOptions{}), "err\n", "", 1); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := b.logs(p, objects.LogOptions{Tail: 1, Timestamps: true}); !strings.Contains(got, "Z ") || strings.Count(got, "\n") != 1 {
		t.Errorf("the tail: %q", got)
	}
	for _, e := range b.told() {
		if strings.Contains(e, "hunter2") {
			t.Errorf("an event tells a secret: %s", e)
		}
	}
}

func TestRestarts(t *testing.T) {
	b := newBench(t, nil)
	b.run("always", "containers: [{name: c, command: [sh, -c, exit 3]}]")
	b.run("failing", "restartPolicy: OnFailure\ncontainers: [{name: c, command: [sh, -c, 'test -e $SLUICE_ROOT/w/x && exit 0; touch $SLUICE_ROOT/w/x; exit 1'], volumeMounts: [{name: w, mountPath: /w}]}]\nvolumes: [{name: w}]")
	b.run("never", "restartPolicy: Never\ncontainers: [{name: c, command: [sh, -c, kill -9 $$$$]}]")
	b.until("failing", "Succeeded c:exit0×1")
	b.until("never", "Failed c:exit137")
	b.wait("a crash loop", func() bool {
		return strings.HasPrefix(summary(b.statuses["always"]), "Running c:CrashLoopBackOff×") && b.statuses["always"].List("containerStatuses")[0].(map[string]any)["lastState"] != nil
	})
}

func TestWhatCannotStartSaysWhy(t *testing.T) {
	b := newBench(t, nil)
	b.run("nocommand", "containers: [{name: c, image: nginx}]")
	b.run("nomap", "containers: [{name: c, command: [x], envFrom: [{configMapRef: {name: none}}]}]")
	b.run("nokey", "containers: [{name: c, command: [x], env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]}]")
	b.run("novolume", "containers: [{name: c, command: [sh], volumeMounts: [{name: v, mountPath: /v}]}]\nvolumes: [{name: v, configMap: {name: none}}]")
	b.create("{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {other: hunter2}}")
	b.until("nocommand", "Pending c:CreateContainerError")
	b.until("nomap", "Pending c:CreateContainerConfigError")
	b.until("nokey", "Pending c:CreateContainerConfigError")
	b.until("novolume", "Pending c:ContainerCreating")
	message := func(name string) string {
		return manifest.Object(b.statuses[name].List("containerStatuses")[0].(map[string]any)).Text("state", "waiting", "message")
	}
	for name, want := range map[string]string{
		"nocommand": "container c has no command, and no container engine is there to run the image nginx by its own",
		"nomap":     `configmaps "none" not found`, "novolume": `MountVolume.SetUp failed for volume "v" : configmaps "none" not found`,
	} {
		b.wait(name+" saying "+want, func() bool { return message(name) == want })
	}
	b.create("{apiVersion: v1, kind: ConfigMap, metadata: {name: none}, data: {a: b}}")
	b.wait("the volume", func() bool {
		return strings.Contains(summary(b.statuses["novolume"]), "exit") || strings.Contains(summary(b.statuses["novolume"]), "×")
	})
}

func TestVolumesAreWhereTheyAreMounted(t *testing.T) {
	for _, mounts := range []bool{true, false} {
		t.Run(fmt.Sprint("mounts=", mounts), func(t *testing.T) {
			b := newBench(t, func(c *pod.Config) { c.NoMounts = !mounts })
			if mounts && !b.m.Mounts() {
				t.Skip("SKIPPED: this system lets a process mount nothing (no root and no user namespaces)")
			}
			b.create("{apiVersion: v1, kind: ConfigMap, metadata: {name: cm}, data: {a.conf: text, b.conf: more}}")
			b.create("{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data}, spec: {}}")
			p := b.run("a", `
restartPolicy: Never
containers:
- name: c
  workingDir: /sluice-test/etc
  command: [sh, -c, "cat /sluice-test/etc/a.conf /sluice-test/one; echo; ls /sluice-test/etc; echo kept >>/sluice-test/data/x; cat /sluice-test/data/x /sluice-test/labels; ls /sluice-test/host; pwd"]
  volumeMounts:
  - {name: conf, mountPath: /sluice-test/etc, readOnly: true}
  - {name: conf, mountPath: /sluice-test/one, subPath: b.conf}
  - {name: data, mountPath: /sluice-test/data}
  - {name: info, mountPath: /sluice-test/labels, subPath: labels}
  - {name: host, mountPath: /sluice-test/host}
volumes:
- {name: conf, configMap: {name: cm}}
- {name: data, persistentVolumeClaim: {claimName: data}}
- {name: info, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}
- {name: host, hostPath: {path: /etc}}
`)
			b.wait("its end", func() bool { return strings.Contains(summary(b.statuses["a"]), "exit") })
			got := b.logs(p, objects.LogOptions{})
			if !strings.HasPrefix(got, "textmore\na.conf\nb.conf\nkept\napp=\"x\"") || strings.Contains(got, "passwd") {
				t.Errorf("got\n%s", got)
			}
			if pwd := got[strings.LastIndex(strings.TrimSpace(got), "\n")+1:]; mounts && !strings.HasSuffix(pwd, "/sluice-test/etc\n") {
				t.Errorf("the folder is %s", pwd)
			}
			if _, err := os.Stat("/sluice-test"); err == nil {
				t.Error("the machine's root has a folder of the pod's")
			}
			warned := false
			for _, e := range b.told() {
				warned = warned || strings.Contains(e, "MountsRewritten")
			}
			if warned == mounts {
				t.Errorf("a warning of rewritten paths: %v", warned)
			}
		})
	}
}

func TestProbes(t *testing.T) {
	b := newBench(t, nil)
	var mu sync.Mutex
	good := false
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if !good || r.URL.Path != "/ready" || r.Header.Get("X-A") != "b" {
			w.WriteHeader(503)
		}
	})}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	port := l.Addr().(*net.TCPAddr).Port
	b.run("http", fmt.Sprintf("containers: [{name: c, command: [sleep, '1000'], readinessProbe: {periodSeconds: 1, failureThreshold: 1, httpGet: {host: 127.0.0.1, path: /ready, port: %d, httpHeaders: [{name: X-A, value: b}]}}}]", port))
	b.until("http", "Running c:running")
	mu.Lock()
	good = true
	mu.Unlock()
	b.until("http", "Running c:running+ready")
	mu.Lock()
	good = false
	mu.Unlock()
	b.until("http", "Running c:running")
	b.run("tcp", fmt.Sprintf("containers: [{name: c, ports: [{name: p, containerPort: %d}], command: [sleep, '1000'], readinessProbe: {periodSeconds: 1, tcpSocket: {host: 127.0.0.1, port: p}}}]", port))
	b.until("tcp", "Running c:running+ready")
	b.run("grpc", "containers: [{name: c, command: [sleep, '1000'], readinessProbe: {periodSeconds: 1, failureThreshold: 1, grpc: {port: 50051, service: shop}}}]")
	b.until("grpc", "Running c:running")
	at, err := net.Listen("tcp", net.JoinHostPort(b.status("grpc").Text("podIP"), "50051"))
	if err != nil {
		t.Fatal(err)
	}
	checks, remote := health.NewServer(), grpc.NewServer()
	healthpb.RegisterHealthServer(remote, checks)
	go func() { _ = remote.Serve(at) }()
	defer remote.Stop()
	checks.SetServingStatus("shop", healthpb.HealthCheckResponse_SERVING)
	b.until("grpc", "Running c:running+ready")
	checks.SetServingStatus("shop", healthpb.HealthCheckResponse_NOT_SERVING)
	b.until("grpc", "Running c:running")
	b.run("started", "containers: [{name: c, command: [sh, -c, 'trap \"exit 0\" TERM; sleep 1; touch $SLUICE_ROOT/w/up; sleep 1000 & wait'], startupProbe: {periodSeconds: 1, failureThreshold: 30, exec: {command: [sh, -c, 'test -e $SLUICE_ROOT/w/up']}}, volumeMounts: [{name: w, mountPath: /w}]}]\nvolumes: [{name: w}]")
	b.until("started", "Running c:running")
	b.until("started", "Running c:running+ready")
	b.run("dead", "containers: [{name: c, command: [sleep, '1000'], livenessProbe: {periodSeconds: 1, failureThreshold: 2, terminationGracePeriodSeconds: 1, exec: {command: ['false']}}}]")
	b.until("dead", "Running c:running+ready")
	b.until("dead", "Running c:running+ready×1")
	found := false
	for _, e := range b.told() {
		found = found || strings.Contains(e, "dead Killing: Container c failed liveness probe, will be restarted")
	}
	if !found {
		t.Errorf("events: %v", b.told())
	}
}

func TestTermination(t *testing.T) {
	b := newBench(t, nil)
	polite := b.run("polite", `
terminationGracePeriodSeconds: 30
containers:
- name: c
  command: [sh, -c, "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done"]
  lifecycle: {preStop: {exec: {command: [sh, -c, "echo $HOSTNAME >$SLUICE_ROOT/w/hook"]}}}
  volumeMounts: [{name: w, mountPath: /w}]
volumes: [{name: w, hostPath: {path: /hook}}]
`)
	deaf := b.run("deaf", "containers: [{name: c, command: [sh, -c, 'trap : TERM; (setsid sleep 1000 &) ; echo up; while :; do sleep 0.1; done']}]")
	for _, p := range []manifest.Object{polite, deaf} {
		b.wait("up", func() bool {
			data, _ := os.ReadFile(filepath.Join(b.c.Dir, "pods", p.UID(), "logs", "c", "0.log"))
			return strings.Contains(string(data), "up")
		})
	}
	if !b.m.Stop(polite.UID(), 30*time.Second) || !b.m.Stop(deaf.UID(), 30*time.Second) {
		t.Fatal("they do not run")
	}
	b.wait("polite's end", func() bool { return b.gone["polite"] })
	if got := b.logs(polite, objects.LogOptions{}); !strings.Contains(got, "bye\n") {
		t.Errorf("polite said %q", got)
	}
	if data, err := os.ReadFile(filepath.Join(b.c.Dir, "hostpath", "hook", "hook")); string(data) != "polite\n" {
		t.Errorf("the preStop hook: %q %v", data, err)
	}
	b.mu.Lock()
	if b.gone["deaf"] {
		t.Error("the deaf one went before its grace was over")
	}
	b.mu.Unlock()
	b.m.Stop(deaf.UID(), 0)
	b.wait("deaf's end", func() bool { return b.gone["deaf"] })
	if left := alive(t, deaf.UID()); len(left) > 0 {
		t.Errorf("left running: %v", left)
	}
	if b.m.Stop(deaf.UID(), 0) {
		t.Error("a pod that has gone can be stopped")
	}
	b.m.Forget(deaf)
	if _, err := os.Stat(filepath.Join(b.c.Dir, "pods", deaf.UID())); err == nil {
		t.Error("its folder stays")
	}
}

// alive are the processes with a text in their environment.
func alive(t testing.TB, text string) []int {
	var out []int
	paths, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range paths {
		data, err := os.ReadFile(filepath.Join(p, "environ"))
		stat, _ := os.ReadFile(filepath.Join(p, "stat"))
		if err == nil && bytes.Contains(data, []byte(text)) && !bytes.Contains(stat, []byte(") Z ")) {
			pid, _ := strconv.Atoi(filepath.Base(p))
			out = append(out, pid)
		}
	}
	return out
}

func TestSidecarsStartFirstAndEndLast(t *testing.T) {
	b := newBench(t, nil)
	p := b.run("a", `
restartPolicy: Never
initContainers:
- {name: side, restartPolicy: Always, command: [sh, -c, "trap 'date +%s%N >$SLUICE_ROOT/w/side; exit 0' TERM; touch $SLUICE_ROOT/w/up; while :; do sleep 0.05; done"], volumeMounts: [{name: w, mountPath: /w}], startupProbe: {periodSeconds: 1, failureThreshold: 30, exec: {command: [sh, -c, "test -e $SLUICE_ROOT/w/up"]}}}
containers:
- {name: main, command: [sh, -c, "test -e $SLUICE_ROOT/w/up && date +%s%N >$SLUICE_ROOT/w/main"], volumeMounts: [{name: w, mountPath: /w}]}
volumes: [{name: w}]
`)
	b.wait("the end", func() bool {
		return b.statuses["a"].Text("phase") == "Succeeded" && strings.Contains(summary(b.statuses["a"]), "side:exit0")
	})
	read := func(n string) string {
		data, err := os.ReadFile(filepath.Join(b.c.Dir, "pods", p.UID(), "volumes", "w", n))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if read("main") >= read("side") {
		t.Error("the sidecar ended before the main container")
	}
}

func TestAChangedConfigMapReachesItsVolume(t *testing.T) {
	b := newBench(t, nil)
	cm := b.create("{apiVersion: v1, kind: ConfigMap, metadata: {name: cm}, data: {a: old, gone: x}}")
	p := b.run("a", "containers: [{name: c, command: [sleep, '1000'], volumeMounts: [{name: v, mountPath: /v}]}]\nvolumes: [{name: v, configMap: {name: cm}}]")
	b.until("a", "Running c:running+ready")
	cm["data"] = map[string]any{"a": "new", "b": "more"}
	if _, err := b.store.Update(context.Background(), cm, "", manifest.Writing{}); err != nil {
		t.Fatal(err)
	}
	b.m.Refresh("ConfigMap", "default", "cm")
	dir := filepath.Join(b.c.Dir, "pods", p.UID(), "volumes", "v")
	for n, want := range map[string]string{"a": "new", "b": "more", "gone": ""} {
		if data, _ := os.ReadFile(filepath.Join(dir, n)); string(data) != want {
			t.Errorf("%s is %q", n, data)
		}
	}
}

func TestLogsAreFollowedAndKept(t *testing.T) {
	b := newBench(t, nil)
	p := b.run("a", "containers: [{name: c, command: [sh, -c, 'echo begin; for i in 1 2 3; do sleep 0.1; echo $i; done; head -c 40000 /dev/zero | tr \"\\\\0\" x; echo; exit 1']}]")
	b.wait("a run", func() bool {
		return len(b.history["a"]) > 0 && strings.Contains(strings.Join(b.history["a"], ""), "running")
	})
	got := b.logs(p, objects.LogOptions{Follow: true})
	if want := "begin\n1\n2\n3\n" + strings.Repeat("x", 40000) + "\n"; got != want {
		t.Errorf("got %d bytes, want %d: %.60q", len(got), len(want), got)
	}
	b.wait("a restart", func() bool { return strings.Contains(summary(b.statuses["a"]), "×1") })
	if got := b.logs(p, objects.LogOptions{Previous: true, Limit: 7}); got != "begin\n1" {
		t.Errorf("the run before: %q", got)
	}
}

// supervise is another process that runs a pod until it is killed.
func supervise(dir string) {
	store, err := objects.Open(objects.Config{})
	if err != nil {
		panic(err)
	}
	var e *pod.Engine
	if os.Getenv("SLUICE_TEST_IMAGE") != "" {
		if e, err = pod.OpenEngine(context.Background()); err != nil {
			panic(err)
		}
	}
	m, err := pod.New(pod.Config{
		Dir: dir, Folder: dir, Child: []string{os.Args[0], "pod-child"}, Lookup: store, Engine: e, Address: func(manifest.Object) string { return "127.0.0.1" },
		Report: func(_, s manifest.Object) { fmt.Println(summary(s)) },
	})
	if err != nil {
		panic(err)
	}
	err = m.Run(manifest.Object{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "a", "namespace": "default", "uid": "orphan-test"}, "spec": map[string]any{
		"containers": []any{map[string]any{"name": "c", "image": os.Getenv("SLUICE_TEST_IMAGE"), "imagePullPolicy": "Never", "command": []any{"sh", "-c", "(setsid sleep 1001 &); sleep 1002 & sleep 1003"}}},
	}})
	if err != nil {
		panic(err)
	}
	time.Sleep(time.Hour)
}

func TestNothingIsLeftWhenTheSupervisorIsKilled(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "supervisor", dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for begun := time.Now(); !ok(); time.Sleep(20 * time.Millisecond) {
			if time.Since(begun) > time.Minute {
				t.Fatalf("%s did not come; alive: %v", what, alive(t, dir+"/orphan-test/c"))
			}
		}
	}
	until("three sleeps", func() bool { return len(alive(t, dir+"/orphan-test/c")) >= 3 })
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	until("their end", func() bool { return len(alive(t, dir+"/orphan-test/c")) == 0 })
}

func TestAPodThatRanBeforeIsBegunAgain(t *testing.T) {
	b := newBench(t, nil)
	for name, policy := range map[string]string{"always": "Always", "never": "Never"} {
		o := b.create("{apiVersion: v1, kind: Pod, metadata: {name: " + name + "}, spec: {restartPolicy: " + policy + ", containers: [{name: c, command: [sleep, '1000']}]}}")
		o.Set([]any{map[string]any{"name": "c", "restartCount": int64(1), "ready": true, "image": "", "imageID": "", "state": map[string]any{"running": map[string]any{"startedAt": "2026-01-01T00:00:00Z"}}}}, "status", "containerStatuses")
		o.Set("Running", "status", "phase")
		if err := b.m.Run(o); err != nil {
			t.Fatal(err)
		}
	}
	b.until("always", "Running c:running+ready×2")
	b.wait("never's end", func() bool { return strings.HasPrefix(summary(b.statuses["never"]), "Failed c:exit137") })
}
