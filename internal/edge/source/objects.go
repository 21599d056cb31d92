package source

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The bounds of what is kept of a repository.
const (
	keptBytes = 32 << 20         // of objects in memory
	keptOne   = 1 << 20          // the largest object that is kept
	keptFor   = 20 * time.Second // an idle git process
)

// objects reads a repository's objects through one `git cat-file --batch`, which is started when it is needed and ends
// when it was not for a while.
type objects struct {
	dir string // of the repository

	mu    sync.Mutex
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	timer *time.Timer

	kept  map[string]object
	bytes int
}

// object is one object as git has it.
type object struct {
	id, kind string
	text     []byte
}

// get reads an object by what git understands as its name; it must come from git or be checked. fs.ErrNotExist where the
// repository has none.
func (o *objects) get(ctx context.Context, name string) (object, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if kept, ok := o.kept[name]; ok {
		return kept, nil
	}
	if err := ctx.Err(); err != nil {
		return object{}, context.Cause(ctx)
	}
	got, err := o.ask(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && fault.CodeOf(err) == "" {
		o.end()
		got, err = o.ask(name) // the process may have been old: the repository was moved or packed anew
	}
	if err != nil {
		return object{}, err
	}
	if len(got.text) <= keptOne {
		if o.bytes += len(got.text) + 100; o.bytes > keptBytes || o.kept == nil {
			o.kept, o.bytes = map[string]object{}, len(got.text)
		}
		o.kept[name] = got
	}
	return got, nil
}

func (o *objects) ask(name string) (object, error) {
	if o.cmd == nil {
		if err := o.start(); err != nil {
			return object{}, err
		}
	}
	o.timer.Reset(keptFor)
	if _, err := io.WriteString(o.in, name+"\n"); err != nil {
		return object{}, err
	}
	line, err := o.out.ReadString('\n')
	if err != nil {
		return object{}, fmt.Errorf("read git's answer: %w", err)
	}
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return object{}, missing(name) // "NAME missing" or "NAME ambiguous"
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return object{}, fmt.Errorf("read git's answer: %w", err)
	}
	if size > MaxFile {
		o.end()
		return object{}, tooLarge(name, size)
	}
	text := make([]byte, size+1) // a line end follows
	if _, err := io.ReadFull(o.out, text); err != nil {
		return object{}, fmt.Errorf("read git's answer: %w", err)
	}
	return object{fields[0], fields[1], text[:size]}, nil
}

// start starts git. It lives longer than a request, and ends by its timer or with us, when its input ends.
func (o *objects) start() error {
	cmd := git.Command(context.Background(), o.dir, "cat-file", "--batch")
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fault.New(git.CodeMissing, "git cannot be started: %v", err)
	}
	o.cmd, o.in, o.out = cmd, in, bufio.NewReaderSize(out, 64<<10)
	o.timer = time.AfterFunc(keptFor, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.cmd == cmd {
			o.end()
		}
	})
	return nil
}

// end ends git. The lock is held.
func (o *objects) end() {
	if o.cmd == nil {
		return
	}
	o.timer.Stop()
	_ = o.in.Close()
	_ = o.cmd.Process.Kill() // it only reads
	_ = o.cmd.Wait()
	o.cmd = nil
}

func (o *objects) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.end()
}

// tree opens the files of a commit.
func (o *objects) tree(ctx context.Context, commit string) (*Tree, error) {
	top, err := o.get(ctx, commit+"^{tree}")
	if err != nil {
		return nil, err
	}
	return newTree(commit, gitLayer{o}, top.id), nil
}

// gitLayer is the files of a commit, straight from git's objects.
type gitLayer struct{ objects *objects }

func (g gitLayer) list(ctx context.Context, _ string, e Entry) ([]Entry, error) {
	o, err := g.objects.get(ctx, e.ID)
	if err != nil {
		return nil, err
	}
	return parseTree(o.text, len(o.id)/2)
}

func (g gitLayer) read(ctx context.Context, name string, e Entry) ([]byte, error) {
	o, err := g.objects.get(ctx, e.ID)
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Code == CodeLarge {
		f.Place.File = name
	}
	return o.text, err
}

// parseTree reads a tree object: mode, name and the binary id (of size bytes) of each entry. Names that no work tree could
// hold safely are left out of reach: those with a slash, "." and "..", and .git in any case.
func parseTree(text []byte, size int) ([]Entry, error) {
	var out []Entry
	for len(text) > 0 {
		mode, rest, ok := bytes.Cut(text, []byte(" "))
		name, id, ok2 := bytes.Cut(rest, []byte{0})
		if !ok || !ok2 || len(id) < size {
			return nil, errors.New("git's tree cannot be read")
		}
		e := Entry{Name: string(name), ID: hex.EncodeToString(id[:size]), Sort: File}
		text = id[size:]
		switch string(mode) {
		case "40000":
			e.Sort = Folder
		case "120000":
			e.Sort = Link
		case "160000":
			e.Sort = Submodule
		}
		if e.Name == "" || e.Name == "." || e.Name == ".." || strings.Contains(e.Name, "/") || strings.EqualFold(e.Name, ".git") {
			continue
		}
		out = append(out, e)
	}
	return out, nil
}

// forget drops what was read: a fetch may have brought what was missing.
func (o *objects) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept, o.bytes = nil, 0
}
