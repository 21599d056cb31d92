// Package script turns a job's commands into the text of one shell run, and that run's two streams of bytes into an
// ordered output: each command is told before what it prints. It starts no process and reads nothing itself.
//
// Between two commands the shell writes a mark to both streams. A mark holds a random number that the text itself does
// not hold in that form, so no program can print one by printing the script. The marks are written to the streams as they
// were at the start, by path, so that a script that redirects its own output (exec >log) neither gets marks into its files
// nor stops the echo.
package script

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
)

// Script is a shell's text and what is shown of it.
type Script struct {
	Text string   // for the shell
	Echo []string // what is shown before each command; "" is an empty line
	mark string   // what begins a mark, "" where there are none
}

// Options shape a script.
type Options struct {
	// Bash says that the shell is bash; else it is a POSIX sh (dash, busybox).
	Bash bool
	// Quiet leaves the echo out.
	Quiet bool
	// Out and Err are words of the shell whose values are paths that open the two streams. Empty means the shell's own
	// descriptors 1 and 2 at that time.
	Out, Err string
	// Nonce makes the marks of this run unlike any other's: hexadecimal digits. See Nonce.
	Nonce string
}

// Nonce makes the random part of marks.
func Nonce() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// markByte begins and ends a mark: the record separator of ASCII, which text rarely holds.
const markByte = '\036'

// Compose makes the text of a shell that runs the commands one after the other and stops at the first that fails. The commands
// are joined by line ends, as GitLab's runner does it: a loop or a here document may span several of them.
func Compose(commands []string, o Options) *Script {
	var b strings.Builder
	if o.Bash {
		b.WriteString("set -eo pipefail; set +o noclobber\n")
	} else {
		b.WriteString("command set -o pipefail 2>/dev/null || :; set -e; set +o noclobber\n")
	}
	s := &Script{}
	if !o.Quiet {
		s.mark = string(rune(markByte)) + o.Nonce + " "
	}
	for i, c := range commands {
		c = strings.TrimSpace(c)
		if !o.Quiet {
			s.Echo = append(s.Echo, shown(c))
			if i > 0 { // nothing can have been printed before the first
				b.WriteString(o.mark(i))
			}
		}
		b.WriteString(c)
		b.WriteByte('\n')
	}
	s.Text = b.String()
	return s
}

// mark is the shell's line that writes mark i. Standard error comes first: once the other mark is read, this one is there.
// Functions of the script named printf are passed over; its xtrace is not shown; a failure is none of the script's.
func (o Options) mark(i int) string {
	print := fmt.Sprintf(`command printf '\036%s %d\036'`, o.Nonce, i)
	plain := "{ " + print + " >&2; " + print + "; } || :\n"
	if o.Out == "" {
		return plain
	}
	return "{ " + print + " >" + o.Err + "; " + print + " >" + o.Out + "; } 2>/dev/null || " + plain
}

// shown is what the output says of a command: its first line, as GitLab's runner does it.
func shown(c string) string {
	first, _, more := strings.Cut(c, "\n")
	if more {
		return strings.TrimSuffix(first, "\r") + " # collapsed multi-line command"
	}
	return first
}

// Quote makes s one word of a POSIX shell.
func Quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
