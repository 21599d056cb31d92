package action

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of this package.
const (
	CodeName      = "SL2840" // no name of a repository, path or ref
	CodeMissing   = "SL2841" // the repository or the ref is not on this machine
	CodeTampered  = "SL2842" // a cached action is not what was added
	CodeUnsafe    = "SL2843" // a tree holds a path or link that leaves it
	CodeNoAction  = "SL2844" // the folder holds no action
	CodeRemote    = "SL2845" // a repository cannot be fetched
	CodeCache     = "SL2846" // the cache cannot be read or written
	CodePlace     = "SL2847" // a checkout's path is outside of the workspace
	CodeSubmodule = "SL2848" // a submodule cannot be had
	CodeLFS       = "SL2849" // Git LFS files stay pointers
	CodeSparse    = "SL2850" // patterns of a sparse checkout are wrong
)

// Docs explains the codes.
var Docs = []fault.Doc{
	{
		Code: CodeName, Summary: "that is no name of an action",
		Text: "Actions of other repositories are written as owner/repo@ref or owner/repo/path@ref, where ref is a tag, a branch or a commit. Names have letters, digits, '-', '_' and '.'; a path must not contain '..'.",
		Page: "Workflow syntax for GitHub Actions, jobs.<job_id>.steps[*].uses",
	},
	{
		Code: CodeMissing, Summary: "an action is not on this machine",
		Text: "Sluice runs offline: actions come from folders given with --local-repository OWNER/REPO[@REF]=DIR and --action-path DIR, from the cache, or from a mirror (--mirror). `sluice action add OWNER/REPO@REF` puts an action and all that it uses into the cache, from the network or with --from from a folder or clone; `sluice action add` alone adds all that the repository's workflows use.",
	},
	{
		Code: CodeTampered, Summary: "a cached action has changed",
		Text: "The digest of every action is recorded when it is added. The files in the cache are not those any more: somebody has edited them, or the disk is damaged. The action is not run. `sluice action remove OWNER/REPO@REF` and `sluice action add OWNER/REPO@REF` bring back the original.",
	},
	{
		Code: CodeUnsafe, Summary: "a repository holds an unsafe path",
		Text: "A path or a symbolic link in the repository leaves its folder, names .git, or is neither file, folder nor link. Such a tree is never written to this machine.",
	},
	{
		Code: CodeNoAction, Summary: "there is no action in the folder",
		Text: "An action is a folder with action.yml, action.yaml or a Dockerfile. For an action of the repository itself (uses: ./path) the path is relative to the workspace, so actions/checkout must come before it.",
		Page: "Metadata syntax for GitHub Actions",
	},
	{
		Code: CodeRemote, Summary: "a repository cannot be fetched",
		Text: "git could not read the repository at the address: there is no network, no such repository, no such ref, or it wants credentials. Passwords are never asked for; a credential helper or an SSH agent may give them. Without a network, --from takes a folder or a clone.",
	},
	{
		Code: CodeCache, Summary: "the cache of actions cannot be used",
		Text: "Actions are kept in $XDG_CACHE_HOME/sluice/actions (default ~/.cache/sluice/actions). The folder cannot be read or written, or an entry has no record.",
	},
	{
		Code: CodePlace, Summary: "a checkout's path is outside of the workspace",
		Text: "The path input of actions/checkout is relative to the workspace and must stay inside it, also through symbolic links that steps have made.",
		Page: "README of actions/checkout",
	},
	{
		Code: CodeSubmodule, Summary: "a submodule cannot be had",
		Text: "The submodules of a checkout come from your own clone (git submodule update --init --recursive), from folders given with --local-repository, or from the mirror; nothing is fetched.",
	},
	{
		Code: CodeLFS, Summary: "files of Git LFS stay pointers",
		Text: "The checkout asks for lfs, and git-lfs is not installed or the repository has not the objects. The files hold their pointers.",
	},
	{
		Code: CodeSparse, Summary: "the patterns of a sparse checkout are refused",
		Text: "With sparse-checkout-cone-mode (the default) every line of sparse-checkout names a folder; patterns need sparse-checkout-cone-mode: false.",
		Page: "README of actions/checkout",
	},
}
