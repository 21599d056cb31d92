package shell

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-delivery/sluice/internal/edge/executor"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
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

// lookPath finds a program in the PATH that the step has, not in ours. dir is the step's folder.
func lookPath(name string, env []string, dir string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, kv := range slices.Backward(env) { // the last one counts
		list, ok := strings.CutPrefix(kv, "PATH=")
		if !ok {
			continue
		}
		for _, folder := range filepath.SplitList(list) {
			if !filepath.IsAbs(folder) {
				folder = filepath.Join(dir, folder)
			}
			path := filepath.Join(folder, name)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return path, nil
			}
		}
		break
	}
	return "", &program.Error{
		Failure: program.UnmetPrerequisites,
		Err:     fault.New(executor.CodeProgram, "the program %q is not in the step's PATH", name).WithHint("is it installed on this machine?"),
	}
}
