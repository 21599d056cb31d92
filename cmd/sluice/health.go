package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/health"
	"github.com/sluice-delivery/sluice/internal/flow/manifest"
)

func newHealth(s *streams) *cobra.Command {
	var files []string
	var scripts string
	cmd := &cobra.Command{
		Use:   "health -f FILE",
		Short: "Assess the health of Kubernetes objects as Argo CD does",
		Long: `Say how the objects of a file do, by the status that they hold: a line of JSON for each, {"status":…,"message":…}, in
order. A file may hold several documents and lists, as kubectl get -o yaml writes them.

The status is Healthy, Progressing, Degraded, Suspended, Missing or Unknown. It is "" where nothing assesses objects of
the kind (a ConfigMap); in an application such an object counts as Healthy.

Scripts of --scripts come first, then those that Argo CD ships, then the built-in rules. What a script prints goes to
standard error. The exit code says that the objects were read, not how they do.`,
		Example: `  sluice health -f deployment.yaml
  kubectl get certificate web -o yaml | sluice health -f -
  sluice health --scripts resource_customizations -f database.yaml`,
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return s.health(cmd, files, scripts) },
	}
	cmd.Flags().StringArrayVarP(&files, "filename", "f", nil, "file with objects, - for standard input (may be given again)")
	cmd.Flags().StringVar(&scripts, "scripts", "", "folder of scripts, laid out as <group>/<kind>/health.lua")
	_ = cmd.MarkFlagDirname("scripts") // the flag exists
	return cmd
}

func (s *streams) health(cmd *cobra.Command, files []string, scripts string) error {
	if len(files) == 0 {
		return fault.New(codeUsage, "no file is named").WithHint("name one with -f, or - for standard input")
	}
	var objects []manifest.Object
	for _, file := range files {
		some, err := s.objects(file)
		if err != nil {
			return err
		}
		objects = append(objects, some...)
	}
	checker, found, closing := newChecker(scripts)
	defer closing()
	if found.HasErrors() {
		return found
	}
	writeFaults(s.err, found, "")
	assessed, err := checker.Assess(cmd.Context(), objects)
	if err != nil {
		return err
	}
	out := json.NewEncoder(s.out)
	out.SetEscapeHTML(false)
	for n, a := range assessed {
		for line := range strings.Lines(a.Printed) {
			fmt.Fprintf(s.err, "%s: %s\n", objects[n].Key(), printable(strings.TrimRight(line, "\n")))
		}
		if !a.Known {
			a.Message = fmt.Sprintf("nothing assesses objects of the kind %s", objects[n].Kind())
		}
		if err := out.Encode(struct {
			Status  health.Status `json:"status"`
			Message string        `json:"message"`
		}{a.Status, a.Message}); err != nil {
			return err
		}
	}
	return nil
}

// objects reads the objects of a file, of standard input for "-".
func (s *streams) objects(file string) ([]manifest.Object, error) {
	const limit = 256 << 20
	name, in := file, s.in
	if file == "-" {
		name = "standard input"
	} else {
		f, err := os.Open(file)
		if err != nil {
			return nil, fault.At(codeObjects, fault.Place{File: file}, "the file cannot be read: %v", plainError(err))
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	switch {
	case err != nil:
		return nil, fault.At(codeObjects, fault.Place{File: name}, "the file cannot be read: %v", plainError(err))
	case len(data) > limit:
		return nil, fault.At(codeObjects, fault.Place{File: name}, "the file is larger than %d MiB", limit>>20)
	}
	return readObjects(name, data)
}
