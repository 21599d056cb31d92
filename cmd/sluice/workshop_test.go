package main

import (
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/glob"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// TestHomeOfAContainerIsKept: what a job in a container has in ~ is in a folder of the job's own, which caches copy.
func TestHomeOfAContainerIsKept(t *testing.T) {
	p := program.Paths{Container: "c1", Workspace: "/work/w", JobWorkspace: "/__w/shop/shop", Private: "/work/p", JobPrivate: "/__w/_temp"}
	home := homeOf(p)
	space := glob.Of(p, home)
	mount, rel, ok := space.At(home + "/.npm")
	if !ok || space[mount].Stays || space[mount].Host+"/"+rel != "/work/p/_github_home/.npm" {
		t.Errorf("~/.npm is %q in mount %d of %+v", rel, mount, space)
	}
}
