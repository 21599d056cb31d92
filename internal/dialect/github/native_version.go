package github

import (
	"encoding/json"
	"path"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

// versionIn is the version of a tool that a file asks for, as the setup actions read it; "" where there is none.
func versionIn(tool, file, text string) string {
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	switch base := path.Base(file); {
	case base == ".tool-versions":
		return toolVersion(tool, text)
	case base == "go.mod" || base == "go.work":
		return goVersion(text)
	case base == "package.json":
		return nodeVersion(text)
	case base == "pyproject.toml":
		return firstGroup(text, pyprojectLines...)
	case base == "Pipfile":
		return firstGroup(text, pipfileLine)
	case base == ".sdkmanrc":
		version := firstGroup(text, sdkmanLine)
		version, _, _ = strings.Cut(version, "-")
		return version
	case tool == "python":
		return strings.Join(versionsIn(text), "\n")
	}
	lines := versionsIn(text)
	if len(lines) == 0 {
		return ""
	}
	if tool == "node" {
		return strings.TrimPrefix(lines[0], "v")
	}
	if tool == "java" {
		return strings.TrimLeft(lines[0], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-")
	}
	return lines[0]
}

// lowest is a version, or a range of those from it on that are compatible with it, without an upper bound of its own.
var lowest = lazy.Pattern(`^(?:\^|~>?|>=|=|v)?[ \t]*v?([0-9]+(?:\.[0-9]+){0,2}(?:(?:-|rc|beta)[0-9A-Za-z.]*)?)(?:\.[xX*]){0,2}$`)

// leastIn is the range of versions that will do for a project which says in this file what it needs at least: the line go
// of go.mod, engines of package.json. "" is for files that pin a version, and for ranges that end somewhere.
func leastIn(file, text string) string {
	version := ""
	switch path.Base(file) {
	case "go.mod", "go.work":
		version = versionIn("go", file, text)
	case "package.json":
		if volta, needed := nodeVersions(text); volta == "" {
			version = needed
		}
	}
	m := lowest.FindStringSubmatch(strings.TrimSpace(version))
	if m == nil {
		return ""
	}
	return ">=" + m[1]
}

// versionsIn are the lines that are neither empty nor a comment.
func versionsIn(text string) []string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// toolNames are what .tool-versions calls the tools.
var toolNames = map[string][]string{"go": {"golang", "go"}, "node": {"nodejs", "node"}, "python": {"python"}, "java": {"java"}}

func toolVersion(tool, text string) string {
	for _, line := range versionsIn(text) {
		words := strings.Fields(line)
		for _, name := range toolNames[tool] {
			if len(words) > 1 && words[0] == name {
				version := strings.TrimPrefix(words[1], "v")
				if tool == "java" { // temurin-21.0.5+11
					version = version[strings.LastIndexByte(version, '-')+1:]
				}
				return version
			}
		}
	}
	return ""
}

var (
	goLine        = lazy.Pattern(`(?m)^go[ \t]+([0-9][^\s/]*)`)
	toolchainLine = lazy.Pattern(`(?m)^toolchain[ \t]+go([0-9][^\s/]*)`)
	sdkmanLine    = lazy.Pattern(`(?m)^[ \t]*java[ \t]*=[ \t]*([^\s#]+)`)
	pipfileLine   = lazy.Pattern(`(?m)^[ \t]*python_(?:full_)?version[ \t]*=[ \t]*["']([^"']+)["']`)

	pyprojectLines = []*lazy.Regexp{
		lazy.Pattern(`(?m)^[ \t]*requires-python[ \t]*=[ \t]*["']([^"']+)["']`),
		lazy.Pattern(`(?ms)^\[tool\.poetry\.dependencies\][^\[]*?^[ \t]*python[ \t]*=[ \t]*["']([^"']+)["']`),
	}
)

// goVersion is that of toolchain, else of go. `toolchain default` is none.
func goVersion(text string) string {
	return firstGroup(text, toolchainLine, goLine)
}

func firstGroup(text string, patterns ...*lazy.Regexp) string {
	for _, re := range patterns {
		if m := re.FindStringSubmatch(text); m != nil {
			return strings.TrimSpace(m[1])
		}
	}
	return ""
}

// nodeVersion is what package.json says: volta, then devEngines, then engines.
func nodeVersion(text string) string {
	pinned, needed := nodeVersions(text)
	return first(pinned, needed)
}

// nodeVersions are what package.json pins for volta and what it needs.
func nodeVersions(text string) (pinned, needed string) {
	var p struct {
		Volta      struct{ Node string }
		Engines    struct{ Node string }
		DevEngines struct{ Runtime json.RawMessage }
	}
	if json.Unmarshal([]byte(text), &p) != nil {
		return "", ""
	}
	type runtime struct{ Name, Version string }
	var many []runtime
	var one runtime
	if json.Unmarshal(p.DevEngines.Runtime, &many) != nil && json.Unmarshal(p.DevEngines.Runtime, &one) == nil {
		many = []runtime{one}
	}
	dev := ""
	for _, r := range many {
		if strings.EqualFold(r.Name, "node") && dev == "" {
			dev = r.Version
		}
	}
	return p.Volta.Node, first(dev, p.Engines.Node)
}
