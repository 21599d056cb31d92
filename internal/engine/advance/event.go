package advance

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// component is the name that Argo Rollouts' events carry.
const component = "rollouts-controller"

// Bounds of events: how many wait, how long an event is repeated in place, and how many an object may have at once and
// how often a new one after those.
const (
	waiting  = 1000
	repeated = 10 * time.Minute
	burst    = 50
	refill   = 5 * time.Second
)

var eventKind = manifest.Kind{Version: "v1", Kind: "Event"}

// recorder writes events in the order in which they are told. It loses some rather than hold up a rollout: a cluster that
// takes no events, or more events of one object than its bounds.
type recorder struct {
	cluster Writer
	log     *slog.Logger
	queue   chan told
}

// told is one event of one object.
type told struct {
	about           manifest.Object
	reason, message string
	warning         bool
	at              time.Time
}

func newRecorder(c Writer, log *slog.Logger) *recorder {
	return &recorder{cluster: c, log: log, queue: make(chan told, waiting)}
}

// tell puts an event in the queue.
func (r *recorder) tell(e told) {
	level := slog.LevelInfo
	if e.warning {
		level = slog.LevelWarn
	}
	r.log.Log(context.Background(), level, e.message, "reason", e.reason, "kind", e.about.Text("kind"), "namespace", e.about.Namespace(), "name", e.about.Name())
	select {
	case r.queue <- e:
	default:
	}
}

// same is what makes an event a repetition.
type same struct{ uid, reason, message string }

type written struct {
	name  string
	count int
	at    time.Time
}

type bucket struct {
	left float64
	at   time.Time
}

// run writes until ctx ends, and then what is in the queue.
func (r *recorder) run(ctx context.Context) {
	before, buckets := map[same]written{}, map[string]*bucket{}
	for {
		select {
		case e := <-r.queue:
			r.write(ctx, e, before, buckets)
		case <-ctx.Done():
			r.drain(context.WithoutCancel(ctx), before, buckets)
			return
		}
	}
}

func (r *recorder) drain(ctx context.Context, before map[same]written, buckets map[string]*bucket) {
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	for {
		select {
		case e := <-r.queue:
			r.write(ctx, e, before, buckets)
		default:
			return
		}
	}
}

func (r *recorder) write(ctx context.Context, e told, before map[same]written, buckets map[string]*bucket) {
	if !may(buckets, e) {
		return
	}
	id := same{e.about.UID(), e.reason, e.message}
	was, again := before[id]
	if len(before)+len(buckets) > 20*waiting { // of objects that are gone
		clear(before)
		clear(buckets)
	}
	stamp := e.at.UTC().Format(time.RFC3339)
	if again && e.at.Sub(was.at) < repeated {
		data, _ := json.Marshal(map[string]any{"count": was.count + 1, "lastTimestamp": stamp}) // numbers and text
		_, err := r.cluster.Patch(ctx, eventKind, e.about.Namespace(), was.name, manifest.Patch{Kind: manifest.MergePatch, Data: data}, manifest.Writing{})
		if err == nil {
			before[id] = written{was.name, was.count + 1, e.at}
			return
		}
	}
	name := fmt.Sprintf("%s.%x", e.about.Name(), e.at.UnixNano())
	if _, err := r.cluster.Create(ctx, e.object(name, stamp), manifest.Writing{}); err != nil {
		if ctx.Err() == nil {
			r.log.Debug("an event is not taken", "reason", e.reason, "error", err)
		}
		return
	}
	before[id] = written{name, 1, e.at}
}

// may holds the events of one object to their bounds.
func may(buckets map[string]*bucket, e told) bool {
	b := buckets[e.about.UID()]
	if b == nil {
		b = &bucket{burst, e.at}
		buckets[e.about.UID()] = b
	}
	b.left = min(burst, b.left+float64(e.at.Sub(b.at))/float64(refill))
	b.at = e.at
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

func (e told) object(name, stamp string) manifest.Object {
	kind := "Normal"
	if e.warning {
		kind = "Warning"
	}
	return manifest.Object{
		"apiVersion": "v1", "kind": "Event",
		"metadata": map[string]any{"name": name, "namespace": e.about.Namespace()},
		"involvedObject": map[string]any{
			"apiVersion": e.about.Text("apiVersion"), "kind": e.about.Text("kind"), "namespace": e.about.Namespace(),
			"name": e.about.Name(), "uid": e.about.UID(), "resourceVersion": e.about.Revision(),
		},
		"reason": e.reason, "message": e.message, "type": kind, "count": int64(1),
		"firstTimestamp": stamp, "lastTimestamp": stamp,
		"source": map[string]any{"component": component}, "reportingComponent": component, "reportingInstance": "",
	}
}
