package source

import (
	"net/url"
	"path/filepath"
	"strings"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// address is a repoURL that was read.
type address struct {
	given string // as it was written, without a password
	local string // the folder, for a repository of this machine
	url   string // what git is given; without user and password for http
	base  string // scheme://host:port of http, for settings of that host alone
	host  string
	user  *url.Userinfo // of http, where it stands in the address
}

// parse reads a repoURL: https, http, ssh, git, file, user@host:path and absolute folders.
func parse(given string) (address, error) {
	text := strings.TrimSpace(given)
	a := address{given: text}
	if text == "" || strings.HasPrefix(text, "-") || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return a, fault.New(CodeAddress, "%q is not the address of a repository", given)
	}
	if filepath.IsAbs(text) {
		a.local = filepath.Clean(text)
		return a, nil
	}
	scheme, _, ok := strings.Cut(text, "://")
	if !ok {
		return short(a, text)
	}
	u, err := url.Parse(text)
	if err != nil || strings.Contains(scheme, "::") {
		return a, wrongAddress(text)
	}
	a.given = u.Redacted()
	switch strings.ToLower(u.Scheme) {
	case "file":
		if u.Host != "" && u.Host != "localhost" || !filepath.IsAbs(u.Path) {
			return a, fault.New(CodeAddress, "%q names no folder of this machine", given).WithHint("write file:///folder")
		}
		a.local = filepath.Clean(u.Path)
		return a, nil
	case "http", "https":
		a.user, u.User = u.User, nil
		a.base = strings.ToLower(u.Scheme) + "://" + u.Host
	case "ssh", "git":
	default:
		return a, wrongAddress(a.given)
	}
	if u.Hostname() == "" || strings.HasPrefix(u.Host, "-") || strings.HasPrefix(u.Path, "/-") && u.Scheme == "ssh" || u.User != nil && strings.HasPrefix(u.User.Username(), "-") {
		return a, wrongAddress(a.given)
	}
	a.host, a.url = u.Hostname(), u.String()
	return a, nil
}

// short reads git's short form of an ssh address, user@host:path.
func short(a address, text string) (address, error) {
	host, path, ok := strings.Cut(text, ":")
	name := host[strings.LastIndexByte(host, '@')+1:]
	if !ok || strings.Contains(host, "/") || name == "" || strings.HasPrefix(name, "-") || path == "" || strings.HasPrefix(path, ":") || strings.HasPrefix(path, "-") {
		return a, wrongAddress(text)
	}
	a.host, a.url = name, text
	return a, nil
}

func wrongAddress(text string) error {
	return fault.New(CodeAddress, "%q is not the address of a repository", text).
		WithHint("write https://host/path, ssh://user@host/path, user@host:path, or file:///folder")
}

// Shown is an address without the password that may stand in it.
func Shown(repoURL string) string {
	a, err := parse(repoURL)
	if err != nil {
		return ""
	}
	return a.given
}

// Local is the folder of a repository of this machine; false for one that is reached over a network.
func Local(repoURL string) (string, bool) {
	a, err := parse(repoURL)
	return a.local, err == nil && a.local != ""
}

// Normal is the form of an address by which two are the same: lower case, without .git at its end, ssh in one form.
func Normal(repoURL string) string {
	s := strings.ToLower(strings.TrimSpace(repoURL))
	if !strings.Contains(s, "://") && !filepath.IsAbs(s) {
		if host, path, ok := strings.Cut(s, ":"); ok && !strings.Contains(host, "/") && !strings.HasPrefix(path, ":") {
			s = host + "/" + path
		}
	}
	s = strings.TrimPrefix(s, "ssh://")
	return strings.TrimSuffix(strings.TrimSuffix(s, "/"), ".git")
}
