package report

import (
	"encoding/xml"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Coverage is what a Cobertura or JaCoCo file says of the lines that tests ran.
type Coverage struct {
	Format  string  `json:"format"`          // cobertura or jacoco
	Percent float64 `json:"percent"`         // of all lines, 0 to 100
	Covered int     `json:"covered"`         // lines that ran
	Valid   int     `json:"valid"`           // lines that could have run
	Files   []File  `json:"files,omitempty"` // by path
}

// File is the coverage of one source file. The path is as the tool wrote it, with slashes.
type File struct {
	Path    string `json:"path"`
	Covered int    `json:"covered"`
	Valid   int    `json:"valid"`
}

// readCoverage tells the two formats apart by their first element. Whether it is the format that coverage_format
// says can be seen from Coverage.Format.
func readCoverage(s *source) {
	d := newDocument(s)
	root, ok := d.root("coverage", "report")
	switch {
	case !ok:
	case root.Name.Local == "coverage":
		readCobertura(d, root)
	default:
		readJaCoCo(d)
	}
}

// hits is which lines of which files ran. Tools write a line more than once: for its method, its class, its closure.
type hits struct {
	files  map[string]map[int]bool
	broken int
}

func (h *hits) line(path, number string, ran bool) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 {
		h.broken++
		return
	}
	lines := h.files[path]
	if lines == nil {
		lines = map[int]bool{}
		h.files[path] = lines
	}
	lines[n] = lines[n] || ran
}

// sum fills in the files and, where the report did not say, the totals.
func (h *hits) sum(s *source, c *Coverage) {
	covered, valid := 0, 0
	for _, path := range slices.Sorted(maps.Keys(h.files)) {
		f := File{Path: path, Valid: len(h.files[path])}
		for _, ran := range h.files[path] {
			if ran {
				f.Covered++
			}
		}
		covered, valid = covered+f.Covered, valid+f.Valid
		if s.keep(len(c.Files)) {
			c.Files = append(c.Files, f)
		}
	}
	if c.Valid == 0 {
		c.Covered, c.Valid = covered, valid
	}
	if c.Valid > 0 {
		c.Percent = 100 * float64(min(c.Covered, c.Valid)) / float64(c.Valid)
	}
	if h.broken > 0 {
		s.remark(fault.Warning, CodeEntry, -1, "%s left out: the number or the count is none", plural(h.broken, "line", "lines"))
	}
}

func readCobertura(d *document, root xml.StartElement) {
	a := attributes(root)
	c := &Coverage{Format: "cobertura", Percent: min(100*positive(a("line-rate")), 100), Covered: number(a("lines-covered")), Valid: number(a("lines-valid"))}
	d.s.report.Coverage = c
	h := hits{files: map[string]map[int]bool{}}
	path := ""
	for token := d.next(); token != nil; token = d.next() {
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		a := attributes(start)
		switch start.Name.Local {
		case "project":
			if len(h.files) == 0 && d.depth == 2 {
				d.s.fault(CodeShape, d.decoder.InputOffset(), "the coverage report is in Clover's format").WithHint("coverage_format is cobertura or jacoco; most tools can write one of them")
				d.s.report.Coverage = nil
				return
			}
		case "class":
			path = slashed(a("filename"))
		case "line":
			times, err := strconv.ParseFloat(a("hits"), 64)
			if err != nil || path == "" {
				h.broken++
				continue
			}
			h.line(path, a("number"), times > 0)
		}
	}
	h.sum(d.s, c)
}

// readJaCoCo reads lines by their covered instructions (ci), as GitLab does ("JaCoCo coverage report"). A path is made
// of the names of groups, package and source file.
func readJaCoCo(d *document) {
	c := &Coverage{Format: "jacoco"}
	d.s.report.Coverage = c
	h := hits{files: map[string]map[int]bool{}}
	var path []string
	for token := d.next(); token != nil; token = d.next() {
		switch t := token.(type) {
		case xml.StartElement:
			a := attributes(t)
			switch t.Name.Local {
			case "group", "package", "sourcefile":
				path = append(path, strings.Trim(slashed(a("name")), "/"))
			case "line":
				ran, err := strconv.Atoi(a("ci"))
				if err != nil {
					h.broken++
					continue
				}
				h.line(strings.Join(slices.DeleteFunc(slices.Clone(path), func(p string) bool { return p == "" }), "/"), a("nr"), ran > 0)
			case "counter":
				if d.depth == 2 && a("type") == "LINE" {
					c.Covered = number(a("covered"))
					c.Valid = c.Covered + number(a("missed"))
				}
			}
		case xml.EndElement:
			switch t.Name.Local {
			case "group", "package", "sourcefile":
				path = path[:len(path)-1]
			}
		}
	}
	h.sum(d.s, c)
}
