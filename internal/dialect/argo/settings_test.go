package argo_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/dialect/argo"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func TestReadSettings(t *testing.T) {
	for _, c := range []struct {
		name, data string
		want       string   // the JSON of what is not as by default
		faults     []string // parts of them, in their order
	}{
		{"nothing", "{}", `{}`, nil},
		{"what is for Argo CD's server", `{url: "https://a", users.anonymous.enabled: "true", dex.config: "x: [", ui.cssurl: "./x"}`, `{}`, nil},
		{
			"tracking", `{application.resourceTrackingMethod: annotation+label, application.instanceLabelKey: my/app, installationID: two}`,
			`{"Method":"annotation+label","Label":"my/app","Installation":"two"}`, nil,
		},
		{"tracking that is none", `{application.resourceTrackingMethod: labels}`, `{}`, []string{`"labels" is no way of tracking`}},
		{"spans", `{timeout.reconciliation: 90s, timeout.reconciliation.jitter: "0"}`, `{"Interval":90000000000,"Jitter":0}`, nil},
		{"a span that is none", `{timeout.reconciliation: often}`, `{}`, []string{`"often" is no duration`}},
		{"the cluster itself", `{cluster.inClusterEnabled: "false"}`, `{"NoInCluster":true}`, nil},
		{"kinds of sources", `{kustomize.enable: "false", helm.enable: "true", jsonnet.enable: "false"}`, `{"Off":["Jsonnet","Kustomize"]}`, nil},
		{
			"one customization of a kind", `{resource.customizations.ignoreDifferences.apps_Deployment: "jsonPointers: [/spec/replicas]\nmanagedFieldsManagers: [hpa]"}`,
			`{"Comparison":{"IgnoreDifferences":[{"group":"apps","kind":"Deployment","jsonPointers":["/spec/replicas"],"managedFieldsManagers":["hpa"]}]}}`, nil,
		},
		{
			"of a kind of the core", `{resource.customizations.ignoreDifferences.ConfigMap: "jqPathExpressions: [.data]"}`,
			`{"Comparison":{"IgnoreDifferences":[{"kind":"ConfigMap","jqPathExpressions":[".data"]}]}}`, nil,
		},
		{
			"of all kinds", `{resource.customizations.ignoreDifferences.all: "jsonPointers: [/status]"}`,
			`{"Comparison":{"IgnoreDifferences":[{"group":"*","kind":"*","jsonPointers":["/status"]}]}}`, nil,
		},
		{
			"types", `{resource.customizations.knownTypeFields.argoproj.io_Dummy: "- {field: spec, type: core/v1/ResourceList}"}`,
			`{"Comparison":{"KnownTypes":[{"Group":"argoproj.io","Kind":"Dummy","Field":"spec","Type":"core/v1/ResourceList"}]}}`, nil,
		},
		{
			"all customizations in one", `{resource.customizations: "admission/Hook:\n  ignoreDifferences: |\n    jsonPointers: [/a]\nConfigMap:\n  knownTypeFields: [{field: f, type: t}]\n  health.lua: return {}\n"}`,
			`{"Comparison":{"IgnoreDifferences":[{"group":"admission","kind":"Hook","jsonPointers":["/a"]}],"KnownTypes":[{"Kind":"ConfigMap","Field":"f","Type":"t"}]}}`, nil,
		},
		{"what cannot be read", `{resource.customizations: "[", resource.exclusions: "a: b"}`, `{}`, []string{"resource.customizations", "resource.exclusions"}},
		{
			"exclusions", `{resource.exclusions: "- {apiGroups: [x], kinds: [Snap], clusters: ['*']}", resource.inclusions: "- kinds: ['*']"}`,
			`{"Comparison":{"ResourceExclusions":[{"apiGroups":["x"],"kinds":["Snap"],"clusters":["*"]}],"ResourceInclusions":[{"kinds":["*"]}]}}`, nil,
		},
		{
			"comparisons", `{resource.compareoptions: "ignoreAggregatedRoles: true\nignoreResourceStatusField: crd", resource.sensitive.mask.annotations: "a, b"}`,
			`{"Comparison":{"IgnoreAggregatedRoles":true,"IgnoreResourceStatus":"crd","MaskedAnnotations":["a","b"]}}`, nil,
		},
		{"comparisons that are none", `{resource.compareoptions: "ignoreResourceStatusField: some"}`, `{}`, []string{`"some" is none of`}},
		{"kustomize without its bound", `{kustomize.buildOptions: "--load-restrictor LoadRestrictionsNone"}`, `{"Unbound":true}`, nil},
		{"kustomize without its bound, with =", `{kustomize.buildOptions: "--load_restrictor=none"}`, `{"Unbound":true}`, nil},
		{"flags of kustomize", `{kustomize.buildOptions: "--enable-helm --helm-command /bin/helm"}`, `{}`, []string{"--enable-helm has no effect", "--helm-command has no effect"}},
		{"versions of kustomize", `{kustomize.path.v3.9.1: /k}`, `{}`, []string{"other versions of kustomize"}},
		{
			"global projects", `{globalProjects: "- labelSelector:\n    matchExpressions: [{key: opt, operator: In, values: [me]}]\n  projectName: all"}`,
			`{"Globals":[{"projectName":"all","labelSelector":{"matchExpressions":[{"key":"opt","operator":"In","values":["me"]}]}}]}`, nil,
		},
		{"impersonation", `{application.sync.impersonation.enabled: "true"}`, `{"Impersonate":true}`, nil},
		{"impersonation where there is an account", `{application.sync.impersonation.enabled: "true", application.sync.impersonation.enforced: "false"}`, `{"Impersonate":true,"Lenient":true}`, nil},
	} {
		var data map[string]string
		if err := yaml.Unmarshal([]byte(c.data), &data); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		got, faults := argo.ReadSettings("argocd-cm", data)
		var want map[string]any
		if err := json.Unmarshal([]byte(c.want), &want); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		text, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		var is map[string]any
		if err := json.Unmarshal(text, &is); err != nil {
			t.Fatal(err)
		}
		if drop(is); !reflect.DeepEqual(is, want) {
			t.Errorf("%s:\n%v\nwant\n%v", c.name, is, want)
		}
		for i, f := range faults {
			if i >= len(c.faults) || !strings.Contains(f.Message+f.Place.String(), c.faults[i]) {
				t.Errorf("%s: told %s", c.name, f)
			}
		}
		if len(faults) != len(c.faults) {
			t.Errorf("%s: %d faults, %d wanted", c.name, len(faults), len(c.faults))
		}
	}
}

