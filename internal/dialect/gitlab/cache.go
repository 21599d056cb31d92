package gitlab

import (
	"context"
	"crypto/sha1" //nolint:gosec // the key's form is GitLab's; nothing is protected by it
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/gitlab/keyword"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// defaultKey names a cache that has no key.
const defaultKey = "default"

// caches are the job's caches with their keys: computed ones are digested now, variables wait for the job. Caches of
// protected and of other branches are kept apart, so each key has a suffix, unless unprotect says otherwise (GitLab
// documentation, caching, use the same cache for all branches). On this machine the default branch is the protected
// one.
func (c *compiler) caches(ctx context.Context, k *keyword.Job, sc *scope) []plan.Cache {
	if k.Cache == nil {
		return nil
	}
	var out []plan.Cache
	for i := range k.Cache.Items {
		item := &k.Cache.Items[i]
		if len(item.Paths) == 0 && !item.Untracked.Value {
			continue // `cache: []` and a cache without files keep nothing
		}
		suffix := "-non_protected"
		if protected(&c.in.Occasion) && !item.Unprotect.Value {
			suffix = "-protected"
		}
		cache := plan.Cache{
			Key: c.cacheKey(ctx, &item.Key, i, sc) + suffix, Paths: keyword.Strings(item.Paths),
			Untracked: item.Untracked.Value, When: item.When.Value, Policy: item.Policy.Value,
			Unprotect: item.Unprotect.Value, Files: keyword.Strings(item.Key.Files), Place: item.Place,
		}
		for _, key := range item.FallbackKeys {
			cache.FallbackKeys = append(cache.FallbackKeys, key.Value+suffix)
		}
		if cache.When == "" {
			cache.When = plan.OnSuccess
		}
		if cache.Policy == "" {
			cache.Policy = "pull-push"
		}
		out = append(out, cache)
	}
	return out
}

// cacheKey is a key as written, or for key:files the prefix and a digest of the files (CI/CD YAML syntax reference,
// cache:key:files): "default" stands for the digest where none of them exists.
func (c *compiler) cacheKey(ctx context.Context, k *keyword.Key, index int, sc *scope) string {
	if len(k.Files) == 0 {
		if k.Prefix.Set {
			return k.Prefix.Value + "-" + defaultKey
		}
		if k.Text.Value == "" {
			return defaultKey
		}
		return k.Text.Value
	}
	prefix := k.Prefix.Value
	if prefix == "" {
		prefix = filesPrefix(index, k.Files)
	}
	files := make([]string, len(k.Files))
	for i, f := range k.Files {
		files[i] = sc.nested(f.Value)
	}
	return prefix + "-" + c.filesDigest(ctx, files, k)
}

// filesPrefix tells apart the computed keys of one job that name no prefix.
func filesPrefix(index int, files []keyword.Text) string {
	names := make([]string, len(files))
	for i, f := range files {
		names[i], _, _ = strings.Cut(f.Value, ".")
	}
	return strconv.Itoa(index) + "_" + strings.Join(names, "_")
}

// filesDigest is one digest of all files, whatever their order.
func (c *compiler) filesDigest(ctx context.Context, files []string, k *keyword.Key) string {
	memo := fmt.Sprintf("%t\x00%s", k.Commits, strings.Join(files, "\x00"))
	if d, ok := c.digests[memo]; ok {
		return d
	}
	var digests []string
	for _, file := range c.spread(ctx, files, k.Place) {
		if c.in.Project == nil {
			continue
		}
		d, err := c.in.Project.Digest(ctx, file, k.Commits)
		if err != nil {
			c.faults.Add(fault.At(CodeProject, k.Place, "digest %s for cache:key:files: %v", file, err))
			continue
		}
		if d != "" {
			digests = append(digests, d)
		}
	}
	out := defaultKey
	if len(digests) > 0 {
		slices.Sort(digests)
		sum := sha1.Sum([]byte(strings.Join(slices.Compact(digests), "-"))) //nolint:gosec // see the import
		out = hex.EncodeToString(sum[:])
	}
	c.digests[memo] = out
	return out
}

// spread replaces patterns among the files by what they match.
func (c *compiler) spread(ctx context.Context, files []string, at fault.Place) []string {
	var out []string
	for _, file := range files {
		if !strings.Contains(file, "*") {
			out = append(out, file)
			continue
		}
		paths, err := c.paths(ctx)
		if err != nil {
			c.faults.Add(fault.At(CodeProject, at, "list the files of the project: %v", err))
			return out
		}
		globs, mistake := c.globs([]string{file}, func(s string) string { return s }, at)
		if mistake != nil {
			c.faults.Add(mistake)
			continue
		}
		for _, p := range paths {
			if globs[0].Match(p) {
				out = append(out, p)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
