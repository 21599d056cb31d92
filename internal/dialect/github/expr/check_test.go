package expr_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
)

func TestAvailabilityIsTheDocumentedTable(t *testing.T) {
	// A part of the table "Context availability", and the places that it leaves out.
	for key, want := range map[string]string{
		"run-name":                                         "github inputs vars",
		"concurrency":                                      "github inputs vars",
		"env":                                              "github inputs secrets vars",
		"jobs.<job_id>.concurrency":                        "github inputs matrix needs strategy vars",
		"jobs.<job_id>.container.credentials":              "env github inputs matrix needs secrets strategy vars",
		"jobs.<job_id>.container.env.<env_id>":             "env github inputs job matrix needs runner secrets strategy vars",
		"jobs.<job_id>.container.options":                  "github inputs matrix needs strategy vars",
		"jobs.<job_id>.environment.url":                    "env github inputs job matrix needs runner steps strategy vars",
		"jobs.<job_id>.if":                                 "github inputs needs vars + always cancelled failure success",
		"jobs.<job_id>.outputs.<output_id>":                "env github inputs job matrix needs runner secrets steps strategy vars",
		"jobs.<job_id>.secrets.<secrets_id>":               "github inputs matrix needs secrets strategy vars",
		"jobs.<job_id>.services.<service_id>.image":        "github inputs matrix needs strategy vars",
		"jobs.<job_id>.services.<service_id>.env.<env_id>": "env github inputs job matrix needs runner secrets strategy vars",
		"jobs.<job_id>.steps.if":                           "env github inputs job matrix needs runner steps strategy vars + always cancelled failure hashfiles success",
		"jobs.<job_id>.steps.run":                          "env github inputs job matrix needs runner secrets steps strategy vars + hashfiles",
		"jobs.<job_id>.steps.with":                         "env github inputs job matrix needs runner secrets steps strategy vars + hashfiles",
		"jobs.<job_id>.strategy.matrix":                    "github inputs needs vars",
		"jobs.<job_id>.with.<with_id>":                     "github inputs matrix needs strategy vars",
		"on.workflow_call.inputs.<inputs_id>.default":      "github inputs vars",
		"on.workflow_call.outputs.<output_id>.value":       "github inputs jobs vars",
		"inputs.<input_id>.default":                        "github job matrix runner strategy + hashfiles",
		"outputs.<output_id>.value":                        "env github inputs job matrix runner steps strategy",
		"runs.steps.run":                                   "env github inputs job matrix runner steps strategy + hashfiles",
		"runs.args":                                        "inputs",
		"name":                                             "nothing",
		"jobs.<job_id>.steps.shell":                        "nothing",
		"jobs.<job_id>.steps.uses":                         "nothing",
		"on.schedule":                                      "nothing",
		"jobs.<job_id>.permissions":                        "nothing",
		"on.workflow_call.inputs.<inputs_id>.description":  "nothing",
	} {
		a, ok := expr.AvailableAt(key)
		got := "nothing"
		if ok {
			slices.Sort(a.Contexts)
			slices.Sort(a.Functions)
			got = strings.Join(a.Contexts, " ")
			if len(a.Functions) > 0 {
				got += " + " + strings.Join(a.Functions, " ")
			}
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", key, got, want)
		}
	}
	for _, key := range expr.AvailabilityKeys() {
		a, _ := expr.AvailableAt(key)
		for _, c := range a.Contexts {
			if !slices.Contains(expr.ContextNames(), c) {
				t.Errorf("%s allows %q, which is no context", key, c)
			}
		}
		for _, f := range a.Functions {
			if info, ok := expr.LookupFunction(f); !ok || !info.Given {
				t.Errorf("%s allows %q, which is no special function", key, f)
			}
		}
	}
}