// drop takes away what is empty.
func drop(m map[string]any) {
	for k, v := range m {
		if inner, ok := v.(map[string]any); ok {
			drop(inner)
			if len(inner) == 0 {
				delete(m, k)
			}
			continue
		}
		if l, ok := v.([]any); ok {
			for _, e := range l {
				if inner, ok := e.(map[string]any); ok {
					drop(inner)
				}
			}
		}
		if v == nil || v == "" || v == false {
			delete(m, k)
		}
	}
}

// TestReadSettingsOfArgo reads the ConfigMap that Argo CD's documentation shows: all of it is known.
func TestReadSettingsOfArgo(t *testing.T) {
	module, err := filepath.Glob(filepath.Join(goModCache(t), "github.com/argoproj/argo-cd/v3@*/docs/operator-manual/argocd-cm.yaml"))
	if err != nil || len(module) == 0 {
		t.Skip("the module of Argo CD is not in the module cache: go mod download github.com/argoproj/argo-cd/v3")
	}
	text, err := os.ReadFile(module[0])
	if err != nil {
		t.Fatal(err)
	}
	var cm struct{ Data map[string]string }
	if err := yaml.Unmarshal(text, &cm); err != nil {
		t.Fatal(err)
	}
	got, faults := argo.ReadSettings("argocd-cm", cm.Data)
	for _, f := range faults {
		if f.Severity == fault.Error {
			t.Errorf("%s", f)
		}
	}
	if !got.Unbound || got.Label != "mycompany.com/appname" || got.Installation != "my-unique-id" || got.Interval == nil || *got.Interval != 2*time.Minute ||
		len(got.Comparison.IgnoreDifferences) != 2 || len(got.Comparison.ResourceExclusions) != 1 {
		t.Errorf("%+v", got)
	}
}

// FuzzReadSettings holds that no text of a setting makes reading fail otherwise than by a fault.
func FuzzReadSettings(f *testing.F) {
	f.Add("resource.customizations", "a/b: {ignoreDifferences: 'jsonPointers: [/x]'}")
	f.Add("resource.customizations.ignoreDifferences.apps_Deployment", "jsonPointers: 3")
	f.Add("kustomize.buildOptions", "--load-restrictor")
	f.Fuzz(func(_ *testing.T, key, text string) {
		argo.ReadSettings("argocd-cm", map[string]string{key: text})
	})
}

func goModCache(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
