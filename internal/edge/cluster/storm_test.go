package cluster_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	restclient "k8s.io/client-go/rest"

	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// storm stands before the real API server and, while it rages, answers some requests itself, loses answers and cuts watches.
type storm struct {
	t      *testing.T
	server string
	client *http.Client
	rages  atomic.Bool
	denies atomic.Value // a part of paths that are forbidden

	mu      sync.Mutex
	rand    *rand.Rand
	kinds   map[string]int // of faults, how often
	watches int
	asked   map[string][]time.Time // of each path: requests after one that failed
	bad     map[string]bool        // paths whose last answer was a failure
}

func brew(t *testing.T, k *kubetest.Kube) (*storm, *cluster.Cluster) {
	t.Helper()
	s := &storm{
		t: t, server: k.Server, client: must[*http.Client](t)(restclient.HTTPClientFor(rest(t, k))),
		rand: rand.New(rand.NewPCG(1, 12)), kinds: map[string]int{}, asked: map[string][]time.Time{}, bad: map[string]bool{},
	}
	s.denies.Store("")
	front := httptest.NewServer(s)
	t.Cleanup(front.Close)
	return s, must[*cluster.Cluster](t)(cluster.Dial(&restclient.Config{Host: front.URL}, cluster.Options{QPS: 1000, Burst: 1000}))
}

// fault picks what goes wrong with a request, "" for nothing.
func (s *storm) fault(r *http.Request) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := r.URL.Path
	if s.bad[path] && !r.URL.Query().Has("watch") {
		s.asked[path] = append(s.asked[path], time.Now())
	}
	if part := s.denies.Load().(string); part != "" && strings.HasSuffix(path, part) {
		return "403"
	}
	if !s.rages.Load() {
		return ""
	}
	out, n := "", s.rand.IntN(100)
	switch {
	case r.URL.Query().Has("watch"):
		out = []string{"", "410", "gone", "", "500"}[s.watches%5]
		s.watches++
	case r.Method != http.MethodGet && n < 30:
		out = "409"
	case n < 40:
		out = "429"
	case n < 47:
		out = "500"
	case n < 52:
		out = "503"
	case n < 57:
		out = "drop" // before the server has it
	case n < 64:
		out = "lose" // after
	case n < 67:
		out = "slow"
	}
	if out != "" {
		s.kinds[out]++
	}
	return out
}

func (s *storm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	out := s.fault(r)
	code, reason := 0, ""
	switch out {
	case "409":
		code, reason = 409, "Conflict"
	case "410":
		code, reason = 410, "Expired"
	case "429":
		w.Header().Set("Retry-After", "1")
		code, reason = 429, "TooManyRequests"
	case "403":
		code, reason = 403, "Forbidden"
	case "500", "503":
		code, _ = strconv.Atoi(out)
	case "drop":
		s.note(r, r.Method == http.MethodGet) // which net/http itself sends again at once, on another connection
		panic(http.ErrAbortHandler)
	case "slow":
		time.Sleep(2 * time.Second)
	}
	if code != 0 {
		s.note(r, false)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"storm","reason":%q,"details":{"name":"x"},"code":%d}`, reason, code)
		return
	}
	s.pass(w, r, body, out)
}

func (s *storm) note(r *http.Request, good bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bad[r.URL.Path] = !good
}

// pass hands a request to the real server.
func (s *storm) pass(w http.ResponseWriter, r *http.Request, body []byte, out string) {
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	on, err := http.NewRequestWithContext(ctx, r.Method, s.server+r.URL.RequestURI(), strings.NewReader(string(body)))
	if err != nil {
		s.t.Error(err)
		return
	}
	on.Header = r.Header.Clone()
	on.Header.Del("Accept-Encoding")
	answer, err := s.client.Do(on)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = answer.Body.Close() }()
	if out == "lose" {
		_, _ = io.Copy(io.Discard, answer.Body)
		s.note(r, r.Method == http.MethodGet)
		panic(http.ErrAbortHandler)
	}
	s.note(r, answer.StatusCode < 300)
	maps.Copy(w.Header(), answer.Header)
	w.WriteHeader(answer.StatusCode)
	if !r.URL.Query().Has("watch") {
		_, _ = io.Copy(w, answer.Body)
		return
	}
	switch out {
	case "gone": // the stream itself tells that its revision is gone
		fmt.Fprintln(w, `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410}}`)
		return
	}
	var cut atomic.Bool
	go func() { // a stream lives half a second at most while the storm rages
		for ctx.Err() == nil {
			time.Sleep(time.Duration(50+rand.IntN(450)) * time.Millisecond)
			if s.rages.Load() {
				cut.Store(true)
				stop()
			}
		}
	}()
	w.(http.Flusher).Flush()
	for lines := bufio.NewReader(answer.Body); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil && cut.Load() {
			_, _ = w.Write(append(line, `{"type":"MODIF`...)) // in the middle of a message
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		if err != nil {
			return
		}
		_, _ = w.Write(line)
		w.(http.Flusher).Flush()
	}
}

