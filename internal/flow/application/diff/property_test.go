package diff_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/flow/application/diff"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// value draws JSON that a custom resource may hold; maps have no empty ones below them, which mean something else.
func value(t *rapid.T, depth int) any {
	kind := rapid.IntRange(0, 6).Draw(t, "kind")
	switch {
	case depth > 0 && kind >= 5:
		m := map[string]any{}
		for i := range rapid.IntRange(1, 3).Draw(t, "fields") {
			m["f"+strconv.Itoa(i)] = value(t, depth-1)
		}
		return m
	case depth > 0 && kind == 4:
		var l []any
		for range rapid.IntRange(1, 3).Draw(t, "elements") {
			l = append(l, value(t, depth-1))
		}
		return l
	case kind == 3:
		return rapid.Bool().Draw(t, "bool")
	case kind == 2:
		return int64(rapid.IntRange(-5, 5).Draw(t, "number"))
	}
	return rapid.StringMatching(`[a-z]{0,3}`).Draw(t, "text")
}

// grow adds what a server sets: fields that were not wanted, in any map.
func grow(t *rapid.T, v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			grow(t, v[k])
		}
		if rapid.Bool().Draw(t, "default") {
			v["d"+rapid.StringMatching(`[a-c]`).Draw(t, "name")] = value(t, 1)
		}
	case []any:
		for _, e := range v {
			grow(t, e)
		}
	}
}

func sortedKeys(m map[string]any) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// leaf is a value at a pointer, and how to set it.
type leaf struct {
	path string
	set  func(any)
	v    any
}

func leavesOf(path string, v any, set func(any)) []leaf {
	var out []leaf
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			out = append(out, leavesOf(path+"/"+k, v[k], func(n any) { v[k] = n })...)
		}
	case []any:
		for i := range v {
			out = append(out, leavesOf(fmt.Sprintf("%s/%d", path, i), v[i], func(n any) { v[i] = n })...)
		}
	default:
		out = append(out, leaf{path, set, v})
	}
	return out
}

func custom(spec any) manifest.Object {
	return manifest.Object{"apiVersion": "x.io/v1", "kind": "Foo", "metadata": map[string]any{"name": "a", "namespace": "b"}, "spec": spec}
}

func served(t *rapid.T, target manifest.Object, annotate bool) manifest.Object {
	live := target.Copy()
	grow(t, live["spec"])
	live.Set("uid-1", "metadata", "uid")
	live.Set("7", "metadata", "resourceVersion")
	if annotate {
		live.SetAnnotation("kubectl.kubernetes.io/last-applied-configuration", string(target.JSON()))
	}
	return live
}

// What was applied is synced, whatever the server added; and each field that is changed then is found, and no other.
func TestAppliedIsSynced(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target := custom(map[string]any{"a": value(t, 3), "b": value(t, 3)})
		live := served(t, target, rapid.Bool().Draw(t, "kubectl"))
		in := diff.Input{Target: target, Live: live, Manager: "argocd-controller"}
		if out := diff.Objects(in, diff.Rules{}); len(out.Differences) > 0 {
			t.Fatalf("synced, but %+v", out.Differences)
		}
		changed := target.Copy()
		leaves := leavesOf("/spec", changed["spec"], nil)
		one := leaves[rapid.IntRange(0, len(leaves)-1).Draw(t, "leaf")]
		one.set("changed")
		in.Target = changed
		if got := counted(diff.Objects(in, diff.Rules{})); !slices.Equal(got, []string{one.path}) {
			t.Fatalf("changed %s, found %v", one.path, got)
		}
	})
}

