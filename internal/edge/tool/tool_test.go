package tool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/tool"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// machine is a folder that stands for a machine: its root, a home, a tool cache.
type machine struct {
	t    *testing.T
	root string
}

func newMachine(t *testing.T) machine { return machine{t, t.TempDir()} }

func (m machine) finder(path ...string) *tool.Finder {
	var dirs []string
	for _, p := range path {
		dirs = append(dirs, m.root+p)
	}
	return &tool.Finder{
		Env:   []string{"HOME=" + m.root + "/home", "PATH=" + strings.Join(dirs, ":")},
		Tools: m.root + "/cache", Root: m.root, Links: m.root + "/links",
	}
}

// program writes a program that answers so.
func (m machine) program(path, answer string) {
	m.t.Helper()
	m.write(path, fmt.Sprintf("#!/bin/sh\ncat <<'X'\n%s\nX\n", answer))
}

func (m machine) write(path, text string) {
	m.t.Helper()
	p := m.root + path
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

func arch() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x64"
}

// several has many versions of every tool in many places.
func several(t *testing.T) machine {
	m := newMachine(t)
	for _, v := range []string{"1.20.14", "1.21.5", "1.22.0", "1.22.7"} {
		m.program("/home/sdk/go"+v+"/bin/go", "go version go"+v+" linux/amd64")
	}
	m.program("/home/go/pkg/mod/golang.org/toolchain@v0.0.1-go1.23.4.linux-amd64/bin/go", "go version go1.23.4 linux/amd64")
	m.program("/usr/local/go/bin/go", "go version go1.24rc1 linux/amd64")
	for _, v := range []string{"18.19.1", "20.11.0", "20.18.1", "21.7.3", "22.12.0"} {
		m.program("/home/.nvm/versions/node/v"+v+"/bin/node", "v"+v)
	}
	for _, v := range []string{"3.9.18", "3.11.7", "3.12.1", "3.13.0"} {
		m.program("/home/.pyenv/versions/"+v+"/bin/python3", "python CPython "+v+" "+m.root+"/home/.pyenv/versions/"+v)
		m.program("/home/.pyenv/versions/"+v+"/bin/python", "python CPython "+v+" "+m.root+"/home/.pyenv/versions/"+v)
	}
	m.program("/home/.pyenv/versions/pypy3.10-7.3.15/bin/python3", "python PyPy 3.10.13 /x")
	m.program("/cache/Python/3.10.4/"+arch()+"/bin/python3", "python CPython 3.10.4 "+m.root+"/cache/Python/3.10.4/"+arch())
	m.write("/cache/Python/3.10.4/"+arch()+".complete", "")
	m.program("/cache/Python/3.8.1/"+arch()+"/bin/python3", "python CPython 3.8.1 x") // was never completed
	m.program("/usr/lib/jvm/java-17/bin/java", "openjdk version \"17.0.15\" 2025-04-15")
	m.program("/usr/lib/jvm/java-8/bin/java", "java version \"1.8.0_392\"")
	m.write("/usr/lib/jvm/java-17/release", "JAVA_VERSION=\"17.0.15\"\n")
	m.program("/cache/Java_Temurin-Hotspot_jdk/21.0.2-13/"+arch()+"/bin/java", "openjdk version \"21.0.2\" 2024-01-16")
	m.write("/cache/Java_Temurin-Hotspot_jdk/21.0.2-13/"+arch()+".complete", "")
	return m
}

