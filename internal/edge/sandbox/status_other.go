//go:build !linux

package sandbox

// usage is what a process takes, in bytes.
type usage struct{ own, data int64 }

// status knows nothing here: memory is bounded by Go's own limit alone.
func status(string) usage { return usage{} }
