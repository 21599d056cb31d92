package render_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluice-delivery/sluice/internal/edge/render"
	"github.com/sluice-delivery/sluice/internal/edge/sandbox"
	"github.com/sluice-delivery/sluice/internal/flow/application"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// commit commits a folder as it stands and gives the commit.
func commit(t testing.TB, dir string) string {
	t.Helper()
	git := func(args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if _, err := os.Stat(filepath.Join(dir, ".git")); err != nil {
		git("init", "-q", "-b", "main")
	}
	git("add", "-A")
	git("commit", "-q", "--allow-empty", "-m", "x")
	return git("rev-parse", "HEAD")
}

// TestWhatIsTheSameIsNotRenderedAgain uses a chart with a random value: it tells renderings apart.
func TestWhatIsTheSameIsNotRenderedAgain(t *testing.T) {
	dir := files(t, `
-- chart/Chart.yaml --
apiVersion: v2
name: chart
version: 1.0.0
-- chart/templates/a.yaml --
kind: ConfigMap
apiVersion: v1
metadata: {name: x}
data: {random: {{ randAlphaNum 20 | quote }}, revision: {{ .Values.revision | quote }}}
-- vals/a.yaml --
revision: none
-- other/x.yaml --
a: b
`)
	s := open(t)
	text := "repoURL: " + dir + "\npath: chart\nhelm: {valueFiles: [/vals/a.yaml, /maybe.yaml], ignoreMissingValueFiles: true}"
	a := app(t, text)
	render1 := func(a application.Application) string {
		t.Helper()
		d, err := run(t, s, a)
		if err != nil {
			t.Fatal(err)
		}
		return show(d)
	}
	commit(t, dir)
	first := render1(a)
	if again := render1(a); again != first {
		t.Error("the same request was rendered twice")
	}
	write(t, dir, "-- other/x.yaml --\nc: d\n-- other/y/z.yaml --\n")
	commit(t, dir)
	if again := render1(a); again != first {
		t.Error("a commit beside the source was rendered")
	}
	for name, change := range map[string]string{"a template": "-- chart/templates/b.yaml --\n", "a value file": "-- vals/a.yaml --\nrevision: other\n", "a file that was missing": "-- maybe.yaml --\nx: y\n", "an override": "-- chart/.argocd-source.yaml --\n{}\n"} {
		write(t, dir, change)
		commit(t, dir)
		next := render1(a)
		if next == first {
			t.Errorf("%s was changed, and nothing was rendered", name)
		}
		first = next
	}
	with := app(t, text+"\n")
	with.Spec.Sources[0].Helm.Parameters = []application.HelmParameter{{Name: "revision", Value: "$ARGOCD_APP_REVISION"}}
	now := commit(t, dir)
	one := render1(with)
	if !strings.Contains(one, now) {
		t.Errorf("%s is not in %s", now, one)
	}
	next := commit(t, dir)
	if two := render1(with); !strings.Contains(two, next) {
		t.Errorf("%s is not in %s", next, two)
	}
}

func TestManyAtOnceAreRenderedOnTheirOwn(t *testing.T) {
	var b strings.Builder
	for i := range 30 {
		fmt.Fprintf(&b, "-- d%d/kustomization.yaml --\nnamePrefix: p%d-\nresources: [a.yaml]\n-- d%d/a.yaml --\nkind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n", i, i, i)
	}
	dir := files(t, b.String())
	s := open(t)
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			d, err := run(t, s, app(t, fmt.Sprintf("repoURL: %s\npath: d%d", dir, i)))
			if err != nil || len(d.Objects) != 1 || d.Objects[0].Name() != fmt.Sprintf("p%d-a", i) {
				t.Errorf("%d: %v, %v", i, d.Objects, err)
			}
		})
	}
	wg.Wait()
}

// TestASchemaOfOneBuildDoesNotReachTheNext holds what kustomize keeps in its process apart.
func TestASchemaOfOneBuildDoesNotReachTheNext(t *testing.T) {
	dir := files(t, `
-- custom/kustomization.yaml --
openapi: {path: schema.json}
resources: [d.yaml]
patches: [{path: p.yaml}]
-- custom/schema.json --
{"definitions": {"io.k8s.api.apps.v1.Deployment": {"properties": {"spec": {"properties": {"template": {"properties": {"spec": {"properties": {"containers": {"items": {"properties": {"image": {}}}, "type": "array", "x-kubernetes-patch-merge-key": "image", "x-kubernetes-patch-strategy": "merge"}}}}}}}}, "x-kubernetes-group-version-kind": [{"group": "apps", "kind": "Deployment", "version": "v1"}]}}}
-- custom/d.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: a, image: one}, {name: b, image: two}]}}}
-- custom/p.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: a, tty: true}]}}}
-- plain/kustomization.yaml --
resources: [../custom/d]
patches: [{path: p.yaml}]
-- custom/d/kustomization.yaml --
resources: [d.yaml]
-- custom/d/d.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: a, image: one}, {name: b, image: two}]}}}
-- plain/p.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: a, tty: true}]}}}
`)
	alone := sandbox.New(sandbox.Options{Kind: render.Kind, Workers: 1})
	defer alone.Close()
	plain := func() string {
		s := open(t)
		s.Pool = alone
		d, err := run(t, s, app(t, "repoURL: "+dir+"\npath: plain"))
		if err != nil {
			t.Fatal(err)
		}
		return show(d)
	}
	before := plain()
	s := open(t)
	s.Pool = alone
	if _, err := run(t, s, app(t, "repoURL: "+dir+"\npath: custom")); err != nil {
		t.Logf("the custom schema: %v", err)
	}
	if after := plain(); after != before {
		t.Errorf("the schema stayed:\n%s\n%s", before, after)
	}
}

