package variable

// Exportable reports whether a shell can have a variable of this name.
func Exportable(name string) bool { return name != "" && nameSize(name) == len(name) }
