package application_test

import (
	"slices"
	"testing"
	"time"

	app "github.com/sluice-delivery/sluice/internal/flow/application"
)

// goes runs a deletion to its end and tells what was removed and made, in order.
func goes(w *world, finalizers ...string) (log []string, last app.DeletionDecision) {
	var list []any
	for _, f := range finalizers {
		list = append(list, f)
	}
	w.app.Object.Set(list, "metadata", "finalizers")
	w.app.Object.Set(w.now.Format(time.RFC3339), "metadata", "deletionTimestamp")
	w.log = nil
	for range 30 {
		c := w.compare()
		last = app.NextDeletion(app.Deleting{App: w.app, Tracking: w.tracking, Comparison: c, Live: app.Live{Objects: w.live}, Health: w.assess, Answered: w.answers, Now: w.now})
		w.answers = nil
		for _, a := range last.Actions {
			w.answers = append(w.answers, w.do(a))
		}
		var left []any
		for _, f := range w.app.Object.List("metadata", "finalizers") {
			if !slices.Contains(last.Drop, f.(string)) {
				left = append(left, f)
			}
		}
		w.app.Object.Set(left, "metadata", "finalizers")
		w.now = w.now.Add(time.Second)
		if last.Done {
			break
		}
	}
	return w.log, last
}

func synced(t *testing.T, docs ...string) *world {
	w := newWorld(t, stream(docs...))
	w.begin(app.SyncOperation{})
	w.run(30)
	return w
}

func TestDeletion(t *testing.T) {
	docs := []string{
		config("a"), config("b", "sync-wave=1"), config("kept", "sync-options=Delete=false"), config("helm", "helm.sh/resource-policy=keep"),
		config("pre", "hook=PreDelete"), config("post", "hook=PostDelete"), config("sync", "hook=PostSync"),
	}
	w := synced(t, docs...)
	if f := app.Finalizers(w.app, w.compare()); !slices.Equal(f, []string{app.PreDeleteFinalizer, app.PreDeleteCleanup, app.PostDeleteFinalizer, app.PostDeleteCleanup}) {
		t.Error(f)
	}
	all := []string{app.PreDeleteFinalizer, app.PreDeleteCleanup, app.ResourcesFinalizer, app.PostDeleteFinalizer, app.PostDeleteCleanup}
	log, last := goes(w, all...)
	wantLines(t, "deletion", log, []string{"apply pre", "remove pre", "remove b", "remove a", "remove sync", "apply post"})
	wantLines(t, "live", w.names(), []string{"helm", "kept", "post"})
	if !last.Done {
		t.Errorf("%+v", last)
	}

	w = synced(t, docs...)
	if log, last = goes(w); len(log) > 0 || !last.Done {
		t.Errorf("without a finalizer: %v", log)
	}

	w = synced(t, docs...)
	w.health["pre"] = "Degraded"
	log, last = goes(w, all...)
	wantLines(t, "a hook that fails", log, []string{"apply pre"})
	if last.Condition == nil || last.Condition.Type != "DeletionError" || last.Done {
		t.Errorf("%+v", last)
	}
	w.desired[4].Set("mended", "data", "a") // and its repair in Git
	w.health["pre"] = "Healthy"
	if _, last = goes(w, all...); !last.Done {
		t.Errorf("%+v", last)
	}

	w = synced(t, docs...)
	w.stuck["b"] = true
	log, last = goes(w, app.ResourcesFinalizerBackground)
	wantLines(t, "what is stuck", log, []string{"remove b"})
	if last.Done || last.Message != "3 objects remaining for deletion" {
		t.Errorf("%+v", last)
	}
}

func TestDeletionConfirmed(t *testing.T) {
	w := synced(t, config("a", "sync-options=Delete=confirm"), config("b"))
	log, last := goes(w, app.ResourcesFinalizer)
	if len(log) > 0 || last.Message != "waiting for deletion confirmation of /ConfigMap/a" {
		t.Errorf("%v %+v", log, last)
	}
	w.app.Object.SetAnnotation(app.AnnotationApproved, w.now.Add(time.Hour).Format(time.RFC3339))
	log, _ = goes(w, app.ResourcesFinalizer)
	wantLines(t, "approved", log, []string{"remove a", "remove b"})
}

// A deletion takes nothing that it does not track.
func TestDeletionTracks(t *testing.T) {
	w := synced(t, config("a"))
	for name, by := range map[string]string{"foreign": "other", "none": ""} {
		o := objects(t, config(name))[0]
		o.Set("prod", "metadata", "namespace")
		if by != "" {
			(app.Tracking{App: by}).Mark(o, "prod")
		}
		w.live[o.Key()] = o
	}
	goes(w, app.ResourcesFinalizer)
	wantLines(t, "live", w.names(), []string{"foreign", "none"})
}
