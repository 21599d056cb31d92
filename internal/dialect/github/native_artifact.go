package github

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/flow/lazy"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// The artifact actions, of all versions with the semantics of version 4 (repositories actions/upload-artifact and
// actions/download-artifact).
var (
	uploadArtifact = &native{
		inputs: []string{"name", "path", "if-no-files-found", "retention-days", "compression-level", "overwrite", "include-hidden-files", "archive"},
		main:   (*call).upload,
	}
	mergeArtifacts = &native{
		inputs: []string{"name", "pattern", "separate-directories", "retention-days", "compression-level", "delete-merged", "include-hidden-files"},
		idle:   map[string]string{"delete-merged": "artifacts stay as long as the run is kept"},
		main:   (*call).merge,
	}
	downloadArtifact = &native{
		inputs: []string{"name", "artifact-ids", "path", "pattern", "merge-multiple", "github-token", "repository", "run-id", "skip-decompress", "digest-mismatch"},
		main:   (*call).download,
	}
)

// direct are the versions of download-artifact that treat one ID as they treat a name.
var direct = lazy.Pattern(`^v?([5-9]|[1-9][0-9]+)(\.|$)`)

// publish is what an upload keeps, with the defaults of its inputs.
func (c *call) publish(name string, paths []string) (program.Publish, error) {
	p := program.Publish{
		Name: name, Paths: paths, Hidden: c.flag("include-hidden-files", false), Overwrite: c.flag("overwrite", false), Level: 6,
	}
	if level := c.input("compression-level"); level != "" {
		n, err := strconv.Atoi(level)
		if err != nil || n < 0 || n > 9 {
			return p, fmt.Errorf("invalid compression-level: it is a number from 0 to 9, not %q", level)
		}
		p.Level = n
	}
	if days := c.input("retention-days"); days != "" {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 {
			return p, fmt.Errorf("invalid retention-days: %q", days)
		}
		p.Expire = time.Duration(min(n, 400)) * 24 * time.Hour
	}
	return p, nil
}

func (c *call) upload() ending {
	name, paths := first(c.input("name"), "artifact"), c.lines("path")
	if len(paths) == 0 {
		return c.error(CodeArtifact, broken(program.ConfigurationFailed, "Input required and not supplied: path"))
	}
	missing := first(c.input("if-no-files-found"), "warn")
	if missing != "warn" && missing != "error" && missing != "ignore" {
		return c.error(CodeArtifact, broken(program.ConfigurationFailed, "Unrecognized if-no-files-found input: %q; it is warn, error or ignore", missing))
	}
	p, err := c.publish(name, paths)
	if err != nil {
		return c.error(CodeArtifact, broken(program.ConfigurationFailed, "%v", err))
	}
	o := c.do(p)
	if o.Failure != "" {
		return c.lost(o, "upload the artifact "+name)
	}
	if o.Count == 0 {
		none := "No files were found with the provided path: " + strings.Join(paths, "\n") + ". No artifacts will be uploaded."
		switch missing {
		case "error":
			return c.error(CodeArtifact, broken(program.ScriptFailure, "%s", none))
		case "warn":
			c.caution("%s", none)
		default:
			c.say("%s", none)
		}
		return fine
	}
	c.uploaded(name, o)
	return fine
}

// uploaded sets the outputs of an upload.
func (c *call) uploaded(name string, o program.Outcome) {
	for i, output := range []string{"artifact-id", "artifact-digest", "artifact-url"} {
		if i < len(o.Values) {
			c.output(output, o.Values[i])
		}
	}
	c.say("Artifact %s has been successfully uploaded: %s", name, count(o.Count, "file"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// lost is the end of a step whose artifact could not be kept or found.
func (c *call) lost(o program.Outcome, what string) ending {
	if o.Failure == program.Canceled || o.Failure == program.ExecutionTimeout {
		return c.verdictFor(c.at, o, "")
	}
	return c.error(CodeArtifact, broken(o.Failure, "Unable to %s: %s", what, o.Message))
}

func (c *call) download() ending {
	in := program.Collect{
		Name: c.input("name"), Pattern: c.input("pattern"), Path: first(c.input("path"), "."), Merge: c.flag("merge-multiple", false),
	}
	if c.input("github-token") != "" {
		in.Run = c.input("run-id")
		if r := c.input("repository"); r != "" && !strings.EqualFold(r, c.own.Frame.Event.Repository()) {
			return c.error(CodeArtifact, broken(program.UnmetPrerequisites, "artifacts of another repository (%s) are not on this machine", r))
		}
		if in.Run == c.github.Get("run_id").Text() {
			in.Run = ""
		}
	}
	for id := range strings.SplitSeq(c.input("artifact-ids"), ",") {
		if id = strings.TrimSpace(id); id != "" {
			in.IDs = append(in.IDs, id)
		}
	}
	// Since version 5 a single artifact is put into the folder itself also where it is named by its ID.
	in.Merge = in.Merge || len(in.IDs) == 1 && direct.MatchString(c.u.ref.ref)
	switch {
	case in.Name != "" && len(in.IDs) > 0:
		return c.error(CodeArtifact, broken(program.ConfigurationFailed, "Inputs 'name' and 'artifact-ids' cannot be used together. Please specify only one."))
	case c.flag("skip-decompress", false):
		c.warn("skip-decompress has no effect here: artifacts come as files [%s]", CodeNativeInput)
	}
	o := c.do(in)
	if o.Failure != "" {
		return c.lost(o, "download artifact(s)")
	}
	if n := len(o.Values); n > 0 {
		c.output("download-path", o.Values[n-1])
		for _, name := range o.Values[:n-1] {
			c.say("Artifact %s has been downloaded", name)
		}
		c.say("Total of %d artifact(s) downloaded", n-1)
	}
	return fine
}

// merge puts several artifacts into one (actions/upload-artifact/merge).
func (c *call) merge() ending {
	name := first(c.input("name"), "merged-artifacts")
	dir := fmt.Sprintf("_merged_artifacts_%d", c.at.number)
	p, err := c.publish(name, []string{dir})
	if err != nil {
		return c.error(CodeArtifact, broken(program.ConfigurationFailed, "%v", err))
	}
	p.Overwrite = true
	got := c.do(program.Collect{Pattern: first(c.input("pattern"), "*"), Path: dir, Merge: !c.flag("separate-directories", false)})
	if got.Failure != "" {
		return c.lost(got, "find artifacts to merge")
	}
	defer c.do(program.Exec{Step: "merge", Argv: []string{"rm", "-rf", "--", dir}, Env: c.bare(), Quiet: true, Always: true})
	if len(got.Values) < 2 {
		return c.error(CodeArtifact, broken(program.MissingDependency, "No artifacts found matching the pattern %q", first(c.input("pattern"), "*")))
	}
	o := c.do(p)
	if o.Failure != "" {
		return c.lost(o, "upload the artifact "+name)
	}
	c.uploaded(name, o)
	return fine
}
