package rollout

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// set is a replica set as it was read, and with what this decision has already changed of it.
type set struct {
	object      manifest.Object
	name, hash  string
	created     time.Time
	replicas    int32 // wanted: spec.replicas
	pods        int32
	ready       int32
	available   int32
	annotations map[string]string
	deleting    bool
	returning   bool // it had a moment at which to be scaled down when it was read
	made        bool // by this decision; the cluster does not have it yet
}

func readSet(o manifest.Object) *set {
	created, _ := time.Parse(time.RFC3339, o.Text("metadata", "creationTimestamp"))
	notes := o.Annotations()
	if notes == nil {
		notes = map[string]string{}
	}
	return &set{
		returning:   notes[DeadlineAnnotation] != "",
		object:      o,
		name:        o.Name(),
		hash:        o.Text("metadata", "labels", HashLabel),
		created:     created,
		replicas:    int32(o.Int(1, "spec", "replicas")),
		pods:        int32(o.Int(0, "status", "replicas")),
		ready:       int32(o.Int(0, "status", "readyReplicas")),
		available:   int32(o.Int(0, "status", "availableReplicas")),
		annotations: notes,
		deleting:    o.Deleting(),
	}
}

// revision is the revision that the set stands for, false where it tells none.
func (s *set) revision() (int64, bool) {
	n, err := strconv.ParseInt(s.annotations[RevisionAnnotation], 10, 64)
	return n, err == nil
}

func (s *set) revisionNumber() int64 {
	n, _ := s.revision()
	return n
}

// delayed reports whether the set has a moment at which it is to be scaled down.
func (s *set) delayed() bool { return s != nil && s.annotations[DeadlineAnnotation] != "" }

// remaining is how long the set is still kept; false where the moment has come or cannot be read.
func (s *set) remaining(now time.Time) (time.Duration, bool) {
	at, err := time.Parse(time.RFC3339, s.annotations[DeadlineAnnotation])
	if err != nil || !at.After(now) {
		return 0, false
	}
	return at.Sub(now), true
}

// full reports whether all of the set's pods, at least one, are available; some whether any is.
func (s *set) full() bool {
	return s != nil && s.replicas > 0 && s.available > 0 && s.available >= s.replicas
}
func (s *set) some() bool { return s != nil && s.available > 0 }

func (s *set) active() bool { return s != nil && s.replicas > 0 }

// saturated reports whether the set has all of the rollout's pods, available, and knows that it is to have them.
func (s *set) saturated(replicas int32) bool {
	if s == nil {
		return false
	}
	desired, err := strconv.ParseInt(s.annotations[DesiredAnnotation], 10, 32)
	return err == nil && int32(desired) == replicas && s.replicas == replicas && s.available == replicas
}

func same(a, b *set) bool { return a != nil && b != nil && a.name == b.name }

func sum(sets []*set, count func(*set) int32) int32 {
	total := int32(0)
	for _, s := range sets {
		if s != nil {
			total += count(s)
		}
	}
	return total
}

func wanted(s *set) int32    { return s.replicas }
func present(s *set) int32   { return s.pods }
func ready(s *set) int32     { return s.ready }
func available(s *set) int32 { return s.available }

func byHash(sets []*set, hash string) *set {
	if hash == "" {
		return nil
	}
	i := slices.IndexFunc(sets, func(s *set) bool { return s.hash == hash })
	if i < 0 {
		return nil
	}
	return sets[i]
}

// without are the sets that are none of the others.
func without(sets []*set, others ...*set) []*set {
	var out []*set
	for _, s := range sets {
		if !slices.ContainsFunc(others, func(o *set) bool { return same(s, o) }) {
			out = append(out, s)
		}
	}
	return out
}

// oldestFirst orders by creation, then by name.
func oldestFirst(a, b *set) int {
	return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.name, b.name))
}

// newestRevisionFirst orders by revision, newest first; sets that tell none come last.
func newestRevisionFirst(a, b *set) int {
	ra, hasA := a.revision()
	rb, hasB := b.revision()
	switch {
	case hasA && !hasB:
		return -1
	case hasB && !hasA:
		return 1
	}
	return cmp.Or(cmp.Compare(rb, ra), b.created.Compare(a.created), cmp.Compare(b.name, a.name))
}

func maxRevision(sets []*set) int64 {
	out := int64(0)
	for _, s := range sets {
		out = max(out, s.revisionNumber())
	}
	return out
}
