package config

import (
	"slices"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// The codes of mistakes in a configuration as a whole: files, inputs, includes, extends and references. SL1001 to SL1012
// are those of YAML.
const (
	CodeEmpty     = "SL1020"
	CodeNoMapping = "SL1021"
	CodeHeader    = "SL1022"
	CodeDocuments = "SL1023"
	CodeUsualSize = "SL1024"
	CodeTotalSize = "SL1025"
	CodeSameName  = "SL1026"

	CodeInput          = "SL1030"
	CodeDuplicateInput = "SL1031"
	CodePattern        = "SL1032"
	CodeInputRule      = "SL1033"
	CodeRequired       = "SL1034"
	CodeUnknownInput   = "SL1035"
	CodeInputType      = "SL1036"
	CodeOption         = "SL1037"
	CodeNoMatch        = "SL1038"
	CodeNoHeader       = "SL1039"
	CodeTooManyInputs  = "SL1040"
	CodeBlock          = "SL1041"
	CodeUnknownBlock   = "SL1042"
	CodeFunction       = "SL1043"
	CodeBlockLimit     = "SL1044"
	CodeLiteral        = "SL1045"

	CodeInclude         = "SL1050"
	CodeMissing         = "SL1051"
	CodeOutside         = "SL1052"
	CodeExtension       = "SL1053"
	CodeTooManyIncludes = "SL1054"
	CodeCircle          = "SL1055"
	CodeNothing         = "SL1056"
	CodeNoProject       = "SL1057"
	CodeProject         = "SL1058"
	CodeRemote          = "SL1059"
	CodeIntegrity       = "SL1060"
	CodeInsecure        = "SL1061"
	CodeTemplate        = "SL1062"
	CodeComponent       = "SL1063"
	CodeIncludeRule     = "SL1064"
	CodeFetch           = "SL1065"

	CodeExtends        = "SL1070"
	CodeExtendsUnknown = "SL1071"
	CodeExtendsCircle  = "SL1072"
	CodeExtendsDeep    = "SL1073"

	CodeReference        = "SL1080"
	CodeReferenceMissing = "SL1081"
	CodeReferenceCircle  = "SL1082"
	CodeReferenceDeep    = "SL1083"
)

// The pages of GitLab's documentation that give the rules.
const (
	pageInputs   = "GitLab documentation, CI/CD inputs"
	pageIncludes = "GitLab documentation, Use CI/CD configuration from other files"
	pageYAML     = "GitLab CI/CD YAML syntax reference"
	pageOptimize = "GitLab documentation, Optimize GitLab CI/CD configuration files"
	pageParts    = "GitLab documentation, CI/CD components"
)

// Docs explain the codes.
var Docs = slices.Concat(fileDocs, inputDocs, includeDocs, reuseDocs)

var fileDocs = []fault.Doc{
	{Code: CodeEmpty, Summary: "The file has no configuration.", Page: pageYAML, Text: `The file is empty or holds comments only. A pipeline needs at least one job:

    test:
      script: echo "hello"
`},
	{Code: CodeNoMapping, Summary: "The configuration is no mapping.", Page: pageYAML, Text: `At the top level of a pipeline file stand keywords and jobs, each a name with a colon. A list or plain text cannot be read as a pipeline.`},
	{Code: CodeHeader, Summary: "The header of a file is not right.", Page: pageYAML + ", header keywords", Text: `A header declares the inputs of a file. It stands before the configuration, with --- between them, and has the one key spec:

    spec:
      inputs:
        environment:
          default: staging
    ---
    deploy:
      script: ./deploy $[[ inputs.environment ]]
`},
	{Code: CodeDocuments, Summary: "A document of the file is not read.", Page: pageYAML + ", header keywords", Text: `GitLab reads a header and one document, or one document without a header. Further documents after --- have no effect.`},
	{Code: CodeUsualSize, Summary: "The file is larger than GitLab allows by default.", Page: "GitLab administration, maximum size of CI/CD configuration YAML files", Text: `GitLab refuses files of more than 2 MB unless an administrator raises the limit. Such a file runs here and may not run there.`},
	{Code: CodeTotalSize, Summary: "The configuration as a whole is too large.", Text: `All files together may have 64 MiB of text, and five million values when extends, references and inputs are followed.
References and extends that use one another in lists can make a few lines stand for millions.`},
	{Code: CodeSameName, Summary: "Two keys have the same name once inputs are put in.", Page: pageInputs, Text: `With the values of this include two keys of a mapping became equal. GitLab keeps the last one.`},
}

var inputDocs = []fault.Doc{
	{Code: CodeInput, Summary: "An input is not declared as it should be.", Page: pageYAML + ", spec:inputs", Text: `An input has default, description, options, regex, rules and type (string, number, boolean or array), all of them optional.
Options are a list of at most 50 values of the input's type; a regex goes with text only.`},
	{Code: CodeDuplicateInput, Summary: "An input is declared twice.", Page: pageInputs + ", Duplicate input keys", Text: `Names of inputs are unique across the header and the files that spec:include names.`},
	{Code: CodePattern, Summary: "The regex of an input is not right.", Page: pageYAML + ", spec:inputs:regex", Text: `GitLab uses RE2: no look-around and no back references. The regex is written without slashes around it, and matches anywhere in the value unless ^ and $ bind it.`},
	{Code: CodeInputRule, Summary: "The rules of an input are not right.", Page: pageYAML + ", spec:inputs:rules", Text: `Each rule has if with options or a default; the last one may be without if and then needs options. An input with rules has no options or default of its own.
The if compares other inputs: $[[ inputs.cloud ]] == 'aws'. Inputs may not wait for one another in a circle.`},
	{Code: CodeRequired, Summary: "An input has no value.", Page: pageInputs, Text: `An input without a default needs a value: from inputs of the include, from trigger:inputs, or from --input on the command line.`},
	{Code: CodeUnknownInput, Summary: "A value is given to an input that does not exist.", Page: pageInputs, Text: `The file that is included declares no input of this name.`},
	{Code: CodeInputType, Summary: "A value has the wrong type.", Page: pageInputs + ", Input types", Text: `Numbers, true and false, and lists in JSON may also come as text, since command lines give text.`},
	{Code: CodeOption, Summary: "A value is not one of the options.", Page: pageYAML + ", spec:inputs:options", Text: `The input allows certain values only, and this is none of them. A default has to be one of them, too.`},
	{Code: CodeNoMatch, Summary: "A value does not match the regex of its input.", Page: pageYAML + ", spec:inputs:regex", Text: `The value is matched as it is written, before variables in it are expanded.`},
	{Code: CodeNoHeader, Summary: "Inputs are given to a file that declares none.", Page: pageInputs, Text: `The file needs a header with spec:inputs, and --- after it, to take inputs.`},
	{Code: CodeTooManyInputs, Summary: "Too many inputs are given to the pipeline.", Page: pageInputs + ", For a pipeline", Text: `A pipeline takes up to 20 inputs.`},
	{Code: CodeBlock, Summary: "A $[[ ]] is not well formed.", Page: pageInputs, Text: `Write $[[ inputs.NAME ]], with at most three functions after it: $[[ inputs.NAME | expand_vars | truncate(0,8) ]].`},
	{Code: CodeUnknownBlock, Summary: "A $[[ ]] asks for something that does not exist.", Page: pageInputs, Text: `The name is not declared in the header of the same file: inputs do not reach into included files. component.NAME needs spec:component and a file that was included as a component.`},
	{Code: CodeFunction, Summary: "A function of a $[[ ]] does not work.", Page: pageInputs + ", Predefined interpolation functions", Text: `There are expand_vars, truncate(OFFSET,LENGTH) and posix_escape. They take text, and expand_vars refuses masked variables.`},
	{Code: CodeBlockLimit, Summary: "Inputs make a file too large.", Page: pageInputs, Text: `A text with $[[ ]] may have 1 MB, what stands inside 1 KB, and a file 10,000 different ones. What they produce is bounded, too.`},
	{Code: CodeLiteral, Summary: "A $[[ ]] stands in a file without inputs.", Page: pageInputs, Text: `Without a header GitLab does not look for $[[ ]], and the text reaches the shell as it is.`},
}

var includeDocs = []fault.Doc{
	{Code: CodeInclude, Summary: "An include is not well formed.", Page: pageYAML + ", include", Text: `An include is a path or URL, or a mapping with exactly one of local, project (with file), remote, template, component and, in trigger:include, artifact (with job).
inputs and rules may go with each of them, ref with project, integrity and cache with remote.`},
	{Code: CodeMissing, Summary: "An included file does not exist.", Page: pageIncludes, Text: `Paths start at the root of the project that the including file belongs to, not at its folder.`},
	{Code: CodeOutside, Summary: "An include leaves the project.", Page: pageYAML + ", include:local", Text: `Includes take files of a project. A path with .. and a symbolic link that leads out of the project are refused, and nothing is read.`},
	{Code: CodeExtension, Summary: "An included file is no YAML by its name.", Page: pageYAML + ", include", Text: `GitLab includes only files that end with .yml or .yaml.`},
	{Code: CodeTooManyIncludes, Summary: "Too many files are included.", Page: pageIncludes + ", Troubleshooting", Text: `At most 150 files, each time counted. Often files include one another without end.`},
	{Code: CodeCircle, Summary: "Files include one another in a circle.", Page: pageIncludes + ", Troubleshooting", Text: `A file is included, with the same inputs, by a file that it includes itself. GitLab notices this only at its limit of 150 includes.`},
	{Code: CodeNothing, Summary: "A pattern includes no file.", Page: pageIncludes + ", Use include:local with wildcard file paths", Text: `GitLab includes nothing and says nothing. configs/*.yml means the folder, configs/**.yml also what is below it, configs/**/*.yml only what is below it.`},
	{Code: CodeNoProject, Summary: "A file without a project includes a local file.", Page: pageYAML + ", include:remote", Text: `Includes within remote files and templates are read without a project, as a public user and without variables.`},
	{Code: CodeProject, Summary: "A project cannot be found.", Page: pageYAML + ", include:project", Text: `On this machine Sluice asks no server for other projects. Say where a clone is: --local-repository GROUP/PROJECT@REF=DIR.`},
	{Code: CodeRemote, Summary: "A remote file cannot be had.", Page: pageYAML + ", include:remote", Text: `The address is public and begins with https:// or http://.`},
	{Code: CodeIntegrity, Summary: "A remote file is not the one that was pinned.", Page: pageYAML + ", include:integrity", Text: `integrity holds the SHA-256 sum of the file in base64. The content has another one, so it is not used.`},
	{Code: CodeInsecure, Summary: "A remote file is fetched without encryption.", Page: pageYAML + ", include:remote", Text: `Over http anyone on the way can replace the pipeline, which runs on this machine. Use https, or pin the content with integrity.`},
	{Code: CodeTemplate, Summary: "A template cannot be found.", Page: pageYAML + ", include:template", Text: `Templates are part of GitLab itself. Give a folder that holds them, or copy the template into the project and include it as a local file.`},
	{Code: CodeComponent, Summary: "A component cannot be found.", Page: pageParts, Text: `A component is addressed as HOST/PROJECT/NAME@VERSION and stands in templates/NAME.yml or templates/NAME/template.yml of its project.
Say where a clone of the project is: --local-repository GROUP/PROJECT@VERSION=DIR.`},
	{Code: CodeIncludeRule, Summary: "The rules of an include are not right.", Page: pageIncludes + ", Use rules with include", Text: `Rules of an include have if, exists, changes and when; when is always or never.`},
	{Code: CodeFetch, Summary: "A file could not be fetched.", Text: `The disk, the clone or the connection gave the error in the message.`},
}

var reuseDocs = []fault.Doc{
	{Code: CodeExtends, Summary: "extends names something that cannot be extended.", Page: pageYAML + ", extends", Text: `extends takes the name of a job or a hidden job, or a list of names. What it names has to be a mapping.`},
	{Code: CodeExtendsUnknown, Summary: "extends names something that does not exist.", Page: pageYAML + ", extends", Text: `The job or hidden job is neither in this file nor in an included one.`},
	{Code: CodeExtendsCircle, Summary: "extends goes in a circle.", Page: pageYAML + ", extends", Text: `A job extends itself over others, so it would have no end.`},
	{Code: CodeExtendsDeep, Summary: "extends is nested too deep.", Page: pageOptimize + ", Use extends to reuse configuration sections", Text: `GitLab follows extends over eleven levels.`},
	{Code: CodeReference, Summary: "A !reference is not well formed.", Page: pageOptimize + ", !reference tags", Text: `A reference is a list of names from the top level down: !reference [.setup, script].`},
	{Code: CodeReferenceMissing, Summary: "A !reference leads nowhere.", Page: pageOptimize + ", !reference tags", Text: `One of the names does not exist, or the value is empty. References are resolved after includes and extends.`},
	{Code: CodeReferenceCircle, Summary: "References go in a circle.", Page: pageOptimize + ", !reference tags", Text: `A reference leads back to itself, so it would have no end.`},
	{Code: CodeReferenceDeep, Summary: "References are nested too deep.", Page: pageOptimize + ", Nest !reference tags", Text: `References may lead to one another, and in scripts GitLab follows ten levels.`},
}
