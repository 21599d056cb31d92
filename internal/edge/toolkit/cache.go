package toolkit

import (
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/edge/blob"
)

// cacheMethods are the methods of the cache service, version 2 (actions/toolkit, packages/cache).
func (s *Service) cacheMethods() map[string]method {
	return map[string]method{
		"CreateCacheEntry":         s.createCache,
		"FinalizeCacheEntryUpload": s.finalizeCache,
		"GetCacheEntryDownloadURL": s.cacheURL,
	}
}

// What clients hold their keys to, and the service with them.
const (
	maxKeys = 10
	maxKey  = 512
)

func checkKey(key string) error {
	switch {
	case key == "":
		return invalid("a cache needs a key")
	case len(key) > maxKey:
		return invalid("the key of a cache has %d bytes; %d are allowed", len(key), maxKey)
	case strings.Contains(key, ","):
		return invalid("the key %q of a cache has a comma in it", key)
	}
	return nil
}

func cacheID(j *job, message []byte) (id blob.CacheID, f fields, err error) {
	if f, err = read(message); err != nil {
		return id, nil, err
	}
	if id.Key, err = f.text("key"); err == nil {
		id.Version, err = f.text("version")
	}
	if err == nil {
		err = checkKey(id.Key)
	}
	if err == nil && (id.Version == "" || len(id.Version) > maxKey) {
		err = invalid("a cache needs a version")
	}
	id.Scope = j.Scope
	return id, f, err
}

func (s *Service) createCache(r *http.Request, j *job, message []byte) (any, error) {
	id, _, err := cacheID(j, message)
	if err != nil {
		return nil, err
	}
	u, err := s.reserve(j, id, 0)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ok": true, "signed_upload_url": address(r, kindUpload, u.id, u.sig)}, nil
}

// reserve begins the upload of a cache that nobody has and nobody else uploads.
func (s *Service) reserve(j *job, id blob.CacheID, size int64) (*upload, error) {
	if s.o.Caches.HasFile(id) {
		return nil, errCacheExists
	}
	u := &upload{job: j, cache: &id, declared: size}
	switch err := s.begin(u); {
	case errors.Is(err, errTaken):
		return nil, errCacheExists
	case err != nil:
		return nil, err
	}
	return u, nil
}

var errCacheExists = refuse(http.StatusConflict, "already_exists", "cache entry with the same key, version, and scope already exists")

func (s *Service) finalizeCache(r *http.Request, j *job, message []byte) (any, error) {
	id, f, err := cacheID(j, message)
	if err != nil {
		return nil, err
	}
	size, err := f.number("size_bytes")
	if err != nil {
		return nil, err
	}
	u := s.pending(j, func(u *upload) bool { return u.cache != nil && *u.cache == id })
	if u == nil {
		return nil, refuse(http.StatusNotFound, "not_found", "the job has not begun to upload a cache %q", id.Key)
	}
	c := u.done()
	switch {
	case c == nil:
		return nil, refuse(http.StatusBadRequest, "failed_precondition", "nothing was uploaded of the cache %q", id.Key)
	case c.size != size:
		return nil, invalid("%d bytes were uploaded of the cache %q, not %d", c.size, id.Key, size)
	}
	entry, err := s.keepCache(r, u, c)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ok": true, "entry_id": strconv.FormatInt(entry, 10)}, nil
}

func (s *Service) keepCache(r *http.Request, u *upload, c *content) (int64, error) {
	meta, kept, err := s.o.Caches.AddFile(r.Context(), *u.cache, c.file)
	if err != nil {
		return 0, err
	}
	s.finish(u)
	if !kept {
		return 0, errCacheExists
	}
	return meta.Created.UnixMicro(), nil
}

func (s *Service) cacheURL(r *http.Request, j *job, message []byte) (any, error) {
	id, f, err := cacheID(j, message)
	if err != nil {
		return nil, err
	}
	more, err := f.texts("restore_keys")
	if err != nil {
		return nil, err
	}
	hit, ok, err := s.findCache(r, j, append([]string{id.Key}, more...), id.Version)
	if err != nil || !ok {
		return map[string]any{"ok": false}, err
	}
	at, err := s.allowCache(r, j, hit)
	if err != nil {
		return nil, err
	}
	return map[string]any{"ok": true, "signed_download_url": at, "matched_key": hit.Name}, nil
}

// findCache looks for the first key as it is, and then for what begins with one of them.
func (s *Service) findCache(r *http.Request, j *job, keys []string, version string) (blob.Hit, bool, error) {
	if len(keys) > maxKeys {
		return blob.Hit{}, false, invalid("a cache is looked for by at most %d keys", maxKeys)
	}
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return blob.Hit{}, false, err
		}
	}
	return s.o.Caches.FindFile(r.Context(), blob.Find{Keys: keys[:1], Prefixes: keys, Version: version, Scopes: j.scopes()})
}

// scopes are where caches are looked for: first in what the job saves to.
func (j *job) scopes() []string {
	if j.Scope == "" && len(j.Scopes) == 0 {
		return nil
	}
	return append([]string{j.Scope}, j.Scopes...)
}

func (s *Service) allowCache(r *http.Request, j *job, hit blob.Hit) (string, error) {
	return s.allow(r, &grant{
		job: j, mime: "application/octet-stream", fileName: "cache", etag: strconv.FormatInt(hit.Created.UnixNano(), 36),
		open: func() (*os.File, error) { return s.o.Caches.OpenFile(hit) },
	})
}
