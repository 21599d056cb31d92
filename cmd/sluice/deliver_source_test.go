package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
)

// Folders of one name are delivered to one namespace from two repositories: neither prunes what the other holds. Another
// clone of a repository takes up where the first one ended.
func TestDeliveriesOfOneName(t *testing.T) {
	d := newDelivery(t, map[string]string{"deploy/a.yaml": fmt.Sprintf(plainConfigMap, "one-a", "1"), "deploy/b.yaml": fmt.Sprintf(plainConfigMap, "one-b", "1")})
	d.git("remote", "add", "origin", "https://git.example.com/team/one.git")
	deploy := filepath.Join(d.dir, "deploy")
	once := func(code int, dir string) string {
		t.Helper()
		return d.want(code, "deliver", dir, "--once", "--prune", "-n", d.kube.Namespace, "--timeout", "60s")
	}
	once(exitOK, deploy)

	first := d.dir
	d.dir = t.TempDir()
	d.write(map[string]string{"deploy/a.yaml": fmt.Sprintf(plainConfigMap, "two-a", "1")})
	d.git("init", "-q", "-b", "main")
	d.git("remote", "add", "origin", "https://git.example.com/team/two.git")
	d.commit()
	once(exitOK, filepath.Join(d.dir, "deploy"))
	for _, name := range []string{"one-a", "one-b", "two-a"} {
		if d.object(cmKind, name) == nil {
			t.Errorf("%s is gone", name)
		}
	}

	// What the other holds is taken over where both name it.
	d.write(map[string]string{"deploy/b.yaml": fmt.Sprintf(plainConfigMap, "one-b", "2")})
	d.commit()
	once(exitOK, filepath.Join(d.dir, "deploy"))

	clone := filepath.Join(t.TempDir(), "another")
	if out, err := exec.Command("git", "clone", "-q", first, clone).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v\n%s", err, out)
	}
	d.dir = clone
	d.git("remote", "set-url", "origin", "git@git.example.com:team/one.git")
	d.git("rm", "-q", "deploy/a.yaml")
	d.git("commit", "-q", "-m", "Without a")
	d.keep(filepath.Join(clone, "deploy"), "-n", d.kube.Namespace, "--prune")
	t.Chdir(clone)
	d.until("a is pruned by another clone", func() bool { return d.object(cmKind, "one-a") == nil })
	if d.object(cmKind, "two-a") == nil {
		t.Error("two-a is gone")
	}
}

// A clone and the addresses of one repository mark what they hold alike; credentials do not count.
func TestTheInstallationOfARepository(t *testing.T) {
	id := func(repo, path, namespace string) string {
		d := delivered{path: path, origin: origin(repo, "/home/ada/shop")}
		return d.installation(namespace)
	}
	clone := id("git@git.example.com:team/shop.git", "deploy", "prod")
	if other := id("https://robot:t0ken@git.example.com/team/shop", "deploy", "prod"); other != clone {
		t.Errorf("%s of the address and %s of the clone", other, clone)
	}
	for _, other := range []string{id("", "deploy", "prod"), id("git@git.example.com:team/shop.git", "k8s", "prod"), id("git@git.example.com:team/shop.git", "deploy", "test")} {
		if other == clone {
			t.Errorf("another place has the id %s too", other)
		}
	}
}
