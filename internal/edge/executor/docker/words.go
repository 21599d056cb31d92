package docker

import "errors"

var errOpenQuote = errors.New("a quote is not closed")

// words splits a line into arguments the way GitHub's runner has its process library do it: blanks separate, double
// quotes keep blanks together, a backslash before a double quote makes it a letter, and other backslashes are letters.
// Single quotes keep together too, as people who know a shell expect.
func words(line string) ([]string, error) {
	var out []string
	var word []byte
	begun, quote := false, byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote == '\'':
			if c == quote {
				quote = 0
			} else {
				word = append(word, c)
			}
		case c == '\\':
			n := 1
			for i+n < len(line) && line[i+n] == '\\' {
				n++
			}
			begun = true
			if i+n == len(line) || line[i+n] != '"' {
				word = append(word, line[i:i+n]...)
				i += n - 1
				continue
			}
			word = append(word, line[i:i+n/2]...)
			i += n - 1
			if n%2 == 1 {
				word = append(word, '"')
				i++
			}
		case c == '"' || c == '\'' && quote == 0:
			begun = true
			if quote == c {
				quote = 0
			} else {
				quote = c
			}
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			if begun {
				out, word, begun = append(out, string(word)), nil, false
			}
		default:
			begun = true
			word = append(word, c)
		}
	}
	if quote != 0 {
		return nil, errOpenQuote
	}
	if begun {
		out = append(out, string(word))
	}
	return out, nil
}
