package proxy

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
)

// Protocol is how a Service's connections are spoken to.
type Protocol string

// The protocols. HTTP takes HTTP/1.1, HTTP/2 with prior knowledge and WebSocket on one address.
const (
	HTTP Protocol = ""
	TCP  Protocol = "tcp"
)

// Service is what one Service does.
type Service struct {
	Namespace string // labels of the metrics; Name "" is the name that it was set by
	Name      string
	Listen    string // "127.0.0.1:8080"; port 0 takes any that is free
	Protocol  Protocol
	Groups    []Group
	Routes    []Route // the first that matches sends a request to its group, whatever the weights are
	Mirrors   []Mirror
	Sticky    *Sticky
}

// Group is the endpoints of one revision. Weights are shares of their sum. A group whose endpoints are all gone gives its
// share to the others.
type Group struct {
	Name      string // "stable", "canary", …: a label of the metrics
	Hash      string // the pod template hash, a label too
	Weight    int
	Endpoints []string // host:port
}

// Match is what a request must be like; all that is set must hold.
type Match struct {
	Method  Text
	Path    Text
	Headers map[string]Text
	Cookies map[string]Text
}

// Text matches a string in one of three ways; none set matches any.
type Text struct {
	Exact, Prefix, Regex string
}

// Route sends what matches to a group.
type Route struct {
	Name  string
	Match Match
	Group string
}

// Mirror sends a copy of what matches to a group and drops the answer. Percent of the matching requests are copied.
type Mirror struct {
	Name    string
	Match   Match
	Group   string
	Percent int
}

// Sticky keeps a client with the group that served it first, by a cookie, for as long as that group has endpoints and weight.
type Sticky struct {
	Cookie string
	MaxAge int // seconds; 0 ends with the browser's session
}

// table is a Service compiled: it is never changed, only replaced.
type table struct {
	name    string
	groups  []*group
	total   int
	stride  int
	turn    *atomic.Uint64
	routes  []*rule
	mirrors []*rule
	sticky  *Sticky
}

type group struct {
	Group
	backends []*backend
	turn     atomic.Uint64
	meter    *groupMeter
}

type rule struct {
	name    string
	method  matcher
	path    matcher
	headers []named
	cookies []named
	group   *group
	percent uint64
	turn    atomic.Uint64
}

type named struct {
	name string
	text matcher
}

type matcher func(string) bool

func (p *Proxy) compile(name string, s Service) (*table, error) {
	t := &table{name: name, sticky: s.Sticky, turn: new(atomic.Uint64)}
	for _, g := range s.Groups {
		if g.Weight < 0 {
			return nil, wrong(name, "the weight %d of group %s is negative", g.Weight, g.Name)
		}
		c := &group{Group: g, meter: p.meter.group(s.Namespace, cmp.Or(s.Name, name), g.Name, g.Hash)}
		for _, e := range g.Endpoints {
			c.backends = append(c.backends, p.backend(e))
		}
		t.groups = append(t.groups, c)
		if len(c.backends) > 0 {
			t.total += g.Weight
		}
	}
	t.stride = stride(t.total)
	for _, r := range s.Routes {
		c, err := t.rule(r.Name, r.Match, r.Group, 100)
		if err != nil {
			return nil, err
		}
		t.routes = append(t.routes, c)
	}
	for _, m := range s.Mirrors {
		c, err := t.rule(m.Name, m.Match, m.Group, m.Percent)
		if err != nil {
			return nil, err
		}
		t.mirrors = append(t.mirrors, c)
	}
	return t, nil
}

