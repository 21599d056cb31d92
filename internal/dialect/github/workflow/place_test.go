package workflow_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
)

// expressions are in a text that is written in one of YAML's styles; the place of each must be where its name stands.
func TestExpressionsArePlacedWhereTheyStand(t *testing.T) {
	words := []string{"one", "two ", " three", "é", "💥", "a: b", "''", `"`, `\`, "#x", "- y", "\t"}
	rapid.Check(t, func(t *rapid.T) {
		style := rapid.SampledFrom([]string{"|", ">", "|2-", ">+", "'", `"`, "plain"}).Draw(t, "style")
		count := rapid.IntRange(1, 6).Draw(t, "lines")
		var lines []string
		for i := range count {
			if i > 0 && rapid.IntRange(0, 3).Draw(t, "blank") == 0 {
				lines = append(lines, "")
			}
			var b strings.Builder
			if (style == "|" || style == ">" || style == "|2-" || style == ">+") && i > 0 && rapid.Bool().Draw(t, "deeper") {
				b.WriteString("  ")
			}
			for range rapid.IntRange(0, 3).Draw(t, "words") {
				b.WriteString(rapid.SampledFrom(words).Draw(t, "word"))
			}
			line := b.String() + "x ${{ here.a }} y"
			if i == 0 && strings.ContainsAny(style, "|>") {
				line = strings.TrimLeft(line, " ") // the first line says how deep the text is: a later one that is less deep is not in it
			}
			lines = append(lines, line)
		}
		text := write(style, lines)
		src := "on: push\nenv:\n  KEY: " + text + "\njobs: {a: {runs-on: x, steps: [{run: y}]}}\n"
		f, faults := workflow.Read("ci.yml", []byte(src))
		if len(f.Env.Vars) != 1 || len(f.Jobs) != 1 {
			t.Skip("the words make other YAML of it")
		}
		source := strings.Split(src, "\n")
		found := 0
		for _, fault := range faults {
			if fault.Code != "SL1606" {
				t.Fatalf("%v\n%s", fault, src)
			}
			found++
			line := source[fault.Place.Line-1]
			if at := byteOf(line, fault.Place.Column); !strings.HasPrefix(line[at:], "here.a") {
				t.Fatalf("%v points at %q of\n%s", fault, line[at:], src)
			}
		}
		if found != count {
			t.Fatalf("%d of %d expressions are told:\n%s", found, count, src)
		}
	})
}

func byteOf(line string, column int) int {
	at := 0
	for range column - 1 {
		_, size := utf8.DecodeRuneInString(line[at:])
		at += size
	}
	return at
}

// write writes lines in a style of YAML, four spaces deep.
func write(style string, lines []string) string {
	const indent = "\n    "
	switch style {
	case "'":
		return "'" + strings.ReplaceAll(strings.Join(lines, indent), "'", "''") + "'"
	case `"`:
		var b strings.Builder
		for i, line := range lines {
			if i > 0 && line != "" && lines[i-1] != "" {
				b.WriteString(` \`)
			}
			if i > 0 {
				b.WriteString(indent)
			}
			b.WriteString(strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`, "é", `\u00e9`, "💥", `\U0001F4A5`, "o", `\x6f`).Replace(line))
		}
		return `"` + b.String() + `"`
	case "plain":
		return strings.NewReplacer("\t", "", ": ", ":", " #", " ", "#x", "", `"`, "", "'", "", "- ", "-").Replace(strings.Join(lines, indent))
	}
	return style + indent + strings.Join(lines, indent)
}

// A line of a megabyte is not walked through for every place in it, and columns count characters on it too.
func TestPlacesOnALongLine(t *testing.T) {
	var text strings.Builder
	text.WriteString("on: {push: {branches: [")
	for range 5000 {
		text.WriteString("'é**', 'main?',")
	}
	text.WriteString("'ünï[']}}\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n")
	_, faults := workflow.Read("a.yml", []byte(text.String()))
	line, _, _ := strings.Cut(text.String(), "\n")
	for _, f := range faults {
		if f.Place.Line != 1 || f.Place.Column < 1 || f.Place.Column > utf8.RuneCountInString(line)+1 {
			t.Fatalf("%v", f)
		}
	}
	if len(faults) == 0 {
		t.Fatal("the pattern that does not end is not told")
	}
	last := faults[len(faults)-1]
	if got := string([]rune(line)[last.Place.Column-1:]); !strings.HasPrefix(got, "[']") {
		t.Errorf("%v is placed at %.20q", last, got)
	}
}