func TestFindsTheNewestThatFits(t *testing.T) {
	m := several(t)
	for _, c := range []struct{ tool, asked, want, home string }{
		{"go", "1.22", "1.22.7", "/home/sdk/go1.22.7"},
		{"go", "1.22.x", "1.22.7", "/home/sdk/go1.22.7"},
		{"go", "1.22.0", "1.22.0", "/home/sdk/go1.22.0"},
		{"go", "go1.21.5", "1.21.5", "/home/sdk/go1.21.5"},
		{"go", "^1.21", "1.23.4", "/home/go/pkg/mod/golang.org/toolchain@v0.0.1-go1.23.4.linux-amd64"},
		{"go", "~1.20", "1.20.14", "/home/sdk/go1.20.14"},
		{"go", ">=1.20 <1.22", "1.21.5", "/home/sdk/go1.21.5"},
		{"go", "stable", "1.23.4", "/home/go/pkg/mod/golang.org/toolchain@v0.0.1-go1.23.4.linux-amd64"},
		{"go", "oldstable", "1.22.7", "/home/sdk/go1.22.7"},
		{"go", "1.24rc1", "1.24.0-rc.1", "/usr/local/go"},
		{"go", ">=1.24.0-rc.1", "1.24.0-rc.1", "/usr/local/go"},
		{"node", "20", "20.18.1", "/home/.nvm/versions/node/v20.18.1"},
		{"node", "20.x", "20.18.1", "/home/.nvm/versions/node/v20.18.1"},
		{"node", "v20.11.0", "20.11.0", "/home/.nvm/versions/node/v20.11.0"},
		{"node", "lts/*", "22.12.0", "/home/.nvm/versions/node/v22.12.0"},
		{"node", "lts/iron", "20.18.1", "/home/.nvm/versions/node/v20.18.1"},
		{"node", "lts/Hydrogen", "18.19.1", "/home/.nvm/versions/node/v18.19.1"},
		{"node", "lts/-1", "22.12.0", "/home/.nvm/versions/node/v22.12.0"},
		{"node", "latest", "22.12.0", "/home/.nvm/versions/node/v22.12.0"},
		{"node", ">=18 <20", "18.19.1", "/home/.nvm/versions/node/v18.19.1"},
		{"node", "18 || 21", "21.7.3", "/home/.nvm/versions/node/v21.7.3"},
		{"python", "3.x", "3.13.0", "/home/.pyenv/versions/3.13.0"},
		{"python", "3.11", "3.11.7", "/home/.pyenv/versions/3.11.7"},
		{"python", ">=3.9 <3.12", "3.11.7", "/home/.pyenv/versions/3.11.7"},
		{"python", "3.10", "3.10.4", "/cache/Python/3.10.4/" + arch()},
		{"python", "3.12.1", "3.12.1", "/home/.pyenv/versions/3.12.1"},
		{"java", "17", "17.0.15", "/usr/lib/jvm/java-17"},
		{"java", "17.0.x", "17.0.15", "/usr/lib/jvm/java-17"},
		{"java", "8", "8.0.392", "/usr/lib/jvm/java-8"},
		{"java", "21.0.2+13", "21.0.2", "/cache/Java_Temurin-Hotspot_jdk/21.0.2-13/" + arch()},
	} {
		t.Run(c.tool+" "+c.asked, func(t *testing.T) {
			out, err := m.finder().Find(t.Context(), program.Find{Tool: c.tool, Version: c.asked})
			if err != nil {
				t.Fatal(err)
			}
			if out.Values[0] != c.want || out.Values[2] != m.root+c.home {
				t.Errorf("found %q, want %s in %s", out.Values, c.want, c.home)
			}
			if _, err := os.Stat(out.Values[1]); err != nil {
				t.Errorf("the folder for PATH: %v", err)
			}
		})
	}
}

