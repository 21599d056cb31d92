package git

import (
	"context"
	"os/exec"
	"slices"
)

// Reach says which other repositories a call of Distant may read.
type Reach string

// Nearby are repositories on this machine, Anywhere those on a network too.
const (
	Nearby   Reach = "file"
	Anywhere Reach = "file:https:http:ssh:git"
)

// uploadPack serves a repository on this machine. git forgets our settings where it starts it, so they stand here again;
// any commit may be asked for, since the caller has looked it up in that very repository.
const uploadPack = "git -c safe.directory=* -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.alternateRefsCommand=false" +
	" -c uploadpack.allowAnySHA1InWant=true -c uploadpack.allowFilter=true upload-pack"

// Distant runs a git command that reads another repository: fetch or ls-remote, from dir, which must be a repository of
// ours (its settings are heeded). Only the protocols of reach are spoken, nothing is asked of a person, and a server
// that stands still is given up after half a minute. Credentials come from the user's own helpers and SSH agent.
func Distant(ctx context.Context, dir string, reach Reach, command string, args ...string) ([]byte, error) {
	return DistantWith(ctx, dir, reach, nil, command, args...)
}

// DistantWith is Distant with more in git's environment, which is where credentials belong: GIT_SSH_COMMAND, and settings
// as GIT_CONFIG_COUNT, GIT_CONFIG_KEY_0, GIT_CONFIG_VALUE_0 and so on. They never stand among the arguments.
func DistantWith(ctx context.Context, dir string, reach Reach, env []string, command string, args ...string) ([]byte, error) {
	all := []string{"-c", "http.lowSpeedLimit=100", "-c", "http.lowSpeedTime=30"}
	if reach == Anywhere {
		all = append(all, "-c", "core.sshCommand=ssh -oBatchMode=yes -oConnectTimeout=20")
	}
	all = append(append(all, command), args...)
	if reach == Nearby {
		all = slices.Insert(all, len(all)-len(args), "--upload-pack="+uploadPack)
	}
	cmd := Command(ctx, dir, all...)
	if reach == Anywhere {
		cmd.Args = withoutCredentialReset(cmd)
	}
	cmd.Env = append(append(cmd.Env, "GIT_ALLOW_PROTOCOL="+string(reach)), env...)
	return finish(ctx, cmd, append([]string{command}, args...))
}

// withoutCredentialReset leaves the user's credential helpers on: dir is ours, so no other repository names one.
func withoutCredentialReset(cmd *exec.Cmd) []string {
	at := slices.Index(cmd.Args, "credential.helper=")
	if at < 1 {
		return cmd.Args
	}
	return slices.Delete(slices.Clone(cmd.Args), at-1, at+1)
}
