package executor

import (
	"path"
	"path/filepath"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Dir is the folder of a step, on this machine and as the job sees it. Exec.Dir is relative to the project folder and stays
// in it, or is absolute, as the job sees it, in the project folder or the job's private one. Any other is a
// *program.Error with CodeFolder.
func Dir(p program.Paths, dir string) (here, there string, err error) {
	if dir == "" {
		return p.Workspace, p.JobWorkspace, nil
	}
	if filepath.IsLocal(dir) {
		return filepath.Join(p.Workspace, dir), path.Join(p.JobWorkspace, dir), nil
	}
	for _, f := range [][2]string{{p.JobWorkspace, p.Workspace}, {p.JobPrivate, p.Private}} {
		clean := path.Clean(dir)
		if rest, in := strings.CutPrefix(clean, f[0]); in && path.IsAbs(f[0]) && (rest == "" || rest[0] == '/') {
			return filepath.Join(f[1], rest), clean, nil
		}
	}
	return "", "", &program.Error{
		Failure: program.ConfigurationFailed,
		Err:     fault.New(CodeFolder, "the folder %q lies outside of the project", dir).WithHint("a step's commands may go there themselves"),
	}
}
