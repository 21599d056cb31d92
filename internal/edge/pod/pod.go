// Package pod runs Kubernetes Pods on this machine: their containers as supervised processes, or as containers of a Docker
// engine. It keeps what Kubernetes promises of a Pod's life (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/):
// init containers, restarts with growing pauses, probes, hooks, environment, volumes, termination with grace, logs. It does
// not isolate: a process runs as the user who started Sluice and sees that user's files, with its volumes mounted where the
// system allows. It refuses gRPC probes, devices, and volumes that are no folders.
//
// A pod has a loopback address of its own. Its processes are told it as SLUICE_POD_IP (and as status.podIP) and should listen
// there: what listens on all addresses takes its port from the other pods of the machine.
package pod

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Lookup reads what pods refer to: ConfigMaps, Secrets, claims, Services.
type Lookup interface {
	Get(ctx context.Context, kind manifest.Kind, namespace, name string) (manifest.Object, error)
	List(ctx context.Context, kind manifest.Kind, namespace, selector string) ([]manifest.Object, error)
}

// Config is what a manager needs. Dir, Child, Lookup, Report and Address are required.
type Config struct {
	Dir    string   // volumes and logs
	Folder string   // where processes run that name no workingDir
	Child  []string // how Sluice starts itself as a helper: the program and its first arguments; Main is what it is to do
	Lookup Lookup
	// Report is told a pod's whole status whenever it changes, one call at a time for a pod.
	Report func(pod manifest.Object, status manifest.Object)
	// Gone is told when a pod that was stopped has ended.
	Gone func(pod manifest.Object)
	// Event is told what happened to a pod.
	Event func(pod manifest.Object, reason, message string, warning bool)
	// Address gives a pod its loopback address.
	Address func(pod manifest.Object) string
	// Engine runs containers; nil runs their commands as processes.
	Engine *Engine
	Now    func() time.Time // nil for time.Now
	// Pause is the first pause before a restart; 0 for Kubernetes' 10 s. It doubles with each, to 30 times the first.
	Pause time.Duration
	// NoMounts runs processes without namespaces of their own, as systems do that refuse them.
	NoMounts bool
}

// Manager runs pods. New makes one; Close ends it.
type Manager struct {
	c      Config
	keeper *keeper
	spawn  *spawner
	mounts bool

	mu        sync.Mutex
	pods      map[string]*life    // by uid
	hostNames map[string][]string // by namespace
	closed    bool
	group     sync.WaitGroup
}

// New makes a manager, and ends what an earlier one of the same folder left running.
func New(c Config) (*Manager, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Pause == 0 {
		c.Pause = 10 * time.Second
	}
	if err := os.MkdirAll(filepath.Join(c.Dir, "pods"), 0o700); err != nil {
		return nil, fault.New(CodeFolder, "%v", err)
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fault.New(CodeFolder, "%v", err)
	}
	c.Dir = dir
	m := &Manager{c: c, pods: map[string]*life{}, hostNames: map[string][]string{}, spawn: newSpawner()}
	sweep(cookieOf(dir))
	if c.Engine != nil {
		c.Engine.sweep(labelTarget, cookieOf(dir))
	}
	if left, err := filepath.Glob(filepath.Join(dir, "pods", ".start-*")); err == nil {
		for _, l := range left {
			_ = os.RemoveAll(l)
		}
	}
	if m.keeper, err = newKeeper(m.spawn, c.Child, cookieOf(dir), c.Engine != nil); err != nil {
		m.spawn.close()
		return nil, err
	}
	m.mounts = !c.NoMounts && m.canMount()
	return m, nil
}

// Mounts says whether processes see their volumes where the pod mounts them, and the Services' names. Where they do not, paths
// in commands and environment are rewritten.
func (m *Manager) Mounts() bool { return m.mounts }

// Run begins a pod, as its object says now; a pod that runs already is left alone. A pod that ran before (it has a status) is
// begun again as after a restart of its node.
func (m *Manager) Run(object manifest.Object) error {
	var p corev1.Pod
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, &p); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.pods[string(p.UID)] != nil {
		return nil
	}
	l := newLife(m, object.Copy(), &p)
	m.pods[string(p.UID)] = l
	m.group.Go(func() {
		l.run()
		m.mu.Lock()
		delete(m.pods, string(p.UID))
		m.mu.Unlock()
		if l.stopped() && m.c.Gone != nil {
			m.c.Gone(object)
		}
	})
	return nil
}

// Stop ends a pod within a grace; a second call may shorten it. False means that no such pod runs here.
func (m *Manager) Stop(uid string, grace time.Duration) bool {
	m.mu.Lock()
	l := m.pods[uid]
	m.mu.Unlock()
	if l == nil {
		return false
	}
	l.stop(grace)
	return true
}

// Forget removes what a pod that has gone leaves: its volumes and its logs.
func (m *Manager) Forget(object manifest.Object) {
	if uid := object.UID(); filepath.Base(uid) == uid && uid != "" && uid != "." && uid != ".." {
		_ = os.RemoveAll(filepath.Join(m.c.Dir, "pods", uid))
	}
}

// Refresh writes the volumes of pods anew that show a ConfigMap or a Secret.
func (m *Manager) Refresh(kind, namespace, name string) {
	m.mu.Lock()
	var all []*life
	for _, l := range m.pods {
		if l.pod.Namespace == namespace {
			all = append(all, l)
		}
	}
	m.mu.Unlock()
	for _, l := range all {
		l.refresh(kind, name)
	}
}

// Running is how many pods run.
func (m *Manager) Running() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.pods)
}

// Close ends every pod, each within its own grace, all at once when ctx ends.
func (m *Manager) Close(ctx context.Context) error {
	m.mu.Lock()
	m.closed = true
	for _, l := range m.pods {
		l.pause(l.grace())
	}
	m.mu.Unlock()
	done := make(chan struct{})
	go func() { // waited for below
		m.group.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		m.mu.Lock()
		for _, l := range m.pods {
			l.pause(0)
		}
		m.mu.Unlock()
		<-done
	}
	err := m.keeper.close()
	m.spawn.close()
	return err
}

func (m *Manager) event(l *life, warning bool, reason, message string) {
	if m.c.Event != nil {
		m.c.Event(l.object, reason, message, warning)
	}
}
