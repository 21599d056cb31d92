package terminal

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// board is what the live view shows: values in, lines out. It draws nothing itself.
type board struct {
	paper
	names   names
	tasks   map[string]*task
	column  int // width of the names
	total   int // jobs there are
	began   time.Time
	running []*task // in the order of their starts
	failed  []*task // in the order of their ends; allowed failures are not among them
	waiting []*task // for a time or for a resource group
	counts  map[run.Status]int
}

const (
	tailFew     = 10 // lines shown of a running job, where there is room
	tailAlone   = 15 // of the only one
	tailLeast   = 3  // before failed jobs get theirs
	enoughRows  = 10 // for an empty one above; it is also all that is left behind where a person presses Enter
	mostWaiting = 5  // jobs shown that wait for a time or a resource group
	widestLive  = 32 // columns of a name
	silence     = 30 * time.Second
)

func newBoard(p paper) board {
	return board{paper: p, names: names{}, tasks: map[string]*task{}, counts: map[run.Status]int{}}
}

func (b *board) begin(h Head, now time.Time) {
	b.began = now
	if h.Plan == nil {
		return
	}
	b.names.learn(h.Plan)
	b.total = len(h.Plan.Jobs)
	if h.Selected > 0 {
		b.total = min(b.total, h.Selected)
	}
	for _, j := range h.Plan.Jobs {
		b.column = max(b.column, min(widestLive, width(cmp.Or(b.names[j.ID], clean(j.Name)))))
	}
}

// change takes over a job's new state.
func (b *board) change(c run.Change, j run.Job) {
	t := b.tasks[j.ID]
	if t == nil {
		t = &task{id: j.ID, name: b.names.of(j), parent: b.tasks[j.Parent]}
		b.tasks[j.ID] = t
		b.column = max(b.column, min(widestLive, width(t.name)))
	}
	if c.Bound != nil && c.Bound.Plan != nil && t.jobs == 0 {
		t.jobs = len(c.Bound.Plan.Jobs)
		b.total += t.jobs
	}
	if j.Unselected {
		return
	}
	b.leave(t)
	t.status, t.allowed, t.late = c.To, c.Allowed, j.Late
	if m, text, ok := b.told(c, j); ok && m.sign != "" {
		t.said = text
	}
	if t.since = j.Started; t.since.IsZero() {
		t.since = c.At
	}
	t.heard = c.At
	if c.Retry {
		t.tail = tail{}
	}
	b.enter(t)
}

// leave takes a task out of the lists of its state.
func (b *board) leave(t *task) {
	if t.status == "" {
		return
	}
	b.counts[t.status]--
	if t.status.Over() && t.parent != nil {
		t.parent.done--
	}
	b.running = without(b.running, t)
	b.failed = without(b.failed, t)
	b.waiting = without(b.waiting, t)
}

func (b *board) enter(t *task) {
	b.counts[t.status]++
	if t.status.Over() && t.parent != nil {
		t.parent.done++
	}
	switch {
	case t.status == run.Running:
		b.running = append(b.running, t)
	case t.status == run.Failed && !t.allowed:
		b.failed = append(b.failed, t)
	case t.status == run.Waiting, t.status == run.Delayed:
		b.waiting = append(b.waiting, t)
	}
	if t.status.Over() && (t.status != run.Failed || t.allowed) {
		t.tail = tail{}
	}
}

func without(ts []*task, t *task) []*task {
	for i, have := range ts {
		if have == t {
			return append(ts[:i], ts[i+1:]...)
		}
	}
	return ts
}

// header is a job's line: sign, name, and what there is to say.
func (b *board) header(m mark, name, text string) string {
	return b.headed(m, name, b.column, text)
}

func (b *board) headed(m mark, name string, column int, text string) string {
	return strings.TrimRight(b.mark(m)+" "+fit(name, column)+"  "+text, " ")
}

// frame is the block: failed jobs with their last lines, running ones, those that wait, and how far all is. It has at
// most so many rows, none wider than columns.
func (b *board) frame(columns, rows int, now time.Time) []string {
	rows-- // the last line
	if rows < 0 {
		return nil
	}
	var gap []string
	if rows >= enoughRows {
		gap = []string{""}
		rows--
	}
	var out []string
	if len(b.running) > rows/2 {
		grid := b.grid(columns, rows, now)
		out = append(b.opened(rows-len(grid), columns), grid...)
	} else {
		out = b.list(columns, rows, now)
	}
	for _, t := range b.waiting[:min(max(0, rows-len(out)), len(b.waiting), mostWaiting)] {
		out = append(out, b.header(waits, t.name, b.on(dim, t.said)))
	}
	out = append(append(gap, out...), b.on(dim, b.far(now)))
	for i, line := range out {
		out[i] = cut(line, columns)
	}
	return out
}

