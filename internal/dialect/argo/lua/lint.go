package lua

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

// lint looks at one script of a folder: file is what the person calls it, p where it stands in the folder.
func lint(file, p, text string) *fault.Fault {
	if want := misplaced(p); want != "" {
		return fault.At(CodeStray, fault.Place{File: file}, "no kind has its script here").WithHint("%s", want).WithSeverity(fault.Warning)
	}
	if _, err := compile(text); err != nil {
		line, column, message := where(err.Error())
		return fault.At(CodeSyntax, fault.Place{File: file, Line: line, Column: column}, "the script is no Lua: %s", message).
			WithHint("it is left out; scripts are Lua 5.1")
	}
	return nil
}

// misplaced is a hint for a script that stands where none is looked for, "" for others.
func misplaced(p string) string {
	parts := strings.Split(p, "/")
	if at := slices.Index(parts, "actions"); at >= 0 {
		rest := strings.Join(parts[at+1:], "/")
		switch ok, _ := path.Match("*/"+actionFile, rest); {
		case at < 1 || at > 2:
			return "actions stand in <group>/<kind>/actions, or in <kind>/actions for Kubernetes' core kinds"
		case rest == "discovery.lua" || ok:
			return ""
		default:
			return "there are actions/discovery.lua and actions/<name>/action.lua"
		}
	}
	name := parts[len(parts)-1]
	switch {
	case name != healthFile:
		if near := fault.Nearest(name, []string{healthFile}); near != "" {
			return "did you mean " + strconv.Quote(near) + "?"
		}
		return "there are health.lua, actions/discovery.lua and actions/<name>/action.lua"
	case len(parts) != 2 && len(parts) != 3:
		return "a health check is <group>/<kind>/health.lua, or <kind>/health.lua for Kubernetes' core kinds"
	}
	return ""
}

// The two forms in which the parser says where a mistake is, and the compiler's.
var (
	parsed   = lazy.Pattern(`^` + regexp.QuoteMeta(chunk) + ` line:(\d+)\(column:(\d+)\) (?s:(.*))$`)
	compiled = lazy.Pattern(`^` + regexp.QuoteMeta(chunk) + `:? ?(?:line:)?(\d+):? (?s:(.*))$`)
)

// where takes the place out of a message.
func where(message string) (line, column int, rest string) {
	message = strings.Join(strings.Fields(message), " ")
	if m := parsed.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		column, _ = strconv.Atoi(m[2])
		return line, column, m[3]
	}
	if m := compiled.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		return line, 0, m[2]
	}
	return 0, 0, strings.TrimPrefix(message, chunk)
}
