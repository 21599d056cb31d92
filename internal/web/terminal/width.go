package terminal

import (
	"strings"

	"github.com/clipperhouse/displaywidth"
)

// measure knows colors from text and counts columns as most terminals do.
var measure = displaywidth.Options{ControlSequences: true}

// width is how many columns a text takes. Colors take none.
func width(text string) int { return measure.String(text) }

// tab is how far apart tab stops are.
const tab = 8

// cut is a text of at most so many columns; what is cut off is replaced by an ellipsis, and the colors end there. Tabs
// become spaces.
func cut(text string, columns int) string {
	if printable(text) && len(text) <= columns {
		return text
	}
	if columns < 1 {
		return ""
	}
	var b strings.Builder
	at, styled := 0, false
	fits := 0 // length of b up to which there is still room for the ellipsis
	for g := measure.StringGraphemes(text); g.Next(); {
		part, wide := g.Value(), g.Width()
		if part[0] == '\x1b' {
			styled = true
			b.WriteString(part)
			continue
		}
		if part == "\t" {
			wide = tab - at%tab
			part = strings.Repeat(" ", wide)
		}
		if at+wide > columns {
			kept := b.String()[:fits]
			if styled {
				return kept + "…" + reset
			}
			return kept + "…"
		}
		at += wide
		b.WriteString(part)
		if at < columns {
			fits = b.Len()
		}
	}
	if styled {
		b.WriteString(reset)
	}
	return b.String()
}
