package github

// What only tests see.
var (
	VersionIn    = versionIn
	LeastIn      = leastIn
	Words        = words
	ScriptRunner = scriptRunner
)

// ReadReference is a reference in a form to compare.
func ReadReference(text string) (kind, repository, path, ref string, err error) {
	r, err := readReference(text)
	switch {
	case r.local:
		kind = "local"
	case r.self:
		kind = "self"
	case r.image != "":
		return "docker", r.image, "", "", err
	default:
		kind = "remote"
	}
	return kind, r.repository, r.path, r.ref, err
}
