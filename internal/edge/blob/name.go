package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
)

// FileName makes any text fit to be one file's name: readable, never hidden, never a path, at most 120 bytes, and
// different for different texts. A text that is no such name itself ends with a + and a digest; a + is never in those
// that are.
func FileName(text string) string {
	plain := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' {
			return c
		}
		return '_'
	}, text)
	plain = strings.TrimLeft(plain, ".")
	if plain == text && len(plain) > 0 && len(plain) <= 100 {
		return plain
	}
	sum := sha256.Sum256([]byte(text))
	return plain[:min(len(plain), 100)] + "+" + hex.EncodeToString(sum[:8])
}

func (s *Store) artifactDir(run, job, kind string) string {
	if kind == archiveKind || kind == "" {
		return filepath.Join(s.Dir, "runs", FileName(run), "artifacts", FileName(job))
	}
	return filepath.Join(s.Dir, "runs", FileName(run), "reports", FileName(job), FileName(kind))
}

func (s *Store) cacheDir(key string) string { return filepath.Join(s.Dir, "cache", FileName(key)) }

// archiveKind is the kind of artifacts that later jobs restore.
const archiveKind = "archive"
