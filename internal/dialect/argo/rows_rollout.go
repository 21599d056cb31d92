package argo

import "slices"

// thisAnalysis is where an analysis of a Rollout is met first.
const thisAnalysis = "spec.strategy.blueGreen.prePromotionAnalysis"

var rolloutRows = slices.Concat(
	all("spec.", "replicas", "selector", "template", "workloadRef", "workloadRef.apiVersion", "workloadRef.kind", "workloadRef.name", "workloadRef.scaleDown", "minReadySeconds", "strategy"),
	all("spec.strategy.blueGreen", "", ".activeService", ".previewService", ".previewReplicaCount", ".autoPromotionEnabled", ".autoPromotionSeconds", ".maxUnavailable",
		".scaleDownDelaySeconds", ".scaleDownDelayRevisionLimit", ".abortScaleDownDelaySeconds"),
	all(thisAnalysis, "", ".templates", ".templates.templateName", ".templates.clusterScope", ".args", ".args.name", ".args.value", ".args.valueFrom", ".args.valueFrom.secretKeyRef",
		".args.valueFrom.secretKeyRef.name", ".args.valueFrom.secretKeyRef.key", ".args.valueFrom.fieldRef", ".args.valueFrom.fieldRef.fieldPath",
		".args.valueFrom.podTemplateHashValue", ".dryRun", ".dryRun.metricName", ".measurementRetention", ".measurementRetention.metricName", ".measurementRetention.limit",
		".analysisRunMetadata", ".analysisRunMetadata.labels", ".analysisRunMetadata.annotations"),
	all("spec.strategy.blueGreen.", "postPromotionAnalysis", "antiAffinity", "antiAffinity.preferredDuringSchedulingIgnoredDuringExecution",
		"antiAffinity.preferredDuringSchedulingIgnoredDuringExecution.weight", "antiAffinity.requiredDuringSchedulingIgnoredDuringExecution", "activeMetadata", "previewMetadata"),
	all("spec.strategy.canary", "", ".canaryService", ".stableService"),
	[]Row{
		noted("spec.strategy.canary.pingPong", "with Istio; Argo Rollouts' other router for it, ALB, is refused"),
		works("spec.strategy.canary.pingPong.pingService"),
		works("spec.strategy.canary.pingPong.pongService"),
	},
	all("spec.strategy.canary.steps", "", ".setWeight", ".pause", ".pause.duration", ".experiment", ".experiment.templates", ".experiment.templates.name", ".experiment.templates.specRef",
		".experiment.templates.replicas", ".experiment.templates.metadata", ".experiment.templates.selector"),
	[]Row{noted("spec.strategy.canary.steps.experiment.templates.weight", "with Istio and the Gateway API")},
	all("spec.strategy.canary.steps.", "experiment.templates.service", "experiment.templates.service.name", "experiment.duration", "experiment.analyses", "experiment.analyses.name",
		"experiment.analyses.templateName", "experiment.analyses.clusterScope", "experiment.analyses.args", "experiment.analyses.requiredForCompletion", "experiment.dryRun",
		"experiment.analysisRunMetadata", "analysis", "setCanaryScale", "setCanaryScale.weight", "setCanaryScale.replicas", "setCanaryScale.matchTrafficWeight"),
	[]Row{noted("spec.strategy.canary.steps.setHeaderRoute", "with Istio's HTTP routes and HTTPRoutes of the Gateway API 1.2 and newer")},
	all("spec.strategy.canary.steps.setHeaderRoute.", "name", "match", "match.headerName", "match.headerValue", "match.headerValue.exact", "match.headerValue.prefix", "match.headerValue.regex"),
	[]Row{noted("spec.strategy.canary.steps.setMirrorRoute", "with Istio's HTTP routes, and with HTTPRoutes of the Gateway API, which Argo Rollouts does not mirror with")},
	all("spec.strategy.canary.steps.setMirrorRoute.", "name", "match", "match.method", "match.path", "match.headers", "percentage"),
	[]Row{
		judged("spec.strategy.canary.steps.plugin", "step plugins are not supported"),
		judged("spec.strategy.canary.steps.plugin.name", "step plugins are not supported"),
		judged("spec.strategy.canary.steps.plugin.config", "step plugins are not supported"),
	},
	all("spec.strategy.canary.trafficRouting", "", ".managedRoutes", ".managedRoutes.name"),
	[]Row{noted("spec.strategy.canary.trafficRouting.maxTrafficWeight", "with nginx and the Gateway API")},
	all("spec.strategy.canary.trafficRouting.nginx", "", ".annotationPrefix", ".stableIngress", ".stableIngresses", ".additionalIngressAnnotations", ".canaryIngressAnnotations"),
	all("spec.strategy.canary.trafficRouting.istio", "", ".virtualService", ".virtualService.name", ".virtualService.routes", ".virtualService.tlsRoutes", ".virtualService.tlsRoutes.port",
		".virtualService.tlsRoutes.sniHosts", ".virtualService.tcpRoutes", ".virtualService.tcpRoutes.port", ".virtualServices", ".destinationRule", ".destinationRule.name",
		".destinationRule.canarySubsetName", ".destinationRule.stableSubsetName"),
	[]Row{
		noted("spec.strategy.canary.trafficRouting.plugins", "argoproj-labs/gatewayAPI, which is built in: HTTPRoute, GRPCRoute, TCPRoute, TLSRoute; others are refused"),
		judged("spec.strategy.canary.trafficRouting.alb", "the router is not supported"),
		judged("spec.strategy.canary.trafficRouting.smi", "the router is not supported"),
		judged("spec.strategy.canary.trafficRouting.ambassador", "the router is not supported"),
		judged("spec.strategy.canary.trafficRouting.appMesh", "the router is not supported"),
		judged("spec.strategy.canary.trafficRouting.traefik", "the router is not supported"),
		judged("spec.strategy.canary.trafficRouting.apisix", "the router is not supported"),
	},
	all("spec.strategy.canary.", "maxUnavailable", "maxSurge", "analysis", "analysis.templates", "analysis.args", "analysis.dryRun", "analysis.measurementRetention",
		"analysis.analysisRunMetadata", "analysis.startingStep", "antiAffinity", "canaryMetadata", "stableMetadata", "scaleDownDelaySeconds", "scaleDownDelayRevisionLimit",
		"abortScaleDownDelaySeconds", "dynamicStableScale", "minPodsPerReplicaSet"),
	all("spec.", "revisionHistoryLimit", "paused", "progressDeadlineSeconds", "progressDeadlineAbort", "restartAt", "analysis", "analysis.successfulRunHistoryLimit",
		"analysis.unsuccessfulRunHistoryLimit", "rollbackWindow", "rollbackWindow.revisions"),
)

