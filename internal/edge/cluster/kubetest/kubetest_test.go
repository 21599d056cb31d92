package kubetest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/cluster/kubetest"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func TestTheNamespaceAndWhatIsInItGoWithTheTest(t *testing.T) {
	var inner *kubetest.Kube
	t.Run("inner", func(t *testing.T) {
		inner = kubetest.Start(t, kubetest.A)
		inner.Apply(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, finalizers: []}\ndata: {k: v}\n---\n\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\n")
		if got := inner.Object(t, manifest.KindOf("v1", "ConfigMap"), "c").Text("data", "k"); got != "v" {
			t.Fatalf("the ConfigMap has %q", got)
		}
	})
	if inner == nil {
		t.Skip("no Kubernetes here")
	}
	code, data := inner.Do(t, http.MethodGet, "/api/v1/namespaces/"+inner.Namespace, "", nil)
	left, _ := manifest.Parse(data)
	if code != http.StatusNotFound && !left.Deleting() {
		t.Errorf("the namespace is still there: %d %s", code, data)
	}
}

func TestDefinitionsAreServedOnceApplied(t *testing.T) {
	k := kubetest.Start(t, kubetest.A)
	k.ApplyCRDs(t, kubetest.ArgoCD, kubetest.Rollouts, kubetest.Gateway, kubetest.Istio)
	made := k.Apply(t, "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: r, finalizers: [example.org/hold]}\nspec: {}\n")
	if made[0].Namespace() != k.Namespace || made[0].UID() == "" {
		t.Errorf("the Rollout is %s", made[0].JSON())
	}
}

const workload = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: web, image: sluice-test:v1, ports: [{containerPort: 80}], readinessProbe: {httpGet: {path: /healthz, port: 80}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: good}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: j, image: "alpine:3.8", command: [sh, -c, "for i in 1 2 3 4 5 6 7 8 9 10; do timeout 5 wget -q -O- http://$WEB_SERVICE_HOST | grep v1 && exit; sleep 1; done; exit 1"]}]}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: bad}
spec: {backoffLimit: 0, template: {spec: {restartPolicy: Never, containers: [{name: j, image: busybox, command: [sh, -c, "sleep 0.1; exit 3"]}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: missing}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: m, image: "argoproj/rollouts-demo:does-not-exist"}]}
`

func TestANodeRunsPodsServicesAndJobs(t *testing.T) {
	k := kubetest.Start(t, kubetest.C)
	k.Apply(t, workload)
	k.Wait(t, "the Deployment is available", func() bool {
		return k.Object(t, manifest.KindOf("apps/v1", "Deployment"), "web").Int(0, "status", "availableReplicas") == 2
	})
	address := k.Object(t, manifest.KindOf("v1", "Service"), "web").Text("spec", "clusterIP")
	brief := &http.Client{Timeout: 2 * time.Second} // before kube-proxy's rules are there nobody answers, and nobody refuses
	k.Wait(t, "the Service answers", func() bool {
		answer, err := brief.Get("http://" + address + "/color")
		if err != nil {
			return false
		}
		defer func() { _ = answer.Body.Close() }()
		body, _ := io.ReadAll(answer.Body)
		return string(body) == `"v1"`
	})
	job := manifest.KindOf("batch/v1", "Job")
	k.Wait(t, "a Job that reaches the Service succeeds", func() bool { return k.Object(t, job, "good").Int(0, "status", "succeeded") == 1 })
	k.Wait(t, "a Job that exits 3 fails", func() bool { return k.Object(t, job, "bad").Int(0, "status", "failed") == 1 })
	k.Wait(t, "an image that is not there is not pulled", func() bool {
		for _, s := range k.Object(t, manifest.KindOf("v1", "Pod"), "missing").List("status", "containerStatuses") {
			if strings.Contains(manifest.Object(s.(map[string]any)).Text("state", "waiting", "reason"), "ImagePull") {
				return true
			}
		}
		return false
	})
}

func TestASecondClusterStandsByItself(t *testing.T) {
	one, two := kubetest.Start(t, kubetest.A), kubetest.Second(t, kubetest.A)
	if one.Server == two.Server {
		t.Fatalf("both are %s", one.Server)
	}
	two.Apply(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n")
	if code, _ := one.Do(t, http.MethodGet, "/api/v1/namespaces/"+two.Namespace, "", nil); code != http.StatusNotFound {
		t.Errorf("the first cluster answers %d of a namespace of the second", code)
	}
}
