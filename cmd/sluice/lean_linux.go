package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// releaseProgram lets go of the pages of the program's file that are in this process' memory: to start, most of it is read
// once (tables of all the libraries), and what is in use comes back from the page cache. Only mappings are let go of that may
// not be written to and hold no page that ever was (relocations leave such behind), and they come back in small pages: file
// systems keep programs in pieces of 2 MB, each of which would come back whole. Where that does not work, nothing is lost.
func releaseProgram() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer maps.Close()
	var begin, end uintptr
	clean := 0
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) >= 5 && strings.Contains(fields[0], "-"): // begin-end rights offset device inode file (proc(5))
			begin, end, clean = 0, 0, 0
			if len(fields) == 6 && fields[5] == program && !strings.Contains(fields[1], "w") {
				if _, err := fmt.Sscanf(fields[0], "%x-%x", &begin, &end); err != nil {
					end = 0
				}
			}
		case end == 0 || len(fields) != 3 || fields[1] != "0":
		case fields[0] == "Anonymous:", fields[0] == "Swap:":
			if clean++; clean == 2 {
				_, _, _ = unix.Syscall(unix.SYS_MADVISE, begin, end-begin, unix.MADV_NOHUGEPAGE)
				_, _, _ = unix.Syscall(unix.SYS_MADVISE, begin, end-begin, unix.MADV_DONTNEED)
			}
		}
	}
}
