// Package remote fetches a file over https. It is the one way out: https only, also after redirects; bounded in time
// and size; no credentials are sent but those that stand in the address itself.
package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The faults of this package.
const (
	CodeScheme = "SL2701" // not https
	CodeFetch  = "SL2702" // the server did not give the file
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeScheme, Summary: "a remote file is not fetched over https", Text: "include:remote takes https addresses only, and a redirect must not lead to another scheme."},
	{Code: CodeFetch, Summary: "a remote file cannot be fetched", Text: "The server is not reachable or answered with an error. Without a network, give the file's project with --local-repository."},
}

// The bounds of one fetch.
const (
	maxBytes = 10 << 20
	patience = 20 * time.Second
)

// Fetcher fetches files. The zero value uses the system's certificates.
type Fetcher struct{ Client *http.Client }

// Fetch is the text behind an address.
func (f Fetcher) Fetch(ctx context.Context, address string) ([]byte, error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fault.New(CodeFetch, "%v", err)
	}
	if request.URL.Scheme != "https" || request.URL.Host == "" {
		return nil, fault.New(CodeScheme, "%s is not an https address", request.URL.Redacted())
	}
	address = request.URL.Redacted() // what is said must not tell a password that stands in the address
	response, err := f.client().Do(request)
	if s, ok := errors.AsType[*schemeError](err); ok {
		return nil, fault.New(CodeScheme, "fetch %s: %v", address, s)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // it would name the address again
	}
	if err != nil {
		return nil, fault.New(CodeFetch, "fetch %s: %v", address, err).Exits(5).
			WithHint("without the network, give its project with --local-repository, or include a copy of it as a local file")
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fault.New(CodeFetch, "fetch %s: the server answered %s", address, response.Status).Exits(5)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxBytes+1))
	if err != nil {
		return nil, fault.New(CodeFetch, "fetch %s: %v", address, err).Exits(5)
	}
	if len(text) > maxBytes {
		return nil, fault.New(CodeFetch, "fetch %s: the file has more than %d bytes", address, maxBytes)
	}
	return text, nil
}

func (f Fetcher) client() *http.Client {
	client := http.Client{Timeout: patience}
	if f.Client != nil {
		client = *f.Client
	}
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if r.URL.Scheme != "https" {
			return &schemeError{r.URL.Redacted()}
		}
		if len(via) >= 5 {
			return fmt.Errorf("more than 5 redirects")
		}
		return nil
	}
	return &client
}

// schemeError is a redirect away from https.
type schemeError struct{ to string }

func (e *schemeError) Error() string { return "the redirect to " + e.to + " is not https" }
