package docker

import (
	"github.com/moby/moby/api/types/container"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// SetUser has the executor believe that it runs as another user, to whom files of containers must be given.
func (x *Executor) SetUser(uid int) { x.uid = uid }

// Credentials and Login are for tests of signing in.
var (
	Credentials = credentials
	Login       = login
)

// Words is for tests of options.
var Words = words

// Shape is what a container of a job's file becomes; binds are its volumes.
func Shape(c plan.Container, own bool) (config container.Config, host container.HostConfig, binds []string, err error) {
	s, err := newShape(c, own)
	if err != nil {
		return config, host, nil, err
	}
	for _, b := range s.binds {
		binds = append(binds, b.source+":"+b.target+":"+b.mode)
	}
	return s.config, s.host, binds, nil
}
