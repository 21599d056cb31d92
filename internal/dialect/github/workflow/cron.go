package workflow

import (
	"strconv"
	"strings"
)

// cronField is one of the five fields of a cron line.
type cronField struct {
	name     string
	min, max int
	words    []string // names of the values from min on
}

var cronFields = []cronField{
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of the month", 1, 31, nil},
	{"month", 1, 12, []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	{"day of the week", 0, 7, []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
}

// often is the shortest time between two runs that GitHub keeps.
const often = 5

// cron tells what is wrong with a cron line (Events that trigger workflows, schedule).
func (r *reader) cron(t Text) {
	if !t.Set || t.Value == "" {
		return
	}
	if strings.HasPrefix(t.Value, "@") {
		r.mistake(CodeCron, t.At(), "%s is not known to GitHub", t.Value).WithHint("write five fields, such as '0 0 * * *'")
		return
	}
	parts := strings.Fields(t.Value)
	if len(parts) != len(cronFields) {
		r.mistake(CodeCron, t.At(), "a cron line has 5 fields, not %d", len(parts)).
			WithHint("minute, hour, day of the month, month, day of the week: '30 5 * * 1-5'")
		return
	}
	var minutes []bool
	from := 0
	for i, part := range parts {
		offset := from + strings.Index(t.Value[from:], part)
		from = offset + len(part)
		values, why := cronFields[i].read(part)
		if why != "" {
			r.mistake(CodeCron, r.at(t.Node)(offset), "the %s %q %s", cronFields[i].name, part, why)
			return
		}
		if f := cronFields[i]; f.oversteps(part) {
			r.warn(CodeCron, r.at(t.Node)(offset), "the step of the %s %q is longer than the field: only the first value counts", f.name, part)
		}
		if i == 0 {
			minutes = values
		}
		if i == 4 && strings.Contains(part, "7") && part != "*/7" {
			r.warn(CodeCron, r.at(t.Node)(offset), "days of the week are 0 to 6, and Sunday is 0").WithHint("write 0 or SUN for Sunday")
		}
	}
	if gap := shortest(minutes); gap < often {
		r.warn(CodeCron, t.At(), "this is every %s; GitHub runs it every %d minutes at most", minutesText(gap), often).
			WithHint("write */%d", often)
	}
}

func minutesText(n int) string {
	if n == 1 {
		return "minute"
	}
	return strconv.Itoa(n) + " minutes"
}

// read gives the values that a field means, or says what is wrong.
func (f cronField) read(text string) (values []bool, why string) {
	values = make([]bool, f.max+1)
	for item := range strings.SplitSeq(text, ",") {
		span, step, stepped := strings.Cut(item, "/")
		by := 1
		if stepped {
			n, err := strconv.Atoi(step)
			if err != nil || n < 1 {
				return nil, "has a step that is no number from 1 to " + strconv.Itoa(f.max)
			}
			by = min(n, f.max+1) // a longer step leaves the first value only
		}
		low, high, why := f.span(span, stepped)
		if why != "" {
			return nil, why
		}
		for v := low; v <= high; v += by {
			values[v] = true
		}
	}
	return values, ""
}

// oversteps reports whether a field that can be read has a step behind its last value, which GitHub accepts.
func (f cronField) oversteps(text string) bool {
	for item := range strings.SplitSeq(text, ",") {
		_, step, _ := strings.Cut(item, "/")
		if n, err := strconv.Atoi(step); err == nil && n > f.max {
			return true
		}
	}
	return false
}

// span is the first and last value of an item.
func (f cronField) span(text string, stepped bool) (low, high int, why string) {
	if text == "*" {
		return f.min, f.max, ""
	}
	first, last, isRange := strings.Cut(text, "-")
	low, ok := f.value(first)
	if !ok {
		return 0, 0, f.range_()
	}
	switch {
	case isRange:
		if high, ok = f.value(last); !ok {
			return 0, 0, f.range_()
		}
		if low > high {
			return 0, 0, "has a range that begins behind its end"
		}
		return low, high, ""
	case stepped:
		return low, f.max, ""
	}
	return low, low, ""
}

func (f cronField) range_() string {
	s := "is not *, or values from " + strconv.Itoa(f.min) + " to " + strconv.Itoa(f.max)
	if f.words != nil {
		s = "is not *, or values from " + strconv.Itoa(f.min) + " to " + strconv.Itoa(f.min+len(f.words)-1) + " or " + f.words[0] + " to " + f.words[len(f.words)-1]
	}
	return s
}

func (f cronField) value(text string) (int, bool) {
	for i, w := range f.words {
		if strings.EqualFold(w, text) {
			return f.min + i, true
		}
	}
	if text == "" || strings.Trim(text, "0123456789") != "" || len(text) > 2 {
		return 0, false
	}
	n, _ := strconv.Atoi(text)
	return n, n >= f.min && n <= f.max
}

// shortest is the least number of minutes between two values, around the hour.
func shortest(minutes []bool) int {
	first, last, gap := -1, -1, len(minutes)
	for i, on := range minutes {
		if !on {
			continue
		}
		if first < 0 {
			first = i
		} else {
			gap = min(gap, i-last)
		}
		last = i
	}
	if first >= 0 && first != last {
		gap = min(gap, first+len(minutes)-last)
	}
	return gap
}

// timezone tells names that the IANA database does not have.
func (r *reader) timezone(t Text) {
	if !t.Set || t.Value == "" || strings.Contains(t.Value, open) || isZone(t.Value) {
		return
	}
	f := r.mistake(CodeTimezone, t.At(), "there is no time zone %q", t.Value).WithHint("names are those of the IANA database: Etc/UTC, Europe/Berlin, America/New_York")
	if near := nearestZone(strings.ReplaceAll(t.Value, " ", "_")); near != "" && len(t.Value) < 64 && r.told <= maxTold {
		f.WithHint("did you mean %s?", near)
	}
}
