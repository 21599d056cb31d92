// Package probe takes the measurements of analyses: from Prometheus, from a web service's JSON, from the end of a Kubernetes
// Job (https://argo-rollouts.readthedocs.io/en/stable/features/analysis/). It judges no run; a reading that went wrong is a
// measurement with the phase Error and the reason. It connects to no link-local address (a cloud's metadata service, from
// which credentials could be had), also not by a redirect or a name that leads there, and sends no header of a metric to
// another host than the metric's. Loopback and cluster addresses are where metrics live, and are allowed.
package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// The faults of this package. They stand in measurements, whose text Argo Rollouts' users know, so they are plain there.
const (
	CodeProvider = "SL5990" // a metric whose provider Sluice does not measure with
	CodeDenied   = "SL5991" // an address that is not connected to
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeProvider, Summary: "a metric's provider is not supported", Text: "Sluice measures with the providers prometheus, web and job. The measurement ends in Error, so that the analysis does not pass unseen."},
	{Code: CodeDenied, Summary: "a metric's address is link-local", Text: "Link-local addresses (169.254.0.0/16, fe80::/10) and the metadata services of clouds hand out credentials of the machine. Metrics are not read from there, whatever name or redirect leads there."},
}

// Bounds of one reading.
const (
	mostAnswer = 10 << 20
	dialing    = 10 * time.Second
)

// Cluster is what Job metrics are run in.
type Cluster interface {
	Get(ctx context.Context, kind manifest.Kind, namespace, name string) (manifest.Object, error)
	List(ctx context.Context, kind manifest.Kind, namespace, selector string) ([]manifest.Object, error)
	Create(ctx context.Context, o manifest.Object, w manifest.Writing) (manifest.Object, error)
	Delete(ctx context.Context, kind manifest.Kind, namespace, name string, w manifest.Writing) error
}

// Probe takes measurements. Cluster may be nil where no Job metrics are taken.
type Probe struct {
	Cluster      Cluster
	Clock        func() time.Time
	Prometheus   string // the address of metrics that name none
	Instead      string // the address that all metrics are asked of, whatever they name; "" asks what they name
	JobNamespace string // where Jobs are made, "" for the run's own namespace
}

// Measure begins a reading, or goes on with (or, where r.Stop, ends) the one that begun holds.
func (p *Probe) Measure(ctx context.Context, run analysis.Run, r analysis.Reading, begun analysis.Measurement) analysis.Taken {
	m := begun
	if m.StartedAt == nil {
		now := p.now()
		m.StartedAt = &now
	}
	taken := analysis.Taken{Reading: r}
	var err error
	switch provider := r.Arrange.Provider; {
	case provider.Job != nil:
		m, err = p.job(ctx, run, r, m)
	case r.Stop:
		m.Phase = analysis.Successful // nothing of theirs goes on
	case provider.Prometheus != nil:
		taken.Metadata = map[string]string{"ResolvedPrometheusQuery": provider.Prometheus.Query}
		m, err = p.prometheus(ctx, r.Arrange, m)
	case provider.Web != nil:
		m, err = p.web(ctx, r.Arrange, m)
	default:
		err = unsupported(provider)
	}
	if err != nil {
		m.Phase, m.Message = analysis.Error, reason(err)
	}
	if m.Phase.Completed() && m.FinishedAt == nil {
		now := p.now()
		m.FinishedAt = &now
	}
	taken.Measurement = m
	return taken
}

func (p *Probe) now() time.Time {
	if p.Clock == nil {
		return time.Now().UTC()
	}
	return p.Clock().UTC()
}

func unsupported(p analysis.Provider) error {
	for name := range p.Other {
		return fault.New(CodeProvider, "provider %s is not supported", name)
	}
	return errors.New("no valid provider in metric")
}

// reason is an error's text without what a URL holds beyond its host and path: queries carry tokens.
func reason(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Sprintf("%s %q: %v", u.Op, bare(u.URL), u.Err)
	}
	return err.Error()
}

func bare(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that cannot be read"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// client is for one reading: it dials no denied address, and a redirect to another host gets none of the metric's headers.
func client(insecure bool, timeout time.Duration) *http.Client {
	d := &net.Dialer{Timeout: dialing, Control: allowed}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: d.DialContext, DisableKeepAlives: true, TLSHandshakeTimeout: dialing,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: insecure, MinVersion: tls.VersionTLS12}, //nolint:gosec // the metric asks for it
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) >= 5 {
				return errors.New("more than 5 redirects")
			}
			if r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme {
				r.Header = http.Header{}
			}
			return nil
		},
	}
}

// metadata are the clouds' services that are not link-local.
var metadata = []netip.Prefix{
	netip.MustParsePrefix("fd00:ec2::254/128"), netip.MustParsePrefix("100.100.100.200/32"), netip.MustParsePrefix("192.0.0.192/32"),
}

// allowed refuses an address after its name was resolved, so that no name can hide it.
func allowed(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := at.Addr().Unmap()
	denied := ip.IsLinkLocalUnicast() || ip.IsMulticast()
	for _, m := range metadata {
		denied = denied || m.Contains(ip)
	}
	if denied {
		return fault.New(CodeDenied, "metrics are not read from %s", ip)
	}
	return nil
}

// login is the Authorization header of an OAuth2 client, "" where there is none.
func login(ctx context.Context, a analysis.Authentication, c *http.Client) (string, error) {
	if len(a.Sigv4) > 0 {
		return "", fault.New(CodeProvider, "authentication.sigv4 is not supported")
	}
	if a.OAuth2 == nil || a.OAuth2.TokenURL == "" {
		return "", nil
	}
	if a.OAuth2.ClientID == "" || a.OAuth2.ClientSecret == "" {
		return "", errors.New("missing mandatory parameter in metric for OAuth2 setup")
	}
	config := clientcredentials.Config{
		ClientID: a.OAuth2.ClientID, ClientSecret: a.OAuth2.ClientSecret, TokenURL: a.OAuth2.TokenURL, Scopes: a.OAuth2.Scopes,
	}
	token, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, c))
	if r, ok := errors.AsType[*oauth2.RetrieveError](err); ok { // its text is the server's whole answer
		return "", fmt.Errorf("oauth2: no token from %s: %s", bare(a.OAuth2.TokenURL), strings.TrimSpace(r.Response.Status+" "+r.ErrorCode))
	}
	if err != nil {
		return "", fmt.Errorf("oauth2: no token from %s: %s", bare(a.OAuth2.TokenURL), reason(err))
	}
	return token.Type() + " " + token.AccessToken, nil
}
