package expr_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"pgregory.net/rapid"
)

func TestTruthiness(t *testing.T) {
	for _, v := range []expr.Value{expr.Null(), {}, expr.Bool(false), expr.Number(0), expr.Number(math.Copysign(0, -1)), expr.Number(math.NaN()), expr.String("")} {
		if v.Truthy() {
			t.Errorf("%s counts as true", v.JSON(false))
		}
	}
	for _, v := range []expr.Value{expr.Bool(true), expr.Number(-1), expr.Number(math.Inf(-1)), expr.String(" "), expr.String("false"), expr.String("0"), expr.Array(), expr.NewObject()} {
		if !v.Truthy() {
			t.Errorf("%s counts as false", v.JSON(false))
		}
	}
}

func TestTextIsReadAsANumber(t *testing.T) {
	nan := math.NaN()
	for in, want := range map[string]float64{
		"": 0, "  \t\n": 0, "12": 12, " -1.5e3 ": -1500, "+7": 7, ".5": 0.5, "1.": 1, "0xff": 255, "0xFFFFFFFF": -1, "0x1FFFFFFFF": nan, "0x": nan, "0XFF": nan, "0o17": 15, "0o8": nan, "0o37777777777": -1, "0b1": nan,
		"Infinity": math.Inf(1), "-infinity": math.Inf(-1), "+Infinity": math.Inf(1), "Inf": nan, "NaN": nan, "1e400": math.Inf(1), "-1e400": math.Inf(-1), "1e-400": 0, "1e": nan, "1e+": nan, "e1": nan, ".": nan, "-": nan, "1 2": nan,
		"1,000": nan, "1_000": nan, "0x+1": nan, "0x-1": nan, "0o+1": nan, "0x1p4": nan, "１": nan, "true": nan, "00012": 12, "--1": nan,
	} {
		if got := expr.ParseNumber(in); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%q is %v, want %v", in, got, want)
		}
	}
}

func TestNumbersAreWrittenShortAndReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "f")
		text := expr.FormatNumber(f)
		back := expr.ParseNumber(text)
		largest := math.Abs(f) > 1.79769313486231e308 // 15 digits of it are more than there is
		if math.Abs(back-f) > math.Abs(f)*1e-14 && f != back && !largest {
			t.Fatalf("%v is written %s", f, text)
		}
		if expr.FormatNumber(back) != text && !largest {
			t.Fatalf("%s is written %s the second time", text, expr.FormatNumber(back))
		}
		// A slow reference: 15 digits from the standard library, put together by hand.
		if want := slowG15(f); text != want {
			t.Fatalf("%v is written %s, want %s", f, text, want)
		}
	})
}

// slowG15 is .NET's G15 written down rule by rule.
func slowG15(f float64) string {
	if f == 0 {
		return "0"
	}
	if f < 0 {
		return "-" + slowG15(-f)
	}
	digits, exp, _ := strings.Cut(strconv.FormatFloat(f, 'e', 14, 64), "e")
	n, _ := strconv.Atoi(exp)
	digits = strings.TrimRight(strings.Replace(digits, ".", "", 1), "0")
	switch {
	case n >= 15 || n < -4:
		out := digits[:1]
		if len(digits) > 1 {
			out += "." + digits[1:]
		}
		return out + fmt.Sprintf("E%+03d", n)
	case n < 0:
		return "0." + strings.Repeat("0", -n-1) + digits
	case len(digits) <= n+1:
		return digits + strings.Repeat("0", n+1-len(digits))
	default:
		return digits[:n+1] + "." + digits[n+1:]
	}
}

