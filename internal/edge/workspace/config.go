package workspace

import (
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// settings are the few values of the user's git configuration that a workspace's repository needs.
type settings map[string]string // "section.subsection.key", section and key in lower case

// readSettings reads one configuration file, without its includes. Damaged lines are passed over: git itself will
// complain about them when it is asked.
func readSettings(file string) settings {
	b, err := os.ReadFile(file)
	s := settings{}
	if err != nil {
		return s
	}
	section := ""
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			section = sectionName(line)
			continue
		}
		key, value, found := strings.Cut(line, "=")
		if !found {
			value = "true"
		}
		s[section+"."+strings.ToLower(strings.TrimSpace(key))] = settingValue(value)
	}
	return s
}

// sectionName turns `[remote "origin"]` into remote.origin.
func sectionName(line string) string {
	line, _, _ = strings.Cut(strings.TrimPrefix(line, "["), "]")
	name, sub, found := strings.Cut(line, " ")
	if !found {
		return strings.ToLower(line)
	}
	sub = strings.Trim(strings.TrimSpace(sub), `"`)
	return strings.ToLower(name) + "." + strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(sub)
}

// settingValue takes quotes and comments off a value.
func settingValue(v string) string {
	var b strings.Builder
	quoted := false
	v = strings.TrimSpace(v)
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && i+1 < len(v):
			i++
			b.WriteByte(v[i])
		case (c == '#' || c == ';') && !quoted:
			return strings.TrimSpace(b.String())
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// config writes the workspace's own configuration: what git needs to read the objects, and where origin is. Hooks,
// filters, aliases and includes of the user's repository stay behind.
func (s settings) config(top string) string {
	var b strings.Builder
	format := "0"
	if s["extensions.objectformat"] != "" || s["extensions.partialclone"] != "" {
		format = "1"
	}
	b.WriteString("[core]\n\trepositoryformatversion = " + format + "\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n")
	for _, key := range []string{"ignorecase", "symlinks", "precomposeunicode", "autocrlf", "eol", "filemode"} {
		if v := s["core."+key]; v != "" {
			b.WriteString("\t" + key + " = " + quote(v) + "\n")
		}
	}
	b.WriteString("[gc]\n\tauto = 0\n")
	if format == "1" {
		b.WriteString("[extensions]\n")
		for _, key := range []string{"objectformat", "partialclone"} {
			if v := s["extensions."+key]; v != "" {
				b.WriteString("\t" + key + " = " + quote(v) + "\n")
			}
		}
	}
	if address := s["remote.origin.url"]; address != "" {
		b.WriteString("[remote \"origin\"]\n\turl = " + quote(cleanAddress(address, top)) + "\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n")
		for _, key := range []string{"promisor", "partialclonefilter"} {
			if v := s["remote.origin."+key]; v != "" {
				b.WriteString("\t" + key + " = " + quote(v) + "\n")
			}
		}
	}
	return b.String()
}

// submodules writes where the submodules come from, as `git submodule init` would.
func (s settings) submodules(top string) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(s)) {
		name, ok := strings.CutPrefix(key, "submodule.")
		if name, url := strings.CutSuffix(name, ".url"); ok && url {
			b.WriteString("[submodule " + quote(name) + "]\n\tactive = true\n\turl = " + quote(cleanAddress(s[key], top)) + "\n")
		}
	}
	return b.String()
}

// cleanAddress takes a password out of a remote's address and makes a relative path absolute.
func cleanAddress(address, top string) string {
	if strings.HasPrefix(address, "./") || strings.HasPrefix(address, "../") {
		return filepath.Join(top, address)
	}
	if u, err := url.Parse(address); err == nil && u.User != nil {
		if _, secret := u.User.Password(); secret {
			u.User = nil
			return u.String()
		}
	}
	return address
}

// quote makes a value safe in a configuration file: a hostile one cannot begin a section of its own.
func quote(v string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\x00", "").Replace(v) + `"`
}
