package lua_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/dialect/argo/lua"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/health"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func object(apiVersion, kind string) manifest.Object {
	return manifest.Object{"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": "a", "namespace": "b"}}
}

// run is a health check of a Deployment.
func run(t *testing.T, script string) (health.Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return lua.NewInterpreter().Health(ctx, now, script, object("apps/v1", "Deployment"))
}

func TestHealthScripts(t *testing.T) {
	const healthy = "Healthy"
	for _, test := range []struct{ name, script, want string }{
		{"the page's form", `hs = {} hs.status = "Degraded" hs.message = "m" return hs`, "Degraded m"},
		{"no message", `return {status = "Healthy"}`, healthy},
		{"nothing", ``, ""},
		{"nil", `return nil`, ""},
		{"an empty table", `return {}`, ""},
		{"a list", `return {"Healthy"}`, ""},
		{"a message that is no text", `return {status = "Degraded", message = 3}`, ""},
		{"no such status", `return {status = "Fine"}`, "Unknown Lua returned an invalid health status"},
		{"no status", `return {message = "m"}`, "Unknown Lua returned an invalid health status"},
		{"the last of several", `return {status = "Healthy"}, {status = "Degraded"}`, "Degraded"},
		{"a text", `return "Healthy"`, "error expect table output from Lua script, not string"},
		{"a number", `return 3`, "error expect table output from Lua script, not number"},
		{"a mistake", `return obj.spec.replicas`, "error <string>:1: attempt to index a non-table object(nil) with key 'replicas'"},
		{"an error", `error("broken")`, "error <string>:1: broken"},
		{"an error without place", `error("broken", 0)`, "error broken"},
		{"no Lua", `return {`, "error <string> at EOF:   syntax error"},
		{"no Lua in the middle", `return } x`, "error <string> line:1(column:8) near '}':   syntax error"},
		{"the object", `return {status = "Healthy", message = obj.kind .. " " .. obj.metadata.name}`, "Healthy Deployment a"},
		{"a table in itself", `t = {status = "Healthy"} t.t = t return t`, "error cannot encode recursively nested tables to JSON"},
		{"a table twice", `a = {} return {status = "Healthy", x = a, y = a}`, healthy},
		{"a function", `return {status = "Healthy", f = print}`, "error cannot encode function to JSON"},
		{"keys of two types", `return {status = "Healthy", 1}`, "error cannot encode mixed or invalid key types"},
		{"a list with a hole", `return {status = "Healthy", l = {[1] = 1, [3] = 3}}`, "error cannot encode sparse array"},
		{"no number", `return {status = "Healthy", n = 0/0}`, "error cannot encode NaN to JSON"},
		{"an endless message", `return {status = "Healthy", message = string.rep("ä", 1e6)}`, healthy + " " + strings.Repeat("ä", 8<<10) + "…"},
		{"time", `return {status = "Healthy", message = os.time() .. " " .. os.date("%Y-%m-%dT%H:%M:%SZ")}`, "Healthy 1772368205 2026-03-01T12:30:05Z"},
		{"time of a table", `return {status = "Healthy", message = tostring(os.time({year = 2026, month = 3, day = 1}))}`, "Healthy 1772366400"},
		{"date of a time", `local os = require("os") return {status = "Healthy", message = os.date("!%c|%j|%w|%p|%%|%Q", 0)}`, "Healthy Thu Jan  1 00:00:00 1970|001|4|AM|%|%Q"},
		{"date as a table", `local d = os.date("*t") return {status = "Healthy", message = d.year .. d.month .. d.day .. d.hour .. d.min .. d.sec .. d.wday .. d.yday .. tostring(d.isdst)}`, "Healthy 2026311230" + "5160false"},
		{"text", `return {status = "Healthy", message = ("a-b"):gsub("%-", "+") .. string.format("%03d", 7)}`, "Healthy a+b007"},
		{"mathematics", `return {status = "Healthy", message = tostring(math.floor(2.5))}`, "Healthy 2"},
		{"another library", `require("io")`, "error <string>:1: module io not found: scripts have only os, table, string and math"},
		{"a text too long", `return {status = "Healthy", message = string.rep("x", 2^40)}`, "error <string>:1: string.rep would make a text of more than 16 MiB"},
		{"calls without end", `local function f() return 1 + f() end return f()`, "error lua callstack overflow"},
		{"values without end", `return {unpack({}, 1, 1e8)}`, "error <string>:1: registry overflow"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := run(t, test.script)
			got := strings.TrimSpace(string(r.Status) + " " + r.Message)
			if err != nil {
				got = "error " + err.Error()
			}
			if got != test.want {
				t.Errorf("got  %.300s\nwant %.300s", got, test.want)
			}
		})
	}
}