func TestObjectsKeepOrderAndIgnoreCase(t *testing.T) {
	v := expr.NewObject(expr.Pair{Key: "b", Value: expr.Number(1)}, expr.Pair{Key: "A", Value: expr.Number(2)}, expr.Pair{Key: "B", Value: expr.Number(3)})
	if got := v.JSON(false); got != `{"b":3,"A":2}` {
		t.Errorf("got %s", got)
	}
	if !slices.Equal(v.Keys(), []string{"b", "A"}) || v.Len() != 2 || v.Get("a").Number() != 2 || !v.Get("x").IsNull() {
		t.Errorf("got %v", v.Keys())
	}
	cased := expr.ObjectBuilder{Cased: true}
	env := cased.Set("Path", expr.Number(1)).Set("PATH", expr.Number(2)).Value()
	if env.Len() != 2 || env.Get("Path").Number() != 1 || !env.Get("path").IsNull() {
		t.Errorf("a cased object: %s", env.JSON(false))
	}
	if cased.Value().Len() != 0 {
		t.Error("the builder is not empty afterwards")
	}
}

func TestValuesDoNotChange(t *testing.T) {
	in := []expr.Value{expr.Number(1)}
	v := expr.Array(in...)
	in[0] = expr.Number(2)
	v.Items()[0] = expr.Number(3)
	if got := v.JSON(false); got != "[1]" {
		t.Errorf("got %s", got)
	}
}

func TestGoValuesBecomeValues(t *testing.T) {
	in := map[string]any{"z": nil, "a": []any{true, 1, int64(2), uint64(3), 1.5, "s", json.Number("4")}, "m": map[string]string{"k": "v"}, "l": []string{"x"}, "v": expr.Bool(true), "d": struct{}{}, "vs": []expr.Value{expr.Null()}, "mv": map[string]expr.Value{"q": expr.Null()}}
	want := `{"a":[true,1,2,3,1.5,"s",4],"d":"{}","l":["x"],"m":{"k":"v"},"mv":{"q":null},"v":true,"vs":[null],"z":null}`
	if got := expr.FromAny(in).JSON(false); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if got := fmt.Sprint(expr.FromAny(in).Get("a").Any()); got != "[true 1 2 3 1.5 s 4]" {
		t.Errorf("back: %s", got)
	}
}

func TestJSONIsPrintedAsTheRunnerDoes(t *testing.T) {
	v := expr.NewObject(
		expr.Pair{Key: "quote\"", Value: expr.String("a\\b\n\r\t\b\f\x00\x1f\x7f</&'>é😊\u0085\u2028\u2029")},
		expr.Pair{Key: "empty", Value: expr.Array(expr.Array(), expr.NewObject())},
		expr.Pair{Key: "n", Value: expr.Array(expr.Number(1e21), expr.Number(math.NaN()), expr.Null(), expr.Bool(false))},
	)
	want := `{
  "quote\"": "a\\b\n\r\t\b\f\u0000\u001f` + "\x7f" + `</&'>é😊\u0085\u2028\u2029",
  "empty": [
    [],
    {}
  ],
  "n": [
    1E+21,
    NaN,
    null,
    false
  ]
}`
	if got := v.JSON(true); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestJSONIsReadAsTheRunnerDoes(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":{"b":[1,-2.5e1,"x",true,false,null]}}`: `{"a":{"b":[1,-25,"x",true,false,null]}}`,
		"\ufeff [ ] ":                         `[]`,
		`{'a':'it\'s'}`:                       `{"a":"it's"}`,
		`{a: 1, $b_1: 2, c-d: 3,}`:            `{"a":1,"$b_1":2,"c-d":3}`,
		`[1, /* no */ 2, // end` + "\n" + `]`: `[1,2]`,
		`"\u00e9\ud83d\ude0a\/\u0041"`:        `"é😊/A"`,
		`"\ud800x"`:                           `"` + "\ufffd" + `x"`,
		`[NaN,Infinity,-Infinity,undefined]`:  `[NaN,Infinity,-Infinity,null]`,
		`0x1F`:                                `31`,
		`-010`:                                `-8`,
		`1e999`:                               `Infinity`,
		`{"a":1,"A":{"x":2}}`:                 `{"a":{"x":2}}`,
		"\"a\tb\nc\"":                         `"a\tb\nc"`,
	} {
		v, err := expr.FromJSON([]byte(in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
		} else if got := v.JSON(false); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"": "a value is missing at line 1, column 1", "[1,\n 2": "a ] is missing at line 2, column 3", `{"a" 1}`: `a : is missing after the name "a"`, `{"a":1 "b":2}`: "a , or } is missing", `{1`: "a : is missing", "{,}": "the name of a property is missing",
		"True": `unexpected "True"`, "1 2": "something follows", "+1": `unexpected "+1"`, "1.2.3": `unexpected "1.2.3"`, `"a`: "has no end", `"\x"`: "escape is not valid", `"\u12"`: "escape is not valid", "[,]": "unexpected character ','", "é!": `unexpected "é"`, "/* a": "unexpected character '/'",
		strings.Repeat("[", 102): "levels deep", "}": "unexpected character '}'", "=": "unexpected character '='",
	} {
		if _, err := expr.FromJSON([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: got %v, want %q", in, err, want)
		}
	}
}

func TestJSONOfGoIsReadTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := value(t, 3)
		text := v.JSON(rapid.Bool().Draw(t, "indent"))
		back, err := expr.FromJSON([]byte(text))
		if err != nil || back.JSON(false) != v.JSON(false) {
			t.Fatalf("%s: %v %s", text, err, back.JSON(false))
		}
		// The standard library reads it, too, and to the same values.
		var std any
		if err := json.Unmarshal([]byte(text), &std); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if a, b := fmt.Sprint(std), fmt.Sprint(back.Any()); a != b {
			t.Fatalf("%s\n%s\n%s", text, a, b)
		}
	})
}

