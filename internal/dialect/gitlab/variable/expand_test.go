package variable_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/variable"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"pgregory.net/rapid"
)

// vars reads "NAME=value" with options in front: raw:, file:, masked:, and a level such as project:.
func vars(list ...string) []plan.Variable {
	levels := map[string]plan.Level{"default": plan.Default, "job": plan.JobLevel, "project": plan.Project, "pipeline": plan.Pipeline, "predefined": plan.Predefined}
	var out []plan.Variable
	for _, s := range list {
		v := plan.Variable{Level: plan.JobLevel}
		name, value, _ := strings.Cut(s, "=")
		for {
			option, rest, found := strings.Cut(name, ":")
			if !found {
				break
			}
			name = rest
			switch option {
			case "raw":
				v.Raw = true
			case "file":
				v.File = true
			case "masked":
				v.Masked = true
			default:
				v.Level = levels[option]
			}
		}
		v.Name, v.Value = name, value
		out = append(out, v)
	}
	return out
}

func TestExpandOfATextOnTheServer(t *testing.T) {
	c := variable.New(vars("variable=value", "variable2=result", "nested=$variable3", "variable3=x", "empty=", "file:f=content", "CI_COMMIT_REF_NAME=feature/add-review-apps")...)
	for _, row := range []struct{ name, text, blank, kept string }{
		{"no reference", "key", "key", "key"},
		{"simple", "key$variable", "keyvalue", "keyvalue"},
		{"braces", "key${variable}", "keyvalue", "keyvalue"},
		{"percent", "key%variable%", "keyvalue", "keyvalue"},
		{"several", "key$variable$variable2", "keyvalueresult", "keyvalueresult"},
		{"several with percent", "%variable%%variable2%", "valueresult", "valueresult"},
		{"nested values stay", "key$variable$nested", "keyvalue$variable3", "keyvalue$variable3"},
		{"review app", "review/$CI_COMMIT_REF_NAME", "review/feature/add-review-apps", "review/feature/add-review-apps"},
		{"undefined", "key$no", "key", "key$no"},
		{"undefined in braces", "key${no}$variable", "keyvalue", "key${no}value"},
		{"undefined with percent", "key%no%.", "key.", "key%no%."},
		{"an empty one is defined", "[$empty]", "[]", "[]"},
		{"a file is its content", "$f", "content", "content"},
		{"two dollars are a dollar and a reference", "$$variable", "$value", "$value"},
		{"no names", "$ $1 ${} ${1} ${a %a% % $", "$ $1 ${} ${1} ${a  % $", "$ $1 ${} ${1} ${a %a% % $"},
		{"a name ends", "$variable-$variable.$variable2/", "value-value.result/", "value-value.result/"},
		{"a name goes on", "$variable2x", "", "$variable2x"},
	} {
		if got, err := variable.Expand(row.text, c.Get); got != row.blank || err != nil {
			t.Errorf("%s: %q (%v), want %q", row.name, got, err, row.blank)
		}
		if got, err := variable.ExpandExisting(row.text, c.Get); got != row.kept || err != nil {
			t.Errorf("%s, undefined kept: %q (%v), want %q", row.name, got, err, row.kept)
		}
	}
}

var keep = variable.Options{Undefined: true}

