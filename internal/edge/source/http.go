package source

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/archive"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The bounds of what a chart repository gives.
const (
	maxFetched  = 100 << 20
	maxUnpacked = 100 << 20
	maxEntries  = 20_000
)

// get reads what an address of the repository gives: from its own host, or from another that is public.
func (s *shop) get(ctx context.Context, at *url.URL) ([]byte, error) {
	if s.base.Scheme == "file" {
		return s.readFile(at)
	}
	if at.Scheme != "https" && at.Scheme != s.base.Scheme {
		return nil, fault.New(CodeAddress, "%s refers to %s, which is not read", s.given, at.Redacted())
	}
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, fault.New(CodeAddress, "%s refers to an address that cannot be read", s.given)
	}
	s.authorize(request)
	client, err := s.client()
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		if f, ok := errors.AsType[*fault.Fault](err); ok {
			return nil, f
		}
		return nil, fault.New(CodeUnreachable, "%s: %v", at.Redacted(), err).Exits(5)
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden:
		return nil, fault.New(CodeDenied, "%s: the server answered %s", at.Redacted(), response.Status).Exits(4).
			WithHint("give the credentials in a Secret with the label %s: repository, type: helm, whose url is the repository's", SecretLabel)
	case response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests:
		return nil, fault.New(CodeUnreachable, "%s: the server answered %s", at.Redacted(), response.Status).Exits(5)
	case response.StatusCode != http.StatusOK:
		return nil, fault.New(CodeChart, "%s: the server answered %s", at.Redacted(), response.Status)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxFetched+1))
	if err != nil {
		return nil, fault.New(CodeUnreachable, "%s: %v", at.Redacted(), err).Exits(5)
	}
	if len(text) > maxFetched {
		return nil, fault.New(CodeLarge, "%s gives more than %d MiB", at.Redacted(), maxFetched>>20)
	}
	return text, nil
}

// readFile reads a repository that is a folder; nothing outside it.
func (s *shop) readFile(at *url.URL) ([]byte, error) {
	rel, err := filepath.Rel(s.base.Path, at.Path)
	if at.Scheme != "file" || err != nil {
		return nil, fault.New(CodeAddress, "%s refers to %s, which is not read", s.given, at.Redacted())
	}
	root, err := os.OpenRoot(s.base.Path)
	if err != nil {
		return nil, fault.New(CodeRepository, "there is no folder %s", s.base.Path)
	}
	defer root.Close()
	file, err := root.OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fault.New(CodeChart, "%s: %s cannot be read", s.given, rel)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFetched+1))
	if err == nil && len(text) > maxFetched {
		err = fault.New(CodeLarge, "%s: %s has more than %d MiB", s.given, rel, maxFetched>>20)
	}
	return text, err
}

// authorize adds the credentials where the request goes to the repository's own host.
func (s *shop) authorize(r *http.Request) {
	if !s.pass && (r.URL.Host != s.base.Host || r.URL.Scheme != s.base.Scheme) {
		return
	}
	switch {
	case !s.known.Bearer.IsZero():
		r.Header.Set("Authorization", "Bearer "+s.known.Bearer.Reveal())
	case !s.known.Password.IsZero():
		r.SetBasicAuth(s.known.Username, s.known.Password.Reveal())
	}
}

// client reaches the repository's own host wherever it is, and other hosts only where they are public.
func (s *shop) client() (*http.Client, error) {
	settings := &tls.Config{InsecureSkipVerify: s.known.Insecure, MinVersion: tls.VersionTLS12}
	if s.cert != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		pool.AppendCertsFromPEM([]byte(s.cert))
		settings.RootCAs = pool
	}
	if !s.known.TLSCert.IsZero() {
		pair, err := tls.X509KeyPair([]byte(s.known.TLSCert.Reveal()), []byte(s.known.TLSKey.Reveal()))
		if err != nil {
			return nil, fault.New(CodeSecret, "%s: the client certificate of the repository's Secret cannot be read", s.given)
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	own := s.base.Host
	if s.base.Port() == "" {
		own += ":" + map[string]string{"http": "80", "https": "443"}[s.base.Scheme]
	}
	transport := &http.Transport{TLSClientConfig: settings, ForceAttemptHTTP2: true, DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}
	if s.known.Proxy != "" {
		proxy, err := url.Parse(s.known.Proxy)
		if err != nil {
			return nil, fault.New(CodeSecret, "%s: the proxy of the repository's Secret cannot be read", s.given)
		}
		transport.Proxy = http.ProxyURL(proxy)
	}
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		d := net.Dialer{Timeout: 20 * time.Second}
		if !strings.EqualFold(address, own) && s.known.Proxy == "" && os.Getenv("HTTPS_PROXY")+os.Getenv("HTTP_PROXY")+os.Getenv("https_proxy")+os.Getenv("http_proxy") == "" {
			d.Control = onlyPublic
		}
		return d.DialContext(ctx, network, address)
	}
	return &http.Client{Transport: transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) >= 5 {
			return errors.New("more than 5 redirects")
		}
		if r.URL.Scheme != "https" && r.URL.Scheme != s.base.Scheme {
			return errors.New("a redirect leads away from https")
		}
		r.Header.Del("Authorization")
		s.authorize(r)
		return nil
	}}, nil
}

// onlyPublic refuses, after names were resolved, what is not for everybody: this machine and the networks around it.
func onlyPublic(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if a := at.Addr().Unmap(); a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified() || a.IsMulticast() || a.IsInterfaceLocalMulticast() {
		return fault.New(CodeAddress, "the chart repository refers to %s, which is inside a private network", a).
			WithHint("a repository may lead to its own host and to public ones")
	}
	return nil
}

// unpack reads a chart's archive: files by name, without the folder that all are in.
func unpack(name string, text []byte) (map[string][]byte, error) {
	damaged := func(what string, args ...any) error {
		return fault.New(CodeChart, "the archive %s cannot be read: %s", name, fmt.Sprintf(what, args...))
	}
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, damaged("%v", err)
	}
	files := map[string][]byte{}
	left := int64(maxUnpacked)
	t := tar.NewReader(z)
	for n := 0; ; n++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, damaged("%v", err)
		}
		if left -= h.Size; left < 0 || n >= maxEntries {
			return nil, fault.New(CodeLarge, "the chart %s unpacks to more than %d MiB or %d files", name, maxUnpacked>>20, maxEntries)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		clean, err := archive.Safe(strings.ReplaceAll(h.Name, "\\", "/"))
		if err != nil {
			return nil, damaged("%q would be outside its folder", h.Name)
		}
		_, rest, ok := strings.Cut(clean, "/")
		if !ok {
			return nil, damaged("%q is not in the chart's folder", h.Name)
		}
		content, err := io.ReadAll(io.LimitReader(t, h.Size))
		if err != nil {
			return nil, damaged("%v", err)
		}
		files[rest] = content
	}
	if len(files) == 0 {
		return nil, damaged("it is empty")
	}
	return files, nil
}