// value draws a value without NaN and infinities. Names of objects differ by more than case.
func value(t *rapid.T, depth int) expr.Value {
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	if depth == 0 {
		kind %= 4
	}
	switch kind {
	case 0:
		return expr.Null()
	case 1:
		return expr.Bool(rapid.Bool().Draw(t, "bool"))
	case 2:
		return expr.Number(float64(rapid.IntRange(-1e9, 1e9).Draw(t, "int")) / 8)
	case 3:
		return expr.String(rapid.String().Draw(t, "text"))
	case 4:
		items := make([]expr.Value, rapid.IntRange(0, 3).Draw(t, "n"))
		for i := range items {
			items[i] = value(t, depth-1)
		}
		return expr.Array(items...)
	default:
		b := expr.ObjectBuilder{}
		for i := range rapid.IntRange(0, 3).Draw(t, "n") {
			b.Set(fmt.Sprint(i, rapid.StringMatching(`[a-z "é]*`).Draw(t, "key")), value(t, depth-1))
		}
		return b.Value()
	}
}

func TestEqualityAndOrderAgreeWithASlowReference(t *testing.T) {
	samples := []expr.Value{
		expr.Null(), expr.Bool(true), expr.Bool(false), expr.Number(0), expr.Number(1), expr.Number(math.NaN()), expr.Number(12), expr.String(""), expr.String("a"), expr.String("A"), expr.String("12"), expr.String("0xC"), expr.String("1"),
		expr.Array(), expr.NewObject(), expr.String("ß"), expr.String("SS"), expr.String("\U0001F60A"), expr.String("\uFFFD"),
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SampledFrom(samples).Draw(t, "a"), rapid.SampledFrom(samples).Draw(t, "b")
		if rapid.Bool().Draw(t, "free") {
			a = value(t, 1)
		}
		equal, less, more := expr.Equal(a, b), expr.Less(a, b), expr.Less(b, a)
		if equal != expr.Equal(b, a) {
			t.Fatalf("equality is not symmetric: %s %s", a.JSON(false), b.JSON(false))
		}
		if equal && (less || more) || less && more {
			t.Fatalf("%s and %s: equal %v, less %v, more %v", a.JSON(false), b.JSON(false), equal, less, more)
		}
		if a.Kind() != b.Kind() && a.Kind() < expr.KindArray && b.Kind() < expr.KindArray {
			x, y := a.Number(), b.Number()
			if equal != (x == y) || less != (x < y) {
				t.Fatalf("%s and %s are not compared as numbers", a.JSON(false), b.JSON(false))
			}
		}
		if (a.Kind() >= expr.KindArray) != (b.Kind() >= expr.KindArray) && (equal || less || more) {
			t.Fatalf("%s and %s are comparable", a.JSON(false), b.JSON(false))
		}
	})
}