// worlds are collections and what they look like expanded.
var worlds = []struct {
	name    string
	options variable.Options
	in      []string
	want    string // NAME=value, in the order of names, separated by |
}{
	{"nothing", variable.Options{}, nil, ""},
	{"empty", variable.Options{}, []string{"v="}, "v="},
	{"in order", variable.Options{}, []string{"v=value", "v2=result", "v3=key$v$v2", "v4=key$v$v3"}, "v=value|v2=result|v3=keyvalueresult|v4=keyvaluekeyvalueresult"},
	{"out of order", variable.Options{}, []string{"v3=key$v2$v", "v=value", "v2=result"}, "v=value|v2=result|v3=keyresultvalue"},
	{"braces and percent", variable.Options{}, []string{"v=value", "v2=${v}%v%"}, "v=value|v2=valuevalue"},
	{"escapes stay, undefined kept", keep, []string{"v3=key_${v}_$${HOME}_%%HOME%%", "v=$v2", "v2=value"}, "v=value|v2=value|v3=key_value_$${HOME}_%%HOME%%"},
	{"escapes stay, undefined gone", variable.Options{}, []string{"v2=key_${v4}_$${HOME}_%%HOME%%", "v=value_$${HOME}_%%HOME%%"}, "v=value_$${HOME}_%%HOME%%|v2=key__$${HOME}_%%HOME%%"},
	{"undefined gone", variable.Options{}, []string{"v2=key$v"}, "v2=key"},
	{"undefined kept", keep, []string{"v4=key${v}${v2}${v3}", "v=value", "v3=value3"}, "v=value|v3=value3|v4=keyvalue${v2}value3"},
	{"a raw value stays and is put in", variable.Options{}, []string{"v1=value1", "raw:r=raw-$v1", "n=nonraw-$v1", "v2=$r and $n"}, "n=nonraw-value1|r=raw-$v1|v1=value1|v2=raw-$v1 and nonraw-value1"},
	{"a raw value is left to the runner", variable.Options{Raw: true}, []string{"v1=value1", "raw:r=raw-$v1", "n=nonraw-$v1", "v2=$r and $n"}, "n=nonraw-value1|r=raw-$v1|v1=value1|v2=$r and nonraw-value1"},
	{"a password with signs", variable.Options{}, []string{"VAR=$PASSWORD", "PASSWORD=my_password$$_%%_$A", "A=value"}, "A=value|PASSWORD=my_password$$_%%_value|VAR=my_password$$_%%_value"},
	{"a file is put in", variable.Options{}, []string{"file:f=secret content", "v1=var one", "v2=var two $v1 $f"}, "f=secret content|v1=var one|v2=var two var one secret content"},
	{"a file is left to the runner", variable.Options{Files: true}, []string{"file:f=secret content", "v1=var one", "v2=var two $v1 $f"}, "f=secret content|v1=var one|v2=var two var one $f"},
	{"a path of paths", variable.ForRunner, []string{"BUILD_ROOT_DIR=${CI_BUILDS_DIR}", "OUT_PATH=${BUILD_ROOT_DIR}/out", "PACKAGE_PATH=${OUT_PATH}/pkg"}, "BUILD_ROOT_DIR=${CI_BUILDS_DIR}|OUT_PATH=${CI_BUILDS_DIR}/out|PACKAGE_PATH=${CI_BUILDS_DIR}/out/pkg"},
	{"a name in its own value is the weaker one", variable.Options{}, []string{"pipeline:A=$A-x", "project:A=y", "default:A=z", "B=$A"}, "A=y-x|B=y-x"},
	{"a name in its own value and nothing weaker", keep, []string{"PATH=$PATH:/x"}, "PATH=$PATH:/x"},
	{"a name in its own value and nothing weaker, gone", variable.Options{}, []string{"PATH=$PATH:/x"}, "PATH=:/x"},
	{"the strongest is referred to", variable.Options{}, []string{"B=$A", "default:A=weak", "pipeline:A=strong"}, "A=strong|B=strong"},
	{"a weak value does not come back", variable.Options{}, []string{"project:A=x$A", "pipeline:A=v"}, "A=v"},
	{"a raw one breaks the circle", variable.Options{}, []string{"a=$b", "b=$c", "raw:c=key$a$b"}, "a=key$a$b|b=key$a$b|c=key$a$b"},
	{"an escaped one breaks the circle", variable.Options{}, []string{"a=$b", "b=$$a"}, "a=$$a|b=$$a"},
	{"no name in braces", variable.Options{}, []string{"a=${}$b", "b=1"}, "a=${}1|b=1"},
}

func show(c *variable.Collection) string {
	var out []string
	for _, v := range c.Effective() {
		out = append(out, v.Name+"="+v.Value)
	}
	slices.Sort(out)
	return strings.Join(out, "|")
}

func TestExpandOfACollection(t *testing.T) {
	for _, w := range worlds {
		t.Run(w.name, func(t *testing.T) {
			before := variable.New(vars(w.in...)...)
			shown := show(before)
			after, faults := before.Expand(w.options)
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			want := strings.Split(w.want, "|")
			slices.Sort(want)
			if got := show(after); got != strings.Join(want, "|") {
				t.Errorf("got  %s\nwant %s", got, strings.Join(want, "|"))
			}
			if show(before) != shown {
				t.Error("the collection itself was changed")
			}
			for _, v := range vars(w.in...) {
				if got, ok := after.Get(v.Name); !ok || got.Raw != v.Raw || got.File != v.File {
					t.Errorf("%s lost what it is", v.Name)
				}
			}
		})
	}
}

