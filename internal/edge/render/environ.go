package render

import (
	"os"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// environ is the build environment (https://argo-cd.readthedocs.io/en/stable/user-guide/build-environment/).
type environ struct {
	values   map[string]string
	revision bool // a value that changes with each commit was used
}

func newEnviron(r request) *environ {
	return &environ{values: map[string]string{
		"ARGOCD_APP_NAME":                   r.Qualified,
		"ARGOCD_APP_NAMESPACE":              r.Namespace,
		"ARGOCD_APP_PROJECT_NAME":           r.Project,
		"ARGOCD_APP_REVISION":               r.Revision,
		"ARGOCD_APP_REVISION_SHORT":         r.Revision[:min(7, len(r.Revision))],
		"ARGOCD_APP_REVISION_SHORT_8":       r.Revision[:min(8, len(r.Revision))],
		"ARGOCD_APP_SOURCE_PATH":            r.Source.Path,
		"ARGOCD_APP_SOURCE_REPO_URL":        r.Source.RepoURL,
		"ARGOCD_APP_SOURCE_TARGET_REVISION": r.Source.TargetRevision,
		"KUBE_VERSION":                      kubeVersion(r.KubeVersion),
		"KUBE_API_VERSIONS":                 strings.Join(r.APIVersions, ","),
	}}
}

// expand puts values in place of $NAME and ${NAME}; $$ is a dollar, and what has no value is nothing.
func (e *environ) expand(text string) string {
	return os.Expand(text, func(name string) string {
		if name == "$" {
			return "$"
		}
		if strings.HasPrefix(name, "ARGOCD_APP_REVISION") {
			e.revision = true
		}
		return e.values[name]
	})
}

// kubeVersion is a version without what providers add to it: v1.35.4-eks is 1.35.4.
func kubeVersion(text string) string {
	v, err := semver.NewVersion(text)
	if err != nil {
		return text
	}
	plain, err := v.SetPrerelease("")
	if err != nil {
		return text
	}
	if plain, err = plain.SetMetadata(""); err != nil {
		return text
	}
	return plain.String()
}
