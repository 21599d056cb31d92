package github

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// node runs a part of a JavaScript action with the job's Node.js.
func (w *walk) node(at *step, u *use, script workflow.Text) ending {
	bin, v := w.nodePath(u.meta.Using.Value, u.ref.written)
	if v.status != success {
		return v
	}
	if v := w.open(); v.status != success {
		return v
	}
	env, v := w.started(at, u)
	if v.status != success {
		return v
	}
	return w.execute(at, []string{bin, path.Join(u.dir, script.Value)}, env, "")
}

// execute runs a program for a step and takes over what it said.
func (w *walk) execute(at *step, argv, env []string, exits string) ending {
	lens := w.lens(at)
	o := w.do(program.Exec{Step: at.title, Argv: argv, Env: env, Lens: lens, Timeout: at.limit, Always: at.always, Quiet: true})
	w.closeFolds(lens)
	return w.told(at, lens, w.verdictFor(at, o, exits))
}

// oldNode is the oldest line of Node.js that runs actions of newer lines: what it lacks, few of them use.
const oldNode = 16

// nodePath finds a Node.js that is at least as new as using asks for. Actions for Node 12 and 16 run on what there is, as
// on GitHub; those for a line that is newer than all of the machine's run on the newest of these, with a word about it.
func (w *walk) nodePath(using, who string) (string, ending) {
	wanted := ">=" + strings.TrimPrefix(strings.ToLower(using), "node")
	n, err := strconv.Atoi(strings.TrimPrefix(strings.ToLower(using), "node"))
	if err == nil && n < 20 {
		wanted = ">=12"
	}
	if bin := w.nodes[wanted]; bin != "" {
		return bin, fine
	}
	o := w.do(program.Find{Tool: "node", Version: wanted})
	if o.Failure == program.UnmetPrerequisites && n > oldNode {
		other := w.do(program.Find{Tool: "node", Version: fmt.Sprint(">=", oldNode)})
		if other.Failure != program.UnmetPrerequisites { // found, or not for want of one
			o = other
		}
		if other.Failure == "" && len(other.Values) > 1 {
			w.warn("%s asks for %s and runs on Node.js %s, the newest of this machine [%s]", who, using, o.Values[0], CodeNode)
		}
	}
	if o.Failure != "" || len(o.Values) < 2 {
		w.complain("%s runs on %s: %s [%s]", who, using, first(o.Message, "there is no Node.js"), CodeNode)
		return "", broken(program.UnmetPrerequisites, "%s needs %s: %s", who, using, first(o.Message, "there is no Node.js"))
	}
	w.nodes[wanted] = path.Join(o.Values[1], "node")
	if len(o.Values) > 3 && path.IsAbs(o.Values[3]) {
		w.nodes[wanted] = o.Values[3]
	}
	return w.nodes[wanted], fine
}
