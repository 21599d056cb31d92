package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func TestFaultReadsAsOneLine(t *testing.T) {
	f := fault.At("SL1201", fault.Place{File: ".gitlab-ci.yml", Line: 12, Column: 9}, "job %q needs %q, which does not exist", "ship", "tset").
		WithHint("did you mean %q?", "test")
	want := `.gitlab-ci.yml:12:9: job "ship" needs "tset", which does not exist [SL1201] - did you mean "test"?`
	if got := f.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestListSortsByPlaceAndTellsEachOnce(t *testing.T) {
	var l fault.List
	l.Add(fault.At("B", fault.Place{File: "a", Line: 2}, "second"), nil, fault.At("A", fault.Place{File: "a", Line: 1}, "first"))
	l.AddError(fmt.Errorf("wrapped: %w", fault.At("B", fault.Place{File: "a", Line: 2}, "second")))
	l.AddError(errors.New("plain"))
	got := l.Err().Error()
	if want := "plain\na:1: first [A]\na:2: second [B]"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRemarksAreNoError(t *testing.T) {
	var l fault.List
	l.Add(fault.New("W", "mind this").WithSeverity(fault.Warning))
	if err := l.Err(); err != nil {
		t.Errorf("a warning became an error: %v", err)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"build", "test", "deploy", "test-integration"}
	for in, want := range map[string]string{"tset": "test", "biuld": "build", "deplyo": "deploy", "cleanup": "", "test": ""} {
		if got := fault.Nearest(in, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", in, got, want)
		}
	}
}
