package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
)

// memory is files that were unpacked, by path.
type memory struct {
	files   map[string][]byte
	folders map[string][]Entry
}

// Memory is a tree of files that are held in memory, by their slash-separated names; revision names it.
func Memory(revision string, files map[string][]byte) *Tree {
	m := &memory{files: files, folders: map[string][]Entry{}}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		sum := sha256.Sum256(files[name])
		m.add(name, Entry{Name: path.Base(name), Sort: File, ID: hex.EncodeToString(sum[:])})
	}
	return newTree(revision, m, "")
}

// add puts an entry into its folder, and its folder into the one above.
func (m *memory) add(name string, e Entry) {
	folder := path.Dir(name)
	if folder == "." {
		folder = ""
	}
	_, known := m.folders[folder]
	m.folders[folder] = append(m.folders[folder], e)
	if !known && folder != "" {
		m.add(folder, Entry{Name: path.Base(folder), Sort: Folder})
	}
}

func (m *memory) list(_ context.Context, folder string, _ Entry) ([]Entry, error) {
	return slices.Clone(m.folders[folder]), nil
}

func (m *memory) read(_ context.Context, name string, _ Entry) ([]byte, error) {
	return m.files[name], nil
}
