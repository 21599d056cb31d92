package analysis

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of this package's faults.
const (
	CodeTemplates = "SL5200"
	CodeArgument  = "SL5201"
	CodeMetric    = "SL5202"
	CodeProvider  = "SL5203"
	CodeCondition = "SL5204"
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{
		Code: CodeTemplates, Summary: "analysis templates that contradict each other",
		Text: "An analysis that names several templates joins their metrics, arguments, dry-run and retention rules. Two metrics of one name, two rules of one name, or an argument with two values cannot be joined. Rename one of them or leave one template out.",
	},
	{
		Code: CodeArgument, Summary: "an argument of an analysis has no value",
		Text: "A metric reads {{ args.NAME }}, or a template declares NAME, and neither the template nor the rollout, experiment or run that uses it gives a value. Give one under args, or a default in the template.",
	},
	{
		Code: CodeMetric, Summary: "a metric contradicts itself",
		Text: "The limits, the count and the interval of a metric must fit together: count is at least failureLimit + consecutiveSuccessLimit, an interval is needed where count is more than 1, and failureLimit: -1 needs a consecutiveSuccessLimit.",
	},
	{
		Code: CodeProvider, Summary: "a metric's provider is not supported yet",
		Text: "Sluice measures with prometheus, web and job. The other providers of Argo Rollouts (datadog, newRelic, cloudWatch, graphite, influxdb, kayenta, wavefront, skywalking, plugins) are read and refused by name: a measurement with one ends in Error. Use a web or job metric that asks the service instead.",
	},
	{
		Code: CodeCondition, Summary: "a success or failure condition cannot be evaluated",
		Text: "Conditions are expressions of the expr language over `result` with isNaN, isInf, isNil, default, asInt and asFloat, and give true or false. One that does not compile, gives something else or takes too long makes the measurement an Error.",
	},
}
