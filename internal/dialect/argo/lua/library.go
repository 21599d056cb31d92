package lua

import (
	"strings"
	"time"

	glua "github.com/yuin/gopher-lua"
)

// longest is how long a text the functions here make may be, in bytes.
const longest = 16 << 20

// The functions that are kept of each library. What is missing loads code, reaches outside or is of no use to a script
// that looks at one object.
var (
	baseKept = []string{
		"_VERSION", "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget", "rawset",
		"select", "setmetatable", "tonumber", "tostring", "type", "unpack", "xpcall",
	}
	mathDropped = []string{"random", "randomseed"} // their state would outlive the script
)

// library is what a table of functions holds, "" the globals.
type library struct {
	name    string
	entries []entry
}

type entry struct {
	name  string
	value glua.LValue
}

// libraries collects what scripts get from a state of its own, once: functions are the same in every state, tables are
// made for each. now and printed are asked when a script calls them.
func libraries(now func() time.Time, printed func(string)) []library {
	l := glua.NewState(glua.Options{SkipOpenLibs: true})
	defer l.Close()
	globals := l.G.Global
	for name, open := range map[string]glua.LGFunction{
		glua.BaseLibName: glua.OpenBase, glua.TabLibName: glua.OpenTable, glua.StringLibName: glua.OpenString, glua.MathLibName: glua.OpenMath,
	} {
		l.Push(l.NewFunction(open))
		l.Push(glua.LString(name))
		l.Call(1, 0)
	}
	math, text := globals.RawGetString("math").(*glua.LTable), globals.RawGetString("string").(*glua.LTable)
	for _, name := range mathDropped {
		math.RawSetString(name, glua.LNil)
	}
	text.RawSetString("dump", glua.LNil)
	text.RawSetString("__index", glua.LNil) // the table itself, set where it is made
	text.RawSetString("rep", l.NewFunction(repeat))
	out := []library{
		collect("table", globals.RawGetString("table").(*glua.LTable)), collect("string", text), collect("math", math),
		collect("os", clock(l, now)),
	}
	drop(globals, baseKept)
	globals.RawSetString("print", l.NewFunction(func(l *glua.LState) int {
		words := make([]string, l.GetTop())
		for i := range words {
			words[i] = l.ToStringMeta(l.Get(i + 1)).String()
		}
		printed(strings.Join(words, "\t"))
		return 0
	}))
	return append(out, collect("", globals))
}

func collect(name string, t *glua.LTable) library {
	lib := library{name: name}
	t.ForEach(func(k, v glua.LValue) { lib.entries = append(lib.entries, entry{k.String(), v}) })
	return lib
}

// open gives a state its libraries.
func open(l *glua.LState, libs []library) {
	globals := l.G.Global
	named := make(map[string]glua.LValue, len(libs))
	for _, lib := range libs {
		t := globals
		if lib.name != "" {
			t = l.CreateTable(0, len(lib.entries))
			named[lib.name] = t
			globals.RawSetString(lib.name, t)
		}
		for _, e := range lib.entries {
			t.RawSetString(e.name, e.value)
		}
	}
	text := named["string"].(*glua.LTable)
	text.RawSetString("__index", text)
	l.SetMetatable(glua.LString(""), text) // of all texts: ("x"):rep(2)
	globals.RawSetString("_G", globals)
	globals.RawSetString("require", l.NewFunction(func(l *glua.LState) int {
		name := l.CheckString(1)
		lib, ok := named[name]
		if !ok {
			l.RaiseError("module %s not found: scripts have only os, table, string and math", name)
		}
		l.Push(lib)
		return 1
	}))
}

// drop removes every global but those kept.
func drop(globals *glua.LTable, kept []string) {
	keep := make(map[string]bool, len(kept))
	for _, name := range kept {
		keep[name] = true
	}
	var gone []glua.LValue
	globals.ForEach(func(k, _ glua.LValue) {
		if !keep[k.String()] {
			gone = append(gone, k)
		}
	})
	for _, k := range gone {
		globals.RawSet(k, glua.LNil)
	}
}

// repeat is string.rep with a bound.
func repeat(l *glua.LState) int {
	s, n := l.CheckString(1), l.CheckInt(2)
	switch {
	case n <= 0 || s == "":
		l.Push(glua.LString(""))
	case n > longest/len(s):
		l.RaiseError("string.rep would make a text of more than %d MiB", longest>>20)
	default:
		l.Push(glua.LString(strings.Repeat(s, n)))
	}
	return 1
}

// clock is the library os: time and date, both of now where no other time is given, all in UTC.
func clock(l *glua.LState, now func() time.Time) *glua.LTable {
	lib := l.NewTable()
	lib.RawSetString("time", l.NewFunction(func(l *glua.LState) int {
		if l.GetTop() == 0 {
			l.Push(glua.LNumber(now().Unix()))
			return 1
		}
		t := l.CheckTable(1)
		field := func(name string, other int) int {
			if n, ok := t.RawGetString(name).(glua.LNumber); ok {
				return int(n)
			}
			return other
		}
		at := time.Date(field("year", -1), time.Month(field("month", -1)), field("day", -1), field("hour", 12), field("min", 0), field("sec", 0), 0, time.UTC)
		l.Push(glua.LNumber(at.Unix()))
		return 1
	}))
	lib.RawSetString("date", l.NewFunction(func(l *glua.LState) int {
		format, at := strings.TrimPrefix(l.OptString(1, "%c"), "!"), now().UTC()
		if l.GetTop() >= 2 {
			at = time.Unix(l.CheckInt64(2), 0).UTC()
		}
		if strings.HasPrefix(format, "*t") {
			l.Push(parts(l, at))
		} else {
			l.Push(glua.LString(date(at, format)))
		}
		return 1
	}))
	return lib
}

func parts(l *glua.LState, at time.Time) *glua.LTable {
	t := l.NewTable()
	for name, n := range map[string]int{
		"year": at.Year(), "month": int(at.Month()), "day": at.Day(), "hour": at.Hour(), "min": at.Minute(), "sec": at.Second(),
		"wday": int(at.Weekday()) + 1, "yday": at.YearDay(),
	} {
		t.RawSetString(name, glua.LNumber(n))
	}
	t.RawSetString("isdst", glua.LFalse)
	return t
}

// layouts are the letters of C's strftime as Go's layouts.
var layouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'c': "Mon Jan _2 15:04:05 2006", 'd': "02", 'D': "01/02/06", 'e': "_2",
	'F': "2006-01-02", 'H': "15", 'I': "03", 'j': "002", 'm': "01", 'M': "04", 'p': "PM", 'S': "05", 'T': "15:04:05", 'x': "01/02/06",
	'X': "15:04:05", 'y': "06", 'Y': "2006", 'z': "-0700", 'Z': "MST",
}

// date writes a time by C's letters; what is none stays as it is.
func date(at time.Time, format string) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		switch layout, ok := layouts[format[i]]; {
		case ok:
			b.WriteString(at.Format(layout))
		case format[i] == 'w':
			b.WriteByte('0' + byte(at.Weekday()))
		case format[i] == '%':
			b.WriteByte('%')
		default:
			b.WriteString(format[i-1 : i+1])
		}
	}
	return b.String()
}
