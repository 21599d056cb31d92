//go:build !linux

package blob

// spread makes folders in different places of a disk where that helps; here it does nothing.
type spread struct{}

func (s *spread) in(string) {}

func (s *spread) folder(string) {}
