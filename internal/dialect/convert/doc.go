// Package convert writes a pipeline in the format of another forge: from the plan of a whole GitLab pipeline a GitHub
// workflow, and the other way round. What the other format cannot say is listed with its place: as a warning where
// something is lost, as an error where a job would mean something else; such a job is written so that it does not run.
//
// It works from plans alone (plan.Plan.Whole). It reads no files, evaluates nothing, knows no occasion, and never copies
// an expression of one forge into the file of another.
package convert
