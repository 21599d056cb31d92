package keyword

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The limits of GitLab (CI/CD YAML syntax reference: needs, parallel, tags, timeout, needs:project).
const (
	MaxNeeds    = 50
	MaxLegs     = 200
	maxRetries  = 2
	maxTags     = 50
	maxTimeout  = 2629746 * time.Second // a month of the calendar's mean
	maxProjects = 5
)

// retryReasons are the failures that retry:when can name: the documented ones first.
var retryReasons = []string{
	"always", "unknown_failure", "script_failure", "api_failure", "stuck_or_timeout_failure", "runner_system_failure",
	"runner_unsupported", "stale_schedule", "job_execution_timeout", "archived_failure", "unmet_prerequisites",
	"scheduler_failure", "data_integrity_failure",
	"missing_dependency_failure", "forward_deployment_failure", "user_blocked", "project_deleted",
	"ci_quota_exceeded", "pipeline_loop_detected", "no_matching_runner", "trace_size_exceeded", "builds_disabled",
	"environment_creation_failure", "deployment_rejected", "failed_outdated_deployment_job",
	"protected_environment_failure", "insufficient_bridge_permissions", "downstream_bridge_project_not_found",
	"invalid_bridge_trigger", "upstream_bridge_project_not_found", "insufficient_upstream_permissions",
	"bridge_pipeline_is_child_pipeline", "downstream_pipeline_creation_failed", "secrets_provider_not_found",
	"reached_max_descendant_pipelines_depth", "ip_restriction_failure", "reached_max_pipeline_hierarchy_size",
	"runner_provisioning_timeout",
}

// spanRule says what else a length of time may be.
type spanRule struct {
	limit    time.Duration // 0: none
	never    bool
	variable bool
}

// span reads a length of time.
func (r *reader) span(n *yamlx.Node, what string, rule spanRule) Span {
	s, ok := n.Str()
	if !ok {
		f := r.wrong(n, what, "a length of time")
		if n.IsScalar() {
			f.WithHint("put it in quotes: %q, or name the unit: %s seconds", n.Value, n.Text())
		}
		return Span{Place: n.At()}
	}
	out := Span{Text: s, Place: n.At(), Set: true}
	if rule.variable && strings.Contains(s, "$") {
		out.Variable = true
		return out
	}
	if rule.never && strings.EqualFold(strings.TrimSpace(s), "never") {
		out.Never = true
		return out
	}
	d, err := Duration(s)
	if err != nil {
		r.fail(CodeSpan, n, "%s: %v", what, err).WithHint("write it as 90 minutes, 1h 30m or 2 days")
		return Span{Place: n.At()}
	}
	if rule.limit > 0 && d > rule.limit {
		r.fail(CodeLimit, n, "%s is longer than the limit of %s", what, days(rule.limit))
	}
	out.Duration = d
	return out
}

func days(d time.Duration) string { return strconv.Itoa(int(d/(24*time.Hour))) + " days" }

func (r *reader) startIn(n *yamlx.Node) Span {
	return r.span(n, "start_in", spanRule{limit: maxDelay})
}

func (r *reader) timeout(n *yamlx.Node) Span {
	return r.span(n, "timeout", spanRule{limit: maxTimeout})
}

// allowFailure reads allow_failure: true, false or exit_codes.
func (r *reader) allowFailure(n *yamlx.Node) *AllowFailure {
	out := &AllowFailure{Place: n.At()}
	if b, ok := n.Bool(); ok {
		out.Any = b
		return out
	}
	if !n.IsMapping() || r.part == InBridge {
		want := "true, false or a mapping with exit_codes"
		if r.part == InBridge {
			want = "true or false in a job with trigger"
		}
		r.wrong(n, "allow_failure", want)
		return nil
	}
	for _, pair := range r.fields(n, scopeOf("allow_failure"), "allow_failure") {
		out.ExitCodes = r.codes(pair.Value, "allow_failure:exit_codes")
	}
	if !n.Has("exit_codes") {
		r.fail(CodeMissing, n, "allow_failure needs exit_codes")
	}
	return out
}

// retry reads retry: a number or max, when and exit_codes.
func (r *reader) retry(n *yamlx.Node) *Retry {
	out := &Retry{Place: n.At()}
	if !n.IsMapping() {
		if _, ok := n.Int(); !ok {
			r.wrong(n, "retry", "a number from 0 to 2 or a mapping")
			return nil
		}
		out.Max, _ = r.number(n, "retry", 0, maxRetries)
		return out
	}
	for name, pair := range r.fields(n, scopeOf("retry"), "retry") {
		switch name {
		case "max":
			out.Max, _ = r.number(pair.Value, "retry:max", 0, maxRetries)
		case "exit_codes":
			out.ExitCodes = r.codes(pair.Value, "retry:exit_codes")
		case "when":
			for i, t := range r.oneOrMore(pair.Value, "retry:when") {
				if !slices.Contains(retryReasons, t.Value) {
					at := pair.Value
					if at.IsSequence() {
						at = at.Items[i]
					}
					r.badReason(at, t.Value)
					continue
				}
				out.When = append(out.When, t)
			}
		}
	}
	return out
}

func (r *reader) badReason(n *yamlx.Node, got string) {
	f := r.fail(CodeChoice, n, "retry:when knows no failure %q", got)
	if near := fault.Nearest(got, retryReasons); near != "" {
		f.WithHint("did you mean %q?", near)
	}
}

