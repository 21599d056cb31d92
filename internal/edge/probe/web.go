package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/client-go/util/jsonpath"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
)

// web asks a web service and takes the value at jsonPath of its JSON answer, the whole answer without one
// (https://argo-rollouts.readthedocs.io/en/stable/analysis/web/).
func (p *Probe) web(ctx context.Context, metric analysis.Metric, m analysis.Measurement) (analysis.Measurement, error) {
	w := metric.Provider.Web
	timeout := 10 * time.Second
	if w.TimeoutSeconds > 0 {
		timeout = time.Duration(w.TimeoutSeconds) * time.Second
	}
	ctx, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	data, err := fetch(ctx, *w)
	if err != nil {
		return m, err
	}
	value, text, err := pick(data, w.JSONPath)
	if err != nil {
		return m, err
	}
	m.Value = text
	m.Phase, err = analysis.Assess(metric, value)
	return m, err
}

func fetch(ctx context.Context, w analysis.Web) ([]byte, error) {
	request, err := request(ctx, w)
	if err != nil {
		return nil, err
	}
	c := client(w.Insecure, 0)
	token, err := login(ctx, w.Authentication, c)
	if err != nil {
		return nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", token)
	}
	response, err := c.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode < 200 || response.StatusCode >= 300 {
		return nil, fmt.Errorf("received non 2xx response code: %d", response.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer+1))
	if err != nil {
		//lint:ignore ST1005 Argo's words
		return nil, fmt.Errorf("Received no bytes in response: %w", err)
	}
	if len(data) > mostAnswer {
		return nil, fmt.Errorf("the answer has more than %d bytes", mostAnswer)
	}
	return data, nil
}

func request(ctx context.Context, w analysis.Web) (*http.Request, error) {
	method := w.Method
	if method == "" {
		method = http.MethodGet
	}
	hasJSON := len(w.JSONBody) > 0 && string(w.JSONBody) != "null"
	switch {
	case w.Body != "" && hasJSON:
		return nil, errors.New("use either Body or JSONBody; both cannot exists for WebMetric payload")
	case (w.Body != "" || hasJSON) && method == http.MethodGet:
		return nil, errors.New("Body/JSONBody can only be used with POST or PUT WebMetric Method types")
	}
	body := []byte(w.Body)
	if hasJSON {
		body = w.JSONBody
	}
	r, err := http.NewRequestWithContext(ctx, method, w.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if r.URL.Scheme != "http" && r.URL.Scheme != "https" || r.URL.Host == "" {
		return nil, fmt.Errorf("%s is no http or https address", bare(w.URL))
	}
	for _, h := range w.Headers {
		r.Header.Set(h.Key, h.Value)
		if http.CanonicalHeaderKey(h.Key) == "Host" {
			r.Host = h.Value
		}
	}
	if hasJSON {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, nil
}

// pick is the first value at a path ("{$.data.ok}") and its JSON text. An answer that is no JSON is an error, as the
// documentation has it, not a success.
func pick(data []byte, path string) (any, string, error) {
	var answer any
	if err := json.Unmarshal(data, &answer); err != nil {
		//lint:ignore ST1005 Argo's words
		return nil, "", fmt.Errorf("Could not parse JSON body: %w", err)
	}
	if path == "" {
		path = "{$}"
	}
	j := jsonpath.New("metrics")
	if err := j.Parse(path); err != nil {
		return nil, "", err
	}
	found, err := j.FindResults(answer)
	if err != nil {
		//lint:ignore ST1005 Argo's words
		return nil, "", fmt.Errorf("Could not find JSONPath in body: %w", err)
	}
	for _, list := range found {
		for _, v := range list {
			value := v.Interface()
			text, err := json.Marshal(value)
			return value, string(text), err
		}
	}
	return nil, "", errors.New("result of web metric produced no value")
}
