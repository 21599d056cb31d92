package report_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func archives(t testing.TB, pattern string) map[string]*txtar.Archive {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	out := map[string]*txtar.Archive{}
	for _, file := range files {
		if out[file], err = txtar.ParseFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func golden(t *testing.T, file string, a *txtar.Archive, name, got string) {
	t.Helper()
	last := &a.Files[len(a.Files)-1]
	if *update {
		if last.Name != name {
			a.Files = append(a.Files, txtar.File{Name: name})
			last = &a.Files[len(a.Files)-1]
		}
		last.Data = []byte(got)
		if err := os.WriteFile(file, txtar.Format(a), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if last.Name != name || string(last.Data) != got {
		t.Errorf("got\n%s\nwant\n%s", got, last.Data)
	}
}

func kindOf(a *txtar.Archive) string {
	first, _, _ := strings.Cut(string(a.Comment), "\n")
	return strings.TrimPrefix(first, "kind: ")
}

// show is a report as JSON, the faults in their own words.
func show(r report.Report, err error) string {
	var out strings.Builder
	faults := r.Faults
	r.Faults = nil
	e := json.NewEncoder(&out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		panic(err)
	}
	for _, f := range faults {
		fmt.Fprintf(&out, "%s: %s\n", f.Severity, f.Error())
	}
	if err != nil {
		fmt.Fprintln(&out, "refused")
	}
	return out.String()
}

func TestReportsAreRead(t *testing.T) {
	for file, a := range archives(t, "testdata/read/*.txtar") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			got := show(report.Read(kindOf(a), a.Files[0].Name, strings.NewReader(string(a.Files[0].Data))))
			golden(t, file, a, "read", got)
		})
	}
}

func TestErrorsAndReportsBelongTogether(t *testing.T) {
	for file, a := range archives(t, "testdata/read/*.txtar") {
		r, err := report.Read(kindOf(a), a.Files[0].Name, strings.NewReader(string(a.Files[0].Data)))
		if (err != nil) != r.Faults.HasErrors() {
			t.Errorf("%s: error %v, faults %v", file, err, r.Faults)
		}
		for _, f := range r.Faults {
			if f.Place.File != a.Files[0].Name || !strings.HasPrefix(f.Code, "SL40") {
				t.Errorf("%s: %s has no place or code", file, f)
			}
		}
	}
}

func TestEveryCodeIsExplained(t *testing.T) {
	used := map[string]bool{}
	for _, a := range archives(t, "testdata/read/*.txtar") {
		r, _ := report.Read(kindOf(a), "x", strings.NewReader(string(a.Files[0].Data)))
		for _, f := range r.Faults {
			used[f.Code] = true
		}
	}
	explained := map[string]bool{}
	for _, d := range report.Docs {
		if explained[d.Code] || d.Summary == "" || d.Text == "" {
			t.Errorf("%s is explained twice or with nothing", d.Code)
		}
		explained[d.Code] = true
	}
	for code := range used {
		if !explained[code] {
			t.Errorf("%s is not explained", code)
		}
	}
}

func TestEveryKindIsReadOrSaysThatItIsNot(t *testing.T) {
	for _, kind := range report.Kinds() {
		r, err := report.Read(kind, "file", strings.NewReader("\x00 what is this?"))
		if err == nil && len(r.Faults) == 0 {
			t.Errorf("%s takes anything", kind)
		}
		if r.Kind != kind || r.Name != "file" {
			t.Errorf("%s came back as %s %s", kind, r.Kind, r.Name)
		}
	}
	if !report.Strict("dotenv") || !report.Strict("annotations") || report.Strict("junit") || report.Strict("none") {
		t.Error("GitLab refuses broken dotenv and annotations reports, and no others")
	}
}

func TestAReadersErrorIsPassedOn(t *testing.T) {
	broken := errors.New("the disk is gone")
	_, err := report.Read("junit", "report.xml", iotest.ErrReader(broken))
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "report.xml") {
		t.Errorf("got %v", err)
	}
}

// repeat reads a text over and over, up to n bytes, between a beginning and an end.
func repeat(before, text, after string, n int64) io.Reader {
	text = strings.Repeat(text, 4096)
	return io.MultiReader(strings.NewReader(before), io.LimitReader(&loop{text: text}, n/int64(len(text))*int64(len(text))), strings.NewReader(after))
}

type loop struct {
	text string
	at   int
}

func (l *loop) Read(p []byte) (int, error) {
	n := copy(p, l.text[l.at:])
	l.at = (l.at + n) % len(l.text)
	return n, nil
}

