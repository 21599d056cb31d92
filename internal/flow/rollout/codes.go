package rollout

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of this package's faults.
const (
	CodeInvalid     = "SL5300"
	CodeUnsupported = "SL5301"
	CodeReference   = "SL5302"
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{
		Code: CodeInvalid, Summary: "a Rollout's spec contradicts itself",
		Text: "The message is Argo Rollouts' own and begins with the field. The rollout is Degraded with it and nothing moves until it is mended.",
	},
	{
		Code: CodeUnsupported, Summary: "a Rollout asks for something that Sluice does not do",
		Text: "Step plugins and the routers ALB, SMI, Ambassador, App Mesh, Traefik and Apisix are read and refused by name; so are traffic plugins other than argoproj-labs/gatewayAPI. The rollout is Degraded and nothing moves. Use the Gateway API, Istio or the NGINX ingress controller, or replica counts alone.",
	},
	{
		Code: CodeReference, Summary: "a Rollout names something that is not there",
		Text: "A Service, an analysis template or a router's object that the spec names does not exist in the rollout's namespace, or belongs to another rollout. It is looked for again every 20 seconds.",
	},
}
