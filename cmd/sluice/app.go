package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/engine/deliver"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// applicationKind is what the app commands talk about.
var applicationKind = manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Application"}

func newApp(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "app",
		Short: "See and steer applications",
		Long: `See and steer Argo CD Applications: those of a running 'sluice deliver' (found in .sluice/deliver of this folder or one
above it), of a running 'sluice up', or of the cluster that --kubeconfig, KUBECONFIG or ~/.kube/config names.`,
		Args: known,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	w := &target{}
	w.home(cmd)
	cmd.AddCommand(
		newAppList(s, w), newAppGet(s, w), newAppResources(s, w), newAppManifests(s, w), newAppDiff(s, w), newAppExplain(s, w),
		newAppSync(s, w), newAppRollback(s, w), newAppHistory(s, w), newAppTerminate(s, w), newAppWait(s, w), newAppRefresh(s, w),
		newAppDelete(s, w), newAppAction(s, w),
	)
	return cmd
}

// format is the flag -o of what shows something.
type format struct {
	of      string
	allowed []string
}

func (f *format) flag(cmd *cobra.Command, more ...string) {
	f.allowed = append([]string{"table", "json", "yaml", "name"}, more...)
	cmd.Flags().StringVarP(&f.of, "output", "o", "table", "how to print: "+strings.Join(f.allowed, ", "))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(f.allowed, cobra.ShellCompDirectiveNoFileComp))
}

// check refuses what is no format.
func (f *format) check() error {
	if slices.Contains(f.allowed, f.of) {
		return nil
	}
	err := fault.New(codeUsage, "-o %s is no format", f.of)
	if near := fault.Nearest(f.of, f.allowed); near != "" {
		return err.WithHint("did you mean %q? The formats are %s", near, strings.Join(f.allowed, ", "))
	}
	return err.WithHint("the formats are %s", strings.Join(f.allowed, ", "))
}

// write prints a value in the formats for programs; table and name are the caller's.
func (f *format) write(w io.Writer, value any, names func() []string, table func(io.Writer) error) error {
	switch f.of {
	case "json":
		return writeJSON(w, value)
	case "yaml":
		text, err := yaml.Marshal(value)
		if err != nil {
			return err
		}
		_, err = io.WriteString(w, printable(string(text)))
		return err
	case "name":
		for _, n := range names() {
			fmt.Fprintln(w, oneLine(n))
		}
		return nil
	default:
		return table(w)
	}
}

