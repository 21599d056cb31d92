package yamlx

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of mistakes in YAML as such.
const (
	CodeSyntax    = "SL1001"
	CodeLarge     = "SL1002"
	CodeDeep      = "SL1003"
	CodeBomb      = "SL1004"
	CodeAnchor    = "SL1005"
	CodeCycle     = "SL1006"
	CodeMerge     = "SL1007"
	CodeDuplicate = "SL1008"
	CodeKey       = "SL1009"
	CodeTag       = "SL1010"
	CodeDate      = "SL1011"
	CodeLateMerge = "SL1012"
	CodeUnused    = "SL1013"
)

const yamlPage = "YAML 1.1 and 1.2"

// Docs explain the codes.
var Docs = []fault.Doc{
	{Code: CodeSyntax, Summary: "The file is not valid YAML.", Page: yamlPage, Text: `The reader stopped at the place given. Usual causes are a missing space after a colon or a dash,
indentation by tabs or by different widths, a quote that is not closed, or a plain value that contains ": " or " #".
Put such a value in quotes:

    script:
      - 'echo "state: done"'
`},
	{Code: CodeLarge, Summary: "The file is too large to be read.", Text: `One file may have 8 MiB and about a million values. GitLab's own default is 2 MB a file.
Split a GitLab pipeline with include, or generate child pipelines; split a workflow into reusable ones.`},
	{Code: CodeDeep, Summary: "Values are nested too deep.", Page: "GitLab administration, maximum depth of CI/CD configuration YAML files", Text: `Lists and mappings may be nested 100 levels deep, with aliases followed. GitLab refuses deeper files, too.`},
	{Code: CodeBomb, Summary: "The file would grow without bound.", Text: `Aliases and merge keys that use one another can make a few lines stand for millions of values. Such a file is refused before it grows.`},
	{Code: CodeAnchor, Summary: "An alias names no anchor.", Page: "Optimize GitLab CI/CD configuration files, anchors", Text: `An alias (*name) needs an anchor (&name) before it in the same file and the same document: anchors do not reach into included files.
Use extends or !reference for what stands in another file.`},
	{Code: CodeCycle, Summary: "An alias contains itself.", Text: `The alias stands inside the value that carries its anchor, so the value would have no end.`},
	{Code: CodeMerge, Summary: "A merge key merges something that is no mapping.", Page: "Optimize GitLab CI/CD configuration files, anchors", Text: `<< takes an alias of a mapping, or a list of such aliases:

    job:
      <<: [*first, *second]
`},
	{Code: CodeDuplicate, Summary: "A key is written twice in one mapping.", Text: `GitLab reads the last one and drops the others without a word, so in its pipelines this is a warning. GitHub refuses the file, and so does Sluice. Often a job was copied and not renamed.`},
	{Code: CodeKey, Summary: "A key is no name.", Text: `Keys are names. A list or a mapping cannot be one; { and [ at the start of a key need quotes.`},
	{Code: CodeTag, Summary: "A tag is unknown or does not fit its value.", Text: `GitLab knows the tag !reference and the standard tags of YAML; other tags have no effect there. GitHub knows the standard tags alone and refuses a workflow with others. Text that starts with ! needs quotes.`},
	{Code: CodeDate, Summary: "A plain value is a date.", Text: `GitLab's YAML reader takes a plain 2024-05-01 for a date and then refuses the file ("Tried to load unspecified class: Date").
Put the value in quotes. In GitHub's workflows it is text.`},
	{Code: CodeLateMerge, Summary: "A merge key comes after a key that it also has.", Text: `By the YAML specification the mapping's own keys win over merged ones. GitLab's reader goes by the order of the lines and lets the later one win.
Write << as the first entry, then both agree. (GitHub's workflows have no merge keys at all: SL1685.)`},
	{Code: CodeUnused, Summary: "No alias names an anchor.", Page: yamlPage, Text: `An anchor (&name) does nothing by itself. Remove it, or check the names of the aliases (*name).`},
}
