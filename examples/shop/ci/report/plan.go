package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// plan reads what `terraform show -json` says of a plan and writes GitLab's Terraform report: how many resources come, change and go.
// A replaced resource comes and goes.
func plan(in io.Reader, out string, stdout io.Writer) error {
	var shown struct {
		Changes []struct {
			Change struct{ Actions []string }
		} `json:"resource_changes"`
	}
	if err := json.NewDecoder(in).Decode(&shown); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	var r struct {
		Create int `json:"create"`
		Update int `json:"update"`
		Delete int `json:"delete"`
	}
	for _, c := range shown.Changes {
		if slices.Contains(c.Change.Actions, "create") {
			r.Create++
		}
		if slices.Contains(c.Change.Actions, "update") {
			r.Update++
		}
		if slices.Contains(c.Change.Actions, "delete") {
			r.Delete++
		}
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := save(out, append(text, '\n')); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "plan: %d to create, %d to update, %d to delete\n", r.Create, r.Update, r.Delete)
	return err
}
