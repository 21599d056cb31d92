package tool

import (
	"context"
	"fmt"
	"path"
	"strings"
)

// inside looks in the job's container: on its PATH, in its tool cache, and where its images put things. The script is
// plain sh; it writes a line for each program: its path, a tab, and the first line of its answer.
func (x *Finder) inside(ctx context.Context, k kind) ([]Found, error) {
	var list []string
	for _, exe := range k.exes {
		list = append(list, fmt.Sprintf(`"$(command -v %s 2>/dev/null)"`, quote(exe)))
		for _, base := range []string{`"${RUNNER_TOOL_CACHE:-/opt/hostedtoolcache}"`, "/opt/hostedtoolcache"} {
			list = append(list, fmt.Sprintf(`%s/%s/*/*/bin/%s`, base, quote(k.name), quote(exe)))
		}
		for _, root := range k.roots {
			if strings.HasPrefix(root, "/") {
				list = append(list, root+"/"+k.bin+"/"+quote(exe))
			}
		}
	}
	var ask []string
	for _, a := range k.ask {
		ask = append(ask, quote(a))
	}
	var env []string
	for _, kv := range k.env {
		name, value, _ := strings.Cut(kv, "=")
		env = append(env, name+"="+quote(value))
	}
	script := fmt.Sprintf(`for c in %s; do
  if [ -f "$c" ] && [ -x "$c" ]; then
    printf '%%s\t%%s\n' "$c" "$(%s "$c" %s 2>&1 </dev/null | head -n 1)"
  fi
done
`, strings.Join(list, " "), strings.Join(env, " "), strings.Join(ask, " "))
	out, err := x.Probe(ctx, script)
	if err != nil {
		return nil, fmt.Errorf("look for %s in the container: %w", k.title, err)
	}
	var found []Found
	seen := map[string]bool{}
	for line := range strings.Lines(out) {
		exe, text, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "\t")
		a := k.parse(text)
		v := k.version(a.version)
		if !ok || v == nil || seen[exe] {
			continue
		}
		seen[exe] = true
		bin := path.Dir(exe)
		home := path.Dir(bin)
		if a.prefix != "" {
			home = a.prefix
		}
		found = append(found, Found{Version: v, Text: plainText(k, v), Exe: exe, Bin: bin, Home: home, How: "the container"})
	}
	return found, nil
}

// quote makes a text one word of a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
