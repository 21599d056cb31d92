package main

import (
	"context"
	"os"
	"time"

	"github.com/sluice-delivery/sluice/internal/dialect/argo/lua"
	"github.com/sluice-delivery/sluice/internal/edge/sandbox"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// serveLua runs health checks and actions, in the child.
func serveLua() (sandbox.Serve, error) {
	interpreter := lua.NewInterpreter()
	return func(c *sandbox.Call) (any, error) {
		var r lua.Request
		if err := c.Read(&r); err != nil {
			return nil, err
		}
		return interpreter.Serve(context.Background(), r), nil
	}, nil
}

// newChecker makes what assesses objects and does their actions: by the scripts of a folder where one is named, then by
// those that Argo CD ships, then by the built-in rules. close ends the children that run scripts.
func newChecker(folder string) (c *lua.Checker, found fault.Faults, closing func()) {
	return newCheckerOver(folder, nil)
}

// newCheckerOver is newChecker with the scripts of Argo CD's settings between the folder's and the shipped ones; settings is
// what argocd-cm holds.
func newCheckerOver(folder string, settings map[string]string) (c *lua.Checker, found fault.Faults, closing func()) {
	run, closing := newRunner()
	scripts, found := newScripts(folder, settings)
	return lua.NewChecker(scripts, run, time.Now), found, closing
}

// newScripts are the scripts of a folder, of Argo CD's settings and those that it ships, in this order.
func newScripts(folder string, settings map[string]string) (*lua.Scripts, fault.Faults) {
	scripts, found := lua.Shipped().OverConfig(settingsName, settings)
	if folder == "" {
		return scripts, found
	}
	scripts, more := scripts.Over(folder, os.DirFS(folder))
	return scripts, append(found, more...)
}

// newRunner runs scripts in children, which close ends.
func newRunner() (run lua.Run, closing func()) {
	pool := sandbox.New(sandbox.Options{Kind: "lua", Memory: lua.Memory, Time: lua.Kill})
	return func(ctx context.Context, r lua.Request) (lua.Answer, error) {
		var a lua.Answer
		err := pool.Do(ctx, r, &a, nil)
		if fault.CodeOf(err) == sandbox.CodeStart {
			err = &lua.Unavailable{Err: err}
		}
		return a, err
	}, pool.Close
}
