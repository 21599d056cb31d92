package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// outside is what hostile repositories try to read; a ConfigMap that shows it would show this word.
const outside = "0utside-Of-The-Repository"

// hostileRepo is a folder that must not be delivered.
type hostileRepo struct {
	archive string
	make    func(t *testing.T, dir string)
	says    string        // what the message must hold
	fine    bool          // it may be delivered, as far as it is harmless
	cpu     time.Duration // allowed; 20 s unless told
}

// hostileRepos are by what is wrong with them. OUTSIDE is a folder beside the repository, CANARY a file that must not come
// to be.
var hostileRepos = map[string]hostileRepo{
	"a base outside":             {archive: "-- kustomization.yaml --\nresources: [../../OUTSIDE]\n"},
	"an absolute base":           {archive: "-- kustomization.yaml --\nresources: [OUTSIDE]\n"},
	"an exec plugin":             {archive: "-- kustomization.yaml --\ngenerators: [g.yaml]\n-- g.yaml --\napiVersion: v1\nkind: G\nmetadata: {name: g, annotations: {config.kubernetes.io/function: \"exec: {path: ./x.sh}\"}}\n-- x.sh --\n#!/bin/sh\ntouch CANARY\n"},
	"charts of kustomize":        {archive: "-- kustomization.yaml --\nhelmCharts: [{name: x, repo: \"https://192.0.2.1\", version: \"1\"}]\n"},
	"a secret of a file outside": {archive: "-- kustomization.yaml --\nsecretGenerator: [{name: x, files: [OUTSIDE/cm.yaml]}]\n"},
	"a remote base that runs":    {archive: "-- kustomization.yaml --\nresources: [\"ext::sh -c touch% CANARY\"]\n"},
	"a remote base with options": {archive: "-- kustomization.yaml --\nresources: [\"git::file://OUTSIDE?ref=--upload-pack=touch CANARY\"]\n"},
	"a link outside":             {make: func(t *testing.T, dir string) { link(t, filepath.Join(dir, "../out/cm.yaml"), dir, "cm.yaml") }},
	"a chain of links": {make: func(t *testing.T, dir string) {
		link(t, "b", dir, "a.yaml")
		link(t, "c/cm.yaml", dir, "b")
		link(t, "../out", dir, "c")
	}},
	"links in a circle": {archive: "-- d/x --\n", make: func(t *testing.T, dir string) {
		link(t, "b.yaml", dir, "a.yaml")
		link(t, "a.yaml", dir, "b.yaml")
	}},
	"values by a link":       {archive: "-- Chart.yaml --\n{apiVersion: v2, name: c, version: 1.0.0}\n-- templates/a.yaml --\n{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: {{ .Values.data.k }}}}\n", make: func(t *testing.T, dir string) { link(t, filepath.Join(dir, "../out/cm.yaml"), dir, "values.yaml") }},
	"a chart reads outside":  {archive: "-- Chart.yaml --\n{apiVersion: v2, name: c, version: 1.0.0}\n-- templates/a.yaml --\n{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {k: {{ .Files.Get \"../out/cm.yaml\" | quote }}, e: {{ env \"PATH\" | quote }}}}\n"},
	"a chart without end":    {archive: "-- Chart.yaml --\n{apiVersion: v2, name: c, version: 1.0.0}\n-- templates/a.yaml --\n{{ range until 1000000 }}{{ range until 1000000 }}{{ end }}{{ end }}\n", cpu: 3 * minute},
	"a chart that recurses":  {archive: "-- Chart.yaml --\n{apiVersion: v2, name: c, version: 1.0.0}\n-- templates/a.yaml --\n{{ define \"x\" }}{{ include \"x\" . }}{{ include \"x\" . }}{{ end }}{{ include \"x\" . }}\n", cpu: 3 * minute},
	"a chart of a gigabyte":  {archive: "-- Chart.yaml --\n{apiVersion: v2, name: c, version: 1.0.0}\n-- templates/a.yaml --\na: {{ repeat 1073741824 \"x\" }}\n", cpu: 3 * minute},
	"jsonnet without end":    {archive: "-- a.jsonnet --\nlocal f(x) = f(x + 1); f(0)\n", cpu: 3 * minute},
	"jsonnet reads outside":  {archive: "-- a.jsonnet --\nimport '../out/cm.yaml'\n"},
	"jsonnet reads absolute": {archive: "-- a.jsonnet --\n{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'a'}, data: {k: importstr 'OUTSIDE/cm.yaml'}}\n"},
	"a bomb of aliases":      {archive: "-- a.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n" + shipAliases(9)},
	"deep nesting": {make: func(t *testing.T, dir string) {
		put(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\na: "+strings.Repeat("[", 100_000), dir, "a.yaml")
	}},
	"a scalar of 100 MB": {make: func(t *testing.T, dir string) {
		put(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {k: "+strings.Repeat("x", 100<<20)+"}\n", dir, "a.yaml")
	}, cpu: minute},
	"duplicate keys":      {archive: "-- a.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\nmetadata: {name: y}\n"},
	"a huge definition":   {make: func(t *testing.T, dir string) { put(t, hugeDefinition(t), dir, "crd.yaml") }, cpu: minute},
	"a pipe":              {make: func(t *testing.T, dir string) { pipe(t, dir, "a.yaml") }, fine: true},
	"a name of options":   {archive: "-- --help/a.yaml --\nx\n-- -n.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: --all}\n"},
	"a name of dots":      {archive: "-- a.yaml --\n{apiVersion: v1, kind: ConfigMap, metadata: {name: ../../../namespaces/default}}\n"},
	"a name of two dots":  {archive: "-- a.yaml --\n{apiVersion: v1, kind: ConfigMap, metadata: {name: .., annotations: {argocd.argoproj.io/sync-options: \"Force=true,Replace=true\"}}}\n"},
	"no name":             {archive: "-- a.yaml --\n{apiVersion: v1, kind: ConfigMap, metadata: {annotations: {argocd.argoproj.io/sync-options: \"Force=true,Replace=true\"}}}\n"},
	"a kind of dots":      {archive: "-- a.yaml --\n{apiVersion: v1/../../api, kind: ../x, metadata: {name: x}}\n"},
	"control characters":  {archive: "-- a.yaml --\n{apiVersion: v1, kind: \"Config\\e[2JMap\", metadata: {name: \"a\\e]0;x\\a\"}}\n"},
	"another's namespace": {archive: "-- a.yaml --\n{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: \"../kube-system\"}}\n"},
}

func shipAliases(depth int) string {
	text := "data:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < depth; i++ {
		text += fmt.Sprintf("  a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	return text
}

// hugeDefinition has a schema of more than etcd takes.
func hugeDefinition(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: huges.hostile.example}\nspec:\n  group: hostile.example\n  scope: Namespaced\n  names: {kind: Huge, plural: huges}\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema: {openAPIV3Schema: {type: object, properties: {\n")
	for i := range 40_000 {
		fmt.Fprintf(&b, "      p%d: {type: string, description: \"%s\"},\n", i, strings.Repeat("d", 60))
	}
	b.WriteString("    }}}\n")
	return b.String()
}

// TestHostileDeliverRepositories delivers what hostile hands have written: the command ends in time, in little memory and
// with a message, nothing is applied, nothing of outside is read, nothing is run.
func TestHostileDeliverRepositories(t *testing.T) {
	t.Parallel()
	short := []string{"a base outside", "a chain of links", "an exec plugin", "a chart reads outside", "jsonnet reads absolute", "a bomb of aliases", "a name of two dots", "no name", "a kind of dots"}
	for name, h := range hostileRepos {
		if oneOf(2, 1) > 1 && !slices.Contains(short, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, bird, up := grounds(t, kubetest.A), canary(t), t.TempDir()
			g.Apply(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: stays}}")
			put(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: out}\ndata: {k: "+outside+"}\n", up, "out", "cm.yaml")
			dir := world(t, strings.NewReplacer("../../OUTSIDE", "../out", "OUTSIDE", filepath.Join(up, "out"), "CANARY", bird).Replace(h.archive))
			if err := os.Rename(dir, filepath.Join(up, "repo")); err != nil {
				t.Fatal(err)
			}
			dir = filepath.Join(up, "repo")
			if h.make != nil {
				h.make(t, dir)
				if name != "a pipe" {
					gitIn(t, dir, "add", "-A")
					gitIn(t, dir, "commit", "-q", "-m", "x")
				}
			}
			exits := []int{exitFailed, exitUsage}
			if h.fine {
				exits = append(exits, exitOK)
			}
			o := g.deliver(dir, assault{exit: exits, limit: 4 * minute}, ".", "--once", "--timeout", "2m", "--name", g.Namespace)
			if strings.Contains(o.said(), outside) {
				t.Errorf("it shows what is outside: %s", clip(o.said()))
			}
			if len(controls(o.said())) > 0 {
				t.Errorf("control characters reach the terminal: %q", controls(o.said()))
			}
			if len(strings.TrimSpace(o.err)) < 20 || !strings.Contains(o.said(), h.says) {
				t.Errorf("the message is %q", o.said())
			}
			if len(o.said()) > 20_000 {
				t.Errorf("the message has %d bytes", len(o.said()))
			}
			if o.rss > 1500<<20 {
				t.Errorf("it took %d MB", o.rss>>20)
			}
			if limit := max(h.cpu, 30*time.Second); o.cpu > limit && !raceEnabled {
				t.Errorf("it computed for %v", o.cpu)
			}
			if _, data := g.Do(t, "GET", "/api/v1/namespaces/"+g.Namespace, "", nil); !strings.Contains(string(data), `"phase":"Active"`) {
				t.Errorf("the namespace is harmed: %s", data)
			}
			left := g.list(aimed.configMap)
			if !slices.ContainsFunc(left, func(o manifest.Object) bool { return o.Name() == "stays" }) {
				t.Error("what others have made is deleted")
			}
			for _, m := range left {
				if m.Name() != "stays" && m.Name() != "kube-root-ca.crt" {
					t.Errorf("the ConfigMap %s was applied: %s", m.Name(), m.JSON())
				}
			}
			t.Logf("exit %d, %d MB, %v: %s", o.exit, o.rss>>20, o.cpu, clip(strings.TrimSpace(o.said())))
		})
	}
}

// TestHostileDeliverAddresses gives addresses and revisions that git would take for something else.
func TestHostileDeliverAddresses(t *testing.T) {
	t.Parallel()
	g, bird := grounds(t, kubetest.A), canary(t)
	repo := world(t, "-- a.yaml --\n{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n-- .gitattributes --\n* filter=evil diff=evil export-subst\n-- .gitmodules --\n[submodule \"x\"]\n\tpath = sub\n\turl = ext::touch "+bird+"\n\tupdate = !touch "+bird+"\n")
	evil := put(t, "#!/bin/sh\ntouch "+bird+"\ncat\n", t.TempDir(), "evil.sh")
	_ = os.Chmod(evil, 0o755)
	head := gitIn(t, repo, "rev-parse", "HEAD")
	gitIn(t, repo, "update-index", "--add", "--cacheinfo", "160000,"+head+",sub")
	gitIn(t, repo, "commit", "-q", "-m", "A submodule")
	gitIn(t, repo, "update-ref", "refs/heads/--upload-pack=touch${IFS}"+filepath.Base(bird), "HEAD")
	for _, key := range []string{"core.fsmonitor", "core.sshCommand", "core.pager", "filter.evil.smudge", "filter.evil.clean", "filter.evil.process", "diff.evil.textconv", "core.alternateRefsCommand", "uploadpack.packObjectsHook", "core.gitProxy"} {
		gitIn(t, repo, "config", key, evil)
	}
	for _, hook := range []string{"post-checkout", "reference-transaction", "pre-auto-gc", "post-index-change", "fsmonitor-watchman"} {
		_ = os.Chmod(put(t, "#!/bin/sh\ntouch "+bird+"\n", repo, ".git/hooks", hook), 0o755)
	}
	_ = os.Remove(bird) // the set-up itself may have run some
	work := t.TempDir()
	for _, args := range [][]string{
		{"ext::sh -c touch% " + bird},
		{"ext::sh://-c/touch% " + bird},
		{"--upload-pack=touch " + bird},
		{"-u://x"},
		{"fd::7://x"},
		{"ssh://-oProxyCommand=touch " + bird + "/x"},
		{"-oProxyCommand=touch@x:y"},
		{"git://127.0.0.1:1/x"},
		{"http://127.0.0.1:1/x.git"},
		{"https://user:pa55-w0rd@127.0.0.1:1/x.git"},
		{"transport::address://x"},
		{"file:///nonexistent/x"},
		{"file://\x1b[2J/x"},
		{"://"},
		{"https://"},
		{""},
		{"@:"},
		{"file://" + repo, "--revision", "--upload-pack=touch " + bird},
		{"file://" + repo, "--revision", "main..x"},
		{"file://" + repo, "--revision", "-h"},
		{"file://" + repo, "--path", "../.."},
		{"file://" + repo, "--path", "/etc"},
		{"file://" + repo, "--path", "sub"},
		{"file://" + repo, "--path", ".git"},
		{"file://" + repo, "--path", "none"},
		{repo, "--path", "../../etc"},
		{repo, "--path", ".git/hooks"},
		{repo, "--name", "---"},
		{repo, "--name", "///"},
	} {
		o := g.deliver(work, assault{exit: []int{exitOK, exitFailed, exitUsage, exitUnreachable}, limit: 2 * minute}, append([]string{"--once", "--timeout", "20s"}, args...)...)
		if o.exit == exitOK {
			t.Errorf("%q is delivered: %s", args, clip(o.said()))
		}
		if strings.Contains(o.said(), "pa55-w0rd") {
			t.Errorf("%q: the password is shown: %s", args, o.said())
		}
		if len(controls(o.said())) > 0 || len(strings.TrimSpace(o.err)) < 20 {
			t.Errorf("%q: the message is %q", args, o.said())
		}
		if len(g.list(aimed.configMap)) > 1 {
			t.Fatalf("%q: something was applied", args)
		}
		t.Logf("%q: exit %d: %s", args, o.exit, strings.TrimSpace(o.err))
	}
	o := g.deliver(work, assault{exit: []int{exitOK}}, "--once", "file://"+repo, "--path", ".", "--name", g.Namespace)
	t.Logf("the repository itself: %s", o.said())
	g.deliver(work, assault{exit: []int{exitOK}}, "--once", "file://"+repo, "--revision", "--upload-pack=touch${IFS}canary", "--name", g.Namespace) // a branch is called so
	if g.Object(t, aimed.configMap, "a") == nil {
		t.Error("the harmless part of the repository was not delivered")
	}
}
