package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/sluice-delivery/sluice/internal/engine/dispatch"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// runFlags are the flags of `sluice run`.
type runFlags struct {
	pipelineFlags
	format, progress, color string
	needs, list, dryRun     bool
	watch, shellOnFailure   bool
	keep                    bool
	manual                  []string
	slots                   int
	timeout                 time.Duration
	hurry                   <-chan struct{} // closed by the second Ctrl-C
	changed                 []string        // by a watched folder; nil: as the repository says
}

func newRun(s *streams) *cobra.Command {
	var r runFlags
	cmd := &cobra.Command{
		Use:   "run [flags] [JOB...]",
		Short: "Run the pipeline of this repository on this machine",
		Long: `Run the pipeline of this repository on this machine, uncommitted work included: .gitlab-ci.yml, or the workflows of
.github/workflows that the event triggers; --dialect chooses where there are both.

Without JOB the whole pipeline runs as it would for a push of the current branch. With JOB only these jobs run: by name,
by key (all legs of a matrix), or by a pattern; --needs adds what they need, which jobs of GitHub workflows always bring
along. A manual job that is named is played. Logs, artifacts and caches are kept in .sluice. Ctrl-C cancels the run, a
second one kills it.`,
		Example: `  sluice run
  sluice run build test --needs
  sluice run --event merge_request --target main
  sluice run --variable DEPLOY=yes --manual deploy
  sluice run --format json | jq -r 'select(.type == "job")'`,
		ValidArgsFunction: completeJobs(&r.pipelineFlags),
		RunE: func(cmd *cobra.Command, jobs []string) error {
			if err := r.check(); err != nil {
				return err
			}
			ctx, hurry, stop := interruptible(cmd.Context())
			r.hurry = hurry
			defer stop()
			if r.watch {
				return s.watch(ctx, &r, jobs)
			}
			return broken(ctx, s.runOnce(ctx, &r, jobs))
		},
	}
	r.register(cmd)
	f := cmd.Flags()
	f.StringVar(&r.format, "format", "text", "text, or json: one event a line on standard output")
	f.StringVar(&r.progress, "progress", "auto", "auto, tty, plain, json or quiet")
	f.StringVar(&r.color, "color", "auto", "auto, always or never")
	f.BoolVar(&r.needs, "needs", false, "also run what the jobs named need")
	f.BoolVar(&r.list, "list", false, "list the jobs and stop")
	f.BoolVar(&r.dryRun, "dry-run", false, "print what would run and stop")
	f.BoolVar(&r.watch, "watch", false, "run again what a change of a file affects, until Ctrl-C")
	f.BoolVar(&r.shellOnFailure, "shell-on-failure", false, "open a shell in the workspace of a job that failed")
	f.BoolVar(&r.keep, "keep", false, "keep the workspaces of the jobs")
	f.StringArrayVar(&r.manual, "manual", nil, "play this manual `JOB` when its turn comes (repeatable; \"*\" plays all)")
	f.IntVarP(&r.slots, "jobs", "j", 0, "run at most this `N` of jobs at a time (default: twice the processors)")
	f.DurationVar(&r.timeout, "timeout", 0, "cancel the run after this `DURATION`; exit code 3")
	cmd.AddCommand(newRunList(s), newRunLogs(s))
	return cmd
}

func (r *runFlags) check() error {
	if r.format != "text" && r.format != "json" {
		return fault.New(codeUsage, "--format %s is not text or json", r.format)
	}
	if r.format == "json" {
		r.progress = "json"
	}
	switch r.progress {
	case "auto", "tty", "plain", "json", "quiet":
	default:
		return fault.New(codeUsage, "--progress %s is not auto, tty, plain, json or quiet", r.progress)
	}
	switch r.color {
	case "auto", "always", "never":
	default:
		return fault.New(codeUsage, "--color %s is not auto, always or never", r.color)
	}
	switch r.executor {
	case "auto", "shell", "docker":
	default:
		return fault.New(codeUsage, "--executor %s is not auto, shell or docker", r.executor)
	}
	if r.slots < 0 {
		return fault.New(codeUsage, "-j %d: at least 1", r.slots)
	}
	if r.slots == 0 {
		r.slots = 2 * runtime.GOMAXPROCS(0)
	}
	r.slots = min(r.slots, fitting())
	return nil
}

// fitting is how many jobs at a time the limit on open files allows. Each has its pipes, its log and its workspace open.
func fitting() int {
	const ours, each = 32, 12
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || limit.Cur > 1<<20 {
		return 1 << 16
	}
	return max(1, (int(limit.Cur)-ours)/each)
}

