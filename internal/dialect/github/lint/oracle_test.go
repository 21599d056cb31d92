package lint_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/lint"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

const oracles = "../../../../tools/oracle"

// disk is a folder as lint.Files.
type disk string

func (d disk) Read(_ context.Context, name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(d), filepath.FromSlash(name)))
}

// question is one workflow for both linters.
type question struct {
	Root   string `json:"root"`
	File   string `json:"file"`
	Config string `json:"config,omitempty"`
	name   string
}

// theirs is what actionlint finds.
type theirs struct {
	Findings []finding
	Error    string
}

type finding struct {
	Kind         string
	Line, Column int
	Message      string
}

func (f finding) String() string {
	return fmt.Sprintf("%d:%d: [%s] %s", f.Line, f.Column, f.Kind, f.Message)
}

// ask lints every question with actionlint.
func ask(t *testing.T, questions []question) []theirs {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "oracle")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	build.Dir = oracles
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("NOT COMPARED WITH ACTIONLINT: %s cannot be built: %v\n%s", oracles, err, out)
	}
	var in bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, q := range questions {
		if err := enc.Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), binary, "lint")
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers []theirs
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var a theirs
		if err := dec.Decode(&a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(questions) {
		t.Fatalf("%d questions, %d answers", len(questions), len(answers))
	}
	return answers
}

// ours is what the reader and this package find.
func ours(t *testing.T, q question) (fault.Faults, []byte) {
	t.Helper()
	text, err := os.ReadFile(q.File)
	if err != nil {
		t.Fatal(err)
	}
	rel, err := filepath.Rel(q.Root, q.File)
	if err != nil {
		t.Fatal(err)
	}
	in := lint.Input{Text: text, Files: disk(q.Root), Config: config(t, q)}
	var faults fault.Faults
	if strings.HasPrefix(filepath.Base(rel), "action.") {
		in.Action, faults = workflow.ReadAction(filepath.ToSlash(rel), text)
	} else {
		in.File, faults = workflow.Read(filepath.ToSlash(rel), text)
	}
	return append(faults, lint.Check(t.Context(), in)...), text
}

func config(t *testing.T, q question) *lint.Config {
	t.Helper()
	paths := []string{q.Config}
	if q.Config == "" {
		paths = nil
		for _, p := range lint.ConfigPaths {
			paths = append(paths, filepath.Join(q.Root, p))
		}
	}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		c, _ := lint.ReadConfig(p, text)
		return c
	}
	return nil
}

// extent is the lines of a file that belong together, by their first line.
type extent struct {
	scalars map[int]int // scalars of several lines, with their last line
	entries map[int]int // entries of mappings, with their last line
}

// extents finds them.
func extents(file string, text []byte) extent {
	out := extent{map[int]int{}, map[int]int{}}
	raw := strings.Split(string(text), "\n")
	var faults fault.List
	var visit func(n *yamlx.Node) int
	visit = func(n *yamlx.Node) int {
		last := n.Place.Line
		for _, c := range n.Items {
			last = max(last, visit(c))
		}
		for _, p := range n.Pairs {
			end := max(p.Key.Place.Line, visit(p.Value))
			out.entries[p.Key.Place.Line] = max(out.entries[p.Key.Place.Line], end)
			last = max(last, end)
		}
		if n.Kind == yamlx.Scalar && n.Style == yamlx.Block {
			last = blockEnd(raw, last)
			out.scalars[n.Place.Line] = last
		}
		return last
	}
	for _, doc := range yamlx.Parse(text, yamlx.Options{File: file, Schema: yamlx.Core, NoMerge: true}, &faults) {
		if doc.Size() < 100_000 {
			visit(doc)
		}
	}
	return out
}

// blockEnd is the last line of a block that begins at a line: those after it that are empty or indented like the first.
func blockEnd(raw []string, line int) int {
	indent := -1
	for ; line < len(raw); line++ {
		text := strings.TrimLeft(raw[line], " ")
		if text == "" {
			continue
		}
		if indent < 0 {
			indent = len(raw[line]) - len(text)
		}
		if len(raw[line])-len(text) < indent {
			break
		}
	}
	return line
}

// moved are findings that are told below the key where actionlint tells them: at what is wrong.
var moved = regexp.MustCompile(`^job ".*" needs job ".*" which does not exist` + // at the need
	`|^input type of ".*" is "choice" but "options" is not set` + // at the type or the options
	`|^"options" can not be set to ".*" input` + // at options
	`|^maximum number of inputs for "workflow_dispatch"` + // at the first input that is too much
	`|^"steps" section is missing in job`) // at steps, where it is there and empty

