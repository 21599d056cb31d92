package rollout

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// rolloutKind and version are what owner references to a rollout say.
const (
	rolloutKind = "Rollout"
	version     = "argoproj.io/v1alpha1"
)

func selectorOf(o manifest.Object) *metav1.LabelSelector {
	if o == nil {
		return nil
	}
	var s metav1.LabelSelector
	if o.Into(&s) != nil {
		return nil
	}
	return &s
}

// owner is the owner reference of what a rollout makes.
func (r Rollout) owner() map[string]any {
	return map[string]any{
		"apiVersion": version, "kind": rolloutKind, "name": r.Object.Name(), "uid": r.Object.UID(),
		"controller": true, "blockOwnerDeletion": true,
	}
}

// controls reports whether the rollout is the object's controller.
func (w World) controls(o manifest.Object) bool {
	c, ok := o.Controller()
	return ok && c.UID == w.Rollout.Object.UID()
}

// claim takes up the sets that the rollout controls and those that match its selector and nobody controls, which it
// adopts. A set of its own that matches no more is let go.
func (p *pass) claim() {
	selector, err := metav1.LabelSelectorAsSelector(p.r.Spec.Selector)
	if err != nil {
		return // validate refuses it
	}
	for _, o := range p.w.ReplicaSets {
		matches := selector.Matches(labels.Set(o.Labels()))
		mine := p.w.controls(o)
		_, taken := o.Controller()
		switch {
		case mine && matches:
			p.sets = append(p.sets, readSet(o))
		case mine && !o.Deleting():
			p.do(PatchReplicaSet{Name: o.Name(), Patch: ownersPatch(p.otherOwners(o))})
		case !taken && matches && !o.Deleting():
			p.do(PatchReplicaSet{Name: o.Name(), Patch: ownersPatch(append(p.otherOwners(o), p.r.owner()))})
			p.sets = append(p.sets, readSet(o))
		}
	}
}

func ownersPatch(owners []any) manifest.Object {
	return manifest.Object{"metadata": map[string]any{"ownerReferences": owners}}
}

func (p *pass) otherOwners(o manifest.Object) []any {
	out := []any{}
	for _, e := range o.List("metadata", "ownerReferences") {
		if m, ok := e.(map[string]any); ok && m["uid"] != p.r.Object.UID() {
			out = append(out, m)
		}
	}
	return out
}

// create makes the wanted version's replica set, without pods yet. It is false where another object has the name: then the
// collision count is raised, which gives another hash.
func (p *pass) create() bool {
	name := p.r.Object.Name() + "-" + p.hash
	if slices.Contains(p.w.Occupied, name) || slices.ContainsFunc(p.sets, func(s *set) bool { return s.name == name }) {
		p.status = p.r.Status
		count := or(p.r.Status.CollisionCount, 0) + 1
		p.status.CollisionCount = &count
		return false
	}
	revision := maxRevision(p.sets) + 1
	s := readSet(p.newSet(name, revision))
	s.created, s.made = p.now, true
	p.do(CreateReplicaSet{Object: s.object})
	p.sets = append(p.sets, s)
	p.fresh = s
	p.sort()
	p.setRevision(revision)
	p.tell(reasonNewSet, "Created ReplicaSet %s (revision %d)", name, revision)
	p.r.Status.set(p.condition(condProgressing, yes, reasonNewSet, fmt.Sprintf("Created new replica set %q", name)))
	return true
}

// newSet is the wanted version's replica set as a whole object.
func (p *pass) newSet(name string, revision int64) manifest.Object {
	template := p.r.Spec.Template.Copy()
	if p.repels() {
		p.r.repel(template)
	}
	template.SetLabel(HashLabel, p.hash)
	var selector manifest.Object
	if s, err := manifest.From(p.r.Spec.Selector); err == nil {
		selector = s
	}
	selector.Set(p.hash, "matchLabels", HashLabel)
	notes := p.r.copied()
	notes[RevisionAnnotation] = strconv.FormatInt(revision, 10)
	notes[DesiredAnnotation] = strconv.Itoa(int(p.r.Spec.replicas()))
	fresh, stable := p.r.Spec.metadata()
	give := stable // the first version becomes the stable one
	if p.stable != nil {
		give = fresh
	}
	labels := anys(manifest.Object(template).Labels())
	if mark(template, meta(give)) {
		notes[EphemeralMetadata] = text(give)
	}
	o := manifest.Object{
		"apiVersion": "apps/v1",
		"kind":       "ReplicaSet",
		"metadata": map[string]any{
			"name": name, "namespace": p.r.Object.Namespace(), "labels": labels,
			"annotations": anys(notes), "ownerReferences": []any{p.r.owner()},
		},
		"spec": map[string]any{
			"replicas": int64(0), "selector": map[string]any(selector), "template": map[string]any(template),
		},
	}
	if n := p.r.Spec.MinReadySeconds; n != 0 {
		o.Set(int64(n), "spec", "minReadySeconds")
	}
	return o
}

