package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/edge/executor/script"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"golang.org/x/sys/unix"
)

// cookieName is the variable by which a job's processes are known, whatever session or parent they have taken. Its value
// is the run's process, a random number, and "stay" for jobs whose daemons may live on.
const cookieName = "SLUICE_JOB_COOKIE"

func newCookie(stay bool) string {
	c := executor.Owner() + "/" + script.Nonce()
	if stay {
		c += "/stay"
	}
	return c
}

var self = sync.OnceValue(func() proc {
	p, _ := readProc(os.Getpid())
	return p
})

// proc is a process as /proc tells of it. The start time makes it the one and no other with the same pid.
type proc struct {
	pid, parent, group, session int
	state                       byte
	started                     uint64 // ticks since boot
}

// readProc reads one process; ok is false when it is gone.
func readProc(pid int) (p proc, ok bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return p, false
	}
	end := bytes.LastIndexByte(b, ')') // the name before it may hold anything
	fields := strings.Fields(string(b[end+1:]))
	if end < 0 || len(fields) < 20 {
		return p, false
	}
	number := func(i int) int { n, _ := strconv.Atoi(fields[i]); return n }
	p = proc{pid: pid, parent: number(1), group: number(2), session: number(3), state: fields[0][0]}
	p.started, _ = strconv.ParseUint(fields[19], 10, 64)
	return p, true
}

// cookie reads the job's cookie from a process's environment, "" when it has none or may not be read. In the moment of an
// exec the environment is empty, so that an empty one is looked at again.
func (p proc) cookie() string {
	var b []byte
	for range 4 {
		var err error
		if b, err = os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/environ"); err != nil {
			return ""
		}
		if len(b) > 0 {
			break
		}
		time.Sleep(250 * time.Microsecond)
	}
	if i := bytes.Index(b, []byte(cookieName+"=")); i == 0 || i > 0 && b[i-1] == 0 {
		value, _, _ := bytes.Cut(b[i+len(cookieName)+1:], []byte{0})
		return string(value)
	}
	return ""
}

// processes lists all there are.
func processes() []proc {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var all []proc
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if p, ok := readProc(pid); ok {
				all = append(all, p)
			}
		}
	}
	return all
}

// orphans are the children of ours that jobs have left: in sessions of their own and no shells of ours. The kernel hands
// orphans to our first thread, so that one small file names them.
func orphans() []proc {
	me := os.Getpid()
	b, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", me))
	if err != nil { // a kernel without the file
		return slices.DeleteFunc(processes(), func(p proc) bool { return p.parent != me || !p.orphaned() })
	}
	var out []proc
	for field := range strings.FieldsSeq(string(b)) {
		pid, _ := strconv.Atoi(field)
		if p, ok := readProc(pid); ok && p.orphaned() {
			out = append(out, p)
		}
	}
	return out
}

func (p proc) orphaned() bool {
	if p.session == self().session {
		return false
	}
	live.Lock()
	defer live.Unlock()
	return !live.pids[p.pid]
}

// reapOrphans buries orphans that have ended; nobody else waits for them.
func reapOrphans() {
	for _, p := range orphans() {
		if p.state == 'Z' {
			_, _ = unix.Wait4(p.pid, nil, unix.WNOHANG, nil)
		}
	}
}

// open are the hosts of this process that are not closed. An orphan that has shed its session and its environment can only be
// told to be a job's when no other is open.
var open = struct {
	sync.Mutex
	hosts map[*host]bool
	stay  bool // a job that may leave daemons behind has run
}{hosts: map[*host]bool{}}

func (h *host) attend() {
	open.Lock()
	defer open.Unlock()
	open.hosts[h] = true
	open.stay = open.stay || h.order.Outlive
}

// alone says whether orphans that nobody claims must be this host's.
func (h *host) alone() bool {
	open.Lock()
	defer open.Unlock()
	return len(open.hosts) == 1 && open.hosts[h] && !open.stay
}

// left lists the processes of a host: those of the shell's session, those with the host's cookie, what descends from them, and
// orphans that can be no other's. leaders are pids of shells. A host that may be outlived only claims their sessions; one
// whose steps may leave something running claims what the last of them has started, as long as it is open.
func (h *host) left(leaders ...int) []proc {
	all := processes()
	mine := map[int]bool{}
	alone := h.alone()
	for _, p := range all {
		switch {
		case slices.Contains(leaders, p.session) || slices.Contains(leaders, p.group):
			mine[p.pid] = true
		case h.order.Outlive || p.session == self().session || p.started < self().started:
		case h.claims(p.cookie()):
			mine[p.pid] = true
		case alone && (h.closed || !h.order.Lasting) && p.parent == os.Getpid() && p.orphaned() && masterless(p.cookie()):
			mine[p.pid] = true
		}
	}
	for again := !h.order.Outlive; again; {
		again = false
		for _, p := range all {
			if mine[p.parent] && !mine[p.pid] {
				mine[p.pid], again = true, true
			}
		}
	}
	delete(mine, os.Getpid())
	return slices.DeleteFunc(all, func(p proc) bool { return !mine[p.pid] })
}

// masterless says whether a cookie is of no job of this process: there is none, or it is of another run, one that a job
// of ours ran inside. Daemons that such a run's deployments left stay.
func masterless(cookie string) bool {
	owner, rest, _ := strings.Cut(cookie, "/")
	return owner != executor.Owner() && !strings.Contains(rest, "/")
}

