package main

import (
	"github.com/sluice-delivery/sluice/internal/dialect/argo"
	"github.com/sluice-delivery/sluice/internal/dialect/argo/lua"
	"github.com/sluice-delivery/sluice/internal/dialect/convert"
	"github.com/sluice-delivery/sluice/internal/dialect/github"
	commands "github.com/sluice-delivery/sluice/internal/dialect/github/command"
	workflows "github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/filter"
	"github.com/sluice-delivery/sluice/internal/dialect/github/lint"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/config"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/pattern"
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/variable"
	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/edge/action"
	"github.com/sluice-delivery/sluice/internal/edge/archive"
	"github.com/sluice-delivery/sluice/internal/edge/artifact"
	"github.com/sluice-delivery/sluice/internal/edge/cluster"
	"github.com/sluice-delivery/sluice/internal/edge/executor"
	forgeclient "github.com/sluice-delivery/sluice/internal/edge/forge"
	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/edge/glob"
	"github.com/sluice-delivery/sluice/internal/edge/objects"
	"github.com/sluice-delivery/sluice/internal/edge/pod"
	"github.com/sluice-delivery/sluice/internal/edge/probe"
	"github.com/sluice-delivery/sluice/internal/edge/proxy"
	"github.com/sluice-delivery/sluice/internal/edge/remote"
	"github.com/sluice-delivery/sluice/internal/edge/render"
	"github.com/sluice-delivery/sluice/internal/edge/sandbox"
	"github.com/sluice-delivery/sluice/internal/edge/source"
	"github.com/sluice-delivery/sluice/internal/edge/store"
	"github.com/sluice-delivery/sluice/internal/edge/tool"
	"github.com/sluice-delivery/sluice/internal/edge/toolkit"
	"github.com/sluice-delivery/sluice/internal/edge/traffic"
	"github.com/sluice-delivery/sluice/internal/edge/tree"
	"github.com/sluice-delivery/sluice/internal/edge/workspace"
	"github.com/sluice-delivery/sluice/internal/engine/advance"
	"github.com/sluice-delivery/sluice/internal/engine/intake"
	localtarget "github.com/sluice-delivery/sluice/internal/engine/local"
	"github.com/sluice-delivery/sluice/internal/flow/analysis"
	"github.com/sluice-delivery/sluice/internal/flow/applicationset"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/logs"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
	"github.com/sluice-delivery/sluice/internal/flow/report"
	"github.com/sluice-delivery/sluice/internal/flow/rollout"
	"github.com/sluice-delivery/sluice/internal/flow/run"
	"github.com/sluice-delivery/sluice/internal/flow/workload"
)

// allDocs are the explanations of every code, each package's after the other.
func allDocs() []fault.Doc {
	var out []fault.Doc
	for _, some := range [][]fault.Doc{
		docs, yamlx.Docs, config.Docs, expr.Docs, pattern.Docs, variable.Docs, keyword.Docs, gitlab.Docs,
		workflows.Docs, filter.Docs, workflow.Docs, lint.Docs, commands.Docs, github.Docs, plan.Docs, run.Docs,
		report.Docs, logs.Docs, intake.Docs, git.Docs, tree.Docs, remote.Docs, workspace.Docs, archive.Docs, store.Docs, executor.Docs,
		glob.Docs, action.Docs, artifact.Docs, tool.Docs, toolkit.Docs, convert.Docs, argo.Docs, lua.Docs, objectDocs, traffic.Docs, probe.Docs, advance.Docs,
		sandbox.Docs, deliveryDocs, rolloutDocs, cluster.Docs, source.Docs, render.Docs, applicationset.Docs, forgeclient.Docs, analysis.Docs, rollout.Docs,
		workload.Docs, localtarget.Docs, objects.Docs, pod.Docs, proxy.Docs, upDocs,
	} {
		out = append(out, some...)
	}
	return out
}
