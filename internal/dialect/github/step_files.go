package github

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/command"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// commandFile is one of the files by which a step talks to the machinery.
type commandFile struct {
	context string // its property of the github context
	prefix  string // of its name
}

// commandFiles are those of every step, in the order in which they are read afterwards.
var commandFiles = []commandFile{
	{"path", "add_path_"}, {"env", "set_env_"}, {"step_summary", "step_summary_"}, {"state", "save_state_"}, {"output", "set_output_"},
}

// maxFile bounds each of them, in bytes.
const maxFile = 16 << 20

// slot is the file that stands for a command file now. A file that a step wrote to is left alone and the next step has
// another one, so that what a step left running cannot write into a later one's; a file that nobody wrote to serves on,
// for making files is what costs most in a job of many short steps.
type slot struct {
	serial int
	made   bool
}

// file is the path of a command file in the private folder.
func (w *walk) file(f commandFile) string {
	return f.name(w.slots[f.context].serial)
}

func (f commandFile) name(serial int) string {
	return "_runner_file_commands/" + f.prefix + strconv.Itoa(serial)
}

// open makes the step's command files that are not there, empty.
func (w *walk) open() ending {
	var files []program.File
	for _, f := range commandFiles {
		if s := w.slots[f.context]; !s.made {
			files = append(files, program.File{Name: w.file(f)})
			w.slots[f.context] = slot{s.serial, true}
		}
	}
	if len(files) == 0 {
		return fine
	}
	if o := w.do(program.Files{Files: files}); o.Failure != "" {
		return broken(o.Failure, "%s", o.Message)
	}
	return fine
}

// told takes over what a step wrote to its files and said in its output. A file that has not the right form fails the
// step, as on GitHub.
func (w *walk) told(at *step, lens *command.Lens, v ending) ending {
	if lens != nil {
		v = w.heard(at, lens.Said(), v)
	}
	names := make([]string, len(commandFiles))
	for i, f := range commandFiles {
		names[i] = w.file(f)
	}
	o := w.do(program.ReadPrivate{Names: names, Limit: maxFile})
	if o.Failure != "" {
		if v.status == success {
			v = broken(o.Failure, "%s", o.Message)
		}
		return v
	}
	for i, f := range commandFiles {
		n := slices.IndexFunc(o.Files, func(found program.FoundFile) bool { return found.Path == names[i] })
		if n >= 0 && len(o.Files[n].Content) == 0 && !o.Files[n].Truncated {
			continue
		}
		w.slots[f.context] = slot{serial: w.slots[f.context].serial + 1}
		if n < 0 {
			continue // the step removed it
		}
		if err := w.take(at, f, o.Files[n]); err != nil {
			w.complain("Unable to process file command '%s' successfully.", f.context)
			w.complain("%v", err)
			if v.status == success {
				v = broken(program.ScriptFailure, "unable to process file command '%s': %v", f.context, err)
			}
		}
	}
	return v
}

// take carries out one command file.
func (w *walk) take(at *step, f commandFile, found program.FoundFile) error {
	if f.context == "step_summary" {
		w.summary(found)
		return nil
	}
	if found.Truncated {
		return fmt.Errorf("the file is larger than %d MiB [%s]", maxFile>>20, command.CodeLimit)
	}
	if f.context == "path" {
		w.prepend(command.Paths(string(found.Content))...)
		return nil
	}
	pairs, err := command.Pairs(string(found.Content))
	for _, p := range pairs {
		switch f.context {
		case "env":
			if no := command.CheckEnv(p.Name); no != nil && !at.unsecure() {
				w.complain("%v [%s]", no, command.CodeName) // the step goes on, as with the runner's SetEnvFileCommand
				continue
			}
			w.env.set(p.Name, p.Value)
		case "state":
			at.state.set(p.Name, p.Value)
		case "output":
			at.ran.outputs.set(p.Name, p.Value)
		}
	}
	if form, ok := errors.AsType[*command.FormError](err); ok {
		return fmt.Errorf("%s (line %d of GITHUB_%s) [%s]", form.Message, form.Line, strings.ToUpper(f.context), command.CodeFile)
	}
	return err
}

// summary adds what the step wrote for the job's summary.
func (w *walk) summary(found program.FoundFile) {
	switch {
	case found.Truncated || len(found.Content) > command.MaxSummary:
		size := "more than 16 MiB"
		if !found.Truncated {
			size = fmt.Sprintf("%d KiB", len(found.Content)>>10)
		}
		w.complain("$GITHUB_STEP_SUMMARY is left out: it may have 1024 KiB and has %s [%s]", size, command.CodeSummary)
	case w.shown >= command.MaxSummaries:
	default:
		w.shown++
		w.result.Summary += w.redact(string(found.Content))
		if w.result.Summary[len(w.result.Summary)-1] != '\n' {
			w.result.Summary += "\n"
		}
	}
}

// prepend puts folders before PATH; one that is there already moves to the front.
func (w *walk) prepend(folders ...string) {
	for _, dir := range folders {
		kept := w.path[:0:0]
		for _, d := range w.path {
			if d != dir {
				kept = append(kept, d)
			}
		}
		w.path = append(kept, dir)
	}
}

// heard takes over what a step said in its output.
func (w *walk) heard(at *step, said *command.Said, v ending) ending {
	w.masks = append(w.masks, said.Masks...)
	w.note(said.Notes...)
	if said.Lost > 0 {
		w.warn("%d more annotations of this step are not kept", said.Lost)
	}
	for _, p := range said.Outputs {
		at.ran.outputs.set(p.Name, p.Value)
	}
	for _, p := range said.State {
		at.state.set(p.Name, p.Value)
	}
	for _, p := range said.Env {
		w.env.set(p.Name, p.Value)
	}
	w.prepend(said.Paths...)
	w.match(said)
	if said.Failed != "" && v.status == success {
		v = broken(program.ScriptFailure, "%s", said.Failed)
	}
	return v
}

// unsecure reports whether the step has the retired commands turned on again.
func (at *step) unsecure() bool {
	return equalTrue(at.env.get("ACTIONS_ALLOW_UNSECURE_COMMANDS"))
}
