package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/sluice-delivery/sluice/internal/edge/tool"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// checkNode looks for what JavaScript actions run on. Built-in actions need none but github-script.
func checkNode(ctx context.Context) finding {
	f := finding{Name: "node", Status: "ok"}
	finder := tool.Finder{Env: os.Environ(), Tools: toolCache()}
	found, err := finder.Find(ctx, program.Find{Tool: "node"})
	if err != nil || len(found.Values) < 4 {
		f.Status, f.Detail = "warning", "there is no Node.js"
		f.Hint = "JavaScript actions and actions/github-script need one; the other built-in actions do not"
		return f
	}
	f.Detail = fmt.Sprintf("%s (%s)", strings.TrimPrefix(found.Values[0], "v"), found.Values[3])
	return f
}

// toldActions is how many missing actions are named.
const toldActions = 5

// checkActions looks for the actions that the repository's workflows use, where a run without flags would.
func checkActions(ctx context.Context, dir string) finding {
	f := finding{Name: "actions", Status: "ok"}
	flags := actionFlags{dir: dir}
	used, _, err := flags.usedHere(ctx)
	if err != nil {
		f.Status, f.Detail = "warning", err.Error()
		return f
	}
	sources, err := flags.sources(ctx)
	if err != nil {
		f.Status, f.Detail = "warning", err.Error()
		return f
	}
	var missing []string
	for _, n := range used {
		if _, err := sources.Tree(ctx, n.Repository, n.Ref); err != nil {
			missing = append(missing, n.String())
		}
	}
	slices.Sort(missing)
	switch {
	case len(missing) > 0:
		more := ""
		if n := len(missing) - toldActions; n > 0 {
			missing, more = missing[:toldActions], fmt.Sprintf(" and %d more", n)
		}
		f.Status, f.Detail = "warning", "not on this machine: "+printable(strings.Join(missing, ", "))+more
		f.Hint = "`sluice action add` fetches them; --local-repository and --action-path take them from folders"
	case len(used) == 0:
		f.Detail = "all that the workflows use are built in or in the repository"
	default:
		f.Detail = counted(len(used), "action") + " of other repositories on this machine"
	}
	return f
}
