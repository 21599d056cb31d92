package lint

import (
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/lazy"
)

// oldCommand finds workflow commands that are retired, as scripts print them.
var oldCommand = lazy.Pattern(`::(?:(save-state|set-output|set-env)\s+name=[^:\s]+::|(add-path)::)`)

// instead of the commands.
var instead = map[string]string{
	"set-output": `echo "name=value" >> "$GITHUB_OUTPUT"`,
	"save-state": `echo "name=value" >> "$GITHUB_STATE"`,
	"set-env":    `echo "NAME=value" >> "$GITHUB_ENV"`,
	"add-path":   `echo "path" >> "$GITHUB_PATH"`,
}

// commands tells retired workflow commands in a script.
func (c *checker) commands(run workflow.Text) {
	at := c.places(run.Node)
	for _, m := range oldCommand.FindAllStringSubmatchIndex(run.Value, -1) {
		group := 2
		if m[group] < 0 {
			group = 4
		}
		name := run.Value[m[group]:m[group+1]]
		if name == "set-output" || name == "save-state" {
			c.warn(CodeCommand, at(m[0]), "the workflow command %s is deprecated", name).WithHint("write %s", instead[name])
			continue
		}
		f := c.mistake(CodeCommand, at(m[0]), "the runner refuses the workflow command %s", name).WithHint("write %s", instead[name])
		if c.unsafe {
			f.WithSeverity("warning")
			f.Message = "the workflow command " + name + " is refused by the runner but for ACTIONS_ALLOW_UNSECURE_COMMANDS"
		}
	}
}