// interruptible ends the context at Ctrl-C or SIGTERM, with the signal as its cause. The second signal closes hurried:
// what is still being stopped is killed.
func interruptible(parent context.Context) (ctx context.Context, hurried <-chan struct{}, stop func()) {
	hurry := make(chan struct{})
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			case s := <-signals:
				cancel(interrupted{s})
				if n == 1 {
					close(hurry)
				}
			}
		}
	}()
	return ctx, hurry, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ signal os.Signal }

func (i interrupted) Error() string { return dispatch.ErrInterrupted.Error() }

// Unwrap makes it known as an interrupt.
func (i interrupted) Unwrap() error { return dispatch.ErrInterrupted }

// broken is how a run ends that a signal or --timeout ended before it could say so itself: whatever its last step made of
// that, it is no mistake of the user's.
func broken(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	_, told := errors.AsType[*exitError](err)
	switch {
	case err == nil || told:
		return err
	case errors.Is(cause, dispatch.ErrInterrupted):
		return &exitError{code: exitInterrupted, err: cause}
	case errors.Is(err, errTimeLimit):
		return &exitError{code: exitTimeout, err: err}
	}
	return err
}

// errTimeLimit is the cause of a run that --timeout ended.
var errTimeLimit = errors.New("the run took longer than --timeout allows")

// runOnce takes the pipeline to its end, once.
func (s *streams) runOnce(ctx context.Context, r *runFlags, jobs []string) error {
	if r.timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, r.timeout, errTimeLimit)
		defer stop()
	}
	r.counts = !r.list && !r.dryRun
	l, err := r.open(ctx)
	if err != nil {
		return err
	}
	s.hide(l)
	l.changes.Paths = r.changed
	snap := l.snapshot(ctx, r) // beside the compilation: neither needs the other
	defer snap.discard()
	p, err := s.compiled(ctx, l)
	if err != nil {
		return err
	}
	choice, err := plan.Choose(p, jobs, r.needs || l.found.dialect == "github") // a job of a workflow never runs without its needs
	if err != nil {
		return l.unchosen(ctx, p, jobs, err)
	}
	if r.list || r.dryRun {
		s.tell(l)
	}
	switch {
	case r.list:
		return s.list(p, choice, r)
	case r.dryRun:
		return s.dryRun(p, choice)
	}
	return s.local(ctx, r, l, p, choice, snap)
}

// tell says what was found in a file that can be run all the same. Of notes on the file only how many there are is
// said: they are for who works on the file, not for who runs it, and `sluice lint` tells them.
func (s *streams) tell(l *pipeline) {
	notes := 0
	told := slices.DeleteFunc(slices.Clone(l.remarks), func(f *fault.Fault) bool {
		if f.Severity != fault.Note || f.Place.Line == 0 {
			return false
		}
		notes++
		return true
	})
	writeFaults(s.err, told, l.repo.Root)
	if notes > 0 {
		fmt.Fprintf(s.err, "`sluice lint` tells %s on %s\n", counted(notes, "note"), l.file)
	}
}

// counted is a number of things in words: 1 job, 2 jobs.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// compiled is the plan, its remarks kept; mistakes end the command.
func (s *streams) compiled(ctx context.Context, l *pipeline) (*plan.Plan, error) {
	p, found := l.compile(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // what is missing for that reason is no mistake
	}
	l.remarks = slices.Concat(l.shown, found)
	if found.HasErrors() {
		writeFaults(s.err, found, l.repo.Root)
		return nil, &exitError{code: exitOf(found)}
	}
	return p, nil
}

// exitOf is the exit code that faults ask for.
func exitOf(fs fault.Faults) int {
	for _, f := range fs {
		if f.Severity == fault.Error && f.Exit != 0 {
			return f.Exit
		}
	}
	return exitUsage
}

// list prints the jobs, one a line, for people or as JSON.
func (s *streams) list(p *plan.Plan, choice *plan.Choice, r *runFlags) error {
	if r.format == "json" {
		return listJSON(s.out, p, choice)
	}
	return listText(s.out, p, choice)
}

// dryRun prints what would run, stage by stage.
func (s *streams) dryRun(p *plan.Plan, choice *plan.Choice) error {
	p = chosen(p, choice)
	if err := planText(s.out, p); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	fmt.Fprintf(s.err, "nothing was run (--dry-run)\n")
	return nil
}
