package github

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// The cache actions (repository actions/cache and GitHub documentation, "Dependency caching reference").
var (
	cacheAction = &native{
		inputs: []string{"path", "key", "restore-keys", "upload-chunk-size", "enablecrossosarchive", "fail-on-cache-miss", "lookup-only", "save-always"},
		idle: map[string]string{
			"upload-chunk-size": "the cache is kept on this machine", "save-always": "GitHub withdrew it; use actions/cache/save with if: always()",
		},
		main: func(c *call) ending { return c.restoreCache(false) },
		post: (*call).saveLater, onSuccess: true,
	}
	cacheRestore = &native{
		inputs: []string{"path", "key", "restore-keys", "enablecrossosarchive", "fail-on-cache-miss", "lookup-only"},
		main:   func(c *call) ending { return c.restoreCache(true) },
	}
	cacheSave = &native{
		inputs: []string{"path", "key", "upload-chunk-size", "enablecrossosarchive"},
		idle:   map[string]string{"upload-chunk-size": "the cache is kept on this machine"},
		main: func(c *call) ending {
			key, paths, bad := c.cache()
			if bad.status != success {
				return bad
			}
			if !c.saveCache(key, paths) {
				c.caution("Cache save failed.")
			}
			return fine
		},
	}
)

// What the cache action keeps from its main part for its post part, as the real one does.
const (
	stateKey     = "CACHE_KEY"
	stateMatched = "CACHE_RESULT"
)

// maxKey is the longest key of a cache, in characters.
const maxKey = 512

// cache reads the inputs that all cache actions have.
func (c *call) cache() (key string, paths []string, bad ending) {
	key, paths = c.input("key"), c.lines("path")
	switch {
	case key == "":
		bad = broken(program.ConfigurationFailed, "Input required and not supplied: key")
	case len(paths) == 0:
		bad = broken(program.ConfigurationFailed, "Input required and not supplied: path")
	default:
		bad = checkKey(key)
	}
	if bad.status == "" || bad.status == success {
		return key, paths, fine
	}
	return key, paths, c.error(CodeCacheStep, bad)
}

func checkKey(key string) ending {
	switch {
	case len([]rune(key)) > maxKey:
		return broken(program.ConfigurationFailed, "Key Validation Error: a cache key has at most %d characters, and this one %d", maxKey, len([]rune(key)))
	case strings.Contains(key, ","):
		return broken(program.ConfigurationFailed, "Key Validation Error: %s cannot contain commas.", key)
	}
	return fine
}

// restoreCache looks for the key itself, then for caches whose key begins with it, then for those that begin with one of
// the restore keys.
func (c *call) restoreCache(alone bool) ending {
	key, paths, bad := c.cache()
	if bad.status != success {
		return bad
	}
	c.at.state.set(stateKey, key)
	restore := c.lines("restore-keys")
	if len(restore) > 9 {
		return c.error(CodeCacheStep, broken(program.ConfigurationFailed, "Key Validation Error: Keys are limited to a maximum of 10."))
	}
	for _, k := range restore {
		if bad := checkKey(k); bad.status != success {
			return c.error(CodeCacheStep, bad)
		}
	}
	if alone {
		c.output("cache-primary-key", key)
	}
	look := c.flag("lookup-only", false)
	o := c.do(program.RestoreCache{Keys: []string{key}, Prefixes: append([]string{key}, restore...), Version: cacheVersion(paths), Look: look})
	if o.Failure == program.Canceled || o.Failure == program.ExecutionTimeout {
		return c.verdictFor(c.at, o, "")
	}
	if o.Failure != "" {
		c.caution("Failed to restore: %s [%s]", o.Message, CodeCacheStep)
	}
	if o.Text == "" {
		if c.flag("fail-on-cache-miss", false) {
			return c.error(CodeCacheStep, broken(program.ScriptFailure, "Failed to restore cache entry. Exiting as fail-on-cache-miss is set. Input key: %s", key))
		}
		c.say("Cache not found for input keys: %s", strings.Join(append([]string{key}, restore...), ", "))
		return fine
	}
	c.at.state.set(stateMatched, o.Text)
	c.output("cache-hit", fmt.Sprint(strings.EqualFold(o.Text, key)))
	if alone {
		c.output("cache-matched-key", o.Text)
	}
	if look {
		c.say("Cache found and can be restored from key: %s", o.Text)
	} else {
		c.say("Cache restored from key: %s", o.Text)
	}
	return fine
}

// saveLater saves the cache at the job's end, where the key was not restored.
func (c *call) saveLater() ending {
	key, matched := c.at.state.get(stateKey), c.at.state.get(stateMatched)
	if key == "" {
		return fine
	}
	if strings.EqualFold(key, matched) {
		c.say("Cache hit occurred on the primary key %s, not saving cache.", key)
		return fine
	}
	c.saveCache(key, c.lines("path"))
	return fine
}

// saveCache keeps files under a key. That it cannot is no failure, as on GitHub, where it is not even worth a warning
// that there is a cache of the key already.
func (c *call) saveCache(key string, paths []string) bool {
	o := c.do(program.SaveCache{Key: key, Version: cacheVersion(paths), Once: true, Select: program.Select{Paths: paths}})
	switch {
	case o.Failure != "":
		c.caution("Failed to save: %s [%s]", o.Message, CodeCacheStep)
	case o.Text == program.NoFiles:
		c.caution("Path Validation Error: Path(s) specified in the action for caching do(es) not exist, hence no cache is being saved. [%s]", CodeCacheStep)
	case o.Text != "":
		c.say("Failed to save: Unable to reserve cache with key %s: %s", key, o.Text)
	default:
		c.say("Cache saved with key: %s", key)
		return true
	}
	return false
}

// cacheVersion keeps caches of different paths apart.
func cacheVersion(paths []string) string {
	sum := sha256.Sum256([]byte(strings.Join(paths, "|")))
	return hex.EncodeToString(sum[:])
}
