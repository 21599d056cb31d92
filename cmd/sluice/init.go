package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// starters are the first pipelines, one for each kind of project.
//
//go:embed starters
var starters embed.FS

// kinds says by which file a kind of project is known, in the order in which they are looked for.
var kinds = []struct{ marker, name string }{
	{"go.mod", "go"},
	{"Cargo.toml", "rust"},
	{"pom.xml", "maven"},
	{"build.gradle", "gradle"},
	{"build.gradle.kts", "gradle"},
	{"package.json", "node"},
	{"pyproject.toml", "python"},
	{"requirements.txt", "python"},
	{"setup.py", "python"},
	{"Gemfile", "ruby"},
	{"composer.json", "php"},
	{"Makefile", "make"},
	{"Dockerfile", "docker"},
}

func newInit(s *streams) *cobra.Command {
	var dir, kind string
	var print bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a first .gitlab-ci.yml for what is found in the repository",
		Long: `Write a first .gitlab-ci.yml for what is found in the repository. One that is there is never replaced. A repository that
has GitHub workflows needs none: sluice run runs them as they are.`,
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			repo, err := git.Open(cmd.Context(), dir)
			if err != nil {
				return err
			}
			name, why := kind, "--kind "+kind
			if kind == "" {
				name, why = detect(repo.Root)
			}
			text, err := starters.ReadFile("starters/" + name + ".yml")
			if err != nil {
				return fault.New(codeUsage, "there is no starting pipeline for %q", name).WithHint("the kinds are %s", strings.Join(kindNames(), ", "))
			}
			if print {
				_, err := s.out.Write(text)
				return err
			}
			next := "sluice run"
			if len(workflowFiles(repo.Root)) > 0 {
				next += " --dialect gitlab"
			}
			return s.begin(filepath.Join(repo.Root, ".gitlab-ci.yml"), text, why, next)
		},
	}
	cmd.Flags().StringVarP(&dir, "directory", "C", ".", "the repository")
	cmd.Flags().StringVar(&kind, "kind", "", "the kind of project (default: what is found)")
	cmd.Flags().BoolVar(&print, "print", false, "print the file and write nothing")
	return cmd
}

// begin writes the file, and says how it is tried; one that is there is never replaced.
func (s *streams) begin(path string, text []byte, why, next string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fault.New(codeUsage, "%s is there already", path).WithHint("`sluice init --print` shows what would be written")
	}
	if err != nil {
		return fmt.Errorf("write the pipeline: %w", err)
	}
	if _, err := file.Write(text); err != nil {
		return errors.Join(fmt.Errorf("write the pipeline: %w", err), file.Close())
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("write the pipeline: %w", err)
	}
	fmt.Fprintf(s.out, "wrote %s (%s); try it with `%s`\n", path, why, next)
	return nil
}

func detect(root string) (kind, why string) {
	for _, k := range kinds {
		if _, err := os.Stat(filepath.Join(root, k.marker)); err == nil {
			return k.name, "found " + k.marker
		}
	}
	return "any", "found no build file that is known"
}

func kindNames() []string {
	entries, _ := starters.ReadDir("starters") // embedded: it is there
	var out []string
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".yml"))
	}
	return out
}
