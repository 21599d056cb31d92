// Command oracle asks actionlint what it makes of things that Sluice reads too, so that tests can compare the two. It is
// a module of its own, because actionlint needs another release of the YAML library than Sluice does; they exchange
// JSON lines.
//
//	oracle expr      reads {"expr": "…"} lines, prints {"ok": true, "shape": "…"} or {"ok": false, "error": "…"} for each
//	oracle lint      reads {"root": "…", "file": "…", "config": "…"} lines, prints {"findings": [{kind, line, column, message}]} for each
//	oracle popular   prints the table of popular actions, compressed
//
// It decides nothing and takes no part in Sluice itself.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// command reads one JSON value from each line of in and writes one to out for it.
type command func(line []byte) (any, error)

// commands by name; a further comparison is a further entry.
var commands = map[string]command{
	"expr": parseExpr,
	"lint": lintFile,
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(2)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	if len(args) == 1 && args[0] == "popular" {
		return popular(out)
	}
	if len(args) != 1 || commands[args[0]] == nil {
		names := []string{"popular"}
		for name := range commands {
			names = append(names, name)
		}
		slices.Sort(names)
		return fmt.Errorf("one argument is wanted, of: %s", strings.Join(names, ", "))
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	w := bufio.NewWriter(out)
	enc := json.NewEncoder(w)
	for lines.Scan() {
		answer, err := commands[args[0]](lines.Bytes())
		if err != nil {
			return err
		}
		if err := enc.Encode(answer); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read questions: %w", err)
	}
	return w.Flush()
}
