package main

// Held here until each is imported where it is used, so that go.mod stands still meanwhile.
import (
	_ "github.com/argoproj/argo-cd/v3/resource_customizations"
	_ "github.com/expr-lang/expr"
	_ "github.com/google/go-jsonnet"
	_ "github.com/itchyny/gojq"
	_ "github.com/netresearch/go-cron"
	_ "github.com/prometheus/client_golang/api/prometheus/v1"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/yuin/gopher-lua"
	_ "golang.org/x/net/http2"
	_ "helm.sh/helm/v4/pkg/chart/v2/loader"
	_ "helm.sh/helm/v4/pkg/engine"
	_ "k8s.io/apimachinery/pkg/util/strategicpatch"
	_ "k8s.io/client-go/discovery"
	_ "k8s.io/client-go/dynamic"
	_ "k8s.io/client-go/kubernetes/scheme"
	_ "k8s.io/client-go/openapi3"
	_ "k8s.io/client-go/restmapper"
	_ "k8s.io/client-go/tools/cache"
	_ "k8s.io/client-go/tools/clientcmd"
	_ "k8s.io/client-go/tools/leaderelection"
	_ "k8s.io/client-go/util/workqueue"
	_ "sigs.k8s.io/kustomize/api/krusty"
	_ "sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	_ "sigs.k8s.io/structured-merge-diff/v6/merge"
	_ "sigs.k8s.io/yaml"
)

import (
	_ "github.com/prometheus/prometheus/promql"
	_ "github.com/valyala/fasthttp"
)