// columns writes a table of lines of cells.
func columns(w io.Writer, head string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, strings.ReplaceAll(head, " ", "\t"))
	for _, row := range rows {
		for i, cell := range row {
			row[i] = oneLine(cell)
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// readable is an Application without what is of no use to a reader or not for his eyes.
func readable(o manifest.Object) manifest.Object {
	o = o.Copy()
	o.Drop("metadata", "managedFields")
	o.Drop("metadata", "annotations", application.AnnotationLastApplied)
	// What a sync from a folder brought along may hold Secrets.
	for _, at := range [][]string{{"operation", "sync"}, {"status", "operationState", "operation", "sync"}} {
		if sync := o.Sub(at...); len(sync.List("manifests")) > 0 {
			sync["manifests"] = []any{fmt.Sprintf("%d manifests, not shown", len(sync.List("manifests")))}
		}
	}
	return o
}

// decodeApp reads an Application.
func decodeApp(o manifest.Object) (application.Application, error) {
	app, err := deliver.Decode(o)
	if err != nil {
		return app, fmt.Errorf("the application %s cannot be read: %w", o.Name(), err)
	}
	return app, nil
}

// findApp finds an Application by name or namespace/name.
func findApp(ctx context.Context, home deliver.Cluster, namespace, called string) (manifest.Object, error) {
	if space, rest, ok := strings.Cut(called, "/"); ok {
		namespace, called = space, rest
	}
	if namespace != "" {
		o, err := home.Get(ctx, applicationKind, namespace, called)
		if manifest.NotFound(err) {
			return nil, noApp(ctx, home, called)
		}
		return o, err
	}
	all, err := listApps(ctx, home, "")
	if err != nil {
		return nil, err
	}
	var found []manifest.Object
	for _, o := range all {
		if o.Name() == called {
			found = append(found, o)
		}
	}
	switch len(found) {
	case 0:
		return nil, noApp(ctx, home, called)
	case 1:
		return found[0], nil
	}
	var places []string
	for _, o := range found {
		places = append(places, o.Namespace()+"/"+o.Name())
	}
	return nil, fault.New(codeUsage, "%d applications are called %q", len(found), called).WithHint("say which: %s", strings.Join(places, " or "))
}

func noApp(ctx context.Context, home deliver.Cluster, called string) error {
	err := fault.New(codeNoApp, "there is no application %q", called)
	all, listed := listApps(ctx, home, "")
	if listed != nil {
		return err
	}
	var names []string
	for _, o := range all {
		names = append(names, o.Name())
	}
	if near := fault.Nearest(called, names); near != "" {
		return err.WithHint("did you mean %q?", near)
	}
	return err.WithHint("see `sluice app list`")
}

func listApps(ctx context.Context, home deliver.Cluster, namespace string) ([]manifest.Object, error) {
	all, err := home.List(ctx, applicationKind, namespace, "")
	if manifest.Is(err, manifest.ReasonNoKind) || manifest.NotFound(err) {
		return nil, fault.New(codeUnserved, "the cluster knows no Applications").WithHint("install the definitions with `sluice crd install`, or keep a folder of manifests true with `sluice deliver DIR`")
	}
	if err != nil {
		return nil, err
	}
	manifest.Sort(all)
	return all, nil
}

func newAppList(s *streams, w *target) *cobra.Command {
	var f format
	var project, selector string
	cmd := &cobra.Command{
		Use: "list", Short: "List applications", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			home, err := w.connectHome(cmd.Context())
			if err != nil {
				return err
			}
			defer home.close()
			all, err := home.List(cmd.Context(), applicationKind, w.namespace, selector)
			if manifest.NotFound(err) {
				_, err = listApps(cmd.Context(), home, w.namespace)
			}
			if err != nil {
				return err
			}
			manifest.Sort(all)
			var shown []manifest.Object
			for _, o := range all {
				if project == "" || o.Text("spec", "project") == project {
					shown = append(shown, readable(o))
				}
			}
			return f.write(s.out, shown, func() []string { return appNames(shown) }, func(out io.Writer) error { return appTable(out, shown) })
		},
	}
	f.flag(cmd, "wide")
	cmd.Flags().StringVarP(&project, "project", "p", "", "only of this project")
	cmd.Flags().StringVarP(&selector, "selector", "l", "", "only with these labels")
	return cmd
}

func appNames(list []manifest.Object) []string {
	var out []string
	for _, o := range list {
		out = append(out, o.Namespace()+"/"+o.Name())
	}
	return out
}

func appTable(w io.Writer, list []manifest.Object) error {
	var rows [][]string
	for _, o := range list {
		app, err := decodeApp(o)
		if err != nil {
			return err
		}
		rows = append(rows, []string{
			o.Namespace() + "/" + o.Name(), destinationText(app.Spec.Destination), orText(app.Spec.Destination.Namespace, "-"), orText(app.Spec.Project, "default"),
			orText(string(app.Status.Sync.Status), "Unknown"), orText(app.Status.Health.Status, "Unknown"), policyText(app), conditionTypes(app), sourceText(app),
		})
	}
	return columns(w, "NAME CLUSTER NAMESPACE PROJECT STATUS HEALTH SYNCPOLICY CONDITIONS SOURCE", rows)
}

func destinationText(d application.Destination) string {
	return orText(d.Name, orText(d.Server, "-"))
}

func policyText(app application.Application) string {
	p := app.Spec.SyncPolicy
	if p == nil || p.Automated == nil || p.Automated.Enabled != nil && !*p.Automated.Enabled {
		return "Manual"
	}
	out := "Auto"
	if p.Automated.Prune {
		out += "-Prune"
	}
	if p.Automated.SelfHeal {
		out += "-SelfHeal"
	}
	return out
}

func conditionTypes(app application.Application) string {
	var out []string
	for _, c := range app.Status.Conditions {
		if !slices.Contains(out, c.Type) {
			out = append(out, c.Type)
		}
	}
	if len(out) == 0 {
		return "<none>"
	}
	return strings.Join(out, ",")
}

func sourceText(app application.Application) string {
	var out []string
	for _, src := range app.Spec.All() {
		text := src.RepoURL
		if src.Path != "" {
			text += " " + src.Path
		}
		if src.Chart != "" {
			text += " " + src.Chart
		}
		out = append(out, text+" @ "+orText(src.TargetRevision, "HEAD"))
	}
	return strings.Join(out, ", ")
}

func newAppGet(s *streams, w *target) *cobra.Command {
	var f format
	var refresh, hard bool
	cmd := &cobra.Command{
		Use: "get NAME", Short: "Show an application", Args: args(1, 1), ValidArgsFunction: w.completeApps,
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := f.check(); err != nil {
				return err
			}
			home, o, err := w.app(cmd.Context(), given[0])
			if err != nil {
				return err
			}
			defer home.close()
			if refresh || hard {
				if o, err = refreshApp(cmd.Context(), home, o, hard, time.Minute); err != nil {
					return err
				}
			}
			app, err := decodeApp(o)
			if err != nil {
				return err
			}
			return f.write(s.out, readable(o), func() []string { return appNames([]manifest.Object{o}) }, func(out io.Writer) error { return showApp(out, app) })
		},
	}
	f.flag(cmd)
	cmd.Flags().BoolVar(&refresh, "refresh", false, "compare with the sources first")
	cmd.Flags().BoolVar(&hard, "hard-refresh", false, "render anew and compare first")
	return cmd
}

