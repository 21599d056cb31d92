// Package gitlab is the GitLab CI/CD dialect: Compile turns a pipeline file and an occasion into a plan, Bind turns a
// trigger job into its child pipeline when it becomes ready, and NewProgram is the conversation by which one attempt
// of a job is run as GitLab's runner runs it.
//
// It decides which jobs there are and what they do, and gives every decision its reason. It reads no file itself (the
// ports in Input do), asks no server, keeps no clock and starts no process. What needs a GitLab server (pipelines of
// other projects, secrets from vaults, releases, ID tokens) is told with a placed warning and never silently left out.
package gitlab
