package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/sandbox"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "sandbox" {
		if err := sandbox.Main(kinds, os.Args[2], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var kinds = sandbox.Kinds{
	"test":   func() (sandbox.Serve, error) { return serve, nil },
	"broken": func() (sandbox.Serve, error) { return nil, fault.New("SL0001", "not today").Exits(7) },
}

type ask struct {
	Do  string
	Arg string
	N   int
}

var counted int

func serve(c *sandbox.Call) (any, error) {
	var a ask
	if err := c.Read(&a); err != nil {
		return nil, err
	}
	switch a.Do {
	case "echo":
		return a.Arg, nil
	case "count":
		counted++
		return counted, nil
	case "retire":
		c.Retire()
		return "", nil
	case "environ":
		return os.Environ(), nil
	case "pid":
		return os.Getpid(), nil
	case "fault":
		return nil, fault.Faults{fault.At("SL0001", fault.Place{File: "a.yaml", Line: 3}, "one").Exits(5), fault.New("SL0002", "two")}
	case "missing":
		return nil, fmt.Errorf("no such thing: %w", fs.ErrNotExist)
	case "ask":
		var out string
		err := c.Ask("read", a.Arg, &out)
		return out, err
	case "loop":
		for i := 0; ; i++ {
			if i < 0 {
				return i, nil
			}
		}
	case "panic":
		panic("for a reason")
	case "exit":
		os.Exit(3)
	case "long":
		return strings.Repeat("x", a.N), nil
	}
	return misbehave(a)
}

func misbehave(a ask) (any, error) {
	switch a.Do {
	case "creep":
		var all [][]byte
		for {
			part := make([]byte, 1<<20)
			for i := range part {
				part[i] = byte(i)
			}
			all = append(all, part)
			runtime.KeepAlive(all)
		}
	case "leap":
		all := make([]byte, a.N<<30)
		for i := 0; i < len(all); i += 4096 {
			all[i] = 1
		}
		return len(all), nil
	case "deep":
		return deep(0), nil
	case "threads":
		var wg sync.WaitGroup
		for range a.N {
			wg.Go(func() { runtime.LockOSThread(); time.Sleep(20 * time.Millisecond) })
		}
		wg.Wait()
		return "", nil
	case "open":
		_, err := os.ReadFile(a.Arg)
		return nil, err
	case "create":
		return nil, os.WriteFile(a.Arg, nil, 0o600)
	case "list":
		_, err := os.ReadDir(".")
		return nil, err
	case "dial":
		_, err := net.DialTimeout("tcp", a.Arg, time.Second)
		return nil, err
	case "listen":
		_, err := net.Listen("unix", "@sluice-test")
		return nil, err
	case "exec":
		return nil, exec.Command("/bin/true").Run()
	case "fork":
		return nil, fork()
	case "kill":
		return nil, syscall.Kill(syscall.Getppid(), 0)
	}
	return nil, fmt.Errorf("cannot %s", a.Do)
}

//lint:ignore SA5007 that is what it is for
func deep(n int) int { return deep(n+1) + deep(n+2) }

func open(t *testing.T, o sandbox.Options) *sandbox.Pool {
	t.Helper()
	o.Kind, o.Dir = "test", t.TempDir()
	p := sandbox.New(o)
	t.Cleanup(p.Close)
	return p
}

func do(t *testing.T, p *sandbox.Pool, a ask) (string, error) {
	t.Helper()
	var out json.RawMessage
	err := p.Do(t.Context(), a, &out, func(method string, with json.RawMessage) (any, error) {
		if method != "read" || string(with) == `"none"` {
			return nil, fmt.Errorf("%s: %w", method, fs.ErrNotExist)
		}
		return "text of " + string(with), nil
	})
	return string(out), err
}

func TestARequestIsAnswered(t *testing.T) {
	p := open(t, sandbox.Options{})
	for _, text := range []string{"hello", "line\nbreak", "<&>", "\u2028", strings.Repeat("long ", 1<<20)} {
		got, err := do(t, p, ask{Do: "echo", Arg: text})
		want, _ := json.Marshal(text)
		if err != nil || got != string(want) {
			t.Fatalf("%.20q became %.20q, %v", text, got, err)
		}
	}
}

func TestAChildServesManyAndThenIsReplaced(t *testing.T) {
	p := open(t, sandbox.Options{Workers: 1, Uses: 3})
	for _, want := range []string{"1", "2", "3", "1"} {
		if got, err := do(t, p, ask{Do: "count"}); got != want || err != nil {
			t.Fatalf("got %s, %v; want %s", got, err, want)
		}
	}
	if _, err := do(t, p, ask{Do: "retire"}); err != nil {
		t.Fatal(err)
	}
	if got, err := do(t, p, ask{Do: "count"}); got != "1" || err != nil {
		t.Fatalf("a retired child served again: %s, %v", got, err)
	}
}

func TestAnIdleChildEnds(t *testing.T) {
	p := open(t, sandbox.Options{Workers: 1, Idle: 10 * time.Millisecond})
	got, err := do(t, p, ask{Do: "pid"})
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if err := json.Unmarshal([]byte(got), &pid); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); syscall.Kill(pid, 0) == nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the child is still there")
		}
	}
	if got, err := do(t, p, ask{Do: "echo", Arg: "again"}); err != nil || got != `"again"` {
		t.Fatalf("%s, %v", got, err)
	}
}

