// Package tool finds the tools of this machine.
package tool
