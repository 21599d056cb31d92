package lua_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/dialect/argo/lua"
	"github.com/sluice-delivery/sluice/internal/flow/health"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// settings are of the forms that Argo CD's pages on health and on actions show.
var settings = map[string]string{
	"resource.customizations": `
"*.aws.crossplane.io/*":
  health.lua: |
    return {status = "Degraded", message = "wildcard"}
argoproj.io/Rollout:
  health.lua: |
    return {status = "Suspended", message = obj.kind}
  actions: |
    mergeBuiltinActions: true
    discovery.lua: |
      actions = {}
      actions["do-things"] = {}
      actions["abort"] = {["disabled"] = true, ["displayName"] = "mine"}
      return actions
    definitions:
    - name: do-things
      action.lua: |
        obj.metadata.labels = {done = "yes"}
        return obj
`,
	"resource.customizations.health.ConfigMap":                        `return {status = "Healthy", message = "core"}`,
	"resource.customizations.health.cert-manager.io_Certificate":      `return {status = "Healthy", message = "mine"}`,
	"resource.customizations.useOpenLibs.cert-manager.io_Certificate": `true`,
	"resource.customizations.actions.batch_CronJob": `
discovery.lua: |
  actions = {}
  actions["suspend"] = {["disabled"] = obj.spec.suspend}
  return actions
definitions:
- name: suspend
  action.lua: |
    obj.spec.suspend = true
    return obj
`,
	"resource.customizations.health.x.io_Broken":           "return {",
	"resource.customizations.actions.x.io_Broken":          "{",
	"resource.customizations.ignoreDifferences.x.io_Other": "jsonPointers: [/spec]",
	"admin.enabled": "true",
}

func TestConfig(t *testing.T) {
	s, found := lua.Shipped().OverConfig("argocd-cm", settings)
	var got []string
	for _, f := range found {
		line, _, _ := strings.Cut(f.Error(), ": error converting")
		got = append(got, line)
	}
	want := []string{
		"argocd-cm resource.customizations.actions.x.io_Broken: the actions cannot be read",
		"argocd-cm resource.customizations.health.x.io_Broken: the script is no Lua: syntax error at the end, line 1 [SL5591] - it is left out; scripts are Lua 5.1",
		"argocd-cm resource.customizations.useOpenLibs.cert-manager.io_Certificate: warning: useOpenLibs opens nothing more here [SL5590] - string, table, math, os.time and os.date are always there; io, debug and the rest of os never",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	c := lua.NewChecker(s, inProcess, func() time.Time { return now })
	objects := []manifest.Object{
		object("v1", "ConfigMap"), object("cert-manager.io/v1", "Certificate"), object("argoproj.io/v1alpha1", "Rollout"),
		object("ec2.aws.crossplane.io/v1", "Instance"), object("x.io/v1", "Broken"),
	}
	assessed, err := c.Assess(t.Context(), objects)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []health.Result{
		{Status: health.Healthy, Message: "core"},
		{Status: health.Healthy, Message: "mine"},
		{Status: health.Suspended, Message: "Rollout"},
		{Status: health.Degraded, Message: "wildcard"},
		{},
	} {
		if assessed[n].Result != want {
			t.Errorf("%s: %+v, want %+v", objects[n].Key(), assessed[n].Result, want)
		}
	}
	rollout := objects[2]
	rollout["spec"], rollout["status"] = map[string]any{"strategy": map[string]any{"canary": map[string]any{}}}, map[string]any{}
	actions, err := c.Discover(t.Context(), rollout)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]lua.Action{}
	for _, a := range actions {
		names[a.Name] = a
	}
	if names["abort"].DisplayName != "mine" || names["do-things"].Name == "" || names["restart"].Name == "" {
		t.Errorf("own and shipped actions are not merged: %+v", actions)
	}
	if impacts, err := c.Act(t.Context(), rollout, "do-things", nil); err != nil || impacts[0].Object.Labels()["done"] != "yes" {
		t.Error(impacts, err)
	}
	cron := object("batch/v1", "CronJob")
	cron["spec"] = map[string]any{"suspend": false}
	if actions, err := c.Discover(t.Context(), cron); err != nil || len(actions) != 1 || actions[0].Name != "suspend" || actions[0].Disabled {
		t.Error("the settings' actions come instead of the shipped ones:", actions, err)
	}
	if _, err := c.Act(t.Context(), cron, "create-job", nil); err == nil {
		t.Error("a CronJob without a template made a job")
	}
}
