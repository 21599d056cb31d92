package deliver

import (
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// TestFreshen holds what is taken for true while a watch lags behind what the cluster answered.
func TestFreshen(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	object := func(revision, deleting string) manifest.Object {
		o := manifest.Object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "a", "namespace": "b", "uid": "u", "resourceVersion": revision}}
		if deleting != "" {
			o.Set(deleting, "metadata", "deletionTimestamp")
		}
		return o
	}
	key := object("1", "").Key()
	for _, c := range []struct {
		name    string
		seen    manifest.Object
		written written
		after   time.Duration // since the answer
		want    string        // the revision that is taken for true, "" for gone
		stale   bool          // it is to be read again by the clock
	}{
		{"applied and not seen", nil, written{object: object("2", "")}, 0, "2", true},
		{"applied and seen as before", object("1", ""), written{object: object("2", "")}, 0, "2", true},
		{"applied and seen", object("2", ""), written{object: object("2", "")}, 0, "2", false},
		{"applied and not seen for long", nil, written{object: object("2", "")}, time.Minute, "", false},
		{"deleted and seen as before", object("1", ""), written{uid: "u", removed: true}, 0, "", true},
		{"deleted and seen to be gone", nil, written{uid: "u", removed: true}, 0, "", false},
		{"held by a finalizer and seen as before", object("1", ""), written{object: object("2", "then"), uid: "u", removed: true}, 0, "2", true},
		{"held by a finalizer, then seen to be gone", nil, written{object: object("2", "then"), uid: "u", removed: true}, 0, "", false},
		{"another of that name", object("9", ""), written{uid: "other", removed: true}, 0, "9", false},
	} {
		c.written.at = now
		e := &entry{written: map[manifest.Key]written{key: c.written}}
		live := application.Live{Objects: map[manifest.Key]manifest.Object{}}
		if c.seen != nil {
			live.Objects[key] = c.seen
		}
		e.freshen(live, now.Add(c.after))
		got := ""
		if o := live.Objects[key]; o != nil {
			got = o.Revision()
		}
		if got != c.want || (e.stale(now.Add(c.after)) > 0) != c.stale {
			t.Errorf("%s: %q, again in %s", c.name, got, e.stale(now.Add(c.after)))
		}
	}
}
