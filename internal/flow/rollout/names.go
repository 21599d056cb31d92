package rollout

// Labels and annotations under the names of Argo Rollouts.
const (
	HashLabel          = "rollouts-pod-template-hash" // of replica sets, pods, Services' selectors, runs and experiments
	InstanceLabel      = "argo-rollouts.argoproj.io/controller-instance-id"
	TypeLabel          = "rollout-type" // of runs: Step, Background, PrePromotion, PostPromotion
	StepIndexLabel     = "step-index"
	RevisionAnnotation = "rollout.argoproj.io/revision"
	HistoryAnnotation  = "rollout.argoproj.io/revision-history"
	DesiredAnnotation  = "rollout.argoproj.io/desired-replicas"
	WorkloadAnnotation = "rollout.argoproj.io/workload-generation"
	EphemeralMetadata  = "rollout.argoproj.io/ephemeral-metadata"
	DeadlineAnnotation = "scale-down-deadline"
	ManagedAnnotation  = "argo-rollouts.argoproj.io/managed-by-rollouts"
	ExperimentName     = "experiment.argoproj.io/name"
	ExperimentTemplate = "experiment.argoproj.io/template-name"
)

// The kinds of runs that a rollout makes, as TypeLabel tells them.
const (
	StepRun          = "Step"
	BackgroundRun    = "Background"
	PrePromotionRun  = "PrePromotion"
	PostPromotionRun = "PostPromotion"
)

// Reasons of pause conditions.
const (
	PauseInconclusive           = "InconclusiveAnalysisRun"
	PauseInconclusiveExperiment = "InconclusiveExperiment"
	PauseStep                   = "CanaryPauseStep"
	PauseBlueGreen              = "BlueGreenPause"
)

// Phases of a rollout.
const (
	Healthy     = "Healthy"
	Degraded    = "Degraded"
	Progressing = "Progressing"
	Paused      = "Paused"
)

// Types of conditions.
const (
	condInvalid     = "InvalidSpec"
	condAvailable   = "Available"
	condProgressing = "Progressing"
	condFailure     = "ReplicaFailure"
	condPaused      = "Paused"
	condCompleted   = "Completed"
	condHealthy     = "Healthy"
)

// Reasons of conditions and events.
const (
	reasonInvalid         = "InvalidSpec"
	reasonAvailable       = "AvailableReason"
	reasonUpdatedSet      = "ReplicaSetUpdated"
	reasonNotAvailable    = "ReplicaSetNotAvailable"
	reasonNewSet          = "NewReplicaSetCreated"
	reasonFoundSet        = "FoundNewReplicaSet"
	reasonNewSetAvailable = "NewReplicaSetAvailable"
	reasonUpdated         = "RolloutUpdated"
	reasonCompleted       = "RolloutCompleted"
	reasonNotCompleted    = "RolloutNotCompleted"
	reasonHealthy         = "RolloutHealthy"
	reasonAborted         = "RolloutAborted"
	reasonRetry           = "RolloutRetry"
	reasonPaused          = "RolloutPaused"
	reasonResumed         = "RolloutResumed"
	reasonStepCompleted   = "RolloutStepCompleted"
	reasonWeight          = "TrafficWeightUpdated"
	reasonTimedOut        = "ProgressDeadlineExceeded"
	reasonScaling         = "ScalingReplicaSet"
	reasonSwitch          = "SwitchService"
	reasonSkip            = "SkipSteps"
)

// Services of a pingPong as status.canary.stablePingPong tells them.
const (
	ping = "ping"
	pong = "pong"
)
