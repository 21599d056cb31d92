package action

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/program"
)

// submodule is one that a commit names.
type submodule struct{ name, path, url, commit string }

// submodules checks out the submodules of the folder, from what the clone has of them, or from the sources. git's own
// submodule commands have no part in it: names, addresses and update commands come from the repository.
func (k *checkout) submodules(ctx context.Context, clone, common string) error {
	list, err := k.listSubmodules(ctx)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(k.dest)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, m := range list {
		if err := noLinks(root, m.path); err != nil {
			return err
		}
		if err := root.MkdirAll(m.path, 0o777); err != nil {
			return fmt.Errorf("make the submodule %s: %w", m.path, err)
		}
		address := joined(k.origin, m.url)
		sub := &checkout{s: k.s, out: k.out, paths: k.paths, dest: filepath.Join(k.dest, filepath.FromSlash(m.path)), origin: address}
		sub.f = program.Fetch{Depth: k.f.Depth, LFS: k.f.LFS}
		if k.f.Submodules == "recursive" {
			sub.f.Submodules = "recursive"
		}
		source := k.submoduleSource(ctx, clone, common, m, address)
		if source == "" {
			return fault.New(CodeSubmodule, "the submodule %s (%s at %s) is not on this machine", m.path, redact(m.url), short(m.commit)).
				WithHint("`git submodule update --init --recursive` in your clone brings it; for another repository's, the mirror or --local-repository has to have it")
		}
		if err := sub.take(ctx, source, m.commit, "", false); err != nil {
			return fmt.Errorf("submodule %s: %w", m.path, err)
		}
		for key, value := range map[string]string{"url": address, "active": "true"} {
			if _, err := git.Run(ctx, k.dest, "config", "submodule."+m.name+"."+key, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// listSubmodules are the submodules of HEAD, as .gitmodules of that commit describes them.
func (k *checkout) listSubmodules(ctx context.Context) ([]submodule, error) {
	entries, err := git.Run(ctx, k.dest, "ls-files", "-z", "--stage")
	if err != nil {
		return nil, err
	}
	var out []submodule
	for line := range strings.SplitSeq(string(entries), "\x00") {
		meta, p, _ := strings.Cut(line, "\t")
		if f := strings.Fields(meta); len(f) == 3 && f[0] == "160000" {
			out = append(out, submodule{path: p, commit: f[1]})
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	names, urls := map[string]string{}, map[string]string{}
	text, err := git.Run(ctx, k.dest, "config", "-z", "--blob", "HEAD:.gitmodules", "--get-regexp", `^submodule\..*\.(path|url)$`)
	if err == nil {
		for entry := range strings.SplitSeq(string(text), "\x00") {
			key, value, _ := strings.Cut(entry, "\n")
			key = strings.TrimPrefix(key, "submodule.")
			if name, ok := strings.CutSuffix(key, ".path"); ok {
				names[path.Clean(value)] = name
			} else if name, ok := strings.CutSuffix(key, ".url"); ok {
				urls[name] = value
			}
		}
	}
	for i := range out {
		m := &out[i]
		m.name = names[m.path]
		m.url = urls[m.name]
		if err := safe(m.path); err != nil {
			return nil, err
		}
		if m.name == "" || m.url == "" {
			return nil, fault.New(CodeSubmodule, "no url found for submodule path '%s' in .gitmodules", m.path)
		}
		if strings.HasPrefix(m.name, "-") || !filepath.IsLocal(m.name) || strings.ContainsAny(m.name, "\n\x00\\") {
			return nil, fault.New(CodeSubmodule, "%q is no safe name of a submodule", m.name)
		}
	}
	return out, nil
}

// submoduleSource is a clone that has the submodule's commit, "" where there is none.
func (k *checkout) submoduleSource(ctx context.Context, clone, common string, m submodule, address string) string {
	for _, dir := range []string{filepath.Join(common, "modules", filepath.FromSlash(m.name)), filepath.Join(clone, filepath.FromSlash(m.path))} {
		if has(ctx, dir, m.commit) {
			return dir
		}
	}
	repository := repositoryOf(address)
	if checkRepository(repository) != nil {
		return ""
	}
	f, err := k.s.Find(ctx, repository, m.commit)
	if err != nil {
		return ""
	}
	for _, dir := range []string{f.Clone, f.Dir} {
		if dir != "" && has(ctx, dir, m.commit) {
			return dir
		}
	}
	return ""
}

// has says whether a folder is a clone with a commit.
func has(ctx context.Context, dir, commit string) bool {
	if !isFolder(dir) || !git.IsClone(ctx, dir) {
		return false
	}
	_, _, err := firstOf(ctx, dir, []string{commit})
	return err == nil
}

// repositoryOf is owner/repo of an address: the last two parts of its path.
func repositoryOf(address string) string {
	p := address
	if u, err := url.Parse(address); err == nil && u.Scheme != "" {
		p = u.Path
	} else if _, after, ok := strings.Cut(address, ":"); ok {
		p = after
	}
	parts := strings.Split(strings.TrimSuffix(strings.Trim(p, "/"), ".git"), "/")
	if len(parts) < 2 {
		return ""
	}
	return strings.Join(parts[len(parts)-2:], "/")
}

// joined is a submodule's address: one that begins with ./ or ../ is relative to the repository's own.
func joined(base, address string) string {
	if !strings.HasPrefix(address, "./") && !strings.HasPrefix(address, "../") {
		return address
	}
	base = trimSlash(base)
	for {
		switch {
		case strings.HasPrefix(address, "./"):
			address = address[2:]
		case strings.HasPrefix(address, "../"):
			address = address[3:]
			at := strings.LastIndexAny(base, "/:")
			if at <= 0 {
				return address
			}
			if base[at] == ':' {
				return base[:at+1] + address
			}
			base = base[:at]
		default:
			return base + "/" + address
		}
	}
}
