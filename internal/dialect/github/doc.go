// Package github is the GitHub Actions dialect: Compile turns the workflow files and an event into a plan, Bind makes a
// job concrete when its needs are done, and NewProgram is the conversation by which one attempt of a job is run as
// GitHub's runner runs it.
//
// It decides which workflows and jobs there are and what they do, and gives every decision its reason. It reads no file
// itself (the ports in Input do), asks no server, keeps no clock and starts no process. What needs GitHub's own servers
// (deployment approvals, larger runners, attestations) is told with a placed note and never silently left out.
package github
