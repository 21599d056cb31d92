package forge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/secret"
)

// The bounds of one generator's questions.
const (
	patience   = 30 * time.Second // of one request
	mostAnswer = 32 << 20         // bytes of one answer
	mostPages  = 1000
)

// api is one forge's API with the token for it.
type api struct {
	base   *url.URL
	header http.Header // with the token; sent to base's host alone
	client *http.Client
	clock  func() time.Time
}

// options are how an API is reached.
type options struct {
	insecure  bool
	authority []byte // PEM, beside the system's
	local     bool
}

func (f *Forge) api(base *url.URL, o options) (*api, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.insecure} //nolint:gosec // the generator asks for it
	if len(o.authority) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(o.authority) {
			return nil, fault.New(CodeSecret, "the certificates of caRef cannot be read")
		}
		config.RootCAs = pool
	}
	wait := f.Patience
	if wait == 0 {
		wait = patience
	}
	dialer := &net.Dialer{Timeout: wait, Control: guard(f.Local || o.local)}
	clock := f.Clock
	if clock == nil {
		clock = time.Now
	}
	return &api{
		base: base, header: http.Header{"Accept": {"application/json"}, "User-Agent": {"sluice"}}, clock: clock,
		client: &http.Client{
			Timeout:   wait,
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSClientConfig: config, TLSHandshakeTimeout: wait, MaxIdleConnsPerHost: 1, IdleConnTimeout: wait},
			CheckRedirect: func(r *http.Request, via []*http.Request) error {
				if r.URL.Scheme != base.Scheme || r.URL.Host != base.Host {
					return errRedirect
				}
				if len(via) >= 5 {
					return errors.New("more than 5 redirects")
				}
				return nil
			},
		},
	}, nil
}

var errRedirect = errors.New("it redirects to another host, which gets no token")

// close ends idle connections.
func (a *api) close() { a.client.CloseIdleConnections() }

// login sets the header that holds the token; without a token requests are anonymous.
func (a *api) login(name, before string, token secret.Secret) {
	if !token.IsZero() {
		a.header.Set(name, before+token.Reveal())
	}
}

// metadata are the clouds' services that are not link-local.
var metadata = []netip.Prefix{
	netip.MustParsePrefix("fd00:ec2::254/128"), netip.MustParsePrefix("100.100.100.200/32"), netip.MustParsePrefix("192.0.0.192/32"),
}

// guard refuses an address after its name was resolved, so that no name hides it.
func guard(local bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		ip := at.Addr().Unmap()
		denied := ip.IsLinkLocalUnicast() || ip.IsMulticast() || (ip.IsLoopback() || ip.IsUnspecified()) && !local
		for _, m := range metadata {
			denied = denied || m.Contains(ip)
		}
		if denied {
			return fault.New(CodeAddress, "forges are not asked at %s", ip)
		}
		return nil
	}
}

// answerError is a status that is no success.
type answerError struct {
	*fault.Fault
	status int
}

func (e *answerError) Unwrap() error { return e.Fault }

// status is the HTTP status of an error.
func status(err error) (int, bool) {
	e, ok := errors.AsType[*answerError](err)
	if !ok {
		return 0, false
	}
	return e.status, true
}

// get reads one page below the API's address into v and returns the query of the next, nil where there is none.
func (a *api) get(ctx context.Context, path string, query url.Values, v any) (url.Values, error) {
	return a.do(ctx, http.MethodGet, path, query, v)
}

func (a *api) do(ctx context.Context, method, path string, query url.Values, v any) (url.Values, error) {
	for part := range strings.SplitSeq(path, "/") {
		if part == "." || part == ".." {
			return nil, fault.New(CodeAddress, "the path %s leads elsewhere", path)
		}
	}
	u := *a.base
	escaped := u.EscapedPath() + path
	u.RawPath = escaped
	var err error
	if u.Path, err = url.PathUnescape(escaped); err != nil {
		return nil, fault.New(CodeAddress, "the path %s: %v", path, err)
	}
	u.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, fault.New(CodeAddress, "%v", err)
	}
	r.Header = a.header.Clone()
	what := method + " " + bare(u.String())
	response, err := a.client.Do(r)
	if err != nil {
		return nil, unreachable(what, err)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer+1))
	if err != nil {
		return nil, unreachable(what, err)
	}
	if len(data) > mostAnswer {
		return nil, fault.New(CodeAnswer, "%s: the answer has more than %d bytes", what, mostAnswer)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, a.refused(what, response, data)
	}
	if v != nil {
		if err := json.Unmarshal(data, v); err != nil {
			return nil, fault.New(CodeAnswer, "%s: the answer is not what the API documents: %v", what, err)
		}
	}
	return next(response.Header.Values("Link")), nil
}

