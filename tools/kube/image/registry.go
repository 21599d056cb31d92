package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// images are what the cluster can pull: the names that Argo CD's and Argo Rollouts' own tests use, and ours. A tag that is
// not here is missing, as those tests want of some. What starts with bad- fails one request of five, with slow- takes 2 s.
var images = map[string][]string{
	"library/nginx":                     {"1.14.2", "1.17.4-alpine", "1.19-alpine", "1.20-alpine", "alpine", "latest"},
	"library/alpine":                    {"3.8", "3.10.2", "latest"},
	"library/busybox":                   {"1.28", "latest"},
	"argoproj/rollouts-demo":            {"blue", "green", "yellow", "red", "orange", "purple", "bad-red", "bad-green", "slow-yellow"},
	"argoproj/load-tester":              {"latest"},
	"hashicorp/http-echo":               {"latest"},
	"argoprojlabs/argocd-e2e-container": {"0.1", "0.2", "0.3"},
	"library/sluice-test":               {"v1", "v2", "v3", "v4", "v5", "bad-v3", "slow-v2"},
	"pause":                             {"1"},
}

// blob is what a registry serves.
type blob struct {
	media string
	data  []byte
}

// registry serves the images over HTTP, read-only, whatever registry their name says.
func registry(address, busybox string) error {
	layer, err := layer(busybox)
	if err != nil {
		return err
	}
	blobs := map[string]blob{}
	keep := func(media string, data []byte) map[string]any {
		digest := fmt.Sprintf("sha256:%x", sha256.Sum256(data))
		blobs[digest] = blob{media, data}
		return map[string]any{"mediaType": media, "digest": digest, "size": len(data)}
	}
	base := keep("application/vnd.docker.image.rootfs.diff.tar", layer)
	tags := map[string]string{}
	for repository, list := range images {
		for _, tag := range list {
			config := keep("application/vnd.docker.container.image.v1+json", encode(configuration(repository, tag, base["digest"])))
			media := "application/vnd.docker.distribution.manifest.v2+json"
			m := keep(media, encode(map[string]any{"schemaVersion": 2, "mediaType": media, "config": config, "layers": []any{base}}))
			tags[repository+"/manifests/"+tag] = m["digest"].(string)
		}
	}
	return http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/v2/")
		digest, ok := tags[path]
		if !ok {
			digest = path[strings.LastIndexByte(path, '/')+1:]
		}
		b, ok := blobs[digest]
		switch {
		case path == "":
			return
		case !ok:
			http.Error(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"not one of the test images"}]}`, http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", b.media)
		w.Header().Set("Docker-Content-Digest", digest)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b.data))
	}))
}

func configuration(repository, tag string, layer any) map[string]any {
	env := []string{"PATH=/bin", "VERSION=" + tag}
	if strings.HasPrefix(tag, "bad-") {
		env = append(env, "ERRORS=0.2")
	}
	if strings.HasPrefix(tag, "slow-") {
		env = append(env, "DELAY=2s")
	}
	command := []string{"/bin/serve"}
	switch repository {
	case "library/alpine", "library/busybox":
		command = []string{"/bin/sh"}
	case "pause":
		command = []string{"/bin/pause"}
	}
	return map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "config": map[string]any{"Env": env, "Cmd": command},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []any{layer}},
	}
}

// layer is the one file system of all images: this program, busybox and links to both.
func layer(busybox string) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, d := range []string{"bin/", "etc/", "tmp/", "usr/", "var/", "root/"} {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: d, Mode: 0o1777}); err != nil {
			return nil, err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	for name, path := range map[string]string{"bin/image": self, "bin/busybox": busybox} {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := file(w, name, 0o755, data); err != nil {
			return nil, err
		}
	}
	ours := map[string]bool{"serve": true, "pause": true, "wget": true, "curl": true, "sleep": true, "busybox": true}
	applets, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --list: %w", busybox, err)
	}
	links := map[string]string{"usr/bin": "../bin", "usr/sbin": "../bin", "sbin": "bin"}
	for _, a := range strings.Fields(string(applets)) {
		if !ours[a] {
			links["bin/"+a] = "busybox"
		}
	}
	delete(ours, "busybox")
	for a := range ours {
		links["bin/"+a] = "image"
	}
	for name, to := range links {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to, Mode: 0o777}); err != nil {
			return nil, err
		}
	}
	if err := file(w, "etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")); err != nil {
		return nil, err
	}
	return buf.Bytes(), w.Close()
}

func file(w *tar.Writer, name string, mode int64, data []byte) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(data))}); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}
