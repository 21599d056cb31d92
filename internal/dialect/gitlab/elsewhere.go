package gitlab

import (
	"context"
	"errors"
	"io/fs"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/config"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// otherProject is the tree of the project that rules:exists:project names, at rules:exists:ref or its HEAD, and its name
// with the ref. Both may hold variables. nil: nobody said where it is, which is told as a warning, or it has no such ref
// (CI/CD YAML syntax reference, rules:exists:project).
func (c *compiler) otherProject(ctx context.Context, clause *keyword.Exists, s *scope) (config.Files, string, *fault.Fault) {
	path, ref := s.nested(clause.Project.Value), s.nested(clause.Ref.Value)
	name := path
	if ref != "" {
		name += "@" + ref
	}
	if files, ok := c.projects[name]; ok {
		return files, name, nil
	}
	var files config.Files
	err := config.ErrNotConfigured
	if c.in.Source != nil {
		files, err = c.in.Source.Project(ctx, path, ref)
	}
	switch {
	case err == nil && files != nil:
		c.projects[name] = files
		return files, name, nil
	case err == nil, errors.Is(err, config.ErrNotConfigured):
		c.faults.Add(fault.At(CodeExistsProject, clause.Project.Place, "rules:exists:project looks into another project, which needs a server; the rule is taken as not matched").
			WithSeverity(fault.Warning).WithHint("say where it is: --local-repository %s=DIR", name))
		return nil, name, nil
	case errors.Is(err, fs.ErrNotExist) && ref != "":
		return nil, name, fault.At(CodeExistsProject, clause.Ref.Place, "rules:exists:ref: the project %s has no ref %s", path, ref)
	case errors.Is(err, fs.ErrNotExist):
		return nil, name, fault.At(CodeExistsProject, clause.Project.Place, "rules:exists:project: there is no project %s", name)
	default:
		return nil, name, fault.At(CodeProject, clause.Project.Place, "rules:exists:project: the project %s cannot be read: %v", name, err)
	}
}
