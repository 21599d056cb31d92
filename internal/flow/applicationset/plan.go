package applicationset

import (
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/application/diff"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The policies of syncPolicy.applicationsSync and of the controller.
const (
	PolicySync         = "sync"
	PolicyCreateOnly   = "create-only"
	PolicyCreateUpdate = "create-update"
	PolicyCreateDelete = "create-delete"
)

// Policy is what the controller lets ApplicationSets do (documentation page "Controlling Resource Modification").
type Policy struct {
	Sync     string // one of the policies; "" is sync
	Override bool   // a set's own policy counts
	// Annotations and Labels are those of Applications that are left as they are, beside those that a set names.
	Annotations, Labels []string
}

// Of is the policy that counts for a set.
func (p Policy) Of(s Set) string {
	if p.Override && s.Spec.SyncPolicy != nil && s.Spec.SyncPolicy.ApplicationsSync != "" {
		return s.Spec.SyncPolicy.ApplicationsSync
	}
	if p.Sync == "" {
		return PolicySync
	}
	return p.Sync
}

// MayUpdate reports whether Applications that are there may be changed.
func (p Policy) MayUpdate(s Set) bool {
	return slices.Contains([]string{PolicySync, PolicyCreateUpdate}, p.Of(s))
}

// MayDelete reports whether Applications that are not generated any more may be deleted.
func (p Policy) MayDelete(s Set) bool {
	return slices.Contains([]string{PolicySync, PolicyCreateDelete}, p.Of(s))
}

// Wrong is an Application that cannot be.
type Wrong struct {
	Name string
	Err  error
}

// Check tells which of the generated Applications cannot be: a name twice, a name that is none, and what of is says of its
// project and destination. They are neither made nor changed; the others are. The list is by name.
func Check(s Set, desired []manifest.Object, of func(manifest.Object) error) []Wrong {
	var out []Wrong
	seen := map[string]bool{}
	wrong := map[string]bool{}
	tell := func(name string, err error) {
		if !wrong[name] {
			wrong[name] = true
			out = append(out, Wrong{name, err})
		}
	}
	for _, o := range desired {
		name := o.Name()
		if seen[name] {
			tell(name, fmt.Errorf("ApplicationSet %s contains applications with duplicate name: %s", s.Object.Name(), name))
			continue
		}
		seen[name] = true
		if bad := validation.IsDNS1123Subdomain(name); len(bad) > 0 {
			tell(name, fmt.Errorf("ApplicationSet %s makes an application whose name %q is none: %s", s.Object.Name(), name, bad[0]))
			continue
		}
		if of == nil {
			continue
		}
		if err := of(o); err != nil {
			tell(name, err)
		}
	}
	slices.SortFunc(out, func(a, b Wrong) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Planned is what is to be done to the Applications of a set, each list by name.
type Planned struct {
	Create []manifest.Object
	Update []Update
	Delete []manifest.Object // as they are now
	// Refused are Applications that belong to another: the first of them is the error of the set.
	Refused []Wrong
}

// Update is a merge patch of an Application that is there.
type Update struct {
	Object manifest.Object // as it is now
	Patch  manifest.Object
}

// kept are annotations of Applications that are never touched, globs: what others keep there (documentation page
// "Controlling Resource Modification", preserving changes).
var kept = []string{"notified.notifications.argoproj.io", "argocd.argoproj.io/refresh", "argocd.argoproj.io/hydrate"}

// Plan compares the Applications of the set's namespace with those that are wanted. valid are those of the wanted that may be
// written; what is wanted and not valid is left as it is. An object of Roll may hold an operation, which is then begun.
func Plan(s Set, existing, wanted, valid []manifest.Object, p Policy) (Planned, error) {
	rules := ignoring(s)
	byName := map[string]manifest.Object{}
	for _, o := range existing {
		byName[o.Name()] = o
	}
	var out Planned
	sorted := slices.Clone(valid)
	manifest.Sort(sorted)
	for _, d := range sorted {
		o := byName[d.Name()]
		if o == nil {
			d = d.Copy()
			own(d, s)
			out.Create = append(out.Create, d)
			continue
		}
		if owner, ok := o.Controller(); ok && !ours(owner, s) {
			//lint:ignore ST1005 Argo CD's words
			out.Refused = append(out.Refused, Wrong{d.Name(), fmt.Errorf("Object %s/%s is already owned by another %s controller %s", o.Namespace(), o.Name(), owner.Kind, owner.Name)})
			continue
		}
		if !p.MayUpdate(s) && Owns(s, o) {
			continue
		}
		patch, err := update(s, o, d, rules(d.Name()), p)
		if err != nil {
			return out, err
		}
		if len(patch) > 0 {
			out.Update = append(out.Update, Update{o, patch})
		}
	}
	if !p.MayDelete(s) {
		return out, nil
	}
	for _, o := range existing {
		if Owns(s, o) && !slices.ContainsFunc(wanted, func(d manifest.Object) bool { return d.Name() == o.Name() }) {
			out.Delete = append(out.Delete, o)
		}
	}
	manifest.Sort(out.Delete)
	return out, nil
}

// Owns reports whether an Application belongs to a set: it is its controller.
func Owns(s Set, o manifest.Object) bool {
	owner, ok := o.Controller()
	return ok && ours(owner, s) && o.Namespace() == s.Object.Namespace()
}

func ours(w manifest.Owner, s Set) bool {
	return w.Kind == "ApplicationSet" && w.Name == s.Object.Name() && strings.HasPrefix(w.APIVersion, "argoproj.io/")
}

// own makes the set the controller of an Application.
func own(o manifest.Object, s Set) {
	var list []any
	for _, e := range o.List("metadata", "ownerReferences") {
		m, _ := e.(map[string]any)
		if m["kind"] != "ApplicationSet" || m["name"] != s.Object.Name() {
			list = append(list, e)
		}
	}
	list = append(list, map[string]any{
		"apiVersion": applicationKind.APIVersion(), "kind": "ApplicationSet", "name": s.Object.Name(), "uid": s.Object.UID(),
		"controller": true, "blockOwnerDeletion": true,
	})
	o.Set(list, "metadata", "ownerReferences")
}

// update is the merge patch that makes an Application as it is wanted.
func update(s Set, o, want manifest.Object, rules diff.Rules, p Policy) (manifest.Object, error) {
	live, next := significant(o), significant(want)
	preserve(s, o, next, p)
	next.Set(o.List("metadata", "ownerReferences"), "metadata", "ownerReferences")
	next = next.Copy()
	own(next, s)
	if next["operation"] == nil {
		delete(live, "operation")
	}
	normal(live)
	x, problems := rules.Without(live)
	y, more := rules.Without(next)
	if err := unreadable(append(problems, more...)); err != nil {
		return nil, fault.New(CodeTemplate, "failed to build ignore diff config: %v", err)
	}
	// A rule may not take away what names the object.
	y = y.Copy()
	for _, path := range [][]string{{"metadata", "ownerReferences"}, {"operation"}} {
		if v, ok := next.At(path...); ok {
			y.Set(v, path...)
		}
	}
	a, b := set(x), set(y)
	for side, from := range map[*map[string]any]manifest.Object{&a: x, &b: y} { // of an operation, sync: {} is something
		if op, ok := from["operation"]; ok {
			(*side)["operation"] = op
		}
	}
	if reflect.DeepEqual(a, b) {
		return nil, nil
	}
	patch := manifest.Merge(a, b)
	delete(patch, "apiVersion")
	delete(patch, "kind")
	return patch, nil
}

// significant is a copy of the part of an Application that a set writes.
func significant(o manifest.Object) manifest.Object {
	out := manifest.Object{"spec": map[string]any(o.Sub("spec").Copy())}
	for _, field := range []string{"labels", "annotations", "finalizers", "ownerReferences"} {
		if v, ok := o.At("metadata", field); ok {
			out.Set(v, "metadata", field)
		}
	}
	if op := o.Sub("operation"); op != nil {
		out["operation"] = map[string]any(op)
	}
	out["apiVersion"], out["kind"] = o["apiVersion"], o["kind"]
	return out.Copy()
}

// preserve takes over from a live Application what the set leaves to others.
func preserve(s Set, o, next manifest.Object, p Policy) {
	notes, labels := slices.Concat(p.Annotations, kept), slices.Clone(p.Labels)
	if f := s.Spec.PreservedFields; f != nil {
		notes, labels = append(notes, f.Annotations...), append(labels, f.Labels...)
	}
	for k, v := range o.Annotations() {
		if slices.Contains(notes, k) {
			next.SetAnnotation(k, v)
		}
	}
	for k, v := range o.Labels() {
		if slices.Contains(labels, k) {
			next.SetLabel(k, v)
		}
	}
	list := slices.Clone(next.List("metadata", "finalizers"))
	for _, f := range o.List("metadata", "finalizers") {
		text, _ := f.(string)
		hook := strings.HasPrefix(text, application.PreDeleteFinalizer) || strings.HasPrefix(text, application.PostDeleteFinalizer)
		if hook && !slices.Contains(list, f) {
			list = append(list, f)
		}
	}
	if len(list) > 0 {
		next.Set(list, "metadata", "finalizers")
	}
}

// ignoring are the rules of ignoreApplicationDifferences for an Application's name, which a rule may give as a glob.
func ignoring(s Set) func(name string) diff.Rules {
	return func(name string) diff.Rules {
		var list []diff.Rule
		for _, i := range s.Spec.IgnoreApplicationDifferences {
			if ok, err := path.Match(i.Name, name); i.Name == "" || i.Name == name || ok && err == nil {
				list = append(list, diff.Rule{Pointers: i.JSONPointers, JQ: i.JQPathExpressions, Why: "ignoreApplicationDifferences"})
			}
		}
		return diff.Prepare(list)
	}
}

// Differs reports whether an Application's spec is not as wanted, after what the set ignores.
func Differs(s Set, o, want manifest.Object) (bool, error) {
	rules := ignoring(s)(want.Name())
	x, y := manifest.Object{"spec": map[string]any(o.Sub("spec").Copy())}, manifest.Object{"spec": map[string]any(want.Sub("spec").Copy())}
	normal(x)
	normal(y)
	a, bad := rules.Without(x)
	b, worse := rules.Without(y)
	if err := unreadable(append(bad, worse...)); err != nil {
		return false, err
	}
	return !reflect.DeepEqual(set(a), set(b)), nil
}

// unreadable is the first problem that is the rule's own and not that it finds nothing in this Application.
func unreadable(problems []string) error {
	for _, p := range problems {
		if !strings.HasSuffix(p, "it does not fit the object") {
			return errors.New(p)
		}
	}
	return nil
}
