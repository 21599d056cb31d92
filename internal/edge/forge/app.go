package forge

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sluice-delivery/sluice/internal/flow/fault"
	"github.com/sluice-delivery/sluice/internal/flow/secret"
)

// appToken is the token of a GitHub App's installation (https://docs.github.com/en/apps/creating-github-apps,
// "Authenticating as a GitHub App installation"). The Secret has the fields of Argo CD's repository credentials: githubAppID,
// githubAppPrivateKey and, unless the owner has one installation of it, githubAppInstallationID.
func (f *Forge) appToken(ctx context.Context, a *api, name, owner string) (secret.Secret, error) {
	_, data, err := f.secretOf(ctx, f.Home, name)
	if err != nil {
		return secret.Secret{}, err
	}
	if enterprise := data["githubAppEnterpriseBaseUrl"].Reveal(); enterprise != "" {
		base, err := f.githubBase(enterprise)
		if err != nil || base.Host != a.base.Host {
			return secret.Secret{}, fault.New(CodeSecret, "secret %s/%s: githubAppEnterpriseBaseUrl is of another host than the generator's api %s", f.Home, name, a.base.Host)
		}
	}
	signed, err := sign(data["githubAppID"].Reveal(), data["githubAppPrivateKey"], a.clock())
	if err != nil {
		return secret.Secret{}, fault.New(CodeSecret, "secret %s/%s: %v", f.Home, name, err)
	}
	as := &api{base: a.base, client: a.client, clock: a.clock, header: a.header.Clone()}
	as.login("Authorization", "Bearer ", signed)
	installation := data["githubAppInstallationID"].Reveal()
	if installation == "" {
		var found struct {
			ID int64 `json:"id"`
		}
		_, err := as.get(ctx, "/orgs/"+segment(owner)+"/installation", nil, &found)
		if s, ok := status(err); ok && s == http.StatusNotFound {
			_, err = as.get(ctx, "/users/"+segment(owner)+"/installation", nil, &found)
		}
		if err != nil {
			return secret.Secret{}, err
		}
		installation = strconv.FormatInt(found.ID, 10)
	}
	var given struct {
		Token string `json:"token"`
	}
	if _, err := as.do(ctx, http.MethodPost, "/app/installations/"+segment(installation)+"/access_tokens", nil, &given); err != nil {
		return secret.Secret{}, err
	}
	if given.Token == "" {
		return secret.Secret{}, fault.New(CodeAnswer, "GitHub gave no token for the installation %s", installation)
	}
	return secret.New(given.Token), nil
}

// sign makes the App's own token: RS256, valid for nine minutes.
func sign(id string, key secret.Secret, now time.Time) (secret.Secret, error) {
	if id == "" {
		return secret.Secret{}, errors.New("it has no githubAppID")
	}
	private, err := readKey(key)
	if err != nil {
		return secret.Secret{}, err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: private}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return secret.Secret{}, errors.New("githubAppPrivateKey cannot sign")
	}
	token, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: id, IssuedAt: jwt.NewNumericDate(now.Add(-time.Minute)), Expiry: jwt.NewNumericDate(now.Add(9 * time.Minute)),
	}).Serialize()
	if err != nil {
		return secret.Secret{}, errors.New("githubAppPrivateKey cannot sign")
	}
	return secret.New(token), nil
}

// readKey reads a private key in PEM; the error says nothing of what it holds.
func readKey(key secret.Secret) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(key.Reveal()))
	if block == nil {
		return nil, errors.New("githubAppPrivateKey is no PEM")
	}
	if k, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return k, nil
	}
	if k, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		if r, ok := k.(*rsa.PrivateKey); ok {
			return r, nil
		}
	}
	return nil, errors.New("githubAppPrivateKey is no RSA key")
}
