package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The faults of the command line.
const (
	codeUsage   = "SL3001" // a flag or an argument is wrong
	codeNoFile  = "SL3002" // no pipeline file was found
	codeDialect = "SL3003" // the pipeline's dialect is not supported, or there are several
	codeState   = "SL3004" // .sluice cannot be written
	codeReport  = "SL3005" // a report file cannot be read
)

// docs explains the codes.
var docs = []fault.Doc{
	{Code: codeUsage, Summary: "a flag or an argument is wrong", Text: "See `sluice COMMAND --help`."},
	{Code: codeNoFile, Summary: "no pipeline file was found", Text: "Sluice looks for .gitlab-ci.yml at the top of the repository and for workflows in .github/workflows. Name another file with --file, or begin a pipeline with `sluice init`."},
	{Code: codeDialect, Summary: "the pipeline's dialect is not supported, or there are two", Text: "Sluice runs GitLab pipelines and workflows of GitHub Actions. Where a repository has both, say which is meant: --dialect gitlab or --dialect github, or name a file with --file. Jenkinsfiles are found and refused."},
	{Code: codeReport, Summary: "a report cannot be read", Text: "A file that a job names under artifacts:reports is not in the format that its kind asks for. The job's result does not depend on it; the summary leaves it out."},
	{Code: codeState, Summary: "the folder .sluice cannot be written", Text: "Logs, artifacts and caches are kept in .sluice at the top of the repository. The disk may be full or the folder not yours."},
}

func newRoot(s *streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "sluice",
		Short: "Take a commit to production",
		Long: `Sluice runs the pipelines that a repository already has, on this machine: .gitlab-ci.yml of GitLab and the workflows
of GitHub Actions.

Exit codes: 0 passed, 1 failed, 2 wrong usage or configuration, 3 timed out, 4 not allowed, 5 unreachable,
6 canceled, 7 waits for an approval, 8 differences found, 130 interrupted.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       versionText(),
		Args:          known,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("sluice {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fault.New(codeUsage, "%v", err).WithHint("see `%s --help`", cmd.CommandPath())
	})
	root.AddCommand(
		newRun(s), newLint(s), newPlan(s), newExplain(s), newDoctor(s), newInit(s), newConvert(s), newClean(s), newAction(s),
		newSandbox(s), newHealth(s),
		newDeliver(s), newApp(s), newCRD(s), newRollout(s), newController(s),
		newUp(s), newDown(s), newPodChild(),
	)
	return root
}

// known refuses what is no command.
func known(cmd *cobra.Command, given []string) error {
	if len(given) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	err := fault.New(codeUsage, "there is no command %q", given[0])
	if near := fault.Nearest(given[0], names); near != "" {
		return err.WithHint("did you mean %q?", near)
	}
	return err.WithHint("see `sluice --help`")
}

// args is cobra's check with our error.
func args(low, high int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		if len(given) < low || high >= 0 && len(given) > high {
			return fault.New(codeUsage, "%s takes %s", cmd.CommandPath(), countWords(low, high)).WithHint("see `%s --help`", cmd.CommandPath())
		}
		return nil
	}
}

func countWords(low, high int) string {
	switch {
	case high == 0:
		return "no arguments"
	case high < 0:
		return fmt.Sprintf("at least %d arguments", low)
	case low == high:
		return fmt.Sprintf("exactly %d arguments", low)
	default:
		return fmt.Sprintf("%d to %d arguments", low, high)
	}
}

// version is set by the linker.
var version = ""

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}
