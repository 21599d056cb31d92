package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// number is the pipeline's number in this repository, from 1: CI_PIPELINE_ID. Taken, it is never given again, also not
// to a run at the same time; else it is what the next run would get.
func number(root string, take bool) (int, error) {
	if !take {
		text, err := readPlain(filepath.Join(stateDir(root), "number"), 32)
		if err != nil {
			return 1, nil //nolint:nilerr // nothing has run yet
		}
		return lastNumber(text) + 1, nil
	}
	state, err := openState(root)
	if err != nil {
		return 0, err
	}
	file, err := os.OpenFile(filepath.Join(state, "number"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o644)
	if err != nil {
		return 0, fault.New(codeState, "%v", err).WithHint("is the disk full?")
	}
	defer file.Close()
	for {
		if err = unix.Flock(int(file.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return 0, fmt.Errorf("number the run: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(file, 32))
	if err != nil {
		return 0, fmt.Errorf("number the run: %w", err)
	}
	n := lastNumber(text) + 1
	if _, err := file.WriteAt([]byte(strconv.Itoa(n)+"\n"), 0); err != nil {
		return 0, fault.New(codeState, "%v", err).WithHint("is the disk full?")
	}
	return n, nil
}

// lastNumber reads what number wrote; anything else counts as nothing.
func lastNumber(text []byte) int {
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n < 0 {
		return 0
	}
	return n
}
