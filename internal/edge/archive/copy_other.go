//go:build !linux

package archive

import (
	"io"
	"os"
)

// Copy copies a file's bytes.
func Copy(dst, src *os.File) error {
	_, err := io.Copy(dst, src)
	return err
}