func unreachable(what string, err error) error {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return fault.New(f.Code, "%s: %s", what, f.Message).Exits(5)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // it would name the address again
	}
	return fault.New(CodeUnreachable, "%s: %v", what, err).Exits(5)
}

// refused is the error of an answer. Of its text only a message in JSON is told.
func (a *api) refused(what string, r *http.Response, data []byte) error {
	var told struct {
		Message any `json:"message"`
		Error   any `json:"error"`
	}
	words := ""
	if json.Unmarshal(data, &told) == nil {
		for _, w := range []any{told.Message, told.Error} {
			if s, ok := w.(string); ok && words == "" {
				words = ": " + s[:min(len(s), 300)]
			}
		}
	}
	code, exit, hint := CodeAnswer, 0, ""
	limited := r.StatusCode == http.StatusTooManyRequests || r.StatusCode == http.StatusForbidden && (r.Header.Get("X-RateLimit-Remaining") == "0" || r.Header.Get("Retry-After") != "")
	switch {
	case limited:
		code = CodeLimit
		if at := a.again(r.Header); !at.IsZero() {
			hint = "it may be asked again after " + at.UTC().Format(time.RFC3339)
		}
	case r.StatusCode == http.StatusUnauthorized, r.StatusCode == http.StatusForbidden:
		code, exit = CodeDenied, 4
		if a.header.Get("Authorization") == "" && a.header.Get("Private-Token") == "" {
			hint = "no token was sent: tokenRef names one"
		}
	case r.StatusCode >= 500:
		code, exit = CodeUnreachable, 5
	}
	f := fault.New(code, "%s: %s%s", what, r.Status, words).Exits(exit)
	if hint != "" {
		f = f.WithHint("%s", hint)
	}
	return &answerError{f, r.StatusCode}
}

// again is when a forge says that it may be asked again.
func (a *api) again(h http.Header) time.Time {
	if n, err := strconv.Atoi(h.Get("Retry-After")); err == nil {
		return a.clock().Add(time.Duration(n) * time.Second)
	}
	for _, name := range []string{"X-RateLimit-Reset", "RateLimit-Reset"} {
		if n, err := strconv.ParseInt(h.Get(name), 10, 64); err == nil {
			return time.Unix(n, 0)
		}
	}
	return time.Time{}
}

// next is the query of the next page (RFC 8288, rel="next"). Its host and path are not taken: a forge behind a proxy may name
// others, and nothing is sent there.
func next(links []string) url.Values {
	for _, header := range links {
		for link := range strings.SplitSeq(header, ",") {
			target, params, ok := strings.Cut(link, ";")
			if !ok || !strings.Contains(params, `rel="next"`) {
				continue
			}
			u, err := url.Parse(strings.Trim(strings.TrimSpace(target), "<>"))
			if err != nil {
				return nil
			}
			if q := u.Query(); len(q) > 0 {
				return q
			}
		}
	}
	return nil
}

// pages reads all pages of a list.
func pages[T any](ctx context.Context, a *api, path string, query url.Values) ([]T, error) {
	var out []T
	for range mostPages {
		var page []T
		more, err := a.get(ctx, path, query, &page)
		if err != nil {
			return nil, err
		}
		out = append(out, page...)
		if more == nil || more.Encode() == query.Encode() {
			return out, nil
		}
		query = more
	}
	return nil, fault.New(CodeAnswer, "%s%s has more than %d pages", bare(a.base.String()), path, mostPages)
}

// exists reports whether something is there: a 404 says that it is not.
func (a *api) exists(ctx context.Context, path string, query url.Values) (bool, error) {
	_, err := a.get(ctx, path, query, nil)
	if s, ok := status(err); ok && s == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

// segment is one part of a path.
func segment(s string) string { return url.PathEscape(s) }

// segments are the parts of a path, each escaped.
func segments(s string) string {
	parts := strings.Split(strings.Trim(s, "/"), "/")
	for i, p := range parts {
		parts[i] = segment(p)
	}
	return strings.Join(parts, "/")
}
