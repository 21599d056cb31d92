package variable_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/variable"
	"pgregory.net/rapid"
)

func TestSlug(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "main": "main", "Feature/ABC_def": "feature-abc-def", "-a-": "a", "--": "", "1.0.0": "1-0-0", "é": "", "aéb": "a-b", "ü/X": "x", "a//b": "a--b", "KIT": "kit", "\u212Aelvin": "kelvin", "x\u0130y": "xi-y",
		strings.Repeat("a", 70): strings.Repeat("a", 63), strings.Repeat("a", 62) + "/b": strings.Repeat("a", 62), "$(touch x)": "touch-x",
	} {
		if got := variable.Slug(in); got != want {
			t.Errorf("Slug(%q) = %q, want %q", in, got, want)
		}
	}
}

// Endings are the first characters of the digest's last six; what stands before is GitLab's rule.
func TestEnvironmentSlug(t *testing.T) {
	for in, want := range map[string]string{
		"production": "production", "staging-1234567890123456": "staging-1234567890123456", "foo-": "foo", "staging-12345678-": "staging-12345678",
		"staging-12345678901234567": "staging-123456789-*", "9-staging-123456789012345": "env-9-staging-123-*", "staging-1234567890123456-": "staging-123456789-*", "PRODUCTION": "production-*",
		"review/1-foo": "review-1-foo-*", "1-foo": "env-1-foo-*", "1/foo": "env-1-foo-*", "foo--bar": "foo-bar-*", "foo**bar": "foo-bar-*", "*-foo": "env-foo-*", "staging-12345678-01234567": "staging-12345678-*", "": "env-*",
	} {
		got := variable.EnvironmentSlug(in)
		before, changed := strings.CutSuffix(want, "*")
		if !changed && got != want || changed && !regexp.MustCompile("^"+regexp.QuoteMeta(before)+"[0-9a-z]{6}$").MatchString(got) {
			t.Errorf("EnvironmentSlug(%q) = %q, want %q", in, got, want)
		}
	}
	if a, b := variable.EnvironmentSlug("review/a"), variable.EnvironmentSlug("review-A"); a == b {
		t.Errorf("two names share the slug %s", a)
	}
	// Worked out with Ruby: Digest::SHA2.hexdigest(name).to_i(16).to_s(36).last(6)
	if got := variable.EnvironmentSlug("review/feature-1"); got != "review-feature-1-"+digest {
		t.Errorf("got %s", got)
	}
}

func TestTier(t *testing.T) {
	for name, want := range map[string]string{
		"production": "production", "PROD": "production", "prd-eu": "production", "live": "production", "staging": "staging", "stg": "staging", "model": "staging", "preview": "development", "pre": "staging", "demo": "staging", "non-prod": "staging",
		"test": "testing", "qa": "testing", "integration": "testing", "acceptance": "testing", "quality": "testing", "dev": "development", "review/x": "development", "trunk": "development", "gpr": "other", "customer": "other", "": "other",
	} {
		if got := variable.Tier(name); got != want {
			t.Errorf("Tier(%q) = %s, want %s", name, got, want)
		}
	}
}

func TestGroupName(t *testing.T) {
	for name, want := range map[string]string{
		"rspec": "rspec", "rspec 1/3": "rspec", "rspec: [ruby, ubuntu]": "rspec", "rspec:test: [ruby, ubuntu]": "rspec:test", "rspec 1 3": "rspec", "rspec:1:3": "rspec", "rspec 1/3 2/3": "rspec", "rspec: [a] 1/2": "rspec", "build1": "build1", "1/3": "1/3",
		"a [b]": "a", "a[b]": "a[b]", "a 1": "a 1", "test: [a]  ": "test", "deploy 1\\2": "deploy", " 1/2": "",
	} {
		if got := variable.GroupName(name); got != want {
			t.Errorf("GroupName(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestPropertySlugs(t *testing.T) {
	slug := regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)?$`)
	environment := regexp.MustCompile(`^[a-z](-?[a-z0-9]+)*$`)
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		once := variable.Slug(s)
		if !slug.MatchString(once) || variable.Slug(once) != once {
			t.Fatalf("Slug(%q) = %q", s, once)
		}
		e := variable.EnvironmentSlug(s)
		if !environment.MatchString(e) || len(e) > 24 {
			t.Fatalf("EnvironmentSlug(%q) = %q", s, e)
		}
	})
}

const digest = "1q251u"
