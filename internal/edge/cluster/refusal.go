package cluster

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// reasons are the words for answers that carry no Status, such as a proxy's.
var reasons = map[int]string{
	http.StatusBadRequest: "BadRequest", http.StatusUnauthorized: manifest.ReasonUnauthorized, http.StatusForbidden: manifest.ReasonForbidden,
	http.StatusNotFound: manifest.ReasonNotFound, http.StatusMethodNotAllowed: "MethodNotAllowed", http.StatusNotAcceptable: "NotAcceptable",
	http.StatusConflict: manifest.ReasonConflict, http.StatusGone: manifest.ReasonExpired, http.StatusRequestEntityTooLarge: "RequestEntityTooLarge",
	http.StatusUnsupportedMediaType: "UnsupportedMediaType", http.StatusUnprocessableEntity: manifest.ReasonInvalid,
	http.StatusTooManyRequests: manifest.ReasonThrottled, http.StatusInternalServerError: "InternalError",
	http.StatusServiceUnavailable: "ServiceUnavailable", http.StatusGatewayTimeout: "Timeout",
}

// refusal reads an answer that is no success.
func refusal(r call, answer *http.Response, body []byte) *manifest.Refusal {
	out := &manifest.Refusal{Code: answer.StatusCode}
	status, err := manifest.Parse(body)
	if err == nil && status.Text("kind") == "Status" {
		fromStatus(out, r, status)
	} else {
		out.Message = fmt.Sprintf("%s %s: %s", r.method, r.path, answer.Status)
		if text := strings.TrimSpace(string(body)); text != "" && len(text) < 500 && !r.secret && !strings.HasPrefix(text, "<") {
			out.Message += ": " + text
		}
		if out.Code == http.StatusNotFound {
			out.Reason = manifest.ReasonNoKind // the API server's answer to a path that nothing is served at
		}
	}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		out.RetryAfter = time.Duration(seconds) * time.Second
	}
	complete(out)
	return out
}

// fromStatus fills a refusal of the API's own form, which errors of watches have too.
func fromStatus(out *manifest.Refusal, r call, status manifest.Object) {
	out.Reason = status.Text("reason")
	out.Message = status.Text("message")
	if code := status.Int(0, "code"); code != 0 {
		out.Code = int(code)
	}
	out.RetryAfter = time.Duration(status.Int(0, "details", "retryAfterSeconds")) * time.Second
	if r.secret && (out.Code == http.StatusBadRequest || out.Code == http.StatusUnprocessableEntity || out.Code >= 500) {
		out.Message = withoutData(r, status)
	}
	if out.Code == http.StatusNotFound && status.Text("details", "name") == "" {
		out.Reason = manifest.ReasonNoKind // the path itself is not served
	}
	complete(out)
}

func complete(out *manifest.Refusal) {
	switch {
	case out.Code == http.StatusGone: // "Gone" and "Expired" mean the same to callers
		out.Reason = manifest.ReasonExpired
	case out.Reason == "" || out.Reason == "Unknown":
		out.Reason = reasons[out.Code]
	}
}

// withoutData tells of a refusal of a Secret without the server's own words: those quote what was sent.
func withoutData(r call, status manifest.Object) string {
	var fields []string
	for _, c := range status.List("details", "causes") {
		if m, ok := c.(map[string]any); ok {
			field, _, _ := strings.Cut(manifest.Object(m).Text("field"), "[") // what stands in brackets was sent
			fields = append(fields, strings.TrimSpace(field+": "+manifest.Object(m).Text("reason")))
		}
	}
	reason := or(status.Text("reason"), "refused")
	what := fmt.Sprintf("%s %s: %s", r.method, r.path, reason)
	if name := status.Text("details", "name"); reason == manifest.ReasonInvalid && name != "" {
		what = fmt.Sprintf("%s %q is invalid", or(status.Text("details", "kind"), "Secret"), name)
	}
	if len(fields) > 0 {
		what += ": " + strings.Join(fields, ", ")
	}
	return what + " (the server's words are left out, because they may quote the Secret)"
}
