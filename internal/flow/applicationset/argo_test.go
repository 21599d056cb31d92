package applicationset_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// argoFiles are the ApplicationSets of Argo CD's examples and documentation, by where they stand.
func argoFiles(t *testing.T, root string) map[string]manifest.Object {
	t.Helper()
	out := map[string]manifest.Object{}
	add := func(at, text string) {
		for i, doc := range regexp.MustCompile(`(?m)^---\s*$`).Split(text, -1) {
			var o map[string]any
			if yaml.Unmarshal([]byte(doc), &o) != nil || o["kind"] != "ApplicationSet" || o["spec"] == nil {
				continue
			}
			parsed, err := manifest.From(o)
			if err != nil {
				t.Fatal(err)
			}
			out[at+"#"+string(rune('a'+i))] = parsed
		}
	}
	err := filepath.WalkDir(filepath.Join(root, "applicationset/examples"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		data, err := os.ReadFile(path)
		add(strings.TrimPrefix(path, root+"/applicationset/"), string(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(?:yaml)?\\n(.*?)```")
	pages, err := filepath.Glob(filepath.Join(root, "docs/operator-manual/applicationset/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range blocks.FindAllStringSubmatch(string(data), -1) {
			add(filepath.Base(page)+":"+string(rune('A'+i%26))+string(rune('a'+i/26)), m[1])
		}
	}
	return out
}

// Every example of Argo CD's and of its documentation generates Applications in a world that has what it asks for, or is
// refused in words that name what is not supported. What is wrong in the document itself stands in excused.
func TestArgoExamples(t *testing.T) {
	root := kubetest.Module(t, "github.com/argoproj/argo-cd/v3")
	files := folder(t, filepath.Join(root, "applicationset/examples"), "applicationset/examples")
	for at, text := range map[string]string{
		"test/stage.values.yaml": "stageName: test\n", "global.values.yaml": "memoryLimit: 256Mi\n",
		"germany/a.yaml": "", "france/a.yaml": "", "donotdeploy/a.yaml": "", "Chart.yaml": "",
		"apps/app-one.json": `{"appName": "app-one"}`, "targets/app-one/east.json": `{"region": "east"}`,
		"charts/a/config.json": `{"cluster": {"name": "x", "address": "https://1.2.3.4"}}`,
	} {
		files[at] = text
	}
	here, there := local, production
	here.Labels = map[string]string{"environment": "ops", "location": "here"}
	there.Name = "production-eu"
	w := world([]applicationset.Cluster{here, staging, there}, files)
	older := folder(t, filepath.Join(root, "applicationset/examples"), "examples") // as it was in a repository of its own
	w.Tree = func(url, _, _ string) (applicationset.Tree, error) {
		if strings.Contains(url, "applicationset") {
			return older, nil
		}
		return files, nil
	}
	w.PullRequests = func(applicationset.PullRequest) ([]applicationset.Pull, error) {
		return []applicationset.Pull{{Number: 1, Title: "feat: x", Branch: "x-argocd", Target: "master", HeadSHA: strings.Repeat("a", 40), Author: "ann", Labels: []string{"preview"}}}, nil
	}
	w.Repositories = func(applicationset.SCMProvider, func(string, []string) bool) ([]applicationset.Repository, error) {
		return []applicationset.Repository{{Organization: "o", Name: "myapp", URL: "u", Branch: "main", SHA: "abc", Labels: []string{"deploy-ok"}, Exists: func(string) (bool, error) { return true, nil }}}, nil
	}
	all := argoFiles(t, root)
	made, refused := 0, 0
	for at, o := range all {
		t.Run(at, func(t *testing.T) {
			s, err := applicationset.Decode(o)
			var apps []manifest.Object
			if err == nil {
				apps, err = applications(t, s, w)
			}
			if err == nil && s.Spec.Template.Text("metadata", "name") != "" { // else it is a fragment of a page
				for _, bad := range applicationset.Check(s, apps, nil) {
					err = errors.Join(err, bad.Err)
				}
			}
			i := slices.IndexFunc(excused, func(e excuse) bool {
				return strings.HasPrefix(at, e.at) && err != nil && strings.Contains(err.Error(), e.words)
			})
			switch {
			case i >= 0:
				excused[i].used = true
			case fault.CodeOf(err) == applicationset.CodeRefused:
				refused++
			case err != nil:
				t.Error(err)
			default:
				made += len(apps)
			}
		})
	}
	t.Logf("%d ApplicationSets, %d Applications, %d refused", len(all), made, refused)
	if len(all) < 90 || made < 140 || refused < 8 {
		t.Error(errors.New("the examples were not all found"))
	}
	for _, e := range excused {
		if !e.used {
			t.Errorf("%s is not wrong in the way that is told: %s", e.at, e.words)
		}
	}
}

// excuse is what is wrong in a document itself.
type excuse struct {
	at, words string
	used      bool
}

var excused = []excuse{
	{at: "Generators-Pull-Request.md", words: "no Pull Request provider implementation configured"}, // "# ..." stands there
	{at: "Generators-SCM-Provider.md", words: "no SCM provider implementation configured"},
	{at: "examples/matrix/list-and-list.yaml", words: `map has no entry for key "path"`},
	{at: "examples/design-doc/clusters.yaml", words: `"{{.name}}-guestbook" is none`}, // no goTemplate
	{at: "Template.md", words: `"{{ .nameNormalized }}-guestbook" is none`},
	{at: "Template.md", words: `"<no value>-deployment" is none`},
	{at: "Generators-Merge.md", words: `Duplicate key was {"values.selector":null}`}, // the page says so
}
