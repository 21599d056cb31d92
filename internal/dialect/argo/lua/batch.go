package lua

import (
	"context"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/health"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Limit is how long all scripts of one request may take; Argo CD gives each one second. Memory is what the process that
// runs them may take beyond what it has at rest, in bytes, and Kill the time after which it is ended: what a library
// function does in one go is not seen by Limit. Both leave what it takes to see that a bound is reached.
const (
	Limit  = 850 * time.Millisecond
	Kill   = 950 * time.Millisecond
	Memory = 48 << 20
)

// Request asks for several scripts to be run. What JSON can say, so that another process can do it.
type Request struct {
	Now     time.Time `json:"now"` // the time that the scripts see
	Scripts []string  `json:"scripts"`
	Calls   []Call    `json:"calls"`
}

// Call is one thing to do with one object.
type Call struct {
	Do      string            `json:"do"`      // Health, Discover or Act
	Scripts []int             `json:"scripts"` // of the request; only Discover takes several
	Object  manifest.Object   `json:"object"`
	Params  map[string]string `json:"params,omitempty"`
}

// The kinds of calls.
const (
	Health   = "health"
	Discover = "discover"
	Act      = "act"
)

// Answer holds a result for each call, in order.
type Answer struct {
	Results []Result `json:"results"`
}

// Result is what came of a call: one of Health, Actions and Impacts, or why there is none.
type Result struct {
	Health  health.Result `json:"health,omitzero"`
	Actions []Action      `json:"actions,omitempty"`
	Impacts []Impact      `json:"impacts,omitempty"`
	Printed string        `json:"printed,omitempty"` // by the script, in lines
	Error   string        `json:"error,omitempty"`   // the script's own message
	Skipped bool          `json:"skipped,omitempty"` // the time was up before it was done: ask again
}

// Run has a request served where no script can do harm; an error says that it could not be, or that a bound was reached.
type Run func(ctx context.Context, r Request) (Answer, error)

// Serve serves a request within Limit. The first call has the time for itself if it needs it; later ones that it has run
// out for are skipped.
func (i *Interpreter) Serve(ctx context.Context, r Request) Answer {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	out := Answer{Results: make([]Result, len(r.Calls))}
	for n, c := range r.Calls {
		if n > 0 && ctx.Err() != nil {
			out.Results[n] = Result{Skipped: true}
			continue
		}
		result := i.serve(ctx, r, c)
		if n > 0 && result.Error != "" && ctx.Err() != nil {
			result = Result{Skipped: true}
		}
		out.Results[n] = result
	}
	return out
}

func (i *Interpreter) serve(ctx context.Context, r Request, c Call) (out Result) {
	var sources []string
	for _, n := range c.Scripts {
		if n < 0 || n >= len(r.Scripts) {
			return Result{Error: "the request lacks the script"}
		}
		sources = append(sources, r.Scripts[n])
	}
	if len(sources) == 0 {
		return Result{Error: "the request names no script"}
	}
	i.printed.Reset()
	var err error
	switch c.Do {
	case Health:
		out.Health, err = i.Health(ctx, r.Now, sources[0], c.Object)
	case Discover:
		out.Actions, err = i.Discover(ctx, r.Now, sources, c.Object)
	case Act:
		out.Impacts, err = i.Act(ctx, r.Now, sources[0], c.Object, c.Params)
	}
	if err != nil {
		out = Result{Error: shortened(err.Error())}
	}
	out.Printed = i.printed.String()
	return out
}

// maxMessage is how long a message of a script may be, in bytes; it goes into an application's status.
const maxMessage = 16 << 10

func shortened(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage], "") + "…"
}
