package main

import (
	"context"
	"embed"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

//go:embed definitions/*.yaml
var definitionFiles embed.FS

// definitionKind is what a cluster keeps definitions as.
var definitionKind = manifest.Kind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}

// definitions are the kinds of argoproj.io, as Sluice defines them.
func definitions() ([]manifest.Object, error) {
	entries, err := definitionFiles.ReadDir("definitions")
	if err != nil {
		return nil, err
	}
	var out []manifest.Object
	for _, e := range entries {
		text, err := definitionFiles.ReadFile(path.Join("definitions", e.Name()))
		if err != nil {
			return nil, err
		}
		data, err := yaml.YAMLToJSON(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		o, err := manifest.Parse(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		out = append(out, o)
	}
	return out, nil
}

func newCRD(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "crd",
		Short: "Show or install the definitions of Application, Rollout and their kin",
		Args:  known,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCRDInstall(s), newCRDShow(s))
	return cmd
}

func newCRDShow(s *streams) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Print the definitions as YAML",
		Args:  args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			all, err := definitions()
			if err != nil {
				return err
			}
			for i, o := range all {
				text, err := yaml.JSONToYAML(o.JSON())
				if err != nil {
					return err
				}
				if i > 0 {
					fmt.Fprintln(s.out, "---")
				}
				if _, err := s.out.Write(text); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func newCRDInstall(s *streams) *cobra.Command {
	var where target
	var dry bool
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install the definitions that a cluster lacks",
		Long: `Install the definitions of Application, ApplicationSet, AppProject, Rollout, AnalysisTemplate, ClusterAnalysisTemplate,
AnalysisRun and Experiment (argoproj.io/v1alpha1) in a cluster. A definition that is there already, from Argo CD, Argo
Rollouts or an earlier call, is left as it is.`,
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := where.connect(cmd.Context())
			if err != nil {
				return err
			}
			return installDefinitions(cmd.Context(), c, s.out, dry)
		},
	}
	where.cluster(cmd)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be done")
	return cmd
}

// installDefinitions brings the definitions that a cluster lacks to it, tells of each and waits until they are served.
func installDefinitions(ctx context.Context, c deliver.Cluster, w io.Writer, dry bool) error {
	all, err := definitions()
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	defer t.Flush()
	var made []string
	for _, o := range all {
		switch _, err := c.Get(ctx, definitionKind, "", o.Name()); {
		case err == nil:
			fmt.Fprintf(t, "%s\tis there\n", o.Name())
			continue
		case !manifest.NotFound(err):
			return err
		}
		if _, err := c.Create(ctx, o, manifest.Writing{DryRun: dry}); err != nil && !manifest.Is(err, manifest.ReasonExists) {
			return fmt.Errorf("install %s: %w", o.Name(), err)
		}
		if dry {
			fmt.Fprintf(t, "%s\twould be installed\n", o.Name())
			continue
		}
		fmt.Fprintf(t, "%s\tinstalled\n", o.Name())
		made = append(made, o.Name())
	}
	for _, one := range made {
		if err := established(ctx, c, one); err != nil {
			return err
		}
	}
	return nil
}

// established waits until a definition is served, at most half a minute: the cluster lists a kind some time after it has
// taken its definition.
func established(ctx context.Context, c deliver.Cluster, one string) error {
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	plural, group, _ := strings.Cut(one, ".")
	for {
		if o, err := c.Get(ctx, definitionKind, "", one); err == nil && hasCondition(o, "Established") {
			kinds, err := c.Kinds(ctx)
			if err == nil && slices.ContainsFunc(kinds, func(d manifest.Discovered) bool { return d.Kind.Group == group && d.Plural == plural }) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fault.New(codeUnserved, "the definition %s is installed and not served yet", one).Exits(exitTimeout).
				WithHint("see `kubectl describe crd %s`", one)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// hasCondition reports whether a status has a condition of a type that is True.
func hasCondition(o manifest.Object, kind string) bool {
	for _, e := range o.List("status", "conditions") {
		if m, ok := e.(map[string]any); ok && m["type"] == kind && m["status"] == "True" {
			return true
		}
	}
	return false
}
