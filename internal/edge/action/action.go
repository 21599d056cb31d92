// Package action knows where `uses: owner/repo/path@ref` comes from: folders and clones on this machine, the cache that
// `sluice action add` fills, a mirror. It brings actions into jobs, reads the files of other repositories for reusable
// workflows, and puts repositories into workspaces as actions/checkout does.
//
// It refuses to reach a network unless a person has named the address (a mirror's URL, or `sluice action add`), to
// follow a link out of an action's folder, to use a cached action whose files have changed, and to run anything that a
// repository brings along: no hook, filter or submodule helper.
package action

import (
	"context"
	"sync"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// Sources are the places where repositories are looked for, in the order of the fields. The zero value has none. It is
// made once for a run, so that a ref means one commit throughout, and is safe for several goroutines.
type Sources struct {
	// Local are folders given for a repository, by "owner/repo@ref" or "owner/repo". They are taken as they are.
	Local map[string]string
	// Paths are folders that hold owner/repo, owner/repo@ref or owner/repo/ref: plain folders, or clones with the ref.
	Paths []string
	// Cache is where `sluice action add` puts actions.
	Cache Cache
	// Mirror is a folder like those of Paths, or the base URL of clones (https://git.example/mirror); "" is none.
	Mirror string
	// Server is where `sluice action add` gets what is nowhere else, and what origins are called; "" is https://github.com.
	Server string
	// Own is the repository that the run is of.
	Own Own

	mu    sync.Mutex
	found map[string]Found
	used  []Used
	cuts  map[string][]string // where histories end, by what was asked
}

// Own is the repository of a run.
type Own struct {
	Repository string // owner/repo
	Root       string // its work tree
	Dir        string // its git directory, "" outside git
	Origin     string // address of its remote, without password; "" without one
	Ref        string // what the run is about: refs/heads/main, refs/tags/v1, refs/pull/1/merge
	SHA        string
	Snapshot   Filler // of the work tree; only Fetch needs it
}

// Filler fills a folder with the work tree (edge/workspace's Snapshot).
type Filler interface {
	Fill(ctx context.Context, dest string, c program.Checkout) error
	Remarks(c program.Checkout) []string
}

// Found says where the files of a repository at a ref are: in a folder, or in a clone at a commit.
type Found struct {
	Repository, Ref string
	Dir             string // folder with the files, "" where they are in Clone
	Clone           string // clone that has Commit, "" where Dir has the files
	Commit          string // full, "" where it is not known
	Digest          string // "sha256:…" of the files, known of the cache's and of what was brought into a job
	From            string // for a person: which of the sources it is
	exact           string // digest that the files must have, "" for any
}

// Used is what a ref came to in this run, for its record.
type Used struct {
	Repository string `json:"repository"`
	Ref        string `json:"ref"`
	Commit     string `json:"commit,omitempty"`
	Digest     string `json:"digest,omitempty"`
	From       string `json:"from"`
}

// Files reads a tree (dialect/github's Files).
type Files interface {
	// Read is a file's text; the error is fs.ErrNotExist where there is none.
	Read(ctx context.Context, path string) ([]byte, error)
	// Paths lists every file, sorted.
	Paths(ctx context.Context) ([]string, error)
}

// server is the address of the forge, without a slash at its end.
func (s *Sources) server() string {
	if s.Server == "" {
		return "https://github.com"
	}
	return trimSlash(s.Server)
}

// note keeps what a ref came to.
func (s *Sources) note(f Found) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, u := range s.used {
		if u.Repository == f.Repository && u.Ref == f.Ref {
			if f.Digest != "" {
				s.used[i].Digest = f.Digest
			}
			return
		}
	}
	s.used = append(s.used, Used{f.Repository, f.Ref, f.Commit, f.Digest, f.From})
}

// Used lists what was used of other repositories so far, in the order of first use.
func (s *Sources) Used() []Used {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Used(nil), s.used...)
}
