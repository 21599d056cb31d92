package variable

import (
	"crypto/sha256"
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

const (
	maxSlug            = 63
	maxEnvironmentSlug = 24
)

// Slug makes a text fit for URLs and host names: lower case, everything but a-z and 0-9 replaced by -, at most 63
// bytes, no - at either end (predefined variables reference, CI_COMMIT_REF_SLUG).
func Slug(s string) string {
	s = hyphens(s)
	return strings.Trim(s[:min(len(s), maxSlug)], "-")
}

// hyphens is s in lower case with one - for every character that is neither a letter nor a digit of ASCII.
func hyphens(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r == '\u212A': // the sign for kelvin has a k as its lower case
			return 'k'
		default:
			return '-'
		}
	}, strings.ReplaceAll(s, "\u0130", "i\u0307")) // İ is i and a dot in lower case
}

// EnvironmentSlug is CI_ENVIRONMENT_SLUG: at most 24 bytes of a-z, 0-9 and single hyphens, beginning with a letter and
// not ending with a hyphen. Where that changed the name, six characters of a digest of the name stand at the end, so
// that two names do not share a slug.
func EnvironmentSlug(name string) string {
	slug := hyphens(name)
	if slug == "" || slug[0] < 'a' || slug[0] > 'z' {
		slug = "env-" + slug
	}
	slug = squeeze(slug)
	if slug == name && len(slug) <= maxEnvironmentSlug {
		return strings.TrimSuffix(slug, "-")
	}
	sum := sha256.Sum256([]byte(name))
	digest := new(big.Int).SetBytes(sum[:]).Text(36)
	slug = strings.TrimSuffix(slug[:min(len(slug), maxEnvironmentSlug-7)], "-")
	return slug + "-" + digest[max(len(digest)-6, 0):]
}

func squeeze(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] != '-' || i == 0 || s[i-1] != '-' {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// tiers are the words by which GitLab guesses a tier from a name, in the order they are tried (GitLab documentation,
// Environments, deployment tier of environments).
var tiers = []struct {
	tier string
	name *lazy.Regexp
}{
	{"development", lazy.Pattern(`(?i)dev|review|trunk`)},
	{"testing", lazy.Pattern(`(?i)test|tst|int|ac(?:ce)?pt|qa|qc|control|quality`)},
	{"staging", lazy.Pattern(`(?i)sta?g|mode?l|pre|demo|non`)},
	{"production", lazy.Pattern(`(?i)pro?d|live`)},
}

// Tier is the deployment tier of an environment that does not name one.
func Tier(environment string) string {
	for _, t := range tiers {
		if t.name.MatchString(environment) {
			return t.tier
		}
	}
	return "other"
}

// group is what parallel, parallel:matrix and people put behind the name of a group of jobs, up to three times.
var group = lazy.Pattern(`(?:[\x08\s:]+(?:\[.*\]|\d+[\s:/\\]+\d+)){1,3}\s*$`)

// GroupName is CI_JOB_GROUP_NAME: the name that jobs of a group share, `rspec` for `rspec 1/3` and `rspec: [ruby]`.
func GroupName(job string) string {
	if at := group.FindStringIndex(job); at != nil {
		job = job[:at[0]]
	}
	return strings.TrimSpace(job)
}

// truncate cuts a text to a number of characters, the last three of which are dots then.
func truncate(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	r := []rune(s)
	return string(r[:limit-3]) + "..."
}
