package rollout

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

// Spec is a Rollout's spec; fields and defaults are those of Argo Rollouts' specification
// (https://argo-rollouts.readthedocs.io/en/stable/features/specification/). Template is a pod template as it stands in the
// manifest.
type Spec struct {
	Replicas                *int32                `json:"replicas,omitempty"`
	Selector                *metav1.LabelSelector `json:"selector,omitempty"`
	Template                manifest.Object       `json:"template,omitempty"`
	WorkloadRef             *WorkloadRef          `json:"workloadRef,omitempty"`
	MinReadySeconds         int32                 `json:"minReadySeconds,omitempty"`
	Strategy                Strategy              `json:"strategy"`
	RevisionHistoryLimit    *int32                `json:"revisionHistoryLimit,omitempty"`
	Paused                  bool                  `json:"paused,omitempty"`
	ProgressDeadlineSeconds *int32                `json:"progressDeadlineSeconds,omitempty"`
	ProgressDeadlineAbort   bool                  `json:"progressDeadlineAbort,omitempty"`
	RestartAt               *metav1.Time          `json:"restartAt,omitempty"`
	Analysis                *RunLimits            `json:"analysis,omitempty"`
	RollbackWindow          *RollbackWindow       `json:"rollbackWindow,omitempty"`
}

// WorkloadRef names the workload whose template is used. ScaleDown is never, onsuccess or progressively.
type WorkloadRef struct {
	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind,omitempty"`
	Name       string `json:"name,omitempty"`
	ScaleDown  string `json:"scaleDown,omitempty"`
}

// RunLimits is how many finished runs are kept.
type RunLimits struct {
	SuccessfulRunHistoryLimit   *int32 `json:"successfulRunHistoryLimit,omitempty"`
	UnsuccessfulRunHistoryLimit *int32 `json:"unsuccessfulRunHistoryLimit,omitempty"`
}

// RollbackWindow lets a return to one of the last revisions skip the steps.
type RollbackWindow struct {
	Revisions int32 `json:"revisions,omitempty"`
}

// Strategy has one of the two.
type Strategy struct {
	BlueGreen *BlueGreen `json:"blueGreen,omitempty"`
	Canary    *Canary    `json:"canary,omitempty"`
}

// AntiAffinity keeps two revisions' pods apart.
type AntiAffinity struct {
	Preferred *struct {
		Weight int32 `json:"weight"`
	} `json:"preferredDuringSchedulingIgnoredDuringExecution,omitempty"`
	Required *struct{} `json:"requiredDuringSchedulingIgnoredDuringExecution,omitempty"`
}

// BlueGreen is the blue-green strategy.
type BlueGreen struct {
	ActiveService               string              `json:"activeService"`
	PreviewService              string              `json:"previewService,omitempty"`
	PreviewReplicaCount         *int32              `json:"previewReplicaCount,omitempty"`
	AutoPromotionEnabled        *bool               `json:"autoPromotionEnabled,omitempty"`
	AutoPromotionSeconds        int32               `json:"autoPromotionSeconds,omitempty"`
	MaxUnavailable              *intstr.IntOrString `json:"maxUnavailable,omitempty"`
	ScaleDownDelaySeconds       *int32              `json:"scaleDownDelaySeconds,omitempty"`
	ScaleDownDelayRevisionLimit *int32              `json:"scaleDownDelayRevisionLimit,omitempty"`
	AbortScaleDownDelaySeconds  *int32              `json:"abortScaleDownDelaySeconds,omitempty"`
	PrePromotionAnalysis        *Analysis           `json:"prePromotionAnalysis,omitempty"`
	PostPromotionAnalysis       *Analysis           `json:"postPromotionAnalysis,omitempty"`
	AntiAffinity                *AntiAffinity       `json:"antiAffinity,omitempty"`
	ActiveMetadata              *analysis.Meta      `json:"activeMetadata,omitempty"`
	PreviewMetadata             *analysis.Meta      `json:"previewMetadata,omitempty"`
}

