package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-delivery/sluice/internal/edge/blob"
)

// Groups guards resource groups among the processes that run pipelines of one repository: a lock of the operating
// system on a file each, so that a process that dies holds nothing.
type Groups struct{ Dir string }

// Claim is a job's wish for a group (dispatch.Claim says what the fields mean).
type Claim struct {
	Group  string
	Job    string
	Mode   string
	Cancel bool
	Held   func(holder string)
	Yield  func(why string)
}

// single is the mode in which only the newest claim waits (plan.Group.Mode).
const single = "single"

// pollGroup is how often a taken group is tried again, and how often who has one looks who comes.
const pollGroup = 50 * time.Millisecond

// Lock waits for the group, and holds it until release is called. c.Held is told once who has it, when it is taken.
//
// In the mode single every claim leaves its name in a file beside the lock. Who waits and reads another name there is
// no longer the newest: its Yield is called, and it waits for nothing but the end of ctx. Who has the group reads it, too,
// and yields where the newer claim wants that. A process that died leaves no more than a name.
func (g Groups) Lock(ctx context.Context, c Claim) (release func(), err error) {
	release, err = g.lock(ctx, c)
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("lock the resource group %s: %w", c.Group, err)
	}
	return release, err
}

func (g Groups) lock(ctx context.Context, c Claim) (func(), error) {
	dir := filepath.Join(g.Dir, "groups")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file, err := openGroup(filepath.Join(dir, blob.FileName(c.Group)))
	if err != nil {
		return nil, err
	}
	var t *turn
	if c.Mode == single {
		if t, err = takeTurn(ctx, dir, c); err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	if err := await(ctx, file, t, c); err != nil {
		return nil, errors.Join(err, file.Close(), t.close())
	}
	// Who has it is a courtesy to those who wait: a full disk must not keep the job from running.
	_ = file.Truncate(0)
	_, _ = file.WriteAt([]byte(name(c)+"\n"), 0)
	leave := t.watch(c)
	return func() {
		leave()
		file.Close()
	}, nil
}

// openGroup opens one of our files. No link is followed and no pipe waited for: a repository may bring a .sluice along.
func openGroup(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o644)
}

// name is what a claim is called by others.
func name(c Claim) string { return fmt.Sprintf("%s of process %d", c.Job, os.Getpid()) }

// await tries the lock until it is ours. t is nil in all modes but single.
func await(ctx context.Context, file *os.File, t *turn, c Claim) error {
	told, passed := false, false
	for {
		if other, newer := t.newer(); newer && !passed {
			passed = true
			c.Yield(came(other, c))
		}
		if !passed {
			switch got, err := tryFlock(file); {
			case err != nil:
				return err
			case got:
				return nil
			}
		}
		if !told {
			told = true
			holder := make([]byte, 1<<10)
			n, _ := file.ReadAt(holder, 0)
			holder = holder[:max(0, n)]
			kind := "resource"
			if c.Mode == single {
				kind = "concurrency"
			}
			c.Held(fmt.Sprintf("%s group %q is held by another run on this machine: %s", kind, c.Group, strings.TrimSpace(string(holder))))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollGroup):
		}
	}
}

// tryFlock takes the lock of a file if nobody has it.
func tryFlock(file *os.File) (bool, error) {
	err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
		return false, nil
	}
	return err == nil, err
}

func unlock(file *os.File) error { return unix.Flock(int(file.Fd()), unix.LOCK_UN) }
