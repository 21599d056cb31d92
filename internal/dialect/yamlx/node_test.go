package yamlx_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func parse(t testing.TB, src string) *yamlx.Node {
	t.Helper()
	var faults fault.List
	docs := yamlx.Parse([]byte(src), yamlx.Options{File: "f.yml", Tags: []string{"!reference"}}, &faults)
	if err := faults.Err(); err != nil || len(docs) != 1 {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	return docs[0]
}

func TestAccessIsTyped(t *testing.T) {
	n := parse(t, "s: text\nb: yes\ni: 012\nf: 1.50\nn:\nl: [1, a]\nm: {x: y}\nr: !reference [a]\nbig: 99999999999999999999\n")
	if s, ok := n.Get("s").Str(); s != "text" || !ok {
		t.Errorf("text %q %v", s, ok)
	}
	if b, ok := n.Get("b").Bool(); !b || !ok {
		t.Errorf("true %v %v", b, ok)
	}
	if i, ok := n.Get("i").Int(); i != 10 || !ok {
		t.Errorf("number %d %v", i, ok)
	}
	if f, ok := n.Get("f").Float(); f != 1.5 || !ok {
		t.Errorf("number %v %v", f, ok)
	}
	if _, ok := n.Get("big").Int(); ok {
		t.Error("a number beyond 64 bits has no Int")
	}
	if !n.Get("n").IsNull() || !n.Get("none").IsNull() || !n.Has("n") || n.Has("none") {
		t.Error("null and missing are not told apart")
	}
	if n.Get("r").IsSequence() || !n.Get("l").IsSequence() || !n.HasTags() || n.Get("l").HasTags() {
		t.Error("a reference is no list")
	}
	for key, want := range map[string]string{"s": "text", "b": "true or false", "i": "a number", "n": "nothing", "l": "a list", "m": "a mapping", "r": "a !reference"} {
		if got := n.Get(key).Describe(); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if n.Get("s").Get("x") != nil || (*yamlx.Node)(nil).Get("x") != nil || (*yamlx.Node)(nil).Keys() != nil {
		t.Error("what is no mapping has keys")
	}
}

// TestEveryBadTypeIsNo asks every accessor of every kind of node; only the right one may answer.
func TestEveryBadTypeIsNo(t *testing.T) {
	for src, want := range map[string]string{"a": "str", "'1'": "str", "true": "bool", "1": "int float", "1.5": "float", "[]": "", "{}": "", "~": ""} {
		n := parse(t, src)
		var got []string
		if _, ok := n.Str(); ok {
			got = append(got, "str")
		}
		if _, ok := n.Bool(); ok {
			got = append(got, "bool")
		}
		if _, ok := n.Int(); ok {
			got = append(got, "int")
		}
		if _, ok := n.Float(); ok {
			got = append(got, "float")
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s answers %v, want %s", src, got, want)
		}
	}
}

func TestJSONKeepsTheOrder(t *testing.T) {
	n := parse(t, "z: 1\na: [true, 1.0, ~, 'x<y', .inf, 1_000]\nm: {b: 2, a: 1}\n")
	got, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	// encoding/json escapes < again when it compacts what MarshalJSON gives.
	if want := `{"z":1,"a":[true,1,null,"x\u003cy","Infinity",1000],"m":{"b":2,"a":1}}`; string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want := map[string]any{"z": int64(1), "a": []any{true, 1.0, nil, "x<y"}, "m": map[string]any{"b": int64(2), "a": int64(1)}}
	plain := n.Any().(map[string]any)
	plain["a"] = plain["a"].([]any)[:4]
	if !reflect.DeepEqual(plain, want) {
		t.Errorf("got %v", plain)
	}
	if back := yamlx.From(n.Get("m").Any(), fault.Place{}); !yamlx.Equal(back, n.Get("m")) {
		t.Errorf("back %v", back.Any())
	}
}

func TestMergeSharesAndReplaces(t *testing.T) {
	base := parse(t, "a: {x: 1, y: 2}\nl: [1, 2]\nr: !reference [q]\nk: keep\n")
	over := parse(t, "a: {y: 3, z: 4}\nl: [3]\nr: {own: 1}\nn:\n")
	got := yamlx.Merge(base, over)
	if want := parse(t, "a: {x: 1, y: 3, z: 4}\nl: [3]\nr: {own: 1}\nk: keep\nn:\n"); !yamlx.Equal(got, want) {
		t.Errorf("merged %v", got.Any())
	}
	if strings.Join(got.Keys(), " ") != "a l r k n" {
		t.Errorf("order %v", got.Keys())
	}
	if got.Get("k") != base.Get("k") || got.Get("l") != over.Get("l") {
		t.Error("parts that do not change are copied")
	}
	if yamlx.Merge(nil, over) != over || yamlx.Merge(base, nil) != base || yamlx.Merge(base, base) != base {
		t.Error("merging with nothing copies")
	}
	if less := got.Without("a"); less.Has("a") || !got.Has("a") || less.Size() >= got.Size() {
		t.Error("Without changes the original or nothing")
	}
}

func TestLargeMappingsFindTheirKeys(t *testing.T) {
	n := parse(t, string(jobs(500)))
	for _, p := range n.Pairs {
		if n.Get(p.Key.Value) != p.Value {
			t.Fatalf("%s is not found", p.Key.Value)
		}
	}
	if n.Has("job-500") {
		t.Error("a key is found that is not there")
	}
}

func TestSharedPartsCountEachTime(t *testing.T) {
	n := parse(t, "a: &a [1, 2, 3]\nb: [*a, *a]\n")
	if n.Size() != 1+1+4+1+1+8 || n.Height() != 4 {
		t.Errorf("size %d, height %d", n.Size(), n.Height())
	}
	if b := n.Get("b"); b.Items[0] != b.Items[1] || b.Items[0] != n.Get("a") {
		t.Error("an alias is copied")
	}
}

// tree draws any tree of plain values.
func tree(t *rapid.T, depth int) any {
	kind := rapid.IntRange(0, 6).Draw(t, "kind")
	if depth == 0 && kind > 4 {
		kind = 0
	}
	switch kind {
	case 0:
		return rapid.String().Draw(t, "text")
	case 1:
		return rapid.SampledFrom([]string{"yes", "null", "012", "1:30", "2024-01-01", "a: b", "# x", "- y", "<<", "", " ", "x\ny\n", "\t"}).Draw(t, "tricky")
	case 2:
		return rapid.Bool().Draw(t, "bool")
	case 3:
		return rapid.Int64().Draw(t, "int")
	case 4:
		return nil
	case 5:
		items := make([]any, rapid.IntRange(0, 4).Draw(t, "length"))
		for i := range items {
			items[i] = tree(t, depth-1)
		}
		return items
	default:
		m := map[string]any{}
		for range rapid.IntRange(0, 4).Draw(t, "length") {
			m[rapid.StringN(1, 10, -1).Draw(t, "key")] = tree(t, depth-1)
		}
		return m
	}
}

// TestWhatIsPrintedIsReadAgain holds for any values: printed as YAML they are read as the same values in both schemas.
func TestWhatIsPrintedIsReadAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := yamlx.From(map[string]any{"v": tree(t, 3)}, fault.Place{})
		text, err := yamlx.Print(n)
		if err != nil {
			t.Fatal(err)
		}
		for _, schema := range []yamlx.Schema{yamlx.Psych, yamlx.Core} {
			var faults fault.List
			docs := yamlx.Parse(text, yamlx.Options{Schema: schema}, &faults)
			if err := faults.Err(); err != nil || len(docs) != 1 || !yamlx.Equal(n, docs[0]) {
				t.Fatalf("printed\n%s\nread with %v", text, err)
			}
		}
	})
}
