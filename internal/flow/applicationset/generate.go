package applicationset

import (
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Params is one set of parameters and the template that they are for: the ApplicationSet's with what its generator overrides.
type Params struct {
	Values   map[string]any
	Template manifest.Object
}

// Generate asks the generators of a set (documentation page "Generators"). An error says that one of them fails: then nothing
// is known of what the set wants, and what is there must stay. Its code is CodeRefused where Sluice does not have a generator.
func Generate(set Set, world World) ([]Params, error) {
	f, err := newFiller(set.Spec.GoTemplate, set.Spec.GoTemplateOptions)
	if err != nil {
		return nil, fault.New(CodeTemplate, "%v", err)
	}
	g := generating{set: set, world: world, fill: f}
	var out []Params
	for _, one := range set.Spec.Generators {
		// What is known to fail is told before anyone is asked.
		if err := one.refused(0); err != nil {
			return nil, err
		}
	}
	for _, one := range set.Spec.Generators {
		f.budget.renew()
		made, err := g.transform(one, nil)
		if err != nil {
			return nil, asFault(err)
		}
		for _, m := range made {
			template := over(m.template, set.Spec.Template)
			for _, p := range m.params {
				out = append(out, Params{p, template})
			}
		}
	}
	return out, nil
}

// asFault gives an error our code, and keeps in its text what it went through.
func asFault(err error) error {
	if f, ok := err.(*fault.Fault); ok { //nolint:errorlint // one inside of another is told with what stands around it
		return f
	}
	return fault.New(CodeGenerate, "%v", err)
}

// generating is one run of a set's generators.
type generating struct {
	set    Set
	world  World
	fill   *filler
	strict *filler // for values that may need more; made when first needed
}

// made is what one generator gives, with its own template.
type made struct {
	params   []map[string]any
	template manifest.Object
}

var errNothing = errors.New("ApplicationSet is empty")

// refused names what of a generator Sluice does not have. deep is how many combinations it stands in.
func (g Generator) refused(deep int) error {
	for _, no := range []struct {
		is   bool
		what string
	}{
		{len(g.unknown) > 0, strings.Join(g.unknown, ", ")},
		{present(g.Decision), "clusterDecisionResource"},
		{present(g.Plugin), "plugin"},
		{g.SCMProvider.Other() != "", "scmProvider." + g.SCMProvider.Other()},
		{g.PullRequest.Other() != "", "pullRequest." + g.PullRequest.Other()},
	} {
		if no.is {
			return fault.New(CodeRefused, "the generator %s is not supported", no.what).
				WithHint("supported are list, clusters, git, matrix, merge, pullRequest and scmProvider of GitHub, GitLab and Gitea; no Application is removed while it stands there")
		}
	}
	for _, c := range []*Combination{g.Matrix, g.Merge} {
		if c == nil {
			continue
		}
		if deep == 2 {
			return fault.New(CodeGenerate, "matrix and merge generators can be nested once only")
		}
		for _, child := range c.Generators {
			if err := child.refused(deep + 1); err != nil {
				return err
			}
		}
	}
	return nil
}

func present(raw []byte) bool { return len(raw) > 0 && string(raw) != "null" }

// Other names the provider where it is one that Sluice does not have, "" where it has it.
func (p *SCMProvider) Other() string {
	if p == nil {
		return ""
	}
	return other(map[string]manifest.Object{"bitbucket": p.Bitbucket, "bitbucketServer": p.BitbucketServer, "azureDevOps": p.AzureDevOps, "awsCodeCommit": p.AWSCodeCommit})
}

// Other names the provider where it is one that Sluice does not have, "" where it has it.
func (p *PullRequest) Other() string {
	if p == nil {
		return ""
	}
	return other(map[string]manifest.Object{"bitbucket": p.Bitbucket, "bitbucketServer": p.BitbucketServer, "azuredevops": p.AzureDevOps})
}

func other(all map[string]manifest.Object) string {
	for _, name := range []string{"bitbucket", "bitbucketServer", "azureDevOps", "azuredevops", "awsCodeCommit"} {
		if all[name] != nil {
			return name
		}
	}
	return ""
}

// transform asks a generator, which may be several where several fields are set, and keeps what its selector matches. from
// are the parameters of the generator before it in a matrix.
func (g *generating) transform(one Generator, from map[string]any) ([]made, error) {
	matches, err := selecting(one.Selector)
	if err != nil {
		return nil, fmt.Errorf("error parsing label selector: %w", err)
	}
	if len(from) > 0 {
		if one, err = g.interpolate(one, from); err != nil {
			return nil, err
		}
	}
	var out []made
	for _, ask := range []struct {
		is       bool
		params   func() ([]map[string]any, error)
		template func() manifest.Object
	}{
		{one.List != nil, func() ([]map[string]any, error) { return g.list(*one.List) }, func() manifest.Object { return one.List.Template }},
		{one.Clusters != nil, func() ([]map[string]any, error) { return g.clusters(*one.Clusters) }, func() manifest.Object { return one.Clusters.Template }},
		{one.Git != nil, func() ([]map[string]any, error) { return g.git(*one.Git) }, func() manifest.Object { return one.Git.Template }},
		{one.SCMProvider != nil, func() ([]map[string]any, error) { return g.repositories(*one.SCMProvider) }, func() manifest.Object { return one.SCMProvider.Template }},
		{one.PullRequest != nil, func() ([]map[string]any, error) { return g.pulls(*one.PullRequest) }, func() manifest.Object { return one.PullRequest.Template }},
		{one.Matrix != nil, func() ([]map[string]any, error) { return g.matrix(*one.Matrix) }, func() manifest.Object { return one.Matrix.Template }},
		{one.Merge != nil, func() ([]map[string]any, error) { return g.merge(*one.Merge) }, func() manifest.Object { return one.Merge.Template }},
	} {
		if !ask.is {
			continue
		}
		params, err := ask.params()
		if err != nil {
			return nil, err
		}
		if err := g.fill.budget.charge(len(params)); err != nil {
			return nil, errors.New("the generators give too many sets of parameters")
		}
		m := made{template: ask.template()}
		for _, p := range params {
			if matches == nil || matches(flatten(p)) {
				m.params = append(m.params, p)
			}
		}
		out = append(out, m)
	}
	return out, nil
}

// selecting is a label selector over parameters, whose values may be any text (documentation page "Generators, Post
// Selector"). It is nil where there is none.
func selecting(s *metav1.LabelSelector) (func(map[string]string) bool, error) {
	if s == nil {
		return nil, nil
	}
	all := append([]metav1.LabelSelectorRequirement{}, s.MatchExpressions...)
	for k, v := range s.MatchLabels {
		all = append(all, metav1.LabelSelectorRequirement{Key: k, Operator: metav1.LabelSelectorOpIn, Values: []string{v}})
	}
	for _, r := range all {
		if wrong := validation.IsQualifiedName(r.Key); len(wrong) > 0 {
			return nil, fmt.Errorf("key: Invalid value: %q: %s", r.Key, strings.Join(wrong, "; "))
		}
		switch r.Operator {
		case metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn:
			if len(r.Values) == 0 {
				return nil, fmt.Errorf("key %q: for 'in', 'notin' operators, values set can't be empty", r.Key)
			}
		case metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist:
			if len(r.Values) > 0 {
				return nil, fmt.Errorf("key %q: values set must be empty for exists and does not exist", r.Key)
			}
		default:
			return nil, fmt.Errorf("%q is not a valid pod selector operator", r.Operator)
		}
	}
	return func(values map[string]string) bool {
		for _, r := range all {
			if !holds(r, values) {
				return false
			}
		}
		return true
	}, nil
}

func holds(r metav1.LabelSelectorRequirement, values map[string]string) bool {
	v, there := values[r.Key]
	in := false
	for _, w := range r.Values {
		in = in || w == v
	}
	switch r.Operator {
	case metav1.LabelSelectorOpIn:
		return there && in
	case metav1.LabelSelectorOpNotIn:
		return !there || !in
	case metav1.LabelSelectorOpExists:
		return there
	default:
		return !there
	}
}

// flatten is parameters by their paths: a.b for maps, a.0 for lists, the values as text.
func flatten(params map[string]any) map[string]string {
	out := map[string]string{}
	var walk func(prefix string, v any)
	walk = func(prefix string, v any) {
		at := func(k string) string {
			if prefix == "" {
				return k
			}
			return prefix + "." + k
		}
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				walk(at(k), e)
			}
		case map[string]string:
			for k, e := range v {
				out[at(k)] = e
			}
		case []any:
			for i, e := range v {
				walk(at(fmt.Sprint(i)), e)
			}
		default:
			out[prefix] = fmt.Sprintf("%v", v)
		}
	}
	walk("", params)
	return out
}
