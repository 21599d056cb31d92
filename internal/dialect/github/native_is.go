package github

import "strings"

// Native says whether an action is built in. name is what uses has before its ref: owner/repo or owner/repo/path.
func Native(name string) bool {
	_, ok := natives[strings.ToLower(name)]
	return ok
}
