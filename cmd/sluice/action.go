package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/edge/action"
	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func newAction(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "action",
		Short: "Keep the actions that workflows use on this machine",
		Long: `Keep the actions that GitHub workflows use on this machine.

Runs are offline: they take actions from folders (--local-repository, --action-path), from the cache that these commands
keep ($XDG_CACHE_HOME/sluice/actions), and from a mirror. What is in the cache is used only while its digest is the one
that was recorded when it was added.`,
		Args: known,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newActionAdd(s), newActionList(s), newActionRemove(s))
	return cmd
}

// actionFlags say where `sluice action add` looks.
type actionFlags struct {
	dir, from, mirror, output string
	local, paths              []string
	recursive, offline, all   bool
}

func newActionAdd(s *streams) *cobra.Command {
	var f actionFlags
	cmd := &cobra.Command{
		Use:   "add [OWNER/REPO[/PATH]@REF...]",
		Short: "Put actions into the cache",
		Long: `Put actions, and the actions that they use, into the cache.

Without arguments it adds what the workflows of the repository use and the machine lacks. Each comes from --from, else
from the folders and the mirror given, else from https://github.com. Built-in actions (actions/checkout and such) are
left out unless --all is given or they are named.`,
		Example: `  sluice action add
  sluice action add acme/setup@v2
  sluice action add acme/setup@v2 --from ../setup
  sluice action add acme/setup@v2 --from https://git.example/mirror/acme/setup.git`,
		Args: args(0, -1),
		RunE: func(cmd *cobra.Command, names []string) error { return s.addActions(cmd.Context(), f, names) },
	}
	fs := cmd.Flags()
	fs.StringVarP(&f.dir, "directory", "C", ".", "the repository whose workflows are read")
	fs.StringVar(&f.from, "from", "", "take it from this `DIR|URL`: a folder, a clone, or the address of one")
	fs.StringVar(&f.mirror, "mirror", "", "a `DIR|URL` that holds clones as OWNER/REPO")
	fs.StringArrayVar(&f.local, "local-repository", nil, "take a repository from a folder: `OWNER/REPO[@REF]=DIR` (repeatable)")
	fs.StringArrayVar(&f.paths, "action-path", nil, "a `DIR` that holds actions as OWNER/REPO, OWNER/REPO@REF or OWNER/REPO/REF (repeatable)")
	fs.BoolVar(&f.recursive, "recursive", true, "also add what the actions use")
	fs.BoolVar(&f.offline, "offline", false, "ask no server; say what is missing")
	fs.BoolVar(&f.all, "all", false, "also add actions that are built in")
	fs.StringVarP(&f.output, "output", "o", "text", "text or json")
	return cmd
}

// addedAction is one line of what `action add` did.
type addedAction struct {
	Uses   string `json:"uses"`
	For    string `json:"for,omitempty"`
	Status string `json:"status"` // added, replaced, unchanged, missing
	Commit string `json:"commit,omitempty"`
	Digest string `json:"digest,omitempty"`
	Source string `json:"source,omitempty"`
	Error  string `json:"error,omitempty"`
}

