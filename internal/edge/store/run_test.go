package store_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/store"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// TestMain lets this program also be another process that has a resource group, or wants it. It tells what it hears.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SLUICE_STORE_HOLDER"); dir != "" {
		ctx, cancel := context.WithCancelCause(context.Background())
		c := store.Claim{
			Group: "prod / eu", Job: "job deploy", Mode: os.Getenv("SLUICE_STORE_MODE"), Cancel: os.Getenv("SLUICE_STORE_CANCEL") != "",
			Held: func(string) { fmt.Println("waits") },
			Yield: func(why string) {
				fmt.Println("yields:", why)
				cancel(errors.New("yielded"))
			},
		}
		if _, err := (store.Groups{Dir: dir}).Lock(ctx, c); err != nil {
			fmt.Println("gave up:", err)
			os.Exit(1)
		}
		fmt.Println("held")
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until it is killed, or told
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestRecords(t *testing.T) {
	state := t.TempDir()
	if list, err := store.List(state); err != nil || list != nil {
		t.Error(list, err)
	}
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for i, id := range []string{"b", "c", "a"} {
		r, err := store.Create(state, store.Record{ID: id, Number: i + 1, Status: run.Running, Started: noon.Add(time.Duration(i) * time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		at := noon.Add(time.Hour)
		if err := errors.Join(r.Put(store.Record{ID: id, Number: i + 1, Status: run.Success, Started: noon.Add(time.Duration(i) * time.Minute), Finished: &at}), r.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"broken/run.json": "{", "other/run.json": `{"id":"x"}`, "empty/x": ""} {
		p := filepath.Join(state, "runs", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	list, err := store.List(state)
	var ids []string
	for _, r := range list {
		ids = append(ids, r.ID)
		if r.Status != run.Success || r.Finished == nil {
			t.Errorf("%+v", r)
		}
	}
	if err != nil || strings.Join(ids, " ") != "a c b" {
		t.Errorf("%q %v", ids, err)
	}
}

func TestARunIsNewAndInItsPlace(t *testing.T) {
	state := t.TempDir()
	for _, id := range []string{"", "..", "../x", "a/b", "/abs", ".hidden"} {
		if _, err := store.Create(state, store.Record{ID: id}); fault.CodeOf(err) != store.CodeLog {
			t.Errorf("%q: %v", id, err)
		}
	}
	r, err := store.Create(state, store.Record{ID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := store.Create(state, store.Record{ID: "1"}); fault.CodeOf(err) != store.CodeLog {
		t.Errorf("two runs in one folder: %v", err)
	}
	if _, err := store.Create(filepath.Join(r.Dir, "run.json"), store.Record{ID: "1"}); fault.CodeOf(err) != store.CodeLog {
		t.Errorf("a file in the folder's place: %v", err)
	}
}

func TestTheJournalRestoresTheRun(t *testing.T) {
	r, err := store.Create(t.TempDir(), store.Record{ID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	exit := 3
	for i := range 1000 {
		c := run.Change{At: time.Unix(int64(i), 0).UTC(), Job: fmt.Sprint("job ", i, "\n"), From: run.Pending, To: run.Running, Exit: &exit}
		if err := r.Append(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(filepath.Join(r.Dir, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	n := 0
	for ; lines.Scan(); n++ {
		var c run.Change
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil || c.Job != fmt.Sprint("job ", n, "\n") || c.To != run.Running || *c.Exit != 3 {
			t.Fatalf("line %d: %+v %v", n, c, err)
		}
	}
	if n != 1000 {
		t.Errorf("%d lines", n)
	}
}

func TestAFullDiskIsToldByTheJournal(t *testing.T) {
	r, err := store.Create(t.TempDir(), store.Record{ID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	// The record goes nowhere: a folder stands in the place of the file that it is first written to.
	if err := os.Mkdir(filepath.Join(r.Dir, ".run.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.Dir, ".run.json", "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.Put(store.Record{ID: "1"}); fault.CodeOf(err) != store.CodeLog {
		t.Errorf("%v", err)
	}
}

// other is another process that wants the group.
type other struct {
	t    *testing.T
	kill func()
	out  *bufio.Reader
}

// process starts another process; env says how it wants the group.
func process(t *testing.T, dir string, env ...string) *other {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(append(os.Environ(), "SLUICE_STORE_HOLDER="+dir), env...)
	in, e1 := cmd.StdinPipe()
	out, e2 := cmd.StdoutPipe()
	if err := errors.Join(e1, e2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	o := &other{t: t, out: bufio.NewReader(out), kill: func() {
		_ = cmd.Process.Kill() // it leaves no time to clean up
		_ = cmd.Wait()
		_ = in.Close()
	}}
	t.Cleanup(o.kill)
	return o
}

// says waits for a line that begins so. A line that does not is a mistake.
func (o *other) says(begin string) string {
	o.t.Helper()
	line, err := o.out.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, begin) {
		o.t.Fatalf("said %q, %v, not %q", line, err, begin)
	}
	return line
}

// holder is another process that has the group; it is killed by the function returned.
func holder(t *testing.T, dir string) (kill func()) {
	t.Helper()
	o := process(t, dir)
	o.says("held")
	return o.kill
}

const one, cancels = "SLUICE_STORE_MODE=single", "SLUICE_STORE_CANCEL=yes"

func TestOnlyTheNewestProcessWaits(t *testing.T) {
	dir := t.TempDir()
	first := process(t, dir, one)
	first.says("held")
	second := process(t, dir, one)
	second.says("waits")
	third := process(t, dir, one)
	third.says("waits")
	if why := second.says("yields: "); !strings.Contains(why, "job deploy of process") || !strings.Contains(why, `the concurrency group "prod / eu"`) {
		t.Error(why)
	}
	second.says("gave up: yielded")
	ordinary := process(t, dir) // of another mode: it takes nobody's turn
	ordinary.says("waits")
	ordinary.kill()
	first.kill()
	third.says("held")
}

func TestAProcessYieldsTheGroupToOneThatWantsIt(t *testing.T) {
	dir := t.TempDir()
	first := process(t, dir, one)
	first.says("held")
	second := process(t, dir, one) // it waits, and asks for nothing
	second.says("waits")
	third := process(t, dir, one, cancels)
	third.says("waits")
	second.says("yields: ")
	first.says("yields: ")
	first.kill()
	third.says("held")

	// What a process that died wanted is nobody's business any more.
	third.kill()
	fourth := process(t, dir, one)
	fourth.says("held")
	fifth := process(t, dir, one)
	fifth.says("waits")
	sixth := process(t, dir, one, cancels)
	sixth.says("waits")
	fourth.says("yields: ") // once, and to this one
}

func TestReleaseEndsTheWatch(t *testing.T) {
	g := store.Groups{Dir: t.TempDir()}
	for range 3 {
		release, err := g.Lock(t.Context(), store.Claim{
			Group: "g", Job: "j", Mode: "single", Cancel: true,
			Held: func(string) { t.Error("it is free") }, Yield: func(string) { t.Error("nobody else is here") },
		})
		if err != nil {
			t.Fatal(err)
		}
		release()
	}
}

func TestABrokenTurnIsNobodys(t *testing.T) {
	dir := t.TempDir()
	first := process(t, dir, one)
	first.says("held")
	found, err := filepath.Glob(filepath.Join(dir, "groups", ".turn-*"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	for _, text := range []string{"", "{", `{"claim":""}`, `[]`, strings.Repeat("x", 1<<20)} {
		if err := os.WriteFile(found[0], []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// A link in the place of a turn is not followed.
	target := filepath.Join(t.TempDir(), "target")
	if err := errors.Join(os.WriteFile(target, []byte("mine"), 0o644), os.Remove(found[0]), os.Symlink(target, found[0])); err != nil {
		t.Fatal(err)
	}
	process(t, dir, one).says("gave up: ")
	if text, _ := os.ReadFile(target); string(text) != "mine" {
		t.Errorf("%q was written through a link", text)
	}
	first.kill()
}

func TestGroupsHoldBetweenProcesses(t *testing.T) {
	dir := t.TempDir()
	g := store.Groups{Dir: dir}
	kill := holder(t, dir)

	told := make(chan string, 10)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-told
		cancel(errors.New("enough"))
	}()
	if _, err := g.Lock(ctx, store.Claim{Group: "prod / eu", Job: "mine", Held: func(h string) { told <- h }}); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Fatalf("%v", err)
	}

	other, err := g.Lock(t.Context(), store.Claim{Group: "prod / us", Job: "mine", Held: func(string) { t.Error("another group is free") }})
	if err != nil {
		t.Fatal(err)
	}
	other()

	waits := make(chan string, 10)
	done := make(chan func())
	go func() {
		release, err := g.Lock(t.Context(), store.Claim{Group: "prod / eu", Job: "mine", Held: func(h string) { waits <- h }})
		if err != nil {
			t.Error(err)
			close(done)
			return
		}
		done <- release
	}()
	if h := <-waits; !strings.Contains(h, "deploy of process") || !strings.Contains(h, "prod / eu") {
		t.Errorf("%q", h)
	}
	kill()
	release := <-done
	if len(waits) > 0 {
		t.Error("it was told twice")
	}
	free := make(chan struct{})
	go func() {
		defer close(free)
		again, err := g.Lock(t.Context(), store.Claim{Group: "prod / eu", Job: "third", Held: func(string) {}})
		if err != nil {
			t.Error(err)
			return
		}
		again()
	}()
	select {
	case <-free:
		t.Error("two have the group")
	default:
	}
	release()
	<-free
}
