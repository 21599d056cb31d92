package diff_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/sluice-delivery/sluice/internal/flow/application/diff"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func object(t testing.TB, text string) manifest.Object {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o, err := manifest.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// counted are the paths that count and, with "~" before them, those that are ignored.
func counted(out diff.Output) []string {
	var paths []string
	for _, d := range out.Differences {
		if d.Ignored != "" {
			paths = append(paths, "~"+d.Path)
		} else {
			paths = append(paths, d.Path)
		}
	}
	return paths
}

func applied(t testing.TB, live, before string) manifest.Object {
	t.Helper()
	o := object(t, live)
	o.SetAnnotation("kubectl.kubernetes.io/last-applied-configuration", string(object(t, before).JSON()))
	return o
}

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, creationTimestamp: null}
    spec:
      hostNetwork: false
      containers:
      - name: web
        image: web:1
        resources: {requests: {cpu: 1000m, memory: 1Gi}, limits: {cpu: 2}}
        ports: [{containerPort: 80}, {containerPort: 53, protocol: UDP}, {containerPort: 53}]
        env: [{name: A, value: a}, {name: B, value: b}]
        volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, emptyDir: {}}]
`

// deployed is the same as an API server holds it: defaults set, quantities rewritten, a sidecar put in by a webhook.
const deployed = `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  uid: 1b4e28ba-2fa1-11d2-883f-0016d3cca427
  resourceVersion: "17"
  generation: 1
  creationTimestamp: "2026-01-01T00:00:00Z"
  annotations: {deployment.kubernetes.io/revision: "1"}
  managedFields:
  - manager: kubectl-edit
    operation: Update
    time: "2026-01-02T03:04:05Z"
    fieldsV1: {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': {"f:image": {}}}}}}}
spec:
  replicas: 2
  progressDeadlineSeconds: 600
  revisionHistoryLimit: 10
  selector: {matchLabels: {app: web}}
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 25%}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: istio-proxy
        image: proxy:9
      - name: web
        image: web:1
        imagePullPolicy: IfNotPresent
        resources: {requests: {cpu: "1", memory: 1073741824}, limits: {cpu: "2"}}
        ports: [{containerPort: 80, protocol: TCP}, {containerPort: 53, protocol: UDP}, {containerPort: 53, protocol: TCP}]
        env: [{name: A, value: a}, {name: B, value: b}]
        terminationMessagePath: /dev/termination-log
        volumeMounts: [{name: data, mountPath: /data}]
      dnsPolicy: ClusterFirst
      restartPolicy: Always
      securityContext: {}
      volumes: [{name: data, emptyDir: {}}]
