package lint

import (
	"path"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// ConfigPaths are where the configuration of actionlint may stand; the first that exists counts.
var ConfigPaths = []string{".github/actionlint.yaml", ".github/actionlint.yml"}

// Config is what .github/actionlint.yaml says.
type Config struct {
	// Labels are those of the repository's own runners: names, with * ? and [a-z] as in file names.
	Labels []string
	// Variables are the configuration variables that there are, where Listed is set.
	Variables []string
	Listed    bool
}

// ReadConfig reads the configuration of actionlint. Keys that have no effect here are told.
func ReadConfig(file string, text []byte) (*Config, fault.Faults) {
	c := &Config{}
	var faults fault.List
	docs := yamlx.Parse(text, yamlx.Options{File: file, Schema: yamlx.Core}, &faults)
	if len(docs) == 0 || docs[0].IsNull() {
		return c, faults.Sorted()
	}
	bad := func(n *yamlx.Node, format string, args ...any) *fault.Fault {
		f := fault.At(CodeConfig, n.At(), format, args...).WithSeverity(fault.Warning)
		faults.Add(f)
		return f
	}
	if !docs[0].IsMapping() {
		bad(docs[0], "the configuration of actionlint is a mapping, not %s", docs[0].Describe())
		return c, faults.Sorted()
	}
	list := func(n *yamlx.Node, what string) []string {
		if n.IsNull() {
			return nil
		}
		if !n.IsSequence() {
			bad(n, "%s is a list, not %s", what, n.Describe())
			return nil
		}
		out := make([]string, 0, len(n.Items))
		for _, item := range n.Items {
			out = append(out, item.Value)
		}
		return out
	}
	for _, p := range docs[0].Pairs {
		switch p.Key.Value {
		case "self-hosted-runner":
			for _, label := range list(p.Value.Get("labels"), "labels") {
				if _, err := path.Match(label, ""); err != nil {
					bad(p.Value, "the label %q is no pattern", label)
					continue
				}
				c.Labels = append(c.Labels, label)
			}
		case "config-variables":
			c.Listed = !p.Value.IsNull()
			c.Variables = list(p.Value, "config-variables")
		case "paths":
			if len(p.Value.Pairs) > 0 {
				bad(p.Key, "paths has no effect here: its patterns are about the messages of actionlint").WithSeverity(fault.Note)
			}
		default:
			bad(p.Key, "actionlint has no key %q", p.Key.Value)
		}
	}
	return c, faults.Sorted()
}
