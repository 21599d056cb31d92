package terminal

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// ink colors texts, or leaves them as they are.
type ink bool

// The colors are the first sixteen, which every terminal's theme makes readable on its background.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
	bold   = "1"
	dim    = "2"
)

const reset = "\x1b[0m"

// on is the text in a color; "" is none.
func (k ink) on(code, text string) string {
	if !k || code == "" || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + reset
}

// tints tell neighbouring jobs apart. Red, green and yellow mean something and are not among them.
var tints = []string{"36", "35", "34", "96", "95", "94"}

// mark is a sign with its color. The signs differ, so that the color is never all there is.
type mark struct{ sign, color string }

var (
	begun    = mark{"●", cyan}
	passed   = mark{"✔", green}
	broken   = mark{"✖", red}
	warned   = mark{"!", yellow}
	opened   = mark{"▾", red} // a failed job whose line stands above
	stopped  = mark{"■", yellow}
	passedBy = mark{"○", dim}
	asks     = mark{"▶", cyan}
	waits    = mark{"◷", dim}
	again    = mark{"↻", yellow}
)

func (k ink) mark(m mark) string { return k.on(m.color, m.sign) }

// markOf is the sign of a state that is an end or waits for a person.
func markOf(s run.Status, allowed bool) mark {
	switch s {
	case run.Success:
		return passed
	case run.Failed:
		if allowed {
			return warned
		}
		return broken
	case run.Canceled:
		return stopped
	case run.Manual:
		return asks
	case run.Running:
		return begun
	case run.Skipped:
		return passedBy
	default:
		return waits
	}
}

// clean is a text of the user's files or jobs as one line that does nothing to a terminal.
func clean(text string) string {
	if printable(text) {
		return text
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == '\t' {
			return ' '
		}
		return r
	}, logs.Strip(text)))
}

// printable reports whether a text is nothing but visible ASCII.
func printable(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// length is a length of time for people: 41ms, 4.1s, 1m 05s, 2h 10m.
func length(d time.Duration) string {
	switch {
	case d < 0:
		return "0ms"
	case d < 995*time.Millisecond:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 59950*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm %02ds", int(d.Minutes()), int(d.Seconds())%60)
	default:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%dh %02dm", int(d.Hours()), int(d.Minutes())%60)
	}
}

// count is a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
