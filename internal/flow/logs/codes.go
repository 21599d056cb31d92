package logs

import "github.com/sluice-delivery/sluice/internal/flow/fault"

// The codes of this package.
const (
	// CodeShortSecret marks a secret that is too short to be masked.
	CodeShortSecret = "SL4001"
	// CodeLargeSecret marks a secret that is masked only as it stands, not in its encoded forms.
	CodeLargeSecret = "SL4002"
)

// Docs explains the codes of this package.
var Docs = []fault.Doc{
	{
		Code:    CodeShortSecret,
		Summary: "a secret is too short to be masked",
		Text: `A secret of fewer than four characters, or of nothing but white space, is found everywhere in a log by chance: masking it would
blacken the log and still tell the secret to whoever counts the holes. It is therefore not masked. Make it longer; GitLab itself
asks for eight characters at least. In GitHub workflows, where everything is hidden that is told to be, only white space is meant.`,
		Page: "GitLab CI/CD variables, Mask a CI/CD variable",
	},
	{
		Code:    CodeLargeSecret,
		Summary: "a large secret is masked only as it stands",
		Text: `A secret of more than 32 KiB is masked line by line and piece by piece where it appears as it stands. Its base64, hex, URL, JSON,
XML and shell forms are not looked for, because the tables for them would cost more memory than the job. Hand large credentials
over as a file, and keep the token inside them in a variable of its own.`,
	},
}
