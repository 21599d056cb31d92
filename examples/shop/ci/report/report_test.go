package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGather(t *testing.T) {
	events := strings.Join([]string{
		`{"Action":"start","Package":"m/a"}`,
		`{"Action":"run","Package":"m/a","Test":"TestGood"}`,
		`{"Action":"pass","Package":"m/a","Test":"TestGood","Elapsed":0.25}`,
		`{"Action":"run","Package":"m/a","Test":"TestBad"}`,
		`{"Action":"output","Package":"m/a","Test":"TestBad","Output":"    a_test.go:3: got \u001b[31m<1>\n"}`,
		`{"Action":"fail","Package":"m/a","Test":"TestBad","Elapsed":1}`,
		`{"Action":"run","Package":"m/a","Test":"TestLater"}`,
		`{"Action":"output","Package":"m/a","Test":"TestLater","Output":"    not yet\n"}`,
		`{"Action":"skip","Package":"m/a","Test":"TestLater"}`,
		`{"Action":"fail","Package":"m/a","Elapsed":2}`,
		`{"ImportPath":"m/b","Action":"build-output","Output":"b.go:1: no\n"}`,
		`{"Action":"output","Package":"m/b","Output":"FAIL m/b [build failed]\n"}`,
		`{"Action":"fail","Package":"m/b","Elapsed":0}`,
		`go: a warning`,
	}, "\n")
	var shown strings.Builder
	all, err := gather(strings.NewReader(events), &shown)
	if err != nil {
		t.Fatal(err)
	}
	if all.Tests != 4 || all.Failures != 2 || all.Suites[0].Skipped != 1 || all.Suites[0].Time != 2 {
		t.Errorf("got %+v and %+v", all, all.Suites[0])
	}
	for _, want := range []string{"a_test.go:3", "b.go:1: no", "go: a warning"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("%q was not shown: %s", want, shown.String())
		}
	}
	text, err := xml.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(text, new(suites)); err != nil {
		t.Errorf("not XML: %v\n%s", err, text)
	}
	for _, want := range []string{`name="TestBad"`, "&lt;1&gt;", `<skipped message="not yet">`, "[build failed]"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("lacks %s: %s", want, text)
		}
	}
}

func TestCoverage(t *testing.T) {
	p, err := readProfile(strings.NewReader("mode: set\nm/a/x.go:1.1,3.2 4 1\nm/a/x.go:5.1,5.9 1 0\nm/a/x.go:5.1,5.9 1 1\nm/b/y.go:1.1,2.2 5 0\n"))
	if err != nil {
		t.Fatal(err)
	}
	if p.statements != 10 || p.owned != 5 {
		t.Errorf("%d of %d statements, want 5 of 10", p.owned, p.statements)
	}
	c := p.cobertura("m", "/src")
	if c.Valid != 6 || c.Covered != 4 || len(c.Packages) != 2 || c.Packages[0].Files[0].File != "a/x.go" || c.Packages[1].LineRate != 0 {
		t.Errorf("got %+v", c)
	}
	for _, bad := range []string{"x.go 1", "x.go:1.1,2 3", "x.go:9.1,2.1 1 1"} {
		if _, err := readProfile(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestPlan(t *testing.T) {
	out := filepath.Join(t.TempDir(), "plan.json")
	in := `{"resource_changes":[{"change":{"actions":["create"]}},{"change":{"actions":["delete","create"]}},{"change":{"actions":["no-op"]}},{"change":{"actions":["update"]}}]}`
	if err := plan(strings.NewReader(in), out, new(strings.Builder)); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(out); string(text) != `{"create":2,"update":1,"delete":1}`+"\n" {
		t.Errorf("got %s", text)
	}
}

func TestSecrets(t *testing.T) {
	// Put together here, so that this file holds none.
	aws, lab := "AKIA"+strings.Repeat("Z", 16), "glpat-"+strings.Repeat("x", 20)
	worlds := map[string]struct {
		text  string
		lines []int
	}{
		"nothing":             {"hello\n", nil},
		"an AWS key":          {"a\nkey = " + aws + "\n", []int{2}},
		"two in one file":     {lab + "\nb\n-----BEGIN RSA " + "PRIVATE KEY-----\n", []int{1, 3}},
		"a password":          {`pass` + `word: "hunter2hunter2"`, []int{1}},
		"a variable, allowed": {`pass` + `word: "${DATABASE_PASSWORD}"`, nil},
		"allowed by a remark": {aws + " # secret-scan: allow", nil},
		"not text":            {"\x00" + aws, nil},
	}
	for name, w := range worlds {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "f"), []byte(w.text), 0o600); err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(t.TempDir(), "r", "report.json")
			var said strings.Builder
			err := secrets(dir, out, &said)
			if errors.Is(err, errFound) != (len(w.lines) > 0) || err != nil && !errors.Is(err, errFound) {
				t.Errorf("got %v", err)
			}
			var r struct {
				Version         string
				Vulnerabilities []finding
			}
			text, _ := os.ReadFile(out)
			if err := json.Unmarshal(text, &r); err != nil || r.Version == "" || r.Vulnerabilities == nil {
				t.Fatalf("%v: %s", err, text)
			}
			var lines []int
			for _, f := range r.Vulnerabilities {
				lines = append(lines, f.Location.Line)
			}
			if len(lines) != len(w.lines) || len(lines) > 0 && lines[0] != w.lines[0] {
				t.Errorf("lines %v, want %v", lines, w.lines)
			}
			if strings.Contains(said.String()+string(text), aws) {
				t.Error("it told the secret")
			}
		})
	}
}