// list is the failed and the running jobs below each other, each with its last lines.
func (b *board) list(columns, rows int, now time.Time) []string {
	room := max(0, rows-max(3, rows/4)-len(b.running)) // some of what ended stays in sight
	tails := make([]int, len(b.running))
	room = b.deal(tails, tailLeast, room)
	out := b.opened(room, columns)
	room -= len(out)
	most := tailFew
	if len(b.running) == 1 && len(out) == 0 {
		most = tailAlone
	}
	b.deal(tails, most, room)
	for i, t := range b.running {
		out = append(out, b.header(begun, t.name, b.on(dim, t.progress(now))))
		out = b.lines(out, t, tails[i], columns)
	}
	return out
}

// grid is the running jobs side by side, for when there are too many to show what they write.
func (b *board) grid(columns, rows int, now time.Time) []string {
	longest := 0
	for _, t := range b.running {
		longest = max(longest, width(t.name))
	}
	const around = len("* ") + len("  10m 05s  ")
	column := min(longest, max(12, columns/3-around))
	cell := column + around
	across := max(1, columns/cell)
	shown := b.running
	if len(shown) > across*rows {
		shown = shown[:across*max(0, rows-1)]
	}
	var out []string
	for i, t := range shown {
		if i%across == 0 {
			out = append(out, "")
		}
		last := &out[len(out)-1]
		text := b.headed(begun, t.name, column, b.on(dim, clock(now.Sub(t.since))))
		*last += text
		if i%across < across-1 {
			*last += strings.Repeat(" ", max(1, cell-width(text)))
		}
	}
	if left := len(b.running) - len(shown); left > 0 && rows > 0 {
		out = append(out, b.on(dim, fmt.Sprintf("  and %d more running", left)))
	}
	return out
}

// opened is the failed jobs with their last lines, the latest ones where there is no room for all.
func (b *board) opened(room, columns int) []string {
	tails := make([]int, len(b.failed))
	for i := len(tails) - 1; i >= 0 && room > 1; i-- {
		if tails[i] = min(b.failed[i].tail.len(), room-1); tails[i] > 0 {
			room -= tails[i] + 1
		}
	}
	var out []string
	for i, t := range b.failed {
		if tails[i] > 0 {
			out = append(out, b.header(opened, t.name, b.on(dim, "its last lines")))
			out = b.lines(out, t, tails[i], columns)
		}
	}
	return out
}

// deal gives the running jobs rows for their lines in turn, up to most each, and says how many are left.
func (b *board) deal(tails []int, most, room int) int {
	for given := true; given && room > 0; {
		given = false
		for i := range tails {
			if room > 0 && tails[i] < min(most, b.running[i].tail.len()) {
				tails[i]++
				room--
				given = true
			}
		}
	}
	return room
}

func (b *board) lines(out []string, t *task, n, columns int) []string {
	for _, line := range t.tail.last(n, columns-4, b.paper) {
		out = append(out, "  "+b.on(dim, "│")+" "+line)
	}
	return out
}

// progress says for how long a job runs, and how it shows that it lives.
func (t *task) progress(now time.Time) string {
	text := clock(now.Sub(t.since))
	if t.late && t.jobs > 0 {
		return fmt.Sprintf("%s · %d of %s done", text, t.done, count(t.jobs, "job", "jobs"))
	}
	if t.heard.IsZero() {
		t.heard = now
	}
	if quiet := now.Sub(t.heard); quiet >= silence && !t.late {
		text += " · no output for " + clock(quiet)
	}
	return text
}

// far is how far the pipeline is.
func (b *board) far(now time.Time) string {
	done := 0
	for s, n := range b.counts {
		if s.Over() {
			done += n
		}
	}
	parts := []string{fmt.Sprintf("%d of %s done", done, count(max(b.total, done), "job", "jobs"))}
	for _, c := range []struct {
		n    int
		what string
	}{{len(b.failed), "failed"}, {len(b.running), "running"}, {len(b.waiting), "waiting"}, {b.counts[run.Manual], "manual"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	return strings.Join(append(parts, clock(now.Sub(b.began))), " · ")
}

// clock is a length of time in whole seconds.
func clock(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	}
	return length(d.Truncate(time.Second))
}
