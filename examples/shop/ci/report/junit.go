package main

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// event is a line of `go test -json`.
type event struct {
	Action     string
	Package    string
	ImportPath string // of a build's output
	Test       string
	Output     string
	Elapsed    float64
}

// The JUnit elements that GitLab reads.
type (
	suites struct {
		XMLName  xml.Name `xml:"testsuites"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Suites   []*suite `xml:"testsuite"`
	}
	suite struct {
		Name     string  `xml:"name,attr"`
		Tests    int     `xml:"tests,attr"`
		Failures int     `xml:"failures,attr"`
		Skipped  int     `xml:"skipped,attr"`
		Time     float64 `xml:"time,attr"`
		Cases    []*one  `xml:"testcase"`

		output strings.Builder // of the package, outside of its tests
	}
	one struct {
		Class   string  `xml:"classname,attr"`
		Name    string  `xml:"name,attr"`
		Time    float64 `xml:"time,attr"`
		Failure *told   `xml:"failure,omitempty"`
		Skipped *told   `xml:"skipped,omitempty"`

		output strings.Builder
	}
	told struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// test runs `go test -json` with args, shows what it says as it says it, and writes the JUnit report whatever the end.
func test(name, out string, args []string, stdout io.Writer) error {
	command := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	command.Stderr = os.Stderr
	pipe, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	all, err := gather(pipe, stdout)
	ended := command.Wait()
	if err != nil {
		return err
	}
	text, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := save(out, append([]byte(xml.Header), text...)); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: %d tests, %d failed\n", name, all.Tests, all.Failures)
	var exit *exec.ExitError
	if errors.As(ended, &exit) {
		return errFound
	}
	return ended
}

// gather reads events and passes their output on.
func gather(events io.Reader, stdout io.Writer) (*suites, error) {
	all := &suites{}
	packages := map[string]*suite{}
	tests := map[string]*one{}
	lines := bufio.NewScanner(events)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil { // not an event: a message of the go command
			fmt.Fprintln(stdout, lines.Text())
			continue
		}
		if e.Action == "output" || e.Action == "build-output" {
			if _, err := io.WriteString(stdout, e.Output); err != nil {
				return nil, err
			}
		}
		if e.Package == "" {
			continue
		}
		s := packages[e.Package]
		if s == nil {
			s = &suite{Name: e.Package}
			packages[e.Package] = s
			all.Suites = append(all.Suites, s)
		}
		if e.Test == "" {
			s.note(e)
			continue
		}
		key := e.Package + "\n" + e.Test
		t := tests[key]
		if t == nil {
			t = &one{Class: e.Package, Name: e.Test}
			tests[key] = t
			s.Cases = append(s.Cases, t)
		}
		t.note(e)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the tests' events: %w", err)
	}
	for _, s := range all.Suites {
		s.count()
		all.Tests += s.Tests
		all.Failures += s.Failures
	}
	return all, nil
}

// note takes in an event of the whole package. A package may fail without a failed test: it does not build, or panics outside of one.
func (s *suite) note(e event) {
	switch e.Action {
	case "output":
		s.output.WriteString(e.Output)
	case "pass", "skip", "fail":
		s.Time = e.Elapsed
		for _, c := range s.Cases {
			if c.Failure != nil {
				return
			}
		}
		if e.Action == "fail" {
			s.Cases = append(s.Cases, &one{Class: s.Name, Name: "(package)", Failure: &told{Message: "the package failed", Text: clean(s.output.String())}})
		}
	}
}

func (t *one) note(e event) {
	switch e.Action {
	case "output":
		t.output.WriteString(e.Output)
	case "pass":
		t.Time = e.Elapsed
	case "fail":
		t.Time = e.Elapsed
		t.Failure = &told{Message: "failed after " + time.Duration(e.Elapsed*float64(time.Second)).String(), Text: clean(t.output.String())}
	case "skip":
		t.Skipped = &told{Message: clean(strings.TrimSpace(t.output.String()))}
	}
}

func (s *suite) count() {
	for _, c := range s.Cases {
		s.Tests++
		if c.Failure != nil {
			s.Failures++
		}
		if c.Skipped != nil {
			s.Skipped++
		}
	}
}

// clean replaces what XML cannot hold.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
}
