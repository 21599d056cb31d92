package pod

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// life is one pod from its start to its end.
type life struct {
	m       *Manager
	object  manifest.Object
	pod     *corev1.Pod
	dir     string
	address string
	begun   metav1.Time

	ctx    context.Context // ends when the pod is to end
	cancel context.CancelFunc
	hard   context.Context // ends when its grace is over
	kill   context.CancelFunc

	mu         sync.Mutex // guards what follows
	gone       bool       // was told to stop (and not only with the manager)
	deadline   *time.Timer
	until      time.Time
	containers []*member // init containers, then the others
	initDone   bool
	conditions map[corev1.PodConditionType]metav1.Time // since when they are as they are
	last       corev1.PodStatus
	failure    string // reason of a failure of the whole pod
	message    string
	net        *contained // whose network the pod has in an engine

	telling sync.Mutex
}

func newLife(m *Manager, object manifest.Object, p *corev1.Pod) *life {
	l := &life{m: m, object: object, pod: p, dir: filepath.Join(m.c.Dir, "pods", string(p.UID)), begun: metav1.NewTime(m.c.Now()), conditions: map[corev1.PodConditionType]metav1.Time{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.hard, l.kill = context.WithCancel(context.Background())
	if p.Status.StartTime != nil {
		l.begun = *p.Status.StartTime
	}
	l.address = m.c.Address(object)
	p.Status.PodIP, p.Status.HostIP = l.address, "127.0.0.1"
	for i := range p.Spec.InitContainers {
		l.containers = append(l.containers, newContainer(l, &p.Spec.InitContainers[i], true))
	}
	for i := range p.Spec.Containers {
		l.containers = append(l.containers, newContainer(l, &p.Spec.Containers[i], false))
	}
	return l
}

func (l *life) grace() time.Duration {
	if s := l.pod.Spec.TerminationGracePeriodSeconds; s != nil {
		return time.Duration(*s) * time.Second
	}
	return 30 * time.Second
}

// stop ends the pod because it is deleted.
func (l *life) stop(grace time.Duration) {
	l.mu.Lock()
	l.gone = true
	l.mu.Unlock()
	l.pause(grace)
}

// pause ends the pod's processes within a grace.
func (l *life) pause(grace time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	until := time.Now().Add(grace)
	switch {
	case l.deadline == nil:
		l.deadline, l.until = time.AfterFunc(grace, l.kill), until
	case until.Before(l.until):
		l.until = until
		l.deadline.Reset(grace)
	}
	l.cancel()
}

func (l *life) stopped() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone
}

// run is the pod's life. It returns when all its processes have ended: after a stop, or because it has done its work; then
// it waits to be stopped, so that its logs and status stay.
func (l *life) run() {
	defer l.kill()
	defer l.cancel()
	if l.m.c.Engine != nil {
		defer l.m.c.Engine.forget(l)
	}
	if deadline := l.pod.Spec.ActiveDeadlineSeconds; deadline != nil {
		t := time.AfterFunc(time.Until(l.begun.Add(time.Duration(*deadline)*time.Second)), l.overdue)
		defer t.Stop()
	}
	if phase := l.pod.Status.Phase; phase == corev1.PodSucceeded || phase == corev1.PodFailed {
		<-l.ctx.Done()
		return
	}
	l.tell()
	sidecars, ok := l.initialise()
	if ok {
		var group sync.WaitGroup
		for _, c := range l.containers {
			if !c.init {
				group.Go(c.live)
			}
		}
		group.Wait()
	}
	for _, stop := range slices.Backward(sidecars) { // sidecars end after the others, the last first
		stop()
	}
	l.tell()
	<-l.ctx.Done()
	l.tell()
}

// overdue fails the pod: activeDeadlineSeconds is over.
func (l *life) overdue() {
	l.mu.Lock()
	l.failure, l.message = "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"
	l.mu.Unlock()
	for _, c := range l.containers {
		c.quit()
	}
}

// initialise makes the volumes and runs the init containers, one after the other; those that restart always (sidecars) are
// started and stay. What it gives are the stops of these.
func (l *life) initialise() (sidecars []func(), ok bool) {
	if !l.prepare() {
		return nil, false
	}
	for _, c := range l.containers {
		if !c.init {
			continue
		}
		if c.sidecar() {
			sidecars = append(sidecars, l.aside(c))
			if !c.awaitStarted() {
				return sidecars, false
			}
			continue
		}
		if c.live(); l.ctx.Err() != nil || !c.succeeded() {
			return sidecars, false
		}
	}
	l.mu.Lock()
	l.initDone = true
	l.mu.Unlock()
	l.tell()
	return sidecars, true
}

// aside runs a sidecar; its stop ends and awaits it.
func (l *life) aside(c *member) func() {
	done := make(chan struct{})
	go func() { // waited for by the stop
		defer close(done)
		c.live()
	}()
	return func() {
		c.quit()
		<-done
	}
}

// prepare makes the volumes, again and again until what they show is there.
func (l *life) prepare() bool {
	told := ""
	for {
		err := l.volumes()
		if err == nil {
			return l.ctx.Err() == nil
		}
		if l.ctx.Err() != nil {
			return false
		}
		if err.Error() != told {
			told = err.Error()
			l.m.event(l, true, "FailedMount", told)
			l.mu.Lock()
			for _, c := range l.containers {
				c.wait("ContainerCreating", told)
			}
			l.mu.Unlock()
			l.tell()
		}
		if !sleep(l.containers[len(l.containers)-1].ctx, l.m.c.Pause/5) {
			return false
		}
	}
}

// sleep waits; false means that ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// tell reports the status where it has changed.
func (l *life) tell() {
	l.telling.Lock()
	defer l.telling.Unlock()
	l.mu.Lock()
	if l.ctx.Err() != nil && !l.gone { // it ends with the manager: what is kept says that it runs, and it is begun again
		l.mu.Unlock()
		return
	}
	s := l.status()
	same := equal(s, l.last)
	l.last = s
	l.mu.Unlock()
	if same {
		return
	}
	o, err := manifest.From(s)
	if err == nil {
		l.m.c.Report(l.object, o)
	}
}

// problem is why a container cannot be started: a reason in Kubernetes' words and what is wrong.
type problem struct {
	reason string
	err    error
}

func (p *problem) Error() string { return p.err.Error() }
func (p *problem) Unwrap() error { return p.err }

func refuse(reason, format string, args ...any) error {
	return &problem{reason, fmt.Errorf(format, args...)}
}
