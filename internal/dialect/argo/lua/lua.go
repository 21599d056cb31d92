// Package lua runs health checks and resource actions that are written in Lua and laid out as Argo CD does:
// <group>/<kind>/health.lua, <group>/<kind>/actions/discovery.lua and <group>/<kind>/actions/<name>/action.lua.
// It finds the script of an object, runs it and reads what it returns.
//
// A script sees the object (obj), an action's parameters (actionParams) and the libraries base, table, string, math and a
// part of os: time and date, in UTC. Nothing loads code or touches files, programs, the network or the environment; there
// are no coroutines. The Interpreter bounds time by its context and some memory; a bound that holds against every script
// needs a process, so the product runs it in edge/sandbox only, by way of Run.
//
// Pages: argo-cd.readthedocs.io, operator-manual/health and operator-manual/resource_actions.
package lua

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The faults of this package.
const (
	CodeRead   = "SL5590" // a folder of scripts cannot be read
	CodeSyntax = "SL5591" // a script is no Lua
	CodeRun    = "SL5592" // an action's script failed, or gave what it must not
	CodeAction = "SL5593" // the object has no such action
	CodeStray  = "SL5594" // a script stands where none is looked for
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeRead, Summary: "a folder of scripts cannot be read", Text: "A folder of health checks and actions holds <group>/<kind>/health.lua and <group>/<kind>/actions/…, without the group for Kubernetes' core kinds. At most 10,000 scripts of 256 KiB are read.", Page: "argo-cd.readthedocs.io/en/stable/operator-manual/health"},
	{Code: CodeSyntax, Summary: "a script is not Lua", Text: "The script cannot be read as Lua 5.1 and is not used.", Page: "argo-cd.readthedocs.io/en/stable/operator-manual/health"},
	{Code: CodeRun, Summary: "a script failed", Text: "The script of an action raised an error, took more than a second or 64 MiB, or returned something else than a table: an action returns the object it was given, changed, or a list of {operation = \"create\" or \"patch\", resource = …}; discovery returns a table whose keys are the actions' names. Libraries: base (without what loads code), table, string, math, os.time and os.date.", Page: "argo-cd.readthedocs.io/en/stable/operator-manual/resource_actions"},
	{Code: CodeAction, Summary: "the object has no such action", Text: "Which actions an object has is said by the script actions/discovery.lua of its kind; each has its script in actions/<name>/action.lua.", Page: "argo-cd.readthedocs.io/en/stable/operator-manual/resource_actions"},
	{Code: CodeStray, Summary: "a script stands where none is looked for", Text: "Scripts are named health.lua, actions/discovery.lua and actions/<name>/action.lua in <group>/<kind>, or in <kind> for Kubernetes' core kinds. In the names of the two folders, _ stands for any text.", Page: "argo-cd.readthedocs.io/en/stable/operator-manual/health"},
}
