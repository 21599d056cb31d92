package github_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github"
)

func TestReferences(t *testing.T) {
	for text, want := range map[string]string{
		"./a/b":                        "local  a/b ",
		".":                            "local  . ",
		"./":                           "local   ",
		"$/x/y":                        "self  x/y ",
		"docker://alpine:3.20":         "docker alpine:3.20  ",
		"docker://ghcr.io/a/b@sha256:": "docker ghcr.io/a/b@sha256:  ",
		"a/b@v1":                       "remote a/b  v1",
		"a/b/c/d@refs/heads/x":         "remote a/b c/d refs/heads/x",
		"a/b/@v1":                      "remote a/b  v1",
		"a/b@x@y":                      "remote a/b  x@y",
		"a@v1":                         "error",
		"a/b":                          "error",
		"a/b@":                         "error",
		"/b@v1":                        "error",
		"docker://":                    "error",
		"":                             "error",
	} {
		kind, repository, path, ref, err := github.ReadReference(text)
		got := fmt.Sprintf("%s %s %s %s", kind, repository, path, ref)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzReferences(f *testing.F) {
	f.Add("a/b/c@v1")
	f.Add("docker://x")
	f.Fuzz(func(t *testing.T, text string) {
		kind, repository, _, ref, err := github.ReadReference(text)
		if err == nil && kind == "remote" && (strings.Count(repository, "/") != 1 || ref == "") {
			t.Errorf("%q: %q at %q", text, repository, ref)
		}
	})
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a  b\n\tc": "a|b|c", `a "b c" 'd "e'`: `a|b c|d "e`, `""`: "", `x""y`: "xy", `"open`: "open",
	} {
		if got := strings.Join(github.Words(text), "|"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestVersionsInFiles(t *testing.T) {
	for _, c := range []struct{ tool, file, text, want string }{
		{"go", "go.mod", "module x\n\ngo 1.22\n", "1.22"},
		{"go", "go.mod", "module x\n\ngo 1.22 // why\r\ntoolchain go1.23.4\r\n", "1.23.4"},
		{"go", "sub/go.work", "go 1.21.0\ntoolchain default\n", "1.21.0"},
		{"go", ".go-version", "# here\n1.20\n", "1.20"},
		{"go", ".tool-versions", "nodejs 20\ngolang 1.22.1 1.21 # two\n", "1.22.1"},
		{"go", ".tool-versions", "nodejs 20\n", ""},
		{"node", ".nvmrc", "v20.1.0\n", "20.1.0"},
		{"node", ".nvmrc", "lts/*\n", "lts/*"},
		{"node", ".node-version", "\n", ""},
		{"node", "package.json", `{"engines":{"node":">=18"}}`, ">=18"},
		{"node", "package.json", `{"engines":{"node":">=18"},"volta":{"node":"20.1.1"}}`, "20.1.1"},
		{"node", "package.json", `{"engines":{"node":">=18"},"devEngines":{"runtime":{"name":"node","version":"^22"}}}`, "^22"},
		{"node", "package.json", `{"devEngines":{"runtime":[{"name":"bun","version":"1"},{"name":"node","version":"^24"}]}}`, "^24"},
		{"node", "package.json", `{`, ""},
		{"python", ".python-version", "3.12\n3.11\n", "3.12\n3.11"},
		{"python", "pyproject.toml", "[project]\nname = \"x\"\nrequires-python = \">=3.9, <3.13\"\n", ">=3.9, <3.13"},
		{"python", "pyproject.toml", "[tool.poetry]\nname = \"x\"\n[tool.poetry.dependencies]\na = \"1\"\npython = \"^3.10\"\n", "^3.10"},
		{"python", "pyproject.toml", "[tool.poetry.dependencies]\na = \"1\"\n[other]\npython = \"^3.10\"\n", ""},
		{"python", "Pipfile", "[requires]\npython_version = \"3.8\"\n", "3.8"},
		{"java", ".java-version", "temurin-21.0.5\n", "21.0.5"},
		{"java", ".sdkmanrc", "# x\njava=21.0.5-tem\n", "21.0.5"},
		{"java", ".tool-versions", "java temurin-17.0.3+7\n", "17.0.3+7"},
	} {
		if got := github.VersionIn(c.tool, c.file, c.text); got != c.want {
			t.Errorf("%s in %s %q: %q, want %q", c.tool, c.file, c.text, got, c.want)
		}
	}
}

func TestLeastVersionsInFiles(t *testing.T) {
	engines := func(version string) string { return fmt.Sprintf(`{"engines":{"node":%q}}`, version) }
	for _, c := range []struct{ file, text, want string }{
		{"go.mod", "module x\n\ngo 1.24\n", ">=1.24"},
		{"go.mod", "go 1.24\ntoolchain go1.24.3\n", ">=1.24.3"},
		{"sub/go.work", "go 1.25rc1\n", ">=1.25rc1"},
		{"package.json", engines("18"), ">=18"},
		{"package.json", engines("18.x"), ">=18"},
		{"package.json", engines("^18.2.0"), ">=18.2.0"},
		{"package.json", engines(">= 18"), ">=18"},
		{"package.json", engines(">=18 <20"), ""},
		{"package.json", engines("18 || 20"), ""},
		{"package.json", engines("lts/*"), ""},
		{"package.json", `{"engines":{"node":"18"},"volta":{"node":"20.1.1"}}`, ""},
		{".nvmrc", "18\n", ""},
		{".go-version", "1.24\n", ""},
		{".tool-versions", "golang 1.24\n", ""},
		{".python-version", "3.9\n", ""},
		{"pyproject.toml", "requires-python = \">=3.9\"\n", ""},
	} {
		if got := github.LeastIn(c.file, c.text); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.file, c.text, got, c.want)
		}
	}
}

// script runs a github-script with this machine's Node, in a folder without any package.
func script(t *testing.T, text string, env ...string) (stdout, outputs string, exit int) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node")
	}
	dir := t.TempDir()
	runner, out := filepath.Join(dir, "runner.cjs"), filepath.Join(dir, "out")
	event := filepath.Join(dir, "event.json")
	for name, content := range map[string]string{runner: github.ScriptRunner, out: "", event: `{"issue":{"number":5},"action":"opened"}`, filepath.Join(dir, "local.js"): "module.exports = 41"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(node, runner)
	cmd.Dir = dir
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "INPUT_SCRIPT=" + text, "GITHUB_OUTPUT=" + out, "GITHUB_REPOSITORY=octo/shop", "GITHUB_EVENT_NAME=issues",
		"GITHUB_EVENT_PATH=" + event, "INPUT_GITHUB-TOKEN=t",
	}, env...)
	b, err := cmd.Output()
	if err != nil {
		exit = cmd.ProcessState.ExitCode()
	}
	written, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), string(written), exit
}

