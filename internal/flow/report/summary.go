package report

import (
	"cmp"
	"maps"
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Summary is the reports of all jobs of a run, summed. The zero value is ready.
type Summary struct {
	Tests     TestTotals              `json:"tests"`
	Coverage  []JobCoverage           `json:"coverage,omitempty"`  // by job
	Findings  map[string]FindingCount `json:"findings,omitempty"`  // by kind of report
	Terraform []JobPlan               `json:"terraform,omitempty"` // in the order of their coming
	Metrics   []JobMetric             `json:"metrics,omitempty"`
	Links     []JobLink               `json:"links,omitempty"`
	// Faults is what there was to say about the files.
	Faults fault.Faults `json:"faults,omitempty"`

	seen map[string]map[uint64]struct{} // the tests of each job
}

// TestTotals is the tests of a run. Seconds is the time that all tests took, added; jobs run side by side, so the run
// may have been faster.
type TestTotals struct {
	Total   int        `json:"total"`
	Passed  int        `json:"passed"`
	Failed  int        `json:"failed"`
	Errors  int        `json:"errors"`
	Skipped int        `json:"skipped"`
	Flaky   int        `json:"flaky"`
	Seconds float64    `json:"seconds"`
	Jobs    []JobTests `json:"jobs,omitempty"`     // in the order of their coming
	Broken  []Broken   `json:"failures,omitempty"` // tests that failed or broke, in the order of their coming
}

// JobTests is the tests of one job.
type JobTests struct {
	Job     string  `json:"job"`
	Total   int     `json:"total"`
	Passed  int     `json:"passed"`
	Failed  int     `json:"failed"`
	Errors  int     `json:"errors"`
	Skipped int     `json:"skipped"`
	Seconds float64 `json:"seconds"`
}

// Broken is a test that did not pass, and its job.
type Broken struct {
	Job  string `json:"job"`
	Case Case   `json:"case"`
}

// JobCoverage is the coverage of a job. What the log says (by the keyword coverage) goes before what reports say.
type JobCoverage struct {
	Job     string  `json:"job"`
	Percent float64 `json:"percent"`
	Source  string  `json:"source"`            // log, cobertura or jacoco
	Covered int     `json:"covered,omitempty"` // lines, where a report says so
	Valid   int     `json:"valid,omitempty"`
}

// FindingCount is how many findings there are, and the worst of them.
type FindingCount struct {
	Total      int              `json:"total"`
	BySeverity map[Severity]int `json:"by_severity"`
	Worst      []JobFinding     `json:"worst,omitempty"` // the worst first, mostWorst of them
}

// JobFinding is a finding and its job.
type JobFinding struct {
	Job     string  `json:"job"`
	Finding Finding `json:"finding"`
}

// JobPlan is the plan of a job.
type JobPlan struct {
	Job  string    `json:"job"`
	Name string    `json:"name"`
	Plan Terraform `json:"plan"`
}

// JobMetric is a figure of a job.
type JobMetric struct {
	Job    string `json:"job"`
	Metric Metric `json:"metric"`
}

// JobLink is a link of a job.
type JobLink struct {
	Job  string `json:"job"`
	Link Link   `json:"link"`
}

const (
	mostWorst   = 20    // findings named by kind
	mostBroken  = 1_000 // tests named in a run
	mostMetrics = 1_000 // figures named in a run
)

// Log is the source of a coverage that the job's log told.
const Log = "log"

// Add sums one report of a job.
func (s *Summary) Add(job string, r Report) {
	s.Faults = append(s.Faults, r.Faults...)
	if r.Tests != nil {
		s.addTests(job, *r.Tests)
	}
	if c := r.Coverage; c != nil {
		s.addCoverage(JobCoverage{Job: job, Percent: c.Percent, Source: c.Format, Covered: c.Covered, Valid: c.Valid})
	}
	if r.Findings != nil || isFindings(r.Kind) && !r.Faults.HasErrors() {
		s.addFindings(job, r)
	}
	if r.Terraform != nil {
		s.Terraform = append(s.Terraform, JobPlan{job, r.Name, *r.Terraform})
	}
	for _, m := range r.Metrics[:min(len(r.Metrics), mostMetrics-len(s.Metrics))] {
		s.Metrics = append(s.Metrics, JobMetric{job, m})
	}
	for _, l := range r.Links {
		s.Links = append(s.Links, JobLink{job, l})
	}
}

// AddCoverage sets the coverage that a job's log told.
func (s *Summary) AddCoverage(job string, percent float64) {
	s.addCoverage(JobCoverage{Job: job, Percent: percent, Source: Log})
}

// isFindings reports whether a kind lists findings, so that an empty list is worth a row.
func isFindings(name string) bool {
	switch name {
	case "codequality", "sarif", "accessibility", "sast", "secret_detection", "dependency_scanning", "container_scanning",
		"cluster_image_scanning", "dast", "api_fuzzing", "coverage_fuzzing":
		return true
	}
	return false
}

// addTests adds the tests of a file. A job's files count as one: of tests of the same name the first counts.
func (s *Summary) addTests(job string, t Tests) {
	if s.seen == nil {
		s.seen = map[string]map[uint64]struct{}{}
	}
	seen := s.seen[job]
	if seen == nil {
		seen = map[uint64]struct{}{}
		s.seen[job] = seen
		s.Tests.Jobs = append(s.Tests.Jobs, JobTests{Job: job})
	}
	kept := Tests{Total: t.Total, Passed: t.Passed, Failed: t.Failed, Errors: t.Errors, Skipped: t.Skipped, Seconds: t.Seconds}
	for _, c := range t.Cases {
		if _, twice := seen[c.key()]; twice {
			kept.remove(c)
			continue
		}
		seen[c.key()] = struct{}{}
		if c.Flaky {
			s.Tests.Flaky++
		}
		if (c.Status == Failed || c.Status == Errored) && len(s.Tests.Broken) < mostBroken {
			s.Tests.Broken = append(s.Tests.Broken, Broken{job, c})
		}
	}
	s.Tests.Total += kept.Total
	s.Tests.Passed += kept.Passed
	s.Tests.Failed += kept.Failed
	s.Tests.Errors += kept.Errors
	s.Tests.Skipped += kept.Skipped
	s.Tests.Seconds += kept.Seconds
	i := slices.IndexFunc(s.Tests.Jobs, func(j JobTests) bool { return j.Job == job })
	j := &s.Tests.Jobs[i]
	j.Total, j.Passed, j.Failed = j.Total+kept.Total, j.Passed+kept.Passed, j.Failed+kept.Failed
	j.Errors, j.Skipped, j.Seconds = j.Errors+kept.Errors, j.Skipped+kept.Skipped, j.Seconds+kept.Seconds
}

// remove takes a test out of the counts.
func (t *Tests) remove(c Case) {
	t.Total--
	t.Seconds = max(t.Seconds-c.Seconds, 0)
	switch c.Status {
	case Failed:
		t.Failed--
	case Errored:
		t.Errors--
	case Skipped:
		t.Skipped--
	default:
		t.Passed--
	}
}

// addCoverage joins the coverage of a job's reports; the log's goes before them.
func (s *Summary) addCoverage(c JobCoverage) {
	i, found := slices.BinarySearchFunc(s.Coverage, c.Job, func(have JobCoverage, job string) int { return cmp.Compare(have.Job, job) })
	if !found {
		s.Coverage = slices.Insert(s.Coverage, i, c)
		return
	}
	have := &s.Coverage[i]
	lines := JobCoverage{Job: c.Job, Source: cmp.Or(c.Source, have.Source), Covered: have.Covered + c.Covered, Valid: have.Valid + c.Valid}
	switch {
	case c.Source == Log:
		lines.Percent = c.Percent
	case have.Source == Log:
		lines.Percent, lines.Source = have.Percent, Log
	case lines.Valid > 0:
		lines.Percent = 100 * float64(min(lines.Covered, lines.Valid)) / float64(lines.Valid)
	default:
		lines.Percent = (have.Percent + c.Percent) / 2
	}
	*have = lines
}

// Percent is the coverage of the run: the average of its jobs, as GitLab has it. It is not ok where no job has any.
func (s *Summary) Percent() (float64, bool) {
	if len(s.Coverage) == 0 {
		return 0, false
	}
	sum := 0.0
	for _, c := range s.Coverage {
		sum += c.Percent
	}
	return sum / float64(len(s.Coverage)), true
}

// addFindings counts findings by severity and keeps the worst.
func (s *Summary) addFindings(job string, r Report) {
	if s.Findings == nil {
		s.Findings = map[string]FindingCount{}
	}
	count := s.Findings[r.Kind]
	if count.BySeverity == nil {
		count.BySeverity = map[Severity]int{}
	} else {
		count.BySeverity = maps.Clone(count.BySeverity)
	}
	all := slices.Clone(count.Worst)
	for _, f := range r.Findings {
		count.Total++
		count.BySeverity[f.Severity]++
		all = append(all, JobFinding{job, f})
	}
	slices.SortStableFunc(all, func(a, b JobFinding) int { return cmp.Compare(rank(a.Finding.Severity), rank(b.Finding.Severity)) })
	count.Worst = slices.Clone(all[:min(len(all), mostWorst)])
	s.Findings[r.Kind] = count
}

// rank orders severities, worst first.
func rank(s Severity) int { return slices.Index(Severities, s) }
