package main

import (
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// newest chooses a component's ref among the tags of its project (CI/CD components, component versions): "~latest" is
// the highest release, "1" and "1.2" the highest below; anything else is a ref as it stands. version is the semantic
// version that it came to, "" for other refs.
func newest(tags []string, wanted string) (ref, version string) {
	if slices.Contains(tags, wanted) {
		return wanted, exactVersion(wanted)
	}
	partial := wanted == "~latest" || strings.Trim(wanted, "0123456789.") == "" && wanted != ""
	if !partial {
		return wanted, ""
	}
	best := ""
	for _, tag := range tags {
		v := "v" + tag
		if exactVersion(tag) == "" || semver.Prerelease(v) != "" {
			continue
		}
		if wanted != "~latest" && !strings.HasPrefix(tag+".", wanted+".") {
			continue
		}
		if best == "" || semver.Compare(v, "v"+best) > 0 {
			best = tag
		}
	}
	if best == "" {
		return wanted, ""
	}
	return best, best
}

// exactVersion is the version itself where it is a full semantic version without a "v", else "".
func exactVersion(version string) string {
	if strings.Count(version, ".") >= 2 && semver.IsValid("v"+version) {
		return version
	}
	return ""
}