func TestScriptsRun(t *testing.T) {
	for name, c := range map[string]struct {
		text, encoding, stdout, output string
		exit                           int
	}{
		"the result is JSON":               {text: "return {a: [1, 'x']}", output: `{"a":[1,"x"]}`},
		"or text":                          {text: "return 5", encoding: "string", output: "\n5\n"},
		"context is the event":             {text: "return context.issue", output: `{"owner":"octo","repo":"shop","number":5}`},
		"require reads the repository":     {text: "return require('./local.js') + 1", output: "\n42\n"},
		"core speaks in commands":          {text: "core.warning('a\\nb', {file: 'x,y', startLine: 3}); core.setSecret('s'); core.info('plain')", stdout: "::warning file=x%2Cy,line=3::a%0Ab\n::add-mask::s\nplain\n"},
		"groups end":                       {text: "await core.group('g', async () => { core.info('in') })", stdout: "::group::g\nin\n::endgroup::\n"},
		"what is thrown fails the step":    {text: "throw new Error('no')", stdout: "::error::Unhandled error: Error: no\n", exit: 1},
		"setFailed fails the step":         {text: "core.setFailed('bad')", stdout: "::error::bad\n", exit: 1},
		"packages that are missing say so": {text: "await exec.exec('true')", stdout: "exec needs the npm package @actions/exec", exit: 1},
		"so does the client":               {text: "await github.rest.issues.get({})", stdout: "github needs the npm package @actions/github", exit: 1},
		"an encoding that is not known":    {text: "return 1", encoding: "xml", stdout: `must be either "string" or "json"`, exit: 1},
		"a script that cannot be read":     {text: "return (", stdout: "::error::Unhandled error: SyntaxError", exit: 1},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, output, exit := script(t, c.text, "INPUT_RESULT-ENCODING="+c.encoding)
			if !strings.Contains(stdout, c.stdout) || !strings.Contains(output, c.output) || exit != c.exit {
				t.Errorf("exit %d, wrote %q, outputs %q", exit, stdout, output)
			}
		})
	}
}
