package main

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// The Cobertura elements that GitLab reads: lines by file.
type (
	cobertura struct {
		XMLName  xml.Name  `xml:"coverage"`
		LineRate float64   `xml:"line-rate,attr"`
		Covered  int       `xml:"lines-covered,attr"`
		Valid    int       `xml:"lines-valid,attr"`
		Version  string    `xml:"version,attr"`
		Source   string    `xml:"sources>source"`
		Packages []covered `xml:"packages>package"`
	}
	covered struct {
		Name     string  `xml:"name,attr"`
		LineRate float64 `xml:"line-rate,attr"`
		Files    []class `xml:"classes>class"`
	}
	class struct {
		Name     string  `xml:"name,attr"`
		File     string  `xml:"filename,attr"`
		LineRate float64 `xml:"line-rate,attr"`
		Lines    []line  `xml:"lines>line"`
	}
	line struct {
		Number int `xml:"number,attr"`
		Hits   int `xml:"hits,attr"`
	}
)

// profile is what a cover profile says, by file (named as Go names it: import path and base name).
type profile struct {
	lines             map[string]map[int]int // file, line: how often it ran
	statements, owned int
}

// coverage turns a cover profile into Cobertura and prints the share of statements that ran, as `go tool cover -func` does.
func coverage(in, out string, stdout io.Writer) error {
	file, err := os.Open(in)
	if err != nil {
		return err
	}
	defer file.Close()
	p, err := readProfile(file)
	if err != nil {
		return fmt.Errorf("read %s: %w", in, err)
	}
	module, err := moduleName("go.mod")
	if err != nil {
		return err
	}
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	text, err := xml.MarshalIndent(p.cobertura(module, here), "", "  ")
	if err != nil {
		return err
	}
	if err := save(out, append([]byte(xml.Header), text...)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "total: (statements) %.1f%%\n", 100*rate(p.owned, p.statements))
	return err
}

// readProfile reads lines such as `example.com/shop/a.go:3.14,5.2 2 1`: from, to, statements, count. Blocks may come more than once.
func readProfile(r io.Reader) (*profile, error) {
	p := &profile{lines: map[string]map[int]int{}}
	blocks := map[string]struct{ statements, hits int }{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text := lines.Text()
		if text == "" || strings.HasPrefix(text, "mode:") {
			continue
		}
		colon := strings.LastIndexByte(text, ':')
		var l0, c0, l1, c1, statements, hits int
		if colon < 0 {
			return nil, fmt.Errorf("line %d: no file", n)
		}
		if _, err := fmt.Sscanf(text[colon+1:], "%d.%d,%d.%d %d %d", &l0, &c0, &l1, &c1, &statements, &hits); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if l1 < l0 || l1-l0 > 1<<20 {
			return nil, fmt.Errorf("line %d: a block from line %d to %d", n, l0, l1)
		}
		file := text[:colon]
		if p.lines[file] == nil {
			p.lines[file] = map[int]int{}
		}
		for l := l0; l <= l1; l++ {
			p.lines[file][l] = max(p.lines[file][l], hits)
		}
		where := text[:strings.IndexByte(text[colon:], ' ')+colon]
		blocks[where] = struct{ statements, hits int }{statements, max(blocks[where].hits, hits)}
	}
	for _, b := range blocks {
		p.statements += b.statements
		if b.hits > 0 {
			p.owned += b.statements
		}
	}
	return p, lines.Err()
}

func (p *profile) cobertura(module, source string) cobertura {
	all := cobertura{Version: "shop", Source: source}
	folders := map[string]*covered{}
	sums := map[string][2]int{} // folder: lines that ran, lines
	for _, name := range slices.Sorted(maps.Keys(p.lines)) {
		file := strings.TrimPrefix(name, module+"/")
		c := class{Name: path.Base(file), File: file}
		ran := 0
		for _, number := range slices.Sorted(maps.Keys(p.lines[name])) {
			hits := p.lines[name][number]
			c.Lines = append(c.Lines, line{Number: number, Hits: hits})
			if hits > 0 {
				ran++
			}
		}
		c.LineRate = rate(ran, len(c.Lines))
		folder := path.Dir(file)
		if folders[folder] == nil {
			folders[folder] = &covered{Name: folder}
		}
		folders[folder].Files = append(folders[folder].Files, c)
		sums[folder] = [2]int{sums[folder][0] + ran, sums[folder][1] + len(c.Lines)}
	}
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		f := folders[folder]
		f.LineRate = rate(sums[folder][0], sums[folder][1])
		all.Packages = append(all.Packages, *f)
		all.Covered += sums[folder][0]
		all.Valid += sums[folder][1]
	}
	all.LineRate = rate(all.Covered, all.Valid)
	return all
}

func rate(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

func moduleName(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for l := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(l, "module "); ok {
			return strings.TrimSpace(name), nil
		}
	}
	return "", fmt.Errorf("%s names no module", path)
}
