package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// delivered is the repository that a delivery follows.
type delivered struct {
	repo, path, revision string
	name                 string
	origin               string // the repository's name everywhere
	state                string // .sluice/deliver
}

var notName = regexp.MustCompile(`[^a-z0-9-]+`)

// follow finds the repository of an argument: a folder of this machine or an address.
func (f *deliverFlags) follow(ctx context.Context, given string) (delivered, error) {
	d := delivered{revision: f.revision, path: f.path, name: f.name}
	info, err := os.Stat(given)
	switch {
	case err == nil && !info.IsDir():
		return d, fault.New(codeDeliver, "%s is a file", given).WithHint("give the folder that it is in")
	case err == nil:
		if err := d.folder(ctx, given, f.path); err != nil {
			return d, err
		}
	case strings.Contains(given, "://") || strings.Contains(given, "@") && strings.Contains(given, ":"):
		d.repo, d.path, d.origin = given, path.Clean(orText(f.path, ".")), origin(given, "")
		root, err := os.Getwd()
		if err != nil {
			return d, err
		}
		if d.state, err = openState(root); err != nil {
			return d, err
		}
		if d.name == "" {
			d.name = filepath.Base(strings.TrimSuffix(strings.TrimSuffix(given, "/"), ".git"))
			if d.path != "." {
				d.name = filepath.Base(d.path)
			}
		}
	default:
		return d, fault.New(codeDeliver, "there is no folder %s", given).WithHint("give a folder, or the address of a git repository: https://host/path")
	}
	d.name = strings.Trim(notName.ReplaceAllString(strings.ToLower(d.name), "-"), "-")
	if d.name == "" {
		return d, fault.New(codeUsage, "the application has no name").WithHint("give it one with --name")
	}
	d.state = filepath.Join(d.state, "deliver")
	return d, nil
}

// folder is a folder of this machine: its repository where it is in one.
func (d *delivered) folder(ctx context.Context, given, path string) error {
	abs, err := filepath.Abs(given)
	if err != nil {
		return err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return err
	}
	root, remote := abs, ""
	if repo, err := git.Open(ctx, abs); err == nil && repo.Dir != "" {
		root, remote = repo.Root, repo.Remote
	}
	rel, err := filepath.Rel(root, filepath.Join(abs, path))
	if err != nil {
		return err
	}
	d.repo, d.path, d.origin = root, filepath.ToSlash(rel), origin(remote, root)
	if d.name == "" {
		d.name = filepath.Base(filepath.Join(abs, path))
	}
	d.state, err = openState(root)
	return err
}

// origin names a repository everywhere: by where it came from, or, where it came from nowhere, by its place on this machine.
func origin(remote, root string) string {
	if id := git.Identity(remote); id != "" {
		return id
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return host + " " + orText(remote, root)
}

// installation is the id under which a delivery marks what it holds (documentation page "Resource Tracking, Additional
// tracking metadata via an installation ID"): other deliveries with an Application of the same name, into the same cluster,
// leave these objects alone. Another clone of the repository, and its address, have the same id; another folder of it, or
// another namespace, does not.
func (d *delivered) installation(namespace string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{d.origin, d.path, namespace}, "\x00")))
	return "sluice-" + hex.EncodeToString(sum[:8])
}
