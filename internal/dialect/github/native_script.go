package github

import (
	_ "embed"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

//go:embed native_script.js
var scriptRunner string

// scriptFile is where the runner of scripts stands in the private folder.
const scriptFile = "_tools/github-script.cjs"

// githubScript is actions/github-script: the script runs on this machine's Node.js, with the npm packages @actions/… that
// are installed.
var githubScript = &native{
	inputs: []string{
		"script", "github-token", "debug", "user-agent", "previews", "result-encoding", "retries", "retry-exempt-status-codes", "base-url",
	},
	main: runScript,
}

func runScript(c *call) ending {
	if c.input("script") == "" {
		return c.error(CodeScript, broken(program.ConfigurationFailed, "Input required and not supplied: script"))
	}
	if !c.given("github-token") {
		c.u.inputs.set("github-token", c.github.Get("token").Text())
	}
	if !c.given("user-agent") {
		c.u.inputs.set("user-agent", "actions/github-script")
	}
	bin, v := c.nodePath("node20", "actions/github-script")
	if v.status != success {
		return v
	}
	if o := c.do(program.Files{Files: []program.File{{Name: scriptFile, Content: scriptRunner}}}); o.Failure != "" {
		return broken(o.Failure, "%s", o.Message)
	}
	if v := c.open(); v.status != success {
		return v
	}
	env, v := c.started(c.at, c.u)
	if v.status != success {
		return v
	}
	return c.execute(c.at, []string{bin, c.Paths.JobPrivate + "/" + scriptFile}, env, "")
}