func TestContextsAndFunctionsAreCheckedAtTheirKey(t *testing.T) {
	for in, want := range map[string]string{
		"jobs.<job_id>.steps.run: ${{ secrets.X }} ${{ steps.a.outputs.b }} ${{ hashFiles('x') }}": "",
		"run-name: ${{ github.actor }} ${{ inputs.x }}":                                            "",
		"jobs.<job_id>.if: ${{ failure('a') }}":                                                    "",
		"jobs.<job_id>.if: ${{ matrix.os == secrets.X }}": `w.yml:1:5: the context "matrix" is not available at jobs.<job_id>.if [SL1612] - available are github, inputs, needs, vars
w.yml:1:18: the context "secrets" is not available at jobs.<job_id>.if [SL1612] - available are github, inputs, needs, vars`,
		"jobs.<job_id>.steps.if: ${{ secrets.X }}":       `w.yml:1:5: the context "secrets" is not available at jobs.<job_id>.steps.if [SL1612] - set a variable in env: of the job from the secret, and ask env.NAME here`,
		"runs.steps.run: ${{ secrets.X }}":               `w.yml:1:5: the context "secrets" is not available at runs.steps.run [SL1612] - a composite action gets secrets as inputs: give it one with with:`,
		"jobs.<job_id>.runs-on: ${{ env.X }}":            `w.yml:1:5: the context "env" is not available at jobs.<job_id>.runs-on [SL1612] - variables of the repository are known here: vars.NAME; available are github, inputs, matrix, needs, strategy, vars`,
		"jobs.<job_id>.steps.run: ${{ gihub.ref || x }}": "w.yml:1:5: there is no context \"gihub\" [SL1606] - did you mean \"github\"?\nw.yml:1:18: there is no context \"x\" [SL1606] - text stands in single quotes: 'x'",
		"jobs.<job_id>.steps.run: ${{ success() }}":      "w.yml:1:5: the function success is not available at jobs.<job_id>.steps.run [SL1612] - success can be asked in if: only; the status of the job is job.status",
		"jobs.<job_id>.env: ${{ hashfiles('x') }}":       "w.yml:1:5: the function hashFiles is not available at jobs.<job_id>.env [SL1612] - hashFiles reads the files of the machine that runs the job: use it in a step",
		"jobs.<job_id>.steps.if: ${{ failure('a') }}":    "w.yml:1:13: failure takes no arguments at jobs.<job_id>.steps.if [SL1603]",
		"name: ${{ github.ref }}":                        "w.yml:1:5: no expression is evaluated at name [SL1612] - write a plain value",
		"name: plain":                                    "",
	} {
		key, text, _ := strings.Cut(in, ": ")
		tmpl, faults := expr.ParseTemplate(text, column)
		if faults != nil {
			t.Fatal(faults)
		}
		if got := expr.Check(tmpl, key).Error(); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

func scope() map[string]expr.Type {
	s := expr.Scope()
	s["steps"] = expr.TStrict(map[string]expr.Type{"build": expr.StepType(nil), "Meta": expr.StepType([]string{"tags", "Labels"})})
	s["needs"] = expr.TStrict(map[string]expr.Type{"setup": expr.NeedType([]string{"matrix"})})
	s["matrix"] = expr.TStrict(map[string]expr.Type{"os": expr.TString, "node": expr.TNumber, "extra": expr.TArray(expr.TString), "obj": expr.TStrict(map[string]expr.Type{"a": expr.TNull})})
	s["inputs"] = expr.TStrict(nil)
	return s
}

func TestWhatCannotBeMeantIsFound(t *testing.T) {
	for in, want := range map[string]string{
		"steps.build.outputs.anything":        "",
		"steps.BUILD.outcome == 'x'":          "",
		"steps.meta.outputs.labels":           "",
		"steps.biuld.outputs.x":               `1:7: warning: steps has no property "biuld" [SL1613] - did you mean "build"?`,
		"steps['biuld']":                      `1:6: warning: steps has no property "biuld" [SL1613] - did you mean "build"?`,
		"steps.meta.outputs.tag":              `1:20: warning: steps.meta.outputs has no property "tag" [SL1613] - did you mean "tags"?`,
		"steps.meta.output.tags":              `1:12: warning: steps.meta has no property "output" [SL1613] - did you mean "outputs"?`,
		"steps.build.conclusion.x":            `1:24: warning: steps.build.conclusion is a text and has no property "x" [SL1614]`,
		"steps.*.outcome":                     "",
		"steps.*.outcom":                      `1:9: warning: steps.* has no property "outcom" [SL1613] - did you mean "outcome"?`,
		"steps[matrix.os].outcome":            "",
		"needs.setup.outputs.matrix":          "",
		"needs.other.result":                  `1:7: warning: needs has no property "other" [SL1613] - there are setup`,
		"matrix.oss":                          `1:8: warning: matrix has no property "oss" [SL1613] - did you mean "os"?`,
		"matrix.obj.a.b":                      `1:14: warning: matrix.obj.a is null and has no property "b" [SL1614]`,
		"inputs.x":                            `1:8: warning: inputs has no property "x" [SL1613] - nothing is defined there`,
		"github.event_nam":                    `1:8: warning: github has no property "event_nam" [SL1613] - did you mean "event_name"?`,
		"github.repositoryUrl":                "",
		"github.event.any.thing[0].x":         "",
		"runner.ostype":                       `1:8: warning: runner has no property "ostype" [SL1613] - there are arch, debug, environment, name, os, temp, tool_cache, workspace`,
		"job.services.db.ports['5432']":       "",
		"job.services.db.port":                `1:17: warning: job.services.db has no property "port" [SL1613] - did you mean "ports"?`,
		"strategy.job-total > 1":              "",
		"env.ANY || vars.ANY":                 "",
		"unknown.thing":                       "",
		"matrix.extra.name":                   `1:14: warning: matrix.extra is an array and has no property "name" [SL1614] - for that of all items write matrix.extra.*.name`,
		"matrix.extra[0]":                     "",
		"matrix.extra['x']":                   `1:13: warning: matrix.extra is an array and has no property "x" [SL1614] - for that of all items write matrix.extra.*.x`,
		"matrix.extra.*.x":                    `1:16: warning: matrix.extra.* has no property "x": its items are no objects [SL1614]`,
		"matrix.os[0]":                        `1:10: warning: matrix.os is a text and has no parts [SL1614]`,
		"matrix.os.*":                         `1:11: warning: matrix.os is a text: .* wants an array or an object [SL1614]`,
		"matrix.extra[matrix.obj]":            `1:14: warning: an object cannot be an index [SL1614]`,
		"matrix.obj == 'x'":                   `1:1: warning: an object cannot be compared with == [SL1615] - compare a property of it, or toJSON(…)`,
		"matrix.extra < 1":                    `1:1: warning: an array cannot be compared with < [SL1615] - ask contains(matrix.extra, …), or compare toJSON(…)`,
		"github.event == github.event":        "",
		"github.event == null":                "",
		"matrix.obj != github":                `1:1: warning: an object cannot be compared with != [SL1615] - compare a property of it, or toJSON(…)` + "\n" + `1:15: warning: an object cannot be compared with != [SL1615] - compare a property of it, or toJSON(…)`,
		"1 > null":                            `1:5: warning: null has no order: null becomes a number here [SL1615]`,
		"github.ref_protected < 2":            `1:1: warning: a boolean has no order: github.ref_protected becomes a number here [SL1615]`,
		"matrix.obj[0]":                       `1:12: warning: the properties of matrix.obj have names, and 0 is a number [SL1614]`,
		"job.services.db.ports[5432]":         "",
		"contains(matrix.extra, 'x')":         "",
		"contains(matrix.obj, 'x')":           `1:10: warning: contains searches an array or a text, not an object [SL1614] - search its values: matrix.obj.*`,
		"contains('x', matrix.extra)":         `1:15: warning: contains wants a text here, not an array [SL1614] - write join(…) or toJSON(…) around it`,
		"startsWith(github, 'x')":             `1:12: warning: startsWith wants a text here, not an object [SL1614] - write toJSON(…) around it`,
		"join(github.event)":                  `1:6: warning: join wants an array or a text, not an object [SL1614] - join its values: github.event.*`,
		"format('{0}', matrix.obj)":           `1:15: warning: format wants a text here, not an object [SL1614] - write toJSON(…) around it`,
		"format('{0} {2}', 1, 2)":             `1:8: the template of format uses {2}, but there is no such value [SL1607] - format has 2 values; {0} is the first`,
		"format('{0}', 1, 2)":                 `1:18: warning: the template of format does not use this value [SL1607] - write {1} where it is to stand`,
		"format('{0', 1)":                     `1:8: the template of format is not valid: a { is not closed [SL1607] - {0} stands for the first value; a brace itself is written twice`,
		"fromJSON('{')":                       `1:10: fromJSON cannot read its argument: the name of a property is missing at line 1, column 2 [SL1608]`,
		"fromJSON('{\"a\":[1]}').b":           `1:23: warning: fromJSON('{"a":[1]}') has no property "b" [SL1613] - there are a`,
		"fromJSON(matrix.obj)":                `1:10: warning: fromJSON wants a text here, not an object [SL1614] - write toJSON(…) around it`,
		"case(matrix.os, 1, 2)":               `1:6: a condition of case must be true or false, not a text [SL1609] - compare it: matrix.os != ''`,
		"case(github.ref_protected, 1, 2)":    "",
		"(matrix.os || matrix.extra).x":       "",
		"(steps.build || steps.meta).outcome": "",
		"toJSON(steps).x":                     `1:15: warning: toJSON(steps) is a text and has no property "x" [SL1614]`,
		"steps.*.outcome[0]":                  `1:16: warning: the index applies to every item of steps.*.outcome, and these have no parts [SL1614] - the result of .* cannot be indexed; write fromJSON(toJSON(steps.*.outcome))[…]`,
	} {
		e, f := expr.Parse(in, column)
		if f != nil {
			t.Fatal(f)
		}
		_, faults := expr.Infer(e, scope())
		if got := strings.ReplaceAll(faults.Error(), "w.yml:", ""); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestTypesOfExpressions(t *testing.T) {
	for in, want := range map[string]string{
		"1": "a number", "'x'": "a text", "null": "null", "!1": "a boolean", "1 < 2": "a boolean", "matrix.os": "a text", "matrix.os || 'x'": "a text", "matrix.os && 1": "any value", "matrix.extra": "an array", "matrix.*": "an array", "github": "an object",
		"contains('a', 'b')": "a boolean", "toJSON(1)": "a text", "hashFiles('x')": "a text", "success()": "a boolean", "fromJSON(matrix.os)": "any value", "fromJSON('[1]')": "an array", "fromJSON('[1]')[0]": "a number", "fromJSON('[1,\"x\"]')[0]": "any value",
		"case(true, 1, 2)": "a number", "case(true, 1, 'x')": "any value", "steps[matrix.os]": "an object", "steps[matrix.os].outcome": "a text", "strategy.fail-fast": "a boolean", "env.X": "a text", "none": "any value", "github.event.x": "any value",
	} {
		e, f := expr.Parse(in, column)
		if f != nil {
			t.Fatal(f)
		}
		if got, faults := expr.Infer(e, scope()); got.String() != want || faults != nil {
			t.Errorf("%s is %s (%v), want %s", in, got, faults, want)
		}
	}
}

func TestTextOfStrangersIsFound(t *testing.T) {
	paths := func(fs []expr.Finding) string {
		var out []string
		for _, f := range fs {
			line := strings.Join(f.Paths, "+")
			if f.Whole {
				line += "!"
			}
			out = append(out, line)
		}
		return strings.Join(out, " ")
	}
	for in, want := range map[string]string{
		"github.head_ref":                                               "github.head_ref",
		"GitHub['Event'].Issue['TITLE']":                                "github.event.issue.title",
		"github.event.commits[0].message":                               "github.event.commits.*.message",
		"github.event.commits['0'].message":                             "github.event.commits.*.message",
		"github.event.commits[matrix.i].author.name":                    "github.event.commits.*.author.name",
		"github.event.commits.*.author.email":                           "github.event.commits.*.author.email",
		"join(github.event.commits.*.message, ' ')":                     "github.event.commits.*.message",
		"github.event.*.body":                                           "github.event.comment.body+github.event.discussion.body+github.event.issue.body+github.event.pull_request.body+github.event.review.body+github.event.review_comment.body",
		"github.event.*.body[0]":                                        "github.event.changes.body.from+github.event.comment.body+github.event.discussion.body+github.event.issue.body+github.event.pull_request.body+github.event.review.body+github.event.review_comment.body",
		"format('{0} {1}', github.head_ref, github.event.comment.body)": "github.head_ref github.event.comment.body",
		"github.event.issue.title || 'x'":                               "github.event.issue.title",
		"case(github.head_ref == 'x', 'a', github.event.review.body)":   "github.event.review.body",
		"fromJSON(github.event.comment.body).x[0]":                      "github.event.comment.body",
		"toJSON(github.event)":                                          "github.event!",
		"github.event.commits[0]":                                       "github.event.commits.*!",
		"github.event.workflow_run.head_branch":                         "github.event.workflow_run.head_branch",
		"contains(github.event.issue.body, 'x')":                        "",
		"github.head_ref == 'main' && 'a' || 'b'":                       "",
		"matrix[github.head_ref]":                                       "",
		"github.event.number":                                           "",
		"github.event.issue.number":                                     "",
		"github.event.commits.foo.message":                              "",
		"github.event.issue.body.foo":                                   "",
		"github.event.issue.body[0]":                                    "",
		"matrix.github.event.issue.title":                               "",
		"'github.event.issue.title'":                                    "",
		"hashFiles(github.head_ref)":                                    "",
		"!github.head_ref":                                              "",
	} {
		e, f := expr.Parse(in, column)
		if f != nil {
			t.Fatal(f)
		}
		if got := paths(expr.Untrusted(e)); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"github.head_ref == 'x'":                                                     "github.head_ref",
		"github.event.pages[github.event.issue.title].page_name":                     "github.event.issue.title github.event.pages.*.page_name",
		"matrix[github.head_ref]":                                                    "github.head_ref",
		"github.event.issue.title && contains(github.event.issue.body, 'foo')":       "github.event.issue.title",
		"startsWith(github.head_ref, 'x') || endsWith(github.event.issue.body, 'x')": "",
		"fromJSON(github.event.comment.body).x":                                      "github.event.comment.body",
	} {
		e, f := expr.Parse(in, column)
		if f != nil {
			t.Fatal(f)
		}
		if got := paths(expr.UntrustedReads(e)); got != want {
			t.Errorf("reads of %s\n got %s\nwant %s", in, got, want)
		}
	}
	e, _ := expr.Parse("x || github.head_ref", column)
	f := expr.Untrusted(e)[0]
	if got := f.Fault().Error(); got != "w.yml:1:6: warning: a stranger can choose github.head_ref [SL1616] - hand it to the script as a variable of env:, not by ${{ }}" {
		t.Error(got)
	}
}
