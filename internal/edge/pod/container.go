package pod

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// member is one container of a pod. What a life's lock guards, it guards here too.
type member struct {
	l    *life
	spec *corev1.Container
	init bool

	state    corev1.ContainerState
	last     corev1.ContainerState
	restarts int32
	image    string
	id       string
	started  bool // the startup probe has passed, or there is none
	ready    bool
	over     bool // it will not be started again

	log  *logs
	ctx  context.Context // ends when it is to end for good: with the pod, or before
	quit context.CancelFunc

	complained bool // it was told that the container does not stay up
}

func newContainer(l *life, spec *corev1.Container, init bool) *member {
	c := &member{l: l, spec: spec, init: init, image: spec.Image}
	c.log = newLogs(l.dir, spec.Name)
	c.ctx, c.quit = context.WithCancel(l.ctx)
	c.wait("ContainerCreating", "")
	if l.pod.Spec.InitContainers != nil && !init {
		c.wait("PodInitializing", "")
	}
	was := l.pod.Status.ContainerStatuses
	if init {
		was = l.pod.Status.InitContainerStatuses
	}
	for _, s := range was { // it ran before: as after a restart of the node
		if s.Name != spec.Name {
			continue
		}
		c.restarts = s.RestartCount
		if s.State.Running != nil || s.State.Terminated != nil {
			c.last = s.State
			if s.State.Running != nil {
				c.last = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "Error", Message: "sluice up ended", StartedAt: s.State.Running.StartedAt, FinishedAt: metav1.NewTime(l.m.c.Now())}}
			}
			c.restarts++
		}
	}
	return c
}

// policy is when the container is started again.
func (c *member) policy() corev1.RestartPolicy {
	switch {
	case c.sidecar():
		return corev1.RestartPolicyAlways
	case c.init && c.l.pod.Spec.RestartPolicy == corev1.RestartPolicyAlways:
		return corev1.RestartPolicyOnFailure
	case c.l.pod.Spec.RestartPolicy == "":
		return corev1.RestartPolicyAlways
	}
	return c.l.pod.Spec.RestartPolicy
}

