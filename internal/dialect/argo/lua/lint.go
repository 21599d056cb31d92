package lua

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// lint looks at one script of a folder: file is what the person calls it, p where it stands in the folder.
func lint(file, p, text string) *fault.Fault {
	if want := misplaced(p); want != "" {
		return fault.At(CodeStray, fault.Place{File: file}, "no kind has its script here").WithHint("%s", want).WithSeverity(fault.Warning)
	}
	if _, err := compile(text); err != nil {
		line, column, message := where(err, text)
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

// where is the place and the words of what is wrong with a script.
func where(err error, text string) (line, column int, message string) {
	if p, ok := errors.AsType[*parse.Error](err); ok {
		if p.Pos.Line == parse.EOF {
			return 1 + strings.Count(strings.TrimRight(text, "\n"), "\n"), 0, p.Message + " at the end"
		}
		return p.Pos.Line, p.Pos.Column, fmt.Sprintf("%s near %q", p.Message, p.Token)
	}
	if c, ok := errors.AsType[*glua.CompileError](err); ok {
		return c.Line, 0, c.Message
	}
	return 0, 0, err.Error()
}