status: {replicas: 2}
`

func TestThreeWay(t *testing.T) {
	for _, c := range []struct {
		name, target, live, before string
		want                       []string
	}{
		{"a synced deployment", deployment, deployed, deployment, nil},
		{"a synced deployment that kubectl never applied", deployment, deployed, "", nil},
		{"an image", strings.Replace(deployment, "web:1", "web:2", 1), deployed, deployment, []string{"/spec/template/spec/containers/1/image"}},
		{
			"a container that is wanted no more", strings.Replace(deployment, "name: web\n        image", "name: site\n        image", 1), deployed, deployment,
			[]string{"/spec/template/spec/containers/1", "/spec/template/spec/containers/2"},
		},
		{"a replica more", deployment, strings.Replace(deployed, "replicas: 2\n  prog", "replicas: 3\n  prog", 1), deployment, []string{"/spec/replicas"}},
		{"a quantity", deployment, strings.Replace(deployed, "1073741824", "2Gi", 1), deployment, []string{"/spec/template/spec/containers/1/resources/requests/memory"}},
		{"false where live is true", deployment, strings.Replace(deployed, "dnsPolicy", "hostNetwork: true\n      dnsPolicy", 1), deployment, []string{"/spec/template/spec/hostNetwork"}},
		{
			"the order of variables", strings.Replace(deployment, "{name: A, value: a}, {name: B, value: b}", "{name: B, value: b}, {name: A, value: a}", 1),
			deployed, deployment,
			[]string{"/spec/template/spec/containers/1/env"},
		},
		{
			"another kind of volume", strings.Replace(deployment, "emptyDir: {}", "configMap: {name: x}", 1), deployed, deployment,
			[]string{"/spec/template/spec/volumes/0/configMap", "/spec/template/spec/volumes/0/emptyDir"},
		},
		{"a field no longer wanted", strings.Replace(deployment, "  replicas: 2\n", "", 1), deployed, deployment, []string{"/spec/replicas"}},
		{
			"a label by hand is no difference", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {x: y}}\ndata: {a: b}",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}", nil,
		},
		{
			"empty maps", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {}, annotations: {}}\ndata: {}",
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}", "", nil,
		},
		{
			"stringData", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {k: hello}",
			"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ntype: Opaque\ndata: {k: aGVsbG8=}", "", nil,
		},
		{
			"a custom resource's list with defaults", "apiVersion: x.io/v1\nkind: Foo\nmetadata: {name: a}\nspec: {items: [{a: 1}, {a: 2}]}",
			"apiVersion: x.io/v1\nkind: Foo\nmetadata: {name: a}\nspec: {items: [{a: 1, b: x}, {a: 2, b: x}], c: d}", "", nil,
		},
		{
			"a custom resource's empty map", "apiVersion: x.io/v1\nkind: Foo\nmetadata: {name: a}\nspec: {selfSigned: {}}",
			"apiVersion: x.io/v1\nkind: Foo\nmetadata: {name: a}\nspec: {}", "",
			[]string{"/spec/selfSigned"},
		},
		{
			"a list that is longer", "apiVersion: x.io/v1\nkind: Foo\nmetadata: {name: a}\nspec: {items: [{a: 1}, {a: 2}]}",
			"apiVersion: x.io/v1\nkind: Foo\nmetadata: {name: a}\nspec: {items: [{a: 1}]}", "",
			[]string{"/spec/items"},
		},
		{
			"a definition's old field", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\nspec: {preserveUnknownFields: false}\nstatus: {a: b}",
			"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\nspec: {conversion: {strategy: None}}", "", nil,
		},
		{
			"a rollout's pod", "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: a, resources: {requests: {cpu: 100m}}}]}}}",
			"apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: a, resources: {requests: {cpu: 0.1}}, terminationMessagePath: x}]}}}", "", nil,
		},
		{
			"the order of metrics", "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\nspec: {maxReplicas: 3, metrics: [{type: Resource, resource: {name: memory}}, {type: Resource, resource: {name: cpu}}]}",
			"apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\nspec: {maxReplicas: 3, metrics: [{type: Resource, resource: {name: cpu}}, {type: Resource, resource: {name: memory}}]}", "", nil,
		},
		{
			"a bundle that a controller puts in", "apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingWebhookConfiguration\nmetadata: {name: a}\nwebhooks: [{name: x, clientConfig: {service: {name: s}}}]",
			"apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingWebhookConfiguration\nmetadata: {name: a}\nwebhooks: [{name: x, timeoutSeconds: 10, clientConfig: {caBundle: YQ==, service: {name: s, port: 443}}}]", "", nil,
		},
		{
			"a Service's port", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 53, name: t}, {port: 53, protocol: UDP, name: u}]}",
			"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {clusterIP: 10.0.0.1, ports: [{port: 53, name: t, protocol: TCP, targetPort: 53}, {port: 53, protocol: UDP, name: u, targetPort: 53}]}", "", nil,
		},
		{
			"another version of the same kind", "apiVersion: x.io/v1beta1\nkind: Foo\nmetadata: {name: a}\nspec: {a: 1}",
			"apiVersion: x.io/v1\nkind: Foo\nmetadata: {name: a}\nspec: {a: 1}", "", nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			live := object(t, c.live)
			if c.before != "" {
				live = applied(t, c.live, c.before)
			}
			out := diff.Objects(diff.Input{Target: object(t, c.target), Live: live, Manager: "argocd-controller"}, diff.Rules{})
			if got := counted(out); !slices.Equal(got, c.want) {
				t.Fatalf("differences at %v, want %v", got, c.want)
			}
		})
	}
}

func TestOwner(t *testing.T) {
	live := applied(t, strings.Replace(deployed, "web:1", "web:9", 1), deployment)
	out := diff.Objects(diff.Input{Target: object(t, deployment), Live: live}, diff.Rules{})
	if len(out.Differences) != 1 {
		t.Fatalf("%v", out.Differences)
	}
	d := out.Differences[0]
	if d.Path != "/spec/template/spec/containers/1/image" || d.Wanted != "web:1" || d.Found != "web:9" || d.Manager != "kubectl-edit" || d.At.Year() != 2026 {
		t.Fatalf("%+v", d)
	}
}

func TestIgnore(t *testing.T) {
	live := strings.Replace(strings.Replace(deployed, "web:1", "web:9", 1), "replicas: 2\n  prog", "replicas: 3\n  prog", 1)
	for _, c := range []struct {
		name    string
		rule    diff.Rule
		want    []string
		problem string
	}{
		{"nothing", diff.Rule{}, []string{"/spec/replicas", "/spec/template/spec/containers/1/image"}, ""},
		{"a pointer", diff.Rule{Pointers: []string{"/spec/replicas"}}, []string{"~/spec/replicas", "/spec/template/spec/containers/1/image"}, ""},
		{"a pointer to nothing", diff.Rule{Pointers: []string{"/spec/nothing/at/all"}}, []string{"/spec/replicas", "/spec/template/spec/containers/1/image"}, ""},
		{"no pointer", diff.Rule{Pointers: []string{"spec/replicas"}}, []string{"/spec/replicas", "/spec/template/spec/containers/1/image"}, "is no JSON pointer"},
		{
			"jq",
			diff.Rule{JQ: []string{`.spec.template.spec.containers[] | select(.name == "web") | .image`}},
			[]string{"/spec/replicas", "~/spec/template/spec/containers/1/image"},
			"",
		},
		{
			"jq of an element",
			diff.Rule{JQ: []string{`.spec.template.spec.containers[] | select(.name == "web")`}},
			[]string{"/spec/replicas", "~/spec/template/spec/containers/1/image"},
			"",
		},
		{
			"jq of many",
			diff.Rule{JQ: []string{`.spec.replicas, .spec.template.spec.containers[]?.image`}},
			[]string{"~/spec/replicas", "~/spec/template/spec/containers/1/image"},
			"",
		},
		{"jq that does not fit", diff.Rule{JQ: []string{`.spec.replicas[].x`}}, []string{"/spec/replicas", "/spec/template/spec/containers/1/image"}, "does not fit"},
		{"jq that is none", diff.Rule{JQ: []string{`.spec[`}}, []string{"/spec/replicas", "/spec/template/spec/containers/1/image"}, "no jq expression"},
		{"a manager", diff.Rule{Managers: []string{"kubectl-edit"}}, []string{"~/spec/replicas", "~/spec/template/spec/containers/1/image"}, ""},
		{"another manager", diff.Rule{Managers: []string{"kube-controller-manager"}}, []string{"/spec/replicas", "/spec/template/spec/containers/1/image"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := diff.Objects(diff.Input{Target: object(t, deployment), Live: applied(t, live, deployment)}, diff.Prepare([]diff.Rule{c.rule}))
			if got := counted(out); !slices.Equal(got, c.want) {
				t.Errorf("differences at %v, want %v", got, c.want)
			}
			if c.problem == "" && len(out.Problems) > 0 || c.problem != "" && !strings.Contains(strings.Join(out.Problems, "\n"), c.problem) {
				t.Errorf("problems %q, want %q", out.Problems, c.problem)
			}
		})
	}
}

func TestIgnoreSlash(t *testing.T) {
	target := object(t, "apiVersion: v1\nkind: Node\nmetadata: {name: a, labels: {node-role.kubernetes.io/worker: b, c: d}}")
	live := object(t, "apiVersion: v1\nkind: Node\nmetadata: {name: a, labels: {node-role.kubernetes.io/worker: x, c: d}}")
	out := diff.Objects(diff.Input{Target: target, Live: live}, diff.Prepare([]diff.Rule{{Pointers: []string{"/metadata/labels/node-role.kubernetes.io~1worker"}}}))
	if got := counted(out); !slices.Equal(got, []string{"~/metadata/labels/node-role.kubernetes.io~1worker"}) {
		t.Fatal(got)
	}
}

// What a sync applies under RespectIgnoreDifferences: the ignored fields as live has them, all others as wanted.
func TestMerged(t *testing.T) {
	live := applied(t, strings.Replace(deployed, "replicas: 2\n  prog", "replicas: 7\n  prog", 1), deployment)
	target := object(t, strings.Replace(deployment, "web:1", "web:2", 1))
	rules := diff.Prepare([]diff.Rule{{
		Pointers: []string{"/spec/replicas", "/spec/revisionHistoryLimit"},
		JQ:       []string{`.spec.template.spec.containers[] | select(.name == "istio-proxy")`, `.spec.template.spec.volumes`},
	}})
	got := diff.Objects(diff.Input{Target: target, Live: live}, rules).Merged
	if got == nil {
		t.Fatal("nothing is merged")
	}
	want := target.Copy()
	want.Set(int64(7), "spec", "replicas")
	want.Set(int64(10), "spec", "revisionHistoryLimit")
	containers := append(slices.Clone(want.List("spec", "template", "spec", "containers")), live.List("spec", "template", "spec", "containers")[0])
	want.Set(containers, "spec", "template", "spec", "containers")
	if string(got.JSON()) != string(want.JSON()) {
		t.Fatalf("got  %s\nwant %s", got.JSON(), want.JSON())
	}
}

func TestServerSide(t *testing.T) {
	live := object(t, `
apiVersion: x.io/v1
kind: Foo
metadata:
  name: a
  managedFields:
  - {manager: argocd-controller, operation: Apply, fieldsV1: {"f:spec": {"f:a": {}, "f:old": {}}}}
  - {manager: someone, operation: Update, time: "2026-01-02T03:04:05Z", fieldsV1: {"f:spec": {"f:hand": {}}}}
spec: {a: 1, old: x, hand: y, default: z}
`)
	predicted := object(t, `
apiVersion: x.io/v1
kind: Foo
metadata:
  name: a
  managedFields:
  - {manager: argocd-controller, operation: Apply, fieldsV1: {"f:spec": {"f:a": {}}}}
spec: {a: 2, hand: y, default: z, webhook: w}
`)
	target := object(t, "apiVersion: x.io/v1\nkind: Foo\nmetadata: {name: a}\nspec: {a: 2}")
	in := diff.Input{Target: target, Live: live, Predicted: predicted, Manager: "argocd-controller"}
	if got := counted(diff.Objects(in, diff.Rules{})); !slices.Equal(got, []string{"/spec/a", "/spec/old", "~/spec/webhook"}) {
		t.Error(got)
	}
	in.Webhooks = true
	if got := counted(diff.Objects(in, diff.Rules{})); !slices.Equal(got, []string{"/spec/a", "/spec/old", "/spec/webhook"}) {
		t.Error(got)
	}
	in.Predicted = nil // three ways, from what our own server-side apply owns
	if got := counted(diff.Objects(in, diff.Rules{})); !slices.Equal(got, []string{"/spec/a", "/spec/old"}) {
		t.Error(got)
	}
}

func TestOptions(t *testing.T) {
	role := "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a}\naggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}\nrules: %s"
	target, live := object(t, strings.Replace(role, "%s", "[]", 1)), object(t, strings.Replace(role, "%s", "[{apiGroups: [''], resources: [pods], verbs: [get]}]", 1))
	in := diff.Input{Target: target, Live: live}
	if got := counted(diff.Objects(in, diff.Rules{})); !slices.Equal(got, []string{"/rules"}) {
		t.Error(got)
	}
	in.Options.IgnoreAggregatedRoles = true
	if got := counted(diff.Objects(in, diff.Rules{})); len(got) > 0 {
		t.Error(got)
	}
	crd := diff.Input{
		Target: object(t, "apiVersion: x.io/v1\nkind: Foo\nmetadata: {name: a}\nstatus: {a: 1}"), Live: object(t, "apiVersion: x.io/v1\nkind: Foo\nmetadata: {name: a}\nstatus: {a: 2}"),
	}
	for mode, want := range map[string]int{"": 0, "all": 0, "crd": 1, "none": 1} {
		crd.Options.IgnoreStatus = mode
		if got := counted(diff.Objects(crd, diff.Rules{})); len(got) != want {
			t.Errorf("%q: %v", mode, got)
		}
	}
	known := diff.Input{
		Target:  object(t, "apiVersion: x.io/v1\nkind: Foo\nmetadata: {name: a}\nspec: {pod: {containers: [{name: a, resources: {limits: {cpu: 100m}}}]}, size: 1000m}"),
		Live:    object(t, "apiVersion: x.io/v1\nkind: Foo\nmetadata: {name: a}\nspec: {pod: {containers: [{name: b}, {name: a, resources: {limits: {cpu: 0.1}}}]}, size: 1}"),
		Options: diff.Options{KnownTypes: []diff.KnownType{{"x.io", "Foo", "spec.pod", "core/v1/PodSpec"}, {"x.io", "Foo", "spec.size", "core/Quantity"}}},
	}
	if got := counted(diff.Objects(known, diff.Rules{})); len(got) > 0 {
		t.Error(got)
	}
}

// Expressions that would grow values or never end are refused or stopped, and ignore nothing.
func TestJQBounds(t *testing.T) {
	target := object(t, deployment)
	live := applied(t, strings.Replace(deployed, "web:1", "web:9", 1), deployment)
	for _, text := range []string{
		`[range(1e9)] | .x`, `reduce range(40) as $i ("x"; . + .) | .x`, `def f: f; f`, `repeat(.)`, `until(false; .)`, `.spec = 1`, `.spec |= 1`,
		`[.,.]|[.,.]|.x`, `"\(.)\(.)"`, `{a: ., b: .}`, `. * 1000000000`, `setpath([536870911]; 1)`, `input`, `$ENV.HOME`, `env.HOME`, `error`,
		`recurse(.)`, `limit(1; repeat(.))`, `@json`, `import "a" as a; .`, `getpath(["a"]) as [$x] | ($x, $x) | [.,.]`, `label $out | ., break $out`,
		`map(., .)`, `halt`, `now`, `.. | .. | .. | .. | .. | .. | .. | ..`, `) , (`,
	} {
		out := diff.Objects(diff.Input{Target: target, Live: live}, diff.Prepare([]diff.Rule{{JQ: []string{text}}}))
		if got := counted(out); text != `.. | .. | .. | .. | .. | .. | .. | ..` && !slices.Equal(got, []string{"/spec/template/spec/containers/1/image"}) {
			t.Errorf("%s: %v", text, got)
		}
		if len(out.Problems) == 0 {
			t.Errorf("%s is not refused", text)
		}
	}
	for _, text := range []string{
		`.spec.template.spec.initContainers[]? | select(.name == "x")`, `.metadata.labels["a/b"]`, `.spec.template.spec.containers[].env[]? | select(.name | test("^A"))`,
		`.spec.template.spec.containers[] | select(.name | IN("a", "b")) | .image`, `.spec.template.spec.containers[] | select(.image | startswith("x") or endswith("y"))`,
		`.. | select(type == "object" and has("caBundle")) | .caBundle`, `.spec.template.spec.containers[0].image`, `if .spec.x then .spec.x else empty end`,
		`.metadata.annotations | select(. != null) | .["a" + "/b"]`, `.spec.template.spec.volumes[]? | select(.configMap.name // "" | contains("x"))`, `first(.spec.x[]?)`,
	} {
		out := diff.Objects(diff.Input{Target: target, Live: live}, diff.Prepare([]diff.Rule{{JQ: []string{text}}}))
		if len(out.Problems) > 0 {
			t.Errorf("%s: %q", text, out.Problems)
		}
	}
}

