package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// shy is a secret and every form in which it could show itself.
const shy = "C4n/ry+of a Secr=t&71"

func shyForms() []string {
	out := []string{shy, url.QueryEscape(shy), url.PathEscape(shy), strings.ReplaceAll(url.QueryEscape(shy), "+", "%20"), hex.EncodeToString([]byte(shy))}
	for shift := range 3 { // whatever stands before it in what was encoded
		text := base64.StdEncoding.EncodeToString([]byte("xxx"[:shift] + shy + "xxx"))
		middle := text[4 : len(text)-8]
		out = append(out, middle, strings.NewReplacer("+", "-", "/", "_").Replace(middle))
	}
	return out
}

// unseen fails where a text shows the secret.
func unseen(t *testing.T, where, text string) {
	t.Helper()
	for _, form := range shyForms() {
		if at := strings.Index(text, form); at >= 0 {
			t.Errorf("%s shows the secret as %q: …%s…", where, form, text[max(0, at-300):min(len(text), at+100)])
		}
	}
}

// shyFolders hold Secrets in every way that one can be written.
var shyFolders = map[string]string{
	"plain": `
-- plain.yaml --
{apiVersion: v1, kind: Secret, metadata: {name: plain}, stringData: {password: "SHY"}}
---
{apiVersion: v1, kind: Secret, metadata: {name: coded}, data: {password: BASE}}
---
{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Secret, metadata: {name: listed}, stringData: {password: "SHY"}}]}
`,
	"helm": `
-- Chart.yaml --
{apiVersion: v2, name: chart, version: 1.0.0}
-- values.yaml --
password: "SHY"
-- templates/secret.yaml --
{apiVersion: v1, kind: Secret, metadata: {name: plain}, stringData: {password: {{ .Values.password | quote }}, token: {{ .Values.password | b64enc | quote }}}}
`,
	"kustomize": `
-- kustomization.yaml --
secretGenerator: [{name: plain, literals: ["password=SHY"], options: {disableNameSuffixHash: true}}]
`,
}

// shyBad are Secrets that the API server refuses, or that cannot be read, each beside a good one.
var shyBad = []string{
	`{apiVersion: v1, kind: Secret, metadata: {name: bad}, data: {password: "SHY"}}`,
	`{apiVersion: v1, kind: Secret, metadata: {name: bad}, stringData: {password: {"SHY": 1}}}`,
	`{apiVersion: v1, kind: Secret, metadata: {name: bad}, stringData: "SHY"}`,
	`{apiVersion: v1, kind: Secret, metadata: {name: bad}, stringData: ["SHY"]}`,
	`{apiVersion: v1, kind: Secret, metadata: {name: bad}, type: kubernetes.io/dockerconfigjson, stringData: {.dockerconfigjson: "SHY"}}`,
	`{apiVersion: v1, kind: Secret, metadata: {name: bad, labels: {l: "a b"}}, stringData: {password: "SHY"}}`,
	`{apiVersion: v1, kind: Secret, metadata: {}, stringData: {password: "SHY"}}`,
	`{apiVersion: v9, kind: Secret, metadata: {name: bad}, stringData: {password: "SHY"}}`,
	`{apiVersion: v1, kind: Secret, metadata: {name: bad}, stringData: {password: "SHY"}`,
	"apiVersion: v1\nkind: Secret\nmetadata: {name: bad}\nstringData:\n  password: \"SHY\"\n bad: [SHY\n",
	"apiVersion: v1\nkind: Secret\nmetadata: {name: bad}\nstringData:\n  password: *SHY\n",
}

func shyWorld(t *testing.T, archive string) string {
	t.Helper()
	return world(t, strings.NewReplacer("SHY", shy, "BASE", base64.StdEncoding.EncodeToString([]byte(shy))).Replace(archive))
}

// shyQuestions are all that can be asked about an application's Secrets.
var shyQuestions = []string{
	"get", "get -o yaml", "get -o json --refresh", "resources -o yaml", "history -o yaml", "explain -o json", "explain",
	"manifests", "manifests -o json", "manifests --source live", "manifests --local .",
	"diff", "diff -o json", "diff -o yaml --ignored", "diff --server-side", "diff --server-side -o json", "diff --local .",
}

