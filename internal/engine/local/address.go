package local

import (
	"fmt"
	"hash/fnv"
	"strings"
	"sync"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// Range is the loopback addresses of one sort of thing: 127.net.*.*.
type Range struct {
	net  int
	mu   sync.Mutex
	used map[string]string // address to owner
	next int
}

// Ranges are those of pods and of Services for a state folder. Folders have ranges of their own, as far as there are, so that
// several local targets of a machine rarely meet.
func Ranges(folder string) (pods, services *Range) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(folder))
	n := int(h.Sum32()%120)*2 + 2
	return &Range{net: n, used: map[string]string{}}, &Range{net: n + 1, used: map[string]string{}}
}

// Take gives an owner an address: the one it has where that is of this range and free, else the next.
func (r *Range) Take(owner, now string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if strings.HasPrefix(now, fmt.Sprintf("127.%d.", r.net)) && (r.used[now] == "" || r.used[now] == owner) {
		r.used[now] = owner
		return now, nil
	}
	const all = 254 * 256
	for range all {
		r.next++
		a := fmt.Sprintf("127.%d.%d.%d", r.net, r.next/254%256, r.next%254+1)
		if r.used[a] == "" {
			r.used[a] = owner
			return a, nil
		}
	}
	return "", fault.New(CodeAddresses, "all addresses of 127.%d.0.0/16 are taken", r.net)
}

// Free gives an owner's address back.
func (r *Range) Free(owner string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for a, o := range r.used {
		if o == owner {
			delete(r.used, a)
		}
	}
}
