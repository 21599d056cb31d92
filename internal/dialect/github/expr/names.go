package expr

import (
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func asciiLower(s string) string { return strings.ToLower(s) }

// nearest is the name that was probably meant, whatever its case.
func nearest(name string, names []string) string {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return n
		}
	}
	if len(name) < 3 {
		return "" // everything short is near to everything else
	}
	lower := make([]string, len(names))
	for i, n := range names {
		lower[i] = asciiLower(n)
	}
	best := fault.Nearest(asciiLower(name), lower)
	for i, n := range lower {
		if n == best {
			return names[i]
		}
	}
	return ""
}