// fastest is the largest number of requests that followed a failure on one object within a second.
func (s *storm) fastest() (path string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, at := range s.asked {
		slices.SortFunc(at, time.Time.Compare)
		for i := range at {
			end := i
			for end < len(at) && at[end].Sub(at[i]) < time.Second {
				end++
			}
			if end-i > n {
				path, n = p, end-i
			}
		}
	}
	return path, n
}

// R12: while the API server answers with 429, 409, 410, 5xx, slowly, or not at all and cuts watches, what is wanted gets
// there, and what another sets on the same objects stays as that one has set it.
func TestWhatIsWantedIsReachedThroughAStorm(t *testing.T) {
	k, direct := open(t)
	storm, c := brew(t, k)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	app := "storm-" + k.Namespace
	s := state(t, c, cluster.Scope{Namespaces: []string{k.Namespace}})
	const objects = 12
	name := func(i int) string { return fmt.Sprintf("s%d", i) }
	for i := range objects {
		must[manifest.Object](t)(direct.Create(ctx, marked(config(t, k, name(i), "theirs", "0"), app), manifest.Writing{Manager: "other"}))
	}
	must[application.Live](t)(s.Live(ctx, application.Tracking{App: app}, nil, []manifest.Kind{configMap}, nil))
	var wanted atomic.Int64
	storm.rages.Store(true)
	var group sync.WaitGroup
	theirs := make([]int, objects)
	raging := make(chan struct{})
	for i := range objects {
		group.Go(func() { theirs[i] = theirsOn(ctx, direct, k, name(i), raging) })
	}
	ours, stop := context.WithCancel(ctx)
	for i := range objects {
		group.Go(func() { oursOn(ours, t, c, s, k, app, name(i), &wanted, i%2 == 0) })
	}
	for range 8 {
		wanted.Add(1)
		_ = sleepFor(ctx, time.Second)
	}
	close(raging)
	storm.rages.Store(false)
	calm := time.Now()
	final := strconv.FormatInt(wanted.Load(), 10)
	k.Wait(t, "all objects are as wanted", func() bool {
		live, err := s.Live(ctx, application.Tracking{App: app}, nil, []manifest.Kind{configMap}, nil)
		if err != nil || len(live.Objects) != objects {
			return false
		}
		for _, o := range live.Objects {
			if o.Text("data", "ours") != final {
				return false
			}
		}
		return true
	})
	took := time.Since(calm)
	stop()
	group.Wait()
	if took > time.Minute {
		t.Errorf("it took %v after the storm, want at most a minute", took)
	}
	for i := range objects {
		o := must[manifest.Object](t)(direct.Get(ctx, configMap, k.Namespace, name(i)))
		if got := o.Text("data", "theirs"); got != strconv.Itoa(theirs[i]) || o.Text("data", "ours") != final {
			t.Errorf("%s has theirs %s (they wrote %d), ours %s (want %s)", name(i), got, theirs[i], o.Text("data", "ours"), final)
		}
	}
	for _, kind := range []string{"409", "410", "429", "500", "503", "gone", "drop", "lose", "slow"} {
		if storm.kinds[kind] == 0 {
			t.Errorf("the storm had no %s: %v", kind, storm.kinds)
		}
	}
	path, n := storm.fastest()
	if n > 5 {
		t.Errorf("%s was asked %d times in a second after failures, want at most 5", path, n)
	}
	t.Logf("converged %v after the storm; at most %d retries a second; faults %v", took.Round(time.Millisecond), n, storm.kinds)
}

// theirsOn is another owner of the object: it counts up a field of its own until the storm is over and tells how far it came.
func theirsOn(ctx context.Context, c *cluster.Cluster, k *kubetest.Kube, name string, over <-chan struct{}) int {
	n := 0
	for {
		select {
		case <-over:
			return n
		case <-time.After(30 * time.Millisecond):
		}
		o, err := c.Get(ctx, configMap, k.Namespace, name)
		if err != nil {
			continue
		}
		o.Set(strconv.Itoa(n+1), "data", "theirs")
		if _, err := c.Update(ctx, o, "", manifest.Writing{Manager: "other"}); err == nil {
			n++
		}
	}
}