// Ignoring a field never hides another.
func TestIgnoringHidesNoOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target := custom(map[string]any{"a": value(t, 3), "b": value(t, 3), "c": value(t, 2)})
		live := served(t, target, true)
		leaves := leavesOf("/spec", live["spec"], nil)
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			leaves[rapid.IntRange(0, len(leaves)-1).Draw(t, "leaf")].set("drifted")
		}
		ignored := leaves[rapid.IntRange(0, len(leaves)-1).Draw(t, "ignored")].path
		for range rapid.IntRange(0, 2).Draw(t, "up") {
			if up := ignored[:strings.LastIndex(ignored, "/")]; up != "" && up != "/spec" {
				ignored = up
			}
		}
		in := diff.Input{Target: target, Live: live}
		before := counted(diff.Objects(in, diff.Rules{}))
		rule := diff.Rule{Pointers: []string{ignored}}
		if rapid.Bool().Draw(t, "jq") {
			rule = diff.Rule{JQ: []string{asJQ(ignored)}}
		}
		out := diff.Objects(in, diff.Prepare([]diff.Rule{rule}))
		if len(out.Problems) > 0 {
			t.Fatal(out.Problems)
		}
		after := counted(out)
		for _, d := range before {
			apart := !related(d, ignored)
			if apart && !slices.Contains(after, d) {
				t.Fatalf("%s is hidden by ignoring %s: %v, before %v", d, ignored, after, before)
			}
			if !apart && strings.HasPrefix(d, ignored) && !slices.Contains(after, "~"+d) {
				t.Fatalf("%s is not told as ignored by %s: %v", d, ignored, after)
			}
		}
		for _, d := range after {
			if !strings.HasPrefix(d, "~") && !slices.Contains(before, d) && !related(d, ignored) {
				t.Fatalf("%s is new when %s is ignored: before %v", d, ignored, before)
			}
		}
	})
}

func related(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

func asJQ(pointer string) string {
	var b strings.Builder
	b.WriteString(".")
	for _, p := range strings.Split(pointer, "/")[1:] {
		if _, err := strconv.Atoi(p); err == nil {
			b.WriteString("[" + p + "]")
		} else {
			b.WriteString(`["` + p + `"]`)
		}
	}
	return b.String()
}

// A Secret's values never show, whatever the sides hold and whatever the rules are.
func FuzzMasked(f *testing.F) {
	f.Add("pa$$word", "k", `.data.k`, "other")
	f.Add("a\nb\"c", "x.y", `.data[] | .x`, "")
	f.Fuzz(func(t *testing.T, secret, name, query, other string) {
		canary := "CANARY" + strings.ToValidUTF8(secret, "") + "YRANAC"
		if strings.Contains(query, "CANARY") || strings.Contains(name, "CANARY") || strings.Contains(other, "CANARY") {
			t.Skip()
		}
		name = strings.ToValidUTF8(name, "")
		encoded := base64.StdEncoding.EncodeToString([]byte(canary))
		target := manifest.Object{
			"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "a"},
			"stringData": map[string]any{name: canary, "o": other}, "data": map[string]any{"n": int64(12345)},
		}
		live := manifest.Object{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "a"}, "data": map[string]any{name: encoded, "p": encoded}}
		live.SetAnnotation("kubectl.kubernetes.io/last-applied-configuration", string(target.JSON()))
		for _, in := range []diff.Input{{Target: target, Live: live}, {Target: target}, {Live: live}, {Target: live, Live: target}, {Target: target, Live: live, Predicted: live}} {
			out := diff.Objects(in, diff.Prepare([]diff.Rule{{JQ: []string{query}, Pointers: []string{query}}}))
			text, err := json.Marshal([]any{out.Wanted, out.Found, out.Differences, out.Problems})
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "CANARY") || strings.Contains(string(text), encoded) {
				t.Fatalf("%s", text)
			}
		}
		if text := string(diff.Masked(live, nil).JSON()); strings.Contains(text, "CANARY") || strings.Contains(text, encoded) {
			t.Fatal(text)
		}
		if text := diff.Scrub("invalid: "+canary+" and "+encoded, target); strings.Contains(text, "CANARY") || strings.Contains(text, encoded) {
			t.Fatal(text)
		}
	})
}

func BenchmarkObjects(b *testing.B) {
	target, live := object(b, deployment), applied(b, deployed, deployment)
	rules := diff.Prepare(nil)
	b.ReportAllocs()
	for b.Loop() {
		if out := diff.Objects(diff.Input{Target: target, Live: live}, rules); out.Counts() {
			b.Fatal(out.Differences)
		}
	}
}
