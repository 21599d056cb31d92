package remote_test

import (
	"crypto/tls"
	"net/http"
)

func insecure() http.RoundTripper {
	return &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // servers of this test
}
