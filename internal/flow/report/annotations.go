package report

import (
	"net/url"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Link is an external_link that a job adds to its page.
type Link struct {
	Section string `json:"section"` // the list that it stands in
	Label   string `json:"label"`
	URL     string `json:"url"` // http or https
}

// mostAnnotations is how many lists an annotations report may have.
const mostAnnotations = 20

// readAnnotations reads links ("GitLab CI/CD artifacts reports types, artifacts:reports:annotations"): an object of
// lists of objects with one key, the type of annotation. There is one type, external_link.
func readAnnotations(s *source) {
	t := newTree(s)
	lists, other := 0, 0
	ok := t.object(func(section string) {
		if lists++; lists > mostAnnotations {
			t.skip()
			return
		}
		listed := t.array(func() {
			t.object(func(kind string) {
				if kind != "external_link" {
					other++
					t.skip()
					return
				}
				readLink(t, name(section))
			})
		})
		if !listed && !t.failed {
			s.fault(CodeShape, t.decoder.InputOffset(), "the annotations %q are not a list", name(section))
		}
	})
	t.end()
	switch {
	case !ok && !t.failed:
		s.fault(CodeShape, 0, "the annotations report is not a JSON object of lists")
	case lists > mostAnnotations:
		s.fault(CodeShape, -1, "the annotations report has %d lists; %d are allowed at most", lists, mostAnnotations)
	}
	if other > 0 {
		s.fault(CodeShape, -1, "%s of another type than external_link", plural(other, "annotation is", "annotations are"))
	}
}

func readLink(t *tree, section string) {
	l := Link{Section: section}
	at := t.decoder.InputOffset()
	t.object(func(key string) {
		switch key {
		case "label":
			l.Label = name(t.text())
		case "url":
			l.URL = name(t.text())
		default:
			t.skip()
		}
	})
	if t.failed {
		return
	}
	u, err := url.Parse(l.URL)
	switch {
	case l.Label == "" || l.URL == "":
		t.s.remark(fault.Warning, CodeLink, at, "a link lacks its label or url and is left out")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		t.s.remark(fault.Warning, CodeLink, at, "the link %q leads to no http or https URL and is left out", l.Label)
	case t.s.keep(len(t.s.report.Links)):
		t.s.report.Links = append(t.s.report.Links, l)
	}
}
