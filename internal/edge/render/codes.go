package render

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The faults of this package.
const (
	CodeSource    = "SL5841" // the source is not one that can be rendered
	CodePath      = "SL5842" // a path of the source is not there
	CodeManifest  = "SL5843" // a manifest cannot be read
	CodeOverride  = "SL5844" // .argocd-source.yaml is wrong
	CodeHelm      = "SL5845" // a chart does not render
	CodeValues    = "SL5846" // a value file or parameter is wrong
	CodeDepend    = "SL5847" // a chart's dependency cannot be had
	CodeKustomize = "SL5848" // a kustomization does not build
	CodeRefused   = "SL5849" // what a source asks for is not allowed
	CodeJsonnet   = "SL5850" // Jsonnet does not evaluate
	CodeLater     = "SL5851" // known, and not supported yet
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeSource, Summary: "a source cannot be rendered", Text: "A source has one tool: helm, kustomize or directory. A source with chart has no path, and one with ref has no chart.", Page: "user-guide/tool_detection"},
	{Code: CodePath, Summary: "a source's path is not there", Text: "path is a folder of the repository at the resolved commit. It is written from the repository's top, without a slash before it.", Page: "user-guide/application-specification"},
	{Code: CodeManifest, Summary: "a manifest cannot be read", Text: "The file is not YAML or JSON, or an object in it has no kind. A file that is no manifest can be left out with directory.exclude, or with the comment # +argocd:skip-file-rendering in it.", Page: "user-guide/directory"},
	{Code: CodeOverride, Summary: "an override file cannot be read", Text: "`.argocd-source.yaml` and `.argocd-source-APP.yaml` in the source's folder hold fields of the source (helm, kustomize, directory) that are merged over the Application's.", Page: "user-guide/parameters"},
	{Code: CodeHelm, Summary: "a chart does not render", Text: "The message is Helm's own, with the template's file and line where Helm tells them. `lookup` finds nothing while rendering, as with `helm template`.", Page: "user-guide/helm"},
	{Code: CodeValues, Summary: "values of a chart are wrong", Text: "A value file is missing or not YAML, a pattern matches no file, a parameter cannot be read, or the values do not fit the chart's values.schema.json. Precedence, highest first: parameters, valuesObject, values, valueFiles, the chart's own.", Page: "user-guide/helm"},
	{Code: CodeDepend, Summary: "a chart's dependency cannot be had", Text: "Dependencies are taken from the chart's charts/ folder, from folders of the same repository (file://), and from chart repositories that are known by a repository Secret. Others are not asked: run `helm dependency build` and commit charts/, or make the repository known.", Page: "user-guide/helm"},
	{Code: CodeKustomize, Summary: "a kustomization does not build", Text: "The message is Kustomize's own. Files are loaded from the kustomization's own folder, bases from anywhere in the repository.", Page: "user-guide/kustomize"},
	{Code: CodeRefused, Summary: "a source asks for what is not allowed", Text: "Rendering reads the repository and nothing else: remote bases and resources, helmCharts, exec and container plugins are refused. Commit what they would fetch, or give it as a source of its own.", Page: "user-guide/kustomize"},
	{Code: CodeJsonnet, Summary: "Jsonnet does not evaluate", Text: "The message is Jsonnet's own with its place. Imports are searched beside the file, then in directory.jsonnet.libs, then in the source's folder, all inside the repository.", Page: "user-guide/jsonnet"},
	{Code: CodeLater, Summary: "a way to render is not supported yet", Text: "Argo CD knows it; Sluice does not yet. The message says which.", Page: "user-guide/application_sources"},
}