// ask asks all of a step to end, its shell too.
func (h *host) ask(p *process) {
	p.signal(unix.SIGTERM)
	for _, q := range h.left(p.pid) {
		if q.group != p.pid {
			_ = q.signal(unix.SIGTERM)
		}
	}
	p.signal(unix.SIGCONT) // what is stopped cannot heed
}

// signal reaches the process and no other that has its pid since.
func (p proc) signal(s unix.Signal) error {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if errors.Is(err, unix.ENOSYS) {
		return unix.Kill(p.pid, s)
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if now, ok := readProc(p.pid); !ok || now.started != p.started {
		return unix.ESRCH
	}
	return unix.PidfdSendSignal(fd, s, nil, 0)
}

// finish makes sure that nothing of a step is left once its shell was reaped. Nearly always that takes two looks: at the process
// group, and at our own children. hurry leaves out the polite part: it has been said before.
func (h *host) finish(p *process, hurry bool) error {
	if !p.groupLives() && !h.order.Outlive && !h.hasOrphans(p.pid) {
		return nil
	}
	limit := min(h.x.c.Grace, time.Second)
	if hurry {
		limit = 0
	} else if h.order.Outlive {
		h.settle(p)
	}
	return h.clear(limit, p.pid)
}

// settle gives what a deployment started last the time to take a session of its own: `setsid daemon &` as the last line is
// still on its way when the shell has ended.
func (h *host) settle(p *process) {
	for range 60 {
		if !p.groupLives() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// hasOrphans says whether an orphan may be of this host. Those of other hosts count only for those.
func (h *host) hasOrphans(leader int) bool {
	found := false
	for _, p := range orphans() {
		if p.state == 'Z' {
			_, _ = unix.Wait4(p.pid, nil, unix.WNOHANG, nil)
			continue
		}
		c := p.cookie()
		found = found || p.session == leader || h.claims(c) || masterless(c) && h.alone()
	}
	return found
}

// clear ends the processes that are left: SIGTERM, at most limit of patience, SIGKILL until none is there.
func (h *host) clear(limit time.Duration, leaders ...int) error {
	until := time.Now().Add(limit)
	var refused []proc
	for round := 0; ; round++ {
		left := h.left(leaders...)
		refused = refused[:0]
		for _, p := range left {
			if p.state == 'Z' {
				_, _ = unix.Wait4(p.pid, nil, unix.WNOHANG, nil)
				continue
			}
			s := unix.SIGTERM
			if !time.Now().Before(until) {
				s = unix.SIGKILL
			} else if round > 0 {
				s = 0
			}
			err := p.signal(s)
			if s == unix.SIGTERM {
				_ = p.signal(unix.SIGCONT)
			}
			if errors.Is(err, unix.EPERM) {
				refused = append(refused, p)
			}
		}
		left = slices.DeleteFunc(left, func(p proc) bool { return p.state == 'Z' })
		switch {
		case len(left) == 0:
			return nil
		case len(refused) == len(left) && !time.Now().Before(until):
			return leftBehind(refused)
		case time.Since(until) > 10*time.Second: // uninterruptible in the kernel
			return leftBehind(left)
		}
		awaitExit(left, min(20*time.Millisecond, time.Duration(round+1)*time.Millisecond))
	}
}

// awaitExit waits until one of the processes has ended, or a while.
func awaitExit(list []proc, limit time.Duration) {
	fd, err := unix.PidfdOpen(list[0].pid, 0)
	if err != nil {
		time.Sleep(min(limit, time.Millisecond))
		return
	}
	defer unix.Close(fd)
	_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(limit.Milliseconds()))
}

func leftBehind(list []proc) error {
	var names []string
	for _, p := range list {
		name, _ := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/comm")
		names = append(names, fmt.Sprintf("%d (%s)", p.pid, strings.TrimSpace(string(name))))
	}
	return fault.New(executor.CodeLeft, "processes of the job could not be stopped: %s", strings.Join(names, ", "))
}

// end is the last look of a host that closes.
func (h *host) end(context.Context) error {
	var err error
	// A number is given to no new process while a session or group is called by it: where there is a process of it again,
	// nothing of the step is left.
	leaders := slices.DeleteFunc(slices.Clone(h.leaders), func(pid int) bool { _, again := readProc(pid); return again })
	if len(leaders) > 0 || !h.order.Outlive && h.hasOrphans(-1) {
		for _, pid := range leaders {
			if h.order.Outlive {
				h.settle(&process{pid: pid})
			}
		}
		err = h.clear(min(h.x.c.Grace, time.Second), leaders...)
	}
	open.Lock()
	delete(open.hosts, h)
	open.Unlock()
	return err
}

// sweepProcesses ends the processes of jobs whose run is gone without having ended them.
func sweepProcesses(ctx context.Context) error {
	var refused []proc
	for range 100 {
		left := 0
		refused = refused[:0]
		for _, p := range processes() {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if p.state == 'Z' || !abandoned(p.cookie()) {
				continue
			}
			left++
			if errors.Is(p.signal(unix.SIGKILL), unix.EPERM) {
				refused = append(refused, p)
			}
		}
		if left == len(refused) {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	if len(refused) > 0 {
		return leftBehind(refused)
	}
	return nil
}

// abandoned says whether a cookie is of a run whose process is gone, and whose jobs may leave nothing.
func abandoned(cookie string) bool {
	owner, rest, ok := strings.Cut(cookie, "/")
	return ok && !strings.Contains(rest, "/") && executor.OwnerGone(owner)
}