func TestMasked(t *testing.T) {
	in := diff.Input{
		Target:  object(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: a, annotations: {token: CANARY-T}}\nstringData: {same: CANARY-1, new: CANARY-2}"),
		Live:    applied(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {same: Q0FOQVJZLTE=, new: Q0FOQVJZLTM=}", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {same: CANARY-1, old: CANARY-4}"),
		Options: diff.Options{MaskedAnnotations: []string{"token"}},
	}
	out := diff.Objects(in, diff.Prepare([]diff.Rule{{JQ: []string{`.data.same[].x`}}}))
	text, err := json.Marshal(struct {
		W, F any
		D    any
		P    []string
	}{out.Wanted, out.Found, out.Differences, out.Problems})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "CANARY") || strings.Contains(string(text), "Q0FOQVJZ") {
		t.Fatal(string(text))
	}
	if got := counted(out); !slices.Equal(got, []string{"/data/new", "/metadata/annotations"}) {
		t.Error(got)
	}
	if w, f := out.Wanted.Text("data", "same"), out.Found.Text("data", "same"); w != f || w != diff.Mask {
		t.Error(w, f)
	}
	shown := string(diff.Masked(in.Live, nil).JSON())
	if strings.Contains(shown, "CANARY") || strings.Contains(shown, "Q0FOQVJZ") || !strings.Contains(shown, diff.Mask) {
		t.Error(shown)
	}
	if got := diff.Scrub(`Secret "a" is invalid: data[new]: Invalid value: "CANARY-2" and Q0FOQVJZLTI=`, in.Target); strings.Contains(got, "CANARY") || strings.Contains(got, "Q0FO") {
		t.Error(got)
	}
}