// sidecar says that an init container stays beside the others.
func (c *member) sidecar() bool {
	return c.init && c.spec.RestartPolicy != nil && *c.spec.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// wait sets the state Waiting. The life's lock is held, or nobody else knows the container yet.
func (c *member) wait(reason, message string) {
	if c.state.Running != nil || c.over {
		return
	}
	if c.state.Terminated != nil {
		c.last = c.state
	}
	c.state = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	c.ready, c.started = false, false
}

func (c *member) status() corev1.ContainerStatus {
	started := c.started
	return corev1.ContainerStatus{
		Name: c.spec.Name, State: c.state, LastTerminationState: c.last, Ready: c.ready, Started: &started, RestartCount: c.restarts,
		Image: c.image, ImageID: c.id, ContainerID: c.containerID(),
	}
}

func (c *member) containerID() string {
	if c.state.Waiting != nil && c.last.Terminated == nil {
		return ""
	}
	return fmt.Sprintf("sluice://%s/%s/%d", c.l.pod.UID, c.spec.Name, c.restarts)
}

func (c *member) succeeded() bool {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	return c.over && c.state.Terminated != nil && c.state.Terminated.ExitCode == 0
}

// change sets something under the lock and reports it.
func (c *member) change(do func()) {
	c.l.mu.Lock()
	do()
	c.l.mu.Unlock()
	c.l.tell()
}

// awaitStarted waits until a sidecar has started.
func (c *member) awaitStarted() bool {
	for {
		c.l.mu.Lock()
		ok, over := c.started && c.state.Running != nil, c.over
		c.l.mu.Unlock()
		if ok || over {
			return ok
		}
		if !sleep(c.l.ctx, 50*time.Millisecond) {
			return false
		}
	}
}

// live runs the container until it has ended for good, by the pod's restart policy.
func (c *member) live() {
	defer c.change(func() { c.over = true })
	if c.restarts > 0 && c.policy() == corev1.RestartPolicyNever && c.last.Terminated != nil {
		c.change(func() { c.state, c.last = c.last, corev1.ContainerState{} })
		return
	}
	pause := c.l.m.c.Pause
	for again := false; c.ctx.Err() == nil; again = true {
		begun := time.Now()
		exit, err := c.once()
		switch {
		case c.ctx.Err() != nil:
			return
		case err != nil:
			c.fail(err)
			sleep(c.ctx, c.l.m.c.Pause)
			continue
		case !c.again(exit):
			return
		}
		if time.Since(begun) > 10*time.Minute {
			pause, again = c.l.m.c.Pause, false
		}
		if again { // the first restart is at once
			c.change(func() {
				c.wait("CrashLoopBackOff", fmt.Sprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)", pause, c.spec.Name, c.l.pod.Name, c.l.pod.Namespace, c.l.pod.UID))
			})
			c.complain(exit)
			c.l.m.event(c.l, true, "BackOff", fmt.Sprintf("Back-off restarting failed container %s in pod %s", c.spec.Name, c.l.pod.Name))
			if !sleep(c.ctx, pause) {
				return
			}
			pause = min(2*pause, 30*c.l.m.c.Pause)
		}
		c.change(func() {
			if c.state.Terminated != nil {
				c.last = c.state
			}
			c.restarts++
		})
	}
}

// again says whether a container that ended so is started again.
func (c *member) again(exit int) bool {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	switch {
	case c.policy() == corev1.RestartPolicyAlways:
		return true
	}
	return c.policy() == corev1.RestartPolicyOnFailure && exit != 0
}

// complain tells once of a container that ends again and again, and where it says why. The commonest reason on one machine,
// whose network the pods share, comes with what to do.
func (c *member) complain(exit int) {
	if c.complained {
		return
	}
	c.complained = true
	path, taken := c.log.current()
	message := fmt.Sprintf("Container %s ends with exit code %d; its log is %s", c.spec.Name, exit, path)
	if taken {
		message += "; another pod has its port: pods without a container engine share this machine's network, so have it listen on $SLUICE_POD_IP, or use an engine"
	}
	c.l.m.event(c.l, true, "Ended", message)
}

// fail tells why the container cannot be started.
func (c *member) fail(err error) {
	reason := "CreateContainerError"
	if p, ok := errors.AsType[*problem](err); ok {
		reason = p.reason
	}
	c.l.mu.Lock()
	told := c.state.Waiting != nil && c.state.Waiting.Reason == reason && c.state.Waiting.Message == err.Error()
	c.l.mu.Unlock()
	if !told {
		c.change(func() { c.wait(reason, err.Error()) })
		c.l.m.event(c.l, true, "Failed", "Error: "+err.Error())
	}
}

// once runs the container once. The error is that it could not be started.
func (c *member) once() (int, error) {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	r, err := c.start(ctx)
	if err != nil {
		return 0, err
	}
	began := metav1.NewTime(c.l.m.c.Now())
	c.change(func() {
		c.state = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: began}}
		c.id, c.image = r.imageID(), r.image(c.spec.Image)
		c.started = c.spec.StartupProbe == nil
		c.ready = c.started && c.spec.ReadinessProbe == nil
	})
	c.l.m.event(c.l, false, "Started", "Started container "+c.spec.Name)
	why := c.watch(ctx, cancel, r)
	exit := r.result()
	c.change(func() {
		t := &corev1.ContainerStateTerminated{ExitCode: int32(exit.code), Signal: int32(exit.signal), Reason: "Completed", Message: why, StartedAt: began, FinishedAt: metav1.NewTime(c.l.m.c.Now()), ContainerID: c.containerID()}
		if exit.code != 0 {
			t.Reason = "Error"
		}
		c.state = corev1.ContainerState{Terminated: t}
		c.ready, c.started = false, false
	})
	return exit.code, nil
}

// watch follows a run to its end: hooks, probes, and the stop. It says why it ended the run, "" where the run ended itself.
func (c *member) watch(ctx context.Context, cancel context.CancelFunc, r run) (why string) {
	var group sync.WaitGroup
	var once sync.Once
	because := func(reason string) {
		once.Do(func() { why = reason })
		cancel()
	}
	probing, quiet := context.WithCancel(ctx)
	group.Go(func() {
		if err := c.afterStart(probing, r); err != nil {
			c.l.m.event(c.l, true, "FailedPostStartHook", err.Error())
			because("postStart hook failed: " + err.Error())
			return
		}
		c.probe(probing, r, because)
	})
	select {
	case <-r.ended():
	case <-ctx.Done():
		quiet()
		c.change(func() { c.ready = false })
		c.terminate(r)
	}
	quiet()
	group.Wait()
	return why
}

// terminate ends a run: the preStop hook, SIGTERM, and SIGKILL when the grace is over.
func (c *member) terminate(r run) {
	grace := c.l.hard
	if c.l.ctx.Err() == nil { // only this container: a probe failed, or it is a sidecar's turn
		d := c.l.grace()
		if p := c.spec.LivenessProbe; p != nil && p.TerminationGracePeriodSeconds != nil {
			d = time.Duration(*p.TerminationGracePeriodSeconds) * time.Second
		}
		var cancel context.CancelFunc
		grace, cancel = context.WithTimeout(c.l.hard, d)
		defer cancel()
	}
	c.l.m.event(c.l, false, "Killing", "Stopping container "+c.spec.Name)
	if err := c.beforeStop(grace, r); err != nil {
		c.l.m.event(c.l, true, "FailedPreStopHook", err.Error())
	}
	r.terminate()
	select {
	case <-r.ended():
	case <-grace.Done():
		r.kill()
		<-r.ended()
	}
}
