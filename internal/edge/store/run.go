// Package store keeps what a run leaves behind to be read: its record, its journal and the log of every job, as files
// below .sluice/runs/<id>. It never keeps the state of a run in memory for others to share.
package store

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/run"
)

// The faults of this package.
const (
	CodeLog = "SL2501" // a log or record cannot be written
	CodeRun = "SL2502" // there is no such run
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeLog, Summary: "a log or record cannot be written", Text: "The logs and records of runs are kept below .sluice/runs. The disk may be full or the folder not writable."},
	{Code: CodeRun, Summary: "there is no such run", Text: "`sluice run list` shows the runs that are kept here."},
}

// Record is what is known of a run: run.json.
type Record struct {
	ID       string     `json:"id"`
	Number   int        `json:"number"`
	Event    string     `json:"event"`
	Ref      string     `json:"ref"`
	SHA      string     `json:"sha"`
	Dirty    bool       `json:"dirty,omitempty"`
	File     string     `json:"file"`
	Status   run.Status `json:"status"`
	Started  time.Time  `json:"started"`
	Finished *time.Time `json:"finished,omitempty"`
	Owner    string     `json:"owner"` // of the process that runs it, as executor.Owner names it
	Sources  []Source   `json:"sources,omitempty"`
}

// Source is what a run took from another repository, and what its ref came to: a commit, a digest of the files, or both.
type Source struct {
	Repository string `json:"repository"`
	Ref        string `json:"ref"`
	Commit     string `json:"commit,omitempty"`
	Digest     string `json:"digest,omitempty"`
	From       string `json:"from"` // for a person
}

// Run is the folder of one run.
type Run struct {
	Dir string

	mu      sync.Mutex
	journal *bufio.Writer
	flushed time.Time
	file    *os.File
}

// Create makes the folder of a new run below state (.sluice). The run's ID must be one file's name and new.
func Create(state string, r Record) (*Run, error) {
	if r.ID == "" || r.ID != filepath.Base(r.ID) || strings.HasPrefix(r.ID, ".") {
		return nil, fault.New(CodeLog, "a run cannot be called %q", r.ID)
	}
	dir := filepath.Join(state, "runs", r.ID)
	if err := errors.Join(os.MkdirAll(filepath.Dir(dir), 0o755), os.Mkdir(dir, 0o755)); err != nil {
		return nil, fault.New(CodeLog, "%v", err).WithHint("is the disk full, or the folder not writable?")
	}
	out := &Run{Dir: dir}
	if err := out.Put(r); err != nil {
		return nil, err
	}
	file, err := os.Create(filepath.Join(dir, "journal.jsonl"))
	if err != nil {
		return nil, fault.New(CodeLog, "%v", err)
	}
	out.file, out.journal = file, bufio.NewWriterSize(file, 32<<10)
	return out, nil
}

// Put writes the record anew; whoever reads it sees the old one or the new one.
func (r *Run) Put(rec Record) error {
	text, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return fmt.Errorf("write run.json: %w", err)
	}
	fresh := filepath.Join(r.Dir, ".run.json")
	err = os.WriteFile(fresh, append(text, '\n'), 0o644)
	if err == nil {
		err = os.Rename(fresh, filepath.Join(r.Dir, "run.json"))
	}
	if err != nil {
		return errors.Join(fault.New(CodeLog, "write the run's record: %v", err).WithHint("is the disk full?"), os.RemoveAll(fresh))
	}
	return nil
}

// Append adds a change to the journal. It is in the file after a moment, so that a run that is killed has left its story.
func (r *Run) Append(c run.Change) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	_, err = r.journal.Write(append(text, '\n'))
	if now := time.Now(); err == nil && now.Sub(r.flushed) > flushEvery {
		r.flushed = now
		err = r.journal.Flush()
	}
	if err != nil {
		return fault.New(CodeLog, "write the journal: %v", err).WithHint("is the disk full?")
	}
	return nil
}

// Log opens the log of a job; key is the job's name as a file name.
func (r *Run) Log(key string, mask *logs.Mask, sink Sink) (*Log, error) {
	return openLog(r.LogPath(key), mask, sink)
}

// LogPath is where the log of a job is.
func (r *Run) LogPath(key string) string { return filepath.Join(r.Dir, key+".log") }

// Close ends the journal.
func (r *Run) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := errors.Join(r.journal.Flush(), r.file.Close()); err != nil {
		return fault.New(CodeLog, "write the journal: %v", err).WithHint("is the disk full?")
	}
	return nil
}

// List reads the records of the runs below state, the newest first. A folder without a readable record is passed over.
func List(state string) ([]Record, error) {
	entries, err := os.ReadDir(filepath.Join(state, "runs"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the runs: %w", err)
	}
	var out []Record
	for _, e := range entries {
		if r, err := Get(state, e.Name()); err == nil {
			out = append(out, r)
		}
	}
	// The name of a run's folder tells its second only.
	slices.SortStableFunc(out, func(a, b Record) int { return b.Started.Compare(a.Started) })
	return out, nil
}

// recordLimit is more than any record has, in bytes.
const recordLimit = 1 << 20

// readRecord reads a record. A repository may bring a .sluice along: no link is followed and no pipe waited for.
func readRecord(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, recordLimit))
}

// Get reads the record of one run.
func Get(state, id string) (Record, error) {
	var r Record
	text, err := readRecord(filepath.Join(state, "runs", id, "run.json"))
	if err != nil {
		return r, fmt.Errorf("read the record of run %s: %w", id, err)
	}
	if err := json.Unmarshal(text, &r); err != nil || r.ID != id {
		return r, fault.New(CodeRun, "the record of run %s is damaged", id)
	}
	return r, nil
}
