// Package keyword turns the merged configuration tree of a GitLab pipeline into a typed, validated file with positions,
// and holds the table of all keywords that the documentation is generated from.
//
// It knows which keyword may stand where, of which type it is and which keywords exclude each other (GitLab
// documentation, CI/CD YAML syntax reference). It collects every mistake instead of stopping at the first. It reads no
// files and includes none (package config does), evaluates no rule, expands no variable and unrolls no matrix (package
// gitlab does).
package keyword
