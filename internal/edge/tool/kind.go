package tool

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

// kind is what is known of one tool.
type kind struct {
	name   string   // as the tool cache calls it
	title  string   // for a person
	exes   []string // names of its program, best first
	ask    []string // arguments that make it tell its version
	env    []string // for asking
	answer *lazy.Regexp
	get    string   // how to get one; {version} stands for an example
	always []string // programs that must be on PATH afterwards, whatever the system calls them
	others []string // programs that come with it
	roots  []string // where its homes are: patterns, ~ is HOME and $NAME the environment
	homes  []string // environment variables that name a home; a * ends a prefix
	bin    string   // from a home to its programs
}

var kinds = []kind{
	{
		name: "go", title: "Go", exes: []string{"go"}, ask: []string{"version"}, env: []string{"GOTOOLCHAIN=local", "GOFLAGS="},
		answer: lazy.Pattern(`go version (?:devel )?go(\S+)`), bin: "bin", others: []string{"go", "gofmt"},
		get:   "get one from https://go.dev/dl, or let `mise use go@{version}` do it",
		homes: []string{"GOROOT", "GOROOT_*"},
		roots: []string{
			"/usr/local/go", "/usr/lib/go-*", "/usr/lib/go", "/snap/go/current", "/opt/homebrew/opt/go*/libexec", "~/sdk/go*", "~/go/sdk/go*", "~/.go",
			"$GOMODCACHE/golang.org/toolchain@*", "$GOPATH/pkg/mod/golang.org/toolchain@*", "~/go/pkg/mod/golang.org/toolchain@*",
			"$ASDF_DATA_DIR/installs/golang/*/go", "~/.asdf/installs/golang/*/go", "$MISE_DATA_DIR/installs/go/*", "~/.local/share/mise/installs/go/*",
			"~/.gvm/gos/go*", "~/.goenv/versions/*",
		},
	},
	{
		name: "node", title: "Node.js", exes: []string{"node", "nodejs"}, ask: []string{"--version"}, env: []string{"NODE_OPTIONS="},
		answer: lazy.Pattern(`^v(\S+)`), bin: "bin", others: []string{"node", "npm", "npx", "corepack", "yarn", "pnpm"}, always: []string{"node"},
		get: "get one with `nvm install {version}`, `mise use node@{version}` or from https://nodejs.org",
		roots: []string{
			"$NVM_DIR/versions/node/*", "~/.nvm/versions/node/*", "$FNM_DIR/node-versions/*/installation", "~/.local/share/fnm/node-versions/*/installation",
			"~/.volta/tools/image/node/*", "$N_PREFIX/n/versions/node/*", "/usr/local/n/versions/node/*", "/opt/node*", "/usr/local/node*", "/usr/local/lib/nodejs/*",
			"$ASDF_DATA_DIR/installs/nodejs/*", "~/.asdf/installs/nodejs/*", "$MISE_DATA_DIR/installs/node/*", "~/.local/share/mise/installs/node/*",
			"~/.nodenv/versions/*", "/opt/homebrew/opt/node@*",
		},
	},
	{
		name: "Python", title: "Python", exes: []string{"python3", "python"}, bin: "bin",
		ask:    []string{"-I", "-c", "import platform, sys; print('python', platform.python_implementation(), platform.python_version(), sys.prefix)"},
		answer: lazy.Pattern(`^python CPython (\S+)`), always: []string{"python", "python3"}, others: []string{"pip", "pip3", "pydoc3", "python3-config"},
		get: "get one with `pyenv install {version}`, `uv python install {version}` or `mise use python@{version}`",
		roots: []string{
			"$PYENV_ROOT/versions/*", "~/.pyenv/versions/*", "$UV_PYTHON_INSTALL_DIR/cpython-*", "~/.local/share/uv/python/cpython-*", "/opt/python*", "/opt/python/cp*",
			"$ASDF_DATA_DIR/installs/python/*", "~/.asdf/installs/python/*", "$MISE_DATA_DIR/installs/python/*", "~/.local/share/mise/installs/python/*",
		},
	},
	{
		name: "java", title: "Java", exes: []string{"java"}, ask: []string{"-version"}, env: []string{"JAVA_TOOL_OPTIONS=", "_JAVA_OPTIONS=", "JDK_JAVA_OPTIONS="},
		answer: lazy.Pattern(`version "([^"]+)"`), bin: "bin", others: []string{"java", "javac", "jar", "javadoc", "jshell", "keytool", "jlink", "jpackage"},
		get:   "get one with `apt-get install openjdk-{version}-jdk`, `sdk install java` or from https://adoptium.net",
		homes: []string{"JAVA_HOME", "JAVA_HOME_*"},
		roots: []string{
			"/usr/lib/jvm/*", "/opt/java/*", "/opt/jdk*", "/usr/java/*", "$SDKMAN_DIR/candidates/java/*", "~/.sdkman/candidates/java/*", "~/.jdks/*",
			"$ASDF_DATA_DIR/installs/java/*", "~/.asdf/installs/java/*", "$MISE_DATA_DIR/installs/java/*", "~/.local/share/mise/installs/java/*", "~/.jenv/versions/*",
			"~/.gradle/jdks/*", "/Library/Java/JavaVirtualMachines/*/Contents/Home",
		},
	},
}

