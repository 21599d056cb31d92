package executortest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// hiding are ways to stay after a step; each is given a number for sleep.
var hiding = map[string]string{
	"in the background":          "sleep %s & echo ready",
	"deaf to requests":           "sh -c 'trap \"\" TERM HUP INT; echo ready; while :; do sleep %s; done' & sleep 0.2",
	"without output":             "sleep %s >/dev/null 2>&1 & echo ready",
	"in a session of its own":    "setsid sleep %s >/dev/null 2>&1 & echo ready",
	"as a daemon":                "setsid sh -c 'setsid sh -c \"sleep %s\" >/dev/null 2>&1 &' >/dev/null 2>&1 & echo ready; sleep 0.2",
	"as a daemon without an env": "env -i /usr/bin/setsid env -i sh -c 'cd /; setsid sleep %s >/dev/null 2>&1 </dev/null & exit 0' >/dev/null 2>&1; echo ready",
	"stopped":                    "sleep %s & kill -STOP $!; echo ready",
	"nohup":                      "nohup sleep %s >/dev/null 2>&1 & echo ready",
}

func nothingStays(t *testing.T, h *Harness) {
	host := h.Open(t, nil)
	var marks []string
	for name, way := range hiding {
		m := mark(t)
		exit, r, err := h.exec(t, host, program.Exec{Lines: []string{"true", fmt.Sprintf(way, m)}})
		if err != nil || exit != 0 || !strings.Contains(r.String(), "ready") {
			t.Errorf("%s: exit %d, %v: %s", name, exit, err, r)
		}
		left := alive(m)
		if len(left) > 0 && !h.Lasting {
			t.Errorf("%s: still there: %q", name, left)
		}
		if len(left) == 0 && h.Lasting && name != "nohup" { // busybox may be without it
			t.Errorf("%s: it did not stay", name)
		}
		marks = append(marks, m)
	}
	if h.Lasting {
		if err := host.Close(t.Context(), false); err != nil {
			t.Error(err)
		}
		for _, m := range marks {
			if left := alive(m); len(left) > 0 {
				t.Errorf("still there after the end: %q", left)
			}
		}
		host = h.Open(t, func(o *program.Order) { o.Key += "-again" })
	}
	// Something that the shell started and that still has something to say may say it.
	exit, r, err := h.exec(t, host, program.Exec{Quiet: true, Lines: []string{"(sleep 0.1; echo late) & exit 3"}})
	if exit != 3 || err != nil || r.Text(program.Stdout) != "late\n" {
		t.Errorf("exit %d, %v: %s", exit, err, r)
	}
}