func TestErrorsKeepWhatTheyAre(t *testing.T) {
	p := open(t, sandbox.Options{Workers: 1})
	_, err := do(t, p, ask{Do: "fault"})
	list, ok := errors.AsType[fault.Faults](err)
	if !ok || len(list) != 2 || list[0].Place.Line != 3 || list[0].Exit != 5 || list[1].Code != "SL0002" {
		t.Errorf("faults became %v", err)
	}
	if _, err = do(t, p, ask{Do: "missing"}); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "no such thing") {
		t.Errorf("a missing file became %v", err)
	}
	if got, err := do(t, p, ask{Do: "ask", Arg: "a"}); err != nil || got != `"text of \"a\""` {
		t.Errorf("asking gave %s, %v", got, err)
	}
	if _, err = do(t, p, ask{Do: "ask", Arg: "none"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused question became %v", err)
	}
	if got, _ := do(t, p, ask{Do: "environ"}); got != "[]" {
		t.Errorf("the child's environment is %s", got)
	}
}

func TestBoundsHold(t *testing.T) {
	// Each bound has a pool in which it alone is near: a busy machine takes its time for what fills memory.
	memory := open(t, sandbox.Options{Workers: 1, Memory: 64 << 20, Time: time.Minute})
	brief := open(t, sandbox.Options{Workers: 1, Memory: 64 << 20, Time: 2 * time.Second})
	for _, c := range []struct {
		do   ask
		code string
	}{
		{ask{Do: "loop"}, sandbox.CodeTime},
		{ask{Do: "creep"}, sandbox.CodeMemory},
		{ask{Do: "leap", N: 64}, sandbox.CodeMemory},
		{ask{Do: "deep"}, sandbox.CodeMemory},
		{ask{Do: "panic"}, sandbox.CodeCrash},
		{ask{Do: "exit"}, sandbox.CodeCrash},
	} {
		p := memory
		if c.code == sandbox.CodeTime {
			p = brief
		}
		if _, err := do(t, p, c.do); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v; want %s", c.do.Do, err, c.code)
		}
		if got, err := do(t, p, ask{Do: "echo", Arg: "well"}); err != nil || got != `"well"` {
			t.Errorf("after %s: %s, %v", c.do.Do, got, err)
		}
	}
	large := open(t, sandbox.Options{Workers: 1, Memory: 8 << 30, Time: time.Minute})
	if _, err := do(t, large, ask{Do: "long", N: 129 << 20}); fault.CodeOf(err) != sandbox.CodeLarge {
		t.Errorf("an endless answer: %v", err)
	}
}

func TestTheChildReachesNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has the filter")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	canary := t.TempDir() + "/canary"
	p := open(t, sandbox.Options{Workers: 1})
	for _, a := range []ask{
		{Do: "open", Arg: "/etc/hostname"},
		{Do: "open", Arg: "/proc/self/environ"},
		{Do: "create", Arg: canary},
		{Do: "create", Arg: "here"},
		{Do: "list"},
		{Do: "dial", Arg: l.Addr().String()},
		{Do: "listen"},
		{Do: "exec"},
		{Do: "fork"},
		{Do: "kill"},
	} {
		if _, err := do(t, p, a); err == nil || !strings.Contains(err.Error(), "operation not permitted") {
			t.Errorf("%s %s: %v", a.Do, a.Arg, err)
		}
	}
	if _, err := do(t, p, ask{Do: "threads", N: 50}); err != nil {
		t.Errorf("threads: %v", err)
	}
	if _, err := os.Stat(canary); err == nil {
		t.Error("the child wrote a file")
	}
}

func TestManyAtOnceDoNotMix(t *testing.T) {
	p := open(t, sandbox.Options{Workers: 3})
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			text := fmt.Sprint("number ", i)
			if got, err := do(t, p, ask{Do: "echo", Arg: text}); err != nil || got != `"`+text+`"` {
				t.Errorf("%s became %s, %v", text, got, err)
			}
		})
	}
	wg.Wait()
}

func TestACancelledRequestEndsItsChild(t *testing.T) {
	p := open(t, sandbox.Options{Workers: 1})
	why := errors.New("no more")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
	if err := p.Do(ctx, ask{Do: "loop"}, new(any), nil); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

func TestAChildThatCannotStartSaysWhy(t *testing.T) {
	p := sandbox.New(sandbox.Options{Kind: "broken", Dir: t.TempDir()})
	defer p.Close()
	err := p.Do(t.Context(), ask{}, new(any), nil)
	if f, ok := errors.AsType[*fault.Fault](err); !ok || f.Code != "SL0001" || f.Exit != 7 {
		t.Errorf("got %v", err)
	}
	none := sandbox.New(sandbox.Options{Kind: "test", Dir: t.TempDir(), Command: []string{"/bin/does/not/exist"}})
	defer none.Close()
	if err := none.Do(t.Context(), ask{}, new(any), nil); fault.CodeOf(err) != sandbox.CodeStart {
		t.Errorf("got %v", err)
	}
}
