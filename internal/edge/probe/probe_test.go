package probe_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/probe"
	"github.com/sluice-delivery/sluice/internal/flow/analysis"
)

// measure takes a reading of a metric that JSON text describes; AT stands for an address.
func measure(t *testing.T, text, at string) analysis.Taken {
	t.Helper()
	var m analysis.Metric
	if err := json.Unmarshal([]byte(strings.ReplaceAll(text, "AT", at)), &m); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	p := &probe.Probe{}
	return p.Measure(t.Context(), analysis.Run{Name: "run"}, analysis.Reading{Metric: m.Name, Index: -1, Arrange: m}, analysis.Measurement{})
}

func check(t *testing.T, name string, got analysis.Measurement, phase analysis.Phase, value, message string) {
	t.Helper()
	if got.Phase != phase || got.Value != value || !strings.Contains(got.Message, message) {
		t.Errorf("%s: %s %q %q, want %s %q %q", name, got.Phase, got.Value, got.Message, phase, value, message)
	}
	if got.StartedAt == nil || got.FinishedAt == nil {
		t.Errorf("%s: it has no times", name)
	}
}

func TestWeb(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/data":
			fmt.Fprint(w, `{"data": {"ok": true, "rate": 0.95, "list": [1, 2], "name": "7"}}`)
		case "/echo":
			_ = json.NewEncoder(w).Encode(map[string]string{"method": r.Method, "body": string(body), "type": r.Header.Get("Content-Type"), "x": r.Header.Get("X-Key")})
		case "/text":
			fmt.Fprint(w, "<html>fine</html>")
		case "/slow":
			<-r.Context().Done()
		case "/large":
			_, _ = w.Write(make([]byte, 11<<20))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	for name, c := range map[string]struct {
		metric, value, message string
		phase                  analysis.Phase
	}{
		"whole":       {`{"provider": {"web": {"url": "AT/data"}}, "successCondition": "result.data.ok"}`, `{"data":{"list":[1,2],"name":"7","ok":true,"rate":0.95}}`, "", analysis.Successful},
		"path":        {`{"provider": {"web": {"url": "AT/data", "jsonPath": "{$.data.rate}"}}, "successCondition": "result > 0.9"}`, "0.95", "", analysis.Successful},
		"failed":      {`{"provider": {"web": {"url": "AT/data", "jsonPath": "{$.data.rate}"}}, "successCondition": "result > 0.99"}`, "0.95", "", analysis.Failed},
		"text number": {`{"provider": {"web": {"url": "AT/data", "jsonPath": "{$.data.name}"}}, "successCondition": "asInt(result) == 7"}`, `"7"`, "", analysis.Successful},
		"index":       {`{"provider": {"web": {"url": "AT/data", "jsonPath": "{$.data.list[1]}"}}, "successCondition": "result == 2"}`, "2", "", analysis.Successful},
		"no value":    {`{"provider": {"web": {"url": "AT/data", "jsonPath": "{$.data.gone}"}}}`, "", "Could not find JSONPath in body: gone is not found", analysis.Error},
		"no condition": {
			`{"provider": {"web": {"url": "AT/echo", "method": "POST", "jsonBody": {"a": "b"}, "headers": [{"key": "x-key", "value": "k"}]}}}`,
			`{"body":"{\"a\": \"b\"}","method":"POST","type":"application/json","x":"k"}`, "", analysis.Successful,
		},
		"body":      {`{"provider": {"web": {"url": "AT/echo", "method": "PUT", "body": "text", "jsonPath": "{$.body}"}}}`, `"text"`, "", analysis.Successful},
		"both":      {`{"provider": {"web": {"url": "AT/echo", "method": "PUT", "body": "text", "jsonBody": {}}}}`, "", "use either Body or JSONBody", analysis.Error},
		"get body":  {`{"provider": {"web": {"url": "AT/echo", "body": "text"}}}`, "", "can only be used with POST or PUT", analysis.Error},
		"no json":   {`{"provider": {"web": {"url": "AT/text"}}}`, "", "Could not parse JSON body", analysis.Error},
		"404":       {`{"provider": {"web": {"url": "AT/gone"}}}`, "", "received non 2xx response code: 404", analysis.Error},
		"slow":      {`{"provider": {"web": {"url": "AT/slow", "timeoutSeconds": 1}}}`, "", "deadline", analysis.Error},
		"large":     {`{"provider": {"web": {"url": "AT/large"}}}`, "", "more than", analysis.Error},
		"file":      {`{"provider": {"web": {"url": "file:///etc/passwd"}}}`, "", "no http or https address", analysis.Error},
		"condition": {`{"provider": {"web": {"url": "AT/data"}}, "successCondition": "result >"}`, `{"data":{"list":[1,2],"name":"7","ok":true,"rate":0.95}}`, "unexpected token", analysis.Error},
		"nobody":    {`{"provider": {}}`, "", "no valid provider", analysis.Error},
		"others":    {`{"provider": {"datadog": {"query": "q"}}}`, "", "provider datadog is not supported", analysis.Error},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, name, measure(t, c.metric, s.URL).Measurement, c.phase, c.value, c.message)
		})
	}
}

