package command

import (
	"strings"
	"unicode"
)

// The names of the workflow commands.
const (
	addMask       = "add-mask"
	addMatcher    = "add-matcher"
	addPath       = "add-path"
	debug         = "debug"
	echo          = "echo"
	endGroup      = "endgroup"
	errorNote     = "error"
	group         = "group"
	notice        = "notice"
	removeMatcher = "remove-matcher"
	saveState     = "save-state"
	setEnv        = "set-env"
	setOutput     = "set-output"
	stopCommands  = "stop-commands"
	warning       = "warning"
)

var known = map[string]bool{
	addMask: true, addMatcher: true, addPath: true, debug: true, echo: true, endGroup: true, errorNote: true, group: true,
	notice: true, removeMatcher: true, saveState: true, setEnv: true, setOutput: true, stopCommands: true, warning: true,
}

// Command is a workflow command.
type Command struct {
	Name  string            // lower case
	Props map[string]string // by lower-case name; nil for none
	Data  string
}

// Parse reads a line as a workflow command: `::name key=value,key=value::data` from the first character that is no
// blank, or `##[name key=value;key=value]data` anywhere in it. Names are those of the documentation, in any case, and
// extra where it is not empty (the word that ends stop-commands). ok is false for a line of plain output.
func Parse(line, extra string) (c Command, ok bool) {
	if strings.Contains(line, "::") {
		if c, ok = parseColons(line, extra); ok {
			return c, true
		}
	}
	return parseHashes(line, extra)
}

// form is one way to write a command.
type form struct {
	end, between string // of the name and properties; of properties
	trim         bool   // blanks around the properties are none of them
	props, data  []escape
}

var (
	colons   = form{"::", ",", true, propertyEscapes, dataEscapes}
	brackets = form{"]", ";", false, bracketEscapes, bracketEscapes}
)

func parseColons(line, extra string) (Command, bool) {
	rest, ok := strings.CutPrefix(strings.TrimLeftFunc(line, unicode.IsSpace), "::")
	if !ok {
		return Command{}, false
	}
	return colons.parse(rest, extra)
}

func parseHashes(line, extra string) (Command, bool) {
	_, rest, ok := strings.Cut(line, "##[")
	if !ok {
		return Command{}, false
	}
	return brackets.parse(rest, extra)
}

// parse reads what stands behind the beginning of a command.
func (f form) parse(rest, extra string) (Command, bool) {
	info, data, ok := strings.Cut(rest, f.end)
	if !ok {
		return Command{}, false
	}
	name, props, has := strings.Cut(info, " ")
	c, ok := named(name, extra)
	if !ok {
		return Command{}, false
	}
	if f.trim {
		props = strings.TrimSpace(props)
	}
	if has && name != "" {
		c.read(props, f.between, f.props)
	}
	c.Data = unescape(data, f.data)
	return c, true
}

func named(name, extra string) (Command, bool) {
	lower := strings.ToLower(name)
	if !known[lower] && (extra == "" || !strings.EqualFold(name, extra)) {
		return Command{}, false
	}
	return Command{Name: lower}, true
}

// read takes key=value pairs; a pair without a key or value is passed over.
func (c *Command) read(text, separator string, escapes []escape) {
	for pair := range strings.SplitSeq(text, separator) {
		key, value, _ := strings.Cut(pair, "=")
		if key == "" || value == "" {
			continue
		}
		if c.Props == nil {
			c.Props = map[string]string{}
		}
		c.Props[strings.ToLower(key)] = unescape(value, escapes)
	}
}

// prop is a property by its name in any case.
func (c Command) prop(name string) string { return c.Props[strings.ToLower(name)] }

// escape is a character that a command writes in another way.
type escape struct{ written, means string }

// The escapes of data, of properties, and of the form with brackets. The percent sign comes last, so that %250A stays %0A.
var (
	dataEscapes     = []escape{{"%0D", "\r"}, {"%0A", "\n"}, {"%25", "%"}}
	propertyEscapes = []escape{{"%0D", "\r"}, {"%0A", "\n"}, {"%3A", ":"}, {"%2C", ","}, {"%25", "%"}}
	bracketEscapes  = []escape{{"%3B", ";"}, {"%0D", "\r"}, {"%0A", "\n"}, {"%5D", "]"}, {"%25", "%"}}
)

func unescape(s string, escapes []escape) string {
	if !strings.Contains(s, "%") {
		return s
	}
	for _, e := range escapes {
		s = strings.ReplaceAll(s, e.written, e.means)
	}
	return s
}
