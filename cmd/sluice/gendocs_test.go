package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/variable"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// docsDir is where the pages are.
const docsDir = "../../docs"

// TestGeneratedPages holds the pages that are made from the program itself: the commands, the keyword table, the codes.
// -update writes them anew.
func TestGeneratedPages(t *testing.T) {
	for name, text := range map[string]string{"cli.md": cliPage(), "gitlab.md": gitlabPage(), "github.md": githubPage(), "argo.md": argoPage(), "codes.md": codesPage()} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(docsDir, name)
			if *update {
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			have, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if string(have) == text {
				return
			}
			was, now := strings.Split(string(have), "\n"), strings.Split(text, "\n")
			for i := range min(len(was), len(now)) {
				if was[i] != now[i] {
					t.Fatalf("docs/%s is stale at line %d:\n  is:     %s\n  should: %s\nwrite it anew: go test ./cmd/sluice -run TestGeneratedPages -update", name, i+1, was[i], now[i])
				}
			}
			t.Fatalf("docs/%s is stale: %d lines, should be %d; write it anew: go test ./cmd/sluice -run TestGeneratedPages -update", name, len(was), len(now))
		})
	}
}

const generated = "<!-- Made by cmd/sluice/gendocs_test.go. Do not edit: go test ./cmd/sluice -run TestGeneratedPages -update -->\n\n"

// cliPage is the reference of the commands.
func cliPage() string {
	var b strings.Builder
	b.WriteString(generated + "# The command line\n\n")
	root := newRoot(&streams{})
	b.WriteString("What each command does, with its flags. [Getting started](getting-started.md) shows them at work.\n\n")
	b.WriteString("| command | |\n|---|---|\n")
	commands := below(root)
	for _, c := range commands {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", c.CommandPath(), anchor(c.CommandPath()), cell(c.Short))
	}
	b.WriteString("| `sluice completion bash\\|zsh\\|fish\\|powershell` | Print the script that completes commands, flags and job names in a shell |\n")
	b.WriteString("| `sluice help COMMAND`, `--help` | Say what a command does |\n| `sluice --version` | Say which version this is |\n")
	b.WriteString("\nA job that is named like a verb of `sluice run` is run with `sluice run -- list`.\n")
	exitTable(&b)
	environmentTable(&b)
	shared := sharedFlags(commands)
	b.WriteString("## Flags of run, lint, plan and explain\n\nThey say which pipeline is meant and what its rules see.\n\n")
	for _, c := range commands {
		if c.Name() == "lint" {
			flagTable(&b, c, func(f *pflag.Flag) bool { return shared[f.Name] })
		}
	}
	for _, c := range commands {
		command(&b, c, shared)
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// below are the commands in the order in which they are defined, each before its own.
func below(c *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, sub := range c.Commands() {
		if sub.Hidden {
			continue
		}
		out = append(append(out, sub), below(sub)...)
	}
	return out
}

func sharedFlags(commands []*cobra.Command) map[string]bool {
	seen := map[string]int{}
	for _, c := range commands {
		if slices.Contains([]string{"sluice run", "sluice lint", "sluice plan", "sluice explain"}, c.CommandPath()) {
			c.LocalFlags().VisitAll(func(f *pflag.Flag) { seen[f.Name]++ })
		}
	}
	out := map[string]bool{}
	for name, n := range seen {
		out[name] = n == 4
	}
	return out
}

func command(b *strings.Builder, c *cobra.Command, shared map[string]bool) {
	fmt.Fprintf(b, "## %s\n\n", c.CommandPath())
	if c.Long != "" {
		b.WriteString(c.Long + "\n\n")
	} else {
		b.WriteString(c.Short + ".\n\n")
	}
	fmt.Fprintf(b, "    %s\n\n", c.UseLine())
	if c.Example != "" {
		world := "cli"
		if strings.HasPrefix(c.CommandPath(), "sluice action") {
			world = "workflow"
		}
		b.WriteString("<!-- repository: " + world + " -->\n\n```sh\n")
		for line := range strings.Lines(c.Example) {
			b.WriteString(strings.TrimPrefix(line, "  "))
		}
		b.WriteString("\n```\n\n")
	}
	common := false
	c.LocalFlags().VisitAll(func(f *pflag.Flag) { common = common || f.Name == "event" })
	if common {
		b.WriteString("It takes the [flags that say which pipeline is meant](#flags-of-run-lint-plan-and-explain)")
		own := 0
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !shared[f.Name] && f.Name != "help" {
				own++
			}
		})
		if own == 0 {
			b.WriteString(".\n\n")
			return
		}
		b.WriteString(" and:\n\n")
	}
	flagTable(b, c, func(f *pflag.Flag) bool { return !common || !shared[f.Name] })
}

