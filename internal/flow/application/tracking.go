package application

import (
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

const labelLimit = 63

// Mark sets the tracking mark on an object that the application is to hold
// (https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/). namespace is the destination's, which the mark
// names where the object itself has none. A CustomResourceDefinition gets none, as in Argo CD: it is shared by nature and so
// never pruned.
func (t Tracking) Mark(o manifest.Object, namespace string) {
	if k := o.Kind(); k.Kind == "CustomResourceDefinition" && k.Group == "apiextensions.k8s.io" {
		return
	}
	if t.method() != "annotation" {
		o.SetLabel(t.label(), truncate(t.App))
	}
	if t.method() != "label" {
		o.SetAnnotation(AnnotationTracking, t.id(o, namespace))
		if t.Instance != "" {
			o.SetAnnotation(AnnotationInstallation, t.Instance)
		}
	}
}

// Owner is the application whose mark an object carries: its name, with its namespace before it ("ns_name") where that is
// not Argo's own; "" where it carries none, or one of another installation, or one that names another object (a copy).
func (t Tracking) Owner(o manifest.Object) string {
	if t.method() == "label" {
		return o.Text("metadata", "labels", t.label())
	}
	if o.Annotation(AnnotationInstallation) != t.Instance {
		return ""
	}
	return marked(o)
}

// Foreign is the application of another installation whose mark an object carries, "" where it carries none. Marks by label
// name no installation.
func (t Tracking) Foreign(o manifest.Object) string {
	if t.method() == "label" || o.Annotation(AnnotationInstallation) == t.Instance {
		return ""
	}
	return marked(o)
}

// marked is the application that an object's tracking annotation names, if it is about this object.
func marked(o manifest.Object) string {
	app, rest, ok := strings.Cut(o.Annotation(AnnotationTracking), ":")
	if !ok {
		return ""
	}
	kind, object, ok := strings.Cut(rest, ":")
	k, ns := o.Kind(), o.Namespace()
	namedIn, name, slash := strings.Cut(object, "/")
	if !ok || !slash || kind != k.Group+"/"+k.Kind || name != o.Name() || ns != "" && namedIn != ns {
		return ""
	}
	return app
}

// Holds reports whether an object carries this application's mark.
func (t Tracking) Holds(o manifest.Object) bool {
	owner := t.Owner(o)
	if t.method() == "label" {
		return owner != "" && owner == truncate(t.App)
	}
	return owner != "" && owner == t.App
}

func (t Tracking) id(o manifest.Object, namespace string) string {
	if ns := o.Namespace(); ns != "" {
		namespace = ns
	}
	k := o.Kind()
	return fmt.Sprintf("%s:%s/%s:%s/%s", t.App, k.Group, k.Kind, namespace, o.Name())
}

func (t Tracking) method() string {
	if t.Method == "" {
		return "annotation"
	}
	return t.Method
}

func (t Tracking) label() string {
	if t.Label == "" {
		return LabelInstance
	}
	return t.Label
}

func truncate(name string) string {
	if len(name) > labelLimit {
		return strings.TrimRight(name[:labelLimit], "-_.")
	}
	return name
}