// Canary is the canary strategy.
type Canary struct {
	CanaryService               string              `json:"canaryService,omitempty"`
	StableService               string              `json:"stableService,omitempty"`
	PingPong                    *PingPong           `json:"pingPong,omitempty"`
	Steps                       []Step              `json:"steps,omitempty"`
	TrafficRouting              *TrafficRouting     `json:"trafficRouting,omitempty"`
	MaxUnavailable              *intstr.IntOrString `json:"maxUnavailable,omitempty"`
	MaxSurge                    *intstr.IntOrString `json:"maxSurge,omitempty"`
	Analysis                    *Background         `json:"analysis,omitempty"`
	AntiAffinity                *AntiAffinity       `json:"antiAffinity,omitempty"`
	CanaryMetadata              *analysis.Meta      `json:"canaryMetadata,omitempty"`
	StableMetadata              *analysis.Meta      `json:"stableMetadata,omitempty"`
	ScaleDownDelaySeconds       *int32              `json:"scaleDownDelaySeconds,omitempty"`
	ScaleDownDelayRevisionLimit *int32              `json:"scaleDownDelayRevisionLimit,omitempty"`
	AbortScaleDownDelaySeconds  *int32              `json:"abortScaleDownDelaySeconds,omitempty"`
	DynamicStableScale          bool                `json:"dynamicStableScale,omitempty"`
	MinPodsPerReplicaSet        *int32              `json:"minPodsPerReplicaSet,omitempty"`
}

// PingPong names two Services that take turns at being stable.
type PingPong struct {
	PingService string `json:"pingService"`
	PongService string `json:"pongService"`
}

// Step is one step of a canary; one of its fields is set. Plugin is read so that it can be refused by name.
type Step struct {
	SetWeight      *int32          `json:"setWeight,omitempty"`
	Pause          *Pause          `json:"pause,omitempty"`
	Experiment     *ExperimentStep `json:"experiment,omitempty"`
	Analysis       *Analysis       `json:"analysis,omitempty"`
	SetCanaryScale *CanaryScale    `json:"setCanaryScale,omitempty"`
	SetHeaderRoute *HeaderRoute    `json:"setHeaderRoute,omitempty"`
	SetMirrorRoute *MirrorRoute    `json:"setMirrorRoute,omitempty"`
	Plugin         *struct {
		Name   string          `json:"name"`
		Config manifest.Object `json:"config,omitempty"`
	} `json:"plugin,omitempty"`
}

// Pause waits for Duration (seconds, or a Go duration as a string), or for a promotion where there is none.
type Pause struct {
	Duration *intstr.IntOrString `json:"duration,omitempty"`
}

// CanaryScale sets the canary's replicas apart from its weight.
type CanaryScale struct {
	Weight             *int32 `json:"weight,omitempty"`
	Replicas           *int32 `json:"replicas,omitempty"`
	MatchTrafficWeight bool   `json:"matchTrafficWeight,omitempty"`
}

// StringMatch is one of three ways to match a string.
type StringMatch struct {
	Exact  string `json:"exact,omitempty"`
	Prefix string `json:"prefix,omitempty"`
	Regex  string `json:"regex,omitempty"`
}

// HeaderRoute sends requests with the headers to the canary. An empty Match removes the route.
type HeaderRoute struct {
	Name  string        `json:"name,omitempty"`
	Match []HeaderMatch `json:"match,omitempty"`
}

// HeaderMatch is one header.
type HeaderMatch struct {
	HeaderName  string       `json:"headerName"`
	HeaderValue *StringMatch `json:"headerValue"`
}

// MirrorRoute copies requests to the canary. An empty Match removes the route.
type MirrorRoute struct {
	Name       string       `json:"name"`
	Match      []RouteMatch `json:"match,omitempty"`
	Percentage *int32       `json:"percentage,omitempty"`
}

// RouteMatch is what a mirrored request is like.
type RouteMatch struct {
	Method  *StringMatch           `json:"method,omitempty"`
	Path    *StringMatch           `json:"path,omitempty"`
	Headers map[string]StringMatch `json:"headers,omitempty"`
}

// Analysis names templates and gives their arguments.
type Analysis struct {
	Templates            []analysis.TemplateRef `json:"templates,omitempty"`
	Args                 []analysis.Argument    `json:"args,omitempty"`
	DryRun               []analysis.MetricMatch `json:"dryRun,omitempty"`
	MeasurementRetention []analysis.Retention   `json:"measurementRetention,omitempty"`
	AnalysisRunMetadata  analysis.Meta          `json:"analysisRunMetadata,omitzero"`
}

// Background is an analysis that runs beside the steps, from StartingStep on.
type Background struct {
	Analysis
	StartingStep *int32 `json:"startingStep,omitempty"`
}

