package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// workflowFile is where the hostile tests of GitHub workflows put theirs.
const workflowFile = ".github/workflows/ci.yml"

// documentTime bounds what a command may compute over one hostile document. S8 says one second of an idle machine; what
// is counted here is what the processors did, and the machine of a test is not idle.
const documentTime = 4 * time.Second

// oneJob is a workflow of one job around keys of the job, and its steps.
func oneJob(keys, steps string) string {
	return "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n" + keys + "    steps:\n" + steps
}

// step is a script that is computed: what stands in it is evaluated when the step begins.
func evaluated(text string) string {
	return oneJob("", "      - env: {X: \"${{ "+text+" }}\"}\n        run: 'true'\n")
}

type bomb struct{ text, want string }

// githubBombs are workflows that are small and grow, or large; each with what is said of it, "" for one that is fine.
// They are made when they are asked for: this binary is the command too, whose memory is measured.
func githubBombs() map[string]bomb {
	return map[string]bomb{
		"aliases of aliases":               {"on: push\nenv: {X: y}\n" + dotless(aliases()) + "jobs: {a: {runs-on: x, steps: [{run: x, env: *z}]}}\n", "aliases"},
		"aliases in a matrix":              {dotless(aliases()) + "on: push\njobs: {a: {runs-on: x, strategy: {matrix: {v: *z}}, steps: [{run: x}]}}\n", "aliases"},
		"merge keys":                       {"on: push\n" + dotless(merges()), "aliases"},
		"an anchor inside itself":          {"on: push\njobs: &a {a: *a}\n", "a"},
		"a hundred thousand lists":         {oneJob("    strategy: {matrix: {v: "+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+"}}\n", "      - run: x\n"), "nested"},
		"a hundred thousand mappings":      {"on: push\nenv: " + strings.Repeat("{a: ", 100_000) + strings.Repeat("}", 100_000) + "\n", "nested"},
		"a scalar of 9 MB":                 {oneJob("", "      - run: "+strings.Repeat("x", 9<<20)+"\n"), "bytes"},
		"two hundred thousand same keys":   {"on: push\njobs:\n" + strings.Repeat("  a: {runs-on: x, steps: [{run: x}]}\n", 200_000), "a"},
		"binary garbage":                   {string(garbage(100_000)), "UTF-8"},
		"a NUL in a script":                {oneJob("", "      - run: \"echo a\\0b\"\n"), ""},
		"nothing":                          {"", ""},
		"only a byte order mark":           {"\ufeff", ""},
		"half a character":                 {"on: push\nname: \"\xc3\"\n", "UTF-8"},
		"a tag that names a class":         {oneJob("", "      - run: !ruby/object:Gem::Installer {x: 1}\n"), "tag"},
		"an infinite timeout":              {oneJob("    timeout-minutes: .inf\n", "      - run: 'true'\n"), ""},
		"numbers beyond numbers":           {oneJob("    timeout-minutes: 99999999999999999999999999999\n    strategy: {max-parallel: 1e999, matrix: {v: [1e999, 0x7fffffffffffffffffff, -.inf, .nan]}}\n", "      - run: 'true'\n        timeout-minutes: 1e308\n"), ""},
		"parentheses":                      {evaluated(strings.Repeat("(", 10_000) + "1" + strings.Repeat(")", 10_000)), ""},
		"parentheses in a condition":       {oneJob("    if: "+strings.Repeat("(", 10_000)+"true"+strings.Repeat(")", 10_000)+"\n", "      - run: 'true'\n"), ""},
		"exclamation marks":                {evaluated(strings.Repeat("!", 20_000) + "true"), "nested"},
		"an index of an index":             {evaluated("github" + strings.Repeat("[github", 2000) + strings.Repeat("]", 2000)), "nested"},
		"ands":                             {evaluated(strings.Repeat("github.sha && ", 1400) + "1"), ""},
		"comparisons":                      {evaluated(strings.Repeat("1 == ", 4000) + "1"), ""},
		"dots":                             {evaluated("github.event" + strings.Repeat(".a", 10_000)), ""},
		"stars":                            {evaluated("toJSON(github.event" + strings.Repeat(".*", 1000) + ")"), ""},
		"stars of a doubling":              {evaluated("join(fromJSON('" + strings.Repeat("[", 60) + strings.Repeat("]", 60) + "')" + strings.Repeat(".*", 50) + ")"), ""},
		"calls of calls":                   {evaluated(strings.Repeat("toJSON(", 2000) + "1" + strings.Repeat(")", 2000)), "nested"},
		"quotes that double":               {evaluated(strings.Repeat("toJSON(", 45) + "github.sha" + strings.Repeat(")", 45)), ""},
		"a format that doubles":            {evaluated(doubled("github.sha", 40)), ""},
		"a format of many":                 {evaluated("format('" + strings.Repeat("{0}", 3000) + "', format('" + strings.Repeat("{0}", 3000) + "', github.sha))"), ""},
		"a join that multiplies":           {evaluated("join(fromJSON('[" + strings.Repeat("0,", 4000) + "0]'), format('" + strings.Repeat("{0}", 4000) + "', github.sha))"), ""},
		"JSON a million deep":              {evaluated("fromJSON('" + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "')"), "nested"},
		"JSON without end":                 {evaluated("fromJSON('" + strings.Repeat(`{\"a\":`, 3000) + "')"), ""},
		"a number of a million digits":     {evaluated("fromJSON('" + strings.Repeat("9", 20_000) + "')"), ""},
		"contains of many":                 {evaluated("contains(fromJSON('[" + strings.Repeat("0,", 10_000) + "1]'), 2)"), ""},
		"a template of many expressions":   {oneJob("", "      - run: \"true "+strings.Repeat("${{ github.sha }}", 1200)+"\"\n"), ""},
		"expressions larger than are read": {evaluated(strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000)), "characters"},
		"an expression that does not end":  {oneJob("", "      - run: \"true "+strings.Repeat("${{ ", 100_000)+"\"\n"), ""},
		"env that doubles":                 {"on: push\nenv:\n" + doublingEnv(60) + "jobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n", ""},
		"a matrix of 15 billion":           {"on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    strategy:\n      matrix:\n        " + matrix() + "\n    steps: [{run: 'true'}]\n", "256"},
		"a matrix by include":              {"on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    strategy: {matrix: {include: [" + strings.Repeat("{a: 1}, ", 15_000) + "]}}\n    steps: [{run: 'true'}]\n", "256"},
		"a matrix by fromJSON":             {"on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    strategy: {matrix: \"${{ fromJSON('{" + `\"a\":[` + strings.Repeat("0,", 10_000) + "0]}') }}\"}\n    steps: [{run: 'true'}]\n", "256"},
		"a matrix with many exclusions":    {"on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    strategy:\n      matrix:\n        v: [1, 2]\n        exclude: [" + strings.Repeat("{v: 3}, ", 30_000) + "]\n    steps: [{run: 'true'}]\n", ""},
		"a matrix within its product":      {"on: push\njobs:\n  a:\n    if: false\n    runs-on: ubuntu-latest\n    strategy:\n      matrix:\n        a: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]\n        b: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]\n        include: [" + strings.Repeat("{c: 1}, ", 20_000) + "]\n    steps: [{run: 'true'}]\n", ""},
		"forty thousand steps":             {oneJob("    if: false\n", strings.Repeat("      - run: 'true'\n", 40_000)), ""},
		"a hundred thousand steps":         {oneJob("    if: false\n", strings.Repeat("      - run: 'true'\n", 100_000)), "250000 values"},
		"ten thousand jobs":                {"on: push\njobs:\n" + manyJobs(10_000, func(int) string { return "" }), ""},
		"a chain of ten thousand":          {"on: push\njobs:\n" + manyJobs(10_000, func(i int) string { return fmt.Sprintf("j%d", i-1) }), ""},
		"jobs that need all before":        {"on: push\njobs:\n" + manyJobs(600, func(i int) string { return allBefore(i) }), ""},
		"a circle of ten thousand":         {"on: push\njobs:\n  j: {needs: j9999, runs-on: x, steps: [{run: x}]}\n" + strings.Replace(manyJobs(10_000, func(i int) string { return fmt.Sprintf("j%d", i-1) }), "  j0: {", "  j0: {needs: [j9999], ", 1), "need"},
		"a glob of stars":                  {"on: {push: {branches: ['" + strings.Repeat("*a", 200) + "', '" + strings.Repeat("**/", 300) + "', '" + strings.Repeat("[a-z]+", 300) + "', '" + strings.Repeat("a?", 300) + "', 'main']}}\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n", ""},
		"a glob of a megabyte":             {"on: {push: {branches: [main, '" + strings.Repeat("*?", 500_000) + "']}}\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n", ""},
		"ten thousand globs":               {"on: {push: {branches: [main, " + strings.Repeat("'**[a-z]*?', ", 10_000) + "], paths: [" + strings.Repeat("'**/*?[a-z]+/**', ", 10_000) + "'**']}}\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n", ""},
		"a cron of nonsense":               {"on: {push: , schedule: [{cron: '" + strings.Repeat("*/1,", 100_000) + "* * * * *'}]}\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n", ""},
		"a cron beyond numbers":            {"on: {push: , schedule: [{cron: '99999999999999999999 -1 31 2 8'}]}\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n", "minute"},
		"a cron that never comes":          {"on: {push: , schedule: [{cron: '0 0 31 2 *'}]}\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n", ""},
		"inputs without end":               {"on:\n  push:\n  workflow_dispatch:\n    inputs:\n" + manyInputs(10_000) + "jobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n", ""},
		"a name of a megabyte":             {oneJob("    name: "+strings.Repeat("n", 1<<20)+"\n", "      - run: 'true'\n        name: "+strings.Repeat("s", 1<<20)+"\n"), ""},
		"a concurrency of a megabyte":      {"on: push\nconcurrency: " + strings.Repeat("g/", 1<<19) + "\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n", ""},
		"hashes of patterns without end":   {evaluated("hashFiles('" + strings.Repeat("**/", 2000) + "*', '" + strings.Repeat("*a", 2000) + "', '" + strings.Repeat("{a,b}", 2000) + "')"), ""},
		"hashes of ten thousand arguments": {evaluated("hashFiles(" + strings.Repeat("'x', ", 4000) + "'y')"), ""},
		"labels without end":               {"on: push\njobs: {a: {runs-on: [" + strings.Repeat("ubuntu-latest, ", 100_000) + "], steps: [{run: 'true'}]}}\n", ""},
		"an environment that is no name":   {"on: push\njobs: {a: {runs-on: ubuntu-latest, env: {\"A=B\": c, \"\": d, \"X\\0Y\": e, \"Z\": \"a\\0b\", \"BASH_FUNC_true%%\": '() { touch CANARY; }'}, steps: [{run: 'true'}]}}\n", ""},
	}
}