// asks puts the questions about the application of a delivery in dir.
func (g *ground) asks(said map[string]string, when, dir string, questions []string) {
	g.Helper()
	for _, q := range questions {
		verb, flags, _ := strings.Cut(q, " ")
		said[when+q] = g.ask(dir, append([]string{"app", verb, g.Namespace}, strings.Fields(flags)...)...).said()
	}
}

// TestHostileDeliverSecrets: whatever is asked of a delivery of Secrets that drift, nothing shows what is in them: no
// command, no status, no event, nothing that is kept.
func TestHostileDeliverSecrets(t *testing.T) {
	t.Parallel()
	for kind, archive := range shyFolders {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			g := grounds(t, kubetest.A)
			dir := shyWorld(t, archive)
			d := g.background(dir, nil, "deliver", ".", "-n", g.Namespace, "--name", g.Namespace)
			g.app(dir, g.Namespace, `"phase": "Succeeded"`)
			said := map[string]string{}
			// Drift in every field, and the annotation that client-side apply of others leaves.
			for _, o := range g.list(aimed.secret) {
				o["apiVersion"], o["kind"] = "v1", "Secret"
				o.Set(base64.StdEncoding.EncodeToString([]byte("was "+shy)), "data", "password")
				o.Set(base64.StdEncoding.EncodeToString([]byte(shy+shy)), "data", "more")
				o.SetAnnotation("kubectl.kubernetes.io/last-applied-configuration", `{"stringData":{"password":"`+shy+`"}}`)
				if code, data := g.Do(t, http.MethodPut, g.Path(t, aimed.secret, g.Namespace)+"/"+o.Name(), "application/json", o.JSON()); code != http.StatusOK {
					t.Fatalf("%s", data)
				}
			}
			g.app(dir, g.Namespace, `"status": "OutOfSync"`)
			g.asks(said, "drifted: ", dir, shyQuestions)
			for _, q := range []string{"diff", "diff -o json", "diff --server-side", "manifests --source live", "manifests"} {
				if text := said["drifted: "+q]; !strings.Contains(text, "++++") {
					t.Errorf("a Secret's data differ, and %s has nothing to hide, so it shows nothing: %s", q, clip(text))
				}
			}
			g.asks(said, "", dir, []string{"sync --dry-run", "sync --sync-option ServerSideApply=true", "sync --force --sync-option Replace=true", "get -o yaml", "manifests --source live"})
			said["list"] = g.ask(dir, "app", "list", "-o", "yaml").said()
			said["events"] = g.events()
			d.end(syscall.SIGTERM)
			said["the delivery"] = d.String()
			for where, text := range said {
				unseen(t, where, text)
			}
			keptUnseen(t, filepath.Join(dir, ".sluice"))
			keptUnseen(t, g.home)
		})
	}
}

// TestHostileDeliverBadSecrets: Secrets that cannot be read, or that the API server refuses with words that quote them.
func TestHostileDeliverBadSecrets(t *testing.T) {
	t.Parallel()
	step := oneOf(3, 1)
	for i := 0; i < len(shyBad); i += step {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			g := grounds(t, kubetest.A)
			dir := shyWorld(t, "-- bad.yaml --\n"+shyBad[i]+"\n")
			said := map[string]string{}
			once := g.deliver(dir, assault{exit: []int{exitFailed, exitUsage}}, ".", "--once", "--name", g.Namespace)
			said["deliver --once"] = once.said()
			if len(said["deliver --once"]) < 20 {
				t.Errorf("the mistake is not told: %q", said["deliver --once"])
			}
			d := g.background(dir, nil, "deliver", ".", "-n", g.Namespace, "--name", g.Namespace)
			g.app(dir, g.Namespace, `"status": "`)
			g.asks(said, "", dir, []string{"sync --timeout 20s", "sync --timeout 20s --sync-option ServerSideApply=true", "get -o yaml", "explain", "diff", "diff --server-side -o json", "manifests"})
			said["events"] = g.events()
			d.end(syscall.SIGTERM)
			said["the delivery"] = d.String()
			for where, text := range said {
				unseen(t, where, text)
			}
			keptUnseen(t, filepath.Join(dir, ".sluice"))
			t.Logf("%s", clip(said["deliver --once"]))
		})
	}
}

