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

// forge is where a first pipeline goes, by dialect.
type forge struct {
	starters string // folder of the starters
	file     string // from the repository's top
}

var forges = map[string]forge{
	"gitlab": {"starters", ".gitlab-ci.yml"},
	"github": {"starters/github", workflowsDir + "/ci.yml"},
}

func newInit(s *streams) *cobra.Command {
	var dir, kind, dialect string
	var print bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a first .gitlab-ci.yml or GitHub workflow for what is found in the repository",
		Long: `Write a first pipeline for what is found in the repository: a workflow in .github/workflows where the repository's
remote is at GitHub, else .gitlab-ci.yml; --dialect chooses. A file that is there is never replaced. A repository that has
a pipeline needs none: sluice run runs it as it is.`,
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
			chosen := dialect != ""
			if !chosen {
				dialect = forgeOf(repo)
			}
			to, ok := forges[dialect]
			if !ok {
				return fault.New(codeUsage, "--dialect %s is not gitlab or github", dialect)
			}
			text, err := starters.ReadFile(to.starters + "/" + name + ".yml")
			if err != nil {
				return fault.New(codeUsage, "there is no starting pipeline for %q", name).WithHint("the kinds are %s", strings.Join(kindNames(), ", "))
			}
			if print {
				_, err := s.out.Write(text)
				return err
			}
			next := "sluice run"
			if err := needsNone(repo.Root); err != nil {
				if !chosen {
					return err
				}
				next += " --dialect " + dialect
			}
			return s.begin(filepath.Join(repo.Root, filepath.FromSlash(to.file)), text, why, next)
		},
	}
	cmd.Flags().StringVarP(&dir, "directory", "C", ".", "the repository")
	cmd.Flags().StringVar(&kind, "kind", "", "the kind of project (default: what is found)")
	cmd.Flags().StringVar(&dialect, "dialect", "", "gitlab or github (default: by the repository's remote)")
	cmd.Flags().BoolVar(&print, "print", false, "print the file and write nothing")
	return cmd
}

// needsNone says that the repository has a pipeline.
func needsNone(root string) error {
	if _, err := os.Lstat(filepath.Join(root, forges["gitlab"].file)); err == nil {
		return fault.New(codeUsage, "%s is there already", filepath.Join(root, forges["gitlab"].file)).
			WithHint("`sluice init --print` shows what would be written; --dialect github writes a workflow beside it")
	}
	if have := workflowFiles(root); len(have) > 0 {
		return fault.New(codeUsage, "%s is there already", filepath.Join(root, filepath.FromSlash(have[0]))).
			WithHint("`sluice run` runs the workflows as they are; --dialect gitlab writes a .gitlab-ci.yml beside them")
	}
	return nil
}

// forgeOf is the dialect of the forge that the repository is at: GitHub's, or one of its enterprise hosts, else GitLab's.
func forgeOf(repo *git.Repository) string {
	if _, err := os.Stat(filepath.Join(repo.Root, ".github")); err == nil && repo.Remote == "" {
		return "github"
	}
	host := repo.Facts().Host
	if name, _, _ := strings.Cut(strings.TrimPrefix(host, "www."), "."); name == "github" || strings.HasSuffix(host, ".ghe.com") {
		return "github"
	}
	return "gitlab"
}

// begin writes the file, and says how it is tried; one that is there is never replaced.
func (s *streams) begin(path string, text []byte, why, next string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write the pipeline: %w", err)
	}
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
		if !e.IsDir() {
			out = append(out, strings.TrimSuffix(e.Name(), ".yml"))
		}
	}
	return out
}