func (t *table) rule(name string, m Match, to string, percent int) (*rule, error) {
	g := t.group(to)
	if g == nil {
		return nil, wrong(t.name, "route %s goes to group %s, which it does not have", name, to)
	}
	r := &rule{name: name, group: g, percent: uint64(min(max(percent, 0), 100))}
	var err error
	compiled := func(text Text) matcher {
		if err != nil {
			return nil
		}
		var f matcher
		f, err = text.compile()
		return f
	}
	r.method, r.path = compiled(m.Method), compiled(m.Path)
	for _, h := range sorted(m.Headers) {
		r.headers = append(r.headers, named{h, compiled(m.Headers[h])})
	}
	for _, c := range sorted(m.Cookies) {
		r.cookies = append(r.cookies, named{c, compiled(m.Cookies[c])})
	}
	if err != nil {
		return nil, wrong(t.name, "route %s: %v", name, err)
	}
	return r, nil
}

func sorted(m map[string]Text) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func (x Text) compile() (matcher, error) {
	switch {
	case x.Exact != "":
		return func(s string) bool { return s == x.Exact }, nil
	case x.Prefix != "":
		return func(s string) bool { return strings.HasPrefix(s, x.Prefix) }, nil
	case x.Regex != "":
		re, err := regexp.Compile("^(?:" + x.Regex + ")$")
		if err != nil {
			return nil, err
		}
		return re.MatchString, nil
	default:
		return nil, nil
	}
}

// request is what routing looks at, whichever protocol brought it.
type request interface {
	method() string
	path() string
	header(name string) (string, bool)
	cookie(name string) (string, bool)
}

func (r *rule) matches(q request) bool {
	if r.method != nil && !r.method(q.method()) || r.path != nil && !r.path(q.path()) {
		return false
	}
	for _, h := range r.headers {
		if v, ok := q.header(h.name); !ok || h.text != nil && !h.text(v) {
			return false
		}
	}
	for _, c := range r.cookies {
		if v, ok := q.cookie(c.name); !ok || c.text != nil && !c.text(v) {
			return false
		}
	}
	return true
}

// choose finds the group of a request, nil where nobody serves. stay is the cookie's new value, "" where none is to be set.
func (t *table) choose(q request) (to *group, stay string) {
	for _, r := range t.routes {
		if len(r.group.backends) > 0 && r.matches(q) {
			return r.group, ""
		}
	}
	if t.sticky == nil {
		return t.weighed(), ""
	}
	if v, ok := q.cookie(t.sticky.Cookie); ok {
		for _, g := range t.groups {
			if g.Weight > 0 && len(g.backends) > 0 && g.token() == v {
				return g, ""
			}
		}
	}
	g := t.weighed()
	if g == nil {
		return nil, ""
	}
	return g, g.token()
}

// token is what a client is remembered by: the revision, so that a promotion does not scatter its clients.
func (g *group) token() string {
	if g.Hash != "" {
		return g.Hash
	}
	return g.Name
}

// weighed goes round all slots of the weights in steps that spread each group evenly: over any total of weights in a row
// the shares are exact.
func (t *table) weighed() *group {
	if t.total == 0 {
		for _, g := range t.groups { // nobody has weight: whoever serves
			if len(g.backends) > 0 {
				return g
			}
		}
		return nil
	}
	slot := int((t.turn.Add(1) * uint64(t.stride)) % uint64(t.total))
	for _, g := range t.groups {
		if len(g.backends) == 0 {
			continue
		}
		if slot -= g.Weight; slot < 0 {
			return g
		}
	}
	return nil
}

func (t *table) group(name string) *group {
	for _, g := range t.groups {
		if g.Name == name {
			return g
		}
	}
	return nil
}

// stride is a step near the golden section of n that shares no factor with it.
func stride(n int) int {
	if n < 3 {
		return 1
	}
	s := int(float64(n) * 0.6180339887)
	for gcd(s, n) != 1 {
		s++
	}
	return s
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// next is the endpoint whose turn it is; another one with each try.
func (g *group) next() *backend {
	return g.backends[int(g.turn.Add(1)%uint64(len(g.backends)))]
}

// mirrored are the groups that get a copy of a request.
func (t *table) mirrored(q request) []*group {
	var out []*group
	for _, m := range t.mirrors {
		if len(m.group.backends) > 0 && m.matches(q) && m.turn.Add(61)%100 < m.percent {
			out = append(out, m.group)
		}
	}
	return out
}
