package render

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	"helm.sh/helm/v4/pkg/ignore"

	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// helm renders a chart as `helm template --include-crds` does: nothing is looked up in a cluster, hooks stay as the
// annotations that they are, notes are left out.
func (j *job) helm(folder string) ([]object, error) {
	settings := helmOf(j.Source)
	c, err := j.load(folder)
	if err != nil {
		return nil, err
	}
	values, err := j.values(folder, settings)
	if err != nil {
		return nil, err
	}
	if err := j.dependencies(c, folder, 0); err != nil {
		return nil, err
	}
	chartFile := fault.Place{File: resolve(folder, "Chart.yaml")}
	if c.Metadata.Type == "library" {
		return nil, fault.At(CodeHelm, chartFile, "%s is a library chart, which is not rendered by itself", c.Name())
	}
	caps, err := j.capabilities()
	if err != nil {
		return nil, err
	}
	if want := c.Metadata.KubeVersion; want != "" && !chartutil.IsCompatibleRange(want, caps.KubeVersion.String()) {
		return nil, fault.At(CodeHelm, chartFile, "the chart wants Kubernetes %s, and this is %s", want, caps.KubeVersion.String()).
			WithHint("helm.kubeVersion says what to render for")
	}
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return nil, fault.At(CodeDepend, chartFile, "%v", err)
	}
	options, err := j.release()
	if err != nil {
		return nil, err
	}
	all, err := util.ToRenderValuesWithSchemaValidation(c, values, options, caps, settings.SkipSchemaValidation)
	if err != nil {
		return nil, j.schemaFault(folder, err)
	}
	rendered, err := engine.Render(c, all)
	if err != nil {
		return nil, j.helmFault(c, folder, err)
	}
	return j.collect(c, folder, rendered)
}

// release is what templates know of .Release.
func (j *job) release() (common.ReleaseOptions, error) {
	settings := helmOf(j.Source)
	o := common.ReleaseOptions{Name: j.App, Namespace: j.Namespace, Revision: 1, IsInstall: true}
	if settings.ReleaseName != "" {
		o.Name = settings.ReleaseName
	}
	if settings.Namespace != "" {
		o.Namespace = settings.Namespace
	}
	if o.Namespace == "" {
		o.Namespace = "default"
	}
	if err := chartutil.ValidateReleaseName(o.Name); err != nil {
		return o, fault.New(CodeHelm, "the release name %q cannot be used: %v", o.Name, err).WithHint("set helm.releaseName: at most 53 letters, digits and dashes")
	}
	return o, nil
}

func (j *job) capabilities() (*common.Capabilities, error) {
	settings := helmOf(j.Source)
	caps := common.DefaultCapabilities.Copy()
	version := j.KubeVersion
	if settings.KubeVersion != "" {
		version = settings.KubeVersion
	}
	if version != "" {
		v, err := common.ParseKubeVersion(version)
		if err != nil {
			return nil, fault.New(CodeHelm, "helm.kubeVersion: %q is not a version: %v", version, err)
		}
		caps.KubeVersion = *v
	}
	extra := j.APIVersions
	if len(settings.APIVersions) > 0 {
		extra = settings.APIVersions
	}
	caps.APIVersions = append(slices.Clone(caps.APIVersions), extra...)
	return caps, nil
}

// load reads a chart's folder, without what its .helmignore names.
func (j *job) load(folder string) (*chart.Chart, error) {
	tree := j.in(mainTree)
	entries, err := tree.walk(folder)
	if err != nil {
		return nil, err
	}
	rules := ignore.Empty()
	if name := resolve(folder, ".helmignore"); tree.isFile(name) {
		text, err := tree.read(name)
		if err != nil {
			return nil, err
		}
		if rules, err = ignore.Parse(strings.NewReader(string(text))); err != nil {
			return nil, fault.At(CodeHelm, fault.Place{File: name}, "%v", err)
		}
	}
	rules.AddDefaults()
	names, err := j.chartFiles(folder, entries, rules)
	if err != nil {
		return nil, err
	}
	if err := tree.fetch(names); err != nil {
		return nil, err
	}
	var all []*archive.BufferedFile
	for _, name := range names {
		text, err := tree.read(name)
		if err != nil {
			return nil, err
		}
		text, err = decode(text)
		if err != nil {
			return nil, placed(CodeHelm, name, err)
		}
		all = append(all, &archive.BufferedFile{Name: strings.TrimPrefix(strings.TrimPrefix(name, folder), "/"), Data: text})
	}
	return j.assemble(folder, all)
}

func (j *job) assemble(folder string, all []*archive.BufferedFile) (*chart.Chart, error) {
	c, err := loader.LoadFiles(all)
	if err == nil && c.Metadata != nil {
		err = c.Validate()
	}
	if err != nil {
		file := "Chart.yaml"
		if strings.Contains(err.Error(), "values.yaml") {
			file = "values.yaml"
		}
		if strings.Contains(err.Error(), "Chart.yaml file is missing") {
			return nil, fault.New(CodeHelm, "there is no Chart.yaml in %q", j.Source.Path).WithHint("a chart's folder holds one; leave helm out for plain manifests")
		}
		return nil, placed(CodeHelm, resolve(folder, file), err)
	}
	return c, nil
}

