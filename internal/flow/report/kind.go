package report

import (
	"maps"
	"slices"
)

// kind is how reports of one kind are read.
type kind struct {
	read       func(*source) // nil: kept and not read
	limits     Limits
	strict     bool
	mayBeEmpty bool
}

// ordinary are the limits of most kinds. GitLab takes JUnit files below 30 MB ("Unit test reports, File format and
// size limits"); nobody has said a figure for the others.
var ordinary = Limits{Bytes: 32 << 20, Depth: 100, Entries: 100_000, Text: 16 << 10}

func with(change func(*Limits)) Limits {
	l := ordinary
	change(&l)
	return l
}

// kinds are the keys of artifacts:reports ("GitLab CI/CD artifacts reports types"), those of earlier versions that
// are still found, and sarif.
var kinds = map[string]kind{
	"junit":           {read: readJUnit, limits: with(func(l *Limits) { l.Bytes = 30_000_000 })},
	"coverage_report": {read: readCoverage, limits: ordinary},
	"cobertura":       {read: readCoverage, limits: ordinary},
	"jacoco":          {read: readCoverage, limits: ordinary},
	"codequality":     {read: readCodeQuality, limits: ordinary},
	"sarif":           {read: readSARIF, limits: ordinary},
	"accessibility":   {read: readAccessibility, limits: ordinary},
	"terraform":       {read: readTerraform, limits: ordinary},
	"metrics":         {read: readMetrics, limits: with(func(l *Limits) { l.Bytes = 8 << 20 }), mayBeEmpty: true},
	"cyclonedx":       {read: readCycloneDX, limits: ordinary},
	"requirements":    {read: readRequirements, limits: ordinary},
	"requirements_v2": {read: readRequirements, limits: ordinary},

	"browser_performance": {read: readSitespeed, limits: ordinary},
	"performance":         {read: readSitespeed, limits: ordinary},
	"load_performance":    {read: readK6, limits: ordinary},

	"sast":                   {read: readSecurity, limits: ordinary},
	"secret_detection":       {read: readSecurity, limits: ordinary},
	"dependency_scanning":    {read: readSecurity, limits: ordinary},
	"container_scanning":     {read: readSecurity, limits: ordinary},
	"cluster_image_scanning": {read: readSecurity, limits: ordinary},
	"dast":                   {read: readSecurity, limits: ordinary},
	"api_fuzzing":            {read: readSecurity, limits: ordinary},
	"coverage_fuzzing":       {read: readSecurity, limits: ordinary},

	// GitLab refuses the upload of these two where they break its rules, so the job fails.
	"dotenv":      {read: readDotenv, limits: with(func(l *Limits) { l.Bytes, l.Variables = dotenvBytes, dotenvMost }), strict: true, mayBeEmpty: true},
	"annotations": {read: readAnnotations, limits: with(func(l *Limits) { l.Bytes = 80 << 10 }), strict: true},

	"license_scanning":     {},
	"lsif":                 {},
	"repository_xray":      {},
	"cluster_applications": {},
}

// Kinds is the names of all kinds, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// Strict reports whether a job fails that hands over a broken report of the kind. GitLab acts on dotenv and
// annotations when they are uploaded and refuses broken ones; the others it only shows, and a broken one shows an error.
func Strict(name string) bool { return kinds[name].strict }
