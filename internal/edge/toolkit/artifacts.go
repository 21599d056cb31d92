package toolkit

import (
	"cmp"
	"errors"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/artifact"
)

// artifactMethods are the methods of the service of artifacts (actions/toolkit, packages/artifact).
func (s *Service) artifactMethods() map[string]method {
	return map[string]method{
		"CreateArtifact":       s.createArtifact,
		"FinalizeArtifact":     s.finalizeArtifact,
		"ListArtifacts":        s.listArtifacts,
		"GetSignedArtifactURL": s.artifactURL,
		"DeleteArtifact":       s.deleteArtifact,
	}
}

// ask reads a message and holds its ids against those of the caller. own says that it must be about the caller's own
// job, not only about its run.
func (s *Service) ask(j *job, message []byte, own bool) (fields, error) {
	f, err := read(message)
	if err != nil {
		return nil, err
	}
	run, err := f.text("workflow_run_backend_id")
	if err != nil {
		return nil, err
	}
	backend, err := f.text("workflow_job_run_backend_id")
	if err != nil {
		return nil, err
	}
	if run != j.run || own && backend != j.backend {
		return nil, refuse(http.StatusForbidden, "permission_denied", "the token is of another job")
	}
	return f, nil
}

func (s *Service) createArtifact(r *http.Request, j *job, message []byte) (any, error) {
	f, err := s.ask(j, message, true)
	if err != nil {
		return nil, err
	}
	name, err := f.text("name")
	if err != nil {
		return nil, err
	}
	kind, err := f.text("mime_type")
	if err != nil {
		return nil, err
	}
	expires, err := f.moment("expires_at")
	if err != nil {
		return nil, err
	}
	if err := artifact.CheckName(name); err != nil {
		return nil, err
	}
	if expires != nil && !expires.After(time.Now()) {
		return nil, invalid("expires_at is in the past")
	}
	if len(kind) > 255 || strings.ContainsAny(kind, "\r\n") {
		return nil, invalid("mime_type is no type of content")
	}
	n := artifact.New{Run: s.o.Run, Job: j.ID, Attempt: j.Attempt, Name: name, MIME: kind, Expires: expires}
	all, err := s.o.Artifacts.List(r.Context(), s.o.Run)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(all, func(i artifact.Info) bool { return i.Name == name && !n.Replaces(i) }) {
		return nil, errArtifactExists
	}
	if j.made.Load() >= int64(s.limits.Artifacts) {
		return nil, invalid("the job has made %d artifacts, and may make no more", s.limits.Artifacts)
	}
	u := &upload{job: j, artifact: &n}
	switch err := s.begin(u); {
	case errors.Is(err, errTaken):
		return nil, errArtifactExists
	case err != nil:
		return nil, err
	}
	return map[string]any{"ok": true, "signed_upload_url": address(r, kindUpload, u.id, u.sig)}, nil
}

// errArtifactExists is in GitHub's words: people search for them.
var errArtifactExists = refuse(http.StatusConflict, "already_exists", "an artifact with this name already exists on the workflow run")

func (s *Service) finalizeArtifact(r *http.Request, j *job, message []byte) (any, error) {
	f, err := s.ask(j, message, true)
	if err != nil {
		return nil, err
	}
	name, err := f.text("name")
	if err != nil {
		return nil, err
	}
	size, err := f.number("size")
	if err != nil {
		return nil, err
	}
	hash, err := f.text("hash")
	if err != nil {
		return nil, err
	}
	u := s.pending(j, func(u *upload) bool { return u.artifact != nil && u.artifact.Name == name })
	if u == nil {
		return nil, refuse(http.StatusNotFound, "not_found", "the job has not begun to upload an artifact %q", name)
	}
	c := u.done()
	switch {
	case c == nil:
		return nil, refuse(http.StatusBadRequest, "failed_precondition", "nothing was uploaded of the artifact %q", name)
	case c.size != size:
		return nil, invalid("%d bytes were uploaded of the artifact %q, not %d", c.size, name, size)
	case hash != "" && !strings.EqualFold(strings.TrimPrefix(hash, "sha256:"), c.digest):
		return nil, invalid("the SHA-256 of what was uploaded of the artifact %q is %s, not %s", name, c.digest, hash)
	}
	info, err := s.o.Artifacts.Add(r.Context(), *u.artifact, c.file, c.digest, c.size)
	if err != nil {
		return nil, err
	}
	j.made.Add(1)
	s.finish(u)
	return map[string]any{"ok": true, "artifact_id": strconv.FormatInt(info.ID, 10)}, nil
}

func (s *Service) listArtifacts(r *http.Request, j *job, message []byte) (any, error) {
	f, err := s.ask(j, message, false)
	if err != nil {
		return nil, err
	}
	name, err := f.text("name_filter")
	if err != nil {
		return nil, err
	}
	id, err := f.number("id_filter")
	if err != nil {
		return nil, err
	}
	all, err := s.o.Artifacts.List(r.Context(), s.o.Run)
	if err != nil {
		return nil, err
	}
	out := []map[string]any{}
	for _, i := range all {
		if name != "" && i.Name != name || id != 0 && i.ID != id {
			continue
		}
		out = append(out, map[string]any{
			"workflow_run_backend_id":     j.run,
			"workflow_job_run_backend_id": backendID("job", s.o.Run, i.Job),
			"database_id":                 strconv.FormatInt(i.ID, 10),
			"name":                        i.Name,
			"size":                        strconv.FormatInt(i.Size, 10),
			"created_at":                  i.Created.UTC().Format(time.RFC3339Nano),
			"digest":                      "sha256:" + i.Digest,
		})
	}
	return map[string]any{"artifacts": out}, nil
}

func (s *Service) artifactURL(r *http.Request, j *job, message []byte) (any, error) {
	name, err := s.named(j, message)
	if err != nil {
		return nil, err
	}
	info, file, err := s.o.Artifacts.Open(r.Context(), s.o.Run, name)
	if err != nil {
		return nil, err
	}
	file.Close()
	g := &grant{
		job: j, mime: cmp.Or(info.MIME, "application/zip"), fileName: info.FileName(), etag: info.Digest,
		open: func() (*os.File, error) {
			_, file, err := s.o.Artifacts.Open(s.ctx, s.o.Run, name)
			return file, err
		},
	}
	at, err := s.allow(r, g)
	if err != nil {
		return nil, err
	}
	return map[string]any{"signed_url": at}, nil
}

func (s *Service) deleteArtifact(r *http.Request, j *job, message []byte) (any, error) {
	name, err := s.named(j, message)
	if err != nil {
		return nil, err
	}
	info, err := s.o.Artifacts.Delete(r.Context(), s.o.Run, name)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ok": true, "artifact_id": strconv.FormatInt(info.ID, 10)}, nil
}

// named is the artifact that a message is about. Any job of the run may read and delete what another made.
func (s *Service) named(j *job, message []byte) (string, error) {
	f, err := s.ask(j, message, false)
	if err != nil {
		return "", err
	}
	name, err := f.text("name")
	if err != nil {
		return "", err
	}
	return name, artifact.CheckName(name)
}