func TestNoSecretOfAnAddressIsTold(t *testing.T) {
	m := measure(t, `{"provider": {"web": {"url": "http://user:s3cret@127.0.0.1:1/x?token=s3cret"}}}`, "").Measurement
	if m.Phase != analysis.Error || strings.Contains(m.Message, "s3cret") || !strings.Contains(m.Message, "127.0.0.1:1/x") {
		t.Errorf("%+v", m)
	}
}

func TestLinkLocalAddressesAreNotDialled(t *testing.T) {
	redirect := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
	}))
	defer redirect.Close()
	for _, address := range []string{
		"http://169.254.169.254/latest", "http://[::ffff:169.254.169.254]/", "http://[fe80::1]/", "http://100.100.100.200/", "http://[fd00:ec2::254]/", redirect.URL,
	} {
		for _, provider := range []string{`"web": {"url": "AT"}`, `"prometheus": {"address": "AT", "query": "up"}`, `"web": {"url": "http://127.0.0.1:1", "authentication": {"oauth2": {"tokenUrl": "AT", "clientId": "a", "clientSecret": "b"}}}`} {
			m := measure(t, `{"provider": {`+provider+`}}`, address).Measurement
			if m.Phase != analysis.Error || !strings.Contains(m.Message, "metrics are not read from") {
				t.Errorf("%s %s: %+v", address, provider, m)
			}
		}
	}
}

func TestHeadersStayWithTheMetricsHost(t *testing.T) {
	got := make(chan http.Header, 4)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header
		fmt.Fprint(w, `{"status": "success", "data": {"resultType": "scalar", "result": [1, "1"]}}`)
	}))
	defer other.Close()
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Key") != "s3cret" {
			t.Error("the metric's own host got no header")
		}
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}))
	defer first.Close()
	for _, provider := range []string{`"web": {"url": "AT"`, `"prometheus": {"address": "AT", "query": "up"`} {
		m := measure(t, `{"provider": {`+provider+`, "headers": [{"key": "X-Key", "value": "s3cret"}, {"key": "Authorization", "value": "s3cret"}]}}}`, first.URL).Measurement
		if m.Phase != analysis.Successful {
			t.Fatalf("%+v", m)
		}
		for k, v := range <-got {
			if strings.Contains(strings.Join(v, ""), "s3cret") {
				t.Errorf("the other host was given %s", k)
			}
		}
	}
}

func TestOAuth2(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch user, pass, _ := r.BasicAuth(); {
		case r.URL.Path != "/token":
			fmt.Fprintf(w, `{"status": "success", "data": {"resultType": "scalar", "result": [1, "1"]}, "auth": %q}`, r.Header.Get("Authorization"))
		case user == "id" && pass == "sec":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"access_token": "tok-%s", "token_type": "bearer"}`, r.FormValue("scope"))
		default:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error": "invalid_client", "error_description": "sec is wrong"}`)
		}
	}))
	defer s.Close()
	auth := `"authentication": {"oauth2": {"tokenUrl": "AT/token", "clientId": "id", "clientSecret": "sec", "scopes": ["read"]}}`
	check(t, "web", measure(t, `{"provider": {"web": {"url": "AT/x", "jsonPath": "{$.auth}", `+auth+`}}}`, s.URL).Measurement, analysis.Successful, `"Bearer tok-read"`, "")
	check(t, "prometheus", measure(t, `{"provider": {"prometheus": {"address": "AT", "query": "1", `+auth+`}}}`, s.URL).Measurement, analysis.Successful, "1", "")
	bad := strings.Replace(auth, `"sec"`, `"wrong-s3cret"`, 1)
	m := measure(t, `{"provider": {"web": {"url": "AT/x", `+bad+`}}}`, s.URL).Measurement
	check(t, "refused", m, analysis.Error, "", "oauth2: no token from "+s.URL+"/token: 401 Unauthorized invalid_client")
	if strings.Contains(m.Message, "s3cret") || strings.Contains(m.Message, "sec is wrong") {
		t.Error(m.Message)
	}
	check(t, "half", measure(t, `{"provider": {"web": {"url": "AT/x", "authentication": {"oauth2": {"tokenUrl": "AT"}}}}}`, s.URL).Measurement, analysis.Error, "", "missing mandatory parameter")
}

