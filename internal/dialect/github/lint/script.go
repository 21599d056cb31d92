package lint

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Script is a run of a step, for tools that look at scripts.
type Script struct {
	// Place is where its text begins in the workflow.
	Place fault.Place
	// Shell is that of the step, as it was written or as it is by default; "" where an expression gives it.
	Shell string
	// Text is the script. Every ${{ }} is replaced by as many underscores, so that lines and columns stay.
	Text string

	at func(offset int) fault.Place
}

// At is the place in the workflow of a line and a column (in characters) of the script, both from 1. What is before or
// behind the script is at its begin or end.
func (s Script) At(line, column int) fault.Place {
	if line < 1 || s.Text == "" {
		return s.Place
	}
	offset := 0
	for n := 1; n < line; n++ {
		i := strings.IndexByte(s.Text[offset:], '\n')
		if i < 0 || offset+i+1 == len(s.Text) {
			return s.at(len(strings.TrimRight(s.Text, "\n")))
		}
		offset += i + 1
	}
	rest, _, _ := strings.Cut(s.Text[offset:], "\n")
	for i := range rest {
		if column--; column < 1 {
			return s.at(offset + i)
		}
	}
	return s.at(offset + len(rest))
}

// Scripts are the scripts of a workflow in their order. text is the text of the file.
func Scripts(f *workflow.File, text []byte) []Script {
	places := workflow.Places(f.Path, text)
	var out []Script
	var add func(steps []*workflow.Step, defaults []workflow.Defaults, on system)
	add = func(steps []*workflow.Step, defaults []workflow.Defaults, on system) {
		for _, st := range steps {
			if st.Run.Set && st.Run.Node != nil && st.Run.Template != nil {
				out = append(out, Script{
					Place: st.Run.At(), Shell: shellOf(st, defaults, on), Text: underscored(st.Run.Value), at: places(st.Run.Node),
				})
			}
			add(st.Parallel, defaults, on)
		}
	}
	for _, j := range f.Jobs {
		add(j.Steps, []workflow.Defaults{j.Defaults, f.Defaults}, systemOf(j))
	}
	return out
}

// ActionScripts are the scripts of a composite action in their order. text is the text of the file.
func ActionScripts(a *workflow.Action, text []byte) []Script {
	j := &workflow.Job{Steps: a.Steps}
	return Scripts(&workflow.File{Path: a.Path, Jobs: []*workflow.Job{j}}, text)
}

// underscored is a script with _ for every character of ${{ }}; line breaks in them stay.
func underscored(text string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "${{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		end := closing(rest)
		for _, r := range "${{" + rest[:end] {
			if r == '\n' {
				b.WriteByte('\n')
				continue
			}
			b.WriteString(strings.Repeat("_", len(string(r)))) // bytes, so that offsets stay
		}
		text = rest[end:]
	}
}

// closing is the offset behind the }} that ends an expression: the first one outside of 'text'.
func closing(rest string) int {
	quoted := false
	for i := 0; i < len(rest); i++ {
		switch {
		case rest[i] == '\'':
			quoted = !quoted
		case !quoted && strings.HasPrefix(rest[i:], "}}"):
			return i + 2
		}
	}
	return len(rest)
}
