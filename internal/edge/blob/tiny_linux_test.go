package blob_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// tiny mounts a file system of so many bytes. It needs root.
func tiny(t *testing.T, size string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: only root can mount a small file system, so the full disk is left out")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skip("NOT TESTED: no small file system can be mounted, so the full disk is left out:", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
