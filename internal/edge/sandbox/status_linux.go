package sandbox

import (
	"bytes"
	"os"
	"strconv"
)

// usage is what a process takes, in bytes.
type usage struct {
	own  int64 // in memory and its own: what it shares with files is not counted
	data int64 // mapped to be written, in memory or not
}

// status reads /proc. A process that is gone takes nothing.
func status(pid string) (u usage) {
	text, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return usage{}
	}
	for line := range bytes.Lines(text) {
		name, rest, _ := bytes.Cut(line, []byte(":"))
		number, ok := bytes.CutSuffix(bytes.TrimSpace(rest), []byte(" kB"))
		if !ok {
			continue
		}
		n, _ := strconv.ParseInt(string(number), 10, 64)
		switch string(name) {
		case "RssAnon":
			u.own = n << 10
		case "VmData":
			u.data = n << 10
		}
	}
	return u
}
