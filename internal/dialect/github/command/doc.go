// Package command reads what a step tells the machinery: workflow commands in its output (::error::…), the files that
// GITHUB_ENV, GITHUB_OUTPUT, GITHUB_STATE and GITHUB_PATH name, and lines that a problem matcher knows. It follows the
// documentation's page "Workflow commands for GitHub Actions" and the official runner's docs/adrs and problem-matchers.md
// where that is silent.
//
// Output is not trusted: what is written there adds masks, notes and folds and, in the two retired forms that GitHub still
// takes, outputs and states of that very step; it never sets a variable or the PATH unless the workflow says
// ACTIONS_ALLOW_UNSECURE_COMMANDS, and never ends a fold that it did not begin. The package reads no file itself.
package command