func TestHostileReportsAreBounded(t *testing.T) {
	const many = 512 << 10
	cases := map[string]struct {
		kind string
		in   io.Reader
		code string
	}{
		"elements without end":     {"junit", repeat("<testsuite>", "<a>", "", many), report.CodeTooDeep},
		"attributes without end":   {"junit", repeat("<testsuite><testcase", ` a=""`, "/></testsuite>", 2<<20), report.CodeTooDeep},
		"a text without end":       {"junit", repeat("<testsuite><testcase name='x'><failure>", "blah ", "</failure></testcase></testsuite>", many), ""},
		"entities of entities":     {"junit", strings.NewReader(`<!DOCTYPE t [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><testsuite name="&b;"/>`), report.CodeMalformed},
		"a file from outside":      {"junit", strings.NewReader(`<!DOCTYPE t [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite name="&a;"/>`), report.CodeMalformed},
		"a file that is too large": {"annotations", repeat(`{"a":[`, "{},", "{}]}", many), report.CodeTooLarge},
		"many tests":               {"junit", repeat("<testsuite>", "<testcase name='x'/>", "</testsuite>", many), ""},
		"lists of lists":           {"codequality", repeat("", "[", "", many), report.CodeTooDeep},
		"objects of objects":       {"sast", repeat("", `{"a":`, "", many), report.CodeTooDeep},
		"many findings":            {"codequality", repeat("[", `{},`, "{}]", many), ""},
		"a key without end":        {"terraform", repeat(`{"`, "a", `":1}`, many), report.CodeShape},
		"many rules":               {"sarif", repeat(`{"runs":[{"tool":{"driver":{"rules":[`, `{"id":"a"},`, `{}]}}}]}`, many), ""},
		"many mistakes":            {"terraform", repeat("{", `"create":"x",`, `"update":0,"delete":0}`, many), report.CodeShape},
		"many variables":           {"dotenv", repeat("", "A=1\n", "", many), report.CodeTooLarge},
		"many lines":               {"metrics", repeat("", "a\n", "", many), ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r, err := report.Read(c.kind, "report", c.in)
			if got := fault.CodeOf(first(err)); got != c.code {
				t.Errorf("got %q (%v), want %q", got, err, c.code)
			}
			if len(r.Faults) > 60 {
				t.Errorf("%d faults are told", len(r.Faults))
			}
			if r.Tests != nil {
				for _, c := range r.Tests.Cases {
					if len(c.Output) > 20<<10 {
						t.Errorf("a message of %d bytes is kept", len(c.Output))
					}
				}
			}
		})
	}
}

// first is the first fault that is an error.
func first(err error) error {
	fs, _ := errors.AsType[fault.Faults](err)
	for _, f := range fs {
		if f.Severity == fault.Error {
			return f
		}
	}
	return err
}

func TestLimitsAreKept(t *testing.T) {
	many := "<testsuite>" + strings.Repeat("<testcase name='a'/><testcase name='b'><failure>no</failure></testcase>", 1)
	for i := range 30 {
		many += fmt.Sprintf("<testcase name='n%d'/>", i)
	}
	r, err := report.ReadLimited("junit", "r.xml", strings.NewReader(many+"</testsuite>"), report.Limits{Entries: 10})
	if err != nil || r.Tests.Total != 32 || len(r.Tests.Cases) != 10 {
		t.Errorf("%v: %d of %d tests are kept", err, len(r.Tests.Cases), r.Tests.Total)
	}
	if len(r.Faults) != 1 || r.Faults[0].Code != report.CodeTooMany {
		t.Errorf("got %v", r.Faults)
	}
	variables := ""
	for i := range 151 {
		variables += fmt.Sprintf("V%d=x\n", i)
	}
	for _, c := range []struct{ have, limit, kept, errors, warnings int }{{20, 0, 20, 0, 0}, {21, 0, 21, 0, 1}, {150, 0, 150, 0, 1}, {151, 0, 150, 1, 0}, {21, 20, 20, 1, 0}} {
		text := strings.Join(strings.SplitAfter(variables, "\n")[:c.have], "")
		r, err := report.ReadLimited("dotenv", "d.env", strings.NewReader(text), report.Limits{Variables: c.limit})
		if len(r.Variables) != c.kept || (err != nil) != (c.errors > 0) || len(r.Faults) != c.errors+c.warnings {
			t.Errorf("%d variables, limit %d: %d are kept, %v, %v", c.have, c.limit, len(r.Variables), err, r.Faults)
		}
	}
	for _, size := range []int{5119, 5120} {
		r, err := report.Read("dotenv", "d.env", strings.NewReader("A=1\nB="+strings.Repeat("x", size-6)))
		if (err == nil) != (size < 5120) || len(r.Variables) == 0 {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestEncodings(t *testing.T) {
	cases := map[string]string{
		"UTF-8 with a mark": "\xef\xbb\xbf<testsuite><testcase name=\"grün\"/></testsuite>",
		"Latin 1":           "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><testsuite><testcase name=\"gr\xfcn\"/></testsuite>",
		"Windows":           "<?xml version='1.0' encoding='windows-1252'?><testsuite><testcase name=\"gr\xfcn\"/></testsuite>",
		"UTF-16":            utf16("<?xml version=\"1.0\" encoding=\"UTF-16\"?><testsuite><testcase name=\"grün\"/></testsuite>"),
	}
	for name, in := range cases {
		r, err := report.Read("junit", "r.xml", strings.NewReader(in))
		if err != nil || r.Tests == nil || len(r.Tests.Cases) != 1 || r.Tests.Cases[0].Name != "grün" {
			t.Errorf("%s: %v %+v", name, err, r.Tests)
		}
	}
	for name, in := range map[string]string{"UTF-16": utf16("A=1\n"), "Latin 1": "A=gr\xfcn\n"} {
		if _, err := report.Read("dotenv", "d.env", strings.NewReader(in)); err == nil {
			t.Errorf("a dotenv report in %s is taken", name)
		}
	}
}

func utf16(s string) string {
	out := "\xff\xfe"
	for _, r := range s {
		out += string([]byte{byte(r), byte(r >> 8)})
	}
	return out
}
