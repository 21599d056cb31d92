// Command report turns what Go's and Terraform's own tools say into the reports that GitLab reads. It needs no network.
//
//	report test -name unit -o unit.xml -- FLAGS PACKAGES     run `go test`, show its output, write JUnit
//	report coverage -profile cover.out -o cobertura.xml      write Cobertura and print the total
//	report plan -o plan.json < terraform-show.json           count what a Terraform plan creates, updates and deletes
//	report secrets -o secrets.json FOLDER                    look for secrets in files, write a secret detection report
//
// Exit codes: 0 all is well, 1 a test failed or a secret was found, 2 it could not do its work.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// errFound means that the work was done and what was looked for is there: a failed test, a secret.
var errFound = errors.New("found")

func main() {
	err := run(os.Args[1:], os.Stdin, os.Stdout)
	switch {
	case errors.Is(err, errFound):
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(2)
	}
}

func run(args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) == 0 {
		return errors.New("usage: report test|coverage|plan|secrets")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	out := flags.String("o", "", "the report `file`")
	switch args[0] {
	case "test":
		name := flags.String("name", "tests", "the suite's name")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		return test(*name, *out, flags.Args(), stdout)
	case "coverage":
		profile := flags.String("profile", "cover.out", "the `file` that go test -coverprofile wrote")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		return coverage(*profile, *out, stdout)
	case "plan":
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		return plan(stdin, *out, stdout)
	case "secrets":
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		return secrets(flags.Arg(0), *out, stdout)
	}
	return fmt.Errorf("%s: test, coverage, plan or secrets", args[0])
}

// save writes a report and makes its folder.
func save(path string, text []byte) error {
	if path == "" {
		return errors.New("-o is missing")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
