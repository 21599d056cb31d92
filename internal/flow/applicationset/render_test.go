package applicationset_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// one makes the only Application of a spec.
func one(t *testing.T, spec string) (manifest.Object, error) {
	t.Helper()
	s := decode(t, "{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, metadata: {name: guestbook}, spec: "+spec+"}")
	all, err := applications(t, s, world([]applicationset.Cluster{local, staging}, nil))
	if err != nil {
		return nil, err
	}
	if len(all) != 1 {
		t.Fatalf("%d Applications", len(all))
	}
	return all[0], nil
}

func TestRender(t *testing.T) {
	const rest = `spec: {project: p, destination: {name: x}, source: {repoURL: r}}`
	for _, c := range []struct{ name, spec, want string }{
		{
			"texts, keys and what is no text",
			`{goTemplate: true, generators: [{list: {elements: [{cluster: dev, num: 3, "yes": true}]}}], template: {metadata: {name: "{{.cluster}}-app", namespace: elsewhere, labels: {"{{.cluster}}": "{{.num}}"}, annotations: {a: "{{.yes}}"}},
			  spec: {project: "{{.cluster}}", destination: {server: "https://{{.cluster}}", namespace: x}, source: {repoURL: r, helm: {skipCrds: true, valuesObject: {"{{.cluster}}": ["{{.num}}", 5, {x: "{{.cluster}}"}]}, parameters: [{name: "a{{.num}}", value: "{{.yes}}"}]}}, revisionHistoryLimit: 3}}}`,
			`{"apiVersion":"argoproj.io/v1alpha1","kind":"Application","metadata":{"annotations":{"a":"true"},"finalizers":["resources-finalizer.argocd.argoproj.io"],"labels":{"dev":"3"},"name":"dev-app","namespace":"argocd"},"spec":{"destination":{"namespace":"x","server":"https://dev"},"project":"dev","revisionHistoryLimit":3,"source":{"helm":{"parameters":[{"name":"a3","value":"true"}],"skipCrds":true,"valuesObject":{"dev":["3",5,{"x":"dev"}]}},"repoURL":"r"}}}`,
		},
		{
			"plain names, unresolved ones stay",
			`{generators: [{list: {elements: [{cluster: dev}]}}], template: {metadata: {name: "{{cluster}}-{{ cluster }}", annotations: {"{{cluster}}": "{{ nothing }} {{cluster}} {{ .cluster }}"}}, ` + rest + `}}`,
			`{"annotations":{"dev":"{{ nothing }} dev {{ .cluster }}"},"finalizers":["resources-finalizer.argocd.argoproj.io"],"name":"dev-dev","namespace":"argocd"}`,
		},
		{"finalizers of its own", `{generators: [{list: {elements: [{a: b}]}}], template: {metadata: {name: x, finalizers: [mine]}, ` + rest + `}}`, `{"finalizers":["mine"],"name":"x","namespace":"argocd"}`},
		{"preserved resources", `{generators: [{list: {elements: [{a: b}]}}], syncPolicy: {preserveResourcesOnDeletion: true}, template: {metadata: {name: x}, ` + rest + `}}`, `{"name":"x","namespace":"argocd"}`},
		{
			"slugify", `{goTemplate: true, generators: [{list: {elements: [{name: a, branch: "feat/a_really+long_pull_request_name_to_test_argo_slugification_and_branch_name_shortening_feature"}]}}],
		  template: {metadata: {name: 'hellos3-{{.name}}-{{ cat .branch | slugify 23 }}', annotations: {label-1: '{{ cat .branch | slugify }}', label-2: '{{ cat .branch | slugify 23 }}', label-3: '{{ cat .branch | slugify 50 false }}'}}, ` + rest + `}}`,
			`{"annotations":{"label-1":"feat-a-really-long-pull-request-name-to-test-argo","label-2":"feat-a-really-long-pull","label-3":"feat-a-really-long-pull-request-name-to-test-argo"},"finalizers":["resources-finalizer.argocd.argoproj.io"],"name":"hellos3-a-feat-a-really-long-pull","namespace":"argocd"}`,
		},
		{
			"functions", `{goTemplate: true, generators: [{list: {elements: [{a: "A_b.C", text: "x: 1\nl: [2]", l: "- 1\n- z", o: {b: [1], a: t}}]}}],
		  template: {metadata: {name: x, annotations: {name: '{{ normalize .a }}', u: '{{ .a | upper | quote }}', yaml: '{{ (fromYaml .text).l }}', l: '{{ (fromYamlArray .l) | len }}', t: '{{ toYaml .o }}', d: '{{ dig "nope" "other" . }}', i: '{{ range $i, $e := until 3 }}{{ $i }}{{ end }}', w: '{{ with .o }}{{ .a }}{{ else }}-{{ end }}', none: '{{ .nothing }}', def: '{{ define "x" }}[{{ . }}]{{ end }}{{ template "x" .a }}'}}, ` + rest + `}}`,
			`{"annotations":{"d":"other","def":"[A_b.C]","i":"012","l":"2","name":"a-b.c","none":"\u003cno value\u003e","t":"a: t\nb:\n- 1","u":"\"A_B.C\"","w":"t","yaml":"[2]"},"finalizers":["resources-finalizer.argocd.argoproj.io"],"name":"x","namespace":"argocd"}`,
		},
		{"no environment", `{goTemplate: true, generators: [{list: {elements: [{a: b}]}}], template: {metadata: {name: '{{ env "HOME" }}'}, ` + rest + `}}`, `! function "env" not defined`},
		{"no network", `{goTemplate: true, generators: [{list: {elements: [{a: b}]}}], template: {metadata: {name: '{{ getHostByName "x" }}'}, ` + rest + `}}`, `! function "getHostByName" not defined`},
		{"a missing key", `{goTemplate: true, goTemplateOptions: ["missingkey=error"], generators: [{list: {elements: [{a: b}]}}], template: {metadata: {name: '{{ .x }}'}, ` + rest + `}}`, `! failed to execute go template {{ .x }}: template: base:1:3: executing "base" at <.x>: map has no entry for key "x"`},
		{"no template", `{goTemplate: true, generators: [{list: {elements: [{a: b}]}}], template: {metadata: {name: '{{ .x'}, ` + rest + `}}`, `! failed to parse template {{ .x: template: base:1: unclosed action`},
		{"a type", `{goTemplate: true, generators: [{list: {elements: [{a: b}]}}], template: {metadata: {name: x}, spec: {syncPolicy: "{{.a}}"}}}`, `! that cannot be read`},
		{
			"a generator's template", `{goTemplate: true, generators: [{list: {elements: [{cluster: dev, url: u}], template: {metadata: {}, spec: {project: own, source: {path: "own/{{.cluster}}"}, destination: {}, syncPolicy: {automated: {enabled: false}}}}}}],
		  template: {metadata: {name: "{{.cluster}}"}, spec: {project: base, source: {repoURL: r, targetRevision: HEAD, path: default}, destination: {server: "{{.url}}", namespace: g}, syncPolicy: {automated: {prune: true, enabled: true}}}}}`,
			`= {"destination":{"namespace":"g","server":"u"},"project":"own","source":{"path":"own/dev","repoURL":"r","targetRevision":"HEAD"},"syncPolicy":{"automated":{"enabled":false,"prune":true}}}`,
		},
		{
			"templatePatch", `{goTemplate: true, generators: [{list: {elements: [{cluster: dev, autoSync: true, prune: true, valueFiles: [values.large.yaml, values.debug.yaml]}]}}],
		  template: {metadata: {name: "{{.cluster}}-deployment", finalizers: [a]}, spec: {project: default, info: [{name: n, value: v}], source: {repoURL: r, targetRevision: HEAD, path: "guestbook/{{.cluster}}", helm: {releaseName: rel}}, destination: {server: s, namespace: g}}},
		  templatePatch: "metadata: {finalizers: [b], labels: {x: '{{.cluster}}'}}\nspec:\n  project: stolen\n  info: null\n  source:\n    helm:\n      valueFiles:\n      {{- range $valueFile := .valueFiles }}\n        - {{ $valueFile }}\n      {{- end }}\n{{- if .autoSync }}\n  syncPolicy:\n    automated:\n      prune: {{ .prune }}\n{{- end }}\n"}`,
			`{"apiVersion":"argoproj.io/v1alpha1","kind":"Application","metadata":{"finalizers":["a","b"],"labels":{"x":"dev"},"name":"dev-deployment","namespace":"argocd"},"spec":{"destination":{"namespace":"g","server":"s"},"project":"default","source":{"helm":{"releaseName":"rel","valueFiles":["values.large.yaml","values.debug.yaml"]},"path":"guestbook/dev","repoURL":"r","targetRevision":"HEAD"},"syncPolicy":{"automated":{"prune":true}}}}`,
		},
		{"a templatePatch in JSON that replaces", `{goTemplate: true, generators: [{list: {elements: [{a: b}]}}], template: {metadata: {name: x}, spec: {project: p, source: {repoURL: r, helm: {releaseName: rel}}, destination: {name: d}}}, templatePatch: '{"spec": {"source": {"$patch": "replace", "repoURL": "{{.a}}"}}}'}`, `= {"destination":{"name":"d"},"project":"p","source":{"repoURL":"b"}}`},
		{"a templatePatch that is no YAML", `{goTemplate: true, generators: [{list: {elements: [{a: b}]}}], template: {metadata: {name: x}, ` + rest + `}, templatePatch: 'a: [{{.a}}'}`, `! error while converting template to json`},
		{"a templatePatch that is a list", `{goTemplate: true, generators: [{list: {elements: [{a: b}]}}], template: {metadata: {name: x}, ` + rest + `}, templatePatch: '[]'}`, `! invalid templatePatch`},
		{"a templatePatch of nothing", `{goTemplate: true, generators: [{list: {elements: [{a: b}]}}], template: {metadata: {name: x}, ` + rest + `}, templatePatch: '{{ if false }}x{{ end }}'}`, `= {"destination":{"name":"x"},"project":"p","source":{"repoURL":"r"}}`},
		{"empty parts are dropped, automated: {} is not", `{generators: [{list: {elements: [{a: b}]}}], template: {metadata: {name: x}, spec: {source: {repoURL: r, helm: {}, directory: {recurse: false}}, destination: {name: d}, syncPolicy: {automated: {}}}}}`, `= {"destination":{"name":"d"},"project":"default","source":{"repoURL":"r"},"syncPolicy":{"automated":{}}}`},
		{"an empty syncPolicy is dropped", `{generators: [{list: {elements: [{a: b}]}}], template: {metadata: {name: x}, spec: {source: {repoURL: r}, destination: {name: d}, syncPolicy: {syncOptions: []}}}}`, `= {"destination":{"name":"d"},"project":"default","source":{"repoURL":"r"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := one(t, c.spec)
			if words, ok := strings.CutPrefix(c.want, "! "); ok {
				if err == nil || !strings.Contains(err.Error(), words) {
					t.Errorf("%v\nwant %s", err, words)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := string(o.JSON())
			switch {
			case strings.HasPrefix(c.want, "= "):
				got = "= " + string(o.Sub("spec").JSON())
			case !strings.HasPrefix(c.want, `{"apiVersion"`):
				got = string(o.Sub("metadata").JSON())
			}
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// A template that changes its parameters changes them for no other Application.
func TestParametersAreNotShared(t *testing.T) {
	s := decode(t, `{kind: ApplicationSet, spec: {goTemplate: true, generators: [{matrix: {generators: [{list: {elements: [{o: {}}]}}, {list: {elements: [{i: "1"}, {i: "2"}]}}]}}],
	  template: {metadata: {name: 'a{{.i}}{{ $_ := set .o (printf "k%s" .i) "v" }}', annotations: {o: "{{ len .o }}"}}, spec: {source: {repoURL: r}, destination: {name: d}}}}}`)
	all, err := applications(t, s, applicationset.World{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range all {
		if o.Annotation("o") > "1" {
			t.Errorf("%s: %s", o.Name(), o.Annotation("o"))
		}
	}
}

// Templates that would take all memory or all time fail, each in little of both.
func TestTemplatesAreBounded(t *testing.T) {
	for name, text := range map[string]string{
		"repeat":           `{{ repeat 1000000000 "x" }}`,
		"repeat twice":     `{{ repeat 1000 (repeat 10000 "x") }}`,
		"until":            `{{ until 1000000000 | len }}`,
		"untilStep":        `{{ untilStep 0 1000000000 1 | len }}`,
		"seq":              `{{ seq 1000000000 }}`,
		"range":            `{{ range 1000000000 }}{{ end }}`,
		"range in range":   `{{ range until 10000 }}{{ range until 10000 }}{{ end }}{{ end }}`,
		"output":           `{{ $s := repeat 100000 "x" }}{{ range until 100 }}{{ $s }}{{ end }}`,
		"doubling":         `{{ $x := "x" }}{{ range until 40 }}{{ $x = print $x $x }}{{ end }}{{ len $x }}`,
		"doubling cat":     `{{ $x := "x" }}{{ range until 40 }}{{ $x = cat $x $x }}{{ end }}`,
		"doubling printf":  `{{ $x := "x" }}{{ range until 40 }}{{ $x = printf "%s%s" $x $x }}{{ end }}`,
		"doubling lists":   `{{ $x := list 1 }}{{ range until 40 }}{{ $x = list $x $x }}{{ end }}{{ $x }}`,
		"lists to JSON":    `{{ $x := list 1 }}{{ range until 40 }}{{ $x = list $x $x }}{{ end }}{{ toJson $x }}`,
		"itself":           `{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ $d }}`,
		"itself to YAML":   `{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ toYaml $d }}`,
		"width":            `{{ printf "%1000000d" 1 }}{{ printf "%999999d%999999d%999999d" 1 2 3 }}`,
		"star width":       `{{ printf "%*d%*d%*d" 1000000 1 1000000 1 1000000 1 }}`,
		"replace":          `{{ $s := repeat 1000 "a" }}{{ replace "a" (repeat 10000 "b") $s }}`,
		"replace nothing":  `{{ $s := repeat 1000 "a" }}{{ replace "" (repeat 10000 "b") $s }}`,
		"regex":            `{{ regexReplaceAll "(a+)" (repeat 1000 "a") (repeat 10000 "$1") }}`,
		"join":             `{{ join (repeat 10000 "x") (until 1000) }}`,
		"indent":           `{{ indent 1000000 "a\nb" }}`,
		"nindent":          `{{ nindent 10000000 "a" }}`,
		"randAlpha":        `{{ randAlphaNum 1000000000 | len }}`,
		"itself called":    `{{ define "x" }}{{ template "x" . }}{{ end }}{{ template "x" . }}`,
		"two that call":    `{{ define "x" }}{{ template "y" . }}{{ end }}{{ define "y" }}{{ template "x" . }}{{ template "x" . }}{{ end }}{{ template "x" . }}`,
		"keys":             `{{ range until 20 }}{{ genPrivateKey "rsa" | len }}{{ end }}`,
		"passwords":        `{{ range until 1000 }}{{ bcrypt "x" | len }}{{ end }}`,
		"uniq":             `{{ uniq (until 100000) | len }}`,
		"aliases":          `{{ fromYaml (printf "a: &a [x,x,x,x,x,x,x,x,x]\n%s" (repeat 1 "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]")) }}`,
		"parentheses":      `{{ ` + strings.Repeat("(", 200000) + ` }}`,
		"blocks":           strings.Repeat("{{ if 1 }}", 100000),
		"a large template": strings.Repeat("x", 2<<20) + "{{ 1 }}",
		"wrapWith":         `{{ wrapWith 1 (repeat 10000 "x") (repeat 10000 "a ") }}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := decode(t, `{kind: ApplicationSet, spec: {goTemplate: true, generators: [{list: {elements: [{a: b}]}}], template: {metadata: {name: x}, spec: {source: {repoURL: r}, destination: {name: d}}}}}`)
			s.Spec.Template.Set(text, "metadata", "annotations", "x")
			_, err := applications(t, s, applicationset.World{})
			if fault.CodeOf(err) != applicationset.CodeTemplate {
				t.Errorf("%.300v", fmt.Sprint(err))
			}
		})
	}
}