// kindOf is what is known of a tool. One that nothing is known of is looked for in PATH and the tool cache by its name.
func kindOf(name string) kind {
	for _, k := range kinds {
		if strings.EqualFold(k.name, name) || strings.EqualFold(k.title, name) {
			return k
		}
	}
	return kind{
		name: name, title: name, exes: []string{name}, ask: []string{"--version"}, answer: lazy.Pattern(`(?:^|[^0-9.])v?([0-9]+(?:\.[0-9]+)+(?:-[0-9A-Za-z.-]+)?)`),
		bin: "bin", others: []string{name}, get: "install it and see that it is on PATH",
		roots: []string{"$ASDF_DATA_DIR/installs/" + name + "/*", "~/.asdf/installs/" + name + "/*", "$MISE_DATA_DIR/installs/" + name + "/*", "~/.local/share/mise/installs/" + name + "/*"},
	}
}

// hint says how to get a version. A Go that is here fetches others: through the module proxy from Go 1.21 on, as a program
// of golang.org/dl before (Go documentation, Go toolchains and Managing Go installations).
func (k kind) hint(w wanted, have bool) string {
	example := w.example()
	get := strings.ReplaceAll(k.get, "{version}", example)
	v := k.version(example)
	switch {
	case k.name != "go" || !have || v == nil:
		return get
	case v.LessThan(firstToolchain):
		return "get one with `go run golang.org/dl/go" + example + "@latest download`" + strings.TrimPrefix(get, "get one")
	default:
		return "get one with `GOTOOLCHAIN=go" + full(example) + " go version`" + strings.TrimPrefix(get, "get one")
	}
}

// firstToolchain is the first Go that other versions fetch by themselves.
var firstToolchain = semver.MustParse("1.21.0")

// programs are the names of a version's programs.
func (k kind) programs(v *semver.Version) []string {
	out := append(append([]string{}, k.always...), k.others...)
	if k.name == "Python" {
		minor := fmt.Sprintf("%d.%d", v.Major(), v.Minor())
		out = append(out, "python"+minor, "pip"+minor, "python"+minor+"-config")
	}
	return out
}

// version reads a version as the tool writes it; nil where it is none.
func (k kind) version(text string) *semver.Version {
	text = strings.TrimPrefix(strings.TrimSpace(text), "v")
	switch k.name {
	case "go":
		text = goVersion(strings.TrimPrefix(text, "go"))
	case "Python":
		text = pythonVersion(text)
	case "java":
		text = javaVersion(text)
	}
	v, err := semver.NewVersion(text)
	if err != nil {
		return nil
	}
	return v
}

var beta = lazy.Pattern(`^([0-9]+(?:\.[0-9]+){1,2})(beta|rc|a|b)([0-9]+)$`)

// goVersion turns Go's 1.22rc1 into semver's 1.22.0-rc.1; the rest after a blank or + is about experiments and builds.
func goVersion(text string) string {
	text, _, _ = strings.Cut(text, " ")
	text, _, _ = strings.Cut(text, "-X:")
	if m := beta.FindStringSubmatch(text); m != nil {
		return full(m[1]) + "-" + m[2] + "." + m[3]
	}
	return text
}

// pythonVersion turns 3.14.0b2 into 3.14.0-beta.2, as the manifest of setup-python writes it.
func pythonVersion(text string) string {
	text = strings.TrimSuffix(text, "+")
	if m := beta.FindStringSubmatch(text); m != nil {
		return full(m[1]) + "-" + map[string]string{"a": "alpha", "b": "beta", "rc": "rc"}[m[2]] + "." + m[3]
	}
	return text
}

var oldJava = lazy.Pattern(`^1\.([0-9]+)\.[0-9]+(?:_([0-9]+))?`)

// javaVersion turns 1.8.0_392 into 8.0.392, 17.0.4.1 into 17.0.4, 22-ea into 22.0.0-ea.
func javaVersion(text string) string {
	if m := oldJava.FindStringSubmatch(text); m != nil {
		update := strings.TrimLeft(m[2], "0")
		if update == "" {
			update = "0"
		}
		return m[1] + ".0." + update
	}
	number, rest := text, ""
	if at := strings.IndexAny(text, "-+"); at >= 0 {
		number, rest = text[:at], text[at:]
	}
	if parts := strings.Split(number, "."); len(parts) > 3 {
		number = strings.Join(parts[:3], ".")
	}
	if rest == "-LTS" || strings.HasPrefix(rest, "-Debian") || strings.HasPrefix(rest, "-Ubuntu") {
		rest = ""
	}
	return full(number) + rest
}

// full fills a version up to three numbers.
func full(text string) string {
	for strings.Count(text, ".") < 2 {
		text += ".0"
	}
	return text
}