// dotless makes the names of the bombs of GitLab's ones that a workflow may have at its top.
func dotless(text string) string { return strings.ReplaceAll(text, "\n.", "\nx-") }

// doubled is a format that holds another twice, so deep.
func doubled(text string, depth int) string {
	return strings.Repeat("format('{0}{0}', ", depth) + text + strings.Repeat(")", depth)
}

func doublingEnv(n int) string {
	var b strings.Builder
	b.WriteString("  V0: xxxxxxxxxx\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  V%d: ${{ env.V%[2]d }}${{ env.V%[2]d }}\n", i, i-1)
	}
	return b.String()
}

func manyJobs(n int, needs func(i int) string) string {
	var b strings.Builder
	for i := range n {
		need := ""
		if i > 0 {
			need = "needs: [" + needs(i) + "], "
		}
		fmt.Fprintf(&b, "  j%d: {%sif: false, runs-on: ubuntu-latest, steps: [{run: 'true'}]}\n", i, need)
	}
	return b.String()
}

func allBefore(i int) string {
	var b strings.Builder
	for j := range i {
		fmt.Fprintf(&b, "j%d, ", j)
	}
	return b.String()
}

func manyInputs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "      i%d: {type: choice, options: [a, b], default: a}\n", i)
	}
	return b.String()
}

