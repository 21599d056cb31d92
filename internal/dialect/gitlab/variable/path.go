package variable

import (
	"errors"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Limits of a path with references: what a file system takes, and so little nesting that a replacement within a
// replacement cannot blow up.
const (
	maxPath         = 4096 // bytes of the text and of each value
	maxNesting      = 4
	maxReplacements = 4
)

// ExpandPath follows the references of a path of artifacts or cache as the runner does: with a shell's parameter
// expansion (${NAME:-default}, ${NAME#prefix}, ${NAME/a/b}, ...), which image or cache:key do not have (GitLab
// documentation, GitLab Runner internal variable expansion mechanism). An empty value counts as undefined. Nothing is
// run and nothing assigned: a command in it is an error, as is what cannot be read; each is a *fault.Fault with
// CodePath.
func ExpandPath(text string, get func(name string) string) (string, error) {
	if !strings.ContainsAny(text, "$`\\") {
		return text, nil
	}
	if len(text) > maxPath {
		return text, fault.New(CodePath, "a path with references has %d bytes, at most %d are allowed", len(text), maxPath)
	}
	word, err := syntax.NewParser().Document(strings.NewReader(text))
	if err != nil {
		return text, fault.New(CodePath, "the path %s cannot be read: %s", text, reason(err))
	}
	if deep(word) {
		return text, fault.New(CodePath, "the path %s nests or replaces too much", text).WithHint("work the value out in a variable of its own")
	}
	large := ""
	env := expand.FuncEnviron(func(name string) string {
		value := get(name)
		if len(value) > maxPath {
			large = name
			return ""
		}
		return value
	})
	out, err := expand.Document(&expand.Config{Env: env}, word)
	switch {
	case err != nil:
		return text, fault.New(CodePath, "the path %s cannot be expanded: %s", text, reason(err))
	case large != "":
		return text, fault.New(CodePath, "the value of %s is too long for a path", large)
	}
	return out, nil
}

// deep reports whether a path holds more expansions within expansions, or more replacements, than a path needs.
func deep(word *syntax.Word) bool {
	depth, replacements, bad := 0, 0, false
	var open []bool
	syntax.Walk(word, func(n syntax.Node) bool {
		if n == nil {
			if open[len(open)-1] {
				depth--
			}
			open = open[:len(open)-1]
			return true
		}
		p, ok := n.(*syntax.ParamExp)
		open = append(open, ok)
		if !ok {
			return true
		}
		depth++
		if p.Repl != nil {
			replacements++
			bad = bad || depth > 1
		}
		bad = bad || depth > maxNesting || replacements > maxReplacements
		return true
	})
	return bad
}

// reason is what the shell's parser says, without the position in a file that does not exist.
func reason(err error) string {
	var parse syntax.ParseError
	if errors.As(err, &parse) {
		return parse.Text
	}
	var command expand.UnexpectedCommandError
	if errors.As(err, &command) {
		return "commands are not run"
	}
	return err.Error()
}