// What a person writes is far from the bounds.
func TestLargeValuesAreFilled(t *testing.T) {
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "key%d: {{ .a | upper | quote }}\nlist%d: {{ regexReplaceAll \"b\" .a \"$0-\" | toJson }}\n", i, i)
	}
	s := decode(t, `{kind: ApplicationSet, spec: {goTemplate: true, generators: [{list: {elements: [{a: b}]}}], template: {metadata: {name: x}, spec: {source: {repoURL: r, helm: {}}, destination: {name: d}}}}}`)
	s.Spec.Template.Set(b.String(), "spec", "source", "helm", "values")
	all, err := applications(t, s, applicationset.World{})
	if err != nil || !strings.HasSuffix(all[0].Text("spec", "source", "helm", "values"), "key2999: \"B\"\nlist2999: \"b-\"\n") {
		t.Error(err)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"{{ .a }}", "{{ range .l }}{{ . }}{{ end }}", `{{ printf "%v" . | upper | repeat 3 }}`, `{{ $x := dict "a" . }}{{ set $x "b" $x }}`, "{{a}} {{ b", `{{ regexReplaceAll "(.)" .a "$1$1" }}`, `{{ indent 3 .a | fromYaml }}`} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, text string, golang bool) {
		s := decode(t, `{kind: ApplicationSet, spec: {generators: [{list: {elements: [{a: b}]}}], template: {metadata: {name: x}, spec: {source: {repoURL: r}, destination: {name: d}}}}}`)
		s.Spec.GoTemplate = golang
		s.Spec.Template.Set(text, "metadata", "annotations", "x")
		s.Spec.TemplatePatch = &text
		all, err := applications(t, s, applicationset.World{})
		if err == nil && len(all[0].Annotation("x")) > 2<<20 {
			t.Error("too large")
		}
	})
}
