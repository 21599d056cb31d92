package terminal

import (
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// Options say how a run is shown. The zero value, with writers, shows it as fits the terminal.
type Options struct {
	Progress string    // auto (also ""), tty, plain, json or quiet
	Color    string    // auto (also ""), always or never
	Out      io.Writer // data: the events of json
	Err      io.Writer // progress: all that people read
	// Env looks up the environment; nil is the process's own.
	Env func(name string) string
	// Size is the terminal behind Err, in columns and rows; not ok where it is none. Nil asks Err itself.
	Size func() (columns, rows int, ok bool)
	// Play is the command that plays a manual job; nil names the job to `sluice run`.
	Play func(j run.Job) string
	// Now is the clock of the live view; nil is the machine's.
	Now func() time.Time
}

// New makes the view that the options ask for. An unknown Progress or Color is an error.
func New(o Options) (View, error) {
	if o.Env == nil {
		o.Env = os.Getenv
	}
	if o.Size == nil {
		o.Size = sizeOf(o.Err)
	}
	if o.Play == nil {
		o.Play = play
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	mode, err := o.mode()
	if err != nil {
		return nil, err
	}
	color, err := o.color()
	if err != nil {
		return nil, err
	}
	p := paper{ink: ink(color), play: o.Play}
	switch mode {
	case "json":
		return behind(NewJSON(o.Out)), nil
	case "quiet":
		return behind(newQuiet(o.Err, p)), nil
	case "tty":
		return behind(newLive(o, p)), nil
	default:
		return behind(newPlain(o.Err, p)), nil
	}
}

// mode is the progress asked for. "auto" is the live view where a person watches it: standard error is a terminal
// that can move its cursor, and this is not a machine's build.
func (o Options) mode() (string, error) {
	modes := []string{"auto", "tty", "plain", "json", "quiet"}
	if o.Progress != "" && o.Progress != "auto" {
		if !slices.Contains(modes, o.Progress) {
			return "", fault.New("", "--progress %s is not one of %s", o.Progress, strings.Join(modes, ", "))
		}
		return o.Progress, nil
	}
	if _, _, ok := o.Size(); ok && !o.yes("CI") && o.Env("TERM") != "dumb" {
		return "tty", nil
	}
	return "plain", nil
}

// color says whether to color. The flag goes first; then NO_COLOR (no-color.org), CLICOLOR_FORCE and CLICOLOR
// (bixense.com/clicolors); then whether it is a terminal that has colors.
func (o Options) color() (bool, error) {
	switch o.Color {
	case "always":
		return true, nil
	case "never":
		return false, nil
	case "", "auto":
	default:
		return false, fault.New("", "--color %s is not one of auto, always, never", o.Color)
	}
	switch {
	case o.Env("NO_COLOR") != "":
		return false, nil
	case o.yes("CLICOLOR_FORCE"):
		return true, nil
	case o.Env("CLICOLOR") == "0", o.Env("TERM") == "dumb":
		return false, nil
	}
	_, _, ok := o.Size()
	return ok, nil
}

// yes reports whether a variable of the environment says yes.
func (o Options) yes(name string) bool {
	switch v := o.Env(name); strings.ToLower(v) {
	case "", "0", "false", "no", "off":
		return false
	default:
		return true
	}
}

// dimensions are the size to draw for, also where a terminal is only pretended.
func (o Options) dimensions() (columns, rows int) {
	columns, rows, ok := o.Size()
	if !ok {
		columns, _ = strconv.Atoi(o.Env("COLUMNS"))
		rows, _ = strconv.Atoi(o.Env("LINES"))
	}
	if columns < 1 {
		columns = 80
	}
	if rows < 1 {
		rows = 24
	}
	return columns, rows
}

// sizeOf asks a writer for its size, if it is a terminal.
func sizeOf(w io.Writer) func() (columns, rows int, ok bool) {
	file, ok := w.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return func() (int, int, bool) { return 0, 0, false }
	}
	return func() (int, int, bool) {
		columns, rows, err := term.GetSize(int(file.Fd()))
		return columns, rows, err == nil
	}
}

// play names a job to `sluice run`, which plays it.
func play(j run.Job) string {
	return "sluice run -- " + word(j.Plan.Name)
}

// word quotes a text for a shell where that is needed.
func word(text string) string {
	const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:,@+"
	if text != "" && strings.Trim(text, safe) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
