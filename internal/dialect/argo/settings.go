package argo

import (
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Settings are what Argo CD's ConfigMap argocd-cm says to whoever reconciles Applications (documentation page "argocd-cm.yaml
// example"). What it says of Argo CD's own server and pages is passed over.
type Settings struct {
	Comparison   application.Settings
	Method       string         // application.resourceTrackingMethod; "" where it is not told
	Label        string         // application.instanceLabelKey
	Installation string         // installationID
	Interval     *time.Duration // timeout.reconciliation; 0 is never
	Jitter       *time.Duration // timeout.reconciliation.jitter
	NoInCluster  bool           // cluster.inClusterEnabled is false
	Off          []string       // the kinds of sources that are not rendered as such: Helm, Kustomize, Jsonnet
	Unbound      bool           // kustomize may read what is outside of a kustomization's folder, inside of the repository
	Globals      []Global
	Impersonate  bool // application.sync.impersonation.enabled
	Lenient      bool // application.sync.impersonation.enforced is false: what has no account is synced as the controller
}

// Global is a project whose lists are added to those of all that the selector takes (documentation page "Projects").
type Global struct {
	Project  string               `json:"projectName"`
	Selector metav1.LabelSelector `json:"labelSelector"`
}

const customizations = "resource.customizations"

// ReadSettings reads the data of argocd-cm; name is what it is called in faults. What cannot be read is told and left out.
// Scripts for health and actions are dialect/argo/lua's to read.
func ReadSettings(name string, data map[string]string) (Settings, fault.Faults) {
	r := settings{name: name, data: data}
	out := &r.out
	r.whole()
	for _, key := range slices.Sorted(maps.Keys(data)) {
		r.split(key)
	}
	out.Method, out.Label, out.Installation = r.method(), r.text("application.instanceLabelKey"), r.text("installationID")
	out.Interval, out.Jitter = r.span("timeout.reconciliation"), r.span("timeout.reconciliation.jitter")
	out.NoInCluster = r.no("cluster.inClusterEnabled")
	out.Impersonate = strings.EqualFold(r.text("application.sync.impersonation.enabled"), "true")
	out.Lenient = strings.EqualFold(r.text("application.sync.impersonation.enforced"), "false")
	for _, kind := range []string{"Helm", "Jsonnet", "Kustomize"} {
		if r.no(strings.ToLower(kind) + ".enable") {
			out.Off = append(out.Off, kind)
		}
	}
	r.yaml("resource.exclusions", data["resource.exclusions"], &out.Comparison.ResourceExclusions)
	r.yaml("resource.inclusions", data["resource.inclusions"], &out.Comparison.ResourceInclusions)
	r.yaml("globalProjects", data["globalProjects"], &out.Globals)
	out.Comparison.MaskedAnnotations = list(data["resource.sensitive.mask.annotations"])
	r.compareOptions()
	r.buildOptions()
	r.unsupported()
	return r.out, r.faults.Sorted()
}

// settings is a ConfigMap that is read.
type settings struct {
	name   string
	data   map[string]string
	out    Settings
	faults fault.List
}

func (r *settings) fault(code, key, format string, args ...any) *fault.Fault {
	f := fault.At(code, fault.Place{File: r.name + " " + key}, format, args...)
	r.faults.Add(f)
	return f
}

func (r *settings) text(key string) string { return strings.TrimSpace(r.data[key]) }

func (r *settings) no(key string) bool { return r.text(key) == "false" }

func (r *settings) yaml(key, text string, into any) {
	if err := yaml.Unmarshal([]byte(text), into); err != nil {
		r.fault(CodeType, key, "the setting cannot be read: %v", err)
	}
}

func list(text string) []string {
	var out []string
	for _, w := range strings.Split(text, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// span is a Go duration.
func (r *settings) span(key string) *time.Duration {
	text := r.text(key)
	if text == "" {
		return nil
	}
	if text == "0" {
		text = "0s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		r.fault(CodeType, key, "%q is no duration", text).WithHint("write 120s or 2m; 0 turns it off")
		return nil
	}
	return &d
}

func (r *settings) method() string {
	const key = "application.resourceTrackingMethod"
	text := r.text(key)
	switch text {
	case "", "annotation", "label", "annotation+label":
		return text
	}
	r.fault(CodeInvalid, key, "%q is no way of tracking", text).WithHint("it is annotation, label or annotation+label; annotation is taken")
	return ""
}

// ignored is what a customization leaves out of comparisons.
type ignored struct {
	JSONPointers          []string `json:"jsonPointers"`
	JQPathExpressions     []string `json:"jqPathExpressions"`
	ManagedFieldsManagers []string `json:"managedFieldsManagers"`
}

// known is a field of a custom kind that has a type of Kubernetes' own.
type known struct {
	Field string `json:"field"`
	Type  string `json:"type"`
}

// whole reads the key that holds customizations of all kinds, by group/kind.
func (r *settings) whole() {
	var all map[string]struct {
		Ignore string  `json:"ignoreDifferences"`
		Known  []known `json:"knownTypeFields"`
	}
	r.yaml(customizations, r.data[customizations], &all)
	for _, of := range slices.Sorted(maps.Keys(all)) {
		group, kind, both := strings.Cut(of, "/")
		if !both {
			group, kind = "", of
		}
		if all[of].Ignore != "" {
			r.ignore(customizations+" "+of, group, kind, all[of].Ignore)
		}
		r.types(group, kind, all[of].Known)
	}
}

// split reads a key that holds one customization of one kind: resource.customizations.WHAT.GROUP_KIND.
func (r *settings) split(key string) {
	rest, ok := strings.CutPrefix(key, customizations+".")
	what, of, both := strings.Cut(rest, ".")
	if !ok || !both {
		return
	}
	group, kind, both := strings.Cut(of, "_")
	switch {
	case of == "all":
		group, kind = "*", "*"
	case !both:
		group, kind = "", of
	}
	switch what {
	case "ignoreDifferences":
		r.ignore(key, group, kind, r.data[key])
	case "knownTypeFields":
		var fields []known
		r.yaml(key, r.data[key], &fields)
		r.types(group, kind, fields)
	}
}

func (r *settings) ignore(key, group, kind, text string) {
	var i ignored
	r.yaml(key, text, &i)
	if len(i.JSONPointers)+len(i.JQPathExpressions)+len(i.ManagedFieldsManagers) == 0 {
		return
	}
	r.out.Comparison.IgnoreDifferences = append(r.out.Comparison.IgnoreDifferences, application.Ignore{
		Group: group, Kind: kind, JSONPointers: i.JSONPointers, JQPathExpressions: i.JQPathExpressions, ManagedFieldsManagers: i.ManagedFieldsManagers,
	})
}

func (r *settings) types(group, kind string, fields []known) {
	for _, f := range fields {
		r.out.Comparison.KnownTypes = append(r.out.Comparison.KnownTypes, application.KnownType{Group: group, Kind: kind, Field: f.Field, Type: f.Type})
	}
}

func (r *settings) compareOptions() {
	const key = "resource.compareoptions"
	var o struct {
		Aggregated bool   `json:"ignoreAggregatedRoles"`
		Status     string `json:"ignoreResourceStatusField"`
	}
	r.yaml(key, r.data[key], &o)
	switch o.Status {
	case "", "all", "crd", "none", "off", "false":
	default:
		r.fault(CodeInvalid, key, "ignoreResourceStatusField: %q is none of crd, all and none", o.Status)
		o.Status = ""
	}
	if o.Status == "off" || o.Status == "false" {
		o.Status = "none"
	}
	r.out.Comparison.IgnoreAggregatedRoles, r.out.Comparison.IgnoreResourceStatus = o.Aggregated, o.Status
}

// buildOptions reads the flags of `kustomize build` that mean something here.
func (r *settings) buildOptions() {
	const key = "kustomize.buildOptions"
	words := strings.Fields(strings.ReplaceAll(r.data[key], "=", " "))
	for i := 0; i < len(words); i++ {
		switch flag := strings.ReplaceAll(words[i], "_", "-"); flag {
		case "--load-restrictor":
			i++
			r.out.Unbound = i < len(words) && strings.Contains(strings.ToLower(words[i]), "none")
		default:
			r.fault(CodeNoted, key, "%s has no effect here", words[i]).WithSeverity(fault.Warning).
				WithHint("kustomize runs as a library without plugins; of its flags --load-restrictor is honoured")
			if i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
				i++
			}
		}
	}
}

// unsupported tells of settings that would change what is done and do not here.
func (r *settings) unsupported() {
	for _, key := range slices.Sorted(maps.Keys(r.data)) {
		if strings.HasPrefix(key, "kustomize.path.") || strings.HasPrefix(key, "kustomize.version.") {
			r.fault(CodeNoted, key, "other versions of kustomize are not run here").WithSeverity(fault.Warning)
		}
	}
	if r.text("configManagementPlugins") != "" {
		r.fault(CodeRefused, "configManagementPlugins", "config management plugins do not run here").WithSeverity(fault.Warning)
	}
}
