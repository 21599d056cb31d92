package github

import (
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// tool is a tool of the machine.
type tool struct{ version, bin, home string }

// asked is a version that a setup action asks for.
type asked struct {
	version string
	file    string // that it is from, "" for an input
	least   string // a range of newer versions that will do too, "" for none
}

// find looks for a tool. The versions are what the setup action documents.
func (c *call) find(name string, a asked) (tool, ending) {
	o := c.do(program.Find{Tool: name, Version: a.version, Arch: c.input("architecture")})
	if o.Failure == program.UnmetPrerequisites && a.least != "" {
		if newer := c.do(program.Find{Tool: name, Version: a.least, Arch: c.input("architecture")}); newer.Failure == "" && len(newer.Values) > 2 {
			o = newer
			c.notice("%s asks for %s %s, which is not on this machine; the newer %s is taken [%s]", a.file, name, a.version, o.Values[0], CodeTool)
		}
	}
	if o.Failure == program.Canceled || o.Failure == program.ExecutionTimeout {
		return tool{}, c.verdictFor(c.at, o, "")
	}
	if o.Failure != "" || len(o.Values) < 3 {
		why := first(o.Message, name+" is not on this machine")
		if a.file != "" {
			why = "of what " + a.file + " asks for, " + why
		}
		return tool{}, c.error(CodeTool, broken(program.UnmetPrerequisites, "nothing is downloaded here, and %s", why))
	}
	return tool{version: o.Values[0], bin: o.Values[1], home: o.Values[2]}, fine
}

// notice writes a notice as GitHub's log shows it, and keeps it as a note.
func (c *call) notice(format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	c.note(program.Note{Level: "notice", Message: message})
	c.say("Notice: %s", message)
}

// wanted is the version that a setup action asks for: its input, else what the file says that the other input names.
func (c *call) wanted(tool, input, file string) (asked, ending) {
	version, from := c.input(input), c.input(file)
	if version != "" {
		if from != "" {
			c.caution("Both %s and %s inputs are specified, only %s will be used.", input, file, input)
		}
		return asked{version: version}, fine
	}
	if from == "" {
		return asked{}, fine
	}
	text, ok := c.read(from)
	if !ok {
		return asked{}, c.error(CodeTool, broken(program.ConfigurationFailed, "The specified %s version file at: %s does not exist", tool, from))
	}
	if version = versionIn(tool, from, text); version == "" {
		return asked{}, c.error(CodeTool, broken(program.ConfigurationFailed, "no version of %s is in %s", tool, from))
	}
	return asked{version, from, leastIn(from, text)}, fine
}

// read is the text of a file in the workspace.
func (c *call) read(file string) (string, bool) {
	name := c.inWorkspace(file)
	o := c.do(program.ReadFiles{Select: program.Select{Paths: []string{escapeGlob(name)}}, Limit: 1 << 20})
	for _, f := range o.Files {
		if f.Path == name {
			return string(f.Content), true
		}
	}
	return "", false
}

// escapeGlob makes a pattern that matches this very path.
func escapeGlob(path string) string {
	var b strings.Builder
	for _, r := range path {
		if strings.ContainsRune(`*?[]{}\`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// ownFolders notes that a setup action's cache needs no keeping here.
func (c *call) ownFolders(what string) {
	c.say("%s uses its cache in this machine's own folders, which stay from run to run", what)
	c.output("cache-hit", "false")
}

// variable is a variable as the steps see it.
func (c *call) variable(name string) string {
	var e environ
	e.addPairs(c.Base)
	e.add(&c.at.env)
	return e.get(name)
}

// several are the versions of an input that may have one a line; the last one is what the later steps use first.
func (a asked) several() []asked {
	var out []asked
	for line := range strings.SplitSeq(a.version, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, asked{line, a.file, a.least})
		}
	}
	if len(out) == 0 {
		return []asked{a}
	}
	return out
}

var setupGo = &native{
	inputs: []string{"go-version", "go-version-file", "check-latest", "token", "cache", "cache-dependency-path", "architecture", "go-download-base-url"},
	main: func(c *call) ending {
		version, bad := c.wanted("go", "go-version", "go-version-file")
		if bad.status != success {
			return bad
		}
		f, bad := c.find("go", version)
		if bad.status != success {
			return bad
		}
		c.prepend(f.bin)
		gopath := first(c.variable("GOPATH"), c.variable("HOME")+"/go")
		c.prepend(gopath + "/bin")
		if version.version != "" {
			c.walk.env.set("GOTOOLCHAIN", "local")
		}
		c.output("go-version", strings.TrimPrefix(f.version, "go"))
		if c.flag("cache", true) {
			c.ownFolders("Go")
		}
		c.say("Successfully set up Go version %s in %s", f.version, f.home)
		return fine
	},
}

var setupNode = &native{
	inputs: []string{
		"node-version", "node-version-file", "architecture", "check-latest", "registry-url", "scope", "token", "cache", "cache-dependency-path",
		"package-manager-cache", "always-auth", "mirror", "mirror-token", "version",
	},
	main: func(c *call) ending {
		version, bad := c.wanted("node", "node-version", "node-version-file")
		if bad.status != success {
			return bad
		}
		if version.version == "" {
			version.version = c.input("version") // its name in the first versions of the action
		}
		f, bad := c.find("node", version)
		if bad.status != success {
			return bad
		}
		c.prepend(f.bin)
		c.output("node-version", "v"+strings.TrimPrefix(f.version, "v"))
		if c.input("registry-url") != "" {
			if bad := c.registry(); bad.status != success {
				return bad
			}
		}
		if c.input("cache") != "" {
			c.ownFolders(c.input("cache"))
		}
		c.say("node %s in %s", f.version, f.bin)
		return fine
	},
}

// registry writes the .npmrc that setup-node writes for registry-url and scope.
func (c *call) registry() ending {
	url := c.input("registry-url")
	if !strings.HasSuffix(url, "/") {
		url += "/"
	}
	scope := c.input("scope")
	if scope == "" && strings.Contains(url, "npm.pkg.github.com") {
		scope = c.own.Frame.Event.Owner()
	}
	if scope != "" && !strings.HasPrefix(scope, "@") {
		scope = "@" + scope
	}
	if scope != "" {
		scope = strings.ToLower(scope) + ":"
	}
	bare := url[strings.Index(url, ":")+1:]
	text := bare + ":_authToken=${NODE_AUTH_TOKEN}\n" + scope + "registry=" + url + "\n"
	if o := c.do(program.Files{Files: []program.File{{Name: ".npmrc", Content: text}}}); o.Failure != "" {
		return broken(o.Failure, "%s", o.Message)
	}
	c.walk.env.set("NPM_CONFIG_USERCONFIG", c.Paths.JobPrivate+"/.npmrc")
	if c.variable("NODE_AUTH_TOKEN") == "" {
		c.walk.env.set("NODE_AUTH_TOKEN", "XXXXX-XXXXX-XXXXX-XXXXX")
	}
	return fine
}

var setupPython = &native{
	inputs: []string{
		"python-version", "python-version-file", "cache", "architecture", "check-latest", "token", "cache-dependency-path", "update-environment",
		"allow-prereleases", "freethreaded", "pip-version", "pip-install", "ignore-platform-version",
	},
	main: runSetupPython,
}

func runSetupPython(c *call) ending {
	version, bad := c.wanted("python", "python-version", "python-version-file")
	if bad.status != success {
		return bad
	}
	if version.version == "" {
		if text, ok := c.read(".python-version"); ok {
			version = asked{version: strings.Join(versionsIn(text), "\n"), file: ".python-version"}
		}
	}
	for _, v := range version.several() {
		f, bad := c.find("python", v)
		if bad.status != success {
			return bad
		}
		if c.flag("update-environment", true) {
			c.usePython(f)
		}
		c.output("python-version", f.version)
		c.output("python-path", f.bin+"/python")
		c.say("Successfully set up CPython (%s)", f.version)
	}
	if c.input("cache") != "" {
		c.ownFolders(c.input("cache"))
	}
	if p := c.input("pip-install"); p != "" {
		return c.execute(c.at, append([]string{c.at.ran.outputs.get("python-path"), "-m", "pip", "install"}, words(p)...), c.process(c.at), "pip install failed with exit code %d")
	}
	return fine
}

// usePython puts a Python in front, with the variables that the real action sets.
func (c *call) usePython(f tool) {
	c.prepend(f.bin)
	c.walk.env.set("pythonLocation", f.home)
	c.walk.env.set("PKG_CONFIG_PATH", f.home+"/lib/pkgconfig")
	for _, name := range []string{"Python_ROOT_DIR", "Python2_ROOT_DIR", "Python3_ROOT_DIR"} {
		c.walk.env.set(name, f.home)
	}
	if f.home != "/usr" {
		path := f.home + "/lib"
		if old := c.variable("LD_LIBRARY_PATH"); old != "" {
			path += ":" + old
		}
		c.walk.env.set("LD_LIBRARY_PATH", path)
	}
}

const ownSettings = "the settings.xml of this machine is used"

var setupJava = &native{
	inputs: []string{
		"java-version", "java-version-file", "distribution", "java-package", "architecture", "jdkfile", "jdk-file", "check-latest", "force-download",
		"set-default", "verify-signature", "verify-signature-public-key", "server-id", "server-username", "server-password",
		"server-username-env-var", "server-password-env-var", "settings-path", "overwrite-settings", "gpg-private-key", "gpg-passphrase",
		"gpg-passphrase-env-var", "cache", "cache-jdk", "cache-dependency-path", "cache-path", "cache-read-only", "job-status", "token",
		"mvn-toolchain-id", "mvn-toolchain-vendor", "show-download-progress", "problem-matcher",
	},
	idle: map[string]string{
		"jdk-file": "the JDK of this machine is used", "jdkfile": "the JDK of this machine is used", "gpg-private-key": "the keys of this machine are used",
		"gpg-passphrase": "the keys of this machine are used", "gpg-passphrase-env-var": "the keys of this machine are used",
		"server-id": ownSettings, "server-username": ownSettings, "server-password": ownSettings,
		"server-username-env-var": ownSettings, "server-password-env-var": ownSettings, "settings-path": ownSettings, "overwrite-settings": ownSettings,
		"mvn-toolchain-id": "the toolchains.xml of this machine is used", "mvn-toolchain-vendor": "the toolchains.xml of this machine is used",
	},
	main: runSetupJava,
}

func runSetupJava(c *call) ending {
	version, bad := c.wanted("java", "java-version", "java-version-file")
	if bad.status != success {
		return bad
	}
	for _, v := range version.several() {
		f, bad := c.find("java", v)
		if bad.status != success {
			return bad
		}
		major, _, _ := strings.Cut(strings.TrimPrefix(f.version, "1."), ".")
		c.walk.env.set(fmt.Sprintf("JAVA_HOME_%s_%s", major, strings.ToUpper(c.Machine.Arch)), f.home)
		if c.flag("set-default", true) {
			c.walk.env.set("JAVA_HOME", f.home)
			c.prepend(f.bin)
		}
		c.output("distribution", c.input("distribution"))
		c.output("version", f.version)
		c.output("path", f.home)
		c.say("Java %s in %s", f.version, f.home)
	}
	if c.input("cache") != "" {
		c.ownFolders(c.input("cache"))
	}
	return fine
}