// TestGlobals holds everything that a script can reach by name to a list.
func TestGlobals(t *testing.T) {
	o := object("v1", "ConfigMap")
	impacts, err := lua.NewInterpreter().Act(t.Context(), now, `
		local out, seen = {}, {}
		local function walk(name, value)
			if type(value) ~= "table" then table.insert(out, name .. " " .. type(value)) return end
			if seen[value] then return end
			seen[value] = true
			for k, v in pairs(value) do walk(name .. "." .. tostring(k), v) end
		end
		obj = nil
		walk("_G", _G)
		walk("text", getmetatable(""))
		assert(getmetatable(_G) == nil and getmetatable(os) == nil and getmetatable(1) == nil and getmetatable(print) == nil)
		table.sort(out)
		return {kind = "ConfigMap", globals = out}`, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, line := range impacts[0].Object.List("globals") {
		fmt.Fprintln(&got, line)
	}
	golden := filepath.Join("testdata", "globals.txt")
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("what scripts reach is not what %s says:\n%s", golden, got.String())
	}
}

// TestNothingStays has a script spoil all it can reach, and another look.
func TestNothingStays(t *testing.T) {
	i := lua.NewInterpreter()
	if _, err := i.Health(t.Context(), now, `
		mine = 1
		getmetatable("").__index = nil
		string.format, table.insert, os.time, math.floor, pairs, _VERSION = nil, nil, nil, nil, nil, nil
		setmetatable(_G, {__index = function() return "mine" end})`, object("v1", "Pod")); err != nil {
		t.Fatal(err)
	}
	r, err := i.Health(t.Context(), now, `
		assert(mine == nil and obj.kind == "Service" and ("x"):rep(2) == "xx" and string.format and table.insert and os.time and math.floor and pairs and _VERSION)
		return {status = "Healthy"}`, object("v1", "Service"))
	if err != nil || r.Status != health.Healthy {
		t.Error(r, err)
	}
}

func TestTimeIsBounded(t *testing.T) {
	for name, script := range map[string]string{
		"a loop":              `while true do end`,
		"a loop that catches": `while true do pcall(function() while true do end end) end`,
		"a handler's loop":    `xpcall(function() error("x") end, function() while true do end end)`,
		"a metamethod's loop": `setmetatable(_G, {__index = function(t, k) while true do end end}) return nothing`,
		"recursion":           `local function f() return f() end f()`,
		"recursion by pcall":  `local function f() pcall(f) pcall(f) end while true do f() end`,
		"a sort without end":  `local t = {} for i = 1, 20 do t[i] = i end table.sort(t, function() while true do end end)`,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			_, err := lua.NewInterpreter().Health(ctx, now, script, object("v1", "Pod"))
			if err == nil || !strings.Contains(err.Error(), "context deadline exceeded") {
				t.Error(err)
			}
		})
	}
}

// TestServeSkipsWhatItHasNoTimeFor gives a request whose second call takes all the time.
func TestServeSkipsWhatItHasNoTimeFor(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	good, bad := `print("hello", 1) return {status = "Healthy"}`, `while true do end`
	r := lua.Request{Now: now, Scripts: []string{good, bad}}
	for _, script := range []int{0, 1, 0, 7} {
		r.Calls = append(r.Calls, lua.Call{Do: lua.Health, Scripts: []int{script}, Object: object("v1", "Pod")})
	}
	a := lua.NewInterpreter().Serve(ctx, r)
	if first := a.Results[0]; first.Health.Status != health.Healthy || first.Printed != "hello\t1\n" {
		t.Errorf("the first: %+v", first)
	}
	for n := 1; n < 4; n++ {
		if !a.Results[n].Skipped {
			t.Errorf("%d: %+v", n, a.Results[n])
		}
	}
	r.Calls = r.Calls[1:2]
	if a := lua.NewInterpreter().Serve(ctx, r); !strings.Contains(a.Results[0].Error, "context deadline exceeded") {
		t.Errorf("alone: %+v", a.Results[0])
	}
}