// tags reads tags:.
func (r *reader) tags(n *yamlx.Node) *Texts {
	out := r.texts(n, "tags")
	if len(out.Items) >= maxTags {
		r.fail(CodeLimit, n, "tags has %d entries, fewer than %d are allowed", len(out.Items), maxTags)
	}
	return out
}

// inherit reads inherit:.
func (r *reader) inherit(n *yamlx.Node) Inherit {
	var out Inherit
	if !r.mapping(n, "inherit") {
		return out
	}
	for name, pair := range r.fields(n, scopeOf("inherit"), "inherit") {
		switch name {
		case "default":
			out.Default = r.selection(pair.Value, "inherit:default", DefaultKeywords())
		case "variables":
			out.Variables = r.selection(pair.Value, "inherit:variables", nil)
		}
	}
	return out
}

// selection reads true, false or a list of names; among is nil where any name will do.
func (r *reader) selection(n *yamlx.Node, what string, among []string) Selection {
	out := Selection{Place: n.At()}
	if b, ok := n.Bool(); ok {
		out.None = !b
		return out
	}
	if !n.IsSequence() {
		r.wrong(n, what, "true, false or a list of names")
		return out
	}
	out.Some = true
	for _, item := range n.Items {
		t := r.text(item, "an item of "+what)
		if t.Set && among != nil && !slices.Contains(among, t.Value) {
			r.badChoice(item, "an item of "+what, t.Value, among)
			continue
		}
		if t.Set {
			out.Only = append(out.Only, t)
		}
	}
	return out
}

// parallel reads parallel: a number or a matrix.
func (r *reader) parallel(n *yamlx.Node) *Parallel {
	out := &Parallel{Place: n.At()}
	if _, ok := n.Int(); ok {
		number, ok := r.number(n, "parallel", 1, MaxLegs)
		if !ok {
			return nil
		}
		if r.part == InBridge {
			r.fail(CodeTogether, n, "parallel with a number cannot be used together with trigger").WithHint("use parallel:matrix")
		}
		out.Number = number
		return out
	}
	if !n.IsMapping() {
		r.wrong(n, "parallel", "a number from 1 to 200 or a mapping with matrix")
		return nil
	}
	for _, pair := range r.fields(n, scopeOf("parallel"), "parallel") {
		out.Matrix = r.matrix(pair.Value, "parallel:matrix")
	}
	if n.Get("matrix").IsNull() {
		r.fail(CodeMissing, n, "parallel needs a number or matrix")
		return nil
	}
	total := 0
	for _, row := range out.Matrix {
		total = min(total+row.Legs(), MaxLegs+1)
	}
	if total > MaxLegs {
		r.fail(CodeMatrix, n, "parallel:matrix makes more than %d jobs", MaxLegs).WithHint("leave out values, or part the job in two")
	}
	if len(out.Matrix) == 0 {
		return nil
	}
	return out
}

// matrix reads the rows of a matrix.
func (r *reader) matrix(n *yamlx.Node, what string) []Row {
	if !n.IsSequence() {
		r.wrong(n, what, "a list of mappings")
		return nil
	}
	if len(n.Items) == 0 {
		r.fail(CodeMatrix, n, "%s is empty, so it makes no job", what)
	}
	var out []Row
	for _, item := range n.Items {
		if !r.mapping(item, "an item of "+what) {
			continue
		}
		if len(item.Pairs) == 0 {
			r.fail(CodeMatrix, item, "an item of %s has no variable", what)
			continue
		}
		row := Row{Place: item.At()}
		for _, pair := range item.Pairs {
			row.Axes = append(row.Axes, r.axis(pair, what))
		}
		out = append(out, row)
	}
	return out
}

// axis reads one variable of a matrix and its values.
func (r *reader) axis(pair yamlx.Pair, what string) Axis {
	out := Axis{Name: pair.Key.Value, Place: pair.Key.At()}
	values := []*yamlx.Node{pair.Value}
	if pair.Value.IsSequence() {
		values = pair.Value.Items
	}
	if len(values) == 0 {
		r.fail(CodeMatrix, pair.Value, "%s: %s has no value, so it makes no job", what, out.Name)
	}
	for _, v := range values {
		if !v.IsScalar() {
			r.wrong(v, what+": "+out.Name, "text or a list of texts")
			continue
		}
		out.Values = append(out.Values, Text{Value: v.Text(), Place: v.At(), Set: true})
	}
	if !isVariableName(out.Name) {
		r.note(CodeVariableName, fault.Warning, out.Place, out.Name, "%s: %q is no name that a shell can read", what, out.Name).
			WithHint("use letters, digits and _ only, the first no digit")
	}
	return out
}

// coverage reads a regular expression between slashes and takes these off.
func (r *reader) coverage(n *yamlx.Node) Text {
	t := r.text(n, "coverage")
	if !t.Set {
		return t
	}
	text := strings.TrimSpace(t.Value)
	if !expr.IsPattern(text) {
		r.fail(CodePattern, n, "coverage should be a regular expression between slashes").WithHint("write '/%s/'", t.Value)
		return Text{}
	}
	if !r.pattern(t, text, "coverage") {
		return Text{}
	}
	end := strings.LastIndexByte(text, '/')
	body, flags := text[1:end], text[end+1:]
	t.Value = strings.ReplaceAll(body, `\/`, "/")
	if flags != "" {
		t.Value = "(?" + flags + ")" + t.Value
	}
	return t
}
