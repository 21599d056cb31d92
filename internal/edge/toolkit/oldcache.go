package toolkit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-delivery/sluice/internal/edge/blob"
)

// olderCache serves the cache service, version 1: clients from before 2025 know no other, nor do those that are told of
// a GitHub server of one's own.
func (s *Service) olderCache(mux *http.ServeMux) {
	const at = "/_apis/artifactcache/"
	mux.HandleFunc("GET "+at+"cache", s.withJob(s.olderFind))
	mux.HandleFunc("POST "+at+"caches", s.withJob(s.olderReserve))
	mux.HandleFunc("POST "+at+"caches/{number}", s.withJob(s.olderCommit))
	mux.HandleFunc("PATCH "+at+"caches/{number}", s.olderPatch)
}

func (s *Service) withJob(serve func(http.ResponseWriter, *http.Request, *job) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		j, release, ok := s.caller(r)
		if !ok {
			answer(w, errNoToken)
			return
		}
		defer release()
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(30 * time.Second)) // the job's end waits for it
		if err := serve(w, r, j); err != nil {
			answer(w, err)
		}
	}
}

func (s *Service) olderFind(w http.ResponseWriter, r *http.Request, j *job) error {
	q := r.URL.Query()
	hit, ok, err := s.findCache(r, j, strings.Split(q.Get("keys"), ","), q.Get("version"))
	if err != nil {
		return err
	}
	if !ok {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	at, err := s.allowCache(r, j, hit)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"cacheKey": hit.Name, "cacheVersion": hit.Version, "scope": hit.Scope, "archiveLocation": at, "creationTime": hit.Created.UTC().Format(time.RFC3339Nano),
	})
	return nil
}

func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
	if err != nil {
		return tooLongOr(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return refuse(http.StatusBadRequest, "malformed", "the message cannot be read: %v", err)
	}
	return nil
}

func (s *Service) olderReserve(w http.ResponseWriter, r *http.Request, j *job) error {
	var ask struct {
		Key, Version string
		CacheSize    int64
	}
	if err := readJSON(w, r, &ask); err != nil {
		return err
	}
	if err := checkKey(ask.Key); err != nil {
		return err
	}
	if ask.CacheSize > s.limits.Bytes {
		return invalid("the cache has %d bytes; %d are allowed", ask.CacheSize, s.limits.Bytes)
	}
	u, err := s.reserve(j, blob.CacheID{Key: ask.Key, Version: ask.Version, Scope: j.Scope}, ask.CacheSize)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, map[string]any{"cacheId": u.number})
	return nil
}

// numbered is the upload of a cache that a job calls by its number.
func (s *Service) numbered(r *http.Request, j *job) (*upload, error) {
	n, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
	u := s.pending(j, func(u *upload) bool { return u.cache != nil && u.number == n })
	if err != nil || u == nil {
		return nil, refuse(http.StatusNotFound, "not_found", "the job has not begun to upload a cache %q", r.PathValue("number"))
	}
	return u, nil
}

func (s *Service) olderPatch(w http.ResponseWriter, r *http.Request) {
	j, release, ok := s.caller(r)
	if !ok {
		answer(w, errNoToken)
		return
	}
	release()
	u, err := s.numbered(r, j)
	if err != nil {
		answer(w, err)
		return
	}
	var from, to int64
	if n, _ := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-%d/", &from, &to); n != 2 || from < 0 || to < from {
		answer(w, invalid("Content-Range: %q is no range of bytes", r.Header.Get("Content-Range")))
		return
	}
	b, err := u.take(http.MaxBytesReader(w, r.Body, to-from+1))
	if err == nil && b.size != to-from+1 {
		u.forget(b)
		err = invalid("the body has %d bytes, and Content-Range has %d", b.size, to-from+1)
	}
	if err == nil {
		b.at = from
		err = s.stageAlive(u, strconv.FormatInt(from, 10), b)
	}
	if err != nil {
		answer(w, olderErr(err))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Service) stageAlive(u *upload, id string, b block) error {
	release, ok := u.job.alive()
	if !ok {
		u.forget(b)
		return errNoToken
	}
	defer release()
	return u.stage(id, b)
}

func olderErr(err error) error {
	if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
		return invalid("the body has more bytes than Content-Range")
	}
	if errors.Is(err, errTooLarge) {
		return refuse(http.StatusRequestEntityTooLarge, "invalid_argument", "the cache is larger than allowed")
	}
	return err
}

func (s *Service) olderCommit(w http.ResponseWriter, r *http.Request, j *job) error {
	u, err := s.numbered(r, j)
	if err != nil {
		return err
	}
	var ask struct{ Size int64 }
	if err := readJSON(w, r, &ask); err != nil {
		return err
	}
	ids, size, gap := u.inOrder()
	if gap || size != ask.Size {
		return invalid("%d bytes were uploaded of the cache %q, not %d", size, u.cache.Key, ask.Size)
	}
	c, err := u.commit(ids)
	if err != nil {
		return olderErr(err)
	}
	if _, err := s.keepCache(r, u, c); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// inOrder are the blocks by where they begin; gap says that they do not follow each other.
func (u *upload) inOrder() (ids []string, size int64, gap bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id := range u.blocks {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return int(min(max(u.blocks[a].at-u.blocks[b].at, -1), 1)) })
	for _, id := range ids {
		gap = gap || u.blocks[id].at != size
		size += u.blocks[id].size
	}
	return ids, size, gap
}
