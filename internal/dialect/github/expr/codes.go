package expr

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of this package.
const (
	CodeSyntax    = "SL1600" // an expression cannot be read
	CodeUnclosed  = "SL1601" // ${{ without }}
	CodeFunction  = "SL1602" // a function that does not exist
	CodeArity     = "SL1603" // too few or too many arguments
	CodeLimit     = "SL1604" // longer or deeper than GitHub allows
	CodeMemory    = "SL1605" // a result that is too large
	CodeContext   = "SL1606" // a context that does not exist or has no value here
	CodeFormat    = "SL1607" // format() with a bad template
	CodeJSON      = "SL1608" // fromJSON() of something else
	CodeCase      = "SL1609" // case() with a predicate that is no boolean
	CodeText      = "SL1610" // an array or object where text is wanted
	CodeAlways    = "SL1611" // an if: that is always true because of text around ${{ }}
	CodePlace     = "SL1612" // a context or function that is not available at this key
	CodeProperty  = "SL1613" // a property that a context does not have
	CodeType      = "SL1614" // an argument or operand of the wrong type
	CodeCompare   = "SL1615" // a comparison that can never be true
	CodeUntrusted = "SL1616" // input of a stranger in a script
)

const (
	page        = "Evaluate expressions in workflows and actions"
	contextPage = "Contexts reference"
)

// Docs explains them for `sluice explain`.
var Docs = []fault.Doc{
	{
		Code: CodeSyntax, Summary: "an expression cannot be read", Page: page,
		Text: "An expression is built of contexts (github.ref, matrix['os'], steps.*.outcome), literals (null, true, false, 12, 0xff, 1.5e3, 'text'), function calls and the operators " +
			"( ) [ ] . ! < <= > >= == != && ||. Text stands in single quotes; a quote inside is written twice: 'it''s'. There is no arithmetic and no ternary operator: " +
			"write case(condition, a, b), or condition && a || b.\n\n    if: github.ref == 'refs/heads/main' && !contains(github.event.head_commit.message, 'wip')\n",
	},
	{
		Code: CodeUnclosed, Summary: "${{ is not closed by }}", Page: page,
		Text: "Everything between ${{ and }} is an expression; the end is looked for outside of 'text'. To print ${{ itself, write ${{ '${{' }}.",
	},
	{
		Code: CodeFunction, Summary: "a function does not exist", Page: page,
		Text: "The functions are contains, startsWith, endsWith, format, join, toJSON, fromJSON, hashFiles and case, and the status functions success, failure, cancelled and always in conditions. " +
			"Upper and lower case do not matter.",
	},
	{
		Code: CodeArity, Summary: "a function is called with too few or too many arguments", Page: page,
		Text: "contains, startsWith and endsWith take two arguments; join one or two; toJSON and fromJSON one; format and hashFiles one or more; case three or more in an odd number (pairs of condition and value, then the default).",
	},
	{
		Code: CodeLimit, Summary: "an expression is longer or deeper than GitHub allows", Page: page,
		Text: "GitHub reads expressions of at most 21,000 characters, nested at most 50 deep. A text that holds ${{ }} counts as one expression as a whole: a long script with ${{ }} in it must be split, " +
			"or its values given in env: and read as variables of the shell.",
	},
	{
		Code: CodeMemory, Summary: "an expression makes a result that is too large", Page: page,
		Text: "Values that an expression makes are limited to about 10 MB, as on GitHub. Write large data to files instead.",
	},
	{
		Code: CodeContext, Summary: "a context does not exist or has no value here", Page: contextPage,
		Text: "An expression begins with one of the contexts: github, env, vars, job, jobs, steps, runner, secrets, strategy, matrix, needs, inputs. A text must stand in single quotes.",
	},
	{
		Code: CodeFormat, Summary: "the first argument of format() is not a valid template", Page: page,
		Text: "{0} stands for the second argument of format, {1} for the third, and so on. A brace itself is written twice: {{ and }}.",
	},
	{
		Code: CodeJSON, Summary: "fromJSON() was given text that is not JSON", Page: page,
		Text: "fromJSON reads one JSON value from text. An empty output of a job or step is the most frequent cause: check that the step which sets it has run.",
	},
	{
		Code: CodeCase, Summary: "a condition of case() is not a boolean", Page: page,
		Text: "case(condition, value, …, default) takes conditions that are true or false; other values are not converted. Compare: case(inputs.name != '', inputs.name, 'nobody').",
	},
	{
		Code: CodeText, Summary: "an array or object stands where text is wanted", Page: page,
		Text: "A value that stands alone in ${{ }} keeps its type. Where text is wanted, make it text: ${{ toJSON(github.event) }} or ${{ join(matrix.names, ' ') }}.",
	},
	{
		Code: CodeAlways, Summary: "a condition is always true because of text around ${{ }}", Page: "Workflow syntax for GitHub Actions, jobs.<job_id>.if",
		Text: "In if:, text around ${{ }} makes the whole a text, and any text that is not empty counts as true. Put the whole condition inside, or leave ${{ }} out:\n\n" +
			"    if: ${{ github.ref == 'refs/heads/main' && success() }}\n    if: github.ref == 'refs/heads/main' && success()\n",
	},
	{
		Code: CodePlace, Summary: "a context or function is not available at this key", Page: contextPage + ", context availability",
		Text: "Each key of a workflow is evaluated at its own time, so that not every context is known. For example secrets cannot be used in if:, and env not in jobs.<job_id>.runs-on.",
	},
	{
		Code: CodeProperty, Summary: "a property that does not exist", Page: contextPage,
		Text: "The context has no such property, so that the expression is always null there. Steps are known by their id:, jobs by their name under needs:, matrix values by the matrix of the job.",
	},
	{
		Code: CodeType, Summary: "an argument or operand has the wrong type", Page: page,
		Text: "For example join wants an array or text, .* wants an array or an object, and an object cannot be an index.",
	},
	{
		Code: CodeCompare, Summary: "a comparison that can never be true", Page: page,
		Text: "Arrays and objects are equal only where they are the same one, and have no order. Compare their toJSON(…), or ask contains(…).",
	},
	{
		Code: CodeUntrusted, Summary: "text that a stranger can choose stands in a script", Page: "Secure use reference, script injections",
		Text: "The title of a pull request, the name of a branch or a commit message can hold commands. ${{ }} puts them into the script before the shell reads it. Hand them over as a variable:\n\n" +
			"    env:\n      TITLE: ${{ github.event.pull_request.title }}\n    run: echo \"$TITLE\"\n",
	},
}
