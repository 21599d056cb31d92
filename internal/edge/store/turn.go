package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/blob"
)

// turn is a claim's place among those of a group of the mode single: a file that says which claim is the newest. Its
// methods may be called of nil, the turn of a claim of another mode.
type turn struct {
	file *os.File
	mine string
}

// newest is what the file says.
type newest struct {
	Claim  string `json:"claim"` // unlike any other's
	Name   string `json:"name"`
	Cancel bool   `json:"cancel,omitempty"`
}

// takeTurn makes a claim the newest. There is no turn where it cannot be written.
func takeTurn(ctx context.Context, dir string, c Claim) (*turn, error) {
	file, err := openGroup(filepath.Join(dir, ".turn-"+blob.FileName(c.Group))) // no group's own file begins with a dot
	if err != nil {
		return nil, err
	}
	t := &turn{file: file, mine: rand.Text()}
	text, err := json.Marshal(newest{t.mine, name(c), c.Cancel})
	if err == nil {
		err = t.write(ctx, text)
	}
	if err != nil {
		_ = t.close()
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, nil //nolint:nilnil // a full disk must not keep the job from running: it waits like any other
	}
	return t, nil
}

// write replaces what the file says. Those who write take turns; those who read may see less than the whole for a moment
// and look again.
func (t *turn) write(ctx context.Context, text []byte) error {
	for {
		got, err := tryFlock(t.file)
		if err != nil {
			return err
		}
		if got {
			break
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Millisecond):
		}
	}
	if err := t.file.Truncate(0); err != nil {
		return err
	}
	if _, err := t.file.WriteAt(text, 0); err != nil {
		return err
	}
	return unlock(t.file)
}

// newer is the claim that came after ours, if one did.
func (t *turn) newer() (newest, bool) {
	if t == nil {
		return newest{}, false
	}
	text := make([]byte, 4<<10)
	n, _ := t.file.ReadAt(text, 0)
	var other newest
	if err := json.Unmarshal(text[:max(0, n)], &other); err != nil {
		return newest{}, false
	}
	return other, other.Claim != "" && other.Claim != t.mine
}

// came says why a claim yields to another.
func came(other newest, c Claim) string {
	return fmt.Sprintf("%s came for the concurrency group %q", other.Name, c.Group)
}

// watch yields the group when a newer claim wants it. What it returns ends the watch and closes the turn.
func (t *turn) watch(c Claim) (leave func()) {
	if t == nil {
		return func() {}
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(pollGroup)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if other, newer := t.newer(); newer && other.Cancel {
				c.Yield(came(other, c))
				return
			}
		}
	}()
	return func() {
		close(stop)
		<-done
		_ = t.close()
	}
}

func (t *turn) close() error {
	if t == nil {
		return nil
	}
	return t.file.Close()
}