func scripts(files map[string]string) (*lua.Scripts, fault.Faults) {
	folder := fstest.MapFS{}
	for name, text := range files {
		folder[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return lua.Shipped().Over("mine", folder)
}

func TestScriptsAreFound(t *testing.T) {
	s, found := scripts(map[string]string{
		"Pod/health.lua":                            `return {status = "Healthy", message = "Pod"}`,
		"x.io/Thing/health.lua":                     `return {status = "Healthy", message = "exact"}`,
		"_.x.io/_/health.lua":                       `return {status = "Healthy", message = "_.x.io/_"}`,
		"_/Thing/health.lua":                        `return {status = "Healthy", message = "_/Thing"}`,
		"a.x.io/Thin_/health.lua":                   `return {status = "Healthy", message = "a.x.io/Thin_"}`,
		"cert-manager.io/Certificate/health.lua":    `return {status = "Degraded", message = "mine"}`,
		"x.io/Thing/testdata/anything.lua":          `this is no Lua`,
		"argoproj.io/Rollout/actions/ab/action.lua": `return obj`,
	})
	if len(found) > 0 {
		t.Error(found)
	}
	for _, test := range []struct{ group, kind, want string }{
		{"", "Pod", "Pod"},
		{"x.io", "Thing", "exact"},
		{"y.io", "Thing", "_/Thing"},
		{"", "Thing", ""},
		{"b.x.io", "Thing", "_.x.io/_"}, // the first by name
		{"b.c.x.io", "Other", "_.x.io/_"},
		{"a.x.io", "Thinner", "_.x.io/_"},
		{"x.io", "Other", ""},
		{"cert-manager.io", "Certificate", "mine"},
		{"cert-manager.io", "Issuer", "shipped"},
		{"ec2.aws.crossplane.io", "Instance", "shipped"},
		{"crossplane.io", "Instance", ""},
		{"x.io", "Thing/../Thing", ""},
		{"..", "etc", ""},
		{"x.io", "*", ""},
		{"apps", "Deployment", ""},
	} {
		for range 2 { // the second time it is remembered
			text, ok := s.Health(manifest.Kind{Group: test.group, Version: "v1", Kind: test.kind})
			_, got, _ := strings.Cut(text, `message = "`)
			got, _, _ = strings.Cut(got, `"}`)
			if test.want == "shipped" && ok && len(text) > 200 {
				continue
			}
			if got != test.want || ok != (test.want != "") {
				t.Errorf("%s/%s: %q, want %q", test.group, test.kind, got, test.want)
			}
		}
	}
}

func TestFoldersAreLinted(t *testing.T) {
	_, found := scripts(map[string]string{
		"x.io/Thing/helth.lua":                  `return {}`,
		"x.io/Thing/more/deep/health.lua":       `return {}`,
		"health.lua":                            `return {}`,
		"x.io/Thing/health.lua":                 "local a = 1\nreturn {\n",
		"x.io/Other/health.lua":                 "goto x\n",
		"x.io/Thing/actions/restart.lua":        `return obj`,
		"x.io/Thing/actions/restart/action.lua": `return obj`,
		"x.io/Thing/actions/discovery.lua":      `return {}`,
		"actions/discovery.lua":                 `return {}`,
		".git/hooks/x.lua":                      `not Lua`,
		"README.md":                             `not Lua`,
	})
	var got []string
	for _, f := range found {
		got = append(got, f.Error())
	}
	want := []string{
		`mine/actions/discovery.lua: warning: no kind has its script here [SL5594] - actions stand in <group>/<kind>/actions, or in <kind>/actions for Kubernetes' core kinds`,
		`mine/health.lua: warning: no kind has its script here [SL5594] - a health check is <group>/<kind>/health.lua, or <kind>/health.lua for Kubernetes' core kinds`,
		`mine/x.io/Other/health.lua:2: the script is no Lua: no visible label 'x' for <goto> at line 1 [SL5591] - it is left out; scripts are Lua 5.1`,
		`mine/x.io/Thing/actions/restart.lua: warning: no kind has its script here [SL5594] - there are actions/discovery.lua and actions/<name>/action.lua`,
		`mine/x.io/Thing/health.lua:2: the script is no Lua: syntax error at the end [SL5591] - it is left out; scripts are Lua 5.1`,
		`mine/x.io/Thing/helth.lua: warning: no kind has its script here [SL5594] - did you mean "health.lua"?`,
		`mine/x.io/Thing/more/deep/health.lua: warning: no kind has its script here [SL5594] - a health check is <group>/<kind>/health.lua, or <kind>/health.lua for Kubernetes' core kinds`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if _, found := lua.Shipped().Over("gone", os.DirFS(filepath.Join(t.TempDir(), "gone"))); !found.HasErrors() || fault.CodeOf(found[0]) != lua.CodeRead {
		t.Error(found)
	}
}

// TestAssessTakesTheStrongerRule looks at the order of deletion, scripts and built-in rules.
func TestAssessTakesTheStrongerRule(t *testing.T) {
	s, _ := scripts(map[string]string{
		"apps/Deployment/health.lua": `return {status = "Suspended", message = "mine"}`,
		"Secret/health.lua":          `return {status = "Healthy", message = tostring(obj.data.a) .. tostring(obj.stringData.b) .. tostring(obj.metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"])}`,
		"Broken/health.lua":          `error("broken")`,
	})
	c := lua.NewChecker(s, inProcess, func() time.Time { return now })
	deleted, hook, secret := object("apps/v1", "Deployment"), object("apps/v1", "Deployment"), object("v1", "Secret")
	deleted.Set("2026-01-01T00:00:00Z", "metadata", "deletionTimestamp")
	hook.Set("2026-01-01T00:00:00Z", "metadata", "deletionTimestamp")
	hook.Set([]any{health.HookFinalizer}, "metadata", "finalizers")
	secret["data"], secret["stringData"] = map[string]any{"a": "Y2FuYXJ5"}, map[string]any{"b": "canary"}
	secret.SetAnnotation("kubectl.kubernetes.io/last-applied-configuration", "canary")
	before := string(secret.JSON())
	pod := object("v1", "Pod")
	pod.Set("Pending", "status", "phase")
	all := []manifest.Object{deleted, hook, object("apps/v1", "Deployment"), pod, object("v1", "ConfigMap"), secret, object("v1", "Broken")}
	got, err := c.Assess(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	want := []lua.Assessment{
		{Result: health.Result{Status: health.Progressing, Message: "Pending deletion"}, Known: true},
		{Result: health.Result{Status: health.Suspended, Message: "mine"}, Known: true},
		{Result: health.Result{Status: health.Suspended, Message: "mine"}, Known: true},
		{Result: health.Result{Status: health.Progressing}, Known: true},
		{},
		{Result: health.Result{Status: health.Healthy, Message: "++++++++++++++++nil"}, Known: true},
		{Result: health.Result{Status: health.Unknown, Message: "<string>:1: broken"}, Known: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if string(secret.JSON()) != before {
		t.Error("the secret was changed")
	}
	look, err := c.Assessed(t.Context(), all[2:5])
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := look(pod); !ok || r != want[3].Result {
		t.Error(r, ok)
	}
	if r, ok := look(object("apps/v1", "ReplicaSet")); !ok || r.Status != health.Healthy {
		t.Error("what was not given is not assessed:", r, ok)
	}
	if r, ok := look(object("v1", "Broken")); !ok || r != want[6].Result {
		t.Error("what was not given is not assessed by its script:", r, ok)
	}
	pod = pod.Copy()
	pod.Set("2", "metadata", "resourceVersion")
	pod.Set("Succeeded", "status", "phase")
	if r, _ := look(pod); r.Status != health.Healthy {
		t.Error("another revision is not assessed anew:", r)
	}
}

// failing is a Run that breaks down whenever a request holds an object named bad.
func failing(t *testing.T, requests *[]int, others error) lua.Run {
	return func(ctx context.Context, r lua.Request) (lua.Answer, error) {
		*requests = append(*requests, len(r.Calls))
		if others != nil {
			return lua.Answer{}, others
		}
		for _, c := range r.Calls {
			if c.Object.Name() == "bad" {
				return lua.Answer{}, fault.New("SL5802", "too much memory")
			}
		}
		return inProcess(ctx, r)
	}
}

func TestOneThatBreaksARequestIsAlone(t *testing.T) {
	s, _ := scripts(map[string]string{"Thing/health.lua": `return {status = "Healthy", message = obj.metadata.name}`})
	var requests []int
	c := lua.NewChecker(s, failing(t, &requests, nil), func() time.Time { return now })
	var all []manifest.Object
	for n := range 700 {
		o := object("v1", "Thing")
		o.Set(fmt.Sprint(n), "metadata", "name")
		if n == 300 {
			o.Set("bad", "metadata", "name")
		}
		o.Set(fmt.Sprint("u", n), "metadata", "uid")
		o.Set("1", "metadata", "resourceVersion")
		all = append(all, o)
	}
	for round := range 2 {
		got, err := c.Assess(t.Context(), all)
		if err != nil {
			t.Fatal(err)
		}
		for n, a := range got {
			want := health.Result{Status: health.Healthy, Message: fmt.Sprint(n)}
			if n == 300 {
				want = health.Result{Status: health.Unknown, Message: "too much memory"}
			}
			if a.Result != want {
				t.Errorf("%d: %+v", n, a)
			}
		}
		if want := 1 + 1 + 256 + 1; len(requests) != want { // whole, broken, one by one, the rest
			t.Errorf("round %d: %d requests, want %d", round, len(requests), want)
		}
	}
	all[5].Set("2", "metadata", "resourceVersion") // a new revision is asked of again
	if _, err := c.Assess(t.Context(), all); err != nil || len(requests) != 260 {
		t.Error(len(requests), err)
	}
}

func TestNoSandboxIsAnError(t *testing.T) {
	s, _ := scripts(map[string]string{"Thing/health.lua": `return {}`})
	var requests []int
	c := lua.NewChecker(s, failing(t, &requests, &lua.Unavailable{Err: errors.New("no walls")}), func() time.Time { return now })
	_, err := c.Assess(t.Context(), []manifest.Object{object("v1", "Thing"), object("v1", "Thing")})
	if err == nil || err.Error() != "no walls" || len(requests) != 1 {
		t.Error(err, requests)
	}
	if _, err := c.Assess(t.Context(), []manifest.Object{object("apps/v1", "Deployment")}); err != nil {
		t.Error("a built-in rule needs no sandbox:", err)
	}
}

func TestAnythingBecomesLuaAndBack(t *testing.T) {
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		leaf := rapid.OneOf(
			rapid.Map(rapid.String(), func(s string) any { return s }),
			rapid.Map(rapid.Int64Range(-1<<62, 1<<62), func(n int64) any { return n }),
			rapid.Map(rapid.Float64Range(-1e9, 1e9), func(f float64) any { return f }),
			rapid.Map(rapid.Bool(), func(b bool) any { return b }))
		if depth == 0 {
			return leaf
		}
		return rapid.OneOf(leaf,
			rapid.Map(rapid.SliceOfN(value(depth-1), 0, 4), func(l []any) any { return l }),
			rapid.Map(rapid.MapOfN(rapid.StringN(1, 5, 10), value(depth-1), 0, 4), func(m map[string]any) any { return m }))
	}
	s, _ := scripts(map[string]string{
		"Thing/actions/same/action.lua": `return obj`,
		"Thing/actions/list/action.lua": `return {{operation = "patch", resource = obj}, {operation = "create", resource = {kind = "ConfigMap", data = {n = 3}}}}`,
	})
	c := lua.NewChecker(s, inProcess, func() time.Time { return now })
	rapid.Check(t, func(t *rapid.T) {
		o := object("v1", "Thing")
		o["spec"] = value(3).Draw(t, "spec")
		for _, action := range []string{"same", "list"} {
			got, err := c.Act(context.Background(), o, action, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got[0].Operation != lua.Patch || string(got[0].Object.JSON()) != string(o.JSON()) {
				t.Fatalf("%s\nbecame\n%s", o.JSON(), got[0].Object.JSON())
			}
			if action == "list" && (got[1].Operation != lua.Create || got[1].Object.Int(0, "data", "n") != 3) {
				t.Fatal(got[1])
			}
		}
	})
}

func TestActions(t *testing.T) {
	s, _ := scripts(map[string]string{
		"x.io/Thing/actions/discovery.lua": `return {
			plain = {}, off = {disabled = true},
			shown = {displayName = "Shown", iconClass = "fa", parameters = {{name = "p"}}},
			asks = {params = {{name = "q"}}, disabled = false},
		}`,
		"x.io/Thing/actions/plain/action.lua":   `obj.spec = {replicas = tonumber(actionParams["n"]), labels = obj.labels} return obj`,
		"x.io/Thing/actions/other/action.lua":   `obj.metadata.name = "other" return obj`,
		"x.io/Thing/actions/remove/action.lua":  `return {{operation = "delete", resource = obj}}`,
		"x.io/Thing/actions/none/action.lua":    `return {}`,
		"x.io/Thing/actions/nil/action.lua":     ``,
		"x.io/Thing/actions/bare/action.lua":    `return {a = 1}`,
		"x.io/List/actions/discovery.lua":       `return {"a"}`,
		"apps/Deployment/actions/discovery.lua": `return {mine = {}}`,
	})
	c := lua.NewChecker(s, inProcess, func() time.Time { return now })
	thing := object("x.io/v1", "Thing")
	thing["labels"] = map[string]any{}
	got, err := c.Discover(t.Context(), thing)
	want := []lua.Action{
		{Name: "asks", Params: []lua.Param{{Name: "q"}}},
		{Name: "off", Disabled: true},
		{Name: "plain"},
		{Name: "shown", DisplayName: "Shown", IconClass: "fa", Params: []lua.Param{{Name: "p"}}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v %v\nwant %+v", got, err, want)
	}
	if got, err := c.Discover(t.Context(), object("apps/v1", "Deployment")); err != nil || len(got) != 1 || got[0].Name != "mine" {
		t.Error("a folder's discovery comes instead of the shipped one:", got, err)
	}
	if got, err := c.Discover(t.Context(), object("v1", "ConfigMap")); got != nil || err != nil {
		t.Error(got, err)
	}
	if _, err := c.Discover(t.Context(), object("x.io/v1", "List")); err == nil {
		t.Error("a list of names was taken")
	}
	impacts, err := c.Act(t.Context(), thing, "plain", map[string]string{"n": "3"})
	if err != nil || len(impacts) != 1 || impacts[0].Object.Int(0, "spec", "replicas") != 3 {
		t.Error(impacts, err)
	}
	if empty, ok := impacts[0].Object["labels"].(map[string]any); !ok || len(empty) != 0 {
		t.Errorf("an empty map became %v", impacts[0].Object["labels"])
	}
	if impacts, err := c.Act(t.Context(), thing, "none", nil); err != nil || len(impacts) != 0 {
		t.Error(impacts, err)
	}
	if impacts, err := c.Act(t.Context(), object("apps/v1", "DaemonSet"), "restart", nil); err == nil {
		t.Error("a DaemonSet without a spec was restarted:", impacts)
	}
	for action, want := range map[string]string{
		"other":  `action "other" of x.io/Thing/b/a: it wants to patch x.io/Thing/b/other: an action patches only the object that it was asked of [SL5592]`,
		"remove": `action "remove" of x.io/Thing/b/a: entry 1 of what the script returns: unsupported operation: "delete" (there are create and patch) [SL5592]`,
		"nil":    `action "nil" of x.io/Thing/b/a: expect table output from Lua script, not nil [SL5592]`,
		"bare":   `action "bare" of x.io/Thing/b/a: entry 1 of what the script returns: Object 'Kind' is missing [SL5592]`,
		"plan":   `x.io/Thing/b/a has no action "plan" [SL5593] - did you mean "plain"?`,
		"x":      `x.io/Thing/b/a has no action "x" [SL5593] - it has asks, off, plain, shown`,
		"../x":   `x.io/Thing/b/a has no action "../x" [SL5593] - it has asks, off, plain, shown`,
	} {
		if _, err := c.Act(t.Context(), thing, action, nil); err == nil || err.Error() != want {
			t.Errorf("%s: got  %v\nwant %s", action, err, want)
		}
	}
}
