// Command image is all that runs in the containers of the tests' cluster, and the registry that serves them. One static
// program plays every image: a server that says its version, fails and delays as told, a client, sleep and pause. What
// it does depends on the name it is called by.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	if name == "image" && len(args) > 0 {
		name, args = args[0], args[1:]
	}
	var err error
	switch name {
	case "registry": // registry ADDRESS BUSYBOX
		err = registry(args[0], args[1])
	case "serve":
		err = serve()
	case "wget", "curl":
		err = get(args)
	case "sleep":
		err = sleep(args)
	case "pause":
		<-told()
	default:
		err = fmt.Errorf("no such part: %s", name)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// told gives the signal to end. The first process of a container gets none by default.
func told() <-chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM, syscall.SIGINT)
	return c
}

// sleep sleeps as the command of that name: numbers with an optional unit, added up.
func sleep(args []string) error {
	var all time.Duration
	for _, a := range args {
		unit := time.Second
		if n := len(a) - 1; n > 0 {
			if u, ok := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[a[n]]; ok {
				a, unit = a[:n], u
			}
		}
		var n float64
		if a == "infinity" || a == "inf" {
			n = 1e6
		} else if _, err := fmt.Sscan(a, &n); err != nil {
			return fmt.Errorf("invalid time interval %q", a)
		}
		all += time.Duration(n * float64(unit))
	}
	select {
	case <-time.After(all):
		return nil
	case <-told():
		os.Exit(143)
		return nil
	}
}
