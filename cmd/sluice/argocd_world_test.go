package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The scenarios of this suite are those that Argo CD's own end-to-end tests go through, with the folders that those use as
// their sources (test/e2e/testdata of its module). What is expected is what that project expects of its own controller.

// argoPatience is how long a scenario waits for what must come; a loaded machine is slow.
const argoPatience = 90 * time.Second

// argoWorld is a controller over a real cluster. Many scenarios share one.
type argoWorld struct {
	kube  *kubetest.Kube // its namespace holds the Applications, the projects and the settings
	data  string         // Argo CD's folders
	logs  *argoLog
	alone *sync.Mutex // scenarios with definitions of the same names hold it
}

// argoLog keeps what a controller says.
type argoLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *argoLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(bytes.TrimSpace(p)))
	return len(p), nil
}

// of are the lines that speak of an application.
func (l *argoLog) of(app string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, line := range l.lines {
		if strings.Contains(line, app) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// argoStart starts a controller in a namespace of its own. settings is what argocd-cm holds.
func argoStart(t *testing.T, kube *kubetest.Kube, settings map[string]string) *argoWorld {
	t.Helper()
	w := &argoWorld{kube: kube, data: filepath.Join(kubetest.Module(t, "github.com/argoproj/argo-cd/v3"), "test", "e2e", "testdata"), logs: &argoLog{}, alone: &sync.Mutex{}}
	kube.Apply(t, `{apiVersion: argoproj.io/v1alpha1, kind: AppProject, metadata: {name: default}, spec: {sourceRepos: ["*"], destinations: [{server: "*", namespace: "*"}], clusterResourceWhitelist: [{group: "*", kind: "*"}]}}`)
	if settings != nil {
		w.settings(t, settings)
	}
	c, err := cluster.OpenWith(kube.Kubeconfig, "", cluster.Options{QPS: 100, Burst: 200})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	log := slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	go func() {
		done <- runApplications(ctx, c, controllerOptions{target: target{namespace: kube.Namespace}, workers: 10}, log)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil && ctx.Err() == nil {
			t.Errorf("the controller ended: %v", err)
		}
	})
	return w
}

// settings puts the ConfigMap argocd-cm into place.
func (w *argoWorld) settings(t *testing.T, data map[string]string) {
	t.Helper()
	o := manifest.Object{"apiVersion": "v1", "kind": "ConfigMap"}
	o.Set("argocd-cm", "metadata", "name")
	for k, v := range data {
		o.Set(v, "data", k)
	}
	w.kube.Apply(t, string(o.JSON()))
}

// scenario is one of them. Its name tells which file and test of Argo CD it is about.
type scenario struct {
	name string
	path string // the source's folder
	more []string
	pods bool // the health that is waited for is that of pods which run
	run  func(s *site)
}

// site is where a scenario plays: a repository, a namespace and an Application.
type site struct {
	*testing.T

	w     *argoWorld
	repo  string
	path  string
	space string // the destination's namespace
	app   string
}

// abreastScenarios is how many scenarios play at once: they wait most of their time.
const abreastScenarios = 8

// argoPlay plays scenarios, several at once.
func (w *argoWorld) play(t *testing.T, all []scenario) {
	t.Helper()
	slots := make(chan struct{}, abreastScenarios)
	var group sync.WaitGroup
	for _, sc := range all {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			t.Run(sc.name, func(t *testing.T) { sc.run(w.site(t, sc)) })
		})
	}
	group.Wait()
}

func (w *argoWorld) site(t *testing.T, sc scenario) *site {
	t.Helper()
	id := strings.ToLower(rand.Text()[:6])
	s := &site{T: t, w: w, path: sc.path, space: w.kube.Namespace + "-" + id, app: "app-" + id, repo: filepath.Join(t.TempDir(), "repo")}
	for _, folder := range append([]string{sc.path}, sc.more...) {
		folder, _, _ = strings.Cut(folder, "/")
		if folder == "" {
			continue
		}
		if err := os.CopyFS(filepath.Join(s.repo, folder), os.DirFS(filepath.Join(w.data, folder))); err != nil {
			t.Fatal(err)
		}
	}
	s.unlock()
	s.git("init", "-q", "-b", "master")
	s.commit()
	s.namespace(s.space)
	t.Cleanup(s.tidy)
	return s
}

// unlock makes what was copied from the module cache writable.
func (s *site) unlock() {
	err := filepath.Walk(s.repo, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Chmod(path, info.Mode()|0o200)
	})
	if err != nil && !os.IsNotExist(err) {
		s.Fatal(err)
	}
	if err := os.MkdirAll(s.repo, 0o755); err != nil {
		s.Fatal(err)
	}
}