// addActions adds what is named, or what the repository's workflows use.
func (s *streams) addActions(ctx context.Context, f actionFlags, names []string) error {
	if f.output != "text" && f.output != "json" {
		return fault.New(codeUsage, "--output %s: it is text or json", f.output)
	}
	sources, err := f.sources(ctx)
	if err != nil {
		return err
	}
	wanted, err := parseNames(names)
	if err != nil {
		return err
	}
	places := map[action.Name]fault.Place{}
	if len(names) == 0 {
		if f.from != "" {
			return fault.New(codeUsage, "--from says where one action is; name that action")
		}
		if wanted, places, err = f.usedHere(ctx); err != nil {
			return err
		}
		wanted = slices.DeleteFunc(wanted, func(n action.Name) bool { return s.have(ctx, sources, n) })
	}
	a := action.Adding{From: f.from, Offline: f.offline, Now: time.Now()}
	if f.recursive {
		a.Uses = func(file string, text []byte) []string {
			var out []string
			for _, t := range usesOf(file, text) {
				if uses := strings.TrimSpace(t.Value); f.all || !builtIn(uses) {
					out = append(out, uses)
				}
			}
			return out
		}
	}
	lines, seen := []addedAction{}, map[string]bool{}
	var lost fault.List
	for _, n := range wanted {
		done, err := sources.Add(ctx, n, a)
		if len(done) == 0 {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for _, d := range done {
			line := lineOf(d)
			if seen[line.Uses] {
				continue
			}
			seen[line.Uses] = true
			lines = append(lines, line)
			lost.AddError(placed(d.Err, places[d.Name]))
			if f.output == "text" {
				s.tellAdded(line)
			}
		}
	}
	if f.output == "json" {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		if err := e.Encode(lines); err != nil {
			return err
		}
	} else if len(lines) == 0 {
		fmt.Fprintln(s.out, "nothing to add: every action that the workflows use is built in or on this machine")
	}
	if found := lost.Sorted(); len(found) > 0 {
		return found
	}
	return nil
}

func parseNames(names []string) ([]action.Name, error) {
	var out []action.Name
	for _, name := range names {
		n, err := action.Parse(name)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// lineOf says what became of one action.
func lineOf(d action.Added) addedAction {
	line := addedAction{Uses: d.Name.String(), For: d.For, Commit: d.Record.Commit, Digest: d.Record.Digest, Source: d.Record.Source, Status: "added"}
	switch {
	case d.Err != nil:
		line.Status, line.Error = "missing", d.Err.Error()
	case d.Before == d.Record.Digest:
		line.Status = "unchanged"
	case d.Before != "":
		line.Status = "replaced"
	}
	return line
}

func (s *streams) tellAdded(l addedAction) {
	text := l.Status + " " + l.Uses
	if l.Commit != "" {
		text += " commit " + l.Commit
	}
	if l.Digest != "" {
		text += " " + l.Digest
	}
	if l.Source != "" && l.Status != "unchanged" {
		text += " from " + l.Source
	}
	if l.For != "" {
		text += " (used by " + l.For + ")"
	}
	fmt.Fprintln(s.out, printable(text))
}

// have says whether a run would find an action. One of the cache is as good as its digest says.
func (s *streams) have(ctx context.Context, sources *action.Sources, n action.Name) bool {
	_, err := sources.Tree(ctx, n.Repository, n.Ref)
	return err == nil
}

// sources are where `action add` looks before it asks a server.
func (f actionFlags) sources(ctx context.Context) (*action.Sources, error) {
	out := &action.Sources{Local: map[string]string{}, Cache: action.DefaultCache(), Mirror: f.mirror, Server: os.Getenv("GITHUB_SERVER_URL")}
	for _, kv := range f.local {
		v, err := assignment("--local-repository", kv)
		if err != nil {
			return nil, err
		}
		if info, err := os.Stat(v.Value); err != nil || !info.IsDir() {
			return nil, fault.New(codeUsage, "--local-repository %s: there is no folder %s", v.Name, v.Value)
		}
		if out.Local[v.Name], err = filepath.Abs(v.Value); err != nil {
			return nil, err
		}
	}
	for _, dir := range f.paths {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return nil, fault.New(codeUsage, "--action-path: there is no folder %s", dir)
		}
		out.Paths = append(out.Paths, dir)
	}
	repo, err := git.Open(ctx, f.dir)
	if err != nil {
		return nil, err
	}
	out.Own = action.Own{Repository: repo.Facts().Path, Root: repo.Root, Dir: repo.Dir}
	return out, nil
}

func newActionList(s *streams) *cobra.Command {
	var output string
	var verify bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the actions in the cache",
		Long:  "List the actions in the cache. With --verify their files are read again; exit code 1 when some are not what was added.",
		Args:  args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cache := action.DefaultCache()
			list, err := cache.List()
			if err != nil {
				fmt.Fprintf(s.err, "sluice: %v\n", err)
			}
			if err := writeActions(s.out, list, output); err != nil || !verify {
				return err
			}
			changed := err != nil
			for _, r := range list {
				if err := cache.Check(cmd.Context(), r); err != nil {
					s.complain(err)
					changed = true
				}
			}
			if changed {
				return &exitError{code: exitFailed}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	cmd.Flags().BoolVar(&verify, "verify", false, "read every action again and compare its digest")
	return cmd
}

func writeActions(w io.Writer, list []action.Record, output string) error {
	switch output {
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		if list == nil {
			list = []action.Record{}
		}
		return e.Encode(list)
	case "table":
	default:
		return fault.New(codeUsage, "--output %s: it is table or json", output)
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "ACTION\tCOMMIT\tDIGEST\tADDED\tSOURCE")
	for _, r := range list {
		commit := r.Commit[:min(len(r.Commit), 12)]
		digest := r.Digest[:min(len(r.Digest), len("sha256:")+12)]
		fmt.Fprintf(t, "%s@%s\t%s\t%s\t%s\t%s\n", r.Repository, r.Ref, orText(commit, "-"), digest, r.Added.Format(time.DateOnly), printable(r.Source))
	}
	return t.Flush()
}

func newActionRemove(s *streams) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "remove [OWNER/REPO[@REF]...]",
		Short: "Remove actions from the cache",
		Args:  args(0, -1),
		RunE: func(_ *cobra.Command, names []string) error {
			if all == (len(names) > 0) {
				return fault.New(codeUsage, "name what to remove, or give --all")
			}
			return s.removeActions(names, all)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "remove every action")
	return cmd
}

func (s *streams) removeActions(names []string, all bool) error {
	cache := action.DefaultCache()
	if all {
		list, err := cache.List()
		if err != nil {
			fmt.Fprintf(s.err, "sluice: %v\n", err)
		}
		for _, r := range list {
			names = append(names, r.Repository+"@"+r.Ref)
		}
	}
	for _, name := range names {
		repository, ref, _ := strings.Cut(name, "@")
		gone, err := cache.Remove(repository, ref)
		if err != nil {
			return err
		}
		if len(gone) == 0 && !all {
			return fault.New(codeUsage, "%s is not in the cache", name).WithHint("`sluice action list` shows what is")
		}
		for _, r := range gone {
			fmt.Fprintln(s.out, printable("removed "+r.Repository+"@"+r.Ref))
		}
	}
	return nil
}
