package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/sluice-delivery/sluice/internal/edge/git"
)

// finding is one thing that doctor looked at.
type finding struct {
	Name   string `json:"name"`
	Status string `json:"status"` // ok, warning, failed
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}

func newDoctor(s *streams) *cobra.Command {
	var dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what this machine has for running pipelines",
		Long: `Check what this machine has for running pipelines; where the repository has GitHub workflows, also for their actions:
which are missing, and whether there is a Node.js. Exit code 1 when something that is needed is missing.`,
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := examine(cmd.Context(), dir)
			if err := writeFindings(s, findings, asJSON); err != nil {
				return err
			}
			for _, f := range findings {
				if f.Status == "failed" {
					return &exitError{code: exitFailed}
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&dir, "directory", "C", ".", "the repository")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func writeFindings(s *streams, findings []finding, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		return e.Encode(findings)
	}
	for _, f := range findings {
		fmt.Fprintf(s.out, "%-8s %-18s %s\n", f.Status, f.Name, f.Detail)
		if f.Hint != "" {
			fmt.Fprintf(s.out, "%-8s %-18s hint: %s\n", "", "", f.Hint)
		}
	}
	return nil
}

// examine makes every check; none of them changes anything.
func examine(ctx context.Context, dir string) []finding {
	ctx, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	out := []finding{checkGit(ctx), checkShell(), checkRepository(ctx, dir), checkEngine(ctx)}
	if repo, err := git.Open(ctx, dir); err == nil && len(workflowFiles(repo.Root)) > 0 {
		out = append(out, checkNode(ctx), checkActions(ctx, dir))
	}
	return append(out, checkDisk(dir), checkState(ctx, dir), checkFiles(), finding{
		Name: "system", Status: "ok",
		Detail: fmt.Sprintf("%s/%s, %d processors, sluice %s", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), versionText()),
	})
}

func checkGit(ctx context.Context) finding {
	f := finding{Name: "git", Status: "failed"}
	out, err := git.Run(ctx, ".", "version")
	if err != nil {
		f.Detail, f.Hint = err.Error(), "install git"
		return f
	}
	f.Status, f.Detail = "ok", strings.TrimSpace(string(out))
	var major, minor int
	if _, err := fmt.Sscanf(f.Detail, "git version %d.%d", &major, &minor); err == nil && (major < 2 || major == 2 && minor < 30) {
		f.Status, f.Hint = "warning", "versions below 2.30 have known holes (CVE-2021-21300 and later) and lack options that are used"
	}
	return f
}

func checkShell() finding {
	if path, err := exec.LookPath("bash"); err == nil {
		return finding{Name: "shell", Status: "ok", Detail: path}
	}
	if path, err := exec.LookPath("sh"); err == nil {
		return finding{Name: "shell", Status: "warning", Detail: path, Hint: "without bash, scripts run in sh, as the runners of GitLab and GitHub do it"}
	}
	return finding{Name: "shell", Status: "failed", Detail: "neither bash nor sh is on PATH"}
}

func checkRepository(ctx context.Context, dir string) finding {
	f := finding{Name: "repository", Status: "ok"}
	repo, err := git.Open(ctx, dir)
	switch {
	case err != nil:
		f.Status, f.Detail = "failed", err.Error()
	case repo.Dir == "":
		f.Status, f.Detail, f.Hint = "warning", repo.Root+" is not a git repository", "rules on branches and changes see no history; `git init` makes one"
	default:
		f.Detail = fmt.Sprintf("%s on %s", repo.Root, orText(repo.Branch, "a detached HEAD"))
		_, err := os.Stat(filepath.Join(repo.Root, ".gitlab-ci.yml"))
		switch workflows := len(workflowFiles(repo.Root)); {
		case err == nil && workflows > 0:
			f.Detail += fmt.Sprintf(", with .gitlab-ci.yml and %s", counted(workflows, "GitHub workflow"))
			f.Hint = "`sluice run` asks which are meant: --dialect gitlab or --dialect github"
		case err == nil:
			f.Detail += ", with .gitlab-ci.yml"
		case workflows > 0:
			f.Detail += ", with " + counted(workflows, "GitHub workflow")
		default:
			f.Status, f.Hint = "warning", "there is no .gitlab-ci.yml and no workflow in .github/workflows; `sluice init` writes a first pipeline"
		}
	}
	return f
}

func orText(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func checkEngine(ctx context.Context) finding {
	f := finding{Name: "container engine", Status: "ok", Detail: "a Docker engine answers"}
	if err := engineAnswers(ctx); err != nil {
		f.Status, f.Detail = "warning", "no Docker engine answers: "+firstLine(err.Error())
		f.Hint = "jobs with an image run in the shell of this machine, without their services; Docker actions fail"
	}
	return f
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// lowDisk is the free space, in bytes, below which doctor warns.
const lowDisk = 1 << 30

func checkDisk(dir string) finding {
	f := finding{Name: "disk", Status: "ok"}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		f.Status, f.Detail = "failed", err.Error()
		return f
	}
	free := st.Bavail * uint64(st.Bsize)
	f.Detail = fmt.Sprintf("%.1f GiB free", float64(free)/(1<<30))
	if free < lowDisk {
		f.Status, f.Hint = "warning", "`sluice clean --caches` frees what earlier runs kept"
	}
	return f
}

// checkState tries whether .sluice could be written, without making it.
func checkState(ctx context.Context, dir string) finding {
	f := finding{Name: "state", Status: "ok"}
	repo, err := git.Open(ctx, dir)
	if err != nil {
		f.Status, f.Detail = "failed", err.Error()
		return f
	}
	at := stateDir(repo.Root)
	if _, err := os.Stat(at); err != nil {
		at = repo.Root
	}
	if err := unix.Access(at, unix.W_OK); err != nil {
		f.Status, f.Detail, f.Hint = "failed", at+" is not writable", "logs, artifacts and caches are kept in .sluice at the top of the repository"
		return f
	}
	f.Detail = stateDir(repo.Root) + " is writable"
	return f
}

func checkFiles() finding {
	f := finding{Name: "open files", Status: "ok"}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		f.Status, f.Detail = "warning", err.Error()
		return f
	}
	f.Detail = fmt.Sprintf("at most %d", limit.Max)
	if limit.Max < 1024 {
		f.Status, f.Hint = "warning", "many jobs at a time need more: ulimit -n 4096"
	}
	return f
}
