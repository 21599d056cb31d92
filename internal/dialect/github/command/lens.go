package command

import (
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Options say how a step's output is read.
type Options struct {
	Debug     bool   // ACTIONS_STEP_DEBUG: debug messages are shown, and commands are echoed
	Unsecure  bool   // ACTIONS_ALLOW_UNSECURE_COMMANDS: set-env and add-path work
	AnyStop   bool   // ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS: stop-commands takes any word
	Workspace string // the project folder as the step sees it
	Fold      string // begins the names of the folds that ::group:: makes; unique in the job
	Matchers  []*Matcher
}

// The bounds of what one step may say. Beyond them the step fails; its output goes on.
const (
	maxMasks = 10_000
	maxNotes = 1_000
	maxBytes = 16 << 20 // of outputs, states and variables
)

// Said is what a step told the machinery by its output.
type Said struct {
	Outputs, State []Pair
	Env            []Pair   // only with Unsecure
	Paths          []string // only with Unsecure
	Notes          []program.Note
	Masks          []string
	Moves          []Move // what ::add-matcher:: and ::remove-matcher:: named, in order
	Failed         string // why the step fails although its commands went well; "" for no reason
	Lost           int    // notes beyond the bound
	// Held are the lines after the first matcher was added: it could not look at them when they came. See Replay.
	Held []Held
}

// Move adds the matchers of a file, or takes those of an owner or of a file away.
type Move struct {
	Add   bool
	File  string
	Owner string // "" where a file is named
	At    int    // how many lines were held before
}

// Held is a line of output.
type Held struct {
	Stream program.Stream
	Text   string
}

// Lens reads the output of one step as it comes: program.Lens.
type Lens struct {
	o        Options
	said     Said
	stop     string // the word that ends stop-commands
	echo     bool
	folds    []string
	count    int // of folds
	bytes    int
	held     int
	matching map[program.Stream][]*matching
}

// NewLens is the lens for one step.
func NewLens(o Options) *Lens {
	return &Lens{o: o, echo: o.Debug, matching: map[program.Stream][]*matching{}}
}

// Said is what the step has told so far.
func (l *Lens) Said() *Said { return &l.said }

// Open is how many folds the output began and did not end.
func (l *Lens) Open() []string { return l.folds }

// Line reads one line.
func (l *Lens) Line(s program.Stream, text string) program.Seen {
	if s != program.Stdout && s != program.Stderr {
		return program.Seen{Keep: true}
	}
	if strings.Contains(text, "::") || strings.Contains(text, "##[") {
		if c, ok := Parse(text, l.stop); ok {
			if seen, done := l.command(c, text); done {
				return seen
			}
		}
	}
	l.hold(s, text)
	return l.match(s, text)
}

// command acts on a command; done is false where commands are stopped, and the line is plain output.
func (l *Lens) command(c Command, text string) (seen program.Seen, done bool) {
	if l.stop != "" {
		if !strings.EqualFold(c.Name, l.stop) {
			return program.Seen{}, false
		}
		l.stop = ""
		return program.Seen{Keep: true}, true
	}
	if c.Name == stopCommands {
		return l.stopAt(c, text), true
	}
	echoed := l.echo // before echo::on, and still at echo::off: as the runner does
	seen = l.act(c, text)
	if echoed && seen.Show == "" && !quiet[c.Name] {
		seen.Show = text
	}
	return seen, true
}

// quiet are the commands that are not echoed: they show something of their own, or must not show.
var quiet = map[string]bool{addMask: true, debug: true, errorNote: true, warning: true, notice: true, group: true, endGroup: true}

// stopAt stops commands until the word comes. The word must be one that output does not hold by chance.
func (l *Lens) stopAt(c Command, text string) program.Seen {
	if word := c.Data; !l.o.AnyStop && (word == "" || known[strings.ToLower(word)] || strings.EqualFold(word, "pause-logging")) {
		return l.refuse(CodeStop, text, "the word that ends stop-commands must not be empty, pause-logging or the name of a command")
	}
	l.stop = c.Data
	return program.Seen{Keep: true}
}

func (l *Lens) act(c Command, text string) program.Seen {
	switch c.Name {
	case addMask:
		return l.mask(c)
	case debug:
		if l.o.Debug {
			return program.Seen{Show: "##[debug]" + c.Data}
		}
		return program.Seen{}
	case errorNote, warning, notice:
		return l.note(c)
	case group, endGroup:
		return l.fold(c)
	case echo:
		return l.setEcho(c, text)
	case setOutput, saveState:
		return l.pair(c, text)
	case setEnv, addPath:
		return l.environment(c, text)
	case addMatcher:
		return l.load(c)
	case removeMatcher:
		return l.unload(c)
	default: // the word of stop-commands, which has no meaning now
		return program.Seen{Keep: true}
	}
}

// mask hides a value, and each line of one that has several: output comes line by line.
func (l *Lens) mask(c Command) program.Seen {
	if strings.TrimSpace(c.Data) == "" {
		return program.Seen{Show: "Can't add secret mask for empty string in ##[add-mask] command.", Warning: true}
	}
	if len(l.said.Masks) >= maxMasks {
		return l.refuse(CodeLimit, "::add-mask::***", fmt.Sprintf("a step may hide at most %d values", maxMasks))
	}
	values := []string{c.Data}
	if strings.ContainsAny(c.Data, "\r\n") {
		for line := range strings.FieldsFuncSeq(c.Data, func(r rune) bool { return r == '\r' || r == '\n' }) {
			if strings.TrimSpace(line) != "" {
				values = append(values, line)
			}
		}
	}
	l.said.Masks = append(l.said.Masks, values...)
	seen := program.Seen{Mask: values}
	if l.echo {
		seen.Show = "::add-mask::***"
	}
	return seen
}

func (l *Lens) setEcho(c Command, text string) program.Seen {
	switch strings.ToUpper(strings.TrimSpace(c.Data)) {
	case "ON":
		l.echo = true
	case "OFF":
		l.echo = false
	default:
		return l.refuse(CodeForm, text, fmt.Sprintf("echo is turned on or off, not %q", shorten(c.Data)))
	}
	return program.Seen{}
}

// fold begins or ends a group. An end without a beginning of the step's own does nothing, so that output cannot end the
// fold of the step itself.
func (l *Lens) fold(c Command) program.Seen {
	const deepest = 16
	if c.Name == group {
		if len(l.folds) >= deepest {
			return program.Seen{Show: c.Data}
		}
		l.count++
		name := fmt.Sprintf("%s-%d", l.o.Fold, l.count)
		l.folds = append(l.folds, name)
		return program.Seen{Section: &program.Section{Name: name, Header: c.Data, Start: true, Said: true}}
	}
	if len(l.folds) == 0 {
		return program.Seen{}
	}
	name := l.folds[len(l.folds)-1]
	l.folds = l.folds[:len(l.folds)-1]
	return program.Seen{Section: &program.Section{Name: name}}
}

// retired is what GitHub says of commands that still work and shall not be used.
const retired = "The `%s` command is deprecated and will be disabled soon. Write to the file that $%s names instead."

// disabled is what GitHub says of commands that it turned off.
const disabled = "The `%s` command is disabled: anything that writes to the output could use it. Write to the file that $%s names instead, or set ACTIONS_ALLOW_UNSECURE_COMMANDS to true."

// pair takes set-output and save-state, which concern the step itself alone.
func (l *Lens) pair(c Command, text string) program.Seen {
	name := c.prop("name")
	if name == "" {
		return l.refuse(CodeForm, text, "the property name is missing: ::"+c.Name+" name=NAME::VALUE")
	}
	if why := l.spend(len(name) + len(c.Data)); why != "" {
		return l.refuse(CodeLimit, "::"+c.Name+"::", why)
	}
	to, file := &l.said.Outputs, "GITHUB_OUTPUT"
	if c.Name == saveState {
		to, file = &l.said.State, "GITHUB_STATE"
	}
	first := len(*to) == 0
	*to = append(*to, Pair{name, c.Data})
	if first {
		return program.Seen{Show: fmt.Sprintf(retired, c.Name, file) + " [" + CodeRetired + "]", Warning: true}
	}
	return program.Seen{}
}

// environment takes set-env and add-path, which GitHub turned off (CVE-2020-15228).
func (l *Lens) environment(c Command, text string) program.Seen {
	file := "GITHUB_ENV"
	if c.Name == addPath {
		file = "GITHUB_PATH"
	}
	name := c.prop("name")
	switch {
	case !l.o.Unsecure:
		return l.refuse(CodeDisabled, text, fmt.Sprintf(disabled, c.Name, file))
	case c.Name == setEnv && name == "":
		return l.refuse(CodeForm, text, "the property name is missing: ::set-env name=NAME::VALUE")
	case c.Name == setEnv && CheckEnv(name) != nil:
		return l.complain("error", CheckEnv(name).Error()+" ["+CodeName+"]")
	case c.Name == addPath && c.Data == "":
		return l.refuse(CodeForm, text, "the folder is missing: ::add-path::FOLDER")
	}
	if why := l.spend(len(name) + len(c.Data)); why != "" {
		return l.refuse(CodeLimit, "::"+c.Name+"::", why)
	}
	if c.Name == addPath {
		l.said.Paths = append(l.said.Paths, c.Data)
	} else {
		l.said.Env = append(l.said.Env, Pair{name, c.Data})
	}
	return program.Seen{}
}

// spend counts a value of n bytes, which is held until the step ends, however short it is.
func (l *Lens) spend(n int) string {
	const each = 64
	if l.bytes += n + each; l.bytes > maxBytes {
		return fmt.Sprintf("a step may set at most %d MiB of values by its output", maxBytes>>20)
	}
	return ""
}

// refuse is a command that cannot be carried out: the step fails.
func (l *Lens) refuse(code, text, why string) program.Seen {
	message := fmt.Sprintf("Unable to process command '%s' successfully: %s [%s]", shorten(strings.TrimSpace(text)), why, code)
	if l.said.Failed == "" {
		l.said.Failed = message
	}
	return l.complain("error", message)
}

// complain is a note of our own about the step.
func (l *Lens) complain(level, message string) program.Seen {
	l.annotate(program.Note{Level: level, Message: message})
	return program.Seen{Show: Show(level, message)}
}