// ExperimentStep is an experiment as a step.
type ExperimentStep struct {
	Templates []ExperimentStepTemplate `json:"templates"`
	Duration  string                   `json:"duration,omitempty"`
	Analyses  []ExperimentStepAnalysis `json:"analyses,omitempty"`
	DryRun    []analysis.MetricMatch   `json:"dryRun,omitempty"`

	AnalysisRunMetadata analysis.Meta `json:"analysisRunMetadata,omitzero"`
}

// ExperimentStepTemplate is one of the experiment's replica sets; SpecRef is stable or canary.
type ExperimentStepTemplate struct {
	Name     string                `json:"name"`
	SpecRef  string                `json:"specRef"`
	Replicas *int32                `json:"replicas,omitempty"`
	Metadata analysis.Meta         `json:"metadata,omitzero"`
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
	Weight   *int32                `json:"weight,omitempty"`
	Service  *NamedService         `json:"service,omitempty"`
}

// NamedService asks for a Service; "" names it by the template.
type NamedService struct {
	Name string `json:"name,omitempty"`
}

// ExperimentStepAnalysis is an analysis of the experiment.
type ExperimentStepAnalysis struct {
	Name                  string              `json:"name"`
	TemplateName          string              `json:"templateName"`
	ClusterScope          bool                `json:"clusterScope,omitempty"`
	Args                  []analysis.Argument `json:"args,omitempty"`
	RequiredForCompletion bool                `json:"requiredForCompletion,omitempty"`
}

// TrafficRouting names the objects that weigh the traffic. Those that Sluice does not move are kept in Other by name.
type TrafficRouting struct {
	ManagedRoutes    []ManagedRoute             `json:"managedRoutes,omitempty"`
	MaxTrafficWeight *int32                     `json:"maxTrafficWeight,omitempty"`
	Nginx            *Nginx                     `json:"nginx,omitempty"`
	Istio            *Istio                     `json:"istio,omitempty"`
	Plugins          map[string]manifest.Object `json:"plugins,omitempty"` // argoproj-labs/gatewayAPI is honoured
	ALB              manifest.Object            `json:"alb,omitempty"`
	SMI              manifest.Object            `json:"smi,omitempty"`
	Ambassador       manifest.Object            `json:"ambassador,omitempty"`
	AppMesh          manifest.Object            `json:"appMesh,omitempty"`
	Traefik          manifest.Object            `json:"traefik,omitempty"`
	Apisix           manifest.Object            `json:"apisix,omitempty"`
}

// ManagedRoute is a route that Sluice may make and remove; their order is their precedence.
type ManagedRoute struct {
	Name string `json:"name"`
}

// Nginx is the NGINX ingress controller's canary annotations.
type Nginx struct {
	AnnotationPrefix             string            `json:"annotationPrefix,omitempty"`
	StableIngress                string            `json:"stableIngress,omitempty"`
	StableIngresses              []string          `json:"stableIngresses,omitempty"`
	AdditionalIngressAnnotations map[string]string `json:"additionalIngressAnnotations,omitempty"`
	CanaryIngressAnnotations     map[string]string `json:"canaryIngressAnnotations,omitempty"`
}

// Istio is VirtualServices and a DestinationRule.
type Istio struct {
	VirtualService  *VirtualService  `json:"virtualService,omitempty"`
	VirtualServices []VirtualService `json:"virtualServices,omitempty"`
	DestinationRule *DestinationRule `json:"destinationRule,omitempty"`
}

// VirtualService names the routes of a VirtualService that are weighed.
type VirtualService struct {
	Name      string     `json:"name"`
	Routes    []string   `json:"routes,omitempty"`
	TLSRoutes []TLSRoute `json:"tlsRoutes,omitempty"`
	TCPRoutes []TCPRoute `json:"tcpRoutes,omitempty"`
}

// TLSRoute selects TLS routes.
type TLSRoute struct {
	Port     int64    `json:"port,omitempty"`
	SNIHosts []string `json:"sniHosts,omitempty"`
}

// TCPRoute selects TCP routes.
type TCPRoute struct {
	Port int64 `json:"port,omitempty"`
}

// DestinationRule names the two subsets.
type DestinationRule struct {
	Name             string `json:"name"`
	CanarySubsetName string `json:"canarySubsetName"`
	StableSubsetName string `json:"stableSubsetName"`
}

