package glob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// followFlag is the option of hashFiles in the place of its first pattern.
const followFlag = "--follow-symbolic-links"

// Hash is what hashFiles answers (GitHub Docs, "Evaluate expressions in workflows and actions", hashFiles): the SHA-256
// of the SHA-256 of every file that the patterns match in the job's workspace, in hexadecimal, and how many files that
// were. It is "" where no file matches. Files outside of the workspace are passed over.
func Hash(ctx context.Context, p program.Paths, patterns []string) (sum string, files int, err error) {
	o := Options{Dir: p.JobWorkspace, NoFollow: true, NoFolders: true}
	if len(patterns) > 0 && strings.EqualFold(patterns[0], followFlag) {
		o.NoFollow, patterns = false, patterns[1:]
	}
	read, err := Parse(patterns, o)
	if err != nil {
		return "", 0, err
	}
	view := Of(p, "").Open()
	defer view.Close()
	all, one := sha256.New(), sha256.New()
	err = read.Find(ctx, view, func(f Found) error {
		if !within(p.JobWorkspace, path.Clean(f.Path)) {
			return nil
		}
		file, info, err := view.Open(f.Path)
		if err != nil {
			return fmt.Errorf("hash %s: %w", f.Path, err)
		}
		defer file.Close()
		if !info.Mode().IsRegular() {
			return nil
		}
		one.Reset()
		if _, err := io.Copy(one, file); err != nil {
			return fmt.Errorf("hash %s: %w", f.Path, err)
		}
		files++
		_, err = all.Write(one.Sum(nil))
		return err
	})
	if err != nil || files == 0 {
		return "", 0, err
	}
	return hex.EncodeToString(all.Sum(nil)), files, nil
}
