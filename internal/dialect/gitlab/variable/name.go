package variable

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// MaxName is the longest name that GitLab keeps in its settings.
const MaxName = 255

// CheckName says what is wrong with a variable's name, or nil. The fault is a warning: GitLab takes such a name, but
// the job does not see the variable.
func CheckName(name string, at fault.Place) *fault.Fault {
	f := func(format string, args ...any) *fault.Fault {
		return fault.At(CodeName, at, format, args...).WithSeverity(fault.Warning)
	}
	switch {
	case name == "":
		return f("a variable has no name")
	case len(name) > MaxName:
		return f("the name of a variable has %d bytes, at most %d are allowed", len(name), MaxName)
	case nameSize("_"+name) != len(name)+1:
		return f("the variable %q has characters in its name that no shell takes", name).WithHint("use letters, digits and _, as in %s", Shell(name))
	case name[0] >= '0' && name[0] <= '9':
		return f("the variable %q begins with a digit: no shell sees it", name).WithHint("call it _%s", name)
	}
	return nil
}

// Exportable reports whether a shell can have a variable of this name.
func Exportable(name string) bool { return name != "" && nameSize(name) == len(name) }

// Shell makes a name that a shell takes, with _ in place of what it does not.
func Shell(name string) string {
	out := []byte(name)
	for i, c := range out {
		if nameSize(string([]byte{'_', c})) != 2 {
			out[i] = '_'
		}
	}
	return string(out)
}
