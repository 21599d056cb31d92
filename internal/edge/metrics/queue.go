package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Load is what a queue has to do at one moment.
type Load struct {
	Due              int           // items that wait for a worker
	Unfinished, Most time.Duration // how long those are worked on so far, in all and the longest
}

// queues are the work queues of the controllers, under the names that client-go gives its own
// (https://kubernetes.io/docs/reference/instrumentation/metrics/, workqueue_*).
type queues struct {
	group
	adds, retries *prometheus.CounterVec
	waits, works  *prometheus.HistogramVec

	mu    sync.Mutex
	loads map[string]func() Load
}

var (
	queueDepth = prometheus.NewDesc("workqueue_depth", "How many items wait for a worker.", []string{"name"}, nil)
	queueBusy  = prometheus.NewDesc("workqueue_unfinished_work_seconds", "For how long the items at work are worked on so far, in all.", []string{"name"}, nil)
	queueMost  = prometheus.NewDesc("workqueue_longest_running_processor_seconds", "For how long the item is worked on that is at work for longest.", []string{"name"}, nil)
)

func newQueues() *queues {
	buckets := prometheus.ExponentialBuckets(10e-9, 10, 12) // those of client-go: 10 ns to 1,000 s
	q := &queues{
		adds:    counter("workqueue_adds_total", "How many items were added.", "name"),
		retries: counter("workqueue_retries_total", "How many items failed and are tried again.", "name"),
		waits:   histogram("workqueue_queue_duration_seconds", "How long an item waits for a worker.", buckets, "name"),
		works:   histogram("workqueue_work_duration_seconds", "How long an item is worked on.", buckets, "name"),
		loads:   map[string]func() Load{},
	}
	q.group = group{[]prometheus.Collector{q.adds, q.retries, q.waits, q.works}, []*prometheus.Desc{queueDepth, queueBusy, queueMost}, q.tell}
	return q
}

// add takes up a queue. One that begins again under its name goes on counting.
func (q *queues) add(name string, load func() Load) Queue {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.loads[name] = load
	return Queue{q.adds.WithLabelValues(name), q.retries.WithLabelValues(name), q.waits.WithLabelValues(name), q.works.WithLabelValues(name)}
}

func (q *queues) tell(ch chan<- prometheus.Metric) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for name, load := range q.loads {
		l := load()
		gauge(ch, queueDepth, float64(l.Due), name)
		gauge(ch, queueBusy, l.Unfinished.Seconds(), name)
		gauge(ch, queueMost, l.Most.Seconds(), name)
	}
}

// Queue counts what one queue does.
type Queue struct {
	adds, retries prometheus.Counter
	waits, works  prometheus.Observer
}

// Added counts an item that waits.
func (q Queue) Added() { q.adds.Inc() }

// Taken counts an item that a worker takes.
func (q Queue) Taken(waited time.Duration) { q.waits.Observe(max(waited, 0).Seconds()) }

// Worked counts an item that was worked on.
func (q Queue) Worked(took time.Duration) { q.works.Observe(took.Seconds()) }

// Again counts an item that failed.
func (q Queue) Again() { q.retries.Inc() }
