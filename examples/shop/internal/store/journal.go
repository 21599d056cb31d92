// Package store keeps a shop's changes in one file, a line of JSON each.
//
// The file is only ever appended to. A last line that was cut off by a crash is dropped at the next start; any other damage is an
// error, since guessing would lose orders.
package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"example.com/shop/internal/shop"
)

// Journal appends changes to a file. It is safe for use by several goroutines.
type Journal struct {
	mu   sync.Mutex
	file *os.File
}

// Open opens the journal at path, or makes it, and returns the changes that it holds.
func Open(path string) (*Journal, []shop.Change, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the journal: %w", err)
	}
	past, err := read(file)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("read the journal %s: %w", path, err), file.Close())
	}
	return &Journal{file: file}, past, nil
}

// read returns the whole lines and leaves the file cut and placed behind them.
func read(file *os.File) ([]shop.Change, error) {
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	if err := file.Truncate(int64(len(whole))); err != nil {
		return nil, err
	}
	if _, err := file.Seek(int64(len(whole)), io.SeekStart); err != nil {
		return nil, err
	}
	var past []shop.Change
	for n, line := range bytes.Split(bytes.TrimSuffix(whole, []byte("\n")), []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var c shop.Change
		if err := json.Unmarshal(line, &c); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		past = append(past, c)
	}
	return past, nil
}

// Append writes a change. An order is on the disk when Append returns; a cart may be lost with the machine, not with the process.
func (j *Journal) Append(c shop.Change) error {
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return err
	}
	if c.Order != nil {
		return j.file.Sync()
	}
	return nil
}

// Close writes what the system still holds to the disk and closes the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return errors.Join(j.file.Sync(), j.file.Close())
}
