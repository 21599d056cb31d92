//go:build unix

package terminal

import (
	"os"
	"os/signal"
	"syscall"
)

// whenResumed tells when the process goes on after a person stopped it (Ctrl-Z): the shell has written since.
func whenResumed() (<-chan os.Signal, func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGCONT)
	return c, func() { signal.Stop(c) }
}