// namespace makes a namespace that goes when the scenario ends.
func (s *site) namespace(name string) {
	s.Helper()
	s.w.kube.Apply(s.T, "{apiVersion: v1, kind: Namespace, metadata: {name: "+name+"}}")
	s.forgetNamespace(name)
}

func (s *site) forgetNamespace(name string) {
	s.Cleanup(func() {
		for _, kind := range []string{"pods", "configmaps"} {
			_, data := s.w.kube.Do(s.T, http.MethodGet, "/api/v1/namespaces/"+name+"/"+kind, "", nil)
			list, err := manifest.Parse(data)
			if err != nil {
				continue
			}
			for _, e := range list.List("items") {
				if o := manifest.Object(e.(map[string]any)); len(o.List("metadata", "finalizers")) > 0 {
					s.w.kube.Do(s.T, http.MethodPatch, "/api/v1/namespaces/"+name+"/"+kind+"/"+o.Name(), manifest.MergePatch, []byte(`{"metadata":{"finalizers":null}}`))
				}
			}
		}
		s.w.kube.Do(s.T, http.MethodDelete, "/api/v1/namespaces/"+name, "", nil)
	})
}

// tidy takes the Application away without what it holds: the namespace goes.
func (s *site) tidy() {
	path := "/apis/argoproj.io/v1alpha1/namespaces/" + s.w.kube.Namespace + "/applications/" + s.app
	s.w.kube.Do(s.T, http.MethodPatch, path, manifest.MergePatch, []byte(`{"metadata":{"finalizers":null}}`))
	s.w.kube.Do(s.T, http.MethodDelete, path, "", nil)
}

