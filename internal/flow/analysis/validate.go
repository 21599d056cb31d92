package analysis

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// defaultErrorLimit is consecutiveErrorLimit where none is given.
const defaultErrorLimit = 4

// EffectiveCount is how many measurements end the metric: count, 1 where there is neither count nor interval, and false
// where it runs until it is stopped.
func (m Metric) EffectiveCount() (int32, bool) {
	if n := number(m.Count, 0); n != 0 {
		return n, true
	}
	return 1, m.Interval == ""
}

// number is a limit as a number, other where there is none. A text that is no number is 0.
func number(v *intstr.IntOrString, other int32) int32 {
	if v == nil {
		return other
	}
	return int32(v.IntValue())
}

// Validate refuses metrics that contradict themselves, in Argo Rollouts' words. Arguments are to be put in before.
func Validate(metrics []Metric) error {
	if len(metrics) == 0 {
		return refuse(CodeMetric, "no metrics specified")
	}
	seen := map[string]bool{}
	for i, m := range metrics {
		if seen[m.Name] {
			return refuse(CodeMetric, "metrics[%d]: duplicate name '%s'", i, m.Name)
		}
		seen[m.Name] = true
		if wrong := m.wrong(); wrong != "" {
			return refuse(CodeMetric, "metrics[%d]: %s", i, wrong)
		}
		if names := m.Provider.Names(); len(m.Provider.Other) > 0 {
			return refuse(CodeProvider, "metrics[%d]: %s", i, unsupported(names[0]))
		}
	}
	return nil
}

func unsupported(provider string) string {
	return fmt.Sprintf("provider %s is not supported yet: Sluice measures with prometheus, web and job", provider)
}

// wrong is what is wrong with the metric, "" for nothing.
func (m Metric) wrong() string {
	if s := m.wrongLimits(); s != "" {
		return s
	}
	if number(m.Count, 0) > 1 && m.Interval == "" {
		return "interval must be specified when count > 1"
	}
	if _, err := time.ParseDuration(m.Interval); m.Interval != "" && err != nil {
		return fmt.Sprintf("invalid interval string: %v", err)
	}
	if _, err := time.ParseDuration(m.InitialDelay); m.InitialDelay != "" && err != nil {
		return fmt.Sprintf("invalid startDelay string: %v", err)
	}
	switch len(m.Provider.Names()) {
	case 0:
		return "no provider specified"
	case 1:
		return ""
	}
	return "multiple providers specified"
}

func (m Metric) wrongLimits() string {
	count, failures := number(m.Count, 0), number(m.FailureLimit, 0)
	successes, unclear := number(m.ConsecutiveSuccessLimit, 0), number(m.InconclusiveLimit, 0)
	switch {
	case successes < 0:
		return "consecutiveSuccessLimit must be >= 0"
	case failures < -1:
		return "failureLimit must be >= 0, or -1 to be disabled"
	case successes == 0 && failures == -1:
		return "failureLimit and consecutiveSuccessLimit cannot both be disabled"
	case unclear < 0:
		return "inconclusiveLimit must be >= 0"
	case number(m.ConsecutiveErrorLimit, 0) < 0:
		return "consecutiveErrorLimit must be >= 0"
	case count <= 0:
		return ""
	case failures >= 0 && count < failures+successes:
		return fmt.Sprintf("count (%d) must be >= failureLimit + consecutiveSuccessLimit (%d + %d) if both >= 0",
			count, failures, successes)
	case failures < 0 && count < successes:
		return "count must be >= consecutiveSuccessLimit"
	case count < unclear:
		return "count must be >= inconclusiveLimit"
	}
	return ""
}

// Unsupported tells of every metric whose provider Sluice does not measure with, by the provider's name. name is what the
// template is called in the message.
func Unsupported(name string, s Spec) fault.Faults {
	var out fault.Faults
	for _, m := range s.Metrics {
		if len(m.Provider.Other) == 0 {
			continue
		}
		out = append(out, fault.New(CodeProvider, "%s: metric %q: %s", name, m.Name, unsupported(strings.Join(m.Provider.Names(), ", "))).
			WithHint("use a prometheus, web or job metric"))
	}
	return out
}

// matching are the metrics that each rule matches; a rule that matches none is refused. what is the field's name.
func matching(what string, rules []string, metrics []Metric) (map[string]int, error) {
	out := map[string]int{}
	for i, rule := range rules {
		re, err := regexp.Compile(rule)
		found := false
		for _, m := range metrics {
			if err == nil && re.MatchString(m.Name) {
				out[m.Name], found = i, true
			}
		}
		if !found {
			return nil, refuse(CodeMetric, "%s[%d]: Rule didn't match any metric name(s)", what, i)
		}
	}
	return out, nil
}

func dryRun(s Spec, metrics []Metric) (map[string]int, error) {
	var rules []string
	for _, r := range s.DryRun {
		rules = append(rules, r.MetricName)
	}
	return matching("dryRun", rules, metrics)
}

func retention(s Spec, metrics []Metric) (map[string]int, error) {
	var rules []string
	for _, r := range s.MeasurementRetention {
		rules = append(rules, r.MetricName)
	}
	found, err := matching("measurementRetention", rules, metrics)
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for name, i := range found {
		if limit := s.MeasurementRetention[i].Limit; limit > 0 {
			out[name] = int(limit)
		}
	}
	return out, nil
}

// Rehearsed are the names of the metrics that only rehearse: how they end does not count. A rule that matches none, or two
// that match one, match nothing here.
func (s Spec) Rehearsed() map[string]bool {
	found, _ := dryRun(s, s.Metrics)
	out := map[string]bool{}
	for name := range found {
		out[name] = true
	}
	return out
}
