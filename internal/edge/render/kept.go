package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/sandbox"
	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The bounds of what is kept.
const (
	keptBytes = 96 << 20
	keptEach  = 3 // renderings of one source with the same settings, of different commits
	keptDeps  = 20_000
	keptSpent = time.Minute // what used up its time or memory: the same would do so again
)

// kept holds what was rendered, with what was read for it. A new commit that changes none of that needs no rendering. It
// is in memory alone: Secrets may be among the objects.
type kept struct {
	mu      sync.Mutex
	entries map[string][]*entry
	order   []string // keys, oldest first
	bytes   int
}

type entry struct {
	answer   answer
	err      error     // instead of an answer
	until    time.Time // the end of err
	revision string    // "" where the commit's name does not stand in the objects
	deps     []dep
	size     int
}

// dep is one question and a digest of its answer.
type dep struct {
	Method string
	Place  place
	Digest string
}

// keyOf names a request without its commit.
func keyOf(r request) (string, error) {
	r.Revision = ""
	data, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("name the request: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// find is what was rendered of the same settings, or why it could not be, where every question would be answered as it was.
func (k *kept) find(key, revision string, w *witness) (a answer, ok bool, err error) {
	k.mu.Lock()
	list := slices.Clone(k.entries[key])
	k.mu.Unlock()
	for _, e := range slices.Backward(list) {
		if e.revision != "" && e.revision != revision || e.err != nil && time.Now().After(e.until) {
			continue
		}
		if !slices.ContainsFunc(e.deps, func(d dep) bool { return w.digest(d.Method, d.Place) != d.Digest }) {
			return e.answer, true, e.err
		}
	}
	return answer{}, false, nil
}

// fail keeps how a rendering ended that came to one of its bounds.
func (k *kept) fail(key string, err error, deps []dep) {
	if slices.Contains([]string{sandbox.CodeTime, sandbox.CodeMemory, sandbox.CodeLarge}, fault.CodeOf(err)) {
		k.put(key, "", &entry{err: err, until: time.Now().Add(keptSpent), deps: deps, size: 1000})
	}
}

func (k *kept) add(key, revision string, a answer, deps []dep) {
	k.put(key, revision, &entry{answer: a, deps: deps, size: 1000})
}

func (k *kept) put(key, revision string, e *entry) {
	a, deps := e.answer, e.deps
	if deps == nil || len(deps) > keptDeps {
		return
	}
	if a.Revision {
		e.revision = revision
	}
	for _, o := range a.Objects {
		e.size += len(o)
	}
	for _, d := range deps {
		e.size += 150 + len(d.Place.Name)
	}
	if e.size > keptBytes/4 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.entries == nil {
		k.entries = map[string][]*entry{}
	}
	k.order = slices.DeleteFunc(k.order, func(o string) bool { return o == key })
	k.order = append(k.order, key)
	list := append(k.entries[key], e)
	k.bytes += e.size
	if len(list) > keptEach {
		k.bytes -= list[0].size
		list = list[1:]
	}
	k.entries[key] = list
	for k.bytes > keptBytes && len(k.order) > 1 {
		for _, old := range k.entries[k.order[0]] {
			k.bytes -= old.size
		}
		delete(k.entries, k.order[0])
		k.order = k.order[1:]
	}
}

// note remembers a question.
func (w *witness) note(method string, p place) {
	key := method + "\x00" + p.Tree + "\x00" + p.Name
	if w.known == nil {
		w.known = map[string]bool{}
	}
	if !w.known[key] {
		w.known[key] = true
		w.deps = append(w.deps, dep{Method: method, Place: p})
	}
}

// seen are the questions with what they were answered; nil where it must not be kept.
func (w *witness) seen() []dep {
	out := make([]dep, 0, len(w.deps))
	for _, d := range w.deps {
		if d.Method == askChart {
			return nil
		}
		d.Digest = w.digest(d.Method, d.Place)
		out = append(out, d)
	}
	return out
}

// digest is a mark of a question's answer; it changes with the answer. Git's own names of files are used, so no file is
// read for it.
func (w *witness) digest(method string, p place) string {
	if method == askBase {
		at, err := w.base(p.Name)
		if err != nil {
			return failed(err)
		}
		return at.Tree
	}
	t, err := w.tree(p.Tree)
	if err != nil {
		return "none"
	}
	if method == askList || method == askWalk {
		list, err := t.List(w.ctx, p.Name)
		if method == askWalk {
			list, err = walk(w.ctx, t, p.Name)
		}
		if err != nil {
			return failed(err)
		}
		sum := sha256.New()
		for _, e := range list {
			fmt.Fprintf(sum, "%s\x00%s\x00", e.Name, e.Sort)
			if e.Sort != source.Folder {
				fmt.Fprintf(sum, "%s", e.ID)
			}
		}
		return hex.EncodeToString(sum.Sum(nil)[:16])
	}
	real, e, err := t.Stat(w.ctx, p.Name)
	if err != nil {
		return failed(err)
	}
	if method == askStat {
		return real + "\x00" + string(e.Sort)
	}
	return real + "\x00" + string(e.Sort) + "\x00" + e.ID
}

func failed(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "missing"
	}
	return "failed " + fault.CodeOf(err)
}
