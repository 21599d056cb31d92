package run

import (
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// Unknown is the failure of an attempt whose end nobody saw, such as one on an agent that was lost.
const Unknown = "unknown"

// unasked are failures that are tried again although the job says nothing about it, with how often.
var unasked = map[string]int{"scheduler_failure": 2}

// pointless are failures that another attempt cannot mend.
var pointless = []string{"ci_quota_exceeded", "no_matching_runner", "canceled"}

// again reports whether an attempt that failed is followed by another one (GitLab CI/CD YAML syntax reference, retry;
// lib/gitlab/ci/build/auto_retry). exit is nil where the script did not end by itself; started is false where the
// attempt never began.
func again(j *plan.Job, attempt int, failure string, exit *int, started bool) bool {
	if slices.Contains(pointless, failure) || uncertain(j, failure, started) {
		return false
	}
	most := unasked[failure]
	if asked(j.Retry, failure, exit) {
		most = j.Retry.Max
	}
	return attempt <= most
}

// uncertain reports whether the attempt may still have its effect: its end was not seen, and for a job that deploys
// also where the machinery failed under it. Such an attempt is never repeated by itself.
func uncertain(j *plan.Job, failure string, started bool) bool {
	if failure == Unknown {
		return true
	}
	if !deploys(j) || !started {
		return false
	}
	return failure != "script_failure" && failure != "job_execution_timeout"
}

// deploys reports whether a job changes an environment.
func deploys(j *plan.Job) bool {
	if j.Environment == nil {
		return false
	}
	switch j.Environment.Action {
	case "", "start", "stop":
		return true
	default:
		return false
	}
}

// asked reports whether the job's own rules ask for another attempt. With exit codes and no `when`, only the codes
// count; with both, either is enough.
func asked(r plan.Retry, failure string, exit *int) bool {
	if r.Max <= 0 {
		return false
	}
	if exit != nil && slices.Contains(r.ExitCodes, *exit) {
		return true
	}
	if len(r.When) == 0 {
		return len(r.ExitCodes) == 0
	}
	return slices.ContainsFunc(r.When, func(when string) bool { return matches(when, failure) })
}

// matches reports whether a value of retry:when means a failure. The values are the names of failures; some of them
// are families whose members got names of their own in later versions of GitLab and its runner.
func matches(when, failure string) bool {
	if when == "always" || when == failure {
		return true
	}
	switch when {
	case "stuck_or_timeout_failure": // "the job got stuck or timed out"
		return failure == "job_execution_timeout" || strings.HasPrefix(failure, "stuck_") ||
			strings.HasPrefix(failure, "no_updates_") || strings.HasPrefix(failure, "server_timeout_")
	case "runner_system_failure":
		return failure == "image_pull_failure" || failure == "runner_provisioning_timeout"
	default:
		return false
	}
}
