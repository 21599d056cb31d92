package application

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// waveDelay is the pause between waves where nothing is told
// (https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/).
const waveDelay = 2 * time.Second

// unseen is how long a hook that was made may be missing from what the cluster shows before it counts as deleted.
const unseen = 10 * time.Second

// established is how long the definition of a kind is waited for before its objects are tried.
const established = 10 * time.Second

// Next decides what a sync does now: what was answered becomes results, what runs is judged by its health, and the actions
// of the next step are asked for, which may be carried out at once. It is asked again when they are answered, when the world
// changes, and After. A decision whose phase is final may ask for actions too (finished hooks are released and deleted):
// they are carried out before the state is kept, and need no answer.
//
// The order is dry run of all, then phases, waves, kinds and names
// (https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/). A wave begins only when the one before is healthy, an
// error ends the sync after its SyncFail hooks, and an operation whose phase is Terminating ends whatever it waits for.
func Next(s Syncing) SyncDecision {
	n := &syncer{Syncing: s, state: s.State, results: map[resultKey]*ResourceResult{}, hooks: map[manifest.Key]manifest.Object{}, applied: s.Applied}
	if s.State.Phase.Completed() {
		return SyncDecision{State: s.State}
	}
	if s.Operation.Sync == nil {
		return SyncDecision{State: Begin(s.App, s.Operation, s.Now)}
	}
	n.load()
	n.plan()
	n.read()
	order(n.tasks)
	switch {
	case n.state.Phase == Terminating:
		n.terminate()
	case !n.state.Phase.Completed():
		n.state.Phase = Running
		n.step()
	}
	n.release()
	return n.decision()
}

// syncer is a sync that is decided on.
type syncer struct {
	Syncing
	sync    SyncOperation
	options []string
	state   OperationState
	results map[resultKey]*ResourceResult
	kept    []resultKey // in the state's order
	hooks   map[manifest.Key]manifest.Object
	tasks   []*task
	actions []SyncAction
	after   time.Duration
	applied time.Time
	tested  bool // the dry run has passed
	broken  bool // a termination had errors
	ended   bool // the answers are those of a termination
}

func (n *syncer) load() {
	n.sync = *n.Operation.Sync
	n.options = n.App.SyncOptions(n.Operation.Sync)
	if n.state.SyncResult != nil {
		for _, r := range n.state.SyncResult.Resources {
			n.results[r.id()] = &r
			n.kept = append(n.kept, r.id())
		}
	}
	for _, p := range n.Comparison.Pairs {
		if p.Hook && p.Live != nil {
			n.hooks[p.Key] = p.Live
		}
	}
	for _, h := range n.Hooks {
		n.hooks[h.Key()] = h
	}
}

// decision writes the results back: in the order of the tasks, before them what no task is left for.
func (n *syncer) decision() SyncDecision {
	var list []ResourceResult
	done := map[resultKey]bool{}
	for _, t := range n.tasks {
		done[resultKey{t.key, t.phase}] = true
	}
	for _, id := range n.kept {
		if !done[id] {
			list = append(list, *n.results[id])
		}
	}
	for _, t := range n.tasks {
		if t.result != nil {
			list = append(list, *t.result)
		}
	}
	result := SyncResult{}
	if n.state.SyncResult != nil {
		result = *n.state.SyncResult
	}
	result.Resources = list
	n.state.SyncResult = &result
	if n.applied.IsZero() {
		n.applied = n.Now
	}
	return SyncDecision{Actions: n.actions, State: n.state, After: n.after, Applied: n.applied}
}

// set records how a task stands. A message that is empty leaves the one before.
func (n *syncer) set(t *task, status string, phase OperationPhase, message string) {
	if t.result == nil {
		t.result = &ResourceResult{
			Group: t.key.Group, Version: t.kind.Version, Kind: t.key.Kind, Namespace: t.key.Namespace, Name: t.key.Name,
			SyncPhase: t.phase, Images: Images(t.object()),
		}
		if t.hook {
			t.result.HookType = t.phase
		}
	}
	t.result.Status, t.result.HookPhase = status, phase
	if message != "" {
		t.result.Message = message
	}
}

func (t *task) object() manifest.Object {
	if t.target != nil {
		return t.target
	}
	return t.live
}

// started reports whether anything was brought to the cluster but the namespace.
func (n *syncer) started() bool {
	return slices.ContainsFunc(n.tasks, func(t *task) bool { return t.result != nil && !t.space })
}

// step is one step of a sync that runs.
func (n *syncer) step() {
	if n.sync.DryRun || !n.started() {
		if !n.prepare() || n.sync.DryRun {
			return
		}
	}
	n.judge()
	main, cleanup := split(n.tasks)
	if i := slices.IndexFunc(main, (*task).failed); i >= 0 {
		n.fail(main, cleanup)
		return
	}
	n.advance(main)
}

// split sets the SyncFail hooks apart, which run only when a sync fails.
func split(tasks []*task) (main, cleanup []*task) {
	for _, t := range tasks {
		if t.phase == SyncFail {
			cleanup = append(cleanup, t)
		} else {
			main = append(main, t)
		}
	}
	return main, cleanup
}