func TestWhatDoesNotEndIsEnded(t *testing.T) {
	dir := files(t, `
-- loop/Chart.yaml --
apiVersion: v2
name: loop
version: 1.0.0
-- loop/templates/a.yaml --
{{- define "again" }}{{ include "again" . }}{{ end }}
{{ include "again" . }}
-- range/Chart.yaml --
apiVersion: v2
name: range
version: 1.0.0
-- range/templates/a.yaml --
{{ range until 1000000000 }}{{ end }}
-- spin/Chart.yaml --
apiVersion: v2
name: spin
version: 1.0.0
-- spin/templates/a.yaml --
{{ range until 3000 }}{{ range until 3000 }}{{ range until 3000 }}{{ end }}{{ end }}{{ end }}
-- bomb/Chart.yaml --
apiVersion: v2
name: bomb
version: 1.0.0
-- bomb/templates/a.yaml --
{{ $x := repeat 1000000 "x" }}{{ range until 1000 }}{{ $x = cat $x $x }}{{ end }}
-- jloop/a.jsonnet --
local f(x) = f(x + 1); f(0)
-- jspin/a.jsonnet --
std.foldl(function(a, b) a + b, std.range(1, 100000000), 0)
-- jbomb/a.jsonnet --
local d(s, n) = if n == 0 then s else d(s + s, n - 1); { kind: 'X', data: d('xxxxxxxxxxxxxxxx', 40) }
-- alias/a.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: x}
a: &a [x, x, x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]
d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]
e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]
f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]
g: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f, *f]
h: &h [*g, *g, *g, *g, *g, *g, *g, *g, *g, *g]
`)
	tight := sandbox.New(sandbox.Options{Kind: render.Kind, Time: 3 * time.Second, Memory: 128 << 20})
	defer tight.Close()
	s := open(t)
	s.Pool = tight
	for _, name := range []string{"loop", "range", "spin", "bomb", "jloop", "jspin", "jbomb", "alias"} {
		_, err := run(t, s, app(t, "repoURL: "+dir+"\npath: "+name))
		if fault.CodeOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		} else {
			t.Logf("%s: %.200v", name, err)
		}
	}
	// What came to a bound is not tried again at once: the pool is closed. What was changed is.
	tight.Close()
	again := app(t, "repoURL: "+dir+"\npath: spin")
	_, before := run(t, s, again)
	write(t, dir, "-- spin/templates/a.yaml --\n{kind: X, apiVersion: v1, metadata: {name: x}}\n")
	s.Pool = pool
	_, after := run(t, s, again)
	if code := fault.CodeOf(before); code != sandbox.CodeTime && code != sandbox.CodeMemory || after != nil {
		t.Errorf("again: %v, and mended: %v", before, after)
	}
	deep := t.TempDir()
	if err := os.WriteFile(deep+"/a.yaml", []byte("kind: X\napiVersion: v1\nmetadata: "+strings.Repeat("[", 100_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, s, app(t, "repoURL: "+deep+"\npath: .")); fault.CodeOf(err) == "" {
		t.Errorf("deep nesting: %v", err)
	}
}

// TestAFolderOfManyFiles is S6's 10,000 files.
func TestAFolderOfManyFiles(t *testing.T) {
	dir := t.TempDir()
	for i := range 10_000 {
		text := fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d}\n", i)
		if err := os.WriteFile(fmt.Sprintf("%s/f%05d.yaml", dir, i), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t)
	begun := time.Now()
	d, err := run(t, s, app(t, "repoURL: "+dir+"\npath: ."))
	if err != nil || len(d.Objects) != 10_000 {
		t.Fatalf("%d objects, %v", len(d.Objects), err)
	}
	t.Logf("10,000 files in %v", time.Since(begun))
	begun = time.Now()
	if _, err := run(t, s, app(t, "repoURL: "+dir+"\npath: .\nkustomize: {namePrefix: x}")); fault.CodeOf(err) == "" {
		t.Error(err)
	}
	t.Logf("the mistake in %v", time.Since(begun))
}

// TestTheSameRequestGivesTheSameBytes renders with settings drawn at random in two children that share nothing.
func TestTheSameRequestGivesTheSameBytes(t *testing.T) {
	dir := files(t, `
-- k/kustomization.yaml --
resources: [a.yaml]
configMapGenerator: [{name: g, literals: [a=b, c=d]}]
-- k/a.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {a: b, c: d}}
spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "shop/web:1"}]}}}
-- h/Chart.yaml --
apiVersion: v2
name: h
version: 1.0.0
-- h/templates/a.yaml --
kind: ConfigMap
apiVersion: v1
metadata: {name: x}
data: {{ .Values | toJson }}
---
kind: ConfigMap
apiVersion: v1
metadata: {name: y}
`)
	one, two := open(t), open(t)
	rapid.Check(t, func(r *rapid.T) {
		words := rapid.SampledFrom([]string{"a", "b-c", "web", "x1"})
		pairs := rapid.MapOfN(words, words, 0, 3)
		s := application.Source{RepoURL: dir}
		if rapid.Bool().Draw(r, "helm") {
			s.Path = "h"
			s.Helm = &application.Helm{SkipTests: true}
			for k, v := range pairs.Draw(r, "parameters") {
				s.Helm.Parameters = append(s.Helm.Parameters, application.HelmParameter{Name: k, Value: v})
			}
			if rapid.Bool().Draw(r, "object") {
				s.Helm.ValuesObject = map[string]any{words.Draw(r, "key"): map[string]any{"z": int64(1), "a": "b"}}
			}
		} else {
			s.Path = "k"
			s.Kustomize = &application.Kustomize{CommonLabels: pairs.Draw(r, "labels"), CommonAnnotations: pairs.Draw(r, "annotations"), NamePrefix: words.Draw(r, "prefix") + "-"}
			s.Kustomize.Images = rapid.SliceOfN(rapid.SampledFrom([]string{"shop/web:2", "shop/web=x:1", "other:1"}), 0, 2).Draw(r, "images")
		}
		a := app(t)
		a.Spec.Sources = []application.Source{s}
		var out [2]string
		for i, s := range []*render.Sources{one, two} {
			d, err := run(t, s, a)
			out[i] = show(d) + fmt.Sprint(err)
		}
		if out[0] != out[1] {
			r.Fatalf("%s\n%s", out[0], out[1])
		}
	})
}

// TestNothingOutsideIsOpened watches the children with strace: once they are shut in they open no file and no socket,
// and what the parent opens is in the repository.
func TestNothingOutsideIsOpened(t *testing.T) {
	tracer, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed: the children's system calls are not looked at")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "calls")
	traced := sandbox.New(sandbox.Options{Kind: render.Kind, Workers: 1, Command: []string{tracer, "-f", "-o", log, "-e", "trace=seccomp,open,openat,openat2,creat,socket,connect,execve,execveat,fork,vfork,clone,clone3", self, "sandbox"}})
	s := open(t)
	s.Pool = traced
	for _, name := range []string{"outside.txtar", "kustomize-refused.txtar", "jsonnet.txtar", "helm-chart.txtar"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		dir := files(t, string(text))
		list, err := os.ReadDir(dir + "/repo")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			_, _ = run(t, s, app(t, "repoURL: "+dir+"/repo\npath: "+e.Name()))
		}
	}
	traced.Close()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := bytes.Cut(text, []byte("seccomp(SECCOMP_SET_MODE_FILTER"))
	if !ok {
		t.Skipf("strace may not trace here: %.300s", text)
	}
	begun := map[string]string{} // calls that another thread's came between, by thread
	refused := 0
	for line := range strings.Lines(string(after)) {
		thread, _, _ := strings.Cut(line, " ")
		if call, ok := strings.CutSuffix(strings.TrimSpace(line), "<unfinished ...>"); ok {
			begun[thread] = call
			continue
		}
		if _, rest, ok := strings.Cut(line, "resumed>"); ok {
			line = begun[thread] + rest
		}
		switch {
		case strings.Contains(line, "EPERM") || strings.Contains(line, "ENOSYS"):
			refused++
		case strings.Contains(line, "CLONE_THREAD"), strings.Contains(line, "SECCOMP_FILTER_FLAG_TSYNC"), !strings.Contains(line, "("), strings.Contains(line, "+++"), strings.Contains(line, "---"):
		default:
			t.Errorf("a child was let through: %s", line)
		}
	}
	if refused == 0 {
		t.Error("nothing was refused: the chart asks for a time zone's file at least")
	}
}

func TestAnAnswerIsWhatACancelledRequestDoesNotWaitFor(t *testing.T) {
	dir := files(t, "-- Chart.yaml --\napiVersion: v2\nname: x\nversion: 1.0.0\n-- templates/a.yaml --\n{{ range until 3000 }}{{ range until 3000 }}{{ range until 3000 }}{{ end }}{{ end }}{{ end }}\n")
	s := open(t)
	a := app(t, "repoURL: "+dir+"\npath: .")
	revisions, err := s.Resolve(t.Context(), a, a.Spec.Sources)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	if _, err := s.Render(ctx, a, a.Spec.Sources, revisions, target); err == nil || ctx.Err() == nil {
		t.Errorf("got %v", err)
	}
}
