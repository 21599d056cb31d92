package action

import (
	"context"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/edge/tree"
)

// Tree reads the files of a repository at a ref, for reusable workflows and for metadata of actions.
func (s *Sources) Tree(ctx context.Context, repository, ref string) (Files, error) {
	f, err := s.Find(ctx, repository, ref)
	if err != nil {
		return nil, err
	}
	if f.exact != "" {
		if err := f.check(ctx); err != nil {
			return nil, err
		}
	}
	s.note(f)
	return f.files(), nil
}

func (f Found) files() Files {
	if f.Clone != "" {
		return &git.Revision{Dir: f.Clone, SHA: f.Commit}
	}
	return tree.Open(f.Dir, false)
}
