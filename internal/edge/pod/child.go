package pod

import (
	"fmt"
	"os"
)

// exitStart is the exit code of a container that could not be started.
const exitStart = 128

// Main is a helper: "start FOLDER" mounts as the plan in the folder says and becomes the container's process, "try FOLDER" tells
// whether mounts are allowed, "keep COOKIE" waits for us to end. It gives the exit code; it is the last thing that a process does.
func Main(args []string) int {
	if len(args) != 2 {
		fmt.Fprintln(os.Stderr, "sluice: pod-child is for Sluice itself")
		return 2
	}
	var err error
	switch args[0] {
	case "keep":
		keep(os.Stdin, args[1])
	case "try":
		err = tryMount(args[1])
	case "start":
		err = startMounted(args[1]) // returns only where it fails
	default:
		err = fmt.Errorf("%q is no task of a helper", args[0])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sluice:", err)
		return exitStart
	}
	return 0
}
