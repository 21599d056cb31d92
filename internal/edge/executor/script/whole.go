package script

import "strings"

// Whole is a script that a program takes as one file: no mark tells its commands apart, so all of them are shown before
// it starts.
func Whole(lines []string, quiet bool) *Script {
	s := &Script{Text: strings.Join(lines, "\n") + "\n"}
	if !quiet {
		for _, l := range lines {
			s.Echo = append(s.Echo, shown(strings.TrimRight(l, " \t\r\n"))) // what begins a line means something in many languages
		}
	}
	return s
}

// Split are the words of a shell's command line, as GitHub's runner reads it: blanks part them but between double
// quotes; a backslash means something only before a double quote. Other quotes are letters like any other.
func Split(line string) []string {
	var out []string
	var word strings.Builder
	quoted, begun := false, false
	for i := 0; i < len(line); {
		slashes := 0
		for i < len(line) && line[i] == '\\' {
			slashes, i = slashes+1, i+1
		}
		if slashes > 0 {
			begun = true
			if i == len(line) || line[i] != '"' {
				word.WriteString(strings.Repeat(`\`, slashes))
				continue
			}
			word.WriteString(strings.Repeat(`\`, slashes/2))
			if slashes%2 == 1 {
				word.WriteByte('"')
				i++
				continue
			}
		}
		c := line[i]
		i++
		switch {
		case c == '"' && quoted && i < len(line) && line[i] == '"': // twice is one of its own
			word.WriteByte(c)
			i++
		case c == '"':
			quoted, begun = !quoted, true
		case (c == ' ' || c == '\t') && !quoted:
			if begun {
				out = append(out, word.String())
				word.Reset()
				begun = false
			}
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	if begun {
		out = append(out, word.String())
	}
	return out
}

// Place puts a script's file into the words of a command line: {0} in any of them stands for it, and where it does, {{
// and }} stand for single braces. Where no word has {0} the file is the last one.
func Place(words []string, file string) []string {
	out := make([]string, 0, len(words)+1)
	placed := false
	for _, w := range words {
		placed = placed || strings.Contains(w, "{0}")
	}
	if !placed {
		return append(append(out, words...), file)
	}
	fill := strings.NewReplacer("{{", "{", "}}", "}", "{0}", file)
	for _, w := range words {
		out = append(out, fill.Replace(w))
	}
	return out
}
