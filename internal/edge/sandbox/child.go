package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// maxLine bounds every message, in bytes.
const maxLine = 128 << 20

// Main is the child: it serves requests of a kind from in to out until in ends. It shuts the whole process in, so it is
// the last thing that a process does.
func Main(kinds Kinds, kind string, in io.Reader, out io.Writer) error {
	make, ok := kinds[kind]
	if !ok {
		return fault.New(CodeStart, "there is no evaluation of kind %q", kind)
	}
	l := newLines(in, out, maxLine)
	var h hello
	if err := l.read(&h); err != nil {
		return fault.New(CodeStart, "sandbox is for Sluice itself: it speaks with its parent process, not with a person")
	}
	runtime.GOMAXPROCS(min(2, runtime.NumCPU()))
	serve, err := make()
	if err == nil {
		runtime.GC() // what start-up left is not the evaluation's
		err = shutIn(h.Memory)
	}
	if err != nil {
		return errors.Join(l.write(fromChild{Error: pack(err)}), err)
	}
	if h.Memory > 0 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		debug.SetMemoryLimit(int64(m.Sys-m.HeapReleased) + h.Memory*3/4)
	}
	if err := l.write(fromChild{Ready: true}); err != nil {
		return err
	}
	return attend(l, serve)
}

// attend serves one request after the other. A goroutine reads, so that the child also ends when its parent is gone and
// an evaluation never ends.
func attend(l *lines, serve Serve) error {
	messages := read(l)
	for m := range messages {
		c := &Call{Request: m.Request}
		c.ask = func(method string, with any) (json.RawMessage, error) {
			data, err := json.Marshal(with)
			if err != nil {
				return nil, err
			}
			if err := l.write(fromChild{Ask: method, With: data}); err != nil {
				return nil, err
			}
			reply, ok := <-messages
			if !ok {
				return nil, io.ErrUnexpectedEOF
			}
			if reply.Error != nil {
				return nil, reply.Error.unpack()
			}
			return reply.Reply, nil
		}
		if err := l.write(respond(c, serve)); err != nil {
			if fault.CodeOf(err) != CodeLarge {
				return err
			}
			if err := l.write(fromChild{Error: pack(err), Retire: true}); err != nil {
				return err
			}
		}
	}
	return nil
}

func read(l *lines) <-chan toChild {
	messages := make(chan toChild)
	go func() {
		defer close(messages)
		for {
			var m toChild
			if l.read(&m) != nil {
				os.Exit(0)
			}
			messages <- m
		}
	}()
	return messages
}

// respond evaluates. A panic of a library is an error of this one request; the child then retires.
func respond(c *Call, serve Serve) (out fromChild) {
	defer func() {
		if p := recover(); p != nil {
			out = fromChild{Retire: true, Error: pack(fault.New(CodeCrash, "the evaluation broke down: %v", p))}
		}
	}()
	answer, err := serve(c)
	if err != nil {
		return fromChild{Error: pack(err), Retire: c.retire}
	}
	data, err := json.Marshal(answer)
	if err != nil {
		return fromChild{Error: pack(fmt.Errorf("say the answer: %w", err)), Retire: c.retire}
	}
	return fromChild{Answer: data, Retire: c.retire}
}