// oursOn brings the object to what is wanted, again and again without a pause of its own, by server-side apply or by reading
// and writing the whole.
func oursOn(ctx context.Context, t *testing.T, c *cluster.Cluster, s *cluster.State, k *kubetest.Kube, app, name string, wanted *atomic.Int64, apply bool) {
	key := manifest.Key{Kind: "ConfigMap", Namespace: k.Namespace, Name: name}
	for ctx.Err() == nil {
		want := strconv.FormatInt(wanted.Load(), 10)
		live, err := s.Live(ctx, application.Tracking{App: app}, nil, []manifest.Kind{configMap}, nil)
		if err != nil || live.Objects[key] == nil || live.Objects[key].Text("data", "ours") == want {
			_ = sleepFor(ctx, 20*time.Millisecond)
			continue
		}
		if apply {
			o := config(t, k, name, "ours", want)
			_, err = c.Patch(ctx, configMap, k.Namespace, name, manifest.Patch{Kind: manifest.ApplyPatch, Data: o.JSON()}, manifest.Writing{Manager: "ours"})
		} else if o, bad := c.Get(ctx, configMap, k.Namespace, name); bad == nil {
			o.Set(want, "data", "ours")
			_, err = c.Update(ctx, o, "", manifest.Writing{Manager: "ours"})
		}
		if err != nil && ctx.Err() == nil && !manifest.Passing(err) {
			t.Errorf("%s: %v is not told to be passing", name, err)
		}
	}
}

