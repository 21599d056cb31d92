package source

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The faults of this package.
const (
	CodeAddress     = "SL5821" // the repository's address is not one that is read
	CodeRevision    = "SL5822" // the repository has no such revision
	CodeUnreachable = "SL5823" // the server does not answer
	CodeDenied      = "SL5824" // the server refuses the credentials, or there are none
	CodeOutside     = "SL5825" // a path leaves the repository
	CodeSubmodule   = "SL5826" // a path leads into a submodule
	CodeLarge       = "SL5827" // a file is larger than is read
	CodeSecret      = "SL5828" // a repository's Secret is wrong
	CodeChart       = "SL5829" // the chart repository has no such chart or version, or the chart is damaged
	CodeUnsupported = "SL5830" // known, and not supported yet
	CodeRepository  = "SL5831" // git cannot read the repository
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{Code: CodeAddress, Summary: "a repository's address is not one that is read", Text: "repoURL takes https://, http://, ssh:// and git:// addresses, the short form user@host:path, file:// and absolute folders of this machine. Addresses that start programs (ext::) or begin with a dash are refused.", Page: "user-guide/private-repositories"},
	{Code: CodeRevision, Summary: "the repository has no such revision", Text: "targetRevision is a branch, a tag, a full reference such as refs/heads/main, a commit (at least 7 digits), or a range of versions such as 1.x that is matched against tags. Empty is HEAD.", Page: "user-guide/tracking_strategies"},
	{Code: CodeUnreachable, Summary: "a repository's server does not answer", Text: "The name does not resolve, the connection is refused or takes too long. What was fetched before is still rendered; new commits are not seen.", Page: "user-guide/private-repositories"},
	{Code: CodeDenied, Summary: "a repository refuses its credentials", Text: "Credentials come from a Secret with the label argocd.argoproj.io/secret-type: repository (or repo-creds for all addresses with a prefix): username and password, bearerToken, or sshPrivateKey.", Page: "operator-manual/declarative-setup"},
	{Code: CodeOutside, Summary: "a path leaves the repository", Text: "Nothing outside the repository is read: no absolute path, no \"..\" above its top, and no symbolic link that leads out.", Page: "user-guide/helm"},
	{Code: CodeSubmodule, Summary: "a path leads into a submodule", Text: "Submodules are not fetched. Give the submodule's repository as a source of its own.", Page: "user-guide/private-repositories"},
	{Code: CodeLarge, Summary: "a file of a repository is too large", Text: "Files are read up to 64 MiB, charts up to 100 MiB unpacked.", Page: "user-guide/helm"},
	{Code: CodeSecret, Summary: "a repository's Secret cannot be used", Text: "The Secret has no url, or a field of it cannot be read. The values are never shown.", Page: "operator-manual/declarative-setup"},
	{Code: CodeChart, Summary: "a chart cannot be had", Text: "The repository's index does not hold the chart or no version that targetRevision allows, or the archive is damaged. Pre-releases are only taken by a range that names one, such as >=1.0.0-0.", Page: "user-guide/helm"},
	{Code: CodeUnsupported, Summary: "a kind of repository is not supported yet", Text: "Argo CD knows it; Sluice does not yet. The message says which.", Page: "operator-manual/declarative-setup"},
	{Code: CodeRepository, Summary: "git cannot read a repository", Text: "The message is git's own. A mirror in the state folder that was damaged can be removed: it is fetched again.", Page: "user-guide/private-repositories"},
}