// repels reports whether the wanted version's pods are to keep away from the stable one's.
func (p *pass) repels() bool {
	return p.r.Spec.antiAffinity() != nil && p.r.Status.StableRS != "" && p.r.Status.StableRS != p.hash
}

func anys(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// notCopied are the annotations of a rollout that its replica sets do not get.
var notCopied = []string{
	"kubectl.kubernetes.io/last-applied-configuration", RevisionAnnotation, HistoryAnnotation, DesiredAnnotation,
	WorkloadAnnotation, "notified.notifications.argoproj.io",
}

func (r Rollout) copied() map[string]string {
	out := map[string]string{}
	maps.Copy(out, r.Object.Annotations())
	for _, k := range notCopied {
		delete(out, k)
	}
	return out
}

// setRevision notes the revision on the rollout.
func (p *pass) setRevision(n int64) {
	text := strconv.FormatInt(n, 10)
	if p.revision() == text {
		return
	}
	p.notes[RevisionAnnotation] = text
	p.tell(reasonUpdated, "Rollout updated to revision %s", text)
}

// revision is the rollout's revision as this decision leaves it.
func (p *pass) revision() string {
	if n, ok := p.notes[RevisionAnnotation]; ok {
		return n
	}
	return p.r.Object.Annotation(RevisionAnnotation)
}

func (p *pass) revisionNumber() int64 { return number(p.revision()) }

// syncRevision gives the wanted version's set the highest revision, the rollout's annotations, its minReadySeconds and
// its anti-affinity, and the rollout the set's revision.
func (p *pass) syncRevision() {
	s := p.fresh
	if !s.made {
		p.syncSet(s)
	}
	p.setRevision(s.revisionNumber())
	if p.r.Status.condition(condProgressing) == nil {
		p.r.Status.set(p.condition(condProgressing, yes, reasonFoundSet, fmt.Sprintf("Found new replica set %q", s.name)))
	}
}

func (p *pass) syncSet(s *set) {
	patch := manifest.Object{}
	note := func(k, v string) {
		if s.annotations[k] != v {
			patch.Set(v, "metadata", "annotations", k)
			s.annotations[k] = v
		}
	}
	for k, v := range p.r.copied() {
		note(k, v)
	}
	was, told := s.revision()
	if next := maxRevision(without(p.sets, s)) + 1; was < next {
		note(RevisionAnnotation, strconv.FormatInt(next, 10))
		if told {
			history := strconv.FormatInt(was, 10)
			if old := s.annotations[HistoryAnnotation]; old != "" {
				history = old + "," + history
			}
			note(HistoryAnnotation, history)
		}
	}
	if n := p.r.Spec.MinReadySeconds; int32(s.object.Int(0, "spec", "minReadySeconds")) != n {
		patch.Set(int64(n), "spec", "minReadySeconds")
	}
	template := s.object.Sub("spec", "template")
	if from := repelled(template); from != "" && p.r.Status.StableRS != p.hash && from != p.r.Status.StableRS && p.r.Spec.antiAffinity() != nil {
		t := bare(template)
		if p.repels() {
			p.r.repel(t)
		}
		patch.Set(map[string]any(t.Sub("spec", "affinity")), "spec", "template", "spec", "affinity")
	}
	if len(patch) > 0 {
		p.do(PatchReplicaSet{Name: s.name, Patch: patch})
	}
}

// forgetOldSets removes the oldest sets without pods beyond revisionHistoryLimit, and their runs and experiments with them.
func (p *pass) forgetOldSets() {
	var old []*set
	for _, s := range p.others {
		if !s.deleting {
			old = append(old, s)
		}
	}
	slices.SortFunc(old, oldestFirst)
	for i := range len(old) - int(p.r.Spec.history()) {
		s := old[i]
		observed := s.object.Int(0, "status", "observedGeneration")
		if s.pods != 0 || s.replicas != 0 || s.object.Int(0, "metadata", "generation") > observed {
			continue
		}
		p.do(DeleteReplicaSet{Name: s.name})
		s.deleting = true
		p.forgetRuns(s.hash)
	}
}
