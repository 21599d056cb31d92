//go:build unix && !linux

package executor

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Owner names this process while it runs.
func Owner() string { return strconv.Itoa(os.Getpid()) + ".0." }

// OwnerGone says whether an Owner has ended for certain.
func OwnerGone(owner string) bool {
	first, _, _ := strings.Cut(owner, ".")
	pid, err := strconv.Atoi(first)
	return err == nil && errors.Is(unix.Kill(pid, 0), unix.ESRCH)
}
