// Package lint finds what is surely a mistake in a workflow file or an action.yml that can be read: expressions that
// are always null or of the wrong kind, text of strangers in scripts, inputs that an action or a called workflow does
// not have, labels of runners that do not exist, and more; at least what actionlint finds. It works on what package
// workflow read, and asks the repository through small ports. It repeats nothing that the reader told, starts no
// other program (Scripts hands the scripts to one that does), and never changes a file.
package lint