// except are findings of actionlint that are none of ours, with the reason.
var except = []struct{ file, message, why string }{
	{"", `invalid timezone "UTC"`, "UTC is a name of the IANA database"},
	{"", `"names" section must be sequence`, "GitHub's schema takes one text, too"},
	{"err/workflow_call_event.yaml", `"input0"|unexpected key "unknown" for "secrets"`, "of a key that is written twice only the last is read; the second is told"},
	{"", `property access of object must be type of string but got "number"`, "job.services.<id>.ports is asked by number, as on GitHub's pages: ports[5432]; other objects are told"},
	{"realworld/swoole_swoole-src_.github_workflows_lib.yml", `property "workspace"`, "the runner sets runner.workspace"},
	{"realworld/swoole_swoole-src_.github_workflows_test-linux.yml", `property "workspace"`, "the runner sets runner.workspace"},
	{"realworld/git_git_.github_workflows_main.yml", `property "workspace"`, "the runner sets runner.workspace"},
	{"realworld/ruby_", "string should not be empty", "GitHub takes an empty working-directory, which is that of the job"},
	{"input.txtar/good-docker.yml", "is not defined in action", "every Docker action takes args and entrypoint"},
	{"input.txtar/good-whole.yml", "", "GitHub's schema takes an expression for with as a whole"},
	{"kind.txtar/good-runs-on-group.yml", "must be string or array", "GitHub's schema takes {group, labels} from an expression, too"},
	{"label.txtar/good-06.yml", "is unknown", "labels of a group are those of its own runners"},
	{"matrix.txtar/good-whole.yml", "array<string>", "a value of the matrix is one item of the list"},
	{"outputs.txtar/good-needs-1.yml", "TAG", "properties have no case"},
	{"uses.txtar/good-dollar.yml", "ref is missing", "$/ is the repository at the running commit; actionlint does not know it yet"},
}

// more are findings of ours in files that actionlint holds for good, with the reason.
var more = []struct{ file, code, why string }{
	{"", workflow.CodeNoted, "what is different on this machine is not actionlint's business"},
	{"ok/container_syntax.yaml", workflow.CodeUseless, "GitHub takes an empty container, and then there is none: a warning"},
	{"ok/dynamic_shell_name.yaml", workflow.CodeNoExpression, "GitHub's schema reads no expression there; actionlint only forbids contexts"},
	{"ok/no_local_action_found.yaml", lint.CodeLocal, "nothing is checked out, so that the action cannot be there at run time: a warning"},
	{"ok/nested_workflow_call.yaml", workflow.CodeUses, "GitHub calls workflows of .github/workflows only"},
	{"ok/workflow_call_job.yaml", workflow.CodeUses, "GitHub calls workflows of .github/workflows only"},
	{"ok/workflow_call_job.yaml", workflow.CodeNoExpression, "GitHub reads no expression in uses"},
	{"projects/local_action_yaml_1.1_boolean/", lint.CodeAction, "yes is text in YAML 1.2, which GitHub reads: a warning"},
	{"projects/paths_config/", "", "the configuration ignores messages of actionlint's by their text"},
	{"projects/workflow_call_upper_case/", "", "GitHub wants a type for every input of workflow_call, and a workflow of .github/workflows"},
	{"projects/yaml_anchor_in_action/", lint.CodeAction, "the runner takes a Dockerfile or docker://image only"},
}

