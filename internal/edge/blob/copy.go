package blob

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// chunk is how many bytes are copied at a time.
const chunk = 256 << 10

// copyFile makes a copy of a file in another folder, which must not have one of its name: same content, time and mode
// (set-id bits dropped). It shares the blocks where the file system can. seen, if not nil, is told what the copy is like.
func copyFile(src, dst int, base string, buf []byte, seen func(*unix.Stat_t)) (size int64, err error) {
	in, err := unix.Openat(src, base, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(in)
	var st unix.Stat_t
	if err := unix.Fstat(in, &st); err != nil {
		return 0, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return 0, errors.New("it is no longer a file")
	}
	out, err := unix.Openat(dst, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() {
		if e := unix.Close(out); err == nil {
			err = e
		}
	}()
	if st.Size > 0 && clone(out, in) != nil {
		if err := pump(out, in, buf); err != nil {
			return 0, err
		}
	}
	// The time and the exact mode belong to the file: make looks at the one, and the umask is not asked.
	if err := setTimes(dst, base, &st); err != nil {
		return 0, fmt.Errorf("set its time: %w", err)
	}
	if err := unix.Fchmod(out, uint32(st.Mode)&0o777); err != nil {
		return 0, fmt.Errorf("set its mode: %w", err)
	}
	if seen != nil {
		var made unix.Stat_t
		if err := unix.Fstat(out, &made); err != nil {
			return 0, err
		}
		seen(&made)
	}
	return st.Size, nil
}

// pump copies what is left of in.
func pump(out, in int, buf []byte) error {
	for {
		n, err := unix.Read(in, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n <= 0 || err != nil {
			return err
		}
		for rest := buf[:n]; len(rest) > 0; {
			k, err := unix.Write(out, rest)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil {
				return err
			}
			if k == 0 {
				return io.ErrShortWrite
			}
			rest = rest[k:]
		}
	}
}
