package lua

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/health"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Health runs a health check. A script that returns nothing or an empty table says nothing of the object: the status is
// "", which counts as Healthy. What is none of the six statuses is Unknown. An error is the script's own message.
func (i *Interpreter) Health(ctx context.Context, now time.Time, source string, o manifest.Object) (health.Result, error) {
	v, err := i.run(ctx, now, source, o, nil)
	if err != nil || v == nil {
		return health.Result{}, err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return health.Result{}, err
	}
	var r health.Result
	if err := json.Unmarshal(data, &r); err != nil { // a list, or a message that is no text
		return health.Result{}, nil
	}
	if !r.Status.Valid() {
		return health.Result{Status: health.Unknown, Message: "Lua returned an invalid health status"}, nil
	}
	r.Message = shortened(r.Message)
	return r, nil
}

// Action is what may be done to an object.
type Action struct {
	Name        string  `json:"name"`
	Params      []Param `json:"params,omitempty"`
	Disabled    bool    `json:"disabled,omitempty"`
	IconClass   string  `json:"iconClass,omitempty"`
	DisplayName string  `json:"displayName,omitempty"`
}

// Param is something that an action asks for.
type Param struct {
	Name string `json:"name"`
}

// details are what discovery says of an action; Argo CD's page calls the parameters "parameters", its own scripts "params".
type details struct {
	Name        *string `json:"name"`
	Params      []Param `json:"params"`
	Parameters  []Param `json:"parameters"`
	Disabled    bool    `json:"disabled"`
	IconClass   string  `json:"iconClass"`
	DisplayName string  `json:"displayName"`
}

// Discover runs discovery scripts, the first of which to name an action says how it is, and gives the actions by name.
func (i *Interpreter) Discover(ctx context.Context, now time.Time, sources []string, o manifest.Object) ([]Action, error) {
	actions := map[string]Action{}
	for _, source := range sources {
		v, err := i.run(ctx, now, source, o, nil)
		if err != nil {
			return nil, err
		}
		if v == nil {
			return nil, wrongType("nil")
		}
		if list, ok := v.([]any); ok && len(list) == 0 {
			continue
		}
		table, ok := v.(map[string]any)
		if !ok {
			return nil, errors.New("the table that discovery returns has the actions' names as its keys, not numbers")
		}
		for name, of := range table {
			if _, there := actions[name]; there {
				continue
			}
			if actions[name], err = action(name, of); err != nil {
				return nil, err
			}
		}
	}
	out := make([]Action, 0, len(actions))
	for _, a := range actions {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b Action) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func action(name string, of any) (Action, error) {
	if _, ok := of.([]any); ok { // an empty table
		return Action{Name: name}, nil
	}
	data, err := json.Marshal(of)
	if err != nil {
		return Action{}, err
	}
	var d details
	if err := json.Unmarshal(data, &d); err != nil {
		return Action{}, fmt.Errorf("discovery says of the action %q what cannot be read: %w", name, err)
	}
	a := Action{Name: name, Params: d.Params, Disabled: d.Disabled, IconClass: d.IconClass, DisplayName: d.DisplayName}
	if a.Params == nil {
		a.Params = d.Parameters
	}
	if d.Name != nil {
		a.Name = *d.Name
	}
	return a, nil
}

// The operations of an action.
const (
	Create = "create"
	Patch  = "patch"
)

// Impact is one thing that an action wants done: an object made, or the object that it was asked of changed so that it
// becomes Object.
type Impact struct {
	Operation string          `json:"operation"` // Create or Patch
	Object    manifest.Object `json:"resource"`
}

// UnmarshalJSON keeps whole numbers whole.
func (i *Impact) UnmarshalJSON(data []byte) error {
	var raw struct {
		Operation string          `json:"operation"`
		Object    json.RawMessage `json:"resource"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	o, err := manifest.Parse(raw.Object)
	*i = Impact{raw.Operation, o}
	return err
}

// Act runs an action's script. A script that returns an object wants it patched.
func (i *Interpreter) Act(ctx context.Context, now time.Time, source string, o manifest.Object, params map[string]string) ([]Impact, error) {
	v, err := i.run(ctx, now, source, o, params)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, wrongType("nil")
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{map[string]any{"operation": Patch, "resource": v}}
	}
	out := make([]Impact, 0, len(list))
	for n, e := range list {
		entry, _ := e.(map[string]any)
		operation, _ := entry["operation"].(string)
		if operation != Create && operation != Patch {
			return nil, fmt.Errorf("entry %d of what the script returns: unsupported operation: %q (there are create and patch)", n+1, operation)
		}
		object, _ := entry["resource"].(map[string]any)
		if manifest.Object(object).Text("kind") == "" {
			return nil, fmt.Errorf("entry %d of what the script returns: Object 'Kind' is missing", n+1)
		}
		out = append(out, Impact{operation, object})
	}
	return out, nil
}

// settle makes what a script returned into the object that it meant. Lua turns an empty map into an empty list and rounds
// large numbers, so what is so in the object as it was stays as it was there.
func settle(now, was any) any {
	switch now := now.(type) {
	case map[string]any:
		if was, ok := was.(map[string]any); ok {
			for k, v := range now {
				now[k] = settle(v, was[k])
			}
		}
	case []any:
		if was, ok := was.([]any); ok {
			for i := range min(len(now), len(was)) {
				now[i] = settle(now[i], was[i])
			}
		}
		if _, ok := was.(map[string]any); ok && len(now) == 0 {
			return map[string]any{}
		}
	case int64:
		if was, ok := was.(int64); ok && float64(was) == float64(now) {
			return was
		}
		if was, ok := was.(float64); ok && was == float64(now) {
			return was
		}
	case float64:
		if was, ok := was.(int64); ok && float64(was) == now {
			return was
		}
	}
	return now
}
