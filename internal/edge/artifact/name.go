package artifact

import (
	"strings"
	"unicode/utf8"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// maxName bounds a name in bytes: more than any file system's names.
const maxName = 255

// CheckName holds a name against the rules of GitHub's artifacts (README of actions/toolkit, packages/artifact): no
// character that some file system does not take, and no path.
func CheckName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return fault.New(CodeName, "an artifact needs a name")
	case len(name) > maxName:
		return fault.New(CodeName, "an artifact's name has %d bytes; %d are allowed", len(name), maxName)
	case !utf8.ValidString(name):
		return fault.New(CodeName, "the artifact's name %q is not text", name)
	case name == "." || name == "..":
		return fault.New(CodeName, "the artifact's name %q is a folder's", name)
	}
	if c, bad := forbidden(name, "\":<>|*?\r\n\\/"); bad {
		return fault.New(CodeName, "the artifact's name %q has %q in it", name, c).
			WithHint(`these are not allowed: " : < > | * ? \ / and line ends`)
	}
	return nil
}

// checkPath does so for a file's path in an artifact.
func checkPath(name string) error {
	if c, bad := forbidden(name, "\":<>|*?\r\n"); bad {
		return fault.New(CodePath, "the file %q cannot be put into an artifact: its path has %q in it", name, c).
			WithHint(`these are not allowed: " : < > | * ? and line ends`)
	}
	return nil
}

func forbidden(name, signs string) (rune, bool) {
	for _, c := range name {
		if c == 0 || strings.ContainsRune(signs, c) {
			return c, true
		}
	}
	return 0, false
}
