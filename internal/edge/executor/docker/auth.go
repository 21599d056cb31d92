package docker

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/distribution/reference"
)

// dockerConfig is what of Docker's config.json says how to sign in to registries.
type dockerConfig struct {
	Auths       map[string]dockerAuth `json:"auths"`
	CredsStore  string                `json:"credsStore"`
	CredHelpers map[string]string     `json:"credHelpers"`
}

type dockerAuth struct {
	Auth          string `json:"auth"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
}

// pair is the user and the password, however they are written.
func (a dockerAuth) pair() (user, password string) {
	if raw, err := base64.StdEncoding.DecodeString(a.Auth); err == nil && len(raw) > 0 {
		user, password, _ = strings.Cut(string(raw), ":")
		return user, password
	}
	return a.Username, a.Password
}

// credentials finds how to sign in for an image: the variable DOCKER_AUTH_CONFIG first, then the user's Docker
// configuration (GitLab documentation, access an image from a private registry). "" is without.
func credentials(ctx context.Context, image string, env []string) string {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return ""
	}
	registry := reference.Domain(named)
	for _, text := range [][]byte{variable(env, "DOCKER_AUTH_CONFIG"), userConfig()} {
		var c dockerConfig
		if len(text) == 0 || json.Unmarshal(text, &c) != nil {
			continue
		}
		if auth := c.find(ctx, registry); auth != "" {
			return auth
		}
	}
	return ""
}

func variable(env []string, name string) (value []byte) {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			value = []byte(v)
		}
	}
	return value
}

func userConfig() []byte {
	dir := os.Getenv("DOCKER_CONFIG")
	if dir == "" {
		home, _ := os.UserHomeDir()
		dir = filepath.Join(home, ".docker")
	}
	b, _ := os.ReadFile(filepath.Join(dir, "config.json"))
	return b
}

// find looks a registry up, under any of the names that Docker Hub has.
func (c dockerConfig) find(ctx context.Context, registry string) string {
	names := []string{registry}
	if registry == "docker.io" {
		names = append(names, "https://index.docker.io/v1/", "index.docker.io")
	}
	for _, name := range names {
		for key, a := range c.Auths {
			if key != name && strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://"), "/") != name {
				continue
			}
			user, password := a.pair()
			if user != "" || a.IdentityToken != "" {
				return header(map[string]string{"username": user, "password": password, "identitytoken": a.IdentityToken, "serveraddress": registry})
			}
		}
		helper := c.CredHelpers[name]
		if helper == "" {
			helper = c.CredsStore
		}
		if auth := ask(ctx, helper, name, registry); auth != "" {
			return auth
		}
	}
	return ""
}

// ask asks one of Docker's credential helpers.
func ask(ctx context.Context, helper, name, registry string) string {
	if helper == "" || strings.ContainsAny(helper, "/\\") {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker-credential-"+helper, "get")
	cmd.Stdin = strings.NewReader(name)
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout = &out
	if cmd.Run() != nil {
		return ""
	}
	var got struct{ Username, Secret string }
	if json.Unmarshal(out.Bytes(), &got) != nil || got.Secret == "" {
		return ""
	}
	if got.Username == "<token>" {
		return header(map[string]string{"identitytoken": got.Secret, "serveraddress": registry})
	}
	return header(map[string]string{"username": got.Username, "password": got.Secret, "serveraddress": registry})
}

func header(fields map[string]string) string {
	b, _ := json.Marshal(fields) // a map of strings
	return base64.URLEncoding.EncodeToString(b)
}