// Condition is a condition of a status.
type Condition struct {
	Type               string     `json:"type"`
	Status             string     `json:"status"`
	LastUpdateTime     *time.Time `json:"lastUpdateTime,omitempty"`
	LastTransitionTime *time.Time `json:"lastTransitionTime,omitempty"`
	Reason             string     `json:"reason"`
	Message            string     `json:"message"`
}

// PauseCondition is why a rollout pauses since when.
type PauseCondition struct {
	Reason    string    `json:"reason"`
	StartTime time.Time `json:"startTime"`
}

// RunStatus is how an analysis run of the rollout stands.
type RunStatus struct {
	Name    string         `json:"name"`
	Status  analysis.Phase `json:"status"`
	Message string         `json:"message,omitempty"`
}

// Status is a Rollout's status under the names that Argo Rollouts writes.
type Status struct {
	Abort                      bool             `json:"abort,omitempty"`
	PauseConditions            []PauseCondition `json:"pauseConditions,omitempty"`
	ControllerPause            bool             `json:"controllerPause,omitempty"`
	AbortedAt                  *time.Time       `json:"abortedAt,omitempty"`
	CurrentPodHash             string           `json:"currentPodHash,omitempty"`
	CurrentStepHash            string           `json:"currentStepHash,omitempty"`
	Replicas                   int32            `json:"replicas,omitempty"`
	UpdatedReplicas            int32            `json:"updatedReplicas,omitempty"`
	ReadyReplicas              int32            `json:"readyReplicas,omitempty"`
	AvailableReplicas          int32            `json:"availableReplicas,omitempty"`
	CurrentStepIndex           *int32           `json:"currentStepIndex,omitempty"`
	CollisionCount             *int32           `json:"collisionCount,omitempty"`
	ObservedGeneration         string           `json:"observedGeneration,omitempty"`
	Conditions                 []Condition      `json:"conditions,omitempty"`
	Canary                     CanaryStatus     `json:"canary,omitzero"`
	BlueGreen                  BlueGreenStatus  `json:"blueGreen,omitzero"`
	HPAReplicas                int32            `json:"HPAReplicas,omitempty"`
	Selector                   string           `json:"selector,omitempty"`
	StableRS                   string           `json:"stableRS,omitempty"`
	RestartedAt                *metav1.Time     `json:"restartedAt,omitempty"`
	PromoteFull                bool             `json:"promoteFull,omitempty"`
	Phase                      string           `json:"phase,omitempty"`
	Message                    string           `json:"message,omitempty"`
	WorkloadObservedGeneration string           `json:"workloadObservedGeneration,omitempty"`
	ALB                        *manifest.Object `json:"alb,omitempty"`
}

// CanaryStatus is the canary's part of the status.
type CanaryStatus struct {
	CurrentStepAnalysisRunStatus       *RunStatus `json:"currentStepAnalysisRunStatus,omitempty"`
	CurrentBackgroundAnalysisRunStatus *RunStatus `json:"currentBackgroundAnalysisRunStatus,omitempty"`
	CurrentExperiment                  string     `json:"currentExperiment,omitempty"`
	Weights                            *Weights   `json:"weights,omitempty"`
	StablePingPong                     string     `json:"stablePingPong,omitempty"` // ping or pong
}

// Weights is where the traffic goes.
type Weights struct {
	Canary     Destination   `json:"canary"`
	Stable     Destination   `json:"stable"`
	Additional []Destination `json:"additional,omitempty"`
	Verified   *bool         `json:"verified,omitempty"`
}

// Destination is one share of the traffic.
type Destination struct {
	Weight          int32  `json:"weight"`
	ServiceName     string `json:"serviceName,omitempty"`
	PodTemplateHash string `json:"podTemplateHash,omitempty"`
}

// BlueGreenStatus is the blue-green strategy's part of the status.
type BlueGreenStatus struct {
	PreviewSelector                string     `json:"previewSelector,omitempty"`
	ActiveSelector                 string     `json:"activeSelector,omitempty"`
	ScaleUpPreviewCheckPoint       bool       `json:"scaleUpPreviewCheckPoint,omitempty"`
	PrePromotionAnalysisRunStatus  *RunStatus `json:"prePromotionAnalysisRunStatus,omitempty"`
	PostPromotionAnalysisRunStatus *RunStatus `json:"postPromotionAnalysisRunStatus,omitempty"`
}