func flagTable(b *strings.Builder, c *cobra.Command, want func(*pflag.Flag) bool) {
	var rows []string
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || !want(f) {
			return
		}
		value, text := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		switch value {
		case "":
		case "string", "stringArray", "int", "duration":
			name += " " + strings.ToUpper(f.Name)
		default:
			name += " " + value
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0" && f.DefValue != "0s" {
			text += " (default: " + f.DefValue + ")"
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s |\n", code(name), cell(text)))
	})
	if len(rows) > 0 {
		b.WriteString("| flag | meaning |\n|---|---|\n" + strings.Join(rows, "") + "\n")
	}
}

func exitTable(b *strings.Builder) {
	b.WriteString("\n## Exit codes\n\nOne table for every command.\n\n| code | meaning |\n|---|---|\n")
	for _, e := range []struct {
		code int
		text string
	}{
		{exitOK, "all went well; failures were allowed ones, if any"},
		{exitFailed, "a job failed; `sluice doctor` found something that is needed missing"},
		{exitUsage, "the usage or the configuration is not valid: nothing was run"},
		{exitTimeout, "`--timeout` ended the run"},
		{exitForbidden, "not allowed"},
		{exitUnreachable, "something that is asked over the network cannot be reached"},
		{exitCanceled, "the run was canceled"},
		{exitApproval, "the run cannot go on: a job that must not be passed over waits for a person ([why](decisions/0008-a-blocked-pipeline-ends-with-7.md))"},
		{exitDifferent, "differences were found: `sluice app diff`"},
		{exitInterrupted, "Ctrl-C, SIGTERM or SIGHUP ended it"},
	} {
		fmt.Fprintf(b, "| %d | %s |\n", e.code, e.text)
	}
	b.WriteString("\n")
}

func environmentTable(b *strings.Builder) {
	b.WriteString("## Environment\n\n| variable | meaning |\n|---|---|\n")
	for _, e := range [][2]string{
		{"NO_COLOR", "no colors, whatever its value"},
		{"CLICOLOR=0", "no colors"},
		{"CLICOLOR_FORCE=1", "colors also where the output is no terminal"},
		{"CI, TERM=dumb", "`--progress auto` writes plain lines"},
		{"DOCKER_HOST, DOCKER_CONTEXT", "which container engine is asked"},
	} {
		fmt.Fprintf(b, "| `%s` | %s |\n", e[0], e[1])
	}
	b.WriteString("\n")
}