// git runs git in the repository.
func (s *site) git(words ...string) string {
	s.Helper()
	cmd := exec.Command("git", words...)
	cmd.Dir, cmd.Env = s.repo, append(os.Environ(), gitEnv(s.repo)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.Fatalf("git %s: %v\n%s", strings.Join(words, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit commits all and gives the commit's hash.
func (s *site) commit() string {
	s.Helper()
	s.git("add", "-A", "-f")
	s.git("commit", "-q", "--allow-empty", "-m", "Change")
	return s.git("rev-parse", "HEAD")
}

// write puts a file into the source's folder and commits.
func (s *site) write(file, text string) string {
	s.Helper()
	at := filepath.Join(s.repo, s.path, file)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
		s.Fatal(err)
	}
	return s.commit()
}

// remove deletes a file of the source's folder and commits.
func (s *site) remove(files ...string) {
	s.Helper()
	for _, f := range files {
		if err := os.Remove(filepath.Join(s.repo, s.path, f)); err != nil {
			s.Fatal(err)
		}
	}
	s.commit()
}

// edit changes the object that a file of the source's folder holds and commits.
func (s *site) edit(file string, change func(o manifest.Object)) string {
	s.Helper()
	text, err := os.ReadFile(filepath.Join(s.repo, s.path, file))
	if err != nil {
		s.Fatal(err)
	}
	all := kubetest.Documents(s.T, string(text))
	var out []string
	for i, o := range all {
		if i == 0 {
			change(o)
		}
		data, err := yaml.Marshal(map[string]any(o))
		if err != nil {
			s.Fatal(err)
		}
		out = append(out, string(data))
	}
	return s.write(file, strings.Join(out, "---\n"))
}

// annotated is a change that replaces annotations.
func annotated(pairs ...string) func(manifest.Object) {
	return func(o manifest.Object) {
		o.Drop("metadata", "annotations")
		for i := 0; i < len(pairs); i += 2 {
			o.SetAnnotation(pairs[i], pairs[i+1])
		}
	}
}

// commanded is a change of the command of a pod's container.
func commanded(words ...string) func(manifest.Object) {
	return func(o manifest.Object) {
		var list []any
		for _, w := range words {
			list = append(list, w)
		}
		o.List("spec", "containers")[0].(map[string]any)["command"] = list
	}
}

// set is a change of one field.
func set(value any, path ...string) func(manifest.Object) {
	return func(o manifest.Object) { o.Set(value, path...) }
}

// both is a change after another.
func both(changes ...func(manifest.Object)) func(manifest.Object) {
	return func(o manifest.Object) {
		for _, c := range changes {
			c(o)
		}
	}
}

// create makes the Application.
func (s *site) create(changes ...func(manifest.Object)) {
	s.Helper()
	o := manifest.Object{"apiVersion": "argoproj.io/v1alpha1", "kind": "Application"}
	o.Set(s.app, "metadata", "name")
	o.Set("default", "spec", "project")
	o.Set(map[string]any{"repoURL": s.url(), "path": s.path}, "spec", "source")
	o.Set(map[string]any{"server": cluster.InCluster, "namespace": s.space}, "spec", "destination")
	both(changes...)(o)
	s.w.kube.Apply(s.T, string(o.JSON()))
}

func (s *site) url() string { return "file://" + s.repo }

// options is a change that sets an Application's sync options.
func options(list ...string) func(manifest.Object) {
	all := []any{}
	for _, o := range list {
		all = append(all, o)
	}
	return set(all, "spec", "syncPolicy", "syncOptions")
}

// patch changes the Application by a merge patch.
func (s *site) patch(text string) {
	s.Helper()
	s.merge(applicationKind, s.w.kube.Namespace, s.app, text)
}

// merge changes an object by a merge patch.
func (s *site) merge(kind manifest.Kind, space, name, text string) {
	s.Helper()
	code, data := s.w.kube.Do(s.T, http.MethodPatch, s.w.kube.Path(s.T, kind, space)+"/"+name, manifest.MergePatch, []byte(text))
	if code >= 300 {
		s.Fatalf("patch %s %s: %d %s", kind, name, code, data)
	}
}

// in reads an object; nil where there is none.
func (s *site) in(space string, kind manifest.Kind, name string) manifest.Object {
	s.Helper()
	k := *s.w.kube
	k.Namespace = space
	return k.Object(s.T, kind, name)
}

// get reads an object of the destination's namespace.
func (s *site) get(kind manifest.Kind, name string) manifest.Object {
	s.Helper()
	return s.in(s.space, kind, name)
}

// apply brings YAML to the destination's namespace, as another person.
func (s *site) apply(text string) {
	s.Helper()
	k := *s.w.kube
	k.Namespace = s.space
	k.Apply(s.T, text)
}

// delete deletes an object of the destination's namespace.
func (s *site) delete(kind manifest.Kind, name string) {
	s.Helper()
	code, data := s.w.kube.Do(s.T, http.MethodDelete, s.w.kube.Path(s.T, kind, s.space)+"/"+name, "", nil)
	if code >= 300 && code != http.StatusNotFound {
		s.Fatalf("delete %s %s: %d %s", kind, name, code, data)
	}
}

// answered is how a command of ours ended.
type answered struct {
	out, err string
	code     int
}

// sluice runs a command of ours on the Application: `sluice app VERB APP …`.
func (s *site) sluice(verb string, more ...string) answered {
	s.Helper()
	words := append(strings.Fields(verb), s.app)
	return s.plain(append(append([]string{"app"}, words...), append(more, "--kubeconfig", s.w.kube.Kubeconfig, "-N", s.w.kube.Namespace)...)...)
}

// must runs a command of ours on the Application, which must pass.
func (s *site) must(verb string, more ...string) answered {
	s.Helper()
	r := s.sluice(verb, more...)
	if r.code != 0 {
		a, _ := s.read()
		s.Fatalf("sluice app %s %s: exit code %d\n%s%s\n%s\n%s", verb, strings.Join(more, " "), r.code, r.out, r.err, s.shown(a), s.w.logs.of(s.app))
	}
	return r
}

// plain runs a command of ours.
func (s *site) plain(words ...string) answered {
	s.Helper()
	var out, errs bytes.Buffer
	ctx, stop := context.WithTimeout(context.Background(), argoPatience)
	defer stop()
	code := Main(ctx, words, strings.NewReader(""), &out, &errs)
	return answered{out.String(), errs.String(), code}
}

// sync asks for a sync with pruning and waits for its end, whatever it is.
func (s *site) sync(more ...string) answered {
	s.Helper()
	return s.sluice("sync", append([]string{"--prune"}, more...)...)
}

// refresh asks for a comparison and waits for it.
func (s *site) refresh() {
	s.Helper()
	s.must("refresh")
}

// want is what must become true of an Application. It says what is not so.
type want struct {
	what string
	so   func(a application.Application) bool
}

// read reads the Application.
func (s *site) read() (application.Application, bool) {
	s.Helper()
	o := s.in(s.w.kube.Namespace, applicationKind, s.app)
	if o == nil {
		return application.Application{}, false
	}
	a, err := decodeApp(o)
	if err != nil {
		s.Fatal(err)
	}
	return a, true
}

// expect waits until all is so, and gives the Application as it is then.
func (s *site) expect(all ...want) application.Application {
	s.Helper()
	for end := time.Now().Add(argoPatience); ; time.Sleep(50 * time.Millisecond) {
		a, there := s.read()
		var not []string
		for _, w := range all {
			if !there || !w.so(a) {
				not = append(not, w.what)
			}
		}
		if len(not) == 0 {
			return a
		}
		if time.Now().After(end) {
			s.Fatalf("not so: %s\n%s\n%s", strings.Join(not, "; "), s.shown(a), s.w.logs.of(s.app))
		}
	}
}

// shown is an Application's status for a person.
func (s *site) shown(a application.Application) string {
	if a.Object == nil {
		return "there is no such Application"
	}
	text, err := yaml.Marshal(map[string]any{"operation": a.Object["operation"], "status": a.Object["status"], "finalizers": a.Object.List("metadata", "finalizers"), "deleting": a.Object.Deleting()})
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// stays looks for a while that all is so.
func (s *site) stays(long time.Duration, all ...want) {
	s.Helper()
	for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		a, there := s.read()
		for _, w := range all {
			if !there || !w.so(a) {
				s.Fatalf("not so any more: %s\n%s", w.what, s.shown(a))
			}
		}
	}
}

// gone waits until the Application is not there any more.
func (s *site) gone() {
	s.Helper()
	s.eventually("the application is gone", func() bool { _, there := s.read(); return !there })
}

// eventually waits until something holds.
func (s *site) eventually(what string, holds func() bool) {
	s.Helper()
	for end := time.Now().Add(argoPatience); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			a, _ := s.read()
			s.Fatalf("not so: %s\n%s\n%s", what, s.shown(a), s.w.logs.of(s.app))
		}
	}
}

// is fails the scenario where something does not hold now.
func (s *site) is(holds bool, format string, args ...any) {
	s.Helper()
	if !holds {
		a, _ := s.read()
		s.Fatalf("%s\n%s\n%s", fmt.Sprintf(format, args...), s.shown(a), s.w.logs.of(s.app))
	}
}

func phased(p application.OperationPhase) want {
	return want{"the operation is " + string(p), func(a application.Application) bool {
		return a.Status.OperationState != nil && a.Status.OperationState.Phase == p && (a.Operation == nil || !p.Completed())
	}}
}

func statusIs(c application.SyncCode) want {
	return want{"the status is " + string(c), func(a application.Application) bool { return a.Status.Sync.Status == c }}
}

func healthIs(h string) want {
	return want{"the health is " + h, func(a application.Application) bool { return a.Status.Health.Status == h }}
}

// The usual wants.
var (
	succeeded  = phased(application.Succeeded)
	failed     = phased(application.Failed)
	inSync     = statusIs(application.Synced)
	outOfSyncs = statusIs(application.OutOfSync)
	unknown    = statusIs(application.Unknown)
	healthy    = healthIs("Healthy")
	noWarnings = want{"there are no conditions", func(a application.Application) bool { return len(a.Status.Conditions) == 0 }}
)

// results is how many resources an operation's result names.
func results(n int) want {
	return want{fmt.Sprintf("%d results", n), func(a application.Application) bool {
		op := a.Status.OperationState
		return op != nil && op.SyncResult != nil && len(op.SyncResult.Resources) == n
	}}
}

// result is one that an operation's result must hold, with a part of its message.
func result(r application.ResourceResult) want {
	return want{fmt.Sprintf("a result like %+v", r), func(a application.Application) bool {
		op := a.Status.OperationState
		return op != nil && op.SyncResult != nil && slices.ContainsFunc(op.SyncResult.Resources, func(x application.ResourceResult) bool {
			message := x.Message
			x.Message, x.Images = r.Message, r.Images
			return fmt.Sprint(x) == fmt.Sprint(r) && strings.Contains(message, r.Message)
		})
	}}
}

// resource is how a resource stands; an empty word is not looked at.
func resource(kind, name string, status application.SyncCode, health string) want {
	return resourceAt(kind, "", name, status, health)
}

func resourceAt(kind, space, name string, status application.SyncCode, health string) want {
	return want{fmt.Sprintf("%s %s %s is %s %s", kind, space, name, status, health), func(a application.Application) bool {
		return slices.ContainsFunc(a.Status.Resources, func(r application.Resource) bool {
			return r.Kind == kind && r.Name == name && (space == "" || r.Namespace == space) && (status == "" || r.Status == status) &&
				(health == "" || r.Health != nil && r.Health.Status == health)
		})
	}}
}

// condition is one that must be there, with a part of its message.
func condition(kind, message string) want {
	return want{"a condition " + kind + " " + message, func(a application.Application) bool {
		return slices.ContainsFunc(a.Status.Conditions, func(c application.Condition) bool { return c.Type == kind && strings.Contains(c.Message, message) })
	}}
}

// messageHas is a part of what the operation says.
func messageHas(text string) want {
	return want{"the operation says " + text, func(a application.Application) bool {
		return a.Status.OperationState != nil && strings.Contains(a.Status.OperationState.Message, text)
	}}
}

// The kinds that scenarios look at.
var (
	configMapKind  = manifest.Kind{Version: "v1", Kind: "ConfigMap"}
	namespaceKind  = manifest.Kind{Version: "v1", Kind: "Namespace"}
	serviceKind    = manifest.Kind{Version: "v1", Kind: "Service"}
	deploymentKind = manifest.Kind{Group: "apps", Version: "v1", Kind: "Deployment"}
)
