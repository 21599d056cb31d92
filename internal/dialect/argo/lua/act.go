package lua

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Discover is what may be done to an object, by name; none where its kind has no actions.
func (c *Checker) Discover(ctx context.Context, o manifest.Object) ([]Action, error) {
	scripts := c.scripts.discovery(o.Kind())
	if len(scripts) == 0 {
		return nil, nil
	}
	call := Call{Do: Discover, Object: hidden(o)}
	for n := range scripts {
		call.Scripts = append(call.Scripts, n)
	}
	r, err := c.one(ctx, scripts, call)
	if err != nil {
		return nil, failed(o, "discovery of actions", err)
	}
	return r.Actions, nil
}

// Act is what an action wants done: objects to create, and the object as it is to become by a patch. Nothing is done yet.
// params are the action's parameters by name. Whether discovery disables the action is the caller's to ask.
func (c *Checker) Act(ctx context.Context, o manifest.Object, action string, params map[string]string) ([]Impact, error) {
	script, ok := c.scripts.action(o.Kind(), action)
	if !ok {
		return nil, c.missing(ctx, o, action)
	}
	r, err := c.one(ctx, []string{script}, Call{Do: Act, Scripts: []int{0}, Object: o, Params: params})
	if err != nil {
		return nil, failed(o, fmt.Sprintf("action %q", action), err)
	}
	for n, i := range r.Impacts {
		if i.Operation != Patch {
			continue
		}
		if i.Object.Key() != o.Key() {
			return nil, failed(o, fmt.Sprintf("action %q", action), fmt.Errorf("it wants to patch %s: an action patches only the object that it was asked of", i.Object.Key()))
		}
		r.Impacts[n].Object = settle(map[string]any(i.Object), map[string]any(o)).(map[string]any)
	}
	return r.Impacts, nil
}

func (c *Checker) one(ctx context.Context, scripts []string, call Call) (Result, error) {
	answer, err := c.run(ctx, Request{Now: c.now(), Scripts: scripts, Calls: []Call{call}})
	switch {
	case err != nil:
		return Result{}, err
	case len(answer.Results) != 1:
		return Result{}, errors.New("no result came")
	case answer.Results[0].Error != "":
		return Result{}, errors.New(answer.Results[0].Error)
	}
	return answer.Results[0], nil
}

// failed is a script's failure as a fault; what the person cannot mend in the script stays as it is.
func failed(o manifest.Object, what string, err error) error {
	if _, ok := errors.AsType[*Unavailable](err); ok || errors.Is(err, context.Canceled) {
		return err
	}
	return fault.New(CodeRun, "%s of %s: %s", what, o.Key(), message(err)).Exits(1)
}

func (c *Checker) missing(ctx context.Context, o manifest.Object, action string) error {
	f := fault.New(CodeAction, "%s has no action %q", o.Key(), action)
	actions, err := c.Discover(ctx, o)
	if err != nil || len(actions) == 0 {
		return f.WithHint("its kind has no actions; they are given with --scripts, in <group>/<kind>/actions")
	}
	names := make([]string, len(actions))
	for n, a := range actions {
		names[n] = a.Name
	}
	if near := fault.Nearest(action, names); near != "" {
		return f.WithHint("did you mean %q?", near)
	}
	return f.WithHint("it has %s", strings.Join(names, ", "))
}