// gitlabPage is the compatibility table.
func gitlabPage() string {
	var b strings.Builder
	b.WriteString(generated + "# GitLab pipelines\n\n")
	b.WriteString(gitlabIntro)
	b.WriteString("\n## Keywords\n\n")
	table := keyword.Table()
	count := map[keyword.Support]int{}
	for _, k := range table {
		count[k.Support]++
	}
	fmt.Fprintf(&b, "The table below is the one that the compiler reads files by. Of %d keywords, %d work as on a server, %d work with a note, %d are refused.\n",
		len(table), count[keyword.Works], count[keyword.Noted], count[keyword.Refused])
	part := ""
	for _, k := range table {
		if first, _, _ := strings.Cut(k.Path, ":"); first != part {
			part = first
			fmt.Fprintf(&b, "\n### %s\n\n| keyword | where | | note |\n|---|---|---|---|\n", part)
		}
		note := k.Note
		if k.Tell != "" {
			note = strings.TrimLeft(note+" (told as a "+string(k.Tell)+")", " ")
		}
		if k.Deprecated != "" {
			note = strings.TrimLeft(note+"; deprecated in GitLab: "+k.Deprecated, "; ")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", code(k.Path), strings.Join(k.In.Places(), ", "), k.Support, cell(note))
	}
	predefined(&b)
	return b.String()
}

const gitlabIntro = `Sluice runs the pipelines of ` + "`.gitlab-ci.yml`" + ` as GitLab documents them (CI/CD YAML syntax reference and the pages it leads to). This
page says, for every documented keyword and predefined variable, what becomes of it here:

- **works**: as documented;
- **works with a note**: it works, and here it means less than on a server or something slightly different; the note says what. Where using it can surprise, the
  command says so with the place in the file;
- **refused**: a mistake with its place, before any job runs.

Nothing is passed over in silence: a keyword that the table does not hold is a mistake, with the nearest one that exists.

## What a machine does not have

| GitLab | here |
|---|---|
| other projects (` + "`include:project`, `include:component`, `include:template`" + `) | from folders: ` + "`--local-repository`, `--mirror`, `--templates`" + ` |
| pipelines of other projects (` + "`trigger:project`" + `) | the job is skipped, with a warning ([why](decisions/0010-triggers-of-other-projects-are-skipped.md)) |
| protected branches and variables | the default branch counts as protected |
| the CI/CD variables of projects and groups | ` + "`--variable-file`, and `--secret` for masked ones" + ` |
| runners and their tags | this machine takes every job, whatever its tags |
| one checkout for each job | a workspace of its own, uncommitted work included ([why](decisions/0005-workspaces-are-copies.md)) |
| submodules (` + "`GIT_SUBMODULE_STRATEGY`, `GIT_SUBMODULE_PATHS`" + `) | as on a server: empty folders unless the job asks for them; their files are those of your work tree, which must have them checked out |
| rules:changes of a push | see [what counts as changed](decisions/0007-what-counts-as-changed.md) |
| schedules, merge requests, web runs | ` + "`--event`" + ` says which one the rules see |
`

func predefined(b *strings.Builder) {
	b.WriteString("\n## Predefined variables\n\nFrom when on a variable exists: **pre-pipeline** ones also in `include:rules`, **pipeline** ones in `rules` of jobs too, **job-only** ones in scripts and what the runner expands.\n\n")
	b.WriteString("| variable | from | what it says |\n|---|---|---|\n")
	for _, e := range variable.Table {
		text := e.Text
		if e.When != "" {
			text += " Only " + e.When + "."
		}
		if e.Absent != "" {
			text += " Never set here: " + strings.TrimSuffix(e.Absent, ".") + "."
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", e.Name, e.Phase, cell(text))
	}
}

// codesPage explains every code.
func codesPage() string {
	var b strings.Builder
	b.WriteString(generated + "# Codes\n\nEvery mistake and remark has a code that never changes its meaning. `sluice explain SL1202` prints what stands here.\n")
	docs := slices.SortedFunc(slices.Values(allDocs()), func(a, b fault.Doc) int { return cmp.Compare(a.Code, b.Code) })
	for _, d := range docs {
		fmt.Fprintf(&b, "\n## %s\n\n**%s**\n", d.Code, capital(d.Summary))
		if d.Text != "" {
			fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(d.Text))
		}
		if d.Page != "" {
			fmt.Fprintf(&b, "\nSee: %s\n", seeAlso(d))
		}
	}
	return b.String()
}

// seeAlso is the page of a forge's documentation, with the forge where the page does not say it.
func seeAlso(d fault.Doc) string {
	switch forge := d.Code[:4]; {
	case strings.HasSuffix(d.Page, ".md"):
		return fmt.Sprintf("[%s](%s)", strings.TrimSuffix(d.Page, ".md"), d.Page)
	case forge == "SL58":
		return "Argo CD documentation, " + d.Page
	case strings.Contains(d.Page, "GitHub") || strings.Contains(d.Page, "GitLab") || strings.Contains(d.Page, "YAML 1"):
		return d.Page
	case forge >= "SL16" && forge <= "SL18" || forge == "SL28":
		return "GitHub documentation, " + d.Page
	default:
		return "GitLab documentation, " + d.Page
	}
}

func capital(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// cell is a text fit for a table.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;").Replace(text)
}

// code is a text fit for code in a table.
func code(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

// anchor is the address of a heading on its page.
func anchor(heading string) string { return strings.ReplaceAll(strings.ToLower(heading), " ", "-") }

func TestCodesAreUniqueAndExplained(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range allDocs() {
		switch {
		case seen[d.Code]:
			t.Errorf("%s is explained twice", d.Code)
		case !codePattern.MatchString(d.Code):
			t.Errorf("%q is no code", d.Code)
		case strings.TrimSpace(d.Summary) == "" || strings.TrimSpace(d.Text) == "":
			t.Errorf("%s is not explained", d.Code)
		}
		seen[d.Code] = true
	}
}
