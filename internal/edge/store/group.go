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

// pollGroup is how often a taken group is tried again.
const pollGroup = 50 * time.Millisecond

// Lock waits for the group. held is told once who has it, when it is taken.
func (g Groups) Lock(ctx context.Context, group, job string, held func(holder string)) (func(), error) {
	dir := filepath.Join(g.Dir, "groups")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("lock the resource group %s: %w", group, err)
	}
	file, err := os.OpenFile(filepath.Join(dir, blob.FileName(group)), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the resource group %s: %w", group, err)
	}
	told := false
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock the resource group %s: %w", group, err), file.Close())
		}
		if !told {
			told = true
			holder := make([]byte, 1<<10)
			n, _ := file.ReadAt(holder, 0)
			holder = holder[:max(0, n)]
			held(fmt.Sprintf("resource group %q is held by another run on this machine: %s", group, strings.TrimSpace(string(holder))))
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), file.Close())
		case <-time.After(pollGroup):
		}
	}
	// Who has it is a courtesy to those who wait: a full disk must not keep the job from running.
	_ = file.Truncate(0)
	_, _ = fmt.Fprintf(file, "job %s of process %d\n", job, os.Getpid())
	return func() { file.Close() }, nil
}
