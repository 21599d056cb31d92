package logs

import "time"

// Kind says what an Event is.
type Kind string

// The kinds of events.
const (
	Text  Kind = "text"  // a line, or a part of one
	Start Kind = "start" // a section begins
	End   Kind = "end"   // a section ends
)

// Event is what a folded log consists of, in any dialect: lines, and sections that begin and end around them.
// Sections are always properly nested and every one that begins also ends.
type Event struct {
	Kind Kind
	// Line is the line of a Text, and for a Start the line that its header was (number 0 where it had none).
	Line Line
	// Section is the section that a Start or an End is about.
	Section Section
}

// Section is a part of a log that can be folded.
type Section struct {
	// Name tells sections apart; it is not meant for people.
	Name string
	// Header is what stands in place of the section when it is folded; it may hold control sequences. An End has none.
	Header string
	// Collapsed says that the section is folded until somebody opens it. An End does not repeat it.
	Collapsed bool
	// Time is when the section began or ended, by the clock of the job; zero where the job did not tell.
	Time time.Time
	// Depth is how many sections are around it.
	Depth int
	// Implied marks an End that the log does not have: the section around it ended, or the log did.
	Implied bool
}
