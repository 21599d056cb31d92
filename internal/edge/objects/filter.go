package objects

import (
	"fmt"
	"strings"

	fieldselect "k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// filter is what a list or a watch asks for.
type filter struct {
	namespace string
	label     labels.Selector
	field     fieldselect.Selector
}

func newFilter(namespace, label, field string) (filter, error) {
	f := filter{namespace: namespace}
	var err error
	if f.label, err = labels.Parse(label); err != nil {
		return f, badRequest("unable to parse requirement: %v", err)
	}
	if f.field, err = fieldselect.ParseSelector(field); err != nil {
		return f, badRequest("unable to parse field selector: %v", err)
	}
	return f, nil
}

func (f filter) match(o manifest.Object) bool {
	if o == nil || f.namespace != "" && o.Namespace() != f.namespace {
		return false
	}
	return (f.label == nil || f.label.Empty() || f.label.Matches(labels.Set(o.Labels()))) && (f.field == nil || f.field.Empty() || f.field.Matches(fieldSet(o)))
}

// fieldSet reads any field by its dotted path. The API server knows a few for each kind; here each one may be asked for.
type fieldSet manifest.Object

func (s fieldSet) Has(path string) bool {
	_, ok := manifest.Object(s).At(strings.Split(path, ".")...)
	return ok
}

func (s fieldSet) Get(path string) string {
	v, _ := manifest.Object(s).At(strings.Split(path, ".")...)
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}
