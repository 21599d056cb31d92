// Modules whose files the tests use: definitions, documentation and test suites of others. Nothing here is built.
module github.com/sluice-delivery/sluice/tools/argo

go 1.26.0

require (
	github.com/argoproj/argo-rollouts v1.8.3
	istio.io/api v1.31.1
	sigs.k8s.io/gateway-api v1.6.3
)
