package pod

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// keeper is a helper process that outlives us by a moment: when we end without a word, it ends the pods' processes.
type keeper struct {
	mu  sync.Mutex
	cmd *exec.Cmd
	in  io.WriteCloser
}

func newKeeper(s *spawner, child []string, cookie string, engine bool) (*keeper, error) {
	if len(child) == 0 {
		return nil, fault.New(CodeChild, "no helper is named")
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fault.New(CodeChild, "%v", err)
	}
	defer r.Close()
	cmd := exec.Command(child[0], append(append([]string{}, child[1:]...), "keep", cookie)...)
	cmd.Stdin = r
	cmd.SysProcAttr = apart()
	if err := s.start(cmd); err != nil {
		_ = w.Close()
		return nil, fault.New(CodeChild, "%v", err)
	}
	k := &keeper{cmd: cmd, in: w}
	if engine {
		k.tell("engine")
	}
	return k, nil
}

func (k *keeper) tell(format string, args ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, _ = fmt.Fprintf(k.in, format+"\n", args...)
}

func (k *keeper) add(pid int)    { k.tell("+%d", pid) }
func (k *keeper) remove(pid int) { k.tell("-%d", pid) }

func (k *keeper) close() error {
	k.tell("bye")
	_ = k.in.Close()
	if err := k.cmd.Wait(); err != nil {
		return fault.New(CodeChild, "the helper that ends pods: %v", err)
	}
	return nil
}

// keep is what the helper does: it listens which processes there are until it is told that all is well, or nothing any more.
func keep(in io.Reader, cookie string) {
	pids, engine := map[int]bool{}, false
	s := bufio.NewScanner(in)
	for s.Scan() {
		line := s.Text()
		switch line {
		case "bye":
			return
		case "engine":
			engine = true
		}
		if pid, err := strconv.Atoi(strings.TrimLeft(line, "+-")); err == nil && pid > 1 {
			if pids[pid] = true; line[0] == '-' {
				delete(pids, pid)
			}
		}
	}
	for pid := range pids {
		endTree(pid, cookie)
	}
	sweep(cookie)
	if e, err := OpenEngine(context.Background()); engine && err == nil {
		e.sweep(labelTarget, cookie)
	}
}
