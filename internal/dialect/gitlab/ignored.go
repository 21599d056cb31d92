package gitlab

import (
	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// ignored are the runner's variables that do nothing on this machine and would change what a job sees elsewhere
// (GitLab documentation, configure runners).
var ignored = map[string]string{
	"GIT_SUBMODULE_UPDATE_FLAGS":    "submodules are taken from your work tree as they are",
	"GIT_CHECKOUT":                  "the workspace is always a snapshot of your work tree",
	"GIT_CLONE_PATH":                "the place of the workspace is not the job's to choose",
	"GIT_CLEAN_FLAGS":               "every job has a workspace of its own",
	"GET_SOURCES_ATTEMPTS":          "the workspace is made once",
	"ARTIFACT_DOWNLOAD_ATTEMPTS":    "artifacts are restored once",
	"RESTORE_CACHE_ATTEMPTS":        "caches are restored once",
	"EXECUTOR_JOB_SECTION_ATTEMPTS": "sections are not tried again",
}

// unused tells once of each variable in the file that only another runner would heed.
func (c *compiler) unused() {
	told := map[string]bool{}
	look := func(vs []keyword.Variable) {
		for _, v := range vs {
			if why, ok := ignored[v.Name]; ok && !told[v.Name] {
				told[v.Name] = true
				c.faults.Add(fault.At(CodeIgnored, v.Place, "%s does nothing here: %s", v.Name, why).WithSeverity(fault.Note))
			}
		}
	}
	look(c.file.Variables)
	for _, k := range c.file.Jobs {
		look(k.Variables)
	}
}
