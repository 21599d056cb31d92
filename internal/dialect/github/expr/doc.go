// Package expr reads and evaluates the expressions of GitHub Actions: ${{ … }} in text, and the conditions of if:.
// It follows the documentation's pages "Evaluate expressions in workflows and actions" and "Contexts", and the
// arithmetic of the official runner where the pages are silent. It knows the language, which contexts and functions may
// stand where, and the shape of the contexts; it refuses to know any value: contexts and the functions that depend on
// the run (success, failure, cancelled, always, hashFiles) are given by the caller. It reads no file and keeps no clock.
package expr