// advance goes on to the first stage that has something to do, when all before it is done.
func (n *syncer) advance(main []*task) {
	var now *stage
	for _, t := range main {
		if s := t.stage(); t.pending() && (now == nil || s.compare(*now) < 0) {
			now = &s
		}
	}
	if now == nil {
		n.complete(main)
		return
	}
	before, here := []*task{}, []*task{}
	for _, t := range main {
		switch c := t.stage().compare(*now); {
		case c < 0:
			before = append(before, t)
		case c == 0:
			here = append(here, t)
		}
	}
	if wait := filter(before, (*task).running); len(wait) > 0 {
		n.wait(wait, "")
		return
	}
	if wait := filter(before, (*task).leaving); len(wait) > 0 {
		n.wait(wait, "deletion of")
		return
	}
	if left := n.pause(before, here); left > 0 {
		n.wait(filter(here, (*task).pending), "")
		n.lookAfter(left)
		return
	}
	n.run(here)
}

// lookAfter asks to be called again after a time, or earlier where that was asked for.
func (n *syncer) lookAfter(d time.Duration) {
	if n.after == 0 || d < n.after {
		n.after = d
	}
}

// leaving reports whether a pruned object is still there.
func (t *task) leaving() bool { return t.prune && t.completed() && t.live != nil && t.live.Deleting() }

// pause is what is left of the delay between the wave before and this one.
func (n *syncer) pause(before, here []*task) time.Duration {
	begun := func(t *task) bool { return t.result != nil && !t.space && t.result.Status != "PruneSkipped" }
	if n.applied.IsZero() || !slices.ContainsFunc(before, begun) || slices.ContainsFunc(here, begun) {
		return 0
	}
	return n.delay() - n.Now.Sub(n.applied)
}

func (n *syncer) delay() time.Duration {
	return cmp.Or(n.WaveDelay, waveDelay)
}

// complete ends a sync that has nothing left to start. Resources of the last wave are not waited for; hooks always are.
func (n *syncer) complete(main []*task) {
	if len(main) == 0 {
		n.succeed("successfully synced (no more tasks)")
		return
	}
	last, hooks := main[len(main)-1].stage(), false
	several := main[0].stage() != last
	for _, t := range main {
		hooks = hooks || t.hook && t.stage() == last
	}
	if !hooks {
		n.succeed("successfully synced (all tasks run)")
		return
	}
	wait := filter(main, func(t *task) bool { return t.running() && (several || t.hook) })
	if len(wait) > 0 {
		n.wait(wait, "")
		return
	}
	n.succeed("successfully synced (no more tasks)")
}

func (n *syncer) succeed(message string) {
	n.state.Phase, n.state.Message = Succeeded, message
	for _, t := range n.tasks {
		if t.hook && t.completed() && t.live != nil && slices.Contains(deletePolicies(t.target), HookSucceeded) {
			n.deleteHook(t, "hook")
		}
	}
}

// wait says what a sync waits for.
func (n *syncer) wait(tasks []*task, what string) {
	first, more := tasks[0], "resources"
	switch {
	case what != "":
	case first.hook:
		what, more = "completion of hook", "hooks"
	default:
		what = "healthy state of"
	}
	n.state.Message = fmt.Sprintf("waiting for %s %s", what, first.title())
	if rest := len(tasks) - 1; rest > 0 {
		n.state.Message = fmt.Sprintf("%s and %d more %s", n.state.Message, rest, more)
	}
	if slices.ContainsFunc(tasks, func(t *task) bool { return t.running() && t.live == nil }) {
		n.lookAfter(unseen / 2)
	}
}

// fail ends a sync that has failed: hooks that run are waited for, then the SyncFail hooks run.
func (n *syncer) fail(main, cleanup []*task) {
	if wait := filter(main, func(t *task) bool { return t.hook && t.running() }); len(wait) > 0 {
		n.wait(wait, "")
		return
	}
	if len(filter(cleanup, (*task).pending)) > 0 {
		n.cleanup(cleanup)
		return
	}
	if wait := filter(cleanup, (*task).running); len(wait) > 0 {
		n.wait(wait, "")
		return
	}
	n.failed(reason(main))
}

// cleanup starts the SyncFail hooks, wave by wave.
func (n *syncer) cleanup(tasks []*task) {
	pending := filter(tasks, (*task).pending)
	first := pending[0].stage()
	if wait := filter(tasks, func(t *task) bool { return t.running() && t.stage().compare(first) < 0 }); len(wait) > 0 {
		n.wait(wait, "")
		return
	}
	n.run(filter(tasks, func(t *task) bool { return t.stage() == first }))
}

// reason is why a sync failed, with the messages of what could not be applied.
func reason(main []*task) string {
	var messages []string
	for _, t := range main {
		if t.result != nil && t.result.Status == "SyncFailed" && !slices.Contains(messages, t.result.Message) {
			messages = append(messages, t.result.Message)
		}
	}
	if len(messages) == 0 {
		return "one or more synchronization tasks completed unsuccessfully"
	}
	return "one or more objects failed to apply, reason: " + strings.Join(messages, ",")
}

func (n *syncer) failed(message string) {
	n.state.Phase, n.state.Message = Failed, message
	for _, t := range n.tasks {
		if t.hook && t.failed() && t.live != nil && slices.Contains(deletePolicies(t.target), HookFailed) {
			n.deleteHook(t, "hook")
		}
	}
}

func filter(tasks []*task, keep func(*task) bool) []*task {
	var out []*task
	for _, t := range tasks {
		if keep(t) {
			out = append(out, t)
		}
	}
	return out
}
