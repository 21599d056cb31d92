package agent

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// maxRead bounds what one ReadFiles brings into memory, in bytes, however many files it finds.
const maxRead = 256 << 20

// read returns the text of files in the workspace; nothing outside of it is opened. A file that cannot be read is told
// in the log and left out: what a job left behind does not make the machinery fail.
func (s *session) read(a program.ReadFiles) program.Outcome {
	root, err := os.OpenRoot(s.host.Paths().Workspace)
	if err != nil {
		return s.outcome(s.job, fmt.Errorf("open the workspace: %w", err))
	}
	defer root.Close()
	paths, err := a.Select.Files(root.FS())
	if err != nil {
		return s.outcome(s.job, err)
	}
	var o program.Outcome
	left := int64(maxRead)
	for _, path := range paths {
		found, err := readOne(root, path, min(a.Limit, left))
		if err != nil {
			if err := s.say(program.Say{Text: fmt.Sprintf("%s is not read: %v", path, err), Warning: true}); err != nil {
				return s.outcome(s.job, err)
			}
			continue
		}
		left -= int64(len(found.Content))
		o.Files = append(o.Files, found)
	}
	o.Count = len(o.Files)
	return o
}

func readOne(root *os.Root, path string, limit int64) (program.FoundFile, error) {
	found := program.FoundFile{Path: path}
	// Without waiting: a link may lead to a pipe.
	file, err := root.OpenFile(filepath.FromSlash(path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return found, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return found, err
	}
	if !info.Mode().IsRegular() {
		return found, errors.New("not a file")
	}
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return found, err
	}
	if int64(len(content)) > limit {
		content, found.Truncated = content[:limit], true
	}
	found.Content = content
	return found, nil
}
