// Package sandbox evaluates what cannot be trusted (templates, kustomizations, Jsonnet, Lua) in a child process that is
// our own binary, started again as `sluice sandbox KIND`. Requests and answers are JSON lines on the child's standard
// streams. The child has an empty environment, an empty folder of its own to stand in, and bounds on memory, time and the
// length of its answers; over a bound it is killed and the next request gets a new one.
//
// On Linux the child shuts itself in before it reads the first request: a seccomp filter lets through the calls by which
// a Go program thinks (memory, threads, clocks, the pipes it already has) and nothing that opens a file, a socket or
// another process. That needs no privilege, namespace or Landlock, and it also holds in containers. What an evaluation
// reads it asks of the parent (Call.Ask), who decides. Where the kernel refuses the filter, nothing is evaluated.
// Elsewhere (macOS) the bounds on time and message length hold, and the evaluators are given no files or network by their
// own code, but no kernel stands behind that.
package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Kinds are the evaluators by name. The function runs once in a new child before it is shut in: what must be read from
// disk is read there.
type Kinds map[string]func() (Serve, error)

// Serve answers one request, in the child. The answer is what JSON can say. Faults in the error reach the parent as
// faults, fs.ErrNotExist as itself, other errors as their text.
type Serve func(c *Call) (any, error)

// Call is one request in the child.
type Call struct {
	Request json.RawMessage

	ask    func(method string, with any) (json.RawMessage, error)
	retire bool
}

// Read fills v from the request.
func (c *Call) Read(v any) error { return json.Unmarshal(c.Request, v) }

// Ask asks something of the parent and fills into from its reply. It is answered by the function that was given to Do.
func (c *Call) Ask(method string, with, into any) error {
	reply, err := c.ask(method, with)
	if err != nil {
		return err
	}
	return json.Unmarshal(reply, into)
}

// Retire says that this child must not serve another request: the evaluation changed something that stays.
func (c *Call) Retire() { c.retire = true }

// Answerer answers in the parent what a child asks for. It is called for one question at a time.
type Answerer func(method string, with json.RawMessage) (any, error)

// hello is the parent's first line.
type hello struct {
	Memory int64 `json:"memory"` // bytes that the evaluation may take
}

// toChild is a line to the child: a request, or the reply to what it asked.
type toChild struct {
	Request json.RawMessage `json:"request,omitempty"`
	Reply   json.RawMessage `json:"reply,omitempty"`
	Error   *wireError      `json:"error,omitempty"`
}

// fromChild is a line from the child.
type fromChild struct {
	Ready  bool            `json:"ready,omitempty"`
	Ask    string          `json:"ask,omitempty"`
	With   json.RawMessage `json:"with,omitempty"`
	Answer json.RawMessage `json:"answer,omitempty"`
	Error  *wireError      `json:"error,omitempty"`
	Retire bool            `json:"retire,omitempty"`
}

// wireError is an error on its way between the processes.
type wireError struct {
	Faults  []*fault.Fault `json:"faults,omitempty"`
	Exits   []int          `json:"exits,omitempty"` // of the faults; their own JSON leaves it out
	Text    string         `json:"text,omitempty"`
	Missing bool           `json:"missing,omitempty"`
}

func pack(err error) *wireError {
	w := &wireError{Text: err.Error(), Missing: errors.Is(err, fs.ErrNotExist)}
	if list, ok := errors.AsType[fault.Faults](err); ok {
		w.Faults = list
	} else if one, ok := errors.AsType[*fault.Fault](err); ok {
		w.Faults = []*fault.Fault{one}
	}
	for _, f := range w.Faults {
		w.Exits = append(w.Exits, f.Exit)
	}
	return w
}

func (w *wireError) unpack() error {
	for i, f := range w.Faults {
		if f == nil {
			return errors.New(w.Text)
		}
		if i < len(w.Exits) {
			f.Exit = w.Exits[i]
		}
	}
	switch {
	case len(w.Faults) == 1:
		return w.Faults[0]
	case len(w.Faults) > 1:
		return fault.Faults(w.Faults)
	case w.Missing:
		return fmt.Errorf("%s%w", w.Text, silent{fs.ErrNotExist})
	default:
		return errors.New(w.Text)
	}
}

// silent is an error that is there to be recognized and adds no words.
type silent struct{ error }

func (silent) Error() string   { return "" }
func (s silent) Unwrap() error { return s.error }
