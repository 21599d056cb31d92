package pod_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/edge/objects"
)

// A container that does not stay up says once where its log is, and what to do where another pod has its port.
func TestCrashesSayWhere(t *testing.T) {
	b := newBench(t, nil)
	b.run("taken", "containers: [{name: c, command: [sh, -c, 'echo \"bind: Address already in use\" >&2; exit 3']}]")
	b.run("other", "containers: [{name: c, command: [sh, -c, 'exit 4']}]")
	told := func(pod string) []string {
		return slices.DeleteFunc(slices.Clone(b.events), func(e string) bool { return !strings.HasPrefix(e, pod+" Ended: ") })
	}
	for name, code := range map[string]string{"taken": "3", "other": "4"} {
		b.wait("two crashes of "+name, func() bool {
			return strings.Count(strings.Join(b.events, "\n"), name+" BackOff") > 1
		})
		b.mu.Lock()
		all := told(name)
		b.mu.Unlock()
		if len(all) != 1 || !strings.Contains(all[0], "Container c ends with exit code "+code+"; its log is ") {
			t.Fatalf("told: %q", all)
		}
		path, rest, _ := strings.Cut(strings.SplitN(all[0], "its log is ", 2)[1], ";")
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
		if strings.Contains(rest, "listen on $SLUICE_POD_IP") != (name == "taken") {
			t.Errorf("%s: %q", name, all[0])
		}
	}
}

// The address to listen on is known to commands as to shells.
func TestCommandsKnowTheAddress(t *testing.T) {
	b := newBench(t, nil)
	p := b.run("a", "restartPolicy: Never\ncontainers: [{name: c, command: [sh, -c, 'echo $0 $1 $SLUICE_POD_IP', $(SLUICE_POD_IP)], args: [$(SLUICE_POD_IP)]}]")
	b.until("a", "Succeeded c:exit0")
	ip := b.status("a").Text("podIP")
	if got := b.logs(p, objects.LogOptions{}); ip == "" || got != ip+" "+ip+" "+ip+"\n" {
		t.Errorf("got %q, the pod's address is %q", got, ip)
	}
}
