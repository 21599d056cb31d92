package render

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// maxDepth bounds how deep charts of a repository's folders depend on each other.
const maxDepth = 20

// dependencies adds the charts that Chart.yaml names and charts/ does not hold: folders of the repository (file://), and
// charts of repositories that are known.
func (j *job) dependencies(c *chart.Chart, folder string, depth int) error {
	file := fault.Place{File: resolve(folder, "Chart.yaml")}
	if depth > maxDepth {
		return fault.At(CodeDepend, file, "charts depend on each other more than %d deep", maxDepth).WithHint("look for a chart that depends on itself")
	}
	for _, d := range c.Metadata.Dependencies {
		if d == nil || slices.ContainsFunc(c.Dependencies(), func(have *chart.Chart) bool { return have.Name() == d.Name && allows(d.Version, have.Metadata.Version) }) {
			continue
		}
		var sub *chart.Chart
		var err error
		if rel, ok := strings.CutPrefix(d.Repository, "file://"); ok {
			sub, err = j.beside(folder, rel, d, depth)
		} else {
			sub, err = j.fetched(d, locked(c, d), file)
		}
		if err != nil {
			return err
		}
		c.AddDependency(sub)
	}
	return nil
}

func allows(want, have string) bool {
	c, err := semver.NewConstraint(want)
	if err != nil {
		return want == have || want == ""
	}
	v, err := semver.NewVersion(have)
	return err == nil && c.Check(v)
}

// locked is the exact version that Chart.lock holds for a dependency, or what Chart.yaml says.
func locked(c *chart.Chart, d *chart.Dependency) string {
	if c.Lock != nil {
		for _, l := range c.Lock.Dependencies {
			if l != nil && l.Name == d.Name && l.Repository == d.Repository && allows(d.Version, l.Version) {
				return l.Version
			}
		}
	}
	return d.Version
}

// beside loads a chart of a folder of the same repository.
func (j *job) beside(folder, rel string, d *chart.Dependency, depth int) (*chart.Chart, error) {
	file := fault.Place{File: resolve(folder, "Chart.yaml")}
	s, err := j.in(mainTree).stat(resolve(folder, rel))
	if errors.Is(err, fs.ErrNotExist) || strings.HasPrefix(rel, "/") {
		return nil, fault.At(CodeDepend, file, "the dependency %s is not there: %q names no folder of the repository", d.Name, d.Repository).WithHint("write the path from the chart's folder: file://../name")
	}
	if err != nil {
		return nil, err
	}
	sub, err := j.load(s.Real)
	if err != nil {
		return nil, err
	}
	if !allows(d.Version, sub.Metadata.Version) {
		return nil, fault.At(CodeDepend, file, "the dependency %s is %s in %s, and Chart.yaml wants %q", d.Name, sub.Metadata.Version, s.Real, d.Version)
	}
	return sub, j.dependencies(sub, s.Real, depth+1)
}

// fetched asks the parent for a chart, who decides whether its repository may be asked.
func (j *job) fetched(d *chart.Dependency, version string, file fault.Place) (*chart.Chart, error) {
	if d.Repository == "" {
		return nil, fault.At(CodeDepend, file, "the dependency %s is missing in charts/", d.Name).WithHint("run `helm dependency build`, and commit charts/")
	}
	var texts map[string][]byte
	if err := j.ask(askChart, dependency{d.Repository, d.Name, version}, &texts); err != nil {
		if f, ok := errors.AsType[*fault.Fault](err); ok {
			if f.Place.IsZero() {
				f.Place = file
			}
			return nil, f
		}
		return nil, fault.At(CodeDepend, file, "the dependency %s: %v", d.Name, err)
	}
	var all []*archive.BufferedFile
	for name, text := range texts {
		all = append(all, &archive.BufferedFile{Name: name, Data: text})
	}
	slices.SortFunc(all, func(a, b *archive.BufferedFile) int { return strings.Compare(a.Name, b.Name) })
	sub, err := loader.LoadFiles(all)
	if err != nil {
		return nil, fault.At(CodeDepend, file, "the dependency %s cannot be read: %v", d.Name, err)
	}
	return sub, nil
}
