package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github"
	commands "github.com/sluice-delivery/sluice/internal/dialect/github/command"
	expression "github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
)

// githubPage says what becomes of every key, context, function, command and event of GitHub's reference.
func githubPage() string {
	var b strings.Builder
	b.WriteString(generated + "# GitHub workflows\n\n" + githubIntro)
	keyTables(&b, "Keys of workflows", "the reader reads files by this table", workflow.Keys)
	keyTables(&b, "Keys of actions", "`action.yml`", workflow.ActionKeys)
	eventTable(&b)
	contextTable(&b)
	functionTable(&b)
	commandTable(&b)
	nativeTable(&b)
	return b.String()
}

const githubIntro = `Sluice runs the workflows of ` + "`.github/workflows`" + ` as GitHub documents them (Workflow syntax for GitHub Actions and the pages it leads to). This page says
what becomes of each part of the reference here:

- **works**: as documented;
- **works with a note**: it works, and here it means less than on GitHub or something slightly different; the note says what;
- **refused**: a mistake with its place, before any job runs.

Nothing is passed over in silence: a key that the tables do not hold is a mistake, with the nearest one that exists.

## What a machine does not have

| GitHub | here |
|---|---|
| ` + "`runs-on`" + ` | ` + "`ubuntu-*`, `self-hosted` and what this machine is" + ` mean this machine, and so do labels that say nothing about a system, with a note. Labels of other systems leave the leg of a matrix out, or skip the job, with a warning. ` + "`--platform LABEL=shell` or `LABEL=IMAGE`" + ` says otherwise ([why](decisions/0014-other-systems-are-left-out.md)) |
| secrets, variables | ` + "`--secret`, `--var`; `--env`" + ` gives variables to every job |
| ` + "`GITHUB_TOKEN`" + ` | ` + "`--secret GITHUB_TOKEN=…`" + `; without it a text of the same form, which opens nothing |
| actions of other repositories | ` + "`--local-repository`, `--action-path`, what `sluice action add`" + ` has put into the cache, ` + "`--mirror`" + `, in this order. Nothing is downloaded during a run |
| the most used actions | built in, [see below](#built-in-actions); ` + "`--no-native`" + ` takes the real ones |
| artifacts, caches, ID tokens | served on this machine for as long as the run lasts; official toolkits talk to them ([how](decisions/0016-artifacts-are-zips-for-everyone.md)) |
| caches of folders outside of the workspace | stay where they are: the folder is this machine's own. A cache whose folders are gone is forgotten ([why](decisions/0013-caches-of-your-own-folders-stay.md)) |
| environments and their reviewers | an ` + "`environment`" + ` is a name and an address; there is nobody to ask |
| a fresh machine for every job | a workspace of its own for every job, empty until ` + "`actions/checkout`" + `, which brings the work tree as it is ([why](decisions/0015-the-work-tree-is-what-checkout-gives.md)); the rest of the machine is yours |
| other versions of tools | the setup actions find what is installed; a project's file states the least version ([how](decisions/0017-a-file-states-the-least-version.md)) |
| concurrency groups of a repository | among the runs of one checkout ([how](decisions/0018-concurrency-reaches-other-runs.md)) |
| canceling a run | Ctrl-C: steps and jobs that say ` + "`always()` or `cancelled()`" + ` still run, a second Ctrl-C ends them too ([why](decisions/0019-ctrl-c-is-each-forges-cancel.md)) |
`

