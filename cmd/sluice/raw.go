package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"github.com/sluice-delivery/sluice/internal/edge/tree"
)

// raw is the file behind an address of a forge's raw files, where a folder stands in for its repository; then the
// network is not asked, not even for a file that the folder lacks. Known are GitLab's GROUP/PROJECT/-/raw/REF/PATH and
// both forms of GitHub. A ref may hold slashes: the address does not say where it ends, the folders that were given do.
func (e *elsewhere) raw(ctx context.Context, address string) (text []byte, ok bool, err error) {
	project, rest, ok := rawAddress(address)
	if !ok {
		return nil, false, nil
	}
	for i, c := range rest {
		if c != '/' {
			continue
		}
		dir, ok := e.local[project+"@"+rest[:i]]
		if !ok {
			dir, ok = e.local[project]
		}
		if !ok {
			continue
		}
		text, err = files{tree.Open(dir, false)}.Read(ctx, rest[i+1:])
		if err == nil {
			return text, true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, true, err
		}
		err = fmt.Errorf("%s, which stands in for %s, has no file %s", dir, project, rest[i+1:])
	}
	return nil, err != nil, err
}

// rawAddress takes the address of a raw file apart, into its project and REF/PATH.
func rawAddress(address string) (project, rest string, ok bool) {
	u, err := url.Parse(address)
	if err != nil {
		return "", "", false
	}
	path := strings.TrimPrefix(u.Path, "/")
	switch u.Hostname() {
	case "raw.githubusercontent.com":
		owner, path, _ := strings.Cut(path, "/")
		var repository string
		repository, rest, ok = strings.Cut(path, "/")
		project = owner + "/" + repository
	case "github.com":
		project, rest, ok = strings.Cut(path, "/raw/")
	default:
		if project, rest, ok = strings.Cut(path, "/-/raw/"); !ok {
			project, rest, ok = strings.Cut(path, "/raw/")
		}
	}
	for _, prefix := range []string{"refs/heads/", "refs/tags/"} {
		rest = strings.TrimPrefix(rest, prefix)
	}
	return project, rest, ok
}