// largeOnes are the bombs that are large pipelines rather than hostile documents: they may take more.
var largeOnes = map[string]bool{"labels without end": true, "ten thousand jobs": true, "a chain of ten thousand": true, "a circle of ten thousand": true, "forty thousand steps": true, "a hundred thousand steps": true, "jobs that need all before": true}

func TestHostileGitHubDocuments(t *testing.T) {
	t.Parallel()
	for name, c := range githubBombs() {
		if only := os.Getenv("SLUICE_TEST_ONLY"); only != "" && only != name {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := world(t, "")
			put(t, c.text, dir, workflowFile)
			for command, args := range map[string][]string{"lint": {"lint", "--shellcheck=never"}, "run": {"run"}} {
				began := time.Now()
				o := assail(t, dir, assault{args: args})
				if c.want != "" && (o.exit != exitUsage && (command == "lint" || o.exit != exitFailed) || !strings.Contains(o.said(), c.want) || !strings.Contains(o.said(), workflowFile+":")) {
					t.Errorf("%s: exit code %d, want 2, a place and %q in what is said:\n%s", command, o.exit, c.want, clip(o.said()))
				}
				t.Logf("%s, %s: exit code %d, %d MiB, %v computed, %v: %.150s", name, command, o.exit, o.rss>>20, o.cpu, time.Since(began), o.said())
				if largeOnes[name] || raceEnabled {
					continue
				}
				if o.rss > documentLimit {
					t.Errorf("%s took %d MiB", command, o.rss>>20)
				}
				if o.cpu > documentTime {
					t.Errorf("%s computed for %v", command, o.cpu)
				}
			}
		})
	}
}