const (
	thisProvider = "spec.metrics.provider.prometheus"
	ofRollout    = "where a Rollout gives the argument, which resolves it"
)

var analysisRows = slices.Concat(
	all("spec.metrics", "", ".name", ".interval", ".initialDelay", ".count", ".successCondition", ".failureCondition", ".failureLimit", ".inconclusiveLimit", ".consecutiveErrorLimit",
		".consecutiveSuccessLimit"),
	[]Row{noted("spec.metrics.provider", "[see below](#metric-providers)")},
	all(thisProvider, ""),
	[]Row{noted(thisProvider+".address", "where none is given, the Prometheus that the controller was started with, or the local target's own metrics")},
	all(thisProvider, ".query", ".authentication"),
	[]Row{refused(thisProvider+".authentication.sigv4", "signing requests for AWS is not supported", "put a proxy that signs before the server")},
	all(thisProvider, ".authentication.oauth2", ".authentication.oauth2.tokenUrl", ".authentication.oauth2.clientId", ".authentication.oauth2.clientSecret", ".authentication.oauth2.scopes",
		".timeout", ".insecure", ".headers", ".headers.key", ".headers.value", ".rangeQuery", ".rangeQuery.start", ".rangeQuery.end", ".rangeQuery.step"),
	[]Row{noted("spec.metrics.provider.web", "an address that is link-local (169.254.0.0/16, fe80::/10) is refused when it is asked")},
	all("spec.metrics.provider.web", ".method", ".url", ".headers", ".body", ".jsonBody", ".timeoutSeconds", ".jsonPath", ".insecure", ".authentication"),
	all("spec.metrics.provider.job", "", ".metadata", ".metadata.labels", ".metadata.annotations", ".spec"),
	all("spec.", "dryRun", "dryRun.metricName", "measurementRetention", "measurementRetention.metricName", "measurementRetention.limit", "args", "args.name", "args.value", "args.valueFrom",
		"args.valueFrom.secretKeyRef", "args.valueFrom.secretKeyRef.name", "args.valueFrom.secretKeyRef.key"),
	[]Row{
		noted("spec.args.valueFrom.fieldRef", ofRollout), noted("spec.args.valueFrom.fieldRef.fieldPath", ofRollout),
		noted("spec.args.valueFrom.podTemplateHashValue", ofRollout),
		works("spec.templates"), works("spec.templates.templateName"), works("spec.templates.clusterScope"),
		noted("spec.terminate", "of an AnalysisRun"),
	},
	all("spec.ttlStrategy", "", ".secondsAfterCompletion", ".secondsAfterFailure", ".secondsAfterSuccess"),
)

var experimentRows = slices.Concat(
	all("spec.templates", "", ".name", ".replicas", ".minReadySeconds", ".selector", ".template", ".service", ".service.name"),
	all("spec.", "duration", "progressDeadlineSeconds", "terminate", "analyses", "analyses.name", "analyses.templateName", "analyses.clusterScope", "analyses.args", "analyses.args.name",
		"analyses.args.value", "analyses.args.valueFrom", "analyses.args.valueFrom.secretKeyRef", "analyses.args.valueFrom.secretKeyRef.name", "analyses.args.valueFrom.secretKeyRef.key"),
	[]Row{
		noted("spec.analyses.args.valueFrom.fieldRef", ofRollout), noted("spec.analyses.args.valueFrom.fieldRef.fieldPath", ofRollout),
		noted("spec.analyses.args.valueFrom.podTemplateHashValue", ofRollout),
	},
	all("spec.", "analyses.requiredForCompletion", "scaleDownDelaySeconds", "dryRun", "dryRun.metricName", "measurementRetention", "measurementRetention.metricName", "measurementRetention.limit", "analysisRunMetadata",
		"analysisRunMetadata.labels", "analysisRunMetadata.annotations"),
)
