package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// kinds are the secrets that can be told from other text with confidence. A line that says `secret-scan: allow` is passed over.
var kinds = []struct {
	id, name string
	pattern  *regexp.Regexp
}{
	{"private-key", "Private key", regexp.MustCompile(`-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----`)},
	{"aws-access-key", "AWS access key", regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`)},
	{"gitlab-token", "GitLab access token", regexp.MustCompile(`\bglpat-[0-9A-Za-z_-]{20,}`)},
	{"github-token", "GitHub access token", regexp.MustCompile(`\bgh[pousr]_[0-9A-Za-z]{36,}\b`)},
	{"slack-token", "Slack token", regexp.MustCompile(`\bxox[abprs]-[0-9A-Za-z-]{10,}`)},
	{"password", "Password in a configuration", regexp.MustCompile(`(?i)\b(?:password|passwd|api_?key|secret_?key)["']?\s*[:=]\s*["'][^"'$<{\s]{8,}["']`)},
}

// finding is an entry of GitLab's secret detection report (schema 15).
type finding struct {
	ID          string       `json:"id"`
	Category    string       `json:"category"`
	Name        string       `json:"name"`
	Description string       `json:"description"`
	Severity    string       `json:"severity"`
	Location    location     `json:"location"`
	Identifiers []identifier `json:"identifiers"`
}

type location struct {
	File   string `json:"file"`
	Line   int    `json:"start_line"`
	Commit commit `json:"commit"`
}

type commit struct {
	SHA string `json:"sha"`
}

type identifier struct {
	Type  string `json:"type"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

// secrets reads every text file under folder, writes the report, and returns errFound when it holds anything. It never prints a secret.
func secrets(folder, out string, stdout io.Writer) error {
	began := time.Now()
	if folder == "" {
		folder = "."
	}
	found := []finding{}
	files := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			switch entry.Name() {
			case ".git", ".cache", ".sluice", ".terraform", "dist", "reports":
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		name, err := filepath.Rel(folder, path)
		found = append(found, scan(filepath.ToSlash(name), text)...)
		return err
	})
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(report(found, began, time.Now()), "", "  ")
	if err != nil {
		return err
	}
	if err := save(out, append(text, '\n')); err != nil {
		return err
	}
	for _, f := range found {
		fmt.Fprintf(stdout, "%s:%d: %s\n", f.Location.File, f.Location.Line, f.Name)
	}
	fmt.Fprintf(stdout, "secrets: %d files, %d found\n", files, len(found))
	if len(found) > 0 {
		return errFound
	}
	return nil
}

// scan looks through one file; a file with a zero byte in its first kilobytes is not text.
func scan(name string, text []byte) []finding {
	if bytes.IndexByte(text[:min(len(text), 8000)], 0) >= 0 {
		return nil
	}
	var found []finding
	for n, line := range bytes.Split(text, []byte("\n")) {
		if bytes.Contains(line, []byte("secret-scan: allow")) {
			continue
		}
		for _, k := range kinds {
			hit := k.pattern.Find(line)
			if hit == nil {
				continue
			}
			found = append(found, finding{
				ID:          fmt.Sprintf("%x", sha256.Sum256([]byte(k.id+"\n"+name+"\n"+string(hit))))[:32],
				Category:    "secret_detection",
				Name:        k.name,
				Description: k.name + " in the source; take it out and replace it, it is known now",
				Severity:    "Critical",
				Location:    location{File: name, Line: n + 1, Commit: commit{SHA: os.Getenv("CI_COMMIT_SHA")}},
				Identifiers: []identifier{{Type: "shop_secret_rule", Name: k.name, Value: k.id}},
			})
		}
	}
	return found
}

func report(found []finding, began, ended time.Time) any {
	type named struct {
		Name string `json:"name"`
	}
	type tool struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Version string `json:"version"`
		Vendor  named  `json:"vendor"`
	}
	this := tool{ID: "shop-secrets", Name: "report secrets", Version: "1.0.0", Vendor: named{"shop"}}
	type scanned struct {
		Analyzer tool   `json:"analyzer"`
		Scanner  tool   `json:"scanner"`
		Type     string `json:"type"`
		Start    string `json:"start_time"`
		End      string `json:"end_time"`
		Status   string `json:"status"`
	}
	const stamp = "2006-01-02T15:04:05" // the schema's form
	return struct {
		Version         string    `json:"version"`
		Vulnerabilities []finding `json:"vulnerabilities"`
		Scan            scanned   `json:"scan"`
	}{"15.0.7", found, scanned{this, this, "secret_detection", began.UTC().Format(stamp), ended.UTC().Format(stamp), "success"}}
}