// chartFiles are the names of a chart's files. Links to files are followed, links to folders are read as Helm does.
func (j *job) chartFiles(folder string, entries []source.Entry, rules *ignore.Rules) ([]string, error) {
	tree := j.in(mainTree)
	var names []string
	var skipped []string
	linked := 0
	for len(entries) > 0 {
		e := entries[0]
		entries = entries[1:]
		rel := strings.TrimPrefix(strings.TrimPrefix(e.Name, folder), "/")
		if slices.ContainsFunc(skipped, func(s string) bool { return strings.HasPrefix(e.Name, s+"/") }) {
			continue
		}
		sort := e.Sort
		if sort == source.Link {
			s, err := tree.stat(e.Name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if sort = s.Sort; sort == source.Folder {
				if linked++; linked > 50 || strings.HasPrefix(e.Name+"/", s.Real+"/") {
					return nil, fault.At(CodeHelm, fault.Place{File: e.Name}, "the symbolic link leads round in a circle")
				}
				below, err := tree.walk(s.Real)
				if err != nil {
					return nil, err
				}
				for i := range below {
					below[i].Name = path.Join(e.Name, strings.TrimPrefix(strings.TrimPrefix(below[i].Name, s.Real), "/"))
				}
				entries = append(below, entries...)
			}
		}
		if rules.Ignore(rel, info{path.Base(e.Name), sort}) {
			if sort == source.Folder {
				skipped = append(skipped, e.Name)
			}
			continue
		}
		if sort == source.File {
			names = append(names, e.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// collect reads the rendered templates: definitions of the crds folders first, then by the templates' names.
func (j *job) collect(c *chart.Chart, folder string, rendered map[string]string) ([]object, error) {
	settings := helmOf(j.Source)
	var out []object
	var wrong fault.List
	add := func(name, text string) {
		objects, err := parse(name, []byte(text))
		if err == nil {
			objects, err = flatten(objects)
		}
		if f, ok := errors.AsType[*fault.Fault](err); ok {
			f.Code, f.Message = CodeHelm, fmt.Sprintf("what the template gives is no manifest, at its line %d: %s", f.Place.Line, f.Message)
			f.Place = fault.Place{File: j.inChart(c, folder, name)}
			f.Hint = "see the template's rendered text with `helm template`, or check its indentation"
		}
		wrong.AddError(err)
		out = append(out, objects...)
	}
	if !settings.SkipCrds {
		for _, crd := range c.CRDObjects() {
			add(crd.Filename, string(crd.File.Data))
		}
	}
	names := make([]string, 0, len(rendered))
	for name := range rendered {
		if base := path.Base(name); !strings.HasPrefix(base, "_") && !strings.HasSuffix(base, "NOTES.txt") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		add(name, rendered[name])
	}
	if settings.SkipTests {
		out = slices.DeleteFunc(out, isTest)
	}
	return out, wrong.Err()
}

// isTest reports whether an object is a test of the chart.
func isTest(o object) bool {
	hooks := strings.Split(o.Annotation("helm.sh/hook"), ",")
	return slices.ContainsFunc(hooks, func(h string) bool {
		h = strings.TrimSpace(h)
		return h == "test" || h == "test-success"
	})
}

// inChart is the repository's file behind a template's name, which begins with the chart's. A subchart of charts/ may lie
// in an archive; then it is the archive's folder.
func (j *job) inChart(c *chart.Chart, folder, name string) string {
	rest, ok := strings.CutPrefix(name, c.Name()+"/")
	if !ok {
		return name
	}
	return strings.TrimPrefix(folder+"/"+rest, "/")
}

var templatePlace = regexp.MustCompile(`(?:at \(|template: |parse error at \(|error converting [^ ]+ )([^\s():]+):(\d+)(?::(\d+))?`)

// ownPlace is how a message begins that says its place.
var ownPlace = regexp.MustCompile(`^(?:execution|parse) error at \([^)]*\): `)

// helmFault takes the template's place out of Helm's message.
func (j *job) helmFault(c *chart.Chart, folder string, err error) error {
	message := strings.TrimSpace(err.Error())
	at := fault.Place{}
	// The innermost place comes last: an include that fails names its caller first.
	all := templatePlace.FindAllStringSubmatch(message, -1)
	if len(all) > 0 {
		m := all[len(all)-1]
		at.File = j.inChart(c, folder, m[1])
		at.Line, _ = strconv.Atoi(m[2])
		at.Column, _ = strconv.Atoi(m[3])
		if at.Column > 0 {
			at.Column++ // Helm counts from 0
		}
	}
	if at.File != "" {
		message = ownPlace.ReplaceAllString(message, "")
	}
	return fault.At(CodeHelm, at, "%s", short(strings.Join(strings.Fields(message), " ")))
}

// short leaves out the middle of a message that names each of a thousand calls.
func short(message string) string {
	const most = 400
	if len(message) <= 2*most {
		return message
	}
	return strings.ToValidUTF8(message[:most]+" … "+message[len(message)-most:], "")
}

func (j *job) schemaFault(folder string, err error) error {
	message := strings.Join(strings.Fields(err.Error()), " ")
	return fault.At(CodeValues, fault.Place{File: resolve(folder, "values.schema.json")}, "%s", message).
		WithHint("mend the values, or set helm.skipSchemaValidation: true")
}
