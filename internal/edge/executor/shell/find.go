package shell

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// shells are where GitLab's runner looks for one, in its order.
var shells = []string{"/usr/local/bin/bash", "/usr/bin/bash", "/bin/bash", "/usr/local/bin/sh", "/usr/bin/sh", "/bin/sh", "/busybox/sh"}

// findShell finds the shell of this machine, once: PATH where the usual places have no bash.
var findShell = sync.OnceValues(func() (string, error) {
	found := ""
	for _, path := range shells {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			found = path
			break
		}
	}
	if !isBash(found) {
		for _, name := range []string{"bash", "sh"} {
			if path, err := exec.LookPath(name); err == nil && filepath.IsAbs(path) && (found == "" || isBash(path)) {
				return path, nil
			}
		}
	}
	if found == "" {
		return "", fault.New(executor.CodeNoShell, "no shell was found: neither bash nor sh").WithHint("install bash")
	}
	return found, nil
})

func isBash(path string) bool { return strings.HasPrefix(filepath.Base(path), "bash") }

// lookPath finds a program in the PATH that the step has, not in ours.
func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, kv := range env {
		list, ok := strings.CutPrefix(kv, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(list) {
			path := filepath.Join(dir, name)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return path, nil
			}
		}
	}
	return "", fault.New(executor.CodeNoShell, "the shell %q is not in the job's PATH", name)
}
