package lua

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/health"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The bounds of one request and of what is remembered.
const (
	maxCalls    = 256
	maxWeight   = 1 << 20 // about the bytes of all objects
	maxAssessed = 20_000
)

// Unavailable is the error of a Run that cannot serve any request, whatever its scripts.
type Unavailable struct{ Err error }

func (u *Unavailable) Error() string { return u.Err.Error() }
func (u *Unavailable) Unwrap() error { return u.Err }

// Assessment is the health of an object. Known is false where neither a script nor a built-in rule says anything.
type Assessment struct {
	health.Result

	Known   bool
	Printed string // by the script, in lines
}

// Checker assesses objects and does their actions, by scripts before built-in rules. It is safe for concurrent use.
type Checker struct {
	scripts *Scripts
	run     Run
	now     func() time.Time

	mu       sync.Mutex
	assessed map[string]Assessment // by UID, revision and script
}

// NewChecker makes a checker that has scripts run by run.
func NewChecker(s *Scripts, run Run, now func() time.Time) *Checker {
	return &Checker{scripts: s, run: run, now: now, assessed: map[string]Assessment{}}
}

// Assess is the health of each object, in order: of one that is being deleted before all, then by the script of its kind,
// then by the built-in rules. A script that fails or reaches a bound makes its object Unknown, with the reason as the
// message. Data of Secrets is hidden from scripts. The error is of ctx or an *Unavailable.
func (c *Checker) Assess(ctx context.Context, objects []manifest.Object) ([]Assessment, error) {
	out := make([]Assessment, len(objects))
	var todo []job
	for n, o := range objects {
		if r, ok := health.Deletion(o); ok {
			out[n] = Assessment{Result: r, Known: true}
			continue
		}
		text, ok := c.scripts.Health(o.Kind())
		if !ok {
			out[n].Result, out[n].Known = health.Assess(o)
			continue
		}
		j := job{at: n, script: text, object: hidden(o), key: remembered(o, text)}
		if a, ok := c.recall(j.key); ok {
			out[n] = a
			continue
		}
		todo = append(todo, j)
	}
	return out, c.work(ctx, todo, func(j job, a Assessment) {
		out[j.at] = a
		c.remember(j.key, a)
	})
}

// Assessed is Assess as a function, for objects of a moment: what was given is not assessed again, others, and those
// given in another revision, are assessed when they are asked for, one by one. What cannot be assessed then is Unknown.
func (c *Checker) Assessed(ctx context.Context, objects []manifest.Object) (func(manifest.Object) (health.Result, bool), error) {
	all, err := c.Assess(ctx, objects)
	if err != nil {
		return nil, err
	}
	type known struct {
		revision string
		Assessment
	}
	by := make(map[manifest.Key]known, len(all))
	for n, o := range objects {
		by[o.Key()] = known{o.Revision(), all[n]}
	}
	return func(o manifest.Object) (health.Result, bool) {
		if k, ok := by[o.Key()]; ok && k.revision == o.Revision() {
			return k.Result, k.Known
		}
		one, err := c.Assess(ctx, []manifest.Object{o})
		if err != nil {
			return health.Result{Status: health.Unknown, Message: message(err)}, true
		}
		return one[0].Result, one[0].Known
	}, nil
}

// job is an object whose health a script says.
type job struct {
	at     int
	script string
	object manifest.Object
	key    string
}

// work runs jobs in as few requests as their bounds allow.
func (c *Checker) work(ctx context.Context, todo []job, done func(job, Assessment)) error {
	alone := 0 // jobs that go by themselves, since one of them broke a request
	for len(todo) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := 1
		if alone > 0 {
			alone--
		} else {
			n = together(todo)
		}
		answer, err := c.run(ctx, c.request(todo[:n]))
		if err == nil && len(answer.Results) != n {
			err = fmt.Errorf("%d results came for %d scripts", len(answer.Results), n)
		}
		if _, ok := errors.AsType[*Unavailable](err); ok {
			return err
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && n > 1:
			alone = n
			continue
		case err != nil:
			answer.Results = []Result{{Error: message(err)}}
		}
		for i, r := range answer.Results {
			if r.Skipped {
				n = max(1, i)
				break
			}
			done(todo[i], assessment(r))
		}
		todo = todo[n:]
	}
	return nil
}

// message is an error's text without its code.
func message(err error) string {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f.Message
	}
	return err.Error()
}

func assessment(r Result) Assessment {
	a := Assessment{Result: r.Health, Known: r.Health.Status != "", Printed: r.Printed}
	if r.Error != "" {
		a.Result, a.Known = health.Result{Status: health.Unknown, Message: r.Error}, true
	}
	return a
}

// together is how many of the first jobs fit into one request.
func together(todo []job) int {
	total := 0
	for n, j := range todo {
		if total += weight(map[string]any(j.object)); n == maxCalls || n > 0 && total > maxWeight {
			return n
		}
	}
	return len(todo)
}

// weight is about how long a value is as JSON.
func weight(v any) int {
	switch v := v.(type) {
	case string:
		return len(v) + 2
	case []any:
		n := 2
		for _, e := range v {
			n += weight(e) + 1
		}
		return n
	case map[string]any:
		n := 2
		for k, e := range v {
			n += len(k) + weight(e) + 4
		}
		return n
	default:
		return 8
	}
}

func (c *Checker) request(jobs []job) Request {
	r := Request{Now: c.now()}
	at := map[string]int{}
	for _, j := range jobs {
		n, ok := at[j.script]
		if !ok {
			n = len(r.Scripts)
			at[j.script] = n
			r.Scripts = append(r.Scripts, j.script)
		}
		r.Calls = append(r.Calls, Call{Do: Health, Scripts: []int{n}, Object: j.object})
	}
	return r
}

// remembered names what a script says of an object as it is now, "" where it may say something else a moment later or
// the object does not say which it is.
func remembered(o manifest.Object, script string) string {
	uid, revision := o.UID(), o.Revision()
	if uid == "" || revision == "" || strings.Contains(script, "os.") || strings.Contains(script, "require") {
		return ""
	}
	return uid + " " + revision + " " + o.Kind().String()
}

func (c *Checker) recall(key string) (Assessment, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.assessed[key]
	return a, ok && key != ""
}

func (c *Checker) remember(key string, a Assessment) {
	if key == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.assessed) >= maxAssessed {
		clear(c.assessed)
	}
	c.assessed[key] = a
}

// lastApplied holds an object as it was applied, a Secret's data with it.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// hidden is an object as a health check may see it: of a Secret the names, not the values.
func hidden(o manifest.Object) manifest.Object {
	if o.Kind().String() != "Secret" {
		return o
	}
	o = o.Copy()
	for _, field := range []string{"data", "stringData"} {
		for name := range o.Sub(field) {
			o.Set("++++++++", field, name)
		}
	}
	o.Drop("metadata", "annotations", lastApplied)
	return o
}