// keptUnseen looks through all files below a folder; mirrors of repositories hold what the repositories hold.
func keptUnseen(t *testing.T, dir string) {
	t.Helper()
	files := 0
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() && e.Name() == "sources" {
			return fs.SkipDir
		}
		if text, err := os.ReadFile(path); err == nil && e.Type().IsRegular() {
			files++
			unseen(t, path, string(text))
		}
		return nil
	})
	t.Logf("%d files are kept in %s", files, dir)
}

// TestHostileRolloutSecrets: a secret that an analysis is given as an argument stays out of all that the controller and
// the rollout commands say, also where the server that is measured repeats it.
func TestHostileRolloutSecrets(t *testing.T) {
	t.Parallel()
	g := grounds(t, kubetest.C)
	g.ApplyCRDs(t, kubetest.Rollouts)
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, r.URL.String()+r.Header.Get("Authorization"), http.StatusTeapot)
	}))
	t.Cleanup(echo.Close)
	c := g.background(t.TempDir(), nil, "controller", "--only", "rollouts", "-n", g.Namespace, "-v")
	g.Apply(t, strings.NewReplacer("SHY", shy, "ECHO", echo.URL).Replace(`
{apiVersion: v1, kind: Secret, metadata: {name: token}, stringData: {key: "SHY"}}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: leaky}
spec:
  args: [{name: token, valueFrom: {secretKeyRef: {name: token, key: key}}}]
  metrics:
  - {name: echo, consecutiveErrorLimit: 0, successCondition: 'result == "{{args.token}}"', provider: {web: {url: "ECHO/{{args.token}}", headers: [{key: Authorization, value: "{{args.token}}"}]}}}
  - {name: closed, consecutiveErrorLimit: 0, provider: {web: {url: "http://127.0.0.1:1/{{args.token}}"}}}
  - {name: broken, consecutiveErrorLimit: 0, provider: {web: {url: "http://[{{args.token}}/"}}}
  - {name: prom, consecutiveErrorLimit: 0, provider: {prometheus: {address: "ECHO", query: "{{args.token}}"}}}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: web, image: "sluice-test:v1", env: [{name: PORTS, value: "8080"}]}]}
  strategy: {canary: {steps: [{analysis: {templates: [{templateName: leaky}]}}]}}
`))
	g.Wait(t, "the rollout is healthy", func() bool { return g.Object(t, aimed.rollout, "web").Text("status", "phase") == "Healthy" })
	g.ask(t.TempDir(), "rollout", "set-image", "web", "web=sluice-test:v2", "-n", g.Namespace)
	g.Wait(t, "the analysis turns it back", func() bool { return g.Object(t, aimed.rollout, "web").Text("status", "phase") == "Degraded" })
	said := map[string]string{}
	for _, args := range [][]string{{"get", "web"}, {"get", "web", "-o", "yaml"}, {"get", "web", "-o", "json"}, {"list", "-o", "yaml"}, {"status", "web", "--timeout", "2s"}} {
		said[strings.Join(args, " ")] = g.ask(t.TempDir(), append(append([]string{"rollout"}, args...), "-n", g.Namespace)...).said()
	}
	if !strings.Contains(said["get web -o yaml"], "echo") {
		t.Errorf("the analysis is not shown, so nothing is: %s", clip(said["get web -o yaml"]))
	}
	time.Sleep(time.Second) // events are sent after the status
	said["events"] = g.events()
	for _, kind := range []string{"AnalysisRun", "Rollout"} {
		for _, o := range g.list(manifest.Kind{Group: "argoproj.io", Version: "v1alpha1", Kind: kind}) {
			said[kind] += string(o.JSON())
		}
	}
	c.end(syscall.SIGINT)
	said["the controller"] = c.String()
	for where, text := range said {
		unseen(t, where, text)
	}
}
