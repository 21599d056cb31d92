package loop_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-delivery/sluice/internal/engine/loop"
)

var errNo = errors.New("no")

// run runs a loop in a bubble for a while of its clock.
func run(t *testing.T, l *loop.Loop[string], workers int, during time.Duration, handle loop.Handle[string]) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), during)
	defer stop()
	if err := l.Run(ctx, workers, handle); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run ended with %v", err)
	}
}

func TestAKeyIsWorkedOnOnceForManyAdds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := loop.New[string]()
		for range 100 {
			l.Add("a")
		}
		var n atomic.Int32
		run(t, l, 4, time.Minute, func(context.Context, string) (time.Duration, error) { n.Add(1); return 0, nil })
		if n.Load() != 1 || l.Len() != 0 {
			t.Errorf("worked on %d times, %d left", n.Load(), l.Len())
		}
	})
}

func TestAnAddWhileAtWorkIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := loop.New[string]()
		l.Add("a")
		var n atomic.Int32
		run(t, l, 4, time.Minute, func(context.Context, string) (time.Duration, error) {
			if n.Add(1) == 1 {
				l.Add("a")
				time.Sleep(time.Second)
			}
			return 0, nil
		})
		if n.Load() != 2 {
			t.Errorf("worked on %d times", n.Load())
		}
	})
}

func TestAfterComesBackAndTheNewestWaitCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := loop.New[string]()
		l.AddAfter("a", 10*time.Second)
		l.AddAfter("a", 5*time.Second) // sooner: counts
		l.AddAfter("a", 20*time.Second)
		began := time.Now()
		var at []time.Duration
		run(t, l, 1, time.Minute, func(context.Context, string) (time.Duration, error) {
			at = append(at, time.Since(began))
			if len(at) == 1 {
				return 30 * time.Second, nil
			}
			return 0, nil
		})
		if want := "[5s 35s]"; fmt.Sprint(at) != want {
			t.Errorf("worked on at %v, want %s", at, want)
		}
	})
}

func TestErrorsWaitLongerAndNeverMoreThanFiveASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := loop.New[string]()
		var told int
		l.Failed = func(key string, err error, tries int, again time.Duration) {
			told++
			if key != "a" || !errors.Is(err, errNo) || tries != told || again <= 0 {
				t.Errorf("told %q %v %d %v", key, err, tries, again)
			}
		}
		l.Add("a")
		go func() { // a watch that adds the key all the time
			for range 600 {
				time.Sleep(10 * time.Millisecond)
				l.Add("a")
			}
		}()
		began := time.Now()
		var at []time.Duration
		run(t, l, 4, 3*time.Minute, func(context.Context, string) (time.Duration, error) {
			at = append(at, time.Since(began))
			return 0, errNo
		})
		for i := 1; i < len(at); i++ {
			gap := at[i] - at[i-1]
			if gap < 200*time.Millisecond {
				t.Errorf("try %d came %v after the one before", i, gap)
			}
			if gap > 30*time.Second {
				t.Errorf("try %d came only after %v", i, gap)
			}
		}
		if len(at) < 30 || len(at) > 50 {
			t.Errorf("%d tries", len(at))
		}
	})
}

func TestASuccessForgetsTheErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := loop.New[string]()
		var tries []int
		l.Failed = func(_ string, _ error, n int, _ time.Duration) { tries = append(tries, n) }
		l.Add("a")
		n := 0
		run(t, l, 1, time.Hour, func(context.Context, string) (time.Duration, error) {
			if n++; n%3 == 0 {
				return time.Second, nil
			}
			if n > 6 {
				return 0, nil
			}
			return 0, errNo
		})
		if fmt.Sprint(tries) != "[1 2 1 2]" {
			t.Errorf("tries %v", tries)
		}
	})
}

func TestAServersRetryAfterIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := loop.New[string]()
		l.Add("a")
		began := time.Now()
		var at []time.Duration
		run(t, l, 1, time.Minute, func(context.Context, string) (time.Duration, error) {
			at = append(at, time.Since(began))
			if len(at) == 1 {
				l.Add("a") // somebody wants it at once
				return 10 * time.Second, errNo
			}
			return 0, nil
		})
		if len(at) != 2 || at[1] < 10*time.Second {
			t.Errorf("tried at %v", at)
		}
	})
}

func TestAPanicIsAnErrorOfItsKeyAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := loop.New[string]()
		var got error
		l.Failed = func(_ string, err error, _ int, _ time.Duration) { got = err }
		l.Add("bad")
		l.Add("good")
		var good bool
		run(t, l, 1, time.Second, func(_ context.Context, key string) (time.Duration, error) {
			if key == "bad" {
				panic("spilt")
			}
			good = true
			return 0, nil
		})
		p, ok := errors.AsType[*loop.Panic](got)
		if !ok || !strings.Contains(p.Error(), "spilt") || !strings.Contains(string(p.Stack), "loop_test") || !good {
			t.Errorf("%v %v", got, good)
		}
	})
}

func TestTheEndWaitsForThoseAtWorkAndKeepsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := loop.New[string]()
		l.Add("a")
		l.Add("b")
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := false
		err := l.Run(ctx, 1, func(context.Context, string) (time.Duration, error) {
			cancel(errNo)
			time.Sleep(time.Second)
			ended = true
			return 0, nil
		})
		if !errors.Is(err, errNo) || !ended || l.Len() != 1 {
			t.Errorf("%v %v %d", err, ended, l.Len())
		}
		n := 0
		run(t, l, 1, time.Second, func(context.Context, string) (time.Duration, error) { n++; return 0, nil })
		if n != 1 {
			t.Errorf("the rest was worked on %d times", n)
		}
	})
}

// However many add and whatever fails: no key is worked on twice at once, and the last add of each is followed by work.
func TestNoKeyIsLostNorHandledTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := loop.New[string]()
		var mu sync.Mutex
		at, seen, wanted := map[string]int{}, map[string]int{}, map[string]int{}
		for w := range 8 {
			go func() {
				r := rand.New(rand.NewPCG(uint64(w), 1))
				for i := range 200 {
					key := string(rune('a' + r.IntN(6)))
					mu.Lock()
					wanted[key]++
					mu.Unlock()
					l.AddAfter(key, time.Duration(r.IntN(3))*50*time.Millisecond)
					time.Sleep(time.Duration(r.IntN(20*(i%7)+1)) * time.Millisecond)
				}
			}()
		}
		r := rand.New(rand.NewPCG(9, 9))
		run(t, l, 3, 10*time.Minute, func(_ context.Context, key string) (time.Duration, error) {
			mu.Lock()
			at[key]++
			if at[key] > 1 {
				t.Errorf("%s is worked on twice at once", key)
			}
			now, fail, wait := wanted[key], r.IntN(4) == 0, r.IntN(30)
			mu.Unlock()
			time.Sleep(time.Duration(wait) * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			at[key]--
			if fail {
				return 0, errNo
			}
			seen[key] = now
			return 0, nil
		})
		if fmt.Sprint(seen) != fmt.Sprint(wanted) {
			t.Errorf("seen %v, wanted %v", seen, wanted)
		}
	})
}
