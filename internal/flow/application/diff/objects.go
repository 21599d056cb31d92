package diff

import (
	"cmp"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Objects compares one object. One of Target and Live may be nil: the other side is then given in its normal form, and there
// are no differences to name.
func Objects(in Input, rules Rules) Output {
	some := in.Target
	if some == nil {
		some = in.Live
	}
	kind := some.Kind()
	one := side{options: in.Options, shape: in.Options.shapeOf(kind), secret: isSecret(some)}
	target, live := in.Options.canon(in.Target, one.shape), in.Options.canon(in.Live, one.shape)
	if in.Target == nil || in.Live == nil {
		return one.alone(target, live)
	}
	live["apiVersion"] = target["apiVersion"] // one object is served in several versions
	fields := entries(in.Live)
	liveHits, problems := rules.hits(live, fields)
	wantedSide := target
	if in.Predicted != nil {
		wantedSide = in.Options.canon(in.Predicted, one.shape)
		wantedSide["apiVersion"] = target["apiVersion"]
	}
	wantedHits, more := rules.hits(wantedSide, fields)
	c := comparison{in: in, side: one, last: in.last(target, fields, one.shape)}
	out := c.compare(leaveOut(wantedSide, wantedHits), leaveOut(live, liveHits))
	if hits := append(liveHits, wantedHits...); len(hits) > 0 {
		out.Wanted, out.Found = whole(out.Wanted), whole(out.Found)
		all := c.compare(wantedSide, live)
		out.Differences = explain(out.Differences, all.Differences, hits)
		out.Merged = in.merged(rules, one.shape)
	}
	out.Problems = unique(append(problems, more...))
	if one.secret {
		for i, p := range out.Problems {
			out.Problems[i] = Scrub(p, in.Target, in.Live)
		}
	}
	blame(in.Live, out.Differences)
	if in.Predicted != nil && !in.Webhooks {
		out.Differences = in.withoutWebhooks(out.Differences)
	}
	return out
}

// side is what both sides of an object share.
type side struct {
	options Options
	shape   *shape
	secret  bool
}

func (s side) alone(target, live map[string]any) Output {
	sides := mask(s.secret, s.options.MaskedAnnotations, target, live)
	return Output{Wanted: sides[0], Found: sides[1]}
}

type comparison struct {
	in   Input
	side side
	last any
}

// compare is one comparison of two sides in their normal form.
func (c comparison) compare(wanted, live map[string]any) Output {
	if c.in.Predicted == nil {
		wanted = merge(wanted, live, c.last, field{shape: c.side.shape}).(map[string]any)
	}
	sides := mask(c.side.secret, c.side.options.MaskedAnnotations, live, wanted)
	var d walker
	d.walk("", sides[1], sides[0], field{shape: c.side.shape})
	return Output{Wanted: sides[1], Found: sides[0], Differences: d.out}
}

// whole is a side without what is gone.
func whole(o manifest.Object) manifest.Object {
	out, ok := tidy(map[string]any(o)).(map[string]any)
	if !ok {
		return o
	}
	return out
}

// last is what was applied before: what our own server-side applies own, else what kubectl's annotation says, else the
// target, so that nothing that only live has counts as removed.
func (in Input) last(target map[string]any, fields []entry, s *shape) any {
	for _, e := range fields {
		if e.manager == in.Manager && e.operation == "Apply" && e.sub == "" {
			return project(in.Options.canon(in.Live, s), e.fields)
		}
	}
	if text := in.Live.Annotation(lastApplied); text != "" {
		if o, err := manifest.Parse([]byte(text)); err == nil {
			return in.Options.canon(o, s)
		}
	}
	return target
}

// withoutWebhooks ignores what the dry run changed beyond what we apply: webhooks and defaults did
// (https://argo-cd.readthedocs.io/en/stable/user-guide/diff-strategies/, "Mutation Webhooks").
func (in Input) withoutWebhooks(list []Difference) []Difference {
	ours := map[string]bool{}
	known := false
	for _, o := range []manifest.Object{in.Predicted, in.Live} {
		for _, e := range entries(o) {
			if e.manager == in.Manager && e.operation == "Apply" {
				known = true
				owned(map[string]any(o), e.fields, nil, func(p []string) { ours[pointer(p)] = true })
			}
		}
	}
	if !known {
		return list
	}
	if isSecret(in.Target) { // what is applied as stringData is kept as data, which the server counts as its own change
		for k := range in.Target.Sub("stringData") {
			ours[pointer([]string{"data", k})] = true
		}
	}
	for i, d := range list {
		if d.Ignored != "" {
			continue
		}
		counts := false
		for p := range ours {
			if below(p, d.Path) || below(d.Path, p) {
				counts = true
				break
			}
		}
		if !counts {
			list[i].Ignored = "the server changes it (a mutating webhook or a default), not the sync; IncludeMutationWebhook=true counts it"
		}
	}
	return list
}

func unique(list []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, s := range list {
		if !seen[s] {
			out, seen[s] = append(out, s), true
		}
	}
	return out
}

// comparePaths orders pointers token by token, numbers by their value.
func comparePaths(a, b string) int {
	x, _ := tokens(a)
	y, _ := tokens(b)
	for i := 0; i < len(x) && i < len(y); i++ {
		if x[i] == y[i] {
			continue
		}
		if len(x[i]) != len(y[i]) && digits(x[i]) && digits(y[i]) {
			return len(x[i]) - len(y[i])
		}
		return cmp.Compare(x[i], y[i])
	}
	return len(x) - len(y)
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