func TestCirclesAreToldAndLeftAsTheyAre(t *testing.T) {
	for want, in := range map[string][]string{
		"variable, variable2, variable3": {"variable=$variable2", "variable2=$variable3", "variable3=key$variable$variable2"},
		"a, b":                           {"x=$a", "a=$b", "b=%a%", "y=1"},
	} {
		before := variable.New(vars(in...)...)
		after, faults := before.Expand(variable.Options{})
		if len(faults) != 1 || faults[0].Code != variable.CodeCycle || !strings.Contains(faults[0].Message, want+" ") {
			t.Errorf("%v: %v, want %s", in, faults, want)
		}
		if show(after) != show(before) {
			t.Errorf("changed: %s", show(after))
		}
	}
	two := variable.New(vars("a=$b", "b=$a", "c=$d", "d=$c")...)
	if _, faults := two.Expand(variable.Options{}); len(faults) != 2 {
		t.Errorf("two circles: %v", faults)
	}
}

func TestDoublingValuesAreBounded(t *testing.T) {
	in := []string{"V0=" + strings.Repeat("x", 1000)}
	for i := 1; i < 60; i++ {
		prev := string(rune('0'+(i-1)/10)) + string(rune('0'+(i-1)%10))
		if i == 1 {
			in = append(in, "W00=$V0$V0")
		}
		in = append(in, "W"+string(rune('0'+i/10))+string(rune('0'+i%10))+"=$W"+prev+"$W"+prev)
	}
	after, faults := variable.New(vars(in...)...).Expand(variable.Options{})
	if len(faults) == 0 || faults[0].Code != variable.CodeSize {
		t.Fatalf("%v", faults)
	}
	for _, v := range after.All() {
		if len(v.Value) > variable.MaxValue {
			t.Fatalf("%s has %d bytes", v.Name, len(v.Value))
		}
	}
	large := variable.New(plan.Variable{Name: "L", Value: strings.Repeat("x", variable.MaxValue)})
	_, err := variable.Expand("$L$L", large.Get)
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != variable.CodeSize {
		t.Errorf("%v", err)
	}
	if _, err := variable.ExpandRunner("$L$L", large.Get, nil); !errors.As(err, &f) {
		t.Errorf("%v", err)
	}
	if _, faults := variable.New(plan.Variable{Name: "L", Value: strings.Repeat("x", variable.MaxValue)}, plan.Variable{Name: "M", Value: "$L$L"}).Runner(nil); len(faults) != 1 {
		t.Errorf("%v", faults)
	}
}

func TestRunner(t *testing.T) {
	c := variable.New(vars("A=a", "B=$A/${CI_PROJECT_DIR}", "predefined:CI_PROJECT_DIR=/p", "raw:R=$A$$", "S=$R", "file:F=text $A", "G=$F", "D=$$A $$$$", "N=$none-${none}-$1-$-x", "project:A=A", "masked:M=secret")...)
	values, faults := c.Runner(func(name string) string { return "/tmp/" + name })
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	var got []string
	for _, v := range values {
		got = append(got, v.Name+"="+v.Value)
	}
	slices.Sort(got)
	want := []string{"A=A", "B=A//p", "CI_PROJECT_DIR=/p", "D=$A $$", "F=text A", "G=/tmp/F", "M=secret", "N=--" + "-" + "x", "R=$A$$", "S=$A$$"}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if text, err := variable.ExpandRunner("image:$A-$F-${NO}", c.Get, func(string) string { return "path" }); text != "image:A-path-" || err != nil {
		t.Errorf("%q %v", text, err)
	}
}