func keyTables(b *strings.Builder, title, about string, table []workflow.Key) {
	count := map[workflow.Support]int{}
	for i := range table {
		count[table[i].Support]++
	}
	fmt.Fprintf(b, "\n## %s\n\nOf %d keys (%s), %d work as on GitHub, %d work with a note, %d are refused.\n", title, len(table), about,
		count[workflow.Works], count[workflow.Noted], count[workflow.Refused])
	b.WriteString("\n| key | what it says | | note |\n|---|---|---|---|\n")
	for i := range table {
		k := &table[i]
		note := k.Note
		if k.Tell != "" {
			note = strings.TrimLeft(note+" (told as a "+string(k.Tell)+")", " ")
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", code(k.Path), cell(k.Means), k.Support, cell(note))
	}
}

func eventTable(b *strings.Builder) {
	b.WriteString("\n## Events\n\n`--event NAME` asks for one, `--event-path FILE` gives its payload. **made here**: the payload is made from the repository as it is; **with a payload**: it happens on GitHub only, so give its payload where a workflow reads it; **by a call**: another workflow's `uses`; **refused**: it cannot be tried here.\n\n| event | activity types | | note |\n|---|---|---|---|\n")
	for i := range workflow.Events {
		e := &workflow.Events[i]
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", e.Name, cell(strings.Join(e.Types, ", ")), e.Stand, cell(e.Note))
	}
}

// contextNotes say of each context where its values come from here.
var contextNotes = map[string]string{
	"github":   "of the event and the repository; `github.token` is that of the run unless `--secret GITHUB_TOKEN` gives one",
	"env":      "of the workflow and the job, `--env` over both, that of the step over all",
	"vars":     "`--var`",
	"job":      "status, container and services; the ports that Docker gave",
	"jobs":     "in the outputs of reusable workflows",
	"steps":    "outputs, outcome and conclusion",
	"runner":   "this machine; `runner.temp` is a folder of the job's own, `runner.tool_cache` one of the user's cache",
	"secrets":  "`--secret`; those that were not given are empty",
	"strategy": "of the leg of a matrix",
	"matrix":   "of the leg of a matrix",
	"needs":    "outputs and results of the jobs that are named as needs",
	"inputs":   "`--input`, or what the calling job passes",
}

func contextTable(b *strings.Builder) {
	b.WriteString("\n## Contexts\n\nEach may stand where GitHub's reference allows it (Contexts reference, context availability); anywhere else it is a mistake with its place.\n\n| context | | from |\n|---|---|---|\n")
	for _, name := range expression.ContextNames() {
		fmt.Fprintf(b, "| `%s` | works | %s |\n", name, contextNotes[name])
	}
}

// functionNotes say what is worth knowing of functions.
var functionNotes = map[string]string{
	"hashFiles": "files of the workspace alone",
	"success":   "all jobs before this one, not only those that it names as needs",
	"failure":   "of any job before this one",
	"cancelled": "after Ctrl-C, and in jobs that a failing leg or a newer run stopped. Steps and jobs that ask for it still run, for five minutes at most; a second Ctrl-C ends them too",
	"always":    "see cancelled",
	"case":      "only the chosen value is evaluated",
}

func functionTable(b *strings.Builder) {
	b.WriteString("\n## Functions\n\n| function | | note |\n|---|---|---|\n")
	for _, name := range expression.FunctionNames() {
		fmt.Fprintf(b, "| `%s` | works | %s |\n", name, functionNotes[name])
	}
}

func commandTable(b *strings.Builder) {
	b.WriteString("\n## Workflow commands and files\n\n| | | note |\n|---|---|---|\n")
	for _, c := range commands.Table {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", code(c.Name), c.Support, cell(c.Note))
	}
}

func nativeTable(b *strings.Builder) {
	b.WriteString("\n## Built-in actions\n\nThese need no download and no Node (github-script needs Node). Any version that `uses` names means the built-in one; `--no-native` takes the real ones from where actions are kept.\n\n| action | note |\n|---|---|\n")
	for _, n := range github.Natives() {
		fmt.Fprintf(b, "| `%s` | %s |\n", n.Name, cell(n.Note))
	}
}

func TestGitHubPageIsWhole(t *testing.T) {
	for _, name := range expression.ContextNames() {
		if contextNotes[name] == "" {
			t.Errorf("nothing is said of the context %s", name)
		}
	}
	for name := range functionNotes {
		if !slices.Contains(expression.FunctionNames(), name) {
			t.Errorf("there is no function %s", name)
		}
	}
}