func showApp(w io.Writer, app application.Application) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	line := func(label, text string) { fmt.Fprintf(t, "%s:\t%s\n", label, oneLine(text)) }
	line("Name", app.Object.Namespace()+"/"+app.Object.Name())
	line("Project", orText(app.Spec.Project, "default"))
	line("Cluster", destinationText(app.Spec.Destination))
	line("Namespace", app.Spec.Destination.Namespace)
	line("Source", sourceText(app))
	line("Sync policy", policyText(app))
	line("Sync status", orText(string(app.Status.Sync.Status), "Unknown")+" to "+revisionText(app.Status.Sync.Revision, app.Status.Sync.Revisions))
	line("Health", strings.TrimSpace(orText(app.Status.Health.Status, "Unknown")+" "+app.Status.Health.Message))
	for _, u := range app.Status.Summary.ExternalURLs {
		line("URL", u)
	}
	for _, i := range app.Status.Summary.Images {
		line("Image", i)
	}
	for _, c := range app.Status.Conditions {
		line(c.Type, c.Message)
	}
	if op := app.Status.OperationState; op != nil {
		line("Operation", string(op.Phase)+", began "+op.StartedAt.Format(time.RFC3339))
		if op.Message != "" {
			line("", op.Message)
		}
	}
	if err := t.Flush(); err != nil || len(app.Status.Resources) == 0 {
		return err
	}
	fmt.Fprintln(w)
	return resourceTable(w, app)
}

// resourceTable shows the resources with what the last operation said of each.
func resourceTable(w io.Writer, app application.Application) error {
	said := map[manifest.Key]string{}
	if op := app.Status.OperationState; op != nil && op.SyncResult != nil {
		for _, r := range op.SyncResult.Resources {
			said[manifest.Key{Group: r.Group, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}] = r.Message
		}
	}
	var rows [][]string
	for _, r := range app.Status.Resources {
		h, message := "", said[manifest.Key{Group: r.Group, Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}]
		if r.Health != nil {
			h = r.Health.Status
			message = orText(r.Health.Message, message)
		}
		status := string(r.Status)
		if r.RequiresPruning {
			status += " (prune)"
		}
		hook := ""
		if r.Hook {
			hook = "hook"
		}
		rows = append(rows, []string{r.Group, r.Kind, r.Namespace, r.Name, status, h, hook, message})
	}
	return columns(w, "GROUP KIND NAMESPACE NAME STATUS HEALTH HOOK MESSAGE", rows)
}

func revisionText(one string, many []string) string {
	if len(many) > 0 {
		return strings.Join(many, ", ")
	}
	return orText(one, "-")
}

// user is who asks, as operations name it.
func user() string {
	return orText(os.Getenv("USER"), "sluice")
}