func TestSaysWhatIsThereWhereNothingFits(t *testing.T) {
	m := several(t)
	for _, c := range []struct{ tool, asked, want string }{
		{"go", "1.99", "there is 1.2"},
		{"go", "1.99.x", "GOTOOLCHAIN=go1.99.0 go version"}, // that is what the module proxy calls it
		{"go", "1.19", "golang.org/dl/go1.19@latest"},
		{"python", "3.8", "3.11.7 in "}, // the tool cache's was never completed
		{"python", "pypy3.10", "only CPython"},
		{"python", "graalpy-22.3", "only CPython"},
		{"python", "3.13t", "free-threaded"},
		{"node", "lts/nothing", "no line"},
		{"node", "23-nightly", "not released"},
		{"node", "16", "nvm install 16"},
		{"java", "twelve", "is no version or range"},
		{"java", "11", "17.0.15 in "},
		{"terraform", "1.x", "none was found"},
	} {
		t.Run(c.tool+" "+c.asked, func(t *testing.T) {
			_, err := m.finder().Find(t.Context(), program.Find{Tool: c.tool, Version: c.asked})
			e, ok := errors.AsType[*program.Error](err)
			if !ok || e.Failure != program.UnmetPrerequisites || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	_, err := m.finder().Find(t.Context(), program.Find{Tool: "go", Version: "1.22", Arch: "s390x"})
	if err == nil || !strings.Contains(err.Error(), "s390x") {
		t.Errorf("another architecture: %v", err)
	}
}

func TestWithoutAVersionTheFirstOnPathWillDo(t *testing.T) {
	m := several(t)
	m.program("/opt/a/bin/go", "go version go1.5 linux/amd64")
	out, err := m.finder("/nowhere", "/opt/a/bin").Find(t.Context(), program.Find{Tool: "go"})
	if err != nil || out.Values[0] != "1.5.0" || out.Values[1] != m.root+"/opt/a/bin" || out.Text != "PATH" {
		t.Errorf("got %q %q, %v", out.Values, out.Text, err)
	}
}

func TestSharedFolderIsNotPutOnPath(t *testing.T) {
	m := newMachine(t)
	m.program("/usr/bin/python3", "python CPython 3.11.2 "+m.root+"/usr")
	m.program("/usr/bin/pip3", "pip")
	m.program("/usr/bin/node", "v18.0.0")
	out, err := m.finder("/usr/bin").Find(t.Context(), program.Find{Tool: "python", Version: "3.11"})
	if err != nil {
		t.Fatal(err)
	}
	for name, there := range map[string]bool{"python": true, "python3": true, "pip3": true, "node": false, "pip": false} {
		_, err := os.Stat(filepath.Join(out.Values[1], name))
		if (err == nil) != there {
			t.Errorf("%s in %s: %v, want there %v", name, out.Values[1], err, there)
		}
	}
	again, err := m.finder("/usr/bin").Find(t.Context(), program.Find{Tool: "python", Version: "3.11"})
	if err != nil || again.Values[1] != out.Values[1] {
		t.Errorf("asked again: %q, %v", again.Values, err)
	}
}

func TestJobsLinkSideBySide(t *testing.T) {
	m := newMachine(t)
	m.program("/usr/bin/node", "v20.1.0")
	for range 20 {
		errs := make(chan error)
		for range 8 {
			go func() {
				_, err := m.finder("/usr/bin").Find(t.Context(), program.Find{Tool: "node"})
				errs <- err
			}()
		}
		for range 8 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		links, err := filepath.Glob(m.root + "/links/node/20.1.0/*/*")
		if err != nil || len(links) != 1 || filepath.Base(links[0]) != "node" {
			t.Fatalf("links: %q, %v", links, err)
		}
		if err := os.RemoveAll(m.root + "/links"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestShimStandsForTheRealProgram(t *testing.T) {
	m := several(t)
	m.program("/home/.pyenv/shims/python3", "python CPython 3.12.1 "+m.root+"/home/.pyenv/versions/3.12.1")
	out, err := m.finder("/home/.pyenv/shims").Find(t.Context(), program.Find{Tool: "python"})
	if err != nil || out.Values[1] != m.root+"/home/.pyenv/versions/3.12.1/bin" {
		t.Errorf("got %q, %v", out.Values, err)
	}
}

func TestProgramThatLiesAboutItsVersionIsPassedOver(t *testing.T) {
	m := several(t)
	m.write("/home/sdk/go1.22.9/bin/go", "#!/bin/sh\nexit 3\n")
	out, err := m.finder().Find(t.Context(), program.Find{Tool: "go", Version: "1.22"})
	if err != nil || out.Values[0] != "1.22.7" {
		t.Errorf("got %q, %v", out.Values, err)
	}
}

func TestLooksInContainers(t *testing.T) {
	m := newMachine(t)
	m.program("/bin/go", "go version go1.22.5 linux/amd64")
	m.program("/cache/go/1.21.0/x64/bin/go", "go version go1.21.0 linux/amd64")
	x := &tool.Finder{Probe: func(ctx context.Context, script string) (string, error) {
		cmd := exec.CommandContext(ctx, "sh", "-c", script)
		cmd.Env = []string{"PATH=" + m.root + "/bin:/usr/bin:/bin", "RUNNER_TOOL_CACHE=" + m.root + "/cache"}
		out, err := cmd.Output()
		return string(out), err
	}}
	for asked, want := range map[string]string{"1.22": "/bin", "1.21": "/cache/go/1.21.0/x64/bin"} {
		out, err := x.Find(t.Context(), program.Find{Tool: "go", Version: asked})
		if err != nil || out.Values[1] != m.root+want {
			t.Errorf("%s: %q, %v", asked, out.Values, err)
		}
	}
	if _, err := x.Find(t.Context(), program.Find{Tool: "go", Version: "1.2"}); err == nil || !strings.Contains(err.Error(), "in the job's container") {
		t.Errorf("got %v", err)
	}
}

func TestToolsOfThisMachine(t *testing.T) {
	for name, args := range map[string][]string{"go": {"version"}, "node": {"--version"}, "python": {"--version"}, "java": {"-version"}} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(map[string]string{"python": "python3"}[name] + map[bool]string{true: "", false: name}[name == "python"]); err != nil {
				t.Skip("not installed")
			}
			x := &tool.Finder{Env: os.Environ(), Links: t.TempDir()}
			first, err := x.Find(t.Context(), program.Find{Tool: name})
			if err != nil {
				t.Fatal(err)
			}
			major, _, _ := strings.Cut(first.Values[0], ".")
			out, err := x.Find(t.Context(), program.Find{Tool: name, Version: major + ".x"})
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(filepath.Join(out.Values[1], name), args...)
			cmd.Env = append(os.Environ(), "GOTOOLCHAIN=local")
			text, err := cmd.CombinedOutput()
			plain, _, _ := strings.Cut(out.Values[0], "-")
			if name == "java" {
				plain, _, _ = strings.Cut(plain, "+")
			}
			if err != nil || !strings.Contains(string(text), strings.TrimSuffix(plain, ".0")) {
				t.Errorf("%s in %s says %q, %v; want %s", name, out.Values[1], text, err, plain)
			}
		})
	}
}

func FuzzVersions(f *testing.F) {
	for _, s := range []string{"1.22", "lts/*", "3.13-dev", "17-ea", ">=3.9 <3.12", "1.8.0_392", "1.22rc1", "^1 || 2.x", ""} {
		f.Add("go", s)
		f.Add("java", s)
		f.Add("python", s)
		f.Add("node", s)
	}
	x := &tool.Finder{Probe: func(context.Context, string) (string, error) {
		return "/a/go\tgo version go1.22.5 linux/amd64\n/a/node\tv20.0.0\n/a/java\topenjdk version \"17.0.1\"\n/a/python\tpython CPython 3.11.1 /a\n", nil
	}}
	f.Fuzz(func(t *testing.T, name, asked string) {
		out, err := x.Find(context.Background(), program.Find{Tool: name, Version: asked})
		if err == nil && len(out.Values) != 4 {
			t.Errorf("%q %q: %q", name, asked, out.Values)
		}
	})
}