// server starts Debian's Prometheus.
func server(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		fmt.Fprintf(os.Stderr, "probe: %s is skipped: prometheus is not installed\n", t.Name())
		t.Skip("prometheus is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	_ = l.Close()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte("global: {scrape_interval: 1s}\nscrape_configs: [{job_name: self, static_configs: [{targets: ['"+at+"']}]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+at)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 600 {
		m := measure(t, `{"provider": {"prometheus": {"address": "AT", "query": "up"}}, "successCondition": "len(result) == 1 && result[0] == 1"}`, "http://"+at)
		if m.Measurement.Phase == analysis.Successful {
			return "http://" + at
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("prometheus does not answer")
	return ""
}

func TestARealPrometheus(t *testing.T) {
	at := server(t)
	for name, c := range map[string]struct {
		query, condition, value, message string
		phase                            analysis.Phase
	}{
		"vector":  {`"query": "vector(0.95)"`, "result[0] >= 0.95", "[0.95]", "", analysis.Successful},
		"scalar":  {`"query": "scalar(vector(3))"`, "result == 3", "3", "", analysis.Successful},
		"not":     {`"query": "vector(2)"`, "result[0] < 1", "[2]", "", analysis.Failed},
		"nan":     {`"query": "vector(0)/vector(0)"`, "!isNaN(result[0])", "[NaN]", "", analysis.Failed},
		"nothing": {`"query": "gone"`, "result[0] > 1", "[]", "index out of range", analysis.Error},
		"empty":   {`"query": "gone"`, "len(result) == 0 || result[0] < 1", "[]", "", analysis.Successful},
		"wrong":   {`"query": "sum("`, "", "", "parse error", analysis.Error},
		"text":    {`"query": "'a'"`, "", "", "unexpected value type", analysis.Error},
		"range":   {`"query": "vector(1)", "rangeQuery": {"start": "now() - duration('2s')", "end": "now()", "step": "1s"}`, "all(result, # == 1)", "[1,1,1]", "", analysis.Successful},
		"start":   {`"query": "vector(1)", "rangeQuery": {"start": "later", "end": "now()", "step": "1s"}`, "", "", "rangeQuery.start", analysis.Error},
		"timeout": {`"query": "up", "timeout": -1`, "", "", "should not be negative", analysis.Error},
	} {
		t.Run(name, func(t *testing.T) {
			taken := measure(t, `{"provider": {"prometheus": {"address": "AT", `+c.query+`}}, "successCondition": "`+c.condition+`"}`, at)
			check(t, name, taken.Measurement, c.phase, c.value, c.message)
			if taken.Metadata["ResolvedPrometheusQuery"] == "" {
				t.Error("the query is not told")
			}
		})
	}
	check(t, "nowhere", measure(t, `{"provider": {"prometheus": {"query": "up"}}}`, "").Measurement, analysis.Error, "", "prometheus address is not configured")
	check(t, "no url", measure(t, `{"provider": {"prometheus": {"address": "here", "query": "up"}}}`, "").Measurement, analysis.Error, "", "is not is url format")
	check(t, "sigv4", measure(t, `{"provider": {"prometheus": {"address": "AT", "query": "up", "authentication": {"sigv4": {"region": "x"}}}}}`, at).Measurement, analysis.Error, "", "sigv4 is not supported")
}
