package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/edge/source"
)

// origin names a repository everywhere: a clone by where it came from, what came from nowhere by its place on this machine.
func origin(repo *git.Repository, root string) string {
	if repo != nil {
		if f := repo.Facts(); f.Host != "" {
			return strings.ToLower(f.Host + "/" + f.Path)
		}
		if repo.Remote != "" {
			root = repo.Remote
		}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return host + " " + root
}

// installation is the id under which a delivery marks what it holds (documentation page "Resource Tracking, Additional
// tracking metadata via an installation ID"): other deliveries with an Application of the same name, into the same cluster,
// leave these objects alone. Another clone of the repository has the same id; another folder of it, or another namespace,
// does not.
func (d *delivered) installation(namespace string) string {
	from := d.origin
	if from == "" {
		from = source.Normal(d.repo)
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{from, d.path, namespace}, "\x00")))
	return "sluice-" + hex.EncodeToString(sum[:8])
}
