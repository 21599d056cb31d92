package github

import (
	"fmt"
	"path"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/command"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// script runs a run: step.
func (w *walk) script(at *step) ending {
	text, err := at.scope.text(at.def.Run, at)
	if err != nil {
		return w.invalid(at, err)
	}
	shell, err := w.shell(at)
	if err != nil {
		return w.invalid(at, err)
	}
	dir, err := w.folder(at)
	if err != nil {
		return w.invalid(at, err)
	}
	if v := w.open(); v.status != success {
		return v
	}
	env, v := w.identity(w.process(at))
	if v.status != success {
		return v
	}
	lens := w.lens(at)
	e := program.Exec{
		Step: at.title, Shell: shell.command, Ext: shell.ext, Lines: shell.lines(text), Env: env, Dir: dir,
		Lens: lens, Timeout: at.limit, Always: at.always,
	}
	o := w.do(w.outside(e, dir))
	w.closeFolds(lens)
	v = w.verdictFor(at, o, "Process completed with exit code %d.")
	return w.told(at, lens, v)
}

// identity adds what a script asks for a token of identity with, where the job may have one.
func (w *walk) identity(env []string) ([]string, ending) {
	if w.own.Permissions["id-token"] != "write" {
		return env, fine
	}
	services, v := w.serve()
	for _, kv := range services {
		if strings.HasPrefix(kv, "ACTIONS_ID_TOKEN_REQUEST_") {
			env = append(env, kv)
		}
	}
	return env, v
}

// closeFolds ends the folds that a step's output left open.
func (w *walk) closeFolds(lens *command.Lens) {
	open := lens.Open()
	for i := len(open) - 1; i >= 0; i-- {
		w.do(program.Section{Name: open[i]})
	}
}

func foldName(at *step) string { return fmt.Sprintf("step-%d-group", at.number) }

// process is the environment of what a step starts on this machine or in the job's container.
func (w *walk) process(at *step) []string {
	var e environ
	e.addPairs(w.Base)
	e.add(&at.env)
	e.export(w.githubContext(at.scope, at), w.runner)
	w.search(&e)
	return e.pairs()
}

// search puts the folders of GITHUB_PATH before PATH.
func (w *walk) search(e *environ) {
	if len(w.path) == 0 {
		return
	}
	dirs := make([]string, 0, len(w.path)+1)
	for i := len(w.path) - 1; i >= 0; i-- {
		dir, _, _ := strings.Cut(w.path[i], "\x00") // which would end all of PATH
		dirs = append(dirs, dir)
	}
	rest := e.get("PATH")
	if rest == "" {
		rest = w.Paths.Path
	}
	if rest != "" {
		dirs = append(dirs, rest)
	}
	e.set("PATH", strings.Join(dirs, ":"))
}

// bare is an environment for programs of ours.
func (w *walk) bare() []string {
	var e environ
	e.addPairs(w.Base)
	w.search(&e)
	return e.pairs()
}

// shell is how a step's script is run.
type shell struct {
	command string // with {0} for the script's file
	ext     string
	begin   string // put before the script
	end     string // and after it
}

// lines are the script's lines as they are told and run.
func (s shell) lines(text string) []string {
	text = strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	return strings.Split(s.begin+text+s.end, "\n")
}

// shells are the words of shell: (GitHub documentation, "Workflow syntax", jobs.<job_id>.steps[*].shell).
var shells = map[string]shell{
	"bash":   {command: "bash --noprofile --norc -e -o pipefail {0}", ext: ".sh"},
	"sh":     {command: "sh -e {0}", ext: ".sh"},
	"python": {command: "python {0}", ext: ".py"},
	"pwsh": {
		command: `pwsh -command ". '{0}'"`, ext: ".ps1", begin: "$ErrorActionPreference = 'stop'\n",
		end: "\nif ((Test-Path -LiteralPath variable:\\LASTEXITCODE)) { exit $LASTEXITCODE }",
	},
	"powershell": {
		command: `powershell -command ". '{0}'"`, ext: ".ps1", begin: "$ErrorActionPreference = 'stop'\n",
		end: "\nif ((Test-Path -LiteralPath variable:\\LASTEXITCODE)) { exit $LASTEXITCODE }",
	},
	"cmd": {command: `cmd /D /E:ON /V:OFF /S /C "CALL "{0}""`, ext: ".cmd", begin: "@echo off\n"},
}

// extensions are those of scripts whose shell is written out.
var extensions = map[string]string{"bash": ".sh", "sh": ".sh", "python": ".py", "pwsh": ".ps1", "powershell": ".ps1", "cmd": ".cmd"}

// shell is what the step says, else the job's default, else the workflow's, else bash, or sh where there is no bash and in
// containers. A step of an action has no defaults.
func (w *walk) shell(at *step) (shell, error) {
	text := at.def.Shell
	if at.scope.outer == nil {
		text = firstSet(text, w.own.Job.Defaults.Shell, w.own.Frame.File.Defaults.Shell)
	}
	name, err := at.scope.text(text, at)
	if err != nil {
		return shell{}, err
	}
	name = strings.TrimSpace(name)
	if name == "" {
		if w.Container || w.Paths.Shell == "sh" { // in a container sh is the default, whatever there is
			return shells["sh"], nil
		}
		return shell{command: "bash -e {0}", ext: ".sh"}, nil
	}
	if s, ok := shells[strings.ToLower(name)]; ok {
		return s, nil
	}
	if !strings.Contains(name, "{0}") {
		return shell{}, faultAt(CodeShell, text, "the shell %q is neither bash, sh, python, pwsh, powershell or cmd nor a command with {0} for the script's file", name)
	}
	program, _, _ := strings.Cut(name, " ")
	return shell{command: name, ext: extensions[path.Base(program)]}, nil
}

func firstSet(texts ...workflow.Text) workflow.Text {
	for _, t := range texts {
		if t.Set && t.Value != "" {
			return t
		}
	}
	return workflow.Text{}
}

// folder is the step's folder: relative to the workspace where it lies in it, else absolute.
func (w *walk) folder(at *step) (string, error) {
	text := at.def.WorkingDirectory
	if at.scope.outer == nil {
		text = firstSet(text, w.own.Job.Defaults.WorkingDirectory, w.own.Frame.File.Defaults.WorkingDirectory)
	}
	dir, err := at.scope.text(text, at)
	if err != nil || dir == "" {
		return "", err
	}
	return w.inWorkspace(dir), nil
}

// inWorkspace is a path relative to the workspace where it lies in it, "" for the workspace itself; else absolute.
func (w *walk) inWorkspace(dir string) string {
	root := path.Clean(w.Paths.JobWorkspace)
	if !path.IsAbs(dir) {
		dir = path.Join(root, dir)
	}
	dir = path.Clean(dir)
	if dir == root {
		return ""
	}
	if rest, ok := strings.CutPrefix(dir, strings.TrimSuffix(root, "/")+"/"); ok {
		return rest
	}
	return dir
}

// outside makes a step run in a folder that lies outside of the workspace and the private folder, which a host does not
// do by itself.
func (w *walk) outside(e program.Exec, dir string) program.Exec {
	if !path.IsAbs(dir) || dir == w.Paths.JobPrivate || strings.HasPrefix(dir, w.Paths.JobPrivate+"/") {
		return e
	}
	e.Dir = ""
	if len(e.Argv) > 0 {
		e.Argv = append([]string{"env", "-C", dir}, e.Argv...)
	} else {
		e.Shell = "env -C " + quoteWord(dir) + " " + e.Shell
	}
	return e
}

// quoteWord makes one word of a command of any text.
func quoteWord(s string) string {
	if !strings.ContainsAny(s, " \t\"'") {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"`
}