// TestScrubKeepsNames holds that a Secret's name stays readable where a value is part of it, and nothing else does.
func TestScrubKeepsNames(t *testing.T) {
	secret := func(name, value string) manifest.Object {
		return manifest.Object{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": name, "namespace": "test-ns"}, "stringData": map[string]any{"k": value}}
	}
	for _, c := range []struct{ name, value, text, want string }{
		{"test-secret", "test", `Secret "test-secret" is invalid`, `Secret "test-secret" is invalid`},
		{"test-secret", "test", `/namespaces/test-ns/secrets/test-secret: "test"`, `/namespaces/test-ns/secrets/test-secret: "++++++++"`},
		{"test-secret", "test", "test-secret2 test test-secret", "++++++++-secret2 ++++++++ test-secret"},
		{"a", "x a y", "x a y and a", "++++++++ and a"},
		{"abc", "abc", "abc abcabc", "abc ++++++++++++++++"},
		{"abc", "zabc", "zabc", "++++++++"},
	} {
		if got := diff.Scrub(c.text, secret(c.name, c.value)); got != c.want {
			t.Errorf("%s of %s in %q: %q", c.value, c.name, c.text, got)
		}
	}
}

// TestServerSideApplied holds that a default in an element's key, which the server records with the element, is no
// difference where the manifest does not tell it, and that a field that was applied and is not wanted any more is one.
func TestServerSideApplied(t *testing.T) {
	target := object(t, `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {ports: [{port: 80, targetPort: 8080}], selector: {app: web}}`)
	live := object(t, `
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
  managedFields:
  - manager: argocd-controller
    operation: Apply
    apiVersion: v1
    fieldsType: FieldsV1
    fieldsV1:
      f:spec:
        f:ports: {'k:{"port":80,"protocol":"TCP"}': {.: {}, f:port: {}, f:targetPort: {}, f:name: {}}}
        f:selector: {f:app: {}}
spec:
  clusterIP: 10.0.0.1
  type: ClusterIP
  ports: [{port: 80, protocol: TCP, targetPort: 8080, name: http}]
  selector: {app: web}`)
	if got := counted(diff.Objects(diff.Input{Target: target, Live: live, Manager: "argocd-controller"}, diff.Rules{})); !slices.Equal(got, []string{"/spec/ports/0/name"}) {
		t.Error(got)
	}
}