func TestServerThenRunner(t *testing.T) {
	job := variable.New(vars("OUT=$CI_PROJECT_DIR/out", "PKG=$OUT/pkg", "raw:RAW=raw-$OUT", "USES=$RAW", "COST=5$$")...)
	sent, faults := job.Expand(variable.ForRunner)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	values, _ := sent.With(vars("predefined:CI_PROJECT_DIR=/builds/p")...).Runner(nil)
	got := map[string]string{}
	for _, v := range values {
		got[v.Name] = v.Value
	}
	for name, want := range map[string]string{"OUT": "/builds/p/out", "PKG": "/builds/p/out/pkg", "RAW": "raw-$OUT", "USES": "raw-$OUT", "COST": "5$"} {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
}

func TestExpandPath(t *testing.T) {
	get := variable.New(vars("A=a", "B=b/c", "EMPTY=", "FILE=x.tar.gz", "LONG="+strings.Repeat("a", 5000))...)
	env := func(name string) string { v, _ := get.Value(name); return v }
	for text, want := range map[string]string{
		"plain/*": "plain/*", "$A/${B}": "a/b/c", "${NO:-d}/x": "d/x", "${EMPTY:-d}": "d", "${A:+yes}": "yes", "${FILE%.gz}": "x.tar", "${FILE%%.*}": "x", "${FILE#*.}": "tar.gz", "${B/c/d}": "b/d", "${B//[a-c]/_}": "_/_", "${#B}": "3", "$NO": "",
		`\$A`: "$A", "**/${A}[0-9]": "**/a[0-9]", "${NO:-${A:-x}}": "a",
	} {
		if got, err := variable.ExpandPath(text, env); got != want || err != nil {
			t.Errorf("%s = %q (%v), want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"$(touch x)", "`touch x`", "${A", "${NO:=x}", "${NO:?missing}", "${A/a/${A/a/b}}", "$LONG", strings.Repeat("$A", 3000), strings.Repeat("${A/a/b}", 5), "${A:-${A:-${A:-${A:-${A}}}}}"} {
		got, err := variable.ExpandPath(text, env)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != variable.CodePath || got != text {
			t.Errorf("%.30s: %q %v", text, got, err)
		}
	}
}

func TestPropertyRunnerExpandsLikeGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"$", "${", "}", "A", "B_1", "é", "-", "$A", "${A}", "$$", "{", " ", "1"}), 0, 10).Draw(t, "text"), "")
		values := map[string]string{"A": "x", "B_1": "$A", "AA": "}"}
		want := os.Expand(text, func(name string) string {
			if name == "$" {
				return "$"
			}
			return values[name]
		})
		got, err := variable.ExpandRunner(text, func(name string) (plan.Variable, bool) { v, ok := values[name]; return plan.Variable{Value: v}, ok }, nil)
		if got != want || err != nil {
			t.Fatalf("%q: %q (%v), os.Expand says %q", text, got, err, want)
		}
	})
}

// Whatever refers to whatever: expansion ends, and without a circle no reference to a defined variable is left.
func TestPropertyExpansionEnds(t *testing.T) {
	names := []string{"A", "B", "C", "D", "E"}
	rapid.Check(t, func(t *rapid.T) {
		var vs []plan.Variable
		for i := range rapid.IntRange(0, 8).Draw(t, "count") {
			value := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"$A", "${B}", "%C%", "$D", "x", "$$", "%%", "$E", "$NONE", "-"}), 0, 4).Draw(t, "value"), "")
			vs = append(vs, plan.Variable{Name: names[rapid.IntRange(0, 4).Draw(t, "name")], Value: value, Level: plan.Level(i % 3)})
		}
		c := variable.New(vs...)
		after, faults := c.Expand(variable.Options{})
		if len(faults) > 0 {
			if show(after) != show(c) {
				t.Fatalf("a circle changed something: %s, %s", show(c), show(after))
			}
			return
		}
		for _, v := range after.Effective() {
			if refs := variable.References(v.Value); len(refs) > 0 {
				t.Fatalf("%s=%s still refers to %v", v.Name, v.Value, refs)
			}
		}
		again, faults := after.Expand(variable.Options{})
		if len(faults) > 0 || show(again) != show(after) {
			t.Fatalf("expanding twice: %s, %s", show(after), show(again))
		}
	})
}

func FuzzExpand(f *testing.F) {
	for _, w := range worlds {
		f.Add(strings.Join(w.in, "\n"), "$v${v2}%v3%$$")
	}
	f.Add("A=${", "${A:-$B}")
	f.Fuzz(func(t *testing.T, list, text string) {
		c := variable.New(vars(strings.Split(list, "\n")...)...)
		after, _ := c.Expand(variable.ForRunner)
		if _, err := variable.Expand(text, after.Get); err != nil && len(text) < 100 && len(list) < 1000 {
			t.Fatal(err)
		}
		after.Runner(nil)
		variable.ExpandPath(text, func(name string) string { v, _ := after.Value(name); return v }) //nolint:errcheck // any answer will do
	})
}
