package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	appdiff "github.com/sluice-delivery/sluice/internal/flow/application/diff"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// lookFlags are what an application is compared with.
type lookFlags struct {
	revision, local string
	serverSide      bool
	hard            bool
}

func (l *lookFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.revision, "revision", "", "this branch, tag or commit instead of the target revision")
	cmd.Flags().StringVar(&l.local, "local", "", "the manifests of this folder instead of the sources")
	_ = cmd.MarkFlagDirname("local")
}

// inspect compares an application as the flags say.
func (l *lookFlags) inspect(ctx context.Context, home *house, o manifest.Object) (deliver.Inspection, error) {
	look := deliver.Look{Revision: l.revision, ServerSide: l.serverSide, Hard: l.hard}
	if l.local != "" {
		var err error
		if look.Manifests, err = home.localManifests(ctx, o, l.local); err != nil {
			return deliver.Inspection{}, err
		}
	}
	c, err := home.inspector(ctx, o)
	if err != nil {
		return deliver.Inspection{}, err
	}
	in, err := c.Inspect(ctx, o, look)
	if err != nil {
		return in, fault.New(codeCompare, "%s cannot be compared: %v", o.Name(), err).Exits(exitFailed).
			WithHint("`sluice app explain %s` says more", o.Name())
	}
	return in, nil
}

func newAppDiff(s *streams, w *target) *cobra.Command {
	var l lookFlags
	var f format
	var ignored bool
	cmd := &cobra.Command{
		Use:   "diff NAME",
		Short: "Show how the cluster differs from the sources",
		Long: `Show per object what is there (-) and what is wanted (+), who owns each field that differs and, with --ignored, what is
left out of the comparison and why. The data of Secrets are masked. Exit codes: 0 no difference, 8 differences.`,
		Args: args(1, 1), ValidArgsFunction: w.completeApps,
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := f.check(); err != nil {
				return err
			}
			home, o, err := w.app(cmd.Context(), given[0])
			if err != nil {
				return err
			}
			defer home.close()
			in, err := l.inspect(cmd.Context(), home, o)
			if err != nil {
				return err
			}
			pairs := differing(in.Comparison, ignored)
			err = f.write(s.out, pairs, func() []string { return pairNames(pairs) }, func(out io.Writer) error { return writeDiff(out, pairs, ignored) })
			if err != nil {
				return err
			}
			if slices.ContainsFunc(pairs, outOfSync) {
				return &exitError{code: exitDifferent}
			}
			return nil
		},
	}
	l.flags(cmd)
	f.flag(cmd)
	cmd.Flags().BoolVar(&l.serverSide, "server-side", false, "compare by dry runs in the cluster")
	cmd.Flags().BoolVar(&l.hard, "hard-refresh", false, "render anew, whatever is cached")
	cmd.Flags().BoolVar(&ignored, "ignored", false, "show what is ignored, and why")
	return cmd
}

func outOfSync(p application.Pair) bool { return !p.Hook && p.Status == application.OutOfSync }

// differing are the resources that differ, or have ignored differences where those are to be shown.
func differing(c application.Comparison, ignored bool) []application.Pair {
	out := []application.Pair{}
	for _, p := range c.Pairs {
		if outOfSync(p) || ignored && !p.Hook && len(p.Differences) > 0 {
			out = append(out, p)
		}
	}
	return out
}

func pairNames(pairs []application.Pair) []string {
	var out []string
	for _, p := range pairs {
		out = append(out, p.Key.String())
	}
	return out
}

// writeDiff prints each object as a person reads a patch, and then who is behind it.
func writeDiff(w io.Writer, pairs []application.Pair, ignored bool) error {
	for _, p := range pairs {
		fmt.Fprintf(w, "===== %s %s =====\n", oneLine(p.Key.String()), headline(p))
		was, err := yamlOf(p.Found)
		if err != nil {
			return err
		}
		is, err := yamlOf(p.Wanted)
		if err != nil {
			return err
		}
		text := diff.Diff("live", was, "wanted", is)
		if _, rest, ok := strings.Cut(string(text), "\n"); ok {
			if _, err := io.WriteString(w, printable(rest)); err != nil {
				return err
			}
		}
		for _, d := range p.Differences {
			if d.Ignored == "" || ignored {
				fmt.Fprintln(w, oneLine(behind(d)))
			}
		}
		fmt.Fprintln(w)
	}
	return nil
}

func headline(p application.Pair) string {
	switch {
	case p.Prune:
		return "is not wanted any more"
	case p.Live == nil:
		return "is missing"
	case p.Status == application.Synced:
		return "is in sync"
	default:
		return "differs"
	}
}

// behind says who set a field, or why its difference does not count.
func behind(d application.Difference) string {
	text := "# " + d.Path
	if d.Manager != "" {
		text += ": set by " + d.Manager
		if !d.At.IsZero() {
			text += " at " + d.At.UTC().Format(time.RFC3339)
		}
	}
	if d.Ignored != "" {
		text += ": ignored, " + d.Ignored
	}
	return text
}

func yamlOf(o manifest.Object) ([]byte, error) {
	if len(o) == 0 {
		return nil, nil
	}
	o = o.Copy()
	o.Drop("metadata", "managedFields")
	return yaml.Marshal(map[string]any(o))
}

