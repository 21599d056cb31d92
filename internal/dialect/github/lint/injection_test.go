package lint_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-delivery/sluice/internal/dialect/github/expr"
	"github.com/sluice-delivery/sluice/internal/dialect/github/lint"
	"github.com/sluice-delivery/sluice/internal/dialect/github/workflow"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// chosen are values that a stranger can choose: refs, titles, messages, names.
var chosen = []string{
	"github.head_ref",
	"github.event.issue.title", "github.event.issue.body",
	"github.event.pull_request.title", "github.event.pull_request.body", "github.event.pull_request.head.ref",
	"github.event.pull_request.head.label", "github.event.pull_request.head.repo.default_branch",
	"github.event.comment.body", "github.event.review.body", "github.event.review_comment.body",
	"github.event.discussion.title", "github.event.discussion.body",
	"github.event.pages[0].page_name", "github.event.pages.*.page_name",
	"github.event.commits[0].message", "github.event.commits.*.message",
	"github.event.commits[1].author.email", "github.event.commits[1].author.name",
	"github.event.head_commit.message", "github.event.head_commit.author.email", "github.event.head_commit.author.name",
	"github.event.workflow_run.head_branch", "github.event.workflow_run.head_commit.message",
}

// forms are ways to write a value into a script.
var forms = []string{
	"%s", "format('{0}!', %s)", "toJSON(%s)", "join(%s, ' ')", "%s || 'main'", "github.ref && %s", "case(true, %s, '')",
	"fromJSON(toJSON(%s))", "( %s )", "format('{0}{1}', 'a', toJSON(%s))",
}

// spelled are other spellings of the same value.
func spelled(path string) []string {
	out := []string{path, strings.ToUpper(path)}
	if i := strings.LastIndexByte(path, '.'); i > 0 && path[i+1] != '*' {
		out = append(out, path[:i]+"['"+path[i+1:]+"']")
	}
	return out
}

// places are where a script stands; %s is its text.
var scriptPlaces = []string{
	"on: pull_request_target\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo \"%s\"\n",
	"on: pull_request_target\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: |\n          set -eu\n          echo '%s'\n",
	"on: pull_request_target\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/github-script@v7\n        with:\n          script: return `%s`\n",
	"on: pull_request_target\njobs:\n  a:\n    runs-on: ubuntu-latest\n    env:\n      T: \"%s\"\n    steps:\n      - run: echo ${{ env.T }}\n",
}

func check(t testing.TB, text string) fault.Faults {
	t.Helper()
	f, faults := workflow.Read("ci.yml", []byte(text))
	if faults.HasErrors() {
		t.Fatalf("%s\n%v", text, faults)
	}
	return lint.Check(t.Context(), lint.Input{File: f, Text: []byte(text)})
}

// TestTextOfStrangersInScriptsIsFlagged is scenario S3: every way that text of strangers gets into a script is told, at
// the line where it stands.
func TestTextOfStrangersInScriptsIsFlagged(t *testing.T) {
	cases := 0
	for _, path := range chosen {
		for _, spelling := range spelled(path) {
			for i, form := range forms {
				place := scriptPlaces[(i+len(spelling))%len(scriptPlaces)]
				text := fmt.Sprintf(place, "${{ "+fmt.Sprintf(form, spelling)+" }}")
				cases++
				want := 1 + strings.Count(text[:strings.LastIndex(text, "${{")], "\n")
				told := false
				for _, f := range check(t, text) {
					told = told || f.Code == expr.CodeUntrusted && f.Severity == fault.Warning && f.Place.Line == want
				}
				if !told {
					t.Errorf("not told at line %d:\n%s\n%v", want, text, check(t, text))
				}
			}
		}
	}
	if cases < 200 {
		t.Errorf("only %d cases", cases)
	}
}

// TestTextOfStrangersElsewhereIsNot: as a variable, as an input, in a comparison it does no harm.
func TestTextOfStrangersElsewhereIsNot(t *testing.T) {
	for _, path := range chosen {
		text := "on: pull_request_target\njobs:\n  a:\n    runs-on: ubuntu-latest\n    name: ${{ join(" + path + ") }}\n    env:\n      J: ${{ join(" + path + ") }}\n" +
			"    steps:\n      - name: x\n        if: contains(" + path + ", 'x')\n        env:\n          T: ${{ join(" + path + ") }}\n        run: echo \"$T\" \"$J\" ${{ contains(" + path + ", 'x') }}\n" +
			"      - uses: some/action@v1\n        with:\n          title: ${{ join(" + path + ") }}\n"
		for _, f := range check(t, text) {
			if f.Code == expr.CodeUntrusted {
				t.Errorf("%s: %s", path, f)
			}
		}
	}
}