// testdata is the folder of actionlint's test files, in the module cache.
func testdata(t *testing.T) string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/rhysd/actionlint")
	list.Dir = oracles
	out, err := list.Output()
	if err != nil {
		t.Skipf("NOT COMPARED WITH ACTIONLINT'S OWN TEST FILES: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "testdata")
}

// corpus are the test files of actionlint, by folder.
func corpus(t *testing.T, folders ...string) []question {
	t.Helper()
	root := testdata(t)
	var questions []question
	add := func(root, name, pattern, config string) {
		for _, ext := range []string{"yaml", "yml"} {
			files, _ := filepath.Glob(filepath.Join(root, pattern+"."+ext))
			for _, f := range files {
				questions = append(questions, question{Root: root, File: f, Config: config, name: name + "/" + filepath.Base(f)})
			}
		}
	}
	for _, folder := range folders {
		if folder != "projects" {
			add(filepath.Join(root, folder), folder, "*", "")
			continue
		}
		projects, _ := filepath.Glob(filepath.Join(root, folder, "*", "workflows"))
		for _, p := range projects {
			dir := repository(t, filepath.Dir(p))
			config := filepath.Join(dir, "actionlint.yaml")
			if _, err := os.Stat(config); err != nil {
				config = ""
			}
			add(dir, "projects/"+filepath.Base(filepath.Dir(p)), ".github/workflows/*", config)
		}
	}
	if len(questions) == 0 {
		t.Skipf("NOT COMPARED WITH ACTIONLINT'S OWN TEST FILES: %s is empty", root)
	}
	slices.SortFunc(questions, func(a, b question) int { return strings.Compare(a.name, b.name) })
	return questions
}

// repository places a project as a repository has them: workflows in .github/workflows.
func repository(t *testing.T, project string) string {
	t.Helper()
	root := t.TempDir()
	err := filepath.WalkDir(project, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(project, name)
		if err != nil {
			return err
		}
		if strings.HasPrefix(filepath.ToSlash(rel), "workflows/") {
			rel = filepath.Join(".github", rel)
			text = bytes.ReplaceAll(text, []byte("./workflows/"), []byte("./.github/workflows/"))
		}
		name = filepath.Join(root, rel)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		return os.WriteFile(name, text, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// TestFindsWhatActionlintFinds compares the two on actionlint's own test files: what it finds is found on the same line,
// and files that it holds for good have no findings, but for what the tables above explain. Columns are not compared:
// actionlint counts bytes from the start of an expression, and not at all in texts of several lines, where it tells the
// first line; here the very character is told. Such a text counts as one line.
func TestFindsWhatActionlintFinds(t *testing.T) {
	found := compare(t, corpus(t, "err", "examples", "ok", "projects"), fault.Note)
	if found < 700 {
		t.Errorf("only %d findings of actionlint were compared", found)
	}
}

// TestFindsWhatActionlintFindsInRealWorkflows does the same with the 1,500 workflows of known repositories that
// actionlint is tested with. Those that it holds for good have no errors here; warnings may be more.
func TestFindsWhatActionlintFindsInRealWorkflows(t *testing.T) {
	if testing.Short() {
		t.Skip("1,500 files")
	}
	z, err := zip.OpenReader(filepath.Join(testdata(t), "realworld", "dataset.zip"))
	if err != nil {
		t.Skipf("NOT COMPARED WITH ACTIONLINT ON REAL WORKFLOWS: %v", err)
	}
	defer z.Close()
	root := t.TempDir()
	if err := os.CopyFS(root, z); err != nil {
		t.Fatal(err)
	}
	var questions []question
	for _, f := range z.File {
		questions = append(questions, question{Root: root, File: filepath.Join(root, f.Name), name: "realworld/" + f.Name})
	}
	if found := compare(t, questions, fault.Error); found < 1000 {
		t.Errorf("only %d findings of actionlint were compared", found)
	}
}

// compare asks both about files and returns how many findings of actionlint were found here. worst is the severity from
// which on a file that is good to actionlint may have no finding here; "" asks for none.
func compare(t *testing.T, questions []question, worst fault.Severity) (found int) {
	t.Helper()
	for i, a := range ask(t, questions) {
		q := questions[i]
		mine, text := ours(t, q)
		if a.Error != "" {
			t.Errorf("%s: actionlint: %s", q.name, a.Error)
		}
		wide := extents(q.File, text)
		for _, f := range a.Findings {
			switch {
			case told(mine, f, wide):
				found++
			case !slices.ContainsFunc(except, func(e struct{ file, message, why string }) bool {
				return strings.HasPrefix(q.name, e.file) && regexp.MustCompile(e.message).MatchString(f.Message)
			}):
				t.Errorf("%s:%s", q.name, f)
			}
		}
		if len(a.Findings) > 0 || worst == "" {
			continue
		}
		for _, f := range mine {
			if (worst == fault.Note || f.Severity == worst) && !slices.ContainsFunc(more, func(e struct{ file, code, why string }) bool {
				return strings.HasPrefix(q.name, e.file) && (e.code == "" || e.code == f.Code)
			}) {
				t.Errorf("%s is good to actionlint, but: %s", q.name, f)
			}
		}
	}
	return found
}

// told reports whether a finding of actionlint is among ours.
func told(mine fault.Faults, f finding, wide extent) bool {
	last := max(f.Line, wide.scalars[f.Line])
	if moved.MatchString(f.Message) {
		last = max(last, wide.entries[f.Line])
	}
	return slices.ContainsFunc(mine, func(m *fault.Fault) bool {
		return f.Line == 0 && m.Severity == fault.Error || // actionlint knows no line for some mistakes of YAML
			m.Place.Line >= f.Line && m.Place.Line <= last
	})
}