func stop(t *testing.T, h *Harness) {
	host := h.Open(t, nil)
	for name, way := range map[string]string{
		"a plain wait":            "sleep %s",
		"a pipeline":              "sleep %s | cat",
		"deaf":                    "trap '' TERM; while :; do sleep %s; done",
		"a child that is deaf":    "sh -c 'trap \"\" TERM; while :; do sleep %s; done'",
		"a session of its own":    "setsid sh -c 'sleep %s' >/dev/null 2>&1 & sleep %[1]s",
		"an orphan":               "(setsid sh -c 'sleep %s' >/dev/null 2>&1 &); sleep 0.5; echo begun; sleep %[1]s",
		"a flood while it is":     "trap '' TERM; sleep %s & while :; do echo flood; done",
		"a fork for every moment": "f() { sleep %s & sleep 0.01; f; }; f",
	} {
		m := mark(t)
		cause := errors.New("the user said so")
		ctx, cancel := context.WithCancelCause(t.Context())
		r := &Recorder{Notify: func(s program.Stream, chunk []byte) {
			if s == program.Stdout && bytes.Contains(chunk, []byte("begun")) {
				cancel(cause)
			}
		}}
		lines := []string{fmt.Sprintf(way, m)}
		if !strings.Contains(way, "begun") {
			lines = append([]string{"echo begun"}, lines...)
		}
		_, err := host.Exec(ctx, program.Exec{Lines: lines, Env: h.Env}, r)
		e, ok := errors.AsType[*program.Error](err)
		if !ok || e.Failure != program.Canceled || !errors.Is(err, cause) {
			t.Errorf("%s: %v", name, err)
		}
		if left := alive(m); len(left) > 0 {
			t.Errorf("%s: still there: %q", name, left)
		}
	}
	m := mark(t)
	_, _, err := h.exec(t, host, program.Exec{Lines: []string{"sleep " + m}, Timeout: 200 * time.Millisecond})
	if e, ok := errors.AsType[*program.Error](err); !ok || e.Failure != program.ExecutionTimeout {
		t.Errorf("a step over its time: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = host.Exec(ctx, program.Exec{Lines: []string{"sleep " + m}, Env: h.Env}, &Recorder{})
	if e, ok := errors.AsType[*program.Error](err); !ok || e.Failure != program.ExecutionTimeout {
		t.Errorf("a job over its time: %v", err)
	}
	if left := alive(m); len(left) > 0 {
		t.Errorf("still there: %q", left)
	}
	// A request to end is heard, and what is said then is still shown.
	ctx, stopIt := context.WithCancel(t.Context())
	r := &Recorder{Notify: func(s program.Stream, chunk []byte) {
		if bytes.Contains(chunk, []byte("begun")) {
			stopIt()
		}
	}}
	_, err = host.Exec(ctx, program.Exec{Lines: []string{"trap 'echo cleaning up; exit 1' TERM; echo begun; while :; do sleep 0.05; done"}, Env: h.Env, Quiet: true}, r)
	if err == nil || !strings.Contains(r.Text(program.Stdout), "cleaning up") {
		t.Errorf("%v: %s", err, r)
	}
	// The host is good for another step, as after_script needs it.
	if out := h.must(t, host, "echo after"); out != "after\n" {
		t.Errorf("the step after a stop printed %q", out)
	}
}

func flood(t *testing.T, h *Harness) {
	host := h.Open(t, nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for name, c := range map[string]struct {
		line string
		want int64
	}{
		"a million lines":    {"seq 1000000", 6888896},
		"one line of 100 MB": {"head -c 100000000 /dev/zero | tr '\\0' x", 100000000},
		"to both streams":    {"seq 300000 >&2 & seq 300000; wait", 1988895},
	} {
		exit, r, err := h.exec(t, host, program.Exec{Lines: []string{"true", c.line}})
		if exit != 0 || err != nil || r.Bytes[program.Stdout] != c.want {
			t.Errorf("%s: exit %d, %v, %d bytes of %d", name, exit, err, r.Bytes[program.Stdout], c.want)
		}
		if r.Longest > 1<<20 {
			t.Errorf("%s: one piece of %d bytes", name, r.Longest)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 32<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

func bytesAsTheyAre(t *testing.T, h *Harness) {
	host := h.Open(t, nil)
	for script, want := range map[string]string{
		`printf '\377\376\000x\036y\r\n\036'`:                                                   "\xff\xfe\x00x\x1ey\r\n\x1e",
		`printf '\033[31mred\033[0m no end'`:                                                    "\x1b[31mred\x1b[0m no end",
		`printf '\036'; sleep 0.01; printf '\036'`:                                              "\x1e\x1e",
		`printf 'a\n\n\n'; printf ''; printf '\n'`:                                              "a\n\n\n\n",
		`i=0; while [ $i -lt 50 ]; do printf '\036%s' $i; i=$((i+1)); done | wc -c | tr -d ' '`: "140\n",
	} {
		exit, r, err := h.exec(t, host, program.Exec{Lines: []string{"true", script, "true"}})
		if exit != 0 || err != nil || r.Text(program.Stdout) != want {
			t.Errorf("%s: exit %d, %v: got %q, want %q", script, exit, err, r.Text(program.Stdout), want)
		}
	}
}
