package source

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluice-delivery/sluice/internal/edge/git"
	"github.com/sluice-delivery/sluice/internal/flow/fault"
)

// helper answers git's question for a password from the environment: it never stands in an argument or a file.
const helper = `!f() { test "$1" = get && printf 'username=%s\npassword=%s\n' "$SLUICE_GIT_USERNAME" "$SLUICE_GIT_PASSWORD"; }; f`

// access is how git is let into one repository: settings and variables of its environment, and files that last as long as
// the call.
type access struct {
	settings [][2]string
	env      []string
	hidden   []string // values that must not be told
	dir      string   // of the files, "" while there are none
}

// open prepares access to an address with what is known of it.
func (s Settings) open(a address, r Repository) (*access, error) {
	if r.Other != "" {
		return nil, fault.New(CodeUnsupported, "%s logs in with %s, which is not supported yet", a.given, r.Other).
			WithHint("use a password, a token or an SSH key")
	}
	x := &access{}
	var err error
	if a.base != "" {
		err = x.http(a, r, s.Certificates[a.host])
	} else {
		err = x.ssh(r, s.KnownHosts)
	}
	if err != nil {
		return nil, errors.Join(err, x.close())
	}
	x.env = append(x.env, fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(x.settings)))
	for i, pair := range x.settings {
		x.env = append(x.env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, pair[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, pair[1]))
	}
	return x, nil
}

func (x *access) set(key, value string) { x.settings = append(x.settings, [2]string{key, value}) }

// http gives credentials to the address's own host and port alone: a redirect elsewhere goes without.
func (x *access) http(a address, r Repository, certificate string) error {
	name, password := r.Username, r.Password.Reveal()
	if a.user != nil {
		name = a.user.Username()
		password, _ = a.user.Password()
	}
	if password != "" && name == "" {
		name = "git" // tokens stand alone; servers pass over the name
	}
	at := "http." + a.base + "/."
	switch {
	case !r.Bearer.IsZero():
		x.set(at+"extraHeader", "Authorization: Bearer "+r.Bearer.Reveal())
		x.set("http.followRedirects", "false")
	case r.Basic && password != "":
		x.set(at+"extraHeader", "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(name+":"+password)))
		x.set("http.followRedirects", "false")
	case password != "":
		x.set("credential.helper", "") // the user's own are not asked
		x.set("credential."+a.base+".helper", helper)
		x.env = append(x.env, "SLUICE_GIT_USERNAME="+name, "SLUICE_GIT_PASSWORD="+password)
	}
	x.hide(password, r.Bearer.Reveal())
	if r.Insecure {
		x.set(at+"sslVerify", "false")
	}
	if r.Proxy != "" {
		x.set(at+"proxy", r.Proxy)
	}
	if r.NoProxy != "" {
		x.env = append(x.env, "no_proxy="+r.NoProxy)
	}
	for _, f := range []struct{ key, name, value string }{
		{"sslCert", "cert.pem", r.TLSCert.Reveal()}, {"sslKey", "key.pem", r.TLSKey.Reveal()}, {"sslCAInfo", "ca.pem", certificate},
	} {
		if f.value == "" {
			continue
		}
		file, err := x.file(f.name, f.value)
		if err != nil {
			return err
		}
		x.set(at+f.key, file)
	}
	return nil
}

// ssh uses the repository's key, or the user's agent and settings where there is none.
func (x *access) ssh(r Repository, known string) error {
	args := []string{"ssh", "-oBatchMode=yes", "-oConnectTimeout=20"}
	if !r.SSHKey.IsZero() {
		file, err := x.file("key", r.SSHKey.Reveal())
		if err != nil {
			return err
		}
		args = append(args, "-F/dev/null", "-oIdentitiesOnly=yes", "-oIdentityAgent=none", "-oForwardAgent=no", "-i"+quote(file))
	}
	switch {
	case r.Insecure:
		args = append(args, "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null")
	case known != "":
		file, err := x.file("known_hosts", known)
		if err != nil {
			return err
		}
		args = append(args, "-oStrictHostKeyChecking=yes", "-oGlobalKnownHostsFile=/dev/null", "-oUserKnownHostsFile="+quote(file))
	default:
		args = append(args, "-oStrictHostKeyChecking=yes")
	}
	x.env = append(x.env, "GIT_SSH_COMMAND="+strings.Join(args, " "))
	return nil
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func (x *access) hide(values ...string) {
	for _, v := range values {
		if v != "" {
			x.hidden = append(x.hidden, v)
		}
	}
}

// file keeps a value in a file, for this call and its owner alone.
func (x *access) file(name, value string) (string, error) {
	if x.dir == "" {
		dir, err := os.MkdirTemp("", "sluice-git-")
		if err != nil {
			return "", err
		}
		x.dir = dir
	}
	at := filepath.Join(x.dir, name)
	if !strings.HasSuffix(value, "\n") {
		value += "\n" // ssh refuses a key without
	}
	return at, os.WriteFile(at, []byte(value), 0o600)
}

func (x *access) close() error {
	if x.dir == "" {
		return nil
	}
	return os.RemoveAll(x.dir)
}

// run runs a git command that reaches the address.
func (x *access) run(ctx context.Context, dir string, a address, command string, args ...string) ([]byte, error) {
	out, err := git.DistantWith(ctx, dir, git.Anywhere, x.env, command, args...)
	return out, x.explain(a, err)
}

// refusals are git's and ssh's own words, by what they mean.
var refusals = []struct {
	code  string
	exit  int
	words []string
}{
	{CodeDenied, 4, []string{"Authentication failed", "could not read Username", "could not read Password", "Permission denied", "error: 403", "error: 401", "Host key verification failed", "terminal prompts disabled"}},
	{CodeUnreachable, 5, []string{"Could not resolve host", "Connection refused", "timed out", "Failed to connect", "Couldn't connect", "unreachable", "Operation too slow", "Connection reset", "early EOF", "hung up", "error: 502", "error: 503", "error: 504", "unable to access", "Could not read from remote"}},
	{CodeRepository, 5, []string{"not found", "does not appear to be a git repository", "does not exist"}},
}

// explain turns a refusal of git into ours, without any secret.
func (x *access) explain(a address, err error) error {
	e, ok := errors.AsType[*git.Error](err)
	if !ok {
		return err
	}
	said := e.Stderr
	for _, v := range x.hidden {
		said = strings.ReplaceAll(said, v, "[secret]")
	}
	said = strings.TrimSpace(said)
	line := firstFatal(said)
	order := []int{0, 2, 1}
	for _, i := range order {
		r := refusals[i]
		for _, w := range r.words {
			if !strings.Contains(said, w) {
				continue
			}
			f := fault.New(r.code, "%s: %s", a.given, line).Exits(r.exit)
			if r.code == CodeDenied {
				f.WithHint("give the credentials in a Secret with the label %s: repository, whose url is this address", SecretLabel)
			}
			return f
		}
	}
	return fault.New(CodeRepository, "%s: %s", a.given, line)
}

// firstFatal is the line that says what went wrong.
func firstFatal(said string) string {
	for line := range strings.Lines(said) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "fatal: "); ok {
			return text
		}
	}
	line, _, _ := strings.Cut(said, "\n")
	return line
}
