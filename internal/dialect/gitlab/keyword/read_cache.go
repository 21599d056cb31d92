package keyword

import (
	"net/url"
	"strings"

	"github.com/sluice-delivery/sluice/internal/dialect/yamlx"
	"github.com/sluice-delivery/sluice/internal/flow/plan"
)

// caches reads cache: one mapping, or a list of them.
func (r *reader) caches(n *yamlx.Node) *Caches {
	out := &Caches{Place: n.At(), Items: []Cache{}}
	switch {
	case n.IsMapping():
		if len(n.Pairs) > 0 {
			out.Items = append(out.Items, r.cache(n))
		}
	case n.IsSequence():
		r.flatten(n, "cache", 0, func(item *yamlx.Node) {
			if r.mapping(item, "an item of cache") {
				out.Items = append(out.Items, r.cache(item))
			}
		})
		if len(out.Items) > maxCaches {
			r.fail(CodeLimit, n, "cache has %d caches, at most %d are allowed", len(out.Items), maxCaches)
		}
	default:
		r.wrong(n, "cache", "a mapping or a list of mappings")
		return nil
	}
	return out
}

// cache reads one cache.
func (r *reader) cache(n *yamlx.Node) Cache {
	out := Cache{Place: n.At(), Key: Key{Text: Text{Value: "default"}}, Policy: Text{Value: "pull-push"}, When: Placed[plan.When]{Value: plan.OnSuccess}}
	for name, pair := range r.fields(n, scopeOf("cache"), "cache") {
		what, v := "cache:"+name, pair.Value
		switch name {
		case "key":
			out.Key = r.key(v)
		case "paths":
			out.Paths = r.texts(v, what).Items
		case "untracked":
			out.Untracked = r.flag(v, what)
		case "unprotect":
			out.Unprotect = r.flag(v, what)
		case "when":
			if t := r.choice(v, what, partWhen); t.Set {
				out.When = whenOf(t)
			}
		case "policy":
			r.policyOf(&out, v)
		case "fallback_keys":
			out.FallbackKeys = r.texts(v, what).Items
			if len(out.FallbackKeys) > maxFallbackKeys {
				r.fail(CodeLimit, v, "%s has %d keys, at most %d are allowed", what, len(out.FallbackKeys), maxFallbackKeys)
			}
		}
	}
	return out
}

// policyOf reads cache:policy, which may be a variable.
func (r *reader) policyOf(out *Cache, n *yamlx.Node) {
	t := r.text(n, "cache:policy")
	if !t.Set || reference.MatchString(t.Value) {
		if t.Set {
			out.Policy = t
		}
		return
	}
	if t = r.choice(n, "cache:policy", policies); t.Set {
		out.Policy = t
	}
}

// key reads cache:key: text, or files, files_commits and prefix.
func (r *reader) key(n *yamlx.Node) Key {
	out := Key{Place: n.At()}
	if !n.IsMapping() {
		out.Text.Value = "default"
		if t := r.text(n, "cache:key"); t.Value != "" {
			out.Text = r.keyText(t, "cache:key")
		}
		return out
	}
	out.Text.Value = "default"
	for name, pair := range r.fields(n, scopeOf("cache:key"), "cache:key") {
		what, v := "cache:key:"+name, pair.Value
		switch name {
		case "files", "files_commits":
			out.Files, out.Commits = r.texts(v, what).Items, name == "files_commits"
			limit := maxKeyFiles
			if out.Commits {
				limit = maxKeyCommits
			}
			switch {
			case v.IsSequence() && len(v.Items) == 0:
				r.fail(CodeMissing, v, "%s is empty", what)
			case len(out.Files) > limit:
				r.fail(CodeLimit, v, "%s has %d files, at most %d are allowed", what, len(out.Files), limit)
			}
		case "prefix":
			if t := r.text(v, what); t.Set {
				out.Prefix = r.keyText(t, what)
			}
		}
	}
	files, commits := n.Has("files"), n.Has("files_commits")
	switch {
	case files && commits:
		r.fail(CodeTogether, n, "cache:key:files and cache:key:files_commits exclude each other")
	case !files && !commits:
		r.fail(CodeMissing, n, "cache:key needs files or files_commits")
	}
	return out
}

// keyText checks the characters of a cache's key.
func (r *reader) keyText(t Text, what string) Text {
	plain, err := url.PathUnescape(t.Value)
	if err != nil {
		plain = t.Value
	}
	switch {
	case strings.Contains(plain, "/"):
		r.failAt(CodeName, t.Place, "%s cannot have a /", what).WithHint("use - instead, or a variable that ends in _SLUG")
	case plain != "" && strings.Trim(plain, ".") == "":
		r.failAt(CodeName, t.Place, "%s cannot be dots alone", what)
	}
	return t
}