func newAppManifests(s *streams, w *target) *cobra.Command {
	var l lookFlags
	var source, out string
	cmd := &cobra.Command{
		Use: "manifests NAME", Short: "Print what the sources hold, or what the cluster holds", Args: args(1, 1), ValidArgsFunction: w.completeApps,
		Long: "Print the manifests of an application as YAML or JSON: what its sources render to, or with --source live what the cluster holds. The data of Secrets are masked.",
		RunE: func(cmd *cobra.Command, given []string) error {
			if source != "git" && source != "live" {
				return fault.New(codeUsage, "--source %s is none", source).WithHint("it is git or live")
			}
			if out != "yaml" && out != "json" {
				return fault.New(codeUsage, "-o %s is no format of manifests", out).WithHint("the formats are yaml and json")
			}
			home, o, err := w.app(cmd.Context(), given[0])
			if err != nil {
				return err
			}
			defer home.close()
			in, err := l.inspect(cmd.Context(), home, o)
			if err != nil {
				return err
			}
			var list []manifest.Object
			for _, p := range in.Comparison.Pairs {
				x := p.Target
				if source == "live" {
					x = p.Live
				}
				if x != nil {
					list = append(list, secretless(x))
				}
			}
			return writeManifests(s.out, list, out)
		},
	}
	l.flags(cmd)
	cmd.Flags().StringVar(&source, "source", "git", "git or live")
	cmd.Flags().StringVarP(&out, "output", "o", "yaml", "yaml or json")
	return cmd
}

func writeManifests(w io.Writer, list []manifest.Object, how string) error {
	if how == "json" {
		return writeJSON(w, list)
	}
	for i, o := range list {
		text, err := yamlOf(o)
		if err != nil {
			return err
		}
		if i > 0 {
			fmt.Fprintln(w, "---")
		}
		if _, err := io.WriteString(w, printable(string(text))); err != nil {
			return err
		}
	}
	return nil
}

// secretless is an object without the data of a Secret, and without the copy of them that client-side apply keeps.
func secretless(o manifest.Object) manifest.Object {
	if o = appdiff.Masked(o, nil); o != nil {
		o = o.Copy()
		o.Drop("metadata", "annotations", application.AnnotationLastApplied)
	}
	return o
}

func newAppExplain(s *streams, w *target) *cobra.Command {
	var f format
	cmd := &cobra.Command{
		Use: "explain NAME", Short: "Say why an application is out of sync, stuck or not syncing", Args: args(1, 1), ValidArgsFunction: w.completeApps,
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := f.check(); err != nil {
				return err
			}
			home, o, err := w.app(cmd.Context(), given[0])
			if err != nil {
				return err
			}
			defer home.close()
			c, err := home.inspector(cmd.Context(), o)
			if err != nil {
				return err
			}
			in, compared := c.Inspect(cmd.Context(), o, deliver.Look{})
			facts := explainApp(in, compared, time.Now())
			return f.write(s.out, facts, func() []string {
				var out []string
				for _, fact := range facts {
					out = append(out, fact.Topic)
				}
				return out
			}, func(out io.Writer) error {
				for _, fact := range facts {
					head := fact.Topic
					if fact.Subject != "" {
						head += " " + fact.Subject
					}
					fmt.Fprintf(out, "%s: %s\n", oneLine(head), oneLine(fact.Message))
					if fact.Hint != "" {
						fmt.Fprintf(out, "  hint: %s\n", oneLine(fact.Hint))
					}
				}
				return nil
			})
		},
	}
	f.flag(cmd)
	return cmd
}

func newAppDelete(s *streams, w *target) *cobra.Command {
	var cascade, wait bool
	var propagation string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Delete an application with its resources", Args: args(1, 1), ValidArgsFunction: w.completeApps,
		Long: "Delete an application. Its resources go first, the last wave before the others; with --cascade=false they stay and nobody keeps them true.",
		RunE: func(cmd *cobra.Command, given []string) error {
			home, o, err := w.app(cmd.Context(), given[0])
			if err != nil {
				return err
			}
			defer home.close()
			if err := deliver.Delete(cmd.Context(), home, o, cascade, propagation); err != nil {
				return err
			}
			if !wait {
				return nil
			}
			_, err = poll(cmd.Context(), home, o, timeout, func(application.Application) bool { return false })
			if errors.Is(err, errGone) {
				fmt.Fprintf(s.out, "%s deleted\n", oneLine(given[0]))
				return nil
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&cascade, "cascade", true, "delete its resources too")
	cmd.Flags().StringVar(&propagation, "propagation-policy", "foreground", "how resources are deleted: foreground or background")
	cmd.Flags().BoolVar(&wait, "wait", true, "wait until it is gone")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "wait no longer")
	return cmd
}

// explainApp is why an application is as it is. compared is the error of its comparison.
func explainApp(in deliver.Inspection, compared error, now time.Time) []application.Fact {
	facts := []application.Fact{}
	if compared != nil && len(in.Conditions) == 0 {
		facts = append(facts, application.Fact{Topic: "condition", Message: compared.Error()})
	}
	for _, c := range in.Conditions {
		facts = append(facts, application.Fact{Topic: "condition", Subject: c.Type, Message: c.Message})
	}
	if in.Cluster == nil {
		return facts
	}
	c := in.Comparison
	c.Conditions = nil // they are among those of the inspection
	return append(facts, application.Explain(application.Explaining{App: in.App, Comparison: c, Automatic: in.Automatic, Window: in.Window, Now: now})...)
}
