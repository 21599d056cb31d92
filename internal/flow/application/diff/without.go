package diff

import "github.com/sluice-delivery/sluice/internal/flow/manifest"

// Without is an object without the fields that the rules leave out; it shares the rest. Problems are rules that could not be
// evaluated.
func (r Rules) Without(o manifest.Object) (out manifest.Object, problems []string) {
	hits, problems := r.hits(o, nil)
	return whole(leaveOut(o, hits)), problems
}