func sleepFor(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func TestAWatchTellsOfEachObjectThroughCuts(t *testing.T) {
	k, direct := open(t)
	storm, c := brew(t, k)
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	held := map[string]string{} // what a reader of the watch believes
	bookmarks := 0
	var calm atomic.Bool
	done := make(chan error, 1)
	must[manifest.Object](t)(direct.Create(ctx, config(t, k, "w0", "n", "0"), manifest.Writing{}))
	go func() {
		done <- c.Watch(ctx, configMap, k.Namespace, "", func(ch manifest.Change) {
			mu.Lock()
			defer mu.Unlock()
			o := ch.Object
			_, known := held[o.Name()]
			switch ch.Type {
			case manifest.Bookmark:
				bookmarks++
				storm.rages.Store(!calm.Load())
			case manifest.Deleted:
				if !known || o.UID() == "" || o.Kind() != configMap {
					t.Errorf("the deletion of an unknown object is told: %s", o.JSON())
				}
				delete(held, o.Name())
			default:
				if known == (ch.Type == manifest.Added) {
					t.Errorf("%s of %s, which was known: %v", ch.Type, o.Name(), known)
				}
				held[o.Name()] = o.Text("data", "n")
			}
		})
	}()
	for n := range 60 {
		name := fmt.Sprintf("w%d", n%7)
		if n%7 == 3 {
			_ = direct.Delete(ctx, configMap, k.Namespace, name, manifest.Writing{})
		} else {
			patch := config(t, k, name, "n", strconv.Itoa(n))
			must[manifest.Object](t)(direct.Patch(ctx, configMap, k.Namespace, name, manifest.Patch{Kind: manifest.ApplyPatch, Data: patch.JSON(), Force: true}, manifest.Writing{}))
		}
		if n%20 == 10 { // made anew under the same name
			_ = direct.Delete(ctx, configMap, k.Namespace, name, manifest.Writing{})
			must[manifest.Object](t)(direct.Create(ctx, config(t, k, name, "n", "new"), manifest.Writing{}))
		}
		time.Sleep(100 * time.Millisecond)
	}
	calm.Store(true)
	storm.rages.Store(false)
	k.Wait(t, "the reader of the watch knows what is there", func() bool {
		there := map[string]string{}
		for _, o := range must[[]manifest.Object](t)(direct.List(ctx, configMap, k.Namespace, "")) {
			there[o.Name()] = o.Text("data", "n")
		}
		mu.Lock()
		defer mu.Unlock()
		return maps.Equal(there, held)
	})
	cancel()
	if err := <-done; err == nil {
		t.Error("the watch ended without a reason")
	}
	if mu.Lock(); bookmarks == 0 {
		t.Error("the end of the first list was not told")
	}
	mu.Unlock()
	if storm.kinds["410"]+storm.kinds["gone"] == 0 {
		t.Errorf("the storm was none: %v", storm.kinds)
	}
}

func TestAWatchEndsWithItsKindAndOutlivesLostRights(t *testing.T) {
	k, direct := open(t)
	storm, c := brew(t, k)
	group := strings.ReplaceAll(k.Namespace, "test-", "w") + ".example.org"
	kind := manifest.Kind{Group: group, Version: "v1", Kind: "Thing"}
	err := c.Watch(t.Context(), kind, "", "", func(manifest.Change) {})
	refused(t, err, manifest.ReasonNoKind, http.StatusNotFound)
	storm.denies.Store("/secrets")
	err = c.Watch(t.Context(), secretKind, k.Namespace, "", func(manifest.Change) {})
	refused(t, err, manifest.ReasonForbidden, http.StatusForbidden)

	k.ApplyDefinitions(t, "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things."+group+"}\nspec: {group: "+group+
		", scope: Namespaced, names: {kind: Thing, plural: things}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]}")
	thing := func(name string) manifest.Object {
		return manifest.Object{"apiVersion": kind.APIVersion(), "kind": "Thing", "metadata": map[string]any{"name": name, "namespace": k.Namespace}}
	}
	must[manifest.Object](t)(direct.Create(t.Context(), thing("one"), manifest.Writing{}))
	var mu sync.Mutex
	var seen []string
	done := make(chan error, 1)
	go func() {
		done <- c.Watch(t.Context(), kind, "", "", func(ch manifest.Change) {
			mu.Lock()
			defer mu.Unlock()
			if ch.Type != manifest.Bookmark {
				seen = append(seen, ch.Type+" "+ch.Object.Name())
			}
			storm.rages.Store(true) // cuts the watch soon
		})
	}()
	told := func(what string) {
		t.Helper()
		k.Wait(t, what, func() bool { mu.Lock(); defer mu.Unlock(); return slices.Contains(seen, what) })
	}
	told("ADDED one")
	storm.denies.Store("/things")
	time.Sleep(time.Second)
	must[manifest.Object](t)(direct.Create(t.Context(), thing("two"), manifest.Writing{}))
	storm.denies.Store("")
	told("ADDED two")
	storm.rages.Store(false)
	if err := direct.Delete(t.Context(), manifest.KindOf("apiextensions.k8s.io/v1", "CustomResourceDefinition"), "", "things."+group, manifest.Writing{}); err != nil {
		t.Fatal(err)
	}
	told("DELETED one")
	select {
	case err := <-done:
		if !manifest.NotFound(err) {
			t.Errorf("the watch ended with %v", err)
		}
	case <-time.After(2 * time.Minute):
		t.Error("the watch did not end with its kind")
	}
}

func TestARequestEndsWithItsContextAndTheLostAnswerOfADeletionIsNoError(t *testing.T) {
	k, direct := open(t)
	lost := make(chan struct{})
	first := true
	admin := must[*http.Client](t)(restclient.HTTPClientFor(rest(t, k)))
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			<-lost // a webhook that takes its time
			return
		}
		body, _ := io.ReadAll(r.Body)
		on, _ := http.NewRequestWithContext(r.Context(), r.Method, k.Server+r.URL.RequestURI(), strings.NewReader(string(body)))
		on.Header = r.Header.Clone()
		on.Header.Del("Accept-Encoding")
		answer, err := admin.Do(on)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer func() { _ = answer.Body.Close() }()
		if r.Method == http.MethodDelete && first {
			first = false
			panic(http.ErrAbortHandler)
		}
		maps.Copy(w.Header(), answer.Header)
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
	}))
	defer front.Close()
	defer close(lost)
	c := must[*cluster.Cluster](t)(cluster.Dial(&restclient.Config{Host: front.URL}, cluster.Options{}))
	o := must[manifest.Object](t)(direct.Create(t.Context(), config(t, k, "c"), manifest.Writing{}))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := c.Update(ctx, o, "", manifest.Writing{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an update that is answered never: %v", err)
	}
	if err := c.Delete(t.Context(), configMap, k.Namespace, "c", manifest.Writing{}); err != nil {
		t.Errorf("the deletion, which was carried out: %v", err)
	}
	err := c.Delete(t.Context(), configMap, k.Namespace, "c", manifest.Writing{})
	refused(t, err, manifest.ReasonNotFound, http.StatusNotFound)
}
