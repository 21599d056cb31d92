package report

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// Components is what a software bill of materials lists.
type Components struct {
	Total  int            `json:"total"`
	ByType map[string]int `json:"by_type,omitempty"` // such as library and operating-system
}

// Requirements is which requirements a job has shown to be met.
type Requirements struct {
	Passed int `json:"passed"`
	Failed int `json:"failed"`
}

// readCycloneDX counts the components of a CycloneDX document, those in others too.
func readCycloneDX(s *source) {
	t := newTree(s)
	c := &Components{ByType: map[string]int{}}
	format := ""
	t.object(func(key string) {
		switch key {
		case "bomFormat":
			format = t.text()
		case "components":
			readComponents(t, c)
		default:
			t.skip()
		}
	})
	if format != "CycloneDX" && !t.failed {
		s.fault(CodeShape, 0, "the report is no CycloneDX document: bomFormat is %q", name(format))
	}
	t.end()
	s.report.Components = c
}

func readComponents(t *tree, c *Components) {
	t.array(func() {
		kind := "library"
		t.object(func(key string) {
			switch key {
			case "type":
				kind = name(t.text())
			case "components":
				readComponents(t, c)
			default:
				t.skip()
			}
		})
		if t.failed {
			return
		}
		c.Total++
		if _, known := c.ByType[kind]; known || len(c.ByType) < 100 {
			c.ByType[kind]++
		}
	})
}

// readRequirements reads {"1": "passed", "2": "failed"}, and {"*": "passed"} for all of them.
func readRequirements(s *source) {
	t := newTree(s)
	r := &Requirements{}
	s.report.Requirements = r
	other := 0
	ok := t.object(func(string) {
		switch t.text() {
		case "passed":
			r.Passed++
		case "failed":
			r.Failed++
		default:
			other++
		}
	})
	if !ok && !t.failed {
		s.fault(CodeShape, 0, "the requirements report is not an object of passed and failed")
	}
	t.end()
	if other > 0 {
		s.remark(fault.Warning, CodeEntry, -1, "%s neither passed nor failed", plural(other, "requirement is", "requirements are"))
	}
}
